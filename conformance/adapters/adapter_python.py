#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""roam_sdk.py behind conformance/ADAPTER.md, under virtual time.

    adapter_python.py BUILD     # protoc made BUILD/gen-python/roam_pb2.py"""
import json
import os
import select
import sys

sys.path[:0] = [os.path.join(sys.argv[1], "gen-python"),
                os.path.dirname(os.path.realpath(__file__))]
# Compiled once, and not beside the sources: it is started for each case.
sys.dont_write_bytecode = False
sys.pycache_prefix = os.path.abspath(os.path.join(sys.argv[1], "pycache"))
import roam_link  # noqa: E402
import roam_pb2 as pb       # noqa: E402
import roam_sdk as roam     # noqa: E402

EPOCH = 1767225600      # of the wall clock; 0 would be "never"
TICK_MS = 1000          # as often as roam_sdk.py wants to be ticked
LIMITS = ("max_frame", "max_entries", "max_unacked", "max_inflated", "codecs")
# What the client tells with a frame, its last, is told with that one's fields.
TOLD = dict(login_ok="granted", refused="refused", kick="kicked", page="page")
now_ms, handles, stores = 0, {}, {}


def say(**line):
    print(json.dumps(line), flush=True)


def shown(values):
    """Numbers as decimal text, bytes in hexadecimal."""
    return {key: value if isinstance(value, (bool, str)) else value.hex()
            if isinstance(value, bytes) else str(value)
            for key, value in values.items()}


def fields(message):
    return {field.name: getattr(message, field.name)
            for field in message.DESCRIPTOR.fields
            if not field.message_type and field.name != "payload"}


class Handle:
    """A program around one client; adapter_core.py has another."""
    HELLO = dict(hello="roam_sdk.py", clock="virtual", capabilities=[
        "ack", "sync", "history", "drop", "limits", "operations", "restart",
        "tls"])
    SDK = roam

    def __init__(self, r):
        self.name, self.due = r["handle"], None     # when it logs in itself
        self.link = roam_link.Link(r["host"], r["port"], r.get("ca"))
        self.store = stores.setdefault(r["store"], self.SDK.Store())
        self.client = self.SDK.Client(
            self.store, r["user"], r["token"],
            pb.DeviceType.Value(r["device_type"]), **self.options(r),
            **{key: int(r[key]) for key in LIMITS if key in r})
        self.detail = ""

    def options(self, r):
        return dict(manual=r.get("ack") == "manual",
                    clock=lambda: now_ms / 1000,
                    wall=lambda: EPOCH + now_ms / 1000)

    def event(self, name, **values):
        say(event=name, handle=self.name, **shown(values))

    def login(self, person=False, take_over=0):
        self.due = None
        if not self.link.sock:
            try:
                self.link.connect()
            except OSError as error:
                self.detail = getattr(error, "verify_message", "")
                self.failed()
                return self.ended()
            self.client.connected()
        self.client.login(person, take_over)

    def refused(self, m):
        self.plan()

    def failed(self):
        self.client.failures += 1

    def tick(self):
        self.client.tick()

    def plan(self):
        """What comes next is what the client says: TIME-6, KICK-7 to 11."""
        action, ms = self.client.retry()
        self.due = {"login": now_ms + ms,
                    "connect": now_ms + max(ms, 1)}.get(action)

    def ended(self):
        self.plan()
        self.event("closed", detail=self.detail,
                   retry="NEVER" if self.due is None else "AFTER")
        self.detail = ""

    def verb_drop(self, r=None):
        if self.link.sock:
            self.link.close()
            self.client.lost()
            self.tell()
            self.ended()

    def tell(self):
        while self.client.events:
            name, what, *more = self.client.events.popleft()
            if name in TOLD:
                self.event(TOLD[name], **fields([what, *more][-1]))
            elif name == "sync_ok" and what.result == pb.RESET:
                self.event("reset", **fields(what))
            elif name == "entry" and what.kind != pb.NOOP:
                self.event("operation" if what.kind else "message",
                           **fields(what))
            elif name == "row":
                self.event("page-row", **what)
            elif name == "sent":
                self.event("sent", client_msg_id=what, msg_id=more[0],
                           duplicate=more[1])
            elif name == "unsent":
                self.event("failed", ref=what, code=more[0])
            if name == "refused":
                self.refused(what)

    def work(self):
        """All that can be done without waiting."""
        if self.due is not None and self.due <= now_ms:
            self.login()
        if self.link.sock:
            self.tick()
        while self.link.sock:
            self.tell()
            self.link.write(self.client.take_output())
            if self.client.state in ("CLOSED", "ENDED"):
                return self.verb_drop()
            data = self.link.read()
            if data is None:
                return
            try:
                self.client.feed(data) if data else self.client.lost()
            except roam.Refuse as error:
                self.detail = str(error)

    def verb_login(self, r):
        self.login(True, int(r.get("take_over", 0)))

    def verb_send(self, r):
        mark = self.client.send(
            r["conversation"], bytes.fromhex(r["body"]), r["content_type"],
            int(r.get("kind", pb.MESSAGE)))
        return {"client_msg_id": mark}

    def verb_ack(self, r):
        self.client.stored(int(r["version"]))

    def verb_sync(self, r):
        self.client.sync()

    def verb_history(self, r):
        kind = pb.Conversations if r.get("list") else pb.History
        values = {key: int(r[key]) for key in ("before", "after", "max_rows")
                  if key in r and key in kind.DESCRIPTOR.fields_by_name}
        return {"ref": self.client.ask(
            kind, **{"max_rows": 100} | values,
            conversation=r.get("conversation", ""))}

    def verb_close(self, r):
        if r.get("logout"):
            return self.client.logout()
        if self.link.sock:
            self.link.close()
        del handles[self.name]

    def verb_state(self, r):
        """The fence: all that the harness has written is read first."""
        link = self.link
        while (link.sock and link.connections == int(r.get("connections", 0))
               and (link.received < int(r.get("received", 0))
                    or r.get("ended"))):
            link.wait()
            self.work()
        next_ms = {} if self.due is None else {"next_ms": self.due - now_ms}
        return dict(next_ms, cursor=self.store.cursor, sent=link.sent,
                    attempt=self.store.attempt, connected=bool(link.sock),
                    connections=link.connections,
                    unsent=len(self.store.outbox))


