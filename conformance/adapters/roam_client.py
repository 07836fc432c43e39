# SPDX-License-Identifier: Apache-2.0
"""A client of Roam 1, written from spec/roam-1.md and proto/roam.proto alone.

Stock protobuf (`protoc --python_out`, module roam_pb2 on the path) and zlib.
`Client` does no I/O; `Wire` puts it on a TCP socket.

    store = Store("phone.log")              # or Store(): in memory only
    client = Client(store, "alice", token, pb.PHONE)
    wire = Wire(client, ("127.0.0.1", port))
    client.login()                          # LOGIN and SYNC
    event = wire.wait("login_ok", "refused")
    if event.what == "refused" and client.refusal and the_person_says_yes:
        client.take_over()                  # one LOGIN for this one yes
        wire.wait("login_ok")
    wire.wait("sync_ok")
    mark = client.send("bob", b"hello")     # in the outbox until answered
    wire.wait("sent")
    print(store.entries, store.cursor)

Events have a name and data: login_ok, refused, sync_ok, pong, kick (messages),
entry (an Entry that is stored), sent (mark, msg_id, duplicate), unsent (mark,
why; the item stays in store.outbox), gap, lost. `client.retry()` says after an
end what is next. What breaks the spec raises ProtocolError with the rule's id;
then the connection is over, what came before it counts, and `retry()` says
when to come back. RuntimeError is a breach that the caller asked for.

Invariants: cursor and entries are committed together; nothing is acknowledged
before; an outbox item leaves only for SEND_OK, ERROR, or its own entry.
"""
import base64
import collections
import json
import os
import random
import secrets
import select
import socket
import time
import zlib

import roam_pb2 as pb

LOGIN, LOGOUT, SYNC, ACK, SEND, PING = range(1, 7)
(LOGIN_OK, REFUSED, KICK, SYNC_OK, PUSH, BATCH, SEND_OK, PONG,
 ERROR) = range(0x41, 0x4a)
FRAMES = {LOGIN: pb.Login, LOGOUT: pb.Logout, SYNC: pb.Sync, ACK: pb.Ack,
          SEND: pb.Send, PING: pb.Ping, LOGIN_OK: pb.LoginOk, KICK: pb.Kick,
          REFUSED: pb.Refused, SYNC_OK: pb.SyncOk, PUSH: pb.Push,
          BATCH: pb.Batch, SEND_OK: pb.SendOk, PONG: pb.Pong, ERROR: pb.Error}
V, TOP = 2 ** 63 - 1, 2 ** 24 - 1
FRAME_MIN, OVERHEAD, TABLE_MAX, TEXT_MAX = 512, 384, 1024, 64
PONG_WAIT_MS, BACKOFF_MS, BACKOFF_MAX_MS = 10000, 500, 60000
NEED = (1, None)
# Section 4: smallest and largest value, or length of text. 1 is "required".
BOUNDS = {
    "Login": dict(protocol=NEED, user=(1, 64), token=(1, 128),
                  device_id=(16, 16), device_type=(1, 6), device_name=(0, 64),
                  software=(0, 64), attempt=(1, V), take_over=(0, V),
                  max_frame=(512, TOP)),
    "Sync": dict(cursor=(0, V), max_unacked=(4, 100000),
                 max_inflated=(1024, TOP)),
    "Ack": dict(version=(1, V)),
    "Send": dict(client_msg_id=NEED, conversation=(1, 64),
                 content_type=(0, 64)),
    "LoginOk": dict(generation=(1, V), head=(0, V), floor=(0, V),
                    max_frame=(512, None), max_body=NEED, max_commands=NEED,
                    heartbeat_ms=(1000, None), dedup_ms=NEED),
    "Refused": dict(reason=NEED, retry=NEED, generation=(0, V)),
    "Holder": dict(device_name=(0, 64), since=(0, V)),
    "Kick": dict(reason=NEED, retry=NEED, generation=(0, V), detail=(0, 128)),
    "SyncOk": dict(result=(1, 3), head=(0, V), floor=(0, V)),
    "Push": dict(version=(1, V), prev_version=(0, V), msg_id=(0, V),
                 conversation=(0, 64), sender=(0, 64), content_type=(0, 64)),
    "Batch": dict(prev_version=(0, V), last_version=(1, V), count=NEED,
                  inflated_size=NEED, payload=(1, None)),
    "SendOk": dict(client_msg_id=NEED, msg_id=(1, V)),
    "Pong": dict(head=(0, V)),
    "Error": dict(code=NEED, retry=NEED, detail=(0, 128)),
}
# Sections 12.2 and 12.3: the retry class of each reason.
REFUSED_RETRY = dict(zip(range(1, 9), (4, 4, 4, 1, 3, 3, 3, 4)))
KICK_RETRY = dict(zip(range(1, 10), (4, 4, 4, 2, 2, 2, 1, 2, 2)))

