# SPDX-License-Identifier: Apache-2.0
"""Faults of batches and of frames."""
import zlib

from sdk_bend import Client, Refuse, before, behind, fault, reading, roam

# ------------------------------------------------------------------- batches

@fault
def batch_not_checked():
    """Takes what it can make of a batch that is not as it should be."""
    plain = roam.rows_of

    def rows_of(m, asked):
        try:
            return plain(m, asked)
        except Refuse:
            return [dict(version=m.prev_version + 1, msg_id=1, sender="x",
                         prev_version=m.prev_version, conversation="x")]
    roam.rows_of = rows_of


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
    before(Client, "_sync", lambda self: setattr(
        self, "rejected", (None, 0)))


@fault
def batch_wanted_again():
    """Offers no codec, and never less than that."""
    before(Client, "_sync", lambda self: setattr(
        self, "rejected", (self.rejected[0], min(self.rejected[1], 1))))


@fault
def inflates_for_ever():
    """Believes inflated_size only when it is done."""
    def inflate(batch, codecs, most):
        if not batch.codec:
            return batch.payload
        return zlib.decompress(batch.payload, -15)[:batch.inflated_size]
    roam.inflate = inflate


@fault
def deflate_not_understood():
    """Offers DEFLATE and cannot read it."""
    before(roam, "inflate", lambda m, *_: roam.check(
        m.codec == 0, "BATCH-7", "deflate"))


@fault
def columns_in_any_order():
    """Reads columns as they come, like a stock library."""
    reading.check_form = lambda *_: None


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
    plain = roam.decode

    def decode(frame, limit):
        m = plain(frame, limit)
        size = m.ByteSize() if m else 0
        if m:
            m.DiscardUnknownFields()
            roam.check(m.ByteSize() == size, "FRAME-12", "unknown field")
        return m
    roam.decode = decode


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
    def following(self):
        size = int.from_bytes(self._in[1:4], "big")
        if len(self._in) < 4 or len(self._in) < 4 + size:
            return False
        frame, self._in = self._in[:4 + size], self._in[4 + size:]
        m = roam.decode(frame, self.limit)
        take = getattr(self, "_on_" + type(m).__name__, None)
        if take:
            take(m)
        return True
    Client._next = following


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
def unknown_frame_sent():
    """Greets with a frame of its own."""
    def greet(self, m):
        self._out += b"\x7a\x00\x00\x00"
    behind(Client, "_on_LoginOk", greet)
