# SPDX-License-Identifier: Apache-2.0
"""A second reading of sections 3, 4 and 8 of the spec, by the stock protobuf
library and zlib: what may come in a frame, a batch or a page, written down
once more. Nothing here comes from the C code, or from the client in Python.

`decode` takes a frame, `inflate` and `unpack` what a Batch or a page packs;
each raises Refuse with the word for what is wrong. check.py holds the vectors
against it. Needs roam_pb2, made by protoc, on the path."""
import zlib

import roam_pb2 as pb

V = 2**63 - 1
U32 = 2**32 - 1
U64 = 2**64 - 1

# Type, message, and its fields: number -> (least, most). Of text and bytes
# the lengths are meant; more than `most` of these is MALFORMED.
MESSAGES = {
    0x01: (pb.Login, {1: (1, U32), 2: (1, 64), 3: (1, 128), 4: (16, 16),
                      5: (1, 6), 6: (0, 64), 7: (0, 64), 8: (1, V), 9: (0, V),
                      10: (512, 2**24 - 1), 11: (0, U32), 12: (0, U64)}),
    0x02: (pb.Logout, {}),
    0x03: (pb.Sync, {1: (0, V), 2: (0, U32), 3: (4, 100000),
                     4: (1024, 2**24 - 1), 5: (0, U32)}),
    0x04: (pb.Ack, {1: (1, V)}),
    0x05: (pb.Send, {1: (1, U64), 2: (1, 64), 3: (0, U32), 4: (0, 64),
                     5: (0, U32)}),
    0x06: (pb.Ping, {1: (0, U64)}),
    0x07: (pb.History, {1: (1, U64), 2: (1, 64), 3: (0, V), 4: (0, V),
                        5: (1, 1000), 6: (1024, 2**24 - 1), 7: (0, U32),
                        8: (0, U32)}),
    0x08: (pb.Conversations, {1: (1, U64), 2: (0, V), 3: (0, 64),
                              4: (1, 1000), 5: (1024, 2**24 - 1),
                              6: (0, U32)}),
    0x09: (pb.Members, {1: (1, U64), 2: (1, 64), 3: (0, 64), 4: (1, 1000)}),
    0x0a: (pb.Sessions, {1: (1, U64), 2: (0, 6)}),
    0x0b: (pb.EndSession, {1: (1, U64), 2: (1, 6), 3: (1, V)}),
    0x41: (pb.LoginOk, {1: (1, V), 2: (0, V), 3: (0, V), 4: (512, U32),
                        5: (1, U32), 6: (1, U32), 7: (1000, U32),
                        8: (1, U64), 9: (0, U32), 10: (0, U64), 11: (0, U64),
                        12: (0, U32), 13: (0, U64), 14: (0, U64),
                        15: (0, U32)}),
    0x42: (pb.Refused, {1: (1, U32), 2: (1, U32), 3: (0, V), 4: None,
                        5: (0, U32), 6: (0, U32), 7: (0, U32)}),
    0x43: (pb.Kick, {1: (1, U32), 2: (1, U32), 3: (0, U32), 4: (0, V),
                     5: None, 6: (0, U32), 7: (0, 128)}),
    0x44: (pb.SyncOk, {1: (1, 3), 2: (0, V), 3: (0, V), 4: (0, U32),
                       5: (0, 100000)}),
    0x45: (pb.Push, {1: (1, V), 2: (0, V), 3: (0, U32), 4: (0, V),
                     5: (0, 64), 6: (0, 64), 7: (0, 64), 8: (0, U32),
                     9: (0, U64), 10: (0, U32), 11: (0, U32), 12: (0, 48),
                     13: (0, 48)}),
    0x46: (pb.Batch, {1: (0, V), 2: (1, V), 3: (1, U32), 4: (0, U32),
                      5: (1, U32), 6: (1, U32)}),
    0x47: (pb.SendOk, {1: (1, U64), 2: (1, V), 3: (0, U32), 4: (0, 64)}),
    0x48: (pb.Pong, {1: (0, U64), 2: (0, V)}),
    0x49: (pb.Error, {1: (1, U32), 2: (1, U32), 3: (1, U64), 4: (0, 128),
                      5: (0, U32)}),
    0x4a: (pb.HistoryPage, {1: (1, U64), 2: (0, U32), 3: (0, 1000),
                            4: (0, U32), 5: (0, U32), 6: (0, U32)}),
    0x4b: (pb.ConversationPage, {1: (1, U64), 2: (0, U32), 3: (0, 1000),
                                 4: (0, U32), 5: (0, U32), 6: (0, U32),
                                 7: (0, V)}),
    0x4c: (pb.MemberPage, {1: (1, U64), 2: (0, U32), 3: (0, 1000),
                           4: (0, V), 5: (0, 48), 6: (0, U32), 7: (0, U32),
                           8: (0, U32), 9: (0, U32)}),
    0x4d: (pb.SessionList, {1: (1, U64), 2: (0, U32), 3: (0, 6),
                            4: (0, U32)}),
    0x4e: (pb.SessionEnded, {1: (1, U64)}),
}
PAGES = (pb.HistoryPage, pb.ConversationPage)
HOLDER = {1: (0, U32), 2: (0, 64), 3: (0, V)}