Entry = collections.namedtuple("Entry", (
    "version prev_version kind msg_id conversation sender content_type "
    "cut_size client_msg_id body"))
Event = collections.namedtuple("Event", "what data")
Retry = collections.namedtuple("Retry", "action wait_ms")


class ProtocolError(Exception):
    """The peer broke the rule `rule`."""

    def __init__(self, rule, text):
        super().__init__("[%s] %s" % (rule, text))
        self.rule = rule


def check(good, rule, text):
    if not good:
        raise ProtocolError(rule, text)


def varint(data, at):
    value = shift = 0
    while True:
        check(at < len(data), "FRAME-9", "varint cut short")
        value |= (data[at] & 0x7f) << shift
        at, shift = at + 1, shift + 7
        check(shift <= 70 and value < 2 ** 64, "FRAME-9", "varint too long")
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """Yields number, wire type, value, and bytes in front of the value."""
    at = 0
    while at < len(data):
        start = at
        tag, at = varint(data, at)
        number, wire = tag >> 3, tag & 7
        check(0 < number < 2 ** 29 and wire in (0, 1, 2, 5), "FRAME-9",
              "bad tag %d" % tag)
        if wire == 0:
            value, at = varint(data, at)
            yield number, wire, value, 0
            continue
        size, at = varint(data, at) if wire == 2 else ({1: 8, 5: 4}[wire], at)
        check(size <= len(data) - at, "FRAME-9", "field %d is cut" % number)
        yield number, wire, data[at:at + size], at - start
        at += size


def utf8(raw):
    try:
        return b"\0" not in raw and raw.decode("utf-8") is not None
    except UnicodeDecodeError:
        return False


def scan(desc, data, bad):
    """Form only, which the library does not tell; bad: text that is not."""
    seen = set()
    for number, wire, value, _ in fields(data):
        field = desc.fields_by_number.get(number)
        if field is None:
            continue                                        # FRAME-12
        want = {field.TYPE_FIXED64: 1, field.TYPE_STRING: 2,
                field.TYPE_BYTES: 2, field.TYPE_MESSAGE: 2}.get(field.type, 0)
        check(wire == want and number not in seen, "FRAME-9", field.name)
        seen.add(number)
        if field.type == field.TYPE_UINT32:
            check(value < 2 ** 32, "FRAME-9", field.name)
        elif field.type == field.TYPE_ENUM:                 # an int32
            check((value + 2 ** 31) % 2 ** 64 < 2 ** 32, "FRAME-9", field.name)
        elif field.type == field.TYPE_MESSAGE:
            scan(field.message_type, value, bad)
        elif wire == 2:
            most = BOUNDS[desc.name].get(field.name, NEED)[1]
            check(most is None or len(value) <= most, "FRAME-9", field.name)
            if field.type == field.TYPE_STRING and not utf8(value):
                bad.append(field.name)


