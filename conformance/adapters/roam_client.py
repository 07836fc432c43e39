# SPDX-License-Identifier: Apache-2.0
"""A client of Roam 1, written from spec/roam-1.md and proto/roam.proto alone.

Needs roam_pb2, made by protoc, and does no I/O: tell it of a transport by
connected(), feed() and lost(), send what take_output() gives, take `events`:
login_ok, refused, sync_ok, kick, pong with the frame; entry with a Push; sent
with mark, msg_id, duplicate; unsent with mark, ErrorCode. Refuse: the server
broke a rule, its frame changed nothing, the connection is over. RuntimeError:
the caller did. roam_sdk.py adds pages, and what takes a clock (section 9)."""
from collections import Counter, deque
import secrets
import zlib

from google.protobuf.descriptor import FieldDescriptor as Field
import roam_pb2 as pb

# Sections 3, 10.2, 4.2: what a server sends, when, and what that requires.
SESSION = ("SYNC", "LIVE", "LEAVING")
FRAMES = {
    0x41: (pb.LoginOk, ("LOGIN",), "generation max_frame max_body "
                                   "max_commands heartbeat_ms dedup_ms"),
    0x42: (pb.Refused, ("LOGIN",), "reason retry"),
    0x43: (pb.Kick, ("OPEN", "LOGIN", *SESSION), "reason retry"),
    0x44: (pb.SyncOk, ("SYNC", "LEAVING"), "result"),
    0x45: (pb.Push, SESSION, "version"),
    0x46: (pb.Batch, SESSION, ""),
    0x47: (pb.SendOk, SESSION, "client_msg_id msg_id"),
    0x48: (pb.Pong, SESSION, ""),
    0x49: (pb.Error, SESSION, "code retry ref"),
    0x4a: (pb.HistoryPage, SESSION, "ref"),
    0x4b: (pb.ConversationPage, SESSION, "ref")}
CLIENT = (pb.Login, pb.Logout, pb.Sync, pb.Ack, pb.Send, pb.Ping, pb.History,
          pb.Conversations)
# Sections 4.2 and 8.1: wire types; least and most of a number, or of bytes.
WIRE = {Field.TYPE_FIXED64: 1, Field.TYPE_STRING: 2, Field.TYPE_BYTES: 2,
        Field.TYPE_MESSAGE: 2}
LEAST = dict(max_frame=512, heartbeat_ms=1000, conversations=1, senders=1)
MOST = {Field.TYPE_UINT64: 2**63 - 1, Field.TYPE_STRING: 64, "result": 3,
        "max_unacked": 100000, "detail": 128, "conversation_name": 48,
        "sender_name": 48, "conversation_names": 48, "sender_names": 48}
MOST |= dict.fromkeys(("dedup_ms", "capabilities", "timeline_ms", "history_ms",
                       "recall_ms", "id", "time_delta"), 2**64 - 1)
STAYS = {pb.NEVER: "KICK-7", pb.REAUTHENTICATE: "KICK-11"}      # CODE-1


class Refuse(Exception):
    pass


def check(good, rule, text=""):
    if not good:
        raise Refuse("[%s] %s" % (rule, text))


def varint(data, at):
    value = 0
    for i, byte in enumerate(data[at:at + 10]):
        value |= (byte & 127) << 7 * i
        if byte < 128 and value < 2**64:
            return value, at + i + 1
    raise Refuse("[FRAME-9] varint")


def wire_fields(data):
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        check(8 <= tag < 2**32 and tag & 7 in (0, 1, 2, 5), "FRAME-9", "tag")
        value, at = varint(data, at) if tag & 7 in (0, 2) else (0, at)
        size = {0: 0, 1: 8, 2: value, 5: 4}[tag & 7]
        check(size <= len(data) - at, "FRAME-9", "truncated")
        yield tag >> 3, tag & 7, data[at:at + size] if tag & 7 else value
        at += size


def parse(kind, data):
    """The message, if its fields are as FRAME-9 to 11 and BATCH-11 say."""
    columns, seen = kind is pb.Columns, [0]
    for number, wire, value in wire_fields(data):
        seen.append(number)
        field = kind.DESCRIPTOR.fields_by_number.get(number)
        if field is None:                                       # FRAME-12
            continue
        name, form = field.name, WIRE.get(field.type, 0)
        text = field.type == Field.TYPE_STRING
        check(wire == (2 if columns else form), "FRAME-9", name)
        check(columns and text or seen.count(number) == 1, "FRAME-9", name)
        check(not columns or number >= seen[-2], "BATCH-11", name)
        check(form != 1 or len(value) % 8 == 0, "FRAME-9", name)
        sizes, at = [len(value) if wire else value], 0
        if columns and form == 0:
            sizes.clear()
            while at < len(value):
                size, at = varint(value, at)
                sizes.append(size)
        check(sizes and min(sizes) >= LEAST.get(name, 0) and max(sizes) <=
              MOST.get(name, MOST.get(field.type, 2**32 - 1)),
              "FRAME-11", name)
        check(not text or "\0" not in value.decode(), "FRAME-10", name)
        if field.type == Field.TYPE_MESSAGE:
            parse(pb.Holder, value)
    return kind.FromString(data)


