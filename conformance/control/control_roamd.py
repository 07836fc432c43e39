#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs roamd's test build for `roam-conform --control`; see ../CONTROL.md.

    control_roamd.py ROAMD              runs one, told by lines of JSON
    control_roamd.py ROAMD WORDS...     what --provision asks for, at $ROAM_AT

It is a pattern for servers of other kinds, and a test of that way."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile

PATIENCE_S = 30


class ServerFailed(Exception):
    """This program did its part."""


def place(at):
    """Where provisioning finds the directory of a server."""
    return pathlib.Path(tempfile.gettempdir(), "roamd-at-" + at)


class Server:
    def __init__(self, roamd, base):
        self.roamd, self.base = roamd, pathlib.Path(base)
        self.home = self.base / "home"
        self.process = self.channel = self.lines = self.at = None
        self.now = None         # where its clock is held
        self.command("init")
        self.start()

    def command(self, *words):
        done = subprocess.run([self.roamd, "-d", self.home, *words],
                              stdout=sys.stderr)
        if done.returncode != 0:
            raise ServerFailed("%s: exit status %d"
                               % (words[0], done.returncode))

    def start(self):
        port_file = self.base / "port"
        port_file.unlink(missing_ok=True)
        self.channel, theirs = socket.socketpair()
        self.lines = self.channel.makefile("rw")
        with theirs:
            env = dict(os.environ, ROAM_CONTROL_FD=str(theirs.fileno()))
            if self.now is not None:
                env["ROAM_CONTROL_NOW"] = str(self.now)
            self.process = subprocess.Popen(
                [self.roamd, "-d", self.home, "run", "--set", "port=off",
                 "--set", "announce_devices=no",
                 "--plain-port", "0", "--port-file", port_file],
                env=env, pass_fds=[theirs.fileno()])
        self.hello = self.line("it does not start")
        while not port_file.exists():       # it comes just behind the hello
            if self.process.poll() is not None:
                raise ServerFailed("it does not start")
        self.at = "127.0.0.1:" + port_file.read_text().split()[0]
        # One that was killed may have left it, and had this port.
        place(self.at).unlink(missing_ok=True)
        place(self.at).symlink_to(self.base)
        return {"at": self.at}

    def line(self, otherwise):
        try:
            return json.loads(self.lines.readline())
        except (OSError, ValueError):
            raise ServerFailed(otherwise) from None

    def ask(self, verb, **fields):
        """The verbs that roamd serves by itself."""
        try:
            print(json.dumps(dict(fields, id=1, verb=verb)), file=self.lines,
                  flush=True)
        except OSError:                     # so it will not answer, either
            pass
        answer = self.line("it ended")
        assert answer["answer"] == "ok", answer
        return answer

    def stopped(self, good):
        try:
            status = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.process = None
        self.channel.close()
        place(self.at).unlink()
        if status not in good:
            raise ServerFailed("it ended with status %d" % status)
        return {}

    def kill(self):
        self.process.kill()
        return self.stopped([-signal.SIGKILL])

    def drain(self):
        self.process.terminate()
        return {}

    def terminate(self):
        self.drain()
        if self.now is not None:            # or it waits for its peers
            print('{"id":1,"verb":"advance","ms":"60000"}', file=self.lines,
                  flush=True)
        return self.stopped([0])

    def ended(self):
        return self.stopped([0, 3])         # 3: the store failed

    def hold(self):
        self.now = int(self.ask("hold")["now"])
        return {"now": str(self.now)}

    def advance(self, ms):
        if self.process:
            self.ask("advance", ms=ms)
        self.now += int(ms)
        return {"now": str(self.now)}

    def set_back(self, ms):
        self.now = int(self.ask("set-back", ms=ms)["now"])
        return {"now": str(self.now)}

    def trim(self):
        self.ask("trim")
        return {}

    def fail_write(self, stored):
        self.ask("fail-write", stored=stored)
        return {}

    def hold_store(self):
        self.ask("hold-store")
        return {}

    def free_store(self):
        self.ask("free-store")
        return {}

    def backup(self):
        (self.base / "copy").unlink(missing_ok=True)
        self.command("backup", self.base / "copy")
        return {}

    def restore(self):
        self.command("restore", self.base / "copy")
        return {}


VERBS = {verb.replace("_", "-"): getattr(Server, verb)
         for verb in ("kill drain terminate start ended hold advance set_back trim"
                      " fail_write hold_store free_store backup restore").split()}


def say(**line):
    print(json.dumps(line), flush=True)


def control(roamd):
    with tempfile.TemporaryDirectory() as base:
        server = Server(roamd, base)
        say(hello="roamd", control=1, at=server.at,
            capabilities=server.hello["capabilities"] + ["backup", "restart"])
        for line in sys.stdin:
            request = json.loads(line)
            number, verb = request.pop("id"), request.pop("verb")
            if verb not in VERBS:
                say(id=number, answer="unsupported")
                continue
            try:
                say(id=number, answer="ok", **VERBS[verb](server, **request))
            except ServerFailed as error:
                say(id=number, answer="error", code="SERVER",
                    detail=str(error))
            except (AssertionError, OSError) as error:
                say(id=number, answer="error", code="PROGRAM",
                    detail=str(error))
        if server.process:
            server.kill()


def provision(roamd, what, *words):
    if what == "token":
        user, kind, expires = words
        words = ["issue", user, "--expires", expires, "--allow-past"]
        words += [] if kind == "any" else ["--type", kind.lower()]
    elif what == "user":
        words = ["add", *words]
    elif what == "revoke":
        what, words = "token", ["revoke", *words]
    else:
        what, words = "user", [what, *words]
    home = place(os.environ["ROAM_AT"]) / "home"
    os.execv(roamd, [roamd, "-d", str(home), what, *words])


if __name__ == "__main__":
    (provision if len(sys.argv) > 2 else control)(*sys.argv[1:])
