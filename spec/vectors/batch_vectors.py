# SPDX-License-Identifier: Apache-2.0
"""The vectors of batches, good ones and such as must be refused."""
import struct
import zlib

from frame_vectors import FUTURE
from vector_writer import (File, TYPES, V, annotated, chunk, field_lines, header,
                           hex_lines, number, packed, pb, read_varint, zigzag)

NONE, DEFLATE = 0, 1
COLUMNS = ("version_gap", "time_delta", "id_rest", "conversation", "sender",
           "kind", "content_type", "body_length", "read_mark", "unread",
           "role")


def entry(version, prev_version, kind=0, msg_id=0, conversation="", sender="",
          content_type="", cut_size=0, client_msg_id=0, body=b"", recalled=False,
          conversation_name="", sender_name="", read_mark=0, unread=0,
          role=0):
    return dict(version=version, prev_version=prev_version, kind=kind,
                msg_id=msg_id, conversation=conversation, sender=sender,
                content_type=content_type, cut_size=cut_size,
                client_msg_id=client_msg_id, body=body, recalled=recalled,
                conversation_name=conversation_name, sender_name=sender_name,
                read_mark=read_mark, unread=unread, role=role)


def names_of(entries, key, table):
    """The names beside a table; none when all are empty."""
    known = {e[key]: e[key + "_name"] for e in entries[::-1]}
    names = [known[text] for text in table]
    return names if any(names) else []


def columns_of(entries):
    """The columns of entries, in the words of section 8.1."""
    c = pb.Columns()
    rows = {name: [] for name in COLUMNS}
    time = 0

    def index(table, text):
        if text not in table:
            table.append(text)
        return list(table).index(text)

    for i, e in enumerate(entries):
        row = dict.fromkeys(COLUMNS, 0)
        row["version_gap"] = max(0, e["version"] - e["prev_version"] - 1)
        row["kind"] = e["kind"]
        if e["kind"] != pb.NOOP:
            row["time_delta"] = (e["msg_id"] >> 22) - time
            time = e["msg_id"] >> 22
            row["id_rest"] = e["msg_id"] & 0x3fffff
            row["conversation"] = index(c.conversations, e["conversation"])
            row["sender"] = index(c.senders, e["sender"])
            row["content_type"] = index(c.content_types, e["content_type"])
            row["body_length"] = len(e["body"])
            for name in ("read_mark", "unread", "role"):
                row[name] = e[name]
        if e["client_msg_id"]:
            c.own_row.append(i)
            c.own_client_msg_id.append(e["client_msg_id"])
        if e["recalled"]:
            c.recalled_row.append(i)
        if e["cut_size"]:
            c.cut_row.append(i)
            c.cut_size.append(e["cut_size"])
        for name in COLUMNS:
            rows[name].append(row[name])
    for name in COLUMNS:
        if any(rows[name]):
            getattr(c, name).extend(rows[name])
    c.bodies = b"".join(e["body"] for e in entries)
    c.conversation_names.extend(
        names_of(entries, "conversation", c.conversations))
    c.sender_names.extend(names_of(entries, "sender", c.senders))
    return c


def deflate(data, level=9):
    z = zlib.compressobj(level, zlib.DEFLATED, -15)
    return z.compress(data) + z.flush()


def row_line(e):
    text = "  " if e["version"] == 0 else \
        f"  version {e['version']} prev_version {e['prev_version']} "
    text += f"kind {e['kind']}"
    for name in ("msg_id", "conversation", "sender", "content_type",
                 "cut_size", "client_msg_id", "body", "recalled",
                 "conversation_name", "sender_name", "read_mark", "unread",
                 "role"):
        value = e[name]
        if value and isinstance(value, str):
            text += f' {name} "{value}"'
        elif value is True:
            text += f" {name} true"
        elif value:
            text += f" {name} " \
                    f"{value.hex() if isinstance(value, bytes) else value}"
    return text


