#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""roam_client.py behind conformance/ADAPTER.md, under virtual time.

    adapter_python.py BUILD

takes roam_pb2 from BUILD/gen-python, where protoc puts it."""
import errno
import json
import os
import pathlib
import select
import socket
import sys

sys.path[:0] = [str(pathlib.Path(sys.argv[1]) / "gen-python"),
                str(pathlib.Path(__file__).resolve().parent)]
sys.dont_write_bytecode = True
import roam_client as roam  # noqa: E402
import roam_pb2 as pb       # noqa: E402
from roam_codec import ProtocolError  # noqa: E402

EPOCH = 1767225600      # of the wall clock; 0 would be "never"
TICK_MS = 1000          # as often as roam_client.py wants to be ticked
now_ms = 0
handles, stores = {}, {}


def say(**line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def shown(value):
    """Numbers as decimal text, bytes in hexadecimal."""
    if isinstance(value, bool) or isinstance(value, str):
        return value
    return value.hex() if isinstance(value, bytes) else str(value)


def fields(message):
    return {field.name: shown(getattr(message, field.name))
            for field in message.DESCRIPTOR.fields if not field.message_type}


class Handle:
    def __init__(self, r):
        self.name, self.address = r["handle"], (r["host"], r["port"])
        self.store = stores.setdefault(r["store"], roam.Store())
        limits = {key: int(r[key]) for key in (
            "max_frame", "max_entries", "max_unacked", "max_inflated",
            "codecs") if key in r}
        self.client = roam.Client(
            self.store, r["user"], r["token"],
            pb.DeviceType.Value(r["device_type"]),
            clock=lambda: now_ms / 1000,
            wall=lambda: EPOCH + now_ms / 1000, **limits)
        self.sock, self.connect_at, self.login_at = None, None, None
        self.connections = self.received = self.sent = 0
        self.detail = ""

    def event(self, name, **values):
        say(event=name, handle=self.name,
            **{key: shown(value) for key, value in values.items()})

    def connect(self):
        self.connect_at = None
        try:
            self.sock = socket.create_connection(self.address)
        except OSError:
            self.sock = None
            self.client.failures += 1
            self.ended()
            return False
        self.sock.setblocking(False)
        self.connections, self.received, self.sent = self.connections + 1, 0, 0
        self.client.connected()
        return True

    def login(self, take_over):
        if self.sock or self.connect():
            self.client.login(True, take_over)

    def ended(self):
        """What comes next is what the client says: TIME-6, KICK-7..11."""
        action, ms = self.client.retry()
        self.login_at = None
        self.connect_at = now_ms + ms if action == "connect" else None
        self.event("closed", retry="AFTER" if action == "connect" else "NEVER",
                   detail=self.detail)
        self.detail = ""

    def drop(self):
        if self.sock:
            self.sock.close()
            self.sock = None
            self.client.lost()
            self.tell()
            self.ended()

    def tell(self):
        while self.client.events:
            name, *rest = self.client.events.popleft()
            if name == "login_ok":
                self.event("granted", **fields(rest[0]))
            elif name == "refused":
                self.event("refused", **fields(rest[0]))
                if self.client.retry()[0] == "login":
                    if rest[0].retry == pb.NOW:             # LOGIN-17
                        self.client.login()
                    else:                                   # FLOW-6
                        self.login_at = now_ms + self.client.retry()[1]
            elif name == "sync_ok" and rest[0].result == pb.RESET:
                self.event("reset", **fields(rest[0]))
            elif name == "entry" and rest[0].kind != pb.NOOP:
                kind = "operation" if rest[0].kind else "message"
                self.event(kind, **rest[0]._asdict())
            elif name == "sent":
                self.event("sent", client_msg_id=rest[0], msg_id=rest[1],
                           duplicate=rest[2])
            elif name == "unsent":
                code = rest[1] if isinstance(rest[1], int) else 0
                self.event("failed", ref=rest[0], code=code)
            elif name == "kick":
                self.event("kicked", **fields(rest[0]))

    def flush(self):
        data = self.client.take_output() if self.sock else b""
        try:
            while data:
                data = data[self.sock.send(data):]
        except BlockingIOError:
            self.client._out = data
        except OSError:
            pass                            # reading tells how it ended
        self.sent = self.client.written - len(self.client._out)

    def work(self):
        """All that can be done without waiting."""
        while self.sock:
            self.tell()
            self.flush()
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                break
            except OSError as error:
                data = b"" if error.errno == errno.ECONNRESET else b""
            self.received += len(data)
            try:
                self.client.feed(data) if data else self.client.lost()
            except ProtocolError as error:
                self.detail = str(error)
            self.tell()
            self.flush()
            if self.client.state in ("CLOSED", "ENDED"):
                self.drop()

    def tick(self):
        if self.connect_at is not None and self.connect_at <= now_ms:
            if self.connect():
                self.client.login()
        if self.login_at is not None and self.login_at <= now_ms:
            self.login_at = None
            if self.sock and self.client.state == "OPEN":
                self.client.login()
        if self.sock:
            self.client.tick()
            self.tell()
            self.flush()
            if self.client.state == "CLOSED":
                self.drop()
        self.work()


def verb_open(h, r):
    handles[r["handle"]] = Handle(r)


def verb_login(h, r):
    h.login(int(r.get("take_over", 0)))


def verb_send(h, r):
    mark = h.client.send(r["conversation"], bytes.fromhex(r["body"]),
                         r["content_type"])
    return {"client_msg_id": str(mark)}


def verb_sync(h, r):
    h.client.sync()


def verb_drop(h, r):
    h.drop()


def verb_close(h, r):
    if r.get("logout"):
        h.client.logout()
        return
    if h.sock:
        h.sock.close()
    del handles[h.name]


def verb_state(h, r):
    """The fence: all that the harness has written is read first."""
    while (h.sock and h.connections == int(r.get("connections", 0)) and (
            h.received < int(r.get("received", 0)) or r.get("ended"))):
        select.select([h.sock], [], [])
        h.work()
    state = dict(cursor=h.store.cursor, attempt=h.store.attempt,
                 connections=h.connections, sent=h.sent,
                 unsent=len(h.store.outbox))
    due = [at for at in (h.connect_at, h.login_at) if at is not None]
    if due:
        state["next_ms"] = max(0, min(due) - now_ms)
    return {key: str(value) for key, value in state.items()} | {
        "connected": bool(h.sock)}


def verb_advance(h, r):
    global now_ms
    end = now_ms + int(r["ms"])
    for handle in list(handles.values()):
        handle.tick()
    while now_ms < end:
        due = [at for h in handles.values()
               for at in (h.connect_at, h.login_at,
                          now_ms + TICK_MS if h.sock else None)
               if at is not None and at > now_ms]
        now_ms = min([end] + due)
        for handle in list(handles.values()):
            handle.tick()
    return {"now": str(now_ms)}


VERBS = {name[5:]: function for name, function in globals().items()
         if name.startswith("verb_")}


def serve(r):
    verb, handle = r.get("verb"), handles.get(r.get("handle"))
    answer = {"id": r.get("id"), "answer": "ok"}
    if verb not in VERBS:
        answer["answer"] = "unsupported"
    elif handle is None and verb not in ("open", "advance"):
        answer.update(answer="error", code="NO_SUCH_HANDLE", definite=True)
    else:
        try:
            answer.update(VERBS[verb](handle, r) or {})
        except RuntimeError as error:
            answer.update(answer="error", code=str(error), definite=True)
    for one in list(handles.values()):
        one.work()
    say(**answer)


def main():
    say(hello="roam_client.py", adapter=1, protocols=[1], clock="virtual",
        capabilities=["sync", "drop", "limits", "restart"])
    buffer = b""
    while True:
        socks = [h.sock for h in handles.values() if h.sock]
        ready = select.select([0] + socks, [], [])[0]
        for handle in list(handles.values()):
            handle.work()
        if 0 not in ready:
            continue
        data = os.read(0, 65536)
        buffer += data
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            r = json.loads(line)
            if r.get("verb") == "quit":
                say(id=r["id"], answer="ok")
                return
            serve(r)
        if not data:
            return


if __name__ == "__main__":
    main()
