# SPDX-License-Identifier: Apache-2.0
"""Faults of batches and of frames."""
import collections
import zlib

from sdk_bend import Client, FRAMES, Refuse, before, behind, fault, pb, roam

# ------------------------------------------------------------------- batches

@fault
def batch_not_checked():
    """Takes what it can make of a batch that is not as it should be."""
    plain = roam.inflate

    def inflate(m, asked):
        try:
            columns = plain(m, asked)
            roam.unpack(m, columns)
            return columns
        except (Refuse, ValueError, zlib.error):
            m.count, m.last_version = 1, m.prev_version + 1
            return pb.Columns(conversations=["x"], senders=["x"], id_rest=[1])
    roam.inflate = inflate


@fault
def batch_lies_forgiven():
    """Drops a bad batch and goes on as if it had not come."""
    plain = Client._on_Batch

    def batch(self, m):
        try:
            plain(self, m)
        except Refuse:
            pass
    Client._on_Batch = batch


@fault
def batch_offered_again():
    """Forgets that a batch was bad."""
    before(Client, "_sync", lambda self, *_: setattr(
        self, "rejected", collections.Counter()))


@fault
def batch_wanted_again():
    """Offers no codec, and never less than that."""
    before(Client, "_sync", lambda self, *_: setattr(
        self, "rejected", self.rejected & collections.Counter(
            list(self.rejected))))


@fault
def inflates_for_ever():
    """Believes inflated_size only when it is done."""
    plain = roam.inflate

    def inflate(m, asked):
        if m.codec:
            m.payload = zlib.decompress(m.payload, -15)[:m.inflated_size]
            m.codec = 0
        return plain(m, asked)
    roam.inflate = inflate


@fault
def deflate_not_understood():
    """Offers DEFLATE and cannot read it."""
    before(roam, "inflate", lambda m, *_: roam.check(
        m.codec == 0, "BATCH-7", "deflate"))


@fault
def columns_in_any_order():
    """Reads columns as they come, like a stock library."""
    plain = roam.parse

    def parse(kind, data):
        return (kind.FromString(data) if kind is pb.Columns
                else plain(kind, data))
    roam.parse = parse


# -------------------------------------------------------------------- frames

@fault
def reads_are_frames():
    """Drops the rest of a read that holds no whole frame."""
    def feed(self, data):
        if len(self._in) < 4 or len(self._in) < 4 + int.from_bytes(
                self._in[1:4], "big"):
            self._in = b""
    behind(Client, "feed", feed)


@fault
def unknown_type_closes():
    plain = Client._next

    def following(self):
        if len(self._in) >= 4 and self._in[0] >= 0x80:
            roam.check(False, "FRAME-1", "unknown type")
        return plain(self)
    Client._next = following


@fault
def unknown_fields_close():
    plain = roam.parse

    def parse(kind, data):
        m = plain(kind, data)
        size = m.ByteSize()
        m.DiscardUnknownFields()
        roam.check(m.ByteSize() == size, "FRAME-12", "unknown field")
        return m
    roam.parse = parse


@fault
def broken_frames_forgiven():
    """Skips a frame that it cannot read, and goes on."""
    plain = Client._next

    def following(self):
        try:
            return plain(self)
        except Refuse:
            return True
    Client._next = following


@fault
def state_not_checked():
    """Takes every frame in every state."""
    states = ("OPEN", "LOGIN", *roam.SESSION)
    for number, (kind, _, required) in FRAMES.items():
        FRAMES[number] = kind, states, required


@fault
def length_not_checked():
    before(Client, "_next", lambda self: setattr(self, "limit", 2**24))


@fault
def device_name_too_long():
    behind(Client, "__init__", lambda self, *_: self.who.update(
        device_name="n" * 65))


@fault
def window_out_of_bounds():
    """Asks for a window of 3."""
    behind(Client, "__init__", lambda self, *_: self.limits.update(
        max_unacked=3))


@fault
def undecodable_frame_sent():
    """Greets with an ACK that ends in the middle of its field."""
    def greet(self, m):
        self._out += b"\x04\x00\x00\x01\x08"
    behind(Client, "_on_LoginOk", greet)


@fault
def unknown_frame_sent():
    """Greets with a frame of its own."""
    def greet(self, m):
        self._out += b"\x7a\x00\x00\x00"
    behind(Client, "_on_LoginOk", greet)