def batch_message(prev_version, last_version, count, columns, codec):
    return pb.Batch(
        prev_version=prev_version, last_version=last_version, count=count,
        codec=codec, inflated_size=len(columns),
        payload=deflate(columns) if codec == DEFLATE else columns)


def add_batch(f, name, why, message, columns, offer, rows=None, reason=None):
    payload = message.SerializeToString(deterministic=True)
    type_, kind = next((t, n) for n, (t, cls) in TYPES.items()
                       if isinstance(message, cls))
    f.start(name, why)
    f.lines.append("offer " + " ".join(map(str, offer)))
    f.lines += ["bytes"] + hex_lines(header(type_, len(payload)),
                                     f"{kind}, {len(payload)} bytes")
    f.lines += annotated(payload, message.DESCRIPTOR)
    if columns is not None:
        f.lines += ["columns"] + annotated(columns, pb.Columns.DESCRIPTOR)
    f.lines += ["fields"] + field_lines(message)
    if rows is not None:
        f.lines += ["rows"] + [row_line(e) for e in rows]
    if reason is not None:
        f.lines.append(f"refused {reason}")


def good_batch(f, name, why, entries, codec, columns=None, offer=None):
    if columns is None:
        columns = columns_of(entries).SerializeToString(deterministic=True)
    add_batch(f, name, why,
              batch_message(entries[0]["prev_version"],
                            entries[-1]["version"], len(entries), columns,
                            codec),
              columns, offer or (codec << 1, len(columns)), rows=entries)


T = 180000000000  # a day in September 2025, in ms since 2020
EXAMPLE = [
    entry(301, 300, msg_id=T << 22, conversation="bob", sender="bob",
          content_type="text/plain", body=b"lunch?"),
    entry(302, 301, msg_id=(T + 4000) << 22, conversation="carol",
          sender="carol", content_type="text/plain", body=b"see you"),
    entry(303, 302, kind=pb.NOOP),
    entry(307, 303, msg_id=(T + 9500) << 22 | 1, conversation="bob",
          sender="alice", content_type="text/plain",
          client_msg_id=0x1122334455667788, body=b"at noon"),
]


def chat(count):
    words = ["ok", "see you at noon", "what time?", "on my way", "thank you",
             "can you call me when you are home?"]
    return [entry(1000 + i, 999 + i, msg_id=(T + 30000 * i) << 22,
                  conversation=("bob", "carol")[i % 3 == 2],
                  sender=("bob", "alice", "carol")[i % 3],
                  body=words[i * 7 % 6].encode()) for i in range(count)]