def check_entry(m):
    """What a PUSH and a row of a batch have in common: section 4.2."""
    check(m.prev_version < m.version, "CHAIN-1", m.version)
    if m.kind == pb.NOOP:
        check(m.ListFields()[-1][0].name == "kind", "FRAME-11", "NOOP")
    elif m.kind in pb.Kind.values():
        check(m.msg_id and m.conversation and m.sender, "FRAME-11", m.version)
    check(not m.cut_size or not m.body, "BATCH-4", m.version)
    check(not m.recalled or not (m.kind or m.content_type or m.cut_size
                                 or m.body), "FRAME-11", "recalled")


def inflate(m, asked):
    """The columns of a batch: BATCH-2, BATCH-8."""
    check(m.codec == 0 or m.codec == 1 and asked.codecs & 2, "BATCH-2")
    check(0 < m.inflated_size <= asked.max_inflated, "BATCH-2", "size")
    data = m.payload
    if m.codec:
        z = zlib.decompressobj(-15)
        data = z.decompress(m.payload, m.inflated_size + 1)
        check(z.eof and not z.unused_data, "BATCH-7", "deflate")
    check(len(data) == m.inflated_size, "BATCH-7", "size")
    return parse(pb.Columns, data)


def unpack(m, c):
    """The entries of a batch, all of them or none: BATCH-7."""
    texts, sparse, rows = [], [], []
    check(0 < m.count <= m.inflated_size, "BATCH-7", "count")
    check(not (c.read_mark or c.unread or c.role), "BATCH-1", "of a list")
    for table, names, index in (
            (c.conversations, c.conversation_names, c.conversation),
            (c.senders, c.sender_names, c.sender),
            (c.content_types, [], c.content_type)):
        check(len(table) <= min(m.count, 1024), "BATCH-10")
        check(len(names) in (0, len(table)), "BATCH-7", "names")
        check(max(index, default=0) < max(len(table), 1), "BATCH-7", "index")
        names = names or [""] * len(table)
        texts.append(list(zip(table, names)) or [("", "")])
    for which, values in ((c.own_row, c.own_client_msg_id),
                          (c.cut_row, c.cut_size),
                          (c.recalled_row, [True] * len(c.recalled_row))):
        check(list(which) == sorted({*which} & {*range(m.count)})
              and len(which) == len(values) and all(values), "BATCH-7", "row")
        sparse.append(dict(zip(which, values)))
    dense = [column or [0] * m.count for column in (
        c.version_gap, c.kind, c.time_delta, c.id_rest, c.conversation,
        c.sender, c.content_type, c.body_length)]
    check({len(column) for column in dense} == {m.count}, "BATCH-7", "column")
    check(m.prev_version + sum(dense[0]) + m.count == m.last_version
          and sum(dense[7]) == len(c.bodies), "BATCH-7", "chain or bodies")
    version, ticks, at = m.prev_version, 0, 0
    for i, (gap, kind, *others) in enumerate(zip(*dense)):
        row = pb.Push(version=version + gap + 1, prev_version=version,
                      kind=kind, client_msg_id=sparse[0].get(i, 0),
                      cut_size=sparse[1].get(i, 0), recalled=i in sparse[2])
        version = row.version
        if kind == pb.NOOP:
            check(not any(others), "BATCH-7", "NOOP")
        else:
            delta, rest, conversation, sender, form, size = others
            ticks += delta
            check(0 <= ticks < 2**41 and rest < 2**22, "BATCH-7", "msg_id")
            row.msg_id = ticks << 22 | rest
            row.conversation, row.conversation_name = texts[0][conversation]
            row.sender, row.sender_name = texts[1][sender]
            row.content_type, _ = texts[2][form]
            row.body = c.bodies[at:at + size]
            at += size
        check_entry(row)
        rows.append(row)
    return rows


