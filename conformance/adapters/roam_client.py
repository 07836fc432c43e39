# SPDX-License-Identifier: Apache-2.0
"""A client of Roam 1, written from spec/roam-1.md and proto/roam.proto alone.

Needs protobuf and zlib, and on the path roam_pb2, made by protoc, and reading,
the spec's tables of what may come (spec/vectors). It does no I/O: tell it of a
transport by connected(), feed() and lost(), send what take_output() gives,
call tick() once a second, and take `events`.

    client = Client(Store("phone.state"), "alice", token, pb.PHONE)
    client.login()                  # on a new connection: LOGIN and SYNC
    client.send("bob", b"hello")    # in the outbox until it is answered

Events are tuples: login_ok, refused, sync_ok, pong, kick, page with the frame;
entry with a Push, row with a dict; sent with mark, msg_id, duplicate; unsent
with mark, ErrorCode; gap with a Push. After an end `retry()` says what is
next. What breaks the spec raises Refuse with a word, or the rule in brackets:
that frame changed nothing, and the connection is over. RuntimeError: the
caller broke a rule."""
import collections
import os
import pickle
import random
import secrets
import time

import roam_pb2 as pb
from reading import Refuse, decode, inflate, unpack

CLIENT = (pb.Login, pb.Logout, pb.Sync, pb.Ack, pb.Send, pb.Ping, pb.History,
          pb.Conversations)
# Section 10.2: in which states a frame may come; all others in a session.
SESSION = ("SYNC", "LIVE", "LEAVING")
WHERE = {pb.LoginOk: ("LOGIN",), pb.Refused: ("LOGIN",),
         pb.SyncOk: ("SYNC", "LEAVING"), pb.Kick: ("OPEN", "LOGIN", *SESSION)}
# Section 12: the retry class of each reason, from 1 on.
RETRY = {pb.Refused: "4441333432", pb.Kick: "4442221223312"}
PAGES = {pb.HistoryPage: pb.History, pb.ConversationPage: pb.Conversations}


def check(good, rule, text=""):
    if not good:
        raise Refuse("[%s] %s" % (rule, text))


def rows_of(m, asked):
    """What a Batch or a page packs, all of it or nothing: BATCH-7, HIST-12."""
    check(m.count <= getattr(asked, "max_rows", m.count), "HIST-12", "count")
    return list(unpack(m, inflate(m, asked.codecs, asked.max_inflated)))


