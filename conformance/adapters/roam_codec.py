# SPDX-License-Identifier: Apache-2.0
"""What a server of Roam 1 may send, and nothing else: frames and batches.

`decode` takes one payload, `unpack` a whole Batch; both hold it against the
spec and raise ProtocolError with the id of the rule that it breaks. The
library (roam_pb2, made by protoc) reads the fields; what it lets pass, such as
a field twice or a number too wide, is found here first."""
import collections
import zlib

from google.protobuf.message import DecodeError

import roam_pb2 as pb

SERVER = (pb.LoginOk, pb.Refused, pb.Kick, pb.SyncOk, pb.Push, pb.Batch,
          pb.SendOk, pb.Pong, pb.Error)
V, NEED, NAME, NOTE = (0, 2**63 - 1), (1, 2**64 - 1), (0, 64), (0, 128)
SHOWN = (0, 48)
VERSION = (1, V[1])
# Section 4: smallest and largest value, or bytes of text.
BOUNDS = {
    "LoginOk": dict(generation=VERSION, head=V, floor=V, dedup_ms=NEED,
                    max_frame=(512, 2**32), max_body=NEED, max_commands=NEED,
                    heartbeat_ms=(1000, 2**32)),
    "Refused": dict(reason=NEED, retry=NEED, generation=V),
    "Holder": dict(device_name=NAME, since=V),
    "Kick": dict(reason=NEED, retry=NEED, generation=V, detail=NOTE),
    "SyncOk": dict(result=(1, 3), head=V, floor=V, max_unacked=(0, 100000)),
    "Push": dict(version=VERSION, prev_version=V, msg_id=V, conversation=NAME,
                 sender=NAME, content_type=NAME, conversation_name=SHOWN,
                 sender_name=SHOWN),
    "Batch": dict(prev_version=V, last_version=VERSION, count=NEED,
                  inflated_size=NEED, payload=NEED),
    "SendOk": dict(client_msg_id=NEED, msg_id=VERSION, conversation=NAME),
    "Pong": dict(head=V),
    "Error": dict(code=NEED, retry=NEED, detail=NOTE)}
# Section 12: the retry class of each reason.
RETRY = {pb.Refused: dict(enumerate((4, 4, 4, 1, 3, 3, 3, 4, 3,
                                           2), 1)),
         pb.Kick: dict(enumerate((4, 4, 4, 2, 2, 2, 1, 2, 2, 3, 3, 1, 2),
                                 1))}
Entry = collections.namedtuple("Entry", [
    field.name for field in pb.Push.DESCRIPTOR.fields])


class ProtocolError(Exception):
    def __init__(self, rule, text):
        super().__init__("[%s] %s" % (rule, text))
        self.rule = rule


def check(good, rule, text=""):
    if not good:
        raise ProtocolError(rule, text)