def in_range(message):
    for name, (least, most) in BOUNDS.get(message.DESCRIPTOR.name,
                                          {}).items():
        value = getattr(message, name)
        if isinstance(value, (str, bytes)):
            raw = value if isinstance(value, bytes) else value.encode()
            check(len(raw) >= least, "FRAME-11", name)
        elif most is None and least == 1:
            check(value != 0, "FRAME-11", name)
        else:
            check(value >= least and (most is None or value <= most),
                  "FRAME-11", name)


def decode(kind, payload):
    """One message, held against FRAME-9 to FRAME-12 and section 4."""
    cls, bad = FRAMES[kind], []
    scan(cls.DESCRIPTOR, payload, bad)
    check(not bad, "FRAME-10", ", ".join(bad))
    message = cls.FromString(payload)
    in_range(message)
    if kind in (REFUSED, KICK) and message.HasField("holder"):
        in_range(message.holder)
    if kind == SYNC_OK:
        check((message.result == pb.RESET) == (message.reason != 0),
              "FRAME-11", "reason belongs to RESET")
    if kind == BATCH:
        check(message.prev_version < message.last_version, "FRAME-11", "link")
    if kind == PUSH:
        check(message.prev_version < message.version, "FRAME-11", "link")
        check(not (message.cut_size and message.body), "FRAME-11", "cut")
        extra = (message.msg_id, message.conversation, message.sender)
        if message.kind == pb.MESSAGE:
            check(all(extra), "FRAME-11", "a MESSAGE without its fields")
        if message.kind == pb.NOOP:
            rest = (message.content_type, message.cut_size, message.body,
                    message.client_msg_id)
            check(not any(extra + rest), "FRAME-11", "a NOOP with fields")
    return message


def inflate(batch, codecs, max_inflated):
    check(batch.codec == 0 or 0 < batch.codec < 32
          and codecs >> batch.codec & 1, "BATCH-2", "codec not offered")
    check(batch.codec < 2, "BATCH-2", "unknown codec")
    check(batch.inflated_size <= max_inflated, "BATCH-2", "inflated_size")
    data = batch.payload
    if batch.codec == pb.CODEC_DEFLATE:
        engine = zlib.decompressobj(-15)
        try:                                                # BATCH-8
            data = engine.decompress(batch.payload, batch.inflated_size)
            rest = engine.decompress(engine.unconsumed_tail, 1)
        except zlib.error as error:
            raise ProtocolError("BATCH-7", str(error)) from None
        check(engine.eof and not rest and not engine.unused_data, "BATCH-7",
              "the stream does not end with the columns")
    check(len(data) == batch.inflated_size, "BATCH-7", "inflated_size")
    return data


def columns(data):
    """The columns by number; tables and bodies as they are."""
    table, out, last = {1: [], 2: [], 3: []}, {}, 0
    for number, wire, value, head in fields(data):
        check(number >= last, "BATCH-1", "columns out of order")
        last = number
        if number in table:
            check(wire == 2 and head == 2 and len(value) <= TEXT_MAX
                  and (value or number == 3) and utf8(value), "BATCH-7",
                  "bad table entry")
            table[number].append(value.decode())
        elif number <= 16:
            check(wire == 2 and number not in out, "BATCH-1", "column twice")
            out[number] = value
    for number in set(out) - {16}:
        raw, values, at = out[number], [], 0
        if number == 13:
            check(len(raw) % 8 == 0, "BATCH-7", "fixed64")
            values = [int.from_bytes(raw[i:i + 8], "little")
                      for i in range(0, len(raw), 8)]
        while number != 13 and at < len(raw):
            value, at = varint(raw, at)
            if number == 5:
                value = value >> 1 ^ -(value & 1)           # zigzag
            elif number == 9:
                value = (value + 2 ** 31) % 2 ** 64 - 2 ** 31
            check(number in (4, 5) or value < 2 ** 32, "BATCH-7", "width")
            values.append(value)
        out[number] = values
    return table, out