def batch_file():
    f = File("batch.txt", "Good batches: what is in them comes out as rows.")
    good_batch(f, "batch-one", "One message.", EXAMPLE[:1], NONE)
    good_batch(f, "batch-noops", "A batch of NOOPs has one column.",
               [entry(11, 10, kind=1), entry(12, 11, kind=1)], NONE)
    good_batch(f, "batch-from-zero", "The first entries of a timeline.",
               [entry(1, 0, msg_id=1, conversation="b", sender="b"),
                entry(V, 1, kind=1)], NONE)
    good_batch(f, "batch-time-runs-back",
               "Times of two conversations need not rise; a NOOP in between "
               "leaves them alone.",
               [entry(5, 4, msg_id=T << 22, conversation="bob", sender="bob"),
                entry(6, 5, kind=1),
                entry(9, 6, msg_id=(T - 70) << 22 | 0x3fffff,
                      conversation="eve", sender="eve"),
                entry(10, 9, msg_id=5, conversation="bob", sender="bob")],
               NONE)
    good_batch(f, "batch-own-and-cut", "Sparse columns.",
               [entry(5, 4, msg_id=T << 22, conversation="bob", sender="al",
                      client_msg_id=2**64 - 1, body=b"\x00\xff"),
                entry(6, 5, msg_id=(T + 1) << 22, conversation="bob",
                      sender="bob", content_type="image/png",
                      cut_size=2**32 - 1),
                entry(7, 6, msg_id=(T + 2) << 22, conversation="bob",
                      sender="al", client_msg_id=1, cut_size=1)], NONE)
    no_types = columns_of(EXAMPLE[:1])
    no_types.content_types.pop()
    good_batch(f, "batch-no-types", "An empty table means the empty type.",
               [dict(EXAMPLE[0], content_type="")], NONE,
               no_types.SerializeToString(deterministic=True))
    zeros = columns_of(EXAMPLE[:1]).SerializeToString(deterministic=True)
    good_batch(f, "batch-zeros-and-future",
               "A column of zeros may be there; unknown fields are skipped.",
               EXAMPLE[:1], NONE,
               zeros.replace(chunk(11, packed(6)),
                             chunk(10, packed(0)) + chunk(11, packed(6)))
               + FUTURE)
    good_batch(f, "batch-widest-ids", "Ids of 64 bytes.",
               [entry(V, V - 1, msg_id=V, conversation="c" * 64,
                      sender="s" * 64, content_type="t" * 64,
                      client_msg_id=1, body=b"x")], NONE)
    good_batch(f, "batch-unknown-kind", "Kept as it is.",
               [entry(6, 5, kind=77, msg_id=T << 22, conversation="bob",
                      sender="bob", body=b"?")], NONE)
    good_batch(f, "batch-recalled-and-names",
               "A recalled message, operations, and names beside the ids.",
               [entry(6, 5, msg_id=T << 22, conversation="bob", sender="bob",
                      recalled=True, sender_name="Bob",
                      conversation_name="Bob"),
                entry(7, 6, kind=pb.RECALL, msg_id=(T + 1) << 22,
                      conversation="bob", sender="bob",
                      body=pb.Target(msg_id=T << 22).SerializeToString(),
                      sender_name="Bob", conversation_name="Bob"),
                entry(8, 7, kind=pb.READ, msg_id=(T + 2) << 22,
                      conversation="bob", sender="alice",
                      body=pb.Target(msg_id=T << 22).SerializeToString(),
                      conversation_name="Bob"),
                entry(9, 8, msg_id=(T + 3) << 22, conversation="carol",
                      sender="carol", body=b"x")], NONE)
    good_batch(f, "batch-deflate", "Forty messages, deflated.", chat(40),
               DEFLATE)
    columns = columns_of(chat(8)).SerializeToString(deterministic=True)
    stored = pb.Batch(prev_version=999, last_version=1007, count=8,
                      codec=DEFLATE, inflated_size=len(columns),
                      payload=deflate(columns, 0))
    add_batch(f, "batch-deflate-stored", "DEFLATE by a stored block.", stored,
              columns, (2, 4096), rows=chat(8))
    z = zlib.compressobj(9, zlib.DEFLATED, -15, 8, zlib.Z_FIXED)
    stored.payload = z.compress(columns) + z.flush()
    add_batch(f, "batch-deflate-fixed", "DEFLATE with the fixed codes.",
              stored, columns, (2, 4096), rows=chat(8))
    f.write()


def example_file():
    f = File("batch-example.txt",
             "The worked example of section 8.2: four entries behind cursor "
             "300.",
             "Two messages to alice, a NOOP, and one that this very device of "
             "hers",
             "sent in an earlier session; versions 304 to 306 were skipped.")
    good_batch(f, "batch-example", "As it is sent to a device that offered no "
               "codec.", EXAMPLE, NONE, offer=(0, 1024))
    good_batch(f, "batch-example-deflate", "The same columns, deflated.",
               EXAMPLE, DEFLATE, offer=(2, 1024))
    f.write()


