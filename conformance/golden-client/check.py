#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Golden tests of what the roles client and pair say: every kind of failure, and
every mistake of an adapter, to the letter.

    check.py ROAM_CONFORM BUILD [--update]

Each line of `cases` is a name, the adapter with its arguments (`sdk:FAULT` or
`bad:MODE`; `pair:FAULT` and `pair-bad:MODE` for the same with a real server,
`server:FAULT` for an honest client with a broken one; `core:` for the client that
keeps no time), a case of `scenarios` here or there, and `waits` where somebody is
silent until the limit of a step has passed. It is held against NAME.expected. Random numbers are replaced by a word; events, and
the spec's own words, are left out."""
import concurrent.futures
import difflib
import os
import pathlib
import re
import subprocess
import sys

# A hang is ended by the first; the second is waited for. Several cases at a
# time, because those that wait do nothing else.
HANG_MS, SILENCE_MS = "60000", "4000"
AT_A_TIME = 8
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CHANGES = (
    (r"(?m)^( *)rules: (.*)\n(?:\1  .*\n)+", r"\1rules: \2\n"),
    (r"(?m)^( *)last events:\n(?:\1  .*\n)+", ""),
    (r"device_id=0x[0-9a-f]+", "device_id=(id)"),
    (r"(client_msg_id=|message |is )\d{9,}", r"\1(number)"),
    (r"-[0-9a-f]{8}[0-9a-f]{10,}-\d+", "-(nonce)"),
    (r"(user|token|conversation|sender)=\"[^\"]*\"", r"\1=(name)"),
    (r"(?m)^( +@)\d+ +", r"\1 "),
    (r"\(0x\w\w\), \d+ bytes", "(bytes)"),
    (r"sent=\d+", "sent=(number)"),
    (r"\d+ bytes on the last", "(bytes) on the last"),
    (r"repeat: \S+ (client|pair) .*?--case", r"repeat: roam-conform \1 --case"),
    (r"--seed 1 -- .*", "--seed 1 -- (adapter)"),
    (r"0x[0-9a-f]{7,}", "(address)"),
    # A judge may see a frame before the answer that the step waits for.
    (r"(?m)^( *)at: .*\n *step: .*\n"
     r"(?= *failed: (?!the client(?! speaks)|it |event ))",
     r"\1at: (step)\n"),
    (r"inflated_size=\d+", "inflated_size=(size)"),
    (r"\(\d+ bytes\)", "(bytes)"),
    (r"(?m)^roam-conform: \d+ of \d+ done.*\n", ""),     # when it takes long
)
# What a real server chooses, and where it was built.
PAIR_CHANGES = (
    (r"\b\d{6,}\b", "(number)"),
    (r"(conversation with )\S+", r"\1(name)"),
    (r"(?m)^roam-conform: seed .*\n", ""),
    (r"--roamd \S+", "--roamd (server)"),
)


def run(conform, build, adapter, case, limit):
    kind, name = adapter.split(":")
    words = [str(ROOT / "conformance/broken/broken_sdk.py"), build]
    if kind.endswith("bad"):
        words = [str(HERE / "bad_adapter.py"), name, build]
    if kind == "core":
        words = [str(ROOT / "conformance/adapters/adapter_core.py"), build]
    env = dict(os.environ, ROAM_FAULT=name if kind == "sdk" else "",
               PYTHONDONTWRITEBYTECODE="1")
    env.pop("PYTHONUNBUFFERED", None)       # it would flush for no-flush
    role = ["client"]
    if kind in ("pair", "pair-bad", "server"):
        env["ROAM_%s_FAULT" % ("CLIENT" if kind == "pair" else "SERVER")] = name
        role = ["pair", "--roamd", conform.replace("roam-conform",
                                                   "roamd-faulty")]
    done = subprocess.run(
        [conform, *role, "--seed", "1", "--timeout", limit, "--scenarios",
         str(HERE / "scenarios" if case.startswith("9") else
             ROOT / "conformance/scenarios"), "--case", case, "--"] + words,
        capture_output=True, text=True, env=env)
    text = done.stdout + done.stderr + "exit status %d\n" % done.returncode
    text = text.replace(str(ROOT) + "/", "")
    for pattern, by in CHANGES + (PAIR_CHANGES if len(role) > 1 else ()):
        text = re.sub(pattern, by, text)
    return text


def trace(conform, build, *words):
    done = subprocess.run(
        [conform, *words, "--seed", "1", "--trace", "--",
         str(ROOT / "conformance/broken/broken_sdk.py"), build],
        capture_output=True, text=True, env=dict(os.environ, ROAM_FAULT=""))
    return done.stderr


def trace_has_lines(conform, build):
    """--trace shows what the adapter was told and said, and no real token."""
    said = trace(conform, build, "client", "--case", "50")
    case = "50-client-sanity/alive: adapter"
    pair = [line for line in trace(
        conform, build, "pair", "--roamd", conform.replace(
            "roam-conform", "roamd"), "--case", "00").splitlines()
        if "/pair: adapter> " in line and '"token":' in line]
    return ('self-check: adapter< {"hello":' in said
            and re.search('self-check: adapter> .*"verb":"quit"}', said)
            and re.search(case + '> {.*"verb":"open"}', said)
            and re.search(case + '< {.*"event":"granted"', said)
            and re.search(case + '< {.*"answer":"ok"', said)
            and pair and all('"token":"**' in line for line in pair))


def main():
    conform, build, *update = sys.argv[1:]
    good = bad = 0
    if trace_has_lines(conform, build):
        good += 1
    else:
        bad += 1
        print("FAIL --trace shows the adapter's lines")
    lines = (HERE / "cases").read_text().splitlines()
    cases = [line.split() for line in lines if line and line[0] != "#"]

    def run_one(words):
        limit = SILENCE_MS if words[3:] == ["waits"] else HANG_MS
        return run(conform, build, words[1], words[2], limit)

    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        # Those that wait begin first, and wait beside all others.
        jobs = {words[0]: pool.submit(run_one, words) for words in sorted(
            cases, key=lambda words: words[3:] != ["waits"])}
    for name, *_ in cases:
        got = jobs[name].result()
        path = HERE / (name + ".expected")
        if update:
            path.write_text(got)
        want = path.read_text() if path.exists() else ""
        if got == want:
            good += 1
            print("ok   " + name)
        else:
            bad += 1
            print("FAIL " + name)
            sys.stdout.writelines(difflib.unified_diff(
                want.splitlines(True), got.splitlines(True)))
    print("%d passed, %d failed" % (good, bad))
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