def sparse(rows, values, count):
    check(len(rows) == len(values) and all(values), "BATCH-7", "sparse column")
    check(rows == sorted(set(rows)) and not any(r >= count for r in rows),
          "BATCH-7", "rows do not rise")
    return dict(zip(rows, values))


def unpack(batch, codecs, max_inflated):
    """All entries of a checked BATCH, or ProtocolError. BATCH-7, BATCH-8."""
    try:
        table, col = columns(inflate(batch, codecs, max_inflated))
    except ProtocolError as error:
        raise ProtocolError(error.rule.replace("FRAME-9", "BATCH-7"),
                            "batch: %s" % error) from None
    n = batch.count
    # Rows that are 0 everywhere do not exist, so some column has n bytes.
    check(n <= batch.inflated_size, "BATCH-7", "count")
    for i in range(4, 12):
        check(len(col.setdefault(i, [0] * n)) == n, "BATCH-7", "column %d" % i)
    check(max(map(len, table.values())) <= min(n, TABLE_MAX), "BATCH-10", "")
    own = sparse(col.get(12, []), col.get(13, []), n)
    cut = sparse(col.get(14, []), col.get(15, []), n)
    bodies, at, when, rows = col.get(16, b""), 0, 0, []
    check(sum(col[11]) == len(bodies), "BATCH-7", "bodies")
    version = batch.prev_version
    for i in range(n):
        prev, version = version, version + col[4][i] + 1
        check(version <= batch.last_version, "BATCH-7", "chain")
        row = [col[j][i] for j in range(5, 12)]
        kind, size = row[4], row[6]
        check(not (i in cut and size), "BATCH-7", "cut row with a body")
        if kind == pb.NOOP:
            row[4] = 0
            check(not any(row) and i not in own and i not in cut,
                  "BATCH-7", "a NOOP with values")
            rows.append(Entry(version, prev, kind, 0, "", "", "", 0, 0, b""))
            continue
        when += row[0]
        check(0 <= when < 2 ** 41 and row[1] < 2 ** 22, "BATCH-7", "msg_id")
        text = []
        for number, index in ((1, row[2]), (2, row[3]), (3, row[5])):
            empty = number == 3 or kind != pb.MESSAGE
            if index == 0 and empty and not table[number]:
                text.append("")
                continue
            check(index < len(table[number]), "BATCH-7", "index")
            text.append(table[number][index])
        check(kind != pb.MESSAGE or when or row[1], "BATCH-7", "msg_id 0")
        rows.append(Entry(version, prev, kind, when << 22 | row[1], *text,
                          cut.get(i, 0), own.get(i, 0), bodies[at:at + size]))
        at += size
    check(version == batch.last_version, "BATCH-7", "chain")
    return rows


class Store:
    """What one installation keeps. One commit is one line of a file, so that
    after a crash all of it is there or nothing [CHAIN-7, LOGIN-2]."""

    def __init__(self, path=None):
        self.device_id, self.attempt, self.cursor = b"", 0, 0
        self.entries, self.outbox, self.sent = [], {}, {}
        self.missing, self.file = 0, None
        if path:
            self.file = open(path, "a+b")
            self.file.seek(0)
            whole = self.file.read()
            whole = whole[:whole.rfind(b"\n") + 1]
            self.file.truncate(len(whole))
            for line in whole.splitlines():
                self._apply(json.loads(line))
        if not self.device_id:
            self.new_device()

    def new_device(self):
        self.commit(device=secrets.token_hex(16), attempt=0)

    def commit(self, **change):
        if self.file:
            self.file.write(json.dumps(change).encode() + b"\n")
            self.file.flush()
            os.fsync(self.file.fileno())
        self._apply(change)

    def _apply(self, change):
        if "device" in change:
            self.device_id = bytes.fromhex(change["device"])
        self.attempt = change.get("attempt", self.attempt)
        self.cursor = change.get("cursor", self.cursor)
        self.missing += change.get("missing", 0)
        for item in change.get("entries", ()):
            entry = Entry(*item[:-1], base64.b64decode(item[-1]))
            self.entries.append(entry)
        for mark, *item in change.get("put", ()):
            self.outbox[mark] = tuple(item)
        for mark, msg_id in change.get("done", ()):
            item = self.outbox.pop(mark, None)
            if item and msg_id:
                self.sent[msg_id] = item[:3]


