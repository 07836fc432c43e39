#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds each program's man page against its --help: every option and every
command that one names, the other does. And mandoc finds nothing to say.

usage: check_man.py DIRECTORY-OF-THE-PROGRAMS"""
import re
import subprocess
import sys

PAGES = {
    'roamd': 'server/roamd.8',
    'roam': 'client/cli/roam.1',
    'roam-conform': 'conformance/roam-conform.1',
}
OPTION = re.compile(r'(?<![\w-])(--[a-z][a-z-]*|-[A-Za-z](?![\w-]))')
# Two spaces, then words of small letters up to what is none.
COMMAND = re.compile(r'^  ([a-z][a-z|-]*(?: [a-z][a-z|-]*)*)(?=  | [^a-z ]|$)')
# What --help need not name of itself.
SELF = {'--help', '--version', '-h'}


def of_help(text):
    told = re.sub(r'^[A-Z].*:$', '', text, flags=re.M)  # not the headings
    options = set(OPTION.findall(told)) | SELF
    commands = {m.group(1) for m in map(COMMAND.match, text.split('\n')) if m}
    return options, commands


def of_page(text):
    options = {'-' + o for o in re.findall(r'\bFl (-?[A-Za-z][a-z-]*)', text)}
    commands = re.findall(
        r'^\.It Ic ((?:[a-z][a-z|-]*)(?: [a-z][a-z|-]*)*)', text, re.M)
    return options | SELF, set(commands)


def compare(program, what, help_words, page_words):
    bad = 0
    for word in sorted(help_words ^ page_words):
        here = '--help' if word in help_words else PAGES[program]
        print(f'{program}: {what} {word} is only in {here}')
        bad += 1
    return len(help_words & page_words), bad


def lint(page):
    run = subprocess.run(['mandoc', '-T', 'lint', '-W', 'warning', page],
                         capture_output=True, text=True, check=False)
    print(run.stdout + run.stderr, end='')
    return run.returncode == 0


def main():
    good = bad = 0
    for program, page in PAGES.items():
        shown = subprocess.run([f'{sys.argv[1]}/{program}', '--help'],
                               stdout=subprocess.PIPE, text=True, check=False,
                               stderr=subprocess.STDOUT)
        with open(page, encoding='utf-8') as file:
            text = file.read()
        pairs = zip(('option', 'command'), of_help(shown.stdout), of_page(text))
        for what, in_help, in_page in pairs:
            same, different = compare(program, what, in_help, in_page)
            good += same
            bad += different
            if not in_help - SELF:
                print(f'{program}: no {what} was found in --help')
                bad += 1
        clean = lint(page)
        good += clean
        bad += not clean
    print(f'{good} passed, {bad} failed')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