def varint(data, at):
    value = shift = 0
    while True:
        check(at < len(data) and shift < 70, "FRAME-9", "varint")
        value |= (data[at] & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            check(value < 2**64, "FRAME-9", "varint of 65 bits")
            return value, at


def fields(data):
    """Yields number, wire type and value of all that is in a message."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        wire = tag & 7
        check(0 < tag >> 3 < 2**29 and wire in (0, 1, 2, 5), "FRAME-9", "tag")
        value, at = varint(data, at) if wire in (0, 2) else (0, at)
        if wire:
            size = value if wire == 2 else {1: 8, 5: 4}[wire]
            check(size <= len(data) - at, "FRAME-9", "cut short")
            value, at = data[at:at + size], at + size
        yield tag >> 3, wire, value


def scan(desc, data, faults):
    """FRAME-9, on which the library is silent; collects later faults."""
    seen = set()
    for number, wire, value in fields(data):
        field = desc.fields_by_number.get(number)
        if field is None:
            continue                                            # FRAME-12
        want = {field.TYPE_STRING: 2, field.TYPE_BYTES: 2,
                field.TYPE_MESSAGE: 2, field.TYPE_FIXED64: 1}
        check(wire == want.get(field.type, 0) and number not in seen,
              "FRAME-9", field.name)
        seen.add(number)
        if field.message_type:
            scan(field.message_type, value, faults)
        elif field.cpp_type == field.CPPTYPE_STRING:
            most = BOUNDS[desc.name].get(field.name, NEED)[1]
            check(len(value) <= most, "FRAME-9", field.name)
            if field.type == field.TYPE_STRING and not utf8(value):
                faults.append(field.name)
        elif field.cpp_type == field.CPPTYPE_UINT32:
            check(value < 2**32, "FRAME-9", field.name)
        elif field.cpp_type == field.CPPTYPE_ENUM:              # an int32
            check((value + 2**31) % 2**64 < 2**32, "FRAME-9", field.name)


def utf8(raw):
    try:
        return b"\0" not in raw and raw.decode() is not None
    except UnicodeDecodeError:
        return False


def in_range(message):
    for name, (least, most) in BOUNDS[message.DESCRIPTOR.name].items():
        value = getattr(message, name)
        value = len(value) if isinstance(value, (str, bytes)) else value
        check(least <= value <= most, "FRAME-11", name)


def decode(cls, payload):
    """One message of a server, held against section 4."""
    faults = []
    scan(cls.DESCRIPTOR, payload, faults)
    check(not faults, "FRAME-10", faults)
    m = cls.FromString(payload)
    in_range(m)
    if cls in RETRY:
        in_range(m.holder)
        check(RETRY[cls].get(m.reason, m.retry) == m.retry, "KICK-6")
    elif cls is pb.SyncOk:
        check((m.result == pb.RESET) == (m.reason != 0) and
              m.max_unacked not in (1, 2, 3), "FRAME-11", "SYNC_OK")
    elif cls is pb.Batch:
        check(m.prev_version < m.last_version, "FRAME-11", "link")
    elif cls is pb.Push:
        check(m.prev_version < m.version, "FRAME-11", "link")
        check(not (m.cut_size and m.body), "FRAME-11", "cut_size")
        check(m.kind == pb.NOOP or m.kind not in pb.Kind.values() or
              m.msg_id and m.conversation and m.sender, "FRAME-11", "entry")
        check(not m.recalled or not (m.kind or m.body or m.cut_size or
              m.content_type), "FRAME-11", "recalled")
        check(m.kind != pb.NOOP or all(f.number <= 3 for f, _ in
                                       m.ListFields()), "FRAME-11", "NOOP")
    return m


def inflate(batch, codecs, max_inflated):
    data, codec = batch.payload, batch.codec
    check(codec in (0, 1) and (codecs | 1) >> codec & 1, "BATCH-2", "codec")
    check(batch.inflated_size <= max_inflated, "BATCH-2", "inflated_size")
    if codec == pb.CODEC_DEFLATE:
        engine = zlib.decompressobj(-15)
        try:                                                    # BATCH-8
            data = engine.decompress(data, batch.inflated_size)
            more = engine.decompress(engine.unconsumed_tail, 1)
        except zlib.error as error:
            raise ProtocolError("BATCH-7", str(error)) from None
        check(engine.eof and not more + engine.unused_data, "BATCH-7", "end")
    check(len(data) == batch.inflated_size, "BATCH-7", "inflated_size")
    return data


def sparse(rows, values, count):
    check(len(rows) == len(values) and all(values)
          and all(a < b for a, b in zip(rows, rows[1:] + [count])),
          "BATCH-7", "sparse column")
    return dict(zip(rows, values))


def unpack(batch, codecs, max_inflated):
    """All entries of a Batch, or ProtocolError: BATCH-7, BATCH-8."""
    data, n = inflate(batch, codecs, max_inflated), batch.count
    try:
        for number, wire, value in fields(data):    # the library takes groups
            check(number > 3 or wire != 2 or utf8(value), "BATCH-7", "text")
        c = pb.Columns.FromString(data)
    except (ProtocolError, DecodeError) as error:
        raise ProtocolError("BATCH-7", str(error)) from None
    # Order, packing, width and number of fields: BATCH-1 leaves one form.
    check(c.SerializeToString() == data, "BATCH-1", "not canonical")
    tables = c.conversations, c.senders, c.content_types
    names = c.conversation_names, c.sender_names
    check(all(len(table) <= min(n, 1024) for table in tables), "BATCH-10")
    for table, least, most in zip((*tables, *names), (1, 1, 0, 0, 0),
                                  (64, 64, 64, 48, 48)):
        check(all(least <= len(text.encode()) <= most for text in table),
              "BATCH-7", "table")
    check(all(len(shown) in (0, len(table)) for shown, table in
              zip(names, tables)), "BATCH-7", "names")
    check(not (c.read_mark or c.unread or c.role), "BATCH-1", "state")
    # Rows that are 0 in every column do not exist, so one has n bytes.
    check(n <= len(data), "BATCH-7", "count")
    cols = [c.version_gap, c.time_delta, c.id_rest, c.conversation, c.sender,
            c.kind, c.content_type, c.body_length]
    check(all(len(col) in (0, n) for col in cols), "BATCH-7", "column")
    cols = [list(col) or [0] * n for col in cols]
    own = sparse(list(c.own_row), c.own_client_msg_id, n)
    cut = sparse(list(c.cut_row), c.cut_size, n)
    recalled = sparse(list(c.recalled_row), [1] * len(c.recalled_row), n)
    check(sum(cols[7]) == len(c.bodies), "BATCH-7", "bodies")
    version, when, at, rows = batch.prev_version, 0, 0, []
    for i, (gap, delta, rest, conv, who, kind, ctype, size) in enumerate(
            zip(*cols)):
        prev, version = version, version + gap + 1
        when, own_id, left_out = when + delta, own.get(i, 0), cut.get(i, 0)
        text = []
        if kind == pb.NOOP:
            check(not (delta or rest or conv or who or ctype or size or own_id
                       or left_out or i in recalled), "BATCH-7", "NOOP")
            rows.append(Entry(version, prev, 1, 0, "", "", "", 0, 0, b"",
                              False, "", ""))
            continue
        known = kind in pb.Kind.values()
        for table, index in zip(tables, (conv, who, ctype)):
            none = not table and (table is tables[2] or not known)
            check(index < len(table) + none, "BATCH-7", "index")
            text.append("" if none else table[index])
        msg_id = (when << 22) + rest
        check(0 <= when < 2**41 and rest < 2**22 and (not known or
              msg_id and not (size and left_out)), "BATCH-7", "row")
        check(i not in recalled or not (kind or size or left_out or text[2]),
              "BATCH-7", "recalled")
        rows.append(Entry(version, prev, kind, msg_id, *text, left_out, own_id,
                          c.bodies[at:at + size], i in recalled,
                          names[0][conv] if names[0] else "",
                          names[1][who] if names[1] else ""))
        at += size
    check(version == batch.last_version, "BATCH-7", "chain")
    return rows
