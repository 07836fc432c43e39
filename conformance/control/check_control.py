#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the examples of CONTROL.md, in their order, against control_roamd.py,
then some cases of the suite by it, then programs that are none, and such as make
one mistake: what is said of them is in golden/ to the letter. Then a server that
runs elsewhere, over TLS. And the product must not have what only the test build
may.

    check_control.py BUILD [--update]

BUILD has roamd, roamd-faulty and roam-conform. What begins with > is said, what
begins with < has to come, with the same fields, each of the same type, and the
same answer. Prints a line for each, then `N passed, N failed`."""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "golden-client"))
from check import CHANGES
BLOCK = re.compile(r"^```json\n(.*?)^```", re.M | re.S)
SAME = ("answer", "id")
NO_PROGRAMS = ("true", "cat", "echo garbage", "/nonexistent",
               "echo {\"hello\":\"x\",\"control\":2,\"capabilities\":[]}")
CASES = ("00-sanity", "30-clock/token-expires", "30-clock/revoked-in-time", "33-",
         "34-", "37-slow-store/sync")
# A mistake of bad_control.py, and the case that meets it.
MISTAKES = (
    ("all-ok", "00-sanity"), ("no-hold", "00-sanity"), ("no-now", "00-sanity"),
    ("advances-nothing", "00-sanity"), ("advances-twice", "00-sanity"),
    ("advances-less", "00-sanity"), ("no-kill", "00-sanity"),
    ("no-user", "00-sanity"), ("no-token", "00-sanity"),
    ("user-fails", "00-sanity"), ("no-hold-store", "00-sanity"),
    ("tells-of-devices", "00-sanity"),
    ("a-day-at-most", "30-clock/dated-by-the-clock"),
    ("elsewhere", "30-clock/dated-by-the-clock"),
    ("no-backup", "34-past/restored-twice"), ("ends", "34-past/restored-twice"),
    ("server-crashes", "33-unknown-commit/not-stored"))
GOLDEN = CHANGES + (
    (r"\d{13}", "(time)"),
    (r"(?m)^ *\d{4}-\d\d-\d\dT.*\n", ""),        # roamd's log
    (r"(?m)^(roam-conform: seed 1|ok \d.*)\n", ""),
    (r"repeat: .*", "repeat: (command)"),
)


def fits(want, got):
    return all(key in got and type(got[key]) is type(value)
               and (key not in SAME or got[key] == value)
               for key, value in want.items())


def run_block(process, block):
    for line in block.splitlines():
        if line[0] == ">":
            print(line[2:], file=process.stdin, flush=True)
        else:
            got = json.loads(process.stdout.readline() or "{}")
            assert fits(json.loads(line[2:]), got), "%s, not %s" % (got, line)


def examples(words):
    process = subprocess.Popen(words, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        blocks = BLOCK.findall((HERE.parent / "CONTROL.md").read_text())
        for block in blocks:
            run_block(process, block)
        process.stdin.close()
        assert process.wait(30) == 0
        assert len(blocks) > 5, "CONTROL.md has %d examples" % len(blocks)
    finally:
        process.kill()
    return "%d examples of CONTROL.md" % len(blocks)


def command_of(words):
    """As an option takes it, also when the source tree's path has a blank."""
    return " ".join('"%s"' % word for word in words)


def case(conform, words, prefix):
    command = command_of(words)
    done = subprocess.run(
        [conform, "server", "--control", command, "--provision", command,
         "--case", prefix], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIP" not in done.stdout, done.stdout
    return "--control, " + prefix


def no_program(conform, command):
    done = subprocess.run(
        [conform, "server", "--control", command, "--provision", "true",
         "--case", "30-clock/idle", "--timeout", "500"],
        capture_output=True, text=True)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "\nok " not in done.stdout, done.stdout
    return "--control %r is a mistake of the harness" % command


def mistake(build, mode, case, update):
    command = '"%s/bad_control.py" %s "%s/roamd-faulty"' % (HERE, mode, build)
    done = subprocess.run(
        [build + "/roam-conform", "server", "--control", command,
         "--provision", command, "--case", case, "--seed", "1"],
        capture_output=True, text=True)
    text = done.stdout + done.stderr + "exit status %d\n" % done.returncode
    text = text.replace(build, "build").replace(str(HERE.parents[1]) + "/", "")
    for pattern, by in GOLDEN:
        text = re.sub(pattern, by, text)
    path = HERE / "golden" / (mode + ".expected")
    if update:
        path.write_text(text)
    assert path.read_text() == text, mode + ":\n" + text
    return "what is said of " + mode


def product(build):
    def has_channel(name):
        return b"ROAM_CONTROL" in pathlib.Path(build, name).read_bytes()
    assert has_channel("roamd-faulty") and not has_channel("roamd")
    return "the product has no control channel"


def over_tls(build, base, words):
    """--at, with the certificate that it has and with another one."""
    home, port_file = base / "home", base / "port"
    place = pathlib.Path(tempfile.gettempdir())
    for name in (home, base / "other"):
        subprocess.run([build + "/roamd", "-d", name, "init"], check=True,
                       capture_output=True)
    server = subprocess.Popen(
        [build + "/roamd", "-d", home, "run", "--port", "0", "--listen",
         "127.0.0.1", "--set", "announce_devices=no", "--log-level", "error",
         "--port-file", port_file])
    try:
        while not port_file.exists():
            assert server.poll() is None, "roamd does not start"
        at = "localhost:" + port_file.read_text().split()[0]
        link = place / ("roamd-at-" + at)
        link.symlink_to(base)
        try:
            for name, status in ((home, 0), (base / "other", 1)):
                done = subprocess.run(
                    [build + "/roam-conform", "server", "--at", at, "--tls",
                     "--ca", name / "cert.pem", "--provision",
                     command_of(words), "--case", "35-"],
                    capture_output=True, text=True)
                assert done.returncode == status, done.stdout + done.stderr
                assert ("TLS-1" in done.stdout) == (status == 1), done.stdout
        finally:
            link.unlink()
    finally:
        server.terminate()
        server.wait()
    return "--at over TLS, with its certificate and with another's"


def outcome(check):
    try:
        return True, check()
    except AssertionError as error:
        return False, error


def main():
    build = os.path.abspath(sys.argv[1])
    update = "--update" in sys.argv
    words = ["/usr/bin/python3", str(HERE / "control_roamd.py"),
             build + "/roamd-faulty"]
    checks = [lambda: examples(words)]
    checks += [lambda prefix=prefix: case(build + "/roam-conform", words,
                                          prefix) for prefix in CASES]
    checks += [lambda command=command: no_program(build + "/roam-conform",
                                                  command)
               for command in NO_PROGRAMS]
    checks += [lambda mode=mode, case=case: mistake(build, mode, case, update)
               for mode, case in MISTAKES]
    checks += [lambda: product(build)]
    passed = failed = 0
    with tempfile.TemporaryDirectory() as base:
        checks += [lambda: over_tls(build, pathlib.Path(base), words)]
        # They wait more than they work.
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for good, text in pool.map(outcome, checks):
                print("ok  " if good else "FAIL", text)
                passed += good
                failed += not good
    print("%d passed, %d failed" % (passed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
