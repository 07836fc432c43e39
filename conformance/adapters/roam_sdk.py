# SPDX-License-Identifier: Apache-2.0
"""The client of roam_client.py with what a whole SDK has besides: pages of
history (section 8.3), and all that takes a clock (section 9): heartbeat and
silence, back-off, limits, and what is too old to be sent again.

Call tick() once a second; after an end, retry() says what is next. ask() wants
a page: events row with a dict, then page with its ref and frame, or unsent."""
from collections import Counter
import os
import pickle
import random
import secrets
import time

import roam_client as roam
import roam_pb2 as pb
from roam_client import Refuse, check

PAGES = {pb.HistoryPage: pb.History, pb.ConversationPage: pb.Conversations}


def rows_of(m, asked):
    """What a page packs, all of it or nothing: HIST-12."""
    listed, order = [{} for _ in range(m.count)], []
    check(m.count <= asked.max_rows, "HIST-12", "count")
    check(len({m.count > 0, m.inflated_size > 0, m.payload > b""}) == 1,
          "FRAME-11", "empty page")
    if not m.count:
        return []
    c = roam.inflate(m, asked)
    if type(m) is pb.ConversationPage:
        for name in ("read_mark", "unread", "role"):
            column = list(getattr(c, name)) or [0] * m.count
            check(len(column) == m.count, "HIST-12", name)
            for row, value in zip(listed, column):
                row[name] = value
            c.ClearField(name)
    check(not c.version_gap, "BATCH-1", "versions")
    rows = roam.unpack(pb.Batch(last_version=m.count, count=m.count,
                                inflated_size=m.inflated_size), c)
    for row, more in zip(rows, listed):
        check(row.msg_id and row.kind != pb.NOOP, "HIST-12", "row")
        name = row.conversation.encode() if more else b""
        order.append((row.msg_id, name))                # HIST-2, HIST-8
        more.update((field.name, getattr(row, field.name))
                    for field in row.DESCRIPTOR.fields if field.number > 2)
    check(order == sorted(set(order), reverse=type(m) is pb.ConversationPage),
          "HIST-12", "order")
    return listed