def batch_reject_file():
    f = File("batch-reject.txt",
             "Batches that a client must refuse, each with the reason.")
    base = dict(prev_version=300, last_version=307, count=4)

    def fields():
        """The example's columns: field number -> content."""
        columns = columns_of(EXAMPLE).SerializeToString(deterministic=True)
        out, at = [], 0
        while at < len(columns):
            tag, at = read_varint(columns, at)
            size, at = read_varint(columns, at)
            out.append((tag >> 3, columns[at:at + size]))
            at += size
        return out

    def bad(name, why, reason, parts, offer=(0, 4096), codec=NONE, **values):
        data = parts if isinstance(parts, bytes) else \
            b"".join(chunk(n, content) for n, content in parts)
        message = batch_message(**{**base, **values}, columns=data,
                                codec=codec)
        add_batch(f, name, why, message, None, offer, reason=reason)

    def replaced(number_, *contents):
        """The fields with those of one number replaced, or added."""
        kept = [(n, c) for n, c in fields() if n != number_]
        new = [(number_, c) for c in contents]
        return sorted(kept + new, key=lambda part: part[0])

    whole = b"".join(chunk(n, c) for n, c in fields())

    def message(**values):
        m = batch_message(**base, columns=whole, codec=DEFLATE)
        for name, value in values.items():
            setattr(m, name, value)
        return m

    add_batch(f, "codec-not-offered", "DEFLATE was not offered.", message(),
              None, (0, 4096), reason="CODEC")
    add_batch(f, "codec-unknown", "There is no codec 2.", message(codec=2),
              None, (2**32 - 1, 4096), reason="CODEC")
    add_batch(f, "size-above-limit", "More than max_inflated.", message(),
              None, (2, len(whole) - 1), reason="SIZE")
    add_batch(f, "size-told-too-small", "One byte more comes out.",
              message(inflated_size=len(whole) - 1), None, (2, 4096),
              reason="SIZE")
    add_batch(f, "size-told-too-large", "One byte less comes out.",
              message(inflated_size=len(whole) + 1), None, (2, 4096),
              reason="SIZE")
    bomb = message(inflated_size=1024, payload=deflate(bytes(200000)))
    add_batch(f, "size-bomb", "200,000 bytes come out.", bomb, None,
              (2, 1024), reason="SIZE")
    add_batch(f, "inflate-cut", "The stream is cut short.",
              message(payload=deflate(whole)[:-1]), None, (2, 4096),
              reason="INFLATE")
    add_batch(f, "inflate-trailing", "A byte behind the end of the stream.",
              message(payload=deflate(whole) + b"\0"), None, (2, 4096),
              reason="INFLATE")
    add_batch(f, "inflate-zlib", "The zlib format is not raw deflate.",
              message(payload=zlib.compress(whole)), None, (2, 4096),
              reason="INFLATE")
    add_batch(f, "inflate-block-type-3", "No such block.",
              message(payload=b"\x07"), None, (2, 4096), reason="INFLATE")
    add_batch(f, "inflate-too-far", "A copy from before the start.",
              message(payload=b"\x03\x02\x00"), None, (2, 4096),
              reason="INFLATE")
    none = message(codec=NONE, payload=whole, inflated_size=len(whole) + 1)
    add_batch(f, "size-none", "Without a codec the size is the payload's.",
              none, None, (0, 4096), reason="SIZE")

    bad("columns-cut", "The last byte is missing.", "COLUMNS", whole[:-1])
    bad("columns-order", "Fields out of order.", "COLUMNS", fields()[::-1])
    bad("columns-unknown-before", "A column behind one that is not known.",
        "COLUMNS", [*fields()[:-1], (23, packed(1)), fields()[-1]])
    bad("columns-twice", "A column that comes twice.", "COLUMNS",
        replaced(4, packed(0, 0, 0, 3), packed(0, 0, 0, 3)))
    bad("columns-not-packed", "A column that is not packed.", "COLUMNS",
        whole.replace(chunk(9, packed(0, 0, 1, 0)),
                      b"".join(number(9, v) for v in (0, 0, 1, 0))))
    bad("columns-half-varint", "A value that is cut short.", "COLUMNS",
        replaced(4, packed(0, 0, 0) + b"\x83"))
    bad("columns-33-bits", "More than the field's width.", "COLUMNS",
        replaced(6, packed(2**32, 0, 0, 1)))
    bad("columns-7-bytes", "A fixed64 of seven bytes.", "COLUMNS",
        replaced(13, bytes(7)))
    bad("columns-group", "A group.", "COLUMNS", whole + b"\x8b\x01\x8c\x01")
    for number_, values in ((4, (0, 0, 0, 3)), (6, (0, 0, 0, 1)),
                            (7, (0, 1, 0, 0)), (8, (0, 1, 0, 2)),
                            (9, (0, 0, 1, 0)), (11, (6, 7, 0, 7))):
        name = pb.Columns.DESCRIPTOR.fields_by_number[number_].name
        bad(f"count-{name}-less", "One value too few.", "COUNT",
            replaced(number_, packed(*values[:-1])))
        bad(f"count-{name}-more", "One value too many.", "COUNT",
            replaced(number_, packed(*values, 0)))
    bad("count-empty-column", "An empty column has no value for any row.",
        "COUNT", replaced(10, b""))
    bad("count-own", "An own row without its id.", "COUNT",
        replaced(12, packed(0, 3)))
    bad("count-cut", "A cut row without its size.", "COUNT",
        replaced(14, packed(2)))
    bad("count-lies", "Five entries are announced.", "COUNT", fields(),
        count=5)
    bad("table-index", "No conversation 2.", "TABLE",
        replaced(7, packed(0, 2, 0, 0)))
    bad("table-sender-index", "No sender 3.", "TABLE",
        replaced(8, packed(0, 1, 0, 3)))
    bad("table-type-index", "No content type 1.", "TABLE",
        replaced(10, packed(1, 0, 0, 0)))
    bad("table-empty", "No conversations at all.", "TABLE", replaced(1))
    bad("table-empty-text", "A conversation without a name.", "TABLE",
        replaced(1, b"bob", b""))
    bad("table-65", "65 bytes of conversation.", "TABLE",
        replaced(1, b"bob", b"c" * 65))
    bad("table-utf8", "A sender that is not UTF-8.", "TABLE",
        replaced(2, b"bob", b"\xc3\x28", b"alice"))
    bad("table-nul", "A sender with U+0000.", "TABLE",
        replaced(2, b"bob", b"car\0l", b"alice"))
    bad("table-too-long", "More conversations than rows.", "TABLE",
        replaced(1, b"bob", b"carol", b"x", b"y", b"z"))
    bad("bodies-less", "A byte of the bodies is missing.", "BODIES",
        replaced(16, b"lunch?see youat noo"))
    bad("bodies-more", "A byte of the bodies is left over.", "BODIES",
        replaced(16, b"lunch?see youat noon!"))
    bad("bodies-none", "There are no bodies.", "BODIES", replaced(16))
    bad("chain-short", "The last row is version 306.", "CHAIN",
        replaced(4, packed(0, 0, 0, 2)))
    bad("chain-long", "The last row is version 308.", "CHAIN",
        replaced(4, packed(0, 0, 0, 4)))
    bad("chain-wraps", "A gap of 2^64 - 1.", "CHAIN",
        replaced(4, packed(0, 2**64 - 1, 0, 3)))
    bad("chain-version-twice", "The same, to end at the right version.",
        "CHAIN", replaced(4, packed(0, 2**64 - 1, 0, 4)))
    bad("chain-last-twice", "The last version in two rows.", "CHAIN",
        replaced(4, packed(0, 0, 4, 2**64 - 1)))
    bad("row-noop-time", "A NOOP with a time.", "ROW",
        replaced(5, packed(zigzag(T), zigzag(4000), 2, zigzag(5500))))
    bad("row-noop-conversation", "A NOOP with a conversation.", "ROW",
        replaced(7, packed(0, 1, 1, 0)))
    bad("row-noop-body", "A NOOP with a body.", "ROW",
        replaced(11, packed(6, 7, 1, 6)))
    bad("row-noop-own", "A NOOP with a client_msg_id.", "ROW",
        replaced(12, packed(2)))
    bad("row-msg-id-0", "There is no message 0.", "ROW", replaced(5))
    bad("row-id-rest", "23 bits of id_rest.", "ROW",
        replaced(6, packed(0, 0, 0, 2**22)))
    bad("row-time-below-0", "A time before 2020.", "ROW",
        replaced(5, packed(zigzag(-1), 0, 0, 0)))
    bad("row-time-too-high", "A time of 42 bits.", "ROW",
        replaced(5, packed(zigzag(2**41), 0, 0, 0)))
    bad("row-own-past-end", "No row 4.", "ROW", replaced(12, packed(4)))
    bad("row-own-id-0", "A client_msg_id of 0.", "ROW",
        replaced(13, bytes(8)))
    falling = [(n, c) for n, c in replaced(12, packed(3, 0)) if n != 13]
    bad("row-own-falls", "Rows that do not rise.", "ROW",
        sorted(falling + [(13, struct.pack("<QQ", 1, 2))],
               key=lambda part: part[0]))
    cut = sorted(fields() + [(14, packed(0)), (15, packed(5))],
                 key=lambda part: part[0])
    bad("row-cut-with-body", "What was cut has no body.", "ROW", cut)
    bad("row-recalled-with-body", "What was recalled has no body.", "ROW",
        fields() + [(17, packed(0))])
    bad("row-recalled-noop", "A NOOP is no message.", "ROW",
        fields() + [(17, packed(2))])
    bad("row-recalled-past-end", "No row 4.", "ROW",
        fields() + [(17, packed(4))])
    bad("table-names-less", "One name for two conversations.", "TABLE",
        fields() + [(18, b"Bob")])
    bad("table-name-49", "49 bytes of a name.", "TABLE",
        fields() + [(18, b"n" * 49), (18, b"")])
    bad("columns-state-in-batch", "A batch tells no state.", "COLUMNS",
        fields() + [(21, packed(1, 0, 0, 0))])
    f.write()