class Refuse(Exception):
    """The word for what is wrong is its argument."""


# ------------------------------------------------------------- the wire

def varint(data, at, word):
    value = 0
    for i in range(10):
        if at + i >= len(data):
            raise Refuse(word)
        byte = data[at + i]
        value |= (byte & 0x7f) << 7 * i
        if byte < 0x80:
            if value > U64:
                raise Refuse(word)
            return value, at + i + 1
    raise Refuse(word)


def wire_fields(data, word):
    """(number, wire type, value) of each field; `word` if it is none."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at, word)
        number, wire = tag >> 3, tag & 7
        if tag > U32 or number == 0:
            raise Refuse(word)
        if wire == 0:
            value, at = varint(data, at, word)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            if at + size > len(data):
                raise Refuse(word)
            value = int.from_bytes(data[at:at + size], "little")
            at += size
        elif wire == 2:
            size, at = varint(data, at, word)
            if size > len(data) - at:
                raise Refuse(word)
            value, at = data[at:at + size], at + size
        else:
            raise Refuse(word)
        yield number, wire, value


def is_text(data):
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


# ------------------------------------------------------- single messages

SEVERITY = ("", "FIELD_RANGE", "INVALID_UTF8", "MALFORMED")
WIRE = {"uint32": 0, "uint64": 0, "enum": 0, "bool": 0, "fixed64": 1,
        "string": 2, "bytes": 2, "message": 2}
KIND = {13: "uint32", 4: "uint64", 14: "enum", 8: "bool", 6: "fixed64",
        9: "string", 12: "bytes", 11: "message"}


def faults(data, descriptor, bounds):
    """The words for all that is wrong with a message's fields."""
    seen = set()
    for number, wire, value in wire_fields(data, "MALFORMED"):
        field = descriptor.fields_by_number.get(number)
        if field is None:
            continue
        kind = KIND[field.type]
        if number in seen or wire != WIRE[kind]:
            yield "MALFORMED"
            continue
        seen.add(number)
        if kind == "message":
            yield from faults(value, field.message_type, HOLDER)
            continue
        least, most = bounds[number]
        if kind in ("uint32", "enum", "bool") and value > U32:
            yield "MALFORMED"
        elif kind in ("string", "bytes"):
            if len(value) > most:
                yield "MALFORMED"
            if kind == "string" and not is_text(value):
                yield "INVALID_UTF8"
            if len(value) < least:
                yield "FIELD_RANGE"
        elif not least <= value <= most:
            yield "FIELD_RANGE"
    for number, bound in bounds.items():
        if bound is not None and bound[0] > 0 and number not in seen:
            yield "FIELD_RANGE"


