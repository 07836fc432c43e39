#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the examples of CONTROL.md, in their order, against control_roamd.py,
then some cases of the suite by it, then programs that are none. Then a server
that runs elsewhere, over TLS. And the product must not have what only the test
build may.

    check_control.py BUILD

BUILD has roamd, roamd-faulty and roam-conform. What begins with > is said, what
begins with < has to come, with the same fields, each of the same type, and the
same answer. Prints a line for each, then `N passed, N failed`."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BLOCK = re.compile(r"^```json\n(.*?)^```", re.M | re.S)
SAME = ("answer", "id")
NO_PROGRAMS = ("true", "cat", "echo garbage", "/nonexistent",
               "echo {\"hello\":\"x\",\"control\":2,\"capabilities\":[]}")
CASES = ("00-sanity", "30-clock/token-expires", "33-", "34-")


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


def case(conform, words, prefix):
    command = " ".join(words)
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
                     " ".join(words), "--case", "35-"],
                    capture_output=True, text=True)
                assert done.returncode == status, done.stdout + done.stderr
                assert ("TLS-1" in done.stdout) == (status == 1), done.stdout
        finally:
            link.unlink()
    finally:
        server.terminate()
        server.wait()
    return "--at over TLS, with its certificate and with another's"


def main():
    build = os.path.abspath(sys.argv[1])
    words = ["/usr/bin/python3", str(HERE / "control_roamd.py"),
             build + "/roamd-faulty"]
    checks = [lambda: examples(words)]
    checks += [lambda prefix=prefix: case(build + "/roam-conform", words,
                                          prefix) for prefix in CASES]
    checks += [lambda command=command: no_program(build + "/roam-conform",
                                                  command)
               for command in NO_PROGRAMS]
    checks += [lambda: product(build)]
    passed = failed = 0
    with tempfile.TemporaryDirectory() as base:
        checks += [lambda: over_tls(build, pathlib.Path(base), words)]
        for check in checks:
            try:
                print("ok  ", check())
                passed += 1
            except AssertionError as error:
                print("FAIL", error)
                failed += 1
    print("%d passed, %d failed" % (passed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