# -------------------------------------------------------------------- pages

def row(msg_id, conversation, sender, **more):
    return entry(0, 0, msg_id=msg_id, conversation=conversation,
                 sender=sender, **more)


PAGE = [
    row(T << 22, "bob", "bob", content_type="text/plain", body=b"lunch?"),
    row((T + 4000) << 22, "bob", "alice", content_type="text/plain",
        client_msg_id=0x1122334455667788, body=b"at noon"),
    row(((T + 4000) << 22) + 1, "bob", "bob", content_type="image/png",
        cut_size=48211),
]
LIST = [
    row((T + 7) << 22, "carol", "carol", body=b"see you"),
    row(T << 22, "bob", "alice", client_msg_id=5, body=b"hi",
        conversation_name="Bob", read_mark=T << 22),
    row(T << 22, "alice", "alice", body=b"milk", unread=3, role=2),
    row(1, "zo\u00eb", "zo\u00eb"),
]


def page_message(cls, rows, codec=NONE, columns=None, **values):
    if columns is None:
        columns = columns_of(rows).SerializeToString(deterministic=True)
    if not rows:
        return cls(ref=7, **values), b""
    payload = deflate(columns) if codec == DEFLATE else columns
    return cls(**{**dict(ref=7, count=len(rows), codec=codec,
                         inflated_size=len(columns), payload=payload),
                  **values}), columns