class Client:
    """One login of one device at a time: `connected()`, then bytes through
    `feed()` and `take_output()`, events through `next_event()`, time through
    `tick()`, the end of the connection through `lost()`."""

    def __init__(self, store, user, token, device_type, name="", max_frame=
                 65536, max_inflated=65536, max_unacked=1000, max_entries=
                 10000, codecs=2, eager_ack=True, clock=time.monotonic):
        self.store, self.user, self.token = store, user, token
        self.device_type, self.name = device_type, name
        self.max_frame, self.max_inflated = max_frame, max_inflated
        self.max_unacked, self.max_entries = max_unacked, max_entries
        self.codecs, self.eager_ack, self.clock = codecs, eager_ack, clock
        self.refusal = None         # what a person may answer with take_over()
        self.person = None          # the rule that asks for a person first
        self.failures, self.window_ms, self.reauthenticate = 0, 0, False
        self.rejected = (None, 0)   # cursor, batches rejected at it: BATCH-9
        self.state, self.events = "CLOSED", collections.deque()

    def connected(self):
        self.state, self.session, self._in = "OPEN", None, b""
        self._out, self.limit = bytearray(), FRAME_MIN
        self.inflight = self.acked = self.gaps = 0
        self.unanswered, self.fresh = collections.Counter(), set()
        self.pings, self.told, self.warned = [], 0, None
        self.heard = self.spoke = self.clock()

    def login(self, person=False, take_over=0):
        """LOGIN and SYNC. person: somebody asked for it just now."""
        if self.state != "OPEN":
            raise RuntimeError("LOGIN in state " + self.state)
        if self.person and not person:
            raise RuntimeError("[%s] a person must ask first" % self.person)
        self.person, self.refusal = None, None
        self.store.commit(attempt=self.store.attempt + 1)
        self.limit, self.state = self.max_frame, "LOGIN"
        self._frame(LOGIN, protocol=1, user=self.user, token=self.token,
                    device_id=self.store.device_id, max_frame=self.max_frame,
                    device_type=self.device_type, device_name=self.name,
                    attempt=self.store.attempt, take_over=take_over)
        self._sync()

    def take_over(self):
        """A person said yes to `refusal`: LOGIN-3."""
        if self.refusal is None:
            raise RuntimeError("[LOGIN-3] no refusal was shown")
        self.login(True, self.refusal.generation)

    def logout(self):
        self._in_session()
        self.state = "LEAVING"
        self._frame(LOGOUT)

    def sync(self):
        """Starts delivery anew from the stored cursor. SYNC-6, SYNC-10."""
        if self.state != "LIVE":
            raise RuntimeError("[SYNC-6] SYNC in state " + self.state)
        self._sync()
        self.state = "SYNC"

    def send(self, conversation, body, content_type="", mark=None):
        """Puts a message into the outbox and, in a session, on the wire."""
        mark = mark or secrets.randbelow(2 ** 64 - 1) + 1       # SEND-1
        item = [conversation, content_type, base64.b64encode(body).decode()]
        self.store.commit(put=[[mark, *item, 0]])
        self.flush()
        return mark

    def flush(self):
        """Sends what waits in the outbox and fits the server's limits."""
        if self.session is None or self.state not in ("SYNC", "LIVE"):
            return
        for mark, (conversation, ctype, body, first) in list(
                self.store.outbox.items()):
            if self.unanswered.total() >= self.session.max_commands:
                break                                           # SEND-12
            if mark in self.tried:
                continue
            self.tried.add(mark)
            now = int(time.time() * 1000)
            frame = pb.Send(client_msg_id=mark, conversation=conversation,
                            content_type=ctype, body=base64.b64decode(body))
            if first and now - first > self.session.dedup_ms:
                self._event("unsent", (mark, "SEND-14"))
            elif frame.ByteSize() > self.session.max_frame:
                self._event("unsent", (mark, "FRAME-3"))
            else:
                if not first:
                    self.fresh.add(mark)
                    self.store.commit(
                        put=[[mark, conversation, ctype, body, now]])
                self.unanswered[mark] += 1
                self._frame(SEND, frame)

    def ack(self):
        if self.inflight and self.state == "LIVE":
            self._frame(ACK, version=self.store.cursor)
            self.inflight = 0

    def ping(self):
        """A fence: entries up to the head in its PONG were stored before."""
        self._in_session()
        self.pings.append(secrets.randbits(63))
        self._frame(PING, id=self.pings[-1])
        return self.pings[-1]

    def tick(self):
        """TIME-1 and TIME-3; call it about once a second."""
        if self.session is None or self.state not in ("SYNC", "LIVE"):
            return
        now, beat = self.clock(), self.session.heartbeat_ms / 1000
        if self.warned is not None and self.heard <= self.warned:
            if now - self.warned >= PONG_WAIT_MS / 1000:
                self.lost()
        elif now - self.heard >= beat:
            self.warned = now
            self.ping()
        elif now - self.spoke >= beat * 0.9:
            self.ping()

    def lost(self):
        """The connection is gone, without KICK or after it."""
        if self.state not in ("CLOSED", "ENDED"):
            self.failures += 1
            self._event("lost", None)
        self.state, self.session = "CLOSED", None

    def retry(self):
        """What is next: "ask" a person, get a "credential", "login" on this
        connection, or "connect" after wait_ms and login()."""
        if self.person:
            return Retry("ask", 0)
        if self.reauthenticate:
            return Retry("credential", 0)
        if self.state == "OPEN":
            return Retry("login", 0)
        bound = min(BACKOFF_MAX_MS, BACKOFF_MS << min(self.failures, 8))
        return Retry("connect", max(random.randrange(bound + 1),
                                    random.randrange(self.window_ms + 1)))

    def next_event(self):
        return self.events.popleft() if self.events else None

    def take_output(self):
        data, self._out = bytes(self._out), bytearray()
        return data

    def feed(self, data):
        """Takes received bytes, in any split (FRAME-2)."""
        self._in += data
        self.heard = self.clock()
        try:
            while self.state not in ("CLOSED", "ENDED") and self._next():
                pass
        except ProtocolError:                                   # FRAME-14
            self.failures += 1
            self.state, self.session = "ENDED", None
            raise
        if self.eager_ack and self.state == "LIVE":
            self.ack()

    def _next(self):
        if len(self._in) < 4:
            return False
        kind, size = self._in[0], int.from_bytes(self._in[1:4], "big")
        check(size <= self.limit, "FRAME-5", "%d bytes" % size)
        if len(self._in) < 4 + size:
            return False
        payload, self._in = self._in[4:4 + size], self._in[4 + size:]
        if kind >= 0x80:
            return True                                         # FRAME-6
        handler = HANDLERS.get(kind)
        check(handler, "FRAME-1", "type 0x%02x" % kind)
        check(self.state in handler[1].split(), "FRAME-14",
              "type 0x%02x in state %s" % (kind, self.state))
        handler[0](self, decode(kind, payload))
        return True

    def _on_login_ok(self, m):
        check(m.floor <= m.head, "FRAME-14", "floor above head")
        self.session, self.state, self.tried = m, "SYNC", set()
        self._event("login_ok", m)
        self.flush()                                            # SEND-13

    def _on_refused(self, m):
        check(m.retry == REFUSED_RETRY.get(m.reason, m.retry), "KICK-6", "")
        if m.reason in (pb.OCCUPIED, pb.KICKED, pb.FREE, pb.STALE):
            check(m.generation and m.HasField("holder") ==
                  (m.reason != pb.FREE), "LOGIN-14", "generation, holder")
        elif m.reason in (pb.CREDENTIAL, pb.TOKEN_EXPIRED, pb.TYPE_FORBIDDEN):
            check(not m.generation and not m.HasField("holder"),
                  "LOGIN-8" if m.reason == pb.CREDENTIAL else "LOGIN-9", "")
        self.state = "OPEN"
        if m.reason == pb.STALE:
            self.store.new_device()                             # LOGIN-17
        elif m.generation:
            self.refusal, self.person = m, "LOGIN-18"
        else:
            self._class(m.retry)
        self._event("refused", m)

    def _on_kick(self, m):
        check(m.retry == KICK_RETRY.get(m.reason, m.retry), "KICK-6", "")
        if m.reason == pb.TAKEN_OVER:
            check(m.generation and m.HasField("holder"), "KICK-1", "")
        self.state, self.session = "ENDED", None
        self.failures += m.retry == pb.AFTER
        self._class(m.retry, m.retry_after_ms)
        self._event("kick", m)

    def _class(self, retry, window=0):
        self.reauthenticate = retry == pb.REAUTHENTICATE
        self.window_ms = window if retry == pb.AFTER else 0
        if retry not in (pb.NOW, pb.AFTER, pb.REAUTHENTICATE):
            self.person = "KICK-7"

    def _on_sync_ok(self, m):
        cursor = self.asked.cursor
        check(m.floor <= m.head, "FRAME-14", "floor above head")
        check((m.result == pb.UP_TO_DATE) == (cursor == m.head), "SYNC-2", "")
        check(m.result != pb.DELTA or m.floor <= cursor < m.head, "SYNC-3", "")
        check((m.reason == pb.AHEAD) == (cursor > m.head), "SYNC-4", "")
        if m.result == pb.RESET:
            self.store.commit(cursor=m.head, missing=1)         # SYNC-9
        self.state, self.inflight, self.failures = "LIVE", 0, 0
        self.window_ms = 0
        self._event("sync_ok", m)

    def _on_push(self, m):
        values = [getattr(m, name) for name in Entry._fields]
        self._apply([Entry(*values)])

    def _on_batch(self, m):
        if self.state == "SYNC":
            return                                              # SYNC-8
        try:
            rows = unpack(m, self.asked.codecs, self.asked.max_inflated)
            self._apply(rows)
        except ProtocolError:
            where, times = self.rejected
            times = times + 1 if where == self.store.cursor else 1
            self.rejected = self.store.cursor, times            # BATCH-9
            raise

    def _apply(self, rows):
        if self.state == "SYNC":
            return                                              # SYNC-8
        self.inflight += len(rows)
        check(self.inflight <= self.asked.max_unacked, "ACK-3", "")
        cursor, good = self.store.cursor, []
        for row in rows:
            if row.version <= cursor:
                continue                                        # CHAIN-5
            if row.prev_version != cursor:
                self._gap(row)
                return
            self._judge(row)
            good.append(row)
            cursor = row.version
        if not good:
            return
        done = [[r.client_msg_id, r.msg_id] for r in good if r.client_msg_id]
        self.store.commit(cursor=cursor, done=done, entries=[
            [*row[:-1], base64.b64encode(row.body).decode()] for row in good])
        self.gaps = 0
        for row in good:
            self._event("entry", row)
        if self.inflight >= self.asked.max_unacked // 2:        # ACK-2
            self.ack()

    def _judge(self, row):
        room = min(self.max_frame, self.asked.max_inflated) - OVERHEAD
        check(len(row.body) <= room and not 0 < row.cut_size <= room,
              "BATCH-4", "body %d, cut %d" % (len(row.body), row.cut_size))
        if row.kind == pb.MESSAGE:
            check(row.sender in (self.user, row.conversation), "PUSH-6", "")
        if row.client_msg_id:
            check(row.sender == self.user, "PUSH-4", "sender")
            check(row.client_msg_id not in self.fresh, "PUSH-2", "not a NOOP")

    def _gap(self, row):
        self.gaps += 1
        check(self.gaps < 2, "CHAIN-6", "entry %d behind a second gap at %d"
              % (row.version, self.store.cursor))
        self._event("gap", row)
        self.sync()

    def _answered(self, mark, msg_id):
        check(self.unanswered[mark] > 0, "SEND-2", "no such SEND")
        self.unanswered[mark] -= 1
        self.store.commit(done=[[mark, msg_id]])
        self.flush()

    def _on_send_ok(self, m):
        self._answered(m.client_msg_id, m.msg_id)
        self._event("sent", (m.client_msg_id, m.msg_id, m.duplicate))

    def _on_error(self, m):
        check(m.code >= 32, "SEND-2", "not an error of a command")
        self._answered(m.ref, 0)
        self._event("unsent", (m.ref, pb.ErrorCode.Name(m.code)
                               if m.code in pb.ErrorCode.values() else m.code))

    def _on_pong(self, m):
        check(m.id in self.pings, "PING-1", "no such PING")
        del self.pings[:self.pings.index(m.id) + 1]
        behind = self.told > self.store.cursor and m.head >= self.told
        self.told = m.head
        self._event("pong", m)
        if behind and self.state == "LIVE":                     # PING-3
            self.sync()

    def _in_session(self):
        if self.session is None or self.state not in ("SYNC", "LIVE"):
            raise RuntimeError("no session, state " + self.state)

    def _sync(self):
        where, times = self.rejected
        bad = times if where == self.store.cursor else 0
        self.asked = pb.Sync(
            cursor=self.store.cursor, max_unacked=self.max_unacked,
            max_entries=0 if bad > 1 else self.max_entries,
            max_inflated=self.max_inflated, codecs=0 if bad else self.codecs)
        self._frame(SYNC, self.asked)

    def _frame(self, kind, message=None, **values):
        payload = (message or FRAMES[kind](**values)).SerializeToString()
        self._out += bytes([kind]) + len(payload).to_bytes(3, "big") + payload
        self.spoke = self.clock()

    def _event(self, what, data):
        self.events.append(Event(what, data))


