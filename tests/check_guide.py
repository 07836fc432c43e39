#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the operator's guide: its `sh` blocks in one shell, in their order,
and its `ini` blocks as settings. What it says must work as it stands there.

usage: check_guide.py DIRECTORY-OF-THE-PROGRAMS"""
import os
import re
import subprocess
import sys
import tempfile

GUIDE = 'server/README.md'


def blocks(text, kind):
    return re.findall(rf'^```{kind}\n(.*?)^```$', text, re.M | re.S)


def commands(text):
    return [line for line in text.split('\n') if line.strip()]


def main():
    programs = os.path.abspath(sys.argv[1])
    with open(GUIDE, encoding='utf-8') as file:
        guide = file.read()
    env = dict(os.environ, PATH=programs + ':' + os.environ['PATH'])
    env.pop('ROAMD_DIR', None)
    lines = commands('\n'.join(blocks(guide, 'sh')))
    settings = commands('\n'.join(blocks(guide, 'ini')))
    # Each command that was done says so on a descriptor of its own.
    script = 'set -eu\n' + ''.join(f'{line}\necho done >&3\n' for line in lines)
    with tempfile.TemporaryDirectory() as place:
        done = os.path.join(place, 'done')
        subprocess.run(['sh', '-c', f'exec 3>{done}\n{script}'], env=env,
                       cwd=place, check=False)
        with open(done, encoding='utf-8') as file:
            good = len(file.readlines())
        if good < len(lines):
            print(f'{GUIDE}: this failed: {lines[good]}')
        for line in settings:
            words = ['roamd', '-d', os.path.join(place, 'data'), 'config',
                     '--set', re.sub(r' *= *', '=', line)]
            run = subprocess.run(words, env=env, capture_output=True,
                                 text=True, check=False)
            good += run.returncode == 0 and line in run.stdout.split('\n')
            print(run.stderr, end='')
    bad = len(lines) + len(settings) - good
    if not lines or not settings:
        print(f'{GUIDE}: no blocks were found')
        bad += 1
    print(f'{good} passed, {bad} failed')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