def page_file():
    f = File("page.txt", "Good pages: what is in them comes out as rows.")

    def good(name, why, cls, rows, codec=NONE, offer=None, **values):
        message, columns = page_message(cls, rows, codec, **values)
        add_batch(f, name, why, message, columns,
                  offer or (codec << 1, max(len(columns), 1024), 1000),
                  rows=rows)

    good("page-history", "Three messages, by rising msg_id.", pb.HistoryPage,
         PAGE, more=True)
    good("page-history-deflate", "Forty messages, deflated.", pb.HistoryPage,
         [row(e["msg_id"], "bob", e["sender"], body=e["body"])
          for e in chat(40)], DEFLATE)
    good("page-history-empty", "There is nothing in the range.",
         pb.HistoryPage, [])
    good("page-history-full", "As many rows as were asked for.",
         pb.HistoryPage, PAGE, offer=(0, 1024, 3))
    good("page-history-unknown-kind", "Kept as it is.", pb.HistoryPage,
         [row(5, "bob", "bob", kind=77, body=b"?")])
    good("page-history-widest", "Ids of 64 bytes.", pb.HistoryPage,
         [row(V, "c" * 64, "s" * 64, content_type="t" * 64,
              client_msg_id=2**64 - 1, body=b"x")], ref=2**64 - 1)
    good("page-conversations", "By falling msg_id, then by falling bytes of "
         "the name.", pb.ConversationPage, LIST, as_of=307, more=True)
    good("page-conversations-empty", "A user without any.",
         pb.ConversationPage, [])
    good("page-conversations-widest", "The highest head.",
         pb.ConversationPage, LIST[:1], as_of=V)
    f.write()


