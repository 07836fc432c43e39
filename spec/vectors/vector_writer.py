# SPDX-License-Identifier: Apache-2.0
"""What the vectors are written with: protobuf by hand, annotated hex, and a
file of vectors. README.md describes the format.
"""
import struct

import generated

pb = generated.load()

TYPES = {
    "LOGIN": (0x01, pb.Login), "LOGOUT": (0x02, pb.Logout),
    "SYNC": (0x03, pb.Sync), "ACK": (0x04, pb.Ack), "SEND": (0x05, pb.Send),
    "PING": (0x06, pb.Ping), "LOGIN_OK": (0x41, pb.LoginOk),
    "REFUSED": (0x42, pb.Refused), "KICK": (0x43, pb.Kick),
    "SYNC_OK": (0x44, pb.SyncOk), "PUSH": (0x45, pb.Push),
    "BATCH": (0x46, pb.Batch), "SEND_OK": (0x47, pb.SendOk),
    "PONG": (0x48, pb.Pong), "ERROR": (0x49, pb.Error),
    "HISTORY": (0x07, pb.History),
    "CONVERSATIONS": (0x08, pb.Conversations),
    "HISTORY_PAGE": (0x4a, pb.HistoryPage),
    "CONVERSATION_PAGE": (0x4b, pb.ConversationPage),
    "MEMBERS": (0x09, pb.Members), "SESSIONS": (0x0a, pb.Sessions),
    "END_SESSION": (0x0b, pb.EndSession),
    "MEMBER_PAGE": (0x4c, pb.MemberPage),
    "SESSION_LIST": (0x4d, pb.SessionList),
    "SESSION_ENDED": (0x4e, pb.SessionEnded),
}
V = 2**63 - 1

# ------------------------------------------------------------ wire, by hand

def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def fixed64(field, value):
    return varint(field << 3 | 1) + struct.pack("<Q", value)


def chunk(field, data):
    if isinstance(data, str):
        data = data.encode()
    return varint(field << 3 | 2) + varint(len(data)) + data


def packed(*values):
    return b"".join(varint(v) for v in values)


def zigzag(value):
    return value << 1 if value >= 0 else (-value << 1) - 1


def header(type_, length):
    return bytes([type_]) + length.to_bytes(3, "big")


def frame(name, payload):
    return header(TYPES[name][0], len(payload)) + payload


# ------------------------------------------------------------------ output

def hex_lines(data, comment):
    """Up to 12 bytes a line, with the comment behind the first."""
    lines = []
    for at in range(0, max(len(data), 1), 12):
        text = data[at:at + 12].hex(" ")
        note = f"# {comment}" if at == 0 and comment else ""
        lines.append(f"  {text:<37}{note}".rstrip())
    return lines


def value_text(field, value):
    if field.type == field.TYPE_STRING:
        return f'"{value}"'
    if field.type == field.TYPE_BYTES:
        return value.hex()
    if field.type == field.TYPE_BOOL:
        return "true"
    return str(value)


def field_lines(message, prefix=""):
    lines = []
    for field, value in message.ListFields():
        if field.message_type is not None:
            lines.append(f"  {field.name}")
            lines += field_lines(value, f"{field.name}.")
        else:
            lines.append(f"  {prefix}{field.name} {value_text(field, value)}")
    return lines


def read_varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def unpack_varints(data):
    values, at = [], 0
    while at < len(data):
        value, at = read_varint(data, at)
        values.append(value)
    return values


def note_of(field, data, value):
    """What a field of known number says, for its comment."""
    repeated = field.label == field.LABEL_REPEATED
    if repeated and field.type == field.TYPE_FIXED64:
        return [struct.unpack_from("<Q", data, i)[0]
                for i in range(0, len(data), 8)]
    if repeated and field.type != field.TYPE_STRING:
        values = unpack_varints(data)
        if field.type == field.TYPE_SINT64:
            values = [v >> 1 if v & 1 == 0 else -(v + 1 >> 1) for v in values]
        return values
    if field.type == field.TYPE_STRING:
        return f'"{data.decode()}"'
    if field.type == field.TYPE_BYTES:
        return f"{len(data)} bytes"
    if field.type == field.TYPE_ENUM:
        known = field.enum_type.values_by_number.get(value)
        return f"{value}, {known.name}" if known else value
    return value


def annotated(payload, descriptor):
    """A message, one field a line, each with number, name and value."""
    lines, at = [], 0
    while at < len(payload):
        start = at
        tag, at = read_varint(payload, at)
        value, data = None, b""
        if tag & 7 == 0:
            value, at = read_varint(payload, at)
        elif tag & 7 == 1:
            value, at = struct.unpack_from("<Q", payload, at)[0], at + 8
        elif tag & 7 == 5:
            value, at = struct.unpack_from("<I", payload, at)[0], at + 4
        else:
            size, at = read_varint(payload, at)
            data, at = payload[at:at + size], at + size
        field = descriptor.fields_by_number.get(tag >> 3)
        if field is None:
            note = f"{tag >> 3}: a field of the future"
        elif field.message_type is not None:
            note = f"{field.number} {field.name}: {size} bytes"
            lines += hex_lines(payload[start:at - size], note)
            lines += [line.replace("# ", f"# {field.name}.")
                      for line in annotated(data, field.message_type)]
            continue
        else:
            note = f"{field.number} {field.name} = " \
                   f"{note_of(field, data, value)}"
        lines += hex_lines(payload[start:at], note)
    return lines


class File:
    def __init__(self, name, *about):
        self.name = name
        self.lines = ["# SPDX-License-Identifier: Apache-2.0"]
        self.lines += [f"# {line}" for line in about]

    def start(self, name, why):
        self.lines += ["", f"# {why}", f"vector {name}"]

    def good(self, name, why, type_, /, tail=b"", **values):
        """A message, serialized; `tail`: bytes that follow in the payload."""
        message = TYPES[type_][1](**values)
        payload = message.SerializeToString(deterministic=True) + tail
        self.start(name, why)
        self.lines += ["bytes"] + hex_lines(
            header(TYPES[type_][0], len(payload)),
            f"{type_}, {len(payload)} bytes")
        self.lines += annotated(payload, message.DESCRIPTOR)
        self.lines += ["fields"] + field_lines(message)

    def raw(self, name, why, data, verdict, before=()):
        self.start(name, why)
        self.lines += list(before)
        self.lines += ["bytes"] + hex_lines(data[:4], "header")
        if data[4:]:
            self.lines += hex_lines(data[4:], "")
        self.lines.append(verdict)

    def write(self):
        path = generated.HERE / self.name
        path.write_text("\n".join(self.lines) + "\n")


