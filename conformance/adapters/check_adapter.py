#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the examples of ADAPTER.md, in their order, against adapters that have
a real server behind them.

    check_adapter.py ROAMD BUILD

and an adapter that is reached over TCP, and one on a serial line (a
pseudoterminal). ROAMD's folder has roam-conform, too.

A block is run as one exchange: what begins with > is said, what begins with <
has to come, with the same fields, each of the same type, and the same result.
Prints a line for each block and adapter, then `N passed, N failed`."""
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading

import check_client

HERE = pathlib.Path(__file__).resolve().parent
BLOCK = re.compile(r"^```json ?(\w*)\n(.*?)^```", re.M | re.S)
SAME = ("answer", "event", "handle", "id")


def examples():
    for match in BLOCK.finditer((HERE.parent / "ADAPTER.md").read_text()):
        lines = [(line[0], json.loads(line[2:]))
                 for line in match[2].splitlines()]
        yield match[1], lines


def fits(want, got):
    return all(key in got and type(got[key]) is type(value)
               and (key not in SAME or got[key] == value)
               for key, value in want.items())


class Missing(Exception):
    """What this machine has to have for a test."""


class Adapter:
    def __init__(self, words):
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said = []
        self.hello, self.last = None, {}

    def say(self, line):
        print(json.dumps(line), file=self.process.stdin, flush=True)

    def expect(self, want):
        """Events may come before the answers that they follow here."""
        while True:
            for got in self.said:
                if fits(want, got):
                    self.said.remove(got)
                    return
            line = self.process.stdout.readline()
            assert line, "%s did not come; there was %s" % (want, self.said)
            self.said.append(json.loads(line))
            self.hello = self.hello or self.said[0]
            if self.said[-1].get("event") == "message":
                self.last = self.said[-1]


def by_tls(server):
    """Where the server speaks TLS, and by which certificate it is known."""
    home = pathlib.Path(server.home)
    port, = (words[0] for words in map(
        str.split, (home / "ports").read_text().splitlines())
        if words[1] == "tls")
    return dict(host="localhost", port=int(port),
                ca=(home / "d" / "cert.pem").read_text())


def run(adapter, lines, values, tokens, server):
    for way, line in lines:
        if way == ">":
            asked = dict(line)
            asked.update((key, values[key]) for key in values if key in line)
            if "ca" in line:
                asked.update(by_tls(server))
            if asked["verb"] == "ack":
                asked["version"] = adapter.last["version"]
            if "token" in asked:        # one for each installation: DEV-1
                if asked["store"] not in tokens:
                    tokens[asked["store"]] = server.token(values["user"])
                asked["token"] = tokens[asked["store"]]
            if "conversation" in asked:
                asked["conversation"] = values["user"]
            adapter.say(asked)
        else:
            adapter.expect(line)


def check(name, words, server):
    good, capabilities = 0, ()
    (user, token), = server.users("alice")
    values = dict(host=server.address[0], port=server.address[1], user=user)
    tokens = {"a": token}
    adapter = Adapter(words)
    try:
        for need, lines in examples():
            if not need or need in capabilities:
                run(adapter, lines, values, tokens, server)
                capabilities = adapter.hello["capabilities"]
                good += 1
        assert adapter.process.wait(10) == 0
        print("ok   %s: %d blocks" % (name, good))
    finally:
        adapter.process.kill()
    return good


def bridge(listener, words):
    """Each connection gets an adapter of its own, until the listener ends."""
    while True:
        try:
            sock = listener.accept()[0]
        except OSError:
            return
        with sock:
            subprocess.run(words, stdin=sock, stdout=sock)


def judges(conform, *words):
    done = subprocess.run([conform, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def conforms(conform, address, *words):
    judges(conform, "client", "--adapter", address, "--case",
           "53-client-chain/order", *words)


def serving(address, words):
    """An adapter at that address, to be closed."""
    listener = socket.create_server((address, 0))
    threading.Thread(target=bridge, args=(listener, words),
                     daemon=True).start()
    return listener, "tcp:%s:%d" % (address, listener.getsockname()[1])


def over_tcp(conform, words):
    listener, at = serving("127.0.0.1", words)
    try:
        conforms(conform, at)
        roamd = os.path.join(os.path.dirname(conform), "roamd")
        for adapter in (["--adapter", at], ["--sibling", at, "--", *words]):
            judges(conform, "pair", "--roamd", roamd, "--case",
                   "70-pair-session/comes-back", *adapter)
    finally:
        listener.shutdown(socket.SHUT_RDWR)


def from_elsewhere(conform, words):
    """Its SDK is told an address of ours that its machine can reach."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError as error:
            raise Missing("no interface but the loopback one: %s"
                          % error) from None
        address = probe.getsockname()[0]
    with tempfile.NamedTemporaryFile("r+") as asked:
        listener, at = serving(address, [
            "sh", "-c", 'tee -a "$0" | "$@"', asked.name, *words])
        try:
            for told, *more in (
                    (address,), (address, "--tls"),
                    ("127.0.0.2", "--tls", "--listen", "127.0.0.2")):
                conforms(conform, at, *more)
                hosts = {json.loads(line).get("host") for line in asked}
                assert hosts - {None} == {told}, (told, hosts)
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def served(conform, words):
    """The adapter that is loaded once, with cases in parallel."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        at = "tcp:127.0.0.1:" + process.stdout.readline().strip()
        conforms(conform, at, "-j", "4")
    finally:
        process.kill()
        process.wait()


def pump(source, line):
    for data in iter(lambda: source.read1(4096), b""):
        while data:
            data = data[os.write(line, data):]


def device(line, words):
    """An empty line begins a run, with an adapter of its own, unless one has
    just begun; what was being said is ended first."""
    adapter, fresh = None, False
    with open(line, "rb", closefd=False) as requests:
        for request in iter(requests.readline, b"bye\n"):
            if request == b"\n" and not fresh:
                if adapter:
                    adapter.kill()
                    adapter.wait()
                os.write(line, b"\n")
                adapter = subprocess.Popen(words, stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE)
                threading.Thread(target=pump, args=(adapter.stdout, line),
                                 daemon=True).start()
            elif request != b"\n":
                adapter.stdin.write(request)
                adapter.stdin.flush()
            fresh = request == b"\n"
    adapter.kill()
    adapter.wait()


def over_serial(conform, words):
    try:
        here, there = os.openpty()  # `there` stays open: the line has no end
    except OSError as error:
        raise Missing("no serial line can be tested without pseudoterminals: "
                      "mount devpts at /dev/pts (%s)" % error) from None
    thread = threading.Thread(target=device, args=(here, words))
    thread.start()
    try:
        name = os.ttyname(there)
        conforms(conform, "serial:" + name)
        conforms(conform, "serial:%s,921600" % name)    # and again
        for bad in ("serial:", "serial:,9600", "serial:%s,9601" % name,
                    "serial:%s," % name, "usb:" + name):
            done = subprocess.run([conform, "client", "--adapter", bad],
                                  capture_output=True, text=True)
            assert done.returncode == 2, (bad, done)
    finally:
        os.write(there, b"bye\n")
        thread.join()
        os.close(here)
        os.close(there)


def main():
    roamd, build = sys.argv[1:]
    check_client.generate(build)
    import client_rig
    adapters = {
        "libroam": [os.path.abspath(str(pathlib.Path(roamd).parent
                                        / "adapter-libroam"))],
        **{name: ["/usr/bin/python3", str(HERE / adapter), build]
           for name, adapter in (("roam_sdk.py", "adapter_python.py"),
                                 ("roam_client.py", "adapter_core.py"))}}
    passed = failed = skipped = 0
    with client_rig.server_of_its_own(os.path.abspath(roamd),
                                      "--port", "0") as server:
        for name, words in adapters.items():
            try:
                passed += check(name, words, server)
            except AssertionError as error:
                failed += 1
                print("FAIL %s: %s" % (name, error))
    for way, words in ((over_tcp, adapters["libroam"]),
                       (from_elsewhere, adapters["roam_sdk.py"]),
                       (served, [str(HERE / "adapter_served.py"), build]),
                       (over_serial, adapters["libroam"])):
        name = way.__name__.replace("_", " ")
        try:
            way(str(pathlib.Path(roamd).parent / "roam-conform"), words)
            passed += 1
            print("ok   " + name)
        except Missing as error:
            missing = bool(os.environ.get("CI"))
            failed += missing
            skipped += not missing
            print("%s %s: %s" % ("FAIL" if missing else "skip", name, error))
        except AssertionError as error:
            failed += 1
            print("FAIL %s: %s" % (name, error))
    print("%d passed, %d failed" % (passed, failed)
          + (", %d skipped" % skipped if skipped else ""))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