def page_reject_file():
    f = File("page-reject.txt",
             "Pages that a client must refuse, each with the reason.")

    def bad(name, why, reason, cls, rows, offer=(0, 4096, 1000), **values):
        message, _ = page_message(cls, rows, **values)
        add_batch(f, name, why, message, None, offer, reason=reason)

    history, conversations = pb.HistoryPage, pb.ConversationPage
    whole = columns_of(PAGE).SerializeToString(deterministic=True)
    bad("page-versions", "A row of a page has no version.", "COLUMNS",
        history, PAGE,
        columns=whole.replace(chunk(5, whole_column(whole, 5)),
                              chunk(4, packed(0, 0, 0))
                              + chunk(5, whole_column(whole, 5))))
    bad("page-too-many-rows", "More rows than were asked for.", "COUNT",
        history, PAGE, offer=(0, 4096, 2))
    bad("page-count-lies", "Four rows are announced.", "COUNT", history, PAGE,
        count=4)
    bad("page-codec", "DEFLATE was not offered.", "CODEC", history, PAGE,
        codec=DEFLATE)
    bad("page-size", "More than max_inflated.", "SIZE", history, PAGE,
        offer=(0, len(whole) - 1, 1000))
    bad("page-bodies", "A byte of the bodies is missing.", "BODIES", history,
        PAGE, columns=columns_with(PAGE, bodies=b"lunch?at noo"))
    bad("page-table", "No conversations at all.", "TABLE", history, PAGE,
        columns=columns_with(PAGE, conversations=[]))
    bad("page-falls", "Rows that fall.", "ROW", history, PAGE[::-1])
    bad("page-id-twice", "A msg_id twice.", "ROW", history,
        [PAGE[0], PAGE[0]])
    bad("page-noop", "A NOOP is no message.", "ROW", history,
        [entry(0, 0, kind=pb.NOOP)])
    bad("page-no-id", "A row of an unknown kind without a msg_id.", "ROW",
        history, [row(0, "bob", "bob", kind=77)])
    bad("page-read-mark", "A page of messages tells no state.", "COLUMNS",
        history, [dict(PAGE[0], read_mark=5)])
    bad("page-list-rises", "Conversations that rise.", "ROW", conversations,
        [LIST[1], LIST[0]])
    bad("page-list-names-rise", "Names that rise at one msg_id.", "ROW",
        conversations, [LIST[0], LIST[2], LIST[1]])
    bad("page-list-twice", "A conversation twice at one msg_id.", "ROW",
        conversations, [LIST[1], LIST[1]])
    bad("page-list-noop", "A NOOP is no message here, either.", "ROW",
        conversations, [LIST[0], entry(0, 0, kind=pb.NOOP)])
    f.write()


def whole_column(columns, number_):
    """The content of one field of serialized columns."""
    at = 0
    while True:
        tag, at = read_varint(columns, at)
        size, at = read_varint(columns, at)
        if tag >> 3 == number_:
            return columns[at:at + size]
        at += size


def columns_with(rows, **values):
    c = columns_of(rows)
    for name, value in values.items():
        c.ClearField(name)
        if isinstance(value, bytes):
            setattr(c, name, value)
        else:
            getattr(c, name).extend(value)
    return c.SerializeToString(deterministic=True)