def advance(ms):
    """Moves the time of all handles, from one timer to the next."""
    global now_ms
    end = now_ms + ms
    while True:
        for handle in list(handles.values()):
            handle.work()
        if now_ms == end:
            return {"now": end}
        now_ms = min([end, *(
            at for h in handles.values() for at in (
                h.due, now_ms + TICK_MS if h.link.sock else None)
            if at is not None and at > now_ms)])


def serve(r, kind):
    verb, handle = "verb_" + r["verb"], handles.get(r.get("handle"))
    answer = {"id": r["id"], "answer": "ok"}
    try:
        if r["verb"] == "open":
            handles[r["handle"]] = kind(r)
        elif r["verb"] == "advance":
            answer.update(shown(advance(int(r["ms"]))))
        elif not getattr(kind, verb, None):
            answer["answer"] = "unsupported"
        elif handle is None:
            raise RuntimeError("NO_SUCH_HANDLE")
        else:
            answer.update(shown(getattr(handle, verb)(r) or {}))
    except RuntimeError as error:
        answer.update(answer="error", code=str(error), definite=True)
    for one in list(handles.values()):
        one.work()
    say(**answer)


def main(kind=Handle):
    say(**kind.HELLO, adapter=1, protocols=[1])
    buffer = b""
    while True:
        socks = [h.link.sock for h in handles.values() if h.link.sock]
        ready = select.select([0] + socks, [], [])[0]
        for handle in list(handles.values()):
            handle.work()
        data = os.read(0, 65536) if 0 in ready else None
        *lines, buffer = (buffer + (data or b"")).split(b"\n")
        for r in map(json.loads, lines):
            if r.get("verb") == "quit":
                return say(id=r["id"], answer="ok")
            serve(r, kind)
        if data == b"":
            return


if __name__ == "__main__":
    main()