class Store:
    """What one installation keeps. A commit is all or nothing: CHAIN-7."""
    def __init__(self):
        self.device_id, self.attempt = secrets.token_bytes(16), 0
        self.cursor, self.entries, self.missing = 0, [], 0
        self.outbox, self.sent = {}, {}     # mark, msg_id: SEND

    def commit(self, entries=(), done=(), **values):
        vars(self).update(values)
        self.entries += entries
        own = [(row.client_msg_id, row.msg_id) for row in entries]
        for mark, msg_id in [*done, *own]:                      # SEND-15
            frame = self.outbox.pop(mark, None)
            if frame and msg_id:
                self.sent[msg_id] = frame


class Client:
    def __init__(self, store, user, token, device_type, max_frame=65536,
                 **limits):
        self.store, self.max_frame = store, max_frame
        self.who = dict(protocol=1, user=user, token=token,
                        device_name="python", device_type=device_type)
        self.limits = dict(max_entries=10000, max_unacked=1000, codecs=2,
                           max_inflated=65536) | limits
        self.refusal = self.person = None   # person: rule that asks for one
        self.rejected, self.events, self.state = Counter(), deque(), "CLOSED"

    def connected(self):
        self.state, self.session, self._in, self._out = "OPEN", None, b"", b""
        self.limit, self.gaps, self.pings, self.flight = 512, 0, [], []
        self.open, self.tried, self.at = set(), set(), self.store.cursor

    def login(self, person=False, take_over=0):
        """LOGIN and SYNC; person: somebody asked for it just now."""
        self._must(self.state == "OPEN", "LOGIN-4")
        self._must(person or not self.person, self.person)
        self.person, self.refusal, self.limit = None, None, self.max_frame
        self.store.commit(attempt=self.store.attempt + 1)       # LOGIN-2
        self._frame(pb.Login(
            device_id=self.store.device_id, attempt=self.store.attempt,
            take_over=take_over, max_frame=self.max_frame, **self.who))
        self._sync("LOGIN")

    def take_over(self):
        self._must(self.refusal, "LOGIN-3")
        self.login(True, self.refusal.generation)

    def logout(self):
        self._frame(pb.Logout(), "SYNC", "LIVE")
        self.state, self.person = "LEAVING", "KICK-12"

    def sync(self):
        self._must(self.state == "LIVE", "SYNC-6")
        self._sync("SYNC")

    def send(self, conversation, body, content_type="", kind=pb.MESSAGE):
        mark = secrets.randbelow(2**64 - 1) + 1                 # SEND-1
        self.store.outbox[mark] = pb.Send(
            client_msg_id=mark, conversation=conversation, kind=kind,
            content_type=content_type, body=body)
        self.store.commit()
        self.flush()
        return mark

    def flush(self):
        """Sends what waits, each once a session: SEND-12, SEND-13."""
        for mark, frame in self.store.outbox.items():
            if (self.state not in ("SYNC", "LIVE") or mark in self.tried
                    or len(self.open) >= self.session.max_commands):
                continue
            self.tried.add(mark)
            if frame.ByteSize() > self.session.max_frame:
                self.events.append(("unsent", mark, pb.BODY_TOO_LONG))
            else:
                self.open.add(mark)
                self._frame(frame)

    def ack(self, least=1):
        """Tells what is stored, if that is at least so many entries."""
        left = [v for v in self.flight if v > self.store.cursor]
        if self.state == "LIVE" and len(self.flight) - len(left) >= least:
            self._frame(pb.Ack(version=self.store.cursor))
            self.flight = left

    def ping(self):
        """A fence: what is below the PONG's head was stored before it."""
        self.pings.append(secrets.randbits(63))
        self._frame(pb.Ping(id=self.pings[-1]), "SYNC", "LIVE")

    def lost(self):
        self.state = "CLOSED"

    def take_output(self):
        data, self._out = self._out, b""
        return data

    def feed(self, data):
        self._in += data
        try:
            while self.state not in ("CLOSED", "ENDED") and self._next():
                pass
        except (Refuse, UnicodeError, zlib.error) as error:     # FRAME-14
            self.state = "ENDED"
            raise Refuse(str(error)) from error

    def _next(self):
        size = int.from_bytes(self._in[1:4], "big")
        if len(self._in) < 4 or len(self._in) < 4 + size <= 4 + self.limit:
            return False
        frame, self._in = self._in[:4 + size], self._in[4 + size:]
        check(size <= self.limit, "FRAME-5", size)
        kind, states, needs = FRAMES.get(frame[0], (None, (), ""))
        check(kind or frame[0] & 0x80, "FRAME-14", "type %d" % frame[0])
        if kind is not None:                                    # FRAME-6
            m = parse(kind, frame[4:])
            take = getattr(self, "_on_" + kind.__name__, None)
            check(take and self.state in states, "FRAME-14", kind.__name__)
            check(all(getattr(m, name) for name in needs.split()), "FRAME-11")
            take(m)
        return True

    def _on_LoginOk(self, m):
        check(m.floor <= m.head, "FRAME-14", "floor above head")
        self.session, self.state = m, "SYNC"
        self.events.append(("login_ok", m))
        self.flush()                                            # SEND-13

    def _on_Refused(self, m):
        check(m.reason not in (pb.OCCUPIED, pb.KICKED, pb.STALE) or
              m.generation and m.HasField("holder"), "LOGIN-14", m.reason)
        self.state = "OPEN"
        if m.reason == pb.STALE:                                # LOGIN-17
            self.store.commit(device_id=secrets.token_bytes(16), attempt=0)
        self.refusal = m if m.reason <= pb.FREE else None
        self.person = "LOGIN-18" if m.retry == pb.NEVER else STAYS.get(m.retry)
        self.events.append(("refused", m))

    def _on_Kick(self, m):
        check(m.reason != pb.TAKEN_OVER or m.generation and
              m.HasField("holder"), "KICK-1")
        self.state = "ENDED"
        self.person = self.person or STAYS.get(m.retry)
        self.events.append(("kick", m))

    def _on_SyncOk(self, m):
        cursor = self.asked.cursor
        check((m.result == pb.RESET) == (m.reason > 0) and m.floor <= m.head
              and m.max_unacked not in (1, 2, 3), "FRAME-14", "SYNC_OK")
        check((m.result == pb.UP_TO_DATE) == (cursor == m.head), "SYNC-2")
        check(m.result != pb.DELTA or m.floor <= cursor < m.head, "SYNC-3")
        check((m.reason == pb.AHEAD) == (cursor > m.head), "SYNC-4")
        self.window = min(m.max_unacked or 2**32, self.asked.max_unacked)
        if m.result == pb.RESET:                                # SYNC-9
            self.at = m.head
            self.store.commit(cursor=m.head, missing=self.store.missing + 1)
        self.state = "LIVE" if self.state == "SYNC" else self.state
        self.flight = []
        self.events.append(("sync_ok", m))

    def _on_Push(self, m):
        check_entry(m)
        if self.state != "SYNC":                                # SYNC-8
            self._apply([m])

    def _on_Batch(self, m):
        if self.state != "SYNC":                                # SYNC-8
            self.rejected[self.store.cursor] += 1               # BATCH-9
            rows = unpack(m, inflate(m, self.asked))
            self.rejected[self.store.cursor] -= 1
            self._apply(rows)

    def _apply(self, rows):
        self.flight += [row.version for row in rows]
        check(len(self.flight) <= self.window, "ACK-3")
        rows = [row for row in rows if row.version > self.at]   # CHAIN-5
        if rows and rows[0].prev_version != self.at:            # CHAIN-6
            self.gaps += 1
            check(self.gaps < 2, "CHAIN-6", rows[0].version)
            return self.sync() if self.state == "LIVE" else None
        if rows:
            self.gaps, self.at = 0, rows[-1].version
            self.store.commit(rows, cursor=self.at)
            self.events.extend(("entry", row) for row in rows)
        self.ack(self.window // 2)                              # ACK-2

    def _answered(self, mark, name, result, *more):
        check(mark in self.open, "SEND-2", "no such command")
        self.open.discard(mark)
        self.store.commit(done=[(mark, result if name == "sent" else 0)])
        self.events.append((name, mark, result, *more))
        self.flush()

    def _on_SendOk(self, m):
        self._answered(m.client_msg_id, "sent", m.msg_id, m.duplicate)

    def _on_Error(self, m):
        check(m.code >= 32, "SEND-2", "no error of a command")
        self._answered(m.ref, "unsent", m.code)

    def _on_Pong(self, m):
        check(m.id in self.pings, "PING-1", "no such PING")
        del self.pings[:self.pings.index(m.id) + 1]
        self.events.append(("pong", m))

    def _sync(self, state):
        self.state, times = state, self.rejected[self.store.cursor]
        self.asked = pb.Sync(cursor=self.store.cursor, **self.limits)
        if times:                                               # BATCH-9
            self.asked.codecs = 0
            self.asked.max_entries *= times < 2
        self._frame(self.asked)

    def _frame(self, m, *states):
        self._must(not states or self.state in states, "FRAME-8")
        data = m.SerializeToString()
        self._out += bytes([CLIENT.index(type(m)) + 1])
        self._out += len(data).to_bytes(3, "big") + data

    def _must(self, good, rule):
        if not good:
            raise RuntimeError("[%s] in state %s" % (rule, self.state))
