# SPDX-License-Identifier: Apache-2.0
"""A server with users, and devices on it: what the cases are made of.

No time decides but the minute that an event may take. Fences are PINGs: whoever
reached the head that PONG told has seen all that was stored before."""
import contextlib
import os
import pathlib
import select
import signal
import socket
import subprocess
import tempfile
import time

import roam_client as roam
import roam_pb2 as pb
import roam_sdk

PATIENCE_S = 60 # only ends what hangs
CASES = []      # what a case is run with: a client, or none; and the case


def case(function):
    """A case without a server."""
    CASES.append((None, function))
    return function


def of_client(function):
    """A case that both clients pass."""
    CASES.append((roam, function))
    return of_sdk(function)


def of_sdk(function):
    """A case of what roam_sdk.py has besides."""
    CASES.append((roam_sdk, function))
    return function


class Server:
    client = roam_sdk       # the module whose clients are on the devices

    def __init__(self, roamd, home):
        self.roamd, self.home, self.process = roamd, home, None
        self.names = 0
        self.devices, self.others = {}, {}   # of tokens; tokens of devices
        self._call("init")

    def _call(self, *words):
        return subprocess.run([self.roamd, "-d", self.home + "/d", *words],
                              check=True, capture_output=True,
                              text=True).stdout.strip()

    def start(self, *options):
        ports = self.home + "/ports"
        pathlib.Path(ports).unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [self.roamd, "-d", self.home + "/d", "run", "--port", "off",
             "--plain-port", "0", "--port-file", ports,
             # An entry more in every case with two devices.
             "--set", "announce_devices=no", *options],
            stderr=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE_S
        while True:
            if os.path.exists(ports):
                for line in open(ports):
                    if line.endswith("\n") and line.split()[1] == "plain":
                        self.address = line.split()[2], int(line.split()[0])
                        return
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("roamd did not start")
            time.sleep(0.01)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def users(self, *names):
        """Fresh users, each with a token for a first device."""
        self.names += 1
        out = []
        for name in names:
            name = "%s%d" % (name, self.names)
            self._call("user", "add", name)
            out.append((name, self.token(name)))
        return out

    def token(self, name):
        token = self._call("token", "issue", name)
        self.devices[token] = None
        return token

    def token_for(self, name, token, device_id):
        """A token is one device's: another one gets its own.    DEV-1"""
        if self.devices.get(token, device_id) is None:
            self.devices[token] = device_id
        if self.devices.get(token, device_id) == device_id:
            return token
        if (name, device_id) not in self.others:
            self.others[name, device_id] = self.token(name)
        return self.others[name, device_id]


@contextlib.contextmanager
def server_of_its_own(roamd, *options):
    with tempfile.TemporaryDirectory(prefix="roam-client-") as home:
        server = Server(roamd, home)
        try:
            server.start(*options)
            yield server
        finally:
            server.kill()


class Wire:
    """A client on a plain TCP connection."""

    def __init__(self, client, address):
        self.client, self.sock = client, socket.create_connection(address, PATIENCE_S)
        client.connected()

    def step(self, timeout):
        try:
            self.sock.sendall(self.client.take_output())
            if not select.select([self.sock], [], [], timeout)[0]:
                return
            data = self.sock.recv(65536)
        except ConnectionError:
            data = b""
        self.client.feed(data) if data else self.client.lost()

    def wait(self, *names, timeout=PATIENCE_S):
        """The next event of these names; those before it are passed over."""
        until = time.monotonic() + timeout
        while True:
            while self.client.events:
                event = self.client.events.popleft()
                if event[0] in names:
                    return event
            if self.client.state == "CLOSED" or time.monotonic() > until:
                raise TimeoutError("%s did not come" % "/".join(names))
            self.step(max(0, until - time.monotonic()))


def judge(client, row):
    """What a server owes each entry, and a client need not look at."""
    room = min(client.max_frame, client.asked.max_inflated) - 448
    own = row.sender == client.who["user"]
    roam.check(row.kind or len(row.body) <= room < (
        row.cut_size or room + 1), "BATCH-4", row.version)
    roam.check(row.kind or own or row.conversation in (
        row.sender, "#" + row.conversation[1:]), "PUSH-6", row.version)
    roam.check(own or not row.client_msg_id, "PUSH-4", row.version)


class Device:
    """A client on its wire, with what it saw."""

    def __init__(self, server, user, kind=1, store=None, **limits):
        self.server, self.frames, self.held = server, [], False
        store = store or server.client.Store()
        token = server.token_for(*user, store.device_id)
        self.client = server.client.Client(store, user[0], token, kind,
                                           **limits)
        self.store, self.user = self.client.store, user[0]
        for name in ("Push", "Batch"):
            self._spy("_on_" + name, name)
        apply = self.client._apply

        def judged(rows):
            for row in rows:
                judge(self.client, row)
            apply(rows)
        self.client._apply = judged
        ack = self.client.ack
        self.client.ack = lambda *least: (None if self.held
                                          else ack(*least))
        self.connect()

    def _spy(self, method, name):
        plain = getattr(self.client, method)

        def seen(message):
            self.frames.append((name, message))
            plain(message)
        setattr(self.client, method, seen)

    def connect(self):
        self.wire = Wire(self.client, self.server.address)

    def wait(self, *names):
        return self.wire.wait(*names)

    def login(self, **how):
        self.client.login(**how)
        event = self.wait("login_ok", "refused")
        if event[0] == "login_ok":
            event = self.wait("sync_ok")
        return event[1]

    def close(self):
        self.wire.sock.close()
        self.client.lost()

    def send(self, to, body, ctype="", **how):
        mark = self.client.send(to, body, ctype, **how)
        while True:
            event = self.wait("sent", "unsent")
            if event[1] == mark:
                return event

    def again(self, mark, to, body, ctype=""):
        """Says this under an id that was used before."""
        self.store.outbox[mark] = pb.Send(
            client_msg_id=mark, conversation=to, body=body,
            content_type=ctype)
        self.client.tried.discard(mark)
        self.client.flush()

    def page(self):
        """The rows of the page that was asked for, and the page."""
        rows = []
        while True:
            name, what, *more = self.wait("row", "page")
            if name == "page":
                return rows, more[0]
            rows.append(what)

    def settle(self):
        """All that was stored before this call is in the store after it."""
        self.client.ping()
        head = self.wait("pong")[1].head
        while self.store.cursor < head:
            self.wait("entry")
        return self

    def messages(self):
        return [e for e in self.store.entries if e.kind == 0]

    def bodies(self):
        return [e.body for e in self.messages()]


def same(got, want):
    assert got == want, "got %.300r, want %.300r" % (got, want)


def must_raise(rule, function, *values):
    try:
        function(*values)
    except (roam.Refuse, RuntimeError) as error:
        assert str(error) == rule or ("[%s]" % rule) in str(error), error
        return
    raise AssertionError("%s was not noticed" % rule)