HANDLERS = {
    LOGIN_OK: (Client._on_login_ok, "LOGIN"),
    REFUSED: (Client._on_refused, "LOGIN"),
    KICK: (Client._on_kick, "OPEN LOGIN SYNC LIVE LEAVING"),
    SYNC_OK: (Client._on_sync_ok, "SYNC LEAVING"),
    PUSH: (Client._on_push, "SYNC LIVE LEAVING"),
    BATCH: (Client._on_batch, "SYNC LIVE LEAVING"),
    SEND_OK: (Client._on_send_ok, "SYNC LIVE LEAVING"),
    ERROR: (Client._on_error, "SYNC LIVE LEAVING"),
    PONG: (Client._on_pong, "SYNC LIVE LEAVING"),
}


class Wire:
    """A client on a TCP connection without TLS; with TLS wrap `sock`."""

    def __init__(self, client, address):
        self.client = client
        self.sock = socket.create_connection(address, 10)
        client.connected()

    def step(self, timeout=0.0):
        """Moves bytes once; False when nothing came in time."""
        try:
            self.sock.sendall(self.client.take_output())
            if not select.select([self.sock], [], [], timeout)[0]:
                return False
            data = self.sock.recv(65536)
        except OSError:
            data = b""
        if data:
            self.client.feed(data)
        else:
            self.client.lost()
        return True

    def wait(self, *names, timeout=10.0):
        """The next event of these names; the ones before it are passed."""
        until = time.monotonic() + timeout
        while True:
            event = self.client.next_event()
            if event and event.what in names:
                return event
            if event is None:
                left = until - time.monotonic()
                if self.client.state == "CLOSED" or left <= 0:
                    raise TimeoutError("%s did not come" % "/".join(names))
                self.step(left)

    def close(self):
        self.sock.close()
        self.client.lost()
