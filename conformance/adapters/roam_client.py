# SPDX-License-Identifier: Apache-2.0
"""A client of Roam 1, written from spec/roam-1.md and proto/roam.proto alone.

Needs protobuf (roam_pb2, made by protoc, on the path) and zlib. `Client` does
no I/O; `Wire` puts it on a socket; roam_codec reads the bytes.

    client = Client(Store("phone.state"), "alice", token, pb.PHONE)
    wire = Wire(client, ("127.0.0.1", port))
    client.login()                              # LOGIN and SYNC
    if wire.wait("login_ok", "refused")[0] == "refused" and client.refusal:
        client.take_over()                      # a person saw it, said yes
    wire.wait("sync_ok")
    mark = client.send("bob", b"hello")         # in the outbox until answered
    wire.wait("sent")

Events are tuples: login_ok, refused, sync_ok, pong, kick with the message;
entry with an Entry that is stored; sent with mark, msg_id, duplicate; unsent
with mark, why; gap; lost. After an end `retry()` says what is next. What
breaks the spec raises ProtocolError with the rule's id: that frame changed
nothing, and the connection is over. RuntimeError: the caller broke a rule."""
import collections
import os
import pickle
import random
import secrets
import select
import socket
import time

import roam_pb2 as pb
from roam_codec import SERVER, Entry, ProtocolError, check, decode, unpack

CLIENT = (pb.Login, pb.Logout, pb.Sync, pb.Ack, pb.Send, pb.Ping)