def disagree(m):
    """Whether fields that are good by themselves do not go together."""
    if isinstance(m, pb.SyncOk):
        return ((m.result == pb.RESET) != (m.reason != 0) or
                0 < m.max_unacked < 4)
    if isinstance(m, pb.Batch):
        return m.prev_version >= m.last_version
    if isinstance(m, pb.Conversations):
        return (m.before == 0) != (m.conversation == "")
    if isinstance(m, PAGES):
        return len({m.count == 0, m.inflated_size == 0,
                    m.payload == b""}) != 1
    if isinstance(m, (pb.MemberPage, pb.SessionList)):
        return (m.count == 0) != (m.rows == b"")
    if not isinstance(m, pb.Push):
        return False
    if m.recalled and (m.kind != pb.MESSAGE or m.content_type or m.cut_size
                       or m.body):
        return True
    if m.prev_version >= m.version:
        return True
    if m.kind == pb.NOOP:
        return any(field.number > 3 for field, _ in m.ListFields())
    if m.cut_size != 0 and m.body != b"":
        return True
    return m.kind in pb.Kind.values() and not (
        m.msg_id and m.conversation and m.sender)


def decode(frame, limit):
    """The message in a frame; None: to be skipped."""
    type_, length = frame[0], int.from_bytes(frame[1:4], "big")
    if length > limit:
        raise Refuse("FRAME_TOO_LONG")
    if type_ not in MESSAGES:
        if type_ & 0x80:
            return None
        raise Refuse("FRAME_UNKNOWN")
    payload = frame[4:]
    assert len(payload) == length, "the header's length is not the payload's"
    cls, bounds = MESSAGES[type_]
    worst = max(faults(payload, cls.DESCRIPTOR, bounds), default="",
                key=SEVERITY.index)
    if worst:
        raise Refuse(worst)
    message = cls.FromString(payload)
    if disagree(message):
        raise Refuse("FIELD_RANGE")
    return message


# ----------------------------------------------------------------- batches

DENSE = ("version_gap", "time_delta", "id_rest", "conversation", "sender",
         "kind", "content_type", "body_length", "read_mark", "unread",
         "role")
TABLE_MAX = 1024
# Least and most bytes of an entry of each table.
TABLES = {1: (1, 64), 2: (1, 64), 3: (0, 64), 18: (0, 48), 19: (0, 48)}


def inflate(batch, codecs, max_inflated):
    if batch.codec not in (0, 1) or batch.codec == 1 and not codecs & 2:
        raise Refuse("CODEC")
    if batch.inflated_size > max_inflated:
        raise Refuse("SIZE")
    if batch.codec == 0:
        data = batch.payload
    else:
        z = zlib.decompressobj(-15)
        try:
            data = z.decompress(batch.payload, batch.inflated_size + 1)
        except zlib.error:
            raise Refuse("INFLATE") from None
        if len(data) > batch.inflated_size:
            raise Refuse("SIZE")
        if not z.eof or z.unused_data:
            raise Refuse("INFLATE")
    if len(data) != batch.inflated_size:
        raise Refuse("SIZE")
    return data


def check_form(data, count, is_page, is_list):
    """What the protobuf library does not tell: order, packing, widths."""
    last, texts = 0, 0
    for number, wire, value in wire_fields(data, "COLUMNS"):
        if number > 22:
            last = number
            continue
        if wire != 2 or number < last or \
                number == last and number not in TABLES or \
                is_page and number == 4 or number > 19 and not is_list:
            raise Refuse("COLUMNS")
        texts = texts + 1 if number == last else 1
        last = number
        if number in TABLES:
            least, most = TABLES[number]
            if not least <= len(value) <= most or not is_text(value) or \
                    texts > min(count, TABLE_MAX):
                raise Refuse("TABLE")
        elif number == 13:
            if len(value) % 8:
                raise Refuse("COLUMNS")
        elif number != 16:
            if not value:
                raise Refuse("COUNT")
            at = 0
            while at < len(value):
                v, at = varint(value, at, "COLUMNS")
                if number > 5 and number != 20 and v > U32:
                    raise Refuse("COLUMNS")


def sparse(rows, values, count):
    if len(rows) != len(values):
        raise Refuse("COUNT")
    if any(r >= count for r in rows) or list(rows) != sorted(set(rows)) or \
            0 in values:
        raise Refuse("ROW")
    return dict(zip(rows, values))


def text_of(table, index, may_be_empty):
    if may_be_empty and index == 0 and not table:
        return ""
    if index >= len(table):
        raise Refuse("TABLE")
    return table[index]