class Store(roam.Store):
    """With a path, each commit is one rename, so that after a crash all of it
    is there or nothing: CHAIN-7, LOGIN-2. `manual` holds entries back until
    the program has them, too."""
    def __init__(self, path=None):
        super().__init__()
        self.path, self.manual, self.held = path, False, []
        self.first = {}                 # mark: when it was first sent
        if path and os.path.exists(path):
            with open(path, "rb") as file:
                vars(self).update(pickle.load(file), path=path)

    def commit(self, entries=(), done=(), **values):
        if self.manual and entries:
            self.held += entries
            done = [(row.client_msg_id, row.msg_id) for row in entries]
            entries, values = (), {}
        super().commit(entries, done, **values)
        for mark in self.first.keys() - self.outbox.keys():
            del self.first[mark]
        if self.path:
            with open(self.path + ".new", "wb") as file:
                pickle.dump(vars(self), file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(self.path + ".new", self.path)

    def release(self, version):
        ready = [row for row in self.held if row.version <= version]
        self.held = [row for row in self.held if row.version > version]
        super().commit(ready, cursor=version)
        self.commit()


class Client(roam.Client):
    def __init__(self, store, *who, manual=False, clock=time.monotonic,
                 wall=time.time, **limits):
        """manual: an entry is stored when stored() says so, not by itself."""
        super().__init__(store, *who, **limits)
        self.clock, self.wall, store.manual = clock, wall, manual
        self.failures = self.window_ms = self.held_until = self.told_to = 0
        self.requests, self.limited = {}, {}    # ref: request; FLOW-4
        self.delays = Counter()                 # ref: times; FLOW-14

    def connected(self):
        super().connected()
        self.store.held = []
        self.heard = self.spoke = self.clock()
        self.told, self.warned = 0, None

    def login(self, person=False, take_over=0):
        super().login(person, take_over)
        self.told_to = 0

    def ask(self, kind, **values):
        """One page: kind is pb.History or pb.Conversations."""
        self._must(self.state in ("SYNC", "LIVE"), "FRAME-8")
        ref = secrets.randbelow(2**64 - 1) + 1
        limits = {key: self.limits[key] for key in ("max_inflated", "codecs")}
        self.requests[ref] = kind(ref=ref, **limits, **values)
        self.flush()
        return ref

    def flush(self):
        if self.state not in ("SYNC", "LIVE"):
            return
        oldest = self.wall() * 1000 - self.session.dedup_ms
        for mark, first in self.store.first.items():            # SEND-14
            if first < oldest and mark not in self.tried:
                self.tried.add(mark)
                self.events.append(("unsent", mark, 0))
        for waiting in (self.requests, self.store.outbox):      # FLOW-4
            until = self.limited.get(waiting is self.requests, 0)
            if (self.clock() >= until
                    and not (until and self.open & waiting.keys())):
                self.limited.pop(waiting is self.requests, None)
                super().flush() if waiting is not self.requests else (
                    self._flush_requests())

    def _flush_requests(self):
        for ref, frame in self.requests.items():
            if (ref not in self.tried
                    and len(self.open) < self.session.max_commands):
                self.tried.add(ref)
                self.open.add(ref)
                self._frame(frame)

    def stored(self, version):
        """The program has all entries up to here: only if it is `manual`."""
        self._must(self.store.cursor <= version <= self.at, "ACK-1")
        self.store.release(version)
        self.ack()

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
        super().lost()
        self.events.extend(("unsent", ref, 0) for ref in self.requests)
        self.requests = {}

    def retry(self):
        """ask (a person), or credential; or in so many milliseconds login (on
        this connection), or connect and login: TIME-6, KICK-8."""
        action = ("credential" if self.told_to == pb.REAUTHENTICATE
                  else "ask" if self.person
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
        if self.session and self.clock() - self.since >= self._bound() / 1000:
            self.failures = 0
        self.failures += 1

    def feed(self, data):
        self.heard, self.warned = self.clock(), None
        try:
            super().feed(data)
        except Refuse:
            self._end()
            raise
        self.ack()

    def _class(self, m, classes):
        """Section 12: the retry class of each reason, from 1 on."""
        known = classes[m.reason - 1:m.reason]
        check(known in ("", str(m.retry)), "KICK-6", m.reason)
        self.told_to = m.retry

    def _on_LoginOk(self, m):
        self.since = self.asked_at = self.clock()               # TIME-7
        super()._on_LoginOk(m)

    def _on_Refused(self, m):
        self._class(m, "4441333432")
        super()._on_Refused(m)
        if m.retry_after_ms:                                    # FLOW-6
            self.failures += 1
            self.held_until = self.clock() + m.retry_after_ms / 1000

    def _on_Kick(self, m):
        self._class(m, "4442221223312")
        super()._on_Kick(m)
        self._end()
        self.window_ms = m.retry_after_ms

    def _on_SyncOk(self, m):
        super()._on_SyncOk(m)
        self.store.held, self.window_ms = [], 0

    def _on_Error(self, m):
        again = m.retry not in (pb.REAUTHENTICATE, pb.NEVER)    # CODE-1
        if again and m.ref in self.open:                        # FLOW-4
            self.open.discard(m.ref)
            self.tried.discard(m.ref)
            wait = m.retry_after_ms
            if not wait:                                        # FLOW-14
                wait = min(60000, 1000 << min(self.delays[m.ref], 6))
                self.delays[m.ref] += 1
            kind, until = m.ref in self.requests, self.clock() + wait / 1000
            self.limited[kind] = max(self.limited.get(kind, 0), until)
        else:
            super()._on_Error(m)

    def _on_HistoryPage(self, m):
        request = self.requests.get(m.ref)
        check(isinstance(request, PAGES[type(m)]), "FRAME-14", "no request")
        self.events.extend(("row", row) for row in rows_of(m, request))
        self._answered(m.ref, "page", m)

    _on_ConversationPage = _on_HistoryPage

    def _on_Pong(self, m):
        super()._on_Pong(m)
        late, self.told = self.at < self.told <= m.head, m.head
        if late and self.state == "LIVE":                       # PING-3
            self.sync()

    def _answered(self, mark, name, *result):
        super()._answered(mark, name, *result)
        self.requests.pop(mark, None)
        self.delays.pop(mark, None)

    def _sync(self, state):
        super()._sync(state)
        self.asked_at = self.clock()

    def _frame(self, m, *states):
        self.spoke = self.clock()
        if type(m) is pb.Send:
            self.store.first.setdefault(m.client_msg_id, self.wall() * 1000)
            self.store.commit()
        super()._frame(m, *states)