class Store:
    """What one installation keeps; with a path, each commit is one rename, so
    that after a crash all of it is there or nothing: CHAIN-7, LOGIN-2."""
    def __init__(self, path=None):
        self.path, self.attempt, self.cursor, self.entries = path, 0, 0, []
        self.device_id, self.missing = secrets.token_bytes(16), 0
        self.outbox, self.sent = {}, {}     # mark: item; msg_id: item
        if path and os.path.exists(path):
            with open(path, "rb") as file:
                vars(self).update(pickle.load(file), path=path)

    def commit(self, entries=(), done=(), **values):
        vars(self).update(values)
        self.entries += entries
        for mark, msg_id in done:
            item = self.outbox.pop(mark, None)
            if item and msg_id:
                self.sent[msg_id] = item
        if self.path:
            with open(self.path + ".new", "wb") as file:
                pickle.dump(vars(self), file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(self.path + ".new", self.path)


class Client:
    """connected(), then bytes by feed() and take_output(), `events`, time by
    tick(), the end of a connection by lost()."""
    def __init__(self, store, user, token, device_type, max_frame=65536,
                 eager_ack=True, clock=time.monotonic, wall=time.time,
                 **limits):
        self.store, self.eager_ack, self.clock = store, eager_ack, clock
        self.wall = wall
        self.who = dict(protocol=1, user=user, token=token,
                        max_frame=max_frame, device_name="python",
                        device_type=device_type)
        self.limits = dict(max_entries=10000, max_unacked=1000, codecs=2,
                           max_inflated=65536) | limits
        self.refusal = self.person = None   # person: rule that asks for one
        self.failures, self.window_ms, self.credential = 0, 0, False
        self.rejected, self.state = (None, 0), "CLOSED"
        self.tried, self.held_until, self.quiet_until = set(), 0, 0
        self.limited = False
        self.events = collections.deque()

    def connected(self):
        self.state, self.session, self._in, self._out = "OPEN", None, b"", b""
        self.limit, self.inflight, self.gaps = 512, 0, 0
        self.open, self.tried, self.fresh = collections.Counter(), set(), set()
        self.pings, self.told = [], 0
        self.heard = self.spoke = self.clock()
        self.written = 0
        self.warned = None

    def login(self, person=False, take_over=0):
        """LOGIN and SYNC; person: somebody asked for it just now."""
        self._must(self.state == "OPEN", "LOGIN-4")
        self._must(person or not self.person, self.person)
        self.person, self.refusal, self.credential = None, None, False
        self.store.commit(attempt=self.store.attempt + 1)       # LOGIN-2
        self.limit, self.state = self.who["max_frame"], "LOGIN"
        self._frame(pb.Login(device_id=self.store.device_id, **self.who,
                             attempt=self.store.attempt, take_over=take_over))
        self._sync()

    def take_over(self):
        self._must(self.refusal, "LOGIN-3")
        self.login(True, self.refusal.generation)

    def logout(self):
        self._must(self.state in ("SYNC", "LIVE"), "FRAME-8")
        self.state = "LEAVING"
        self._frame(pb.Logout())

    def sync(self):
        self._must(self.state == "LIVE", "SYNC-6")
        self.state = "SYNC"
        self._sync()

    def send(self, conversation, body, content_type=""):
        mark = secrets.randbelow(2**64 - 1) + 1                 # SEND-1
        self.store.outbox[mark] = (conversation, content_type, body, 0)
        self.store.commit()
        self.flush()
        return mark

    def flush(self):
        """Sends what waits in the outbox, once a session: SEND-12 to 14."""
        waiting = [m for m in self.store.outbox if m not in self.tried]
        if self.limited and self.open.total():                  # FLOW-4
            return
        self.limited = False
        while (waiting and self.state in ("SYNC", "LIVE")
               and self.clock() >= self.quiet_until
               and self.open.total() < self.session.max_commands):
            mark, now = waiting.pop(0), int(self.wall() * 1000)
            to, ctype, body, first = self.store.outbox[mark]
            frame = pb.Send(client_msg_id=mark, conversation=to,
                            content_type=ctype, body=body)
            self.tried.add(mark)
            if first and now - first > self.session.dedup_ms:
                self.events.append(("unsent", mark, "SEND-14"))
            elif frame.ByteSize() > self.session.max_frame:
                self.events.append(("unsent", mark, "FRAME-3"))
            else:
                self.store.outbox[mark] = to, ctype, body, first or now
                self.store.commit()
                self.fresh |= set() if first else {mark}
                self.open[mark] += 1
                self._frame(frame)

    def ack(self):
        if self.inflight and self.state == "LIVE":
            self._frame(pb.Ack(version=self.store.cursor))
            self.inflight = 0

    def ping(self):
        """A fence: what is below the PONG's head was stored before it."""
        self._must(self.state in ("SYNC", "LIVE"), "FRAME-8")
        self.pings.append(secrets.randbits(63))
        self._frame(pb.Ping(id=self.pings[-1]))

    def tick(self):
        """TIME-1, TIME-3, TIME-7: call it once a second."""
        if (self.state in ("LOGIN", "SYNC")
                and self.clock() - self.asked_at >= 10):
            return self.lost()
        if self.state in ("SYNC", "LIVE"):
            now, beat = self.clock(), self.session.heartbeat_ms / 1000
            if self.warned is not None and now - self.warned >= 10:
                self.lost()
            elif self.warned is None and now - self.heard >= beat:
                self.warned = now
                self.ping()
            elif now - self.spoke >= beat * 0.9:
                self.ping()
            self.flush()

    def lost(self):
        if self.state not in ("CLOSED", "ENDED"):
            self.failures += 1
            self.events.append(("lost",))
        self.state = "CLOSED"

    def retry(self):
        """ask (a person), credential, login (on this connection), or connect
        after so many milliseconds, then login(): TIME-6, KICK-8."""
        bound = min(60000, 250 << min(self.failures, 8))
        action = ("ask" if self.person else "credential" if self.credential
                  else "login" if self.state == "OPEN" else "connect")
        held = int((self.held_until - self.clock()) * 1000) + 1
        return action, max(random.randint(0, bound), held,
                           random.randint(0, self.window_ms))

    def take_output(self):
        data, self._out = self._out, b""
        return data

    def feed(self, data):
        self._in += data
        self.heard, self.warned = self.clock(), None
        try:
            while self.state not in ("CLOSED", "ENDED") and self._next():
                pass
        except ProtocolError:                                   # FRAME-14
            self.state, self.failures = "ENDED", self.failures + 1
            raise
        if self.eager_ack:
            self.ack()

    def _next(self):
        if len(self._in) < 4:
            return False
        kind, size = self._in[0], int.from_bytes(self._in[1:4], "big")
        check(size <= self.limit, "FRAME-5", size)
        if len(self._in) < 4 + size:
            return False
        payload, self._in = self._in[4:4 + size], self._in[4 + size:]
        if kind < 0x80:                                         # FRAME-6
            check(0x41 <= kind <= 0x49, "FRAME-1", "type %d" % kind)
            name = SERVER[kind - 0x41].__name__
            where = {"LoginOk": "LOGIN", "Refused": "LOGIN", "SyncOk":
                     "SYNC LEAVING", "Kick": "OPEN LOGIN SYNC LIVE LEAVING"}
            check(self.state in where.get(name, "SYNC LIVE LEAVING"),
                  "FRAME-14", "%s in state %s" % (name, self.state))
            getattr(self, "_on_" + name)(decode(SERVER[kind - 0x41], payload))
        return True

    def _on_LoginOk(self, m):
        check(m.floor <= m.head, "FRAME-14", "floor above head")
        self.session, self.state = m, "SYNC"
        self.events.append(("login_ok", m))
        self.flush()                                            # SEND-13

    def _on_Refused(self, m):
        held = m.reason in (pb.OCCUPIED, pb.KICKED, pb.FREE, pb.STALE)
        check(not held or m.generation and m.HasField("holder") ==
              (m.reason != pb.FREE), "LOGIN-14")
        check(m.reason not in (5, 6, 7) or not (m.generation or m.HasField(
            "holder")), "LOGIN-8" if m.reason == 5 else "LOGIN-9")
        self.state = "OPEN"
        if m.reason == pb.STALE:                                # LOGIN-17
            self.store.commit(device_id=secrets.token_bytes(16), attempt=0)
        self.refusal = m if held and m.reason != pb.STALE else None
        self._class(m.retry, "LOGIN-18")
        if m.retry_after_ms:                                    # FLOW-6
            self.failures += 1
            self.held_until = self.clock() + m.retry_after_ms / 1000
        self.events.append(("refused", m))

    def _on_Kick(self, m):
        check(m.reason != pb.TAKEN_OVER or m.generation and
              m.HasField("holder"), "KICK-1")
        self.state, self.failures = "ENDED", self.failures + 1
        self.window_ms = m.retry_after_ms
        self._class(m.retry, self.person or "KICK-7")
        self.events.append(("kick", m))

    def _class(self, retry, rule):
        self.credential = retry == pb.REAUTHENTICATE
        if self.person is None and retry == pb.NEVER:           # CODE-1
            self.person = rule

    def _on_SyncOk(self, m):
        cursor = self.asked.cursor
        check(m.floor <= m.head, "FRAME-14", "floor above head")
        check((m.result == pb.UP_TO_DATE) == (cursor == m.head), "SYNC-2")
        check(m.result != pb.DELTA or m.floor <= cursor < m.head, "SYNC-3")
        check((m.reason == pb.AHEAD) == (cursor > m.head), "SYNC-4")
        self.window = min(m.max_unacked or 2**32, self.asked.max_unacked)
        if m.result == pb.RESET:                                # SYNC-9
            self.store.commit(cursor=m.head, missing=self.store.missing + 1)
        self.state = "LIVE" if self.state == "SYNC" else self.state
        self.inflight = self.failures = self.window_ms = 0
        self.events.append(("sync_ok", m))

    def _on_Push(self, m):
        self._apply([Entry(*(getattr(m, name) for name in Entry._fields))])

    def _on_Batch(self, m):
        if self.state != "SYNC":
            try:
                rows = unpack(m, self.asked.codecs, self.asked.max_inflated)
            except ProtocolError:                               # BATCH-9
                cursor, times = self.rejected
                again = cursor == self.store.cursor
                self.rejected = self.store.cursor, times * again + 1
                raise
            self._apply(rows)

    def _apply(self, rows):
        if self.state == "SYNC":
            return                                              # SYNC-8
        self.inflight += len(rows)
        check(self.inflight <= self.window, "ACK-3")
        cursor, good = self.store.cursor, []
        for row in rows:
            if row.version <= cursor:
                continue                                        # CHAIN-5
            if row.prev_version != cursor:                      # CHAIN-6
                self.gaps += 1
                check(self.gaps < 2, "CHAIN-6", row.version)
                self.events.append(("gap", row))
                return self.sync() if self.state == "LIVE" else None
            self._judge(row)
            good, cursor = good + [row], row.version
        if good:
            self.gaps = 0
            self.store.commit(good, cursor=cursor, done=[
                (r.client_msg_id, r.msg_id) for r in good])     # SEND-15
            self.events.extend(("entry", row) for row in good)
        if self.inflight >= self.window // 2:                   # ACK-2
            self.ack()

    def _judge(self, row):
        room = min(self.who["max_frame"], self.asked.max_inflated) - 448
        check(row.kind or len(row.body) <= room < (row.cut_size or room + 1),
              "BATCH-4", "%d, cut %d" % (len(row.body), row.cut_size))
        own = row.sender == self.who["user"]
        check(row.kind or own or row.conversation in (
            row.sender, "#" + row.conversation[1:]), "PUSH-6")
        check(own or not row.client_msg_id, "PUSH-4")
        check(row.client_msg_id not in self.fresh, "PUSH-2")

    def _answered(self, mark, msg_id, event):
        check(self.open[mark] > 0, "SEND-2", "no such SEND")
        self.open[mark] -= 1
        self.store.commit(done=[(mark, msg_id)])
        self.events.append(event)
        self.flush()

    def _on_SendOk(self, m):
        mark = m.client_msg_id
        self._answered(mark, m.msg_id, ("sent", mark, m.msg_id, m.duplicate))

    def _on_Error(self, m):
        check(m.code >= 32, "SEND-2", "no error of a command")
        if m.code == pb.RATE_LIMITED and self.open[m.ref]:      # FLOW-4
            self.open[m.ref] -= 1
            self.tried.discard(m.ref)
            self.limited = True
            self.quiet_until = max(self.quiet_until,
                                   self.clock() + m.retry_after_ms / 1000)
            return
        self._answered(m.ref, 0, ("unsent", m.ref, m.code))

    def _on_Pong(self, m):
        check(m.id in self.pings, "PING-1", "no such PING")
        del self.pings[:self.pings.index(m.id) + 1]
        late, self.told = self.store.cursor < self.told <= m.head, m.head
        self.events.append(("pong", m))
        if late and self.state == "LIVE":                       # PING-3
            self.sync()

    def _sync(self):
        cursor, times = self.rejected
        times *= cursor == self.store.cursor
        self.asked = pb.Sync(**self.limits | {"cursor": self.store.cursor} | (
            {"codecs": 0} if times else {}) | (
            {"max_entries": 0} if times > 1 else {}))
        self.asked_at = self.clock()
        self._frame(self.asked)

    def _frame(self, m):
        data, self.spoke = m.SerializeToString(), self.clock()
        self._out += bytes([CLIENT.index(type(m)) + 1])
        self._out += len(data).to_bytes(3, "big") + data
        self.written += len(data) + 4

    def _must(self, good, rule):
        if not good:
            raise RuntimeError("[%s] in state %s" % (rule, self.state))


class Wire:
    """A client on a plain TCP connection; for TLS wrap `sock`."""
    def __init__(self, client, address):
        self.client, self.sock = client, socket.create_connection(address, 10)
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

    def wait(self, *names, timeout=10):
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