class Store:
    """What one installation keeps; with a path, each commit is one rename, so
    that after a crash all of it is there or nothing: CHAIN-7, LOGIN-2."""
    def __init__(self, path=None):
        self.path, self.attempt, self.cursor, self.entries = path, 0, 0, []
        self.device_id, self.missing = secrets.token_bytes(16), 0
        self.outbox, self.sent = {}, {}     # mark: SEND, when; msg_id: SEND
        if path and os.path.exists(path):
            with open(path, "rb") as file:
                vars(self).update(pickle.load(file), path=path)

    def commit(self, entries=(), done=(), **values):
        vars(self).update(values)
        self.entries += entries
        for mark, msg_id in done:
            frame, _ = self.outbox.pop(mark, (None, 0))
            if frame and msg_id:
                self.sent[msg_id] = frame
        if self.path:
            with open(self.path + ".new", "wb") as file:
                pickle.dump(vars(self), file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(self.path + ".new", self.path)


class Client:
    def __init__(self, store, user, token, device_type, max_frame=65536,
                 eager_ack=True, manual=False, clock=time.monotonic,
                 wall=time.time, **limits):
        """manual: an entry is stored when stored() says so, not by itself."""
        self.store, self.eager_ack, self.manual = store, eager_ack, manual
        self.clock, self.wall = clock, wall
        self.who = dict(protocol=1, user=user, token=token,
                        max_frame=max_frame, device_name="python",
                        device_type=device_type)
        self.limits = dict(max_entries=10000, max_unacked=1000, codecs=2,
                           max_inflated=65536) | limits
        self.refusal = self.person = None   # person: rule that asks for one
        self.failures = self.window_ms = self.held_until = 0
        self.rejected, self.told_to, self.state = (None, 0), 0, "CLOSED"
        self.events = collections.deque()
        self.requests, self.limited = {}, {}    # ref: request, 0; FLOW-4

    def connected(self):
        self.state, self.session, self._in, self._out = "OPEN", None, b"", b""
        self.limit, self.gaps, self.told = 512, 0, 0
        self.open, self.tried = set(), set()
        self.at = self.store.cursor         # of the last entry handed out
        self.handed, self.flight = [], []   # not stored; not acknowledged
        self.heard = self.spoke = self.clock()
        self.pings, self.warned = [], None

    def login(self, person=False, take_over=0):
        """LOGIN and SYNC; person: somebody asked for it just now."""
        self._must(self.state == "OPEN", "LOGIN-4")
        self._must(person or not self.person, self.person)
        self.person, self.refusal, self.told_to = None, None, 0
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

    def send(self, conversation, body, content_type="", kind=pb.MESSAGE):
        mark = secrets.randbelow(2**64 - 1) + 1                 # SEND-1
        self.store.outbox[mark] = pb.Send(
            client_msg_id=mark, conversation=conversation, kind=kind,
            content_type=content_type, body=body), 0
        self.store.commit()
        self.flush()
        return mark

    def ask(self, kind, **values):
        """One page: kind is pb.History or pb.Conversations."""
        self._must(self.state in ("SYNC", "LIVE"), "FRAME-8")
        ref = secrets.randbelow(2**64 - 1) + 1
        limits = {key: self.limits[key] for key in ("max_inflated", "codecs")}
        self.requests[ref] = kind(ref=ref, **limits, **values), 0
        self.flush()
        return ref

    def flush(self):
        """Sends what waits, each once a session: SEND-12 to 14, FLOW-4."""
        now = int(self.wall() * 1000)
        for waiting in (self.requests, self.store.outbox):
            until = self.limited.get(waiting is self.requests, 0)
            if (self.state not in ("SYNC", "LIVE") or self.clock() < until
                    or until and self.open & waiting.keys()):
                continue
            self.limited.pop(waiting is self.requests, None)
            for mark in [mark for mark in waiting if mark not in self.tried]:
                if len(self.open) >= self.session.max_commands:
                    return
                self.tried.add(mark)
                frame, first = waiting[mark]
                if first and now - first > self.session.dedup_ms:
                    self.events.append(("unsent", mark, 0))
                elif frame.ByteSize() > self.session.max_frame:
                    self.events.append(("unsent", mark, pb.BODY_TOO_LONG))
                else:
                    waiting[mark] = frame, first or now
                    self.store.commit()
                    self.open.add(mark)
                    self._frame(frame)

    def stored(self, version):
        """The program has all entries up to here: only if it is `manual`."""
        self._must(self.store.cursor <= version <= self.at, "ACK-1")
        self.store.commit([row for row in self.handed
                           if row.version <= version], cursor=version)
        self.handed = [row for row in self.handed if row.version > version]
        done = sum(v <= version for v in self.flight)
        if done >= self.window // 2 or self.manual and self.eager_ack:
            self.ack()                                          # ACK-2

    def ack(self):
        left = [v for v in self.flight if v > self.store.cursor]
        if self.state == "LIVE" and len(left) < len(self.flight):
            self._frame(pb.Ack(version=self.store.cursor))
            self.flight = left

    def ping(self):
        """A fence: what is below the PONG's head was stored before it."""
        self._must(self.state in ("SYNC", "LIVE"), "FRAME-8")
        self.pings.append(secrets.randbits(63))
        self._frame(pb.Ping(id=self.pings[-1]))

    def tick(self):
        """TIME-1, TIME-3, TIME-7: call it once a second."""
        now = self.clock()
        if (self.state in ("LOGIN", "SYNC") and now - self.asked_at >= 10
                or self.warned is not None and now - self.warned >= 10):
            self.lost()
        if self.state in ("SYNC", "LIVE"):
            beat = self.session.heartbeat_ms / 1000
            if self.warned is None and now - self.heard >= beat:
                self.warned = now
                self.ping()
            elif now - self.spoke >= beat * 0.9:
                self.ping()
            self.flush()

    def lost(self):
        if self.state not in ("CLOSED", "ENDED"):
            self._end()
        self.events.extend(("unsent", ref, 0) for ref in self.requests)
        self.state, self.requests = "CLOSED", {}

    def retry(self):
        """ask (a person), or credential; or in so many milliseconds login (on
        this connection), or connect and login: TIME-6, KICK-8."""
        action = ("ask" if self.person
                  else "credential" if self.told_to == pb.REAUTHENTICATE
                  else "login" if self.state == "OPEN" else "connect")
        if action == "login" and self.told_to == pb.NOW:        # LOGIN-17
            return action, 0
        held = int((self.held_until - self.clock()) * 1000) + 1
        return action, max(random.randint(0, self._bound()), held,
                           random.randint(0, self.window_ms))

    def _bound(self):
        return min(60000, 250 << min(self.failures, 8))

    def _end(self):
        """A session that lasted longer than any delay was no failure."""
        self.state = "ENDED"
        if self.session and self.clock() - self.since >= self._bound() / 1000:
            self.failures = 0
        self.failures += 1

    def take_output(self):
        data, self._out = self._out, b""
        return data

    def feed(self, data):
        self._in += data
        self.heard, self.warned = self.clock(), None
        try:
            while self.state not in ("CLOSED", "ENDED") and self._next():
                pass
        except Refuse:                                          # FRAME-14
            self._end()
            raise
        if self.eager_ack:
            self.ack()

    def _next(self):
        size = int.from_bytes(self._in[1:4], "big")
        if len(self._in) < 4 or len(self._in) < 4 + size <= 4 + self.limit:
            return False
        frame, self._in = self._in[:4 + size], self._in[4 + size:]
        m = decode(frame, self.limit)
        if m is not None:                                       # FRAME-6
            kind = type(m)
            take = getattr(self, "_on_" + kind.__name__, None)
            check(take and self.state in WHERE.get(kind, SESSION), "FRAME-14",
                  kind.__name__)
            if kind in RETRY:
                check(RETRY[kind][m.reason - 1:m.reason] in ("", str(m.retry)),
                      "KICK-6", m.reason)
                self.told_to = m.retry
            take(m)
        return True

    def _on_LoginOk(self, m):
        check(m.floor <= m.head, "FRAME-14", "floor above head")
        self.session, self.state, self.since = m, "SYNC", self.clock()
        self.events.append(("login_ok", m))
        self.flush()                                            # SEND-13

    def _on_Refused(self, m):
        check(m.reason not in (pb.OCCUPIED, pb.KICKED, pb.STALE) or
              m.generation and m.HasField("holder"), "LOGIN-14", m.reason)
        self.state = "OPEN"
        if m.reason == pb.STALE:                                # LOGIN-17
            self.store.commit(device_id=secrets.token_bytes(16), attempt=0)
        self.refusal = m if m.reason <= pb.FREE else None
        self.person = "LOGIN-18" if m.retry == pb.NEVER else None
        if m.retry_after_ms:                                    # FLOW-6
            self.failures += 1
            self.held_until = self.clock() + m.retry_after_ms / 1000
        self.events.append(("refused", m))

    def _on_Kick(self, m):
        check(m.reason != pb.TAKEN_OVER or m.generation and
              m.HasField("holder"), "KICK-1")
        self._end()
        self.window_ms = m.retry_after_ms
        if m.retry == pb.NEVER:                                 # CODE-1
            self.person = self.person or "KICK-7"
        self.events.append(("kick", m))

    def _on_SyncOk(self, m):
        cursor = self.asked.cursor
        check(m.floor <= m.head, "FRAME-14", "floor above head")
        check((m.result == pb.UP_TO_DATE) == (cursor == m.head), "SYNC-2")
        check(m.result != pb.DELTA or m.floor <= cursor < m.head, "SYNC-3")
        check((m.reason == pb.AHEAD) == (cursor > m.head), "SYNC-4")
        self.window = min(m.max_unacked or 2**32, self.asked.max_unacked)
        if m.result == pb.RESET:                                # SYNC-9
            self.at, self.handed = m.head, []
            self.store.commit(cursor=m.head, missing=self.store.missing + 1)
        self.state = "LIVE" if self.state == "SYNC" else self.state
        self.flight, self.window_ms = [], 0
        self.events.append(("sync_ok", m))

    def _on_Push(self, m):
        self._apply([m])

    def _on_Batch(self, m):
        if self.state != "SYNC":
            before, (cursor, times) = self.rejected, self.rejected
            self.rejected = self.store.cursor, 1 + times * (
                cursor == self.store.cursor)    # BATCH-9, if it is no good
            rows, self.rejected = rows_of(m, self.asked), before
            self._apply([pb.Push(**row) for row in rows])

    def _apply(self, rows):
        if self.state == "SYNC":
            return                                              # SYNC-8
        self.flight += [row.version for row in rows]
        check(len(self.flight) <= self.window, "ACK-3")
        rows = [row for row in rows if row.version > self.at]   # CHAIN-5
        if rows and rows[0].prev_version != self.at:            # CHAIN-6
            self.gaps += 1
            check(self.gaps < 2, "CHAIN-6", rows[0].version)
            self.events.append(("gap", rows[0]))
            return self.sync() if self.state == "LIVE" else None
        if rows:
            self.gaps, self.at = 0, rows[-1].version
            self.handed += rows
            own = [row for row in rows if row.client_msg_id]
            if own:                                             # SEND-15
                self.store.commit(done=[(row.client_msg_id, row.msg_id)
                                        for row in own])
            self.events.extend(("entry", row) for row in rows)
        if not self.manual:
            self.stored(self.at)

    def _answered(self, mark, msg_id, *event):
        check(mark in self.open, "SEND-2", "no such command")
        self.open.discard(mark)
        self.requests.pop(mark, None)
        self.store.commit(done=[(mark, msg_id)])
        self.events.append(event)
        self.flush()

    def _on_SendOk(self, m):
        mark = m.client_msg_id
        self._answered(mark, m.msg_id, "sent", mark, m.msg_id, m.duplicate)

    def _on_Error(self, m):
        check(m.code >= 32, "SEND-2", "no error of a command")
        if m.code == pb.RATE_LIMITED and m.ref in self.open:    # FLOW-4
            self.open.discard(m.ref)
            self.tried.discard(m.ref)
            kind, until = (m.ref in self.requests,
                           self.clock() + m.retry_after_ms / 1000)
            self.limited[kind] = max(self.limited.get(kind, 0), until)
        else:
            self._answered(m.ref, 0, "unsent", m.ref, m.code)

    def _on_HistoryPage(self, m):
        request, _ = self.requests.get(m.ref, (None, 0))
        check(isinstance(request, PAGES[type(m)]), "FRAME-14", "no request")
        self.events.extend(("row", row) for row in rows_of(m, request))
        self._answered(m.ref, 0, "page", m)

    _on_ConversationPage = _on_HistoryPage

    def _on_Pong(self, m):
        check(m.id in self.pings, "PING-1", "no such PING")
        del self.pings[:self.pings.index(m.id) + 1]
        late, self.told = self.at < self.told <= m.head, m.head
        self.events.append(("pong", m))
        if late and self.state == "LIVE":                       # PING-3
            self.sync()

    def _sync(self):
        cursor, times = self.rejected
        self.asked = pb.Sync(cursor=self.store.cursor, **self.limits)
        if times and cursor == self.store.cursor:               # BATCH-9
            self.asked.codecs = 0
            self.asked.max_entries *= times < 2
        self.asked_at = self.clock()
        self._frame(self.asked)

    def _frame(self, m):
        data, self.spoke = m.SerializeToString(), self.clock()
        self._out += bytes([CLIENT.index(type(m)) + 1])
        self._out += len(data).to_bytes(3, "big") + data

    def _must(self, good, rule):
        if not good:
            raise RuntimeError("[%s] in state %s" % (rule, self.state))