def check_order(page, before, row):
    """Whether a row may stand behind the one before in its page."""
    if row["msg_id"] == 0:
        raise Refuse("ROW")
    if before is None:
        return
    ids = before["msg_id"], row["msg_id"]
    names = before["conversation"].encode(), row["conversation"].encode()
    if isinstance(page, pb.HistoryPage):
        good = ids[0] < ids[1]
    else:
        good = ids[0] > ids[1] or ids[0] == ids[1] and names[0] > names[1]
    if not good:
        raise Refuse("ROW")


def unpack(batch, data):
    """The rows of a batch or a page, by the names of Push's fields and of the
    last three columns; those of one that is refused late have begun to come
    by then."""
    is_page = isinstance(batch, PAGES)
    check_form(data, batch.count, is_page,
               isinstance(batch, pb.ConversationPage))
    c = pb.Columns.FromString(data)
    if batch.count > len(data):     # no row is 0 in every column
        raise Refuse("COUNT")
    for names, table in ((c.conversation_names, c.conversations),
                         (c.sender_names, c.senders)):
        if names and len(names) != len(table):
            raise Refuse("TABLE")
    columns = {}
    for name in DENSE:
        values = list(getattr(c, name))
        if values and len(values) != batch.count:
            raise Refuse("COUNT")
        columns[name] = values or [0] * batch.count
    own = sparse(c.own_row, c.own_client_msg_id, batch.count)
    cut = sparse(c.cut_row, c.cut_size, batch.count)
    recalled = sparse(c.recalled_row, [1] * len(c.recalled_row), batch.count)
    version = 0 if is_page else batch.prev_version
    last_version = 0 if is_page else batch.last_version
    time, body_at, before = 0, 0, None
    for i in range(batch.count):
        row = {name: columns[name][i] for name in DENSE}
        line = {"kind": row["kind"]}
        if not is_page:
            prev, version = version, version + 1 + row["version_gap"]
            if version > last_version:
                raise Refuse("CHAIN")
            line = {"version": version, "prev_version": prev, **line}
        if row["kind"] == pb.NOOP and is_page:
            raise Refuse("ROW")
        if row["kind"] == pb.NOOP:
            if any(row[n] for n in DENSE[1:] if n != "kind") or i in own or \
                    i in cut or i in recalled:
                raise Refuse("ROW")
            yield line
            continue
        time += row["time_delta"]
        if not 0 <= time < 2**41 or row["id_rest"] >= 2**22:
            raise Refuse("ROW")
        message = row["kind"] in pb.Kind.values()
        line["msg_id"] = time << 22 | row["id_rest"]
        if message and line["msg_id"] == 0:
            raise Refuse("ROW")
        line["conversation"] = text_of(c.conversations, row["conversation"],
                                       not message)
        line["sender"] = text_of(c.senders, row["sender"], not message)
        line["content_type"] = text_of(c.content_types, row["content_type"],
                                       True)
        body = c.bodies[body_at:body_at + row["body_length"]]
        if len(body) != row["body_length"]:
            raise Refuse("BODIES")
        body_at += len(body)
        line["cut_size"] = cut.get(i, 0)
        if line["cut_size"] and body:
            raise Refuse("ROW")
        line["client_msg_id"] = own.get(i, 0)
        line["body"] = body
        line["recalled"] = i in recalled
        if line["recalled"] and (row["kind"] or body or line["cut_size"]
                                 or line["content_type"]):
            raise Refuse("ROW")
        if c.conversation_names:
            line["conversation_name"] = \
                c.conversation_names[row["conversation"]]
        if c.sender_names:
            line["sender_name"] = c.sender_names[row["sender"]]
        if isinstance(batch, pb.ConversationPage):
            line.update((name, row[name]) for name in DENSE[8:])
        if row["read_mark"] > V:
            raise Refuse("ROW")
        if is_page:
            check_order(batch, before, line)
            before = line
        yield line
    if version != last_version:
        raise Refuse("CHAIN")
    if body_at != len(c.bodies):
        raise Refuse("BODIES")
