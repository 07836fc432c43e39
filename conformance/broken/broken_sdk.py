#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client SDK that breaks one rule on purpose, to practise on and to measure
the suite by: adapter_python.py, bent in one named place.

    ROAM_FAULT=NAME broken_sdk.py BUILD

Without ROAM_FAULT it is an honest client. conformance/broken/client-faults
says which rule each fault breaks and which cases show it. Faults of pages and
of the verb `ack` are broken_relay.py's, with libroam behind it."""
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "adapters"))
import adapter_python as adapter  # noqa: E402
import roam_client as roam  # noqa: E402
import roam_pb2 as pb  # noqa: E402

Client, Handle = roam.Client, adapter.Handle
FAULTS = {}


def fault(function):
    FAULTS[function.__name__.replace("_", "-")] = function
    return function


def behind(owner, name, more):
    """Runs `more` after the method."""
    plain = getattr(owner, name)

    def both(self, *values, **named):
        result = plain(self, *values, **named)
        more(self, *values)
        return result
    setattr(owner, name, both)


def before(owner, name, more):
    plain = getattr(owner, name)

    def both(self, *values, **named):
        more(self, *values)
        return plain(self, *values, **named)
    setattr(owner, name, both)


def returns(when):
    """Comes back at once where `when(client)` says so."""
    plain = Client.retry

    def retry(self):
        action, ms = plain(self)
        return ("connect", 0) if when(self) else (action, ms)
    Client.retry = retry


def keeps(self):
    """Forgets that a person is to be asked."""
    self.person, self.credential = None, False


# --------------------------------------------------------------------- login

@fault
def login_not_first():
    """Says hello with a PING."""
    before(Client, "login", lambda self, *_: self._frame(pb.Ping(id=1)))


@fault
def attempt_repeated():
    """Every LOGIN has the attempt of the first one."""
    behind(Client, "login", lambda self, *_: setattr(
        self.store, "attempt", 0))


@fault
def attempt_not_stored():
    """Counts attempts in memory only: a restart counts anew."""
    plain = Client.__init__

    def init(self, *values, **named):
        plain(self, *values, **named)
        self.store.attempt = 0
    Client.__init__ = init


@fault
def take_over_kept():
    """Names the generation again whenever it comes back."""
    plain = Client.login

    def login(self, person=False, take_over=0):
        self.last = take_over or getattr(self, "last", 0)
        plain(self, person, self.last)
    Client.login = login


@fault
def take_over_by_itself():
    """Takes the slot back as soon as it is refused."""
    behind(Client, "_on_Refused", lambda self, m: self.refusal
           and self.take_over())


@fault
def send_before_login_ok():
    """Does not wait for LOGIN_OK with what is in the outbox."""
    def early(self, *_):
        for mark, (to, ctype, body, _) in self.store.outbox.items():
            self._frame(pb.Send(client_msg_id=mark, conversation=to,
                                content_type=ctype, body=body))
    behind(Client, "login", early)


@fault
def ping_before_login_ok():
    behind(Client, "login", lambda self, *_: self._frame(pb.Ping(id=1)))


@fault
def sync_twice_at_login():
    behind(Client, "login", lambda self, *_: self._sync())


@fault
def stale_same_id():
    """Keeps its device_id behind STALE."""
    plain = Client._on_Refused

    def refused(self, m):
        old = self.store.device_id, self.store.attempt
        plain(self, m)
        self.store.device_id, self.store.attempt = old
    Client._on_Refused = refused


@fault
def stale_forgets_cursor():
    """A new device_id, and everything from the beginning."""
    behind(Client, "_on_Refused", lambda self, m: m.reason == pb.STALE
           and self.store.commit(cursor=0))


@fault
def occupied_tries_again():
    """Asks again on the same connection."""
    def again(self, m):
        if m.reason == pb.OCCUPIED and self.store.attempt < 4:
            keeps(self)
            self.login()
    behind(Client, "_on_Refused", again)


@fault
def occupied_reconnects():
    returns(lambda self: self.person == "LOGIN-18")


@fault
def free_tries_for_ever():
    """Repeats a login refused with FREE whoever asked, as often as it takes."""
    def again(self, m):
        if m.reason == pb.FREE and self.store.attempt < 8:
            keeps(self)
            self.login(True, m.generation)
    behind(Client, "_on_Refused", again)


@fault
def bad_credential_reconnects():
    returns(lambda self: self.credential)


@fault
def protocol_version_reconnects():
    returns(lambda self: self.refusal is None and self.person == "LOGIN-18"
            and self.state == "CLOSED")


@fault
def throttled_logs_in_again():
    """Does not wait as long as THROTTLED says."""
    behind(Client, "_on_Refused", lambda self, m: setattr(
        self, "held_until", 0))


@fault
def unknown_refusal_is_never():
    """A reason of a later version keeps it away, whatever its class."""
    def note(self, m):
        if m.reason >= 64:
            self.person = "LOGIN-18"
    behind(Client, "_on_Refused", note)


@fault
def second_login_in_a_session():
    """Logs in again as soon as it is in."""
    behind(Client, "_on_LoginOk", lambda self, m: self._frame(pb.Login(
        device_id=self.store.device_id, attempt=99, **self.who)))


# ------------------------------------------------------------------- endings

def kicks(*reasons):
    """Remembers a KICK of these, to come back in spite of it."""
    def note(self, m):
        self.kicked = m.reason in reasons
    behind(Client, "_on_Kick", note)
    before(Client, "login", lambda self, *_: keeps(self)
           if getattr(self, "kicked", False) else None)
    returns(lambda self: getattr(self, "kicked", False))


@fault
def returns_after_taken_over():
    kicks(pb.TAKEN_OVER)


@fault
def returns_after_superseded():
    kicks(pb.SUPERSEDED)


@fault
def returns_after_logged_out():
    kicks(pb.LOGGED_OUT)


@fault
def returns_after_never():
    kicks(99)


@fault
def unknown_class_is_never():
    """A retry class of a later version keeps it away for good."""
    def note(self, m):
        if m.retry not in (1, 2, 3, 4):
            self.person = "KICK-11"
    behind(Client, "_on_Kick", note)


@fault
def window_ignored():
    """Comes back with its own back-off, whatever the server asked for."""
    behind(Client, "_on_Kick", lambda self, m: setattr(self, "window_ms", 0))


@fault
def window_to_the_end():
    """Waits just retry_after_ms, like all the others."""
    plain = Client.retry

    def retry(self):
        action, ms = plain(self)
        return action, self.window_ms or ms
    Client.retry = retry


@fault
def kick_ignored():
    """Goes on behind a KICK as if nothing had been said."""
    Client._on_Kick = lambda self, m: self.events.append(("kick", m))


@fault
def kick_not_told():
    plain = Handle.tell

    def tell(self):
        for event in [e for e in self.client.events if e[0] == "kick"]:
            self.client.events.remove(event)
        plain(self)
    Handle.tell = tell


@fault
def send_behind_logout():
    plain = Client.flush

    def flush(self):
        if self.state == "LEAVING":
            for mark, (to, ctype, body, _) in self.store.outbox.items():
                self._frame(pb.Send(client_msg_id=mark, conversation=to,
                                    body=body))
        plain(self)
    Client.flush = flush


# ---------------------------------------------------------------- the chain

def applying(change):
    """Bends the rows before they are applied."""
    plain = Client._apply
    Client._apply = lambda self, rows: plain(self, change(self, rows))


@fault
def gap_silent():
    """Drops what is behind a gap and waits for better times."""
    plain = Client.sync

    def sync(self):
        if not self.gaps:
            plain(self)
    Client.sync = sync


@fault
def gap_applied():
    """Takes an entry wherever it comes from."""
    def join(self, rows):
        at = self.store.cursor
        out = []
        for row in rows:
            if row.version > at:
                out.append(row._replace(prev_version=at))
                at = row.version
        return out
    applying(join)


@fault
def gap_syncs_for_ever():
    """Sends SYNC at every gap, and never gives up."""
    before(Client, "_apply", lambda self, rows: setattr(self, "gaps", 0))


@fault
def gap_closes_at_once():
    before(Client, "_apply", lambda self, rows: setattr(self, "gaps", 1))


@fault
def old_entries_applied():
    """Tells an entry again that it has."""
    def tell(self, rows):
        if self.state == "LIVE":
            self.events.extend(("entry", row) for row in rows
                               if row.version <= self.store.cursor)
        return rows
    applying(tell)


@fault
def overlap_is_a_gap():
    """A batch that starts below the cursor is taken for a gap."""
    def cut(self, rows):
        if rows[0].prev_version < self.store.cursor < rows[-1].version:
            return [row._replace(prev_version=row.version - 1)
                    for row in rows[-1:]]
        return rows
    applying(cut)


@fault
def entry_lost():
    """Every third message is chained and not told."""
    plain = Handle.event

    def event(self, name, **values):
        if name != "message" or int(values["version"]) % 3:
            plain(self, name, **values)
    Handle.event = event


@fault
def entry_changed():
    """Tells bodies without their last byte."""
    plain = Handle.event

    def event(self, name, **values):
        if name == "message":
            values["body"] = values["body"][:-1]
        plain(self, name, **values)
    Handle.event = event


@fault
def order_turned():
    """Tells the rows of a batch from the last to the first."""
    def turn(self, rows):
        if len(rows) > 1 and self.state == "LIVE":
            self.turned = len(rows)
        return rows
    applying(turn)
    plain = Handle.tell

    def tell(self):
        events = self.client.events
        if getattr(self.client, "turned", 0):
            self.client.turned = 0
            some = [e for e in events if e[0] == "entry"]
            rest = [e for e in events if e[0] != "entry"]
            events.clear()
            events.extend(rest + some[::-1])
        plain(self)
    Handle.tell = tell


@fault
def noop_ignored():
    """A NOOP moves no cursor: the next entry looks like a gap."""
    applying(lambda self, rows: [r for r in rows if r.kind != pb.NOOP])


@fault
def unknown_kind_ignored():
    applying(lambda self, rows: [r for r in rows if r.kind in (0, 1)])


@fault
def unknown_kind_not_told():
    plain = Handle.event
    Handle.event = lambda self, name, **v: (
        None if name == "operation" else plain(self, name, **v))


@fault
def cursor_not_stored():
    """Stores entries at once and the cursor with every fourth."""
    plain = Client.__init__

    def init(self, store, *values, **named):
        store.cursor -= store.cursor % 4
        plain(self, store, *values, **named)
    Client.__init__ = init


@fault
def starts_over_on_reconnect():
    """Names cursor 0 whenever it connects."""
    plain = Client._sync

    def sync(self):
        kept, self.store.cursor = self.store.cursor, (
            0 if self.state == "LOGIN" else self.store.cursor)
        plain(self)
        self.store.cursor = kept
    Client._sync = sync


# ------------------------------------------------------------------- window

@fault
def ack_never():
    Client.ack = lambda self: None


@fault
def ack_late():
    """Acknowledges when the window is full, not when half of it is."""
    plain = Client.ack

    def ack(self):
        if self.inflight >= self.window - 1:
            plain(self)
    Client.ack = ack


@fault
def ack_by_own_window():
    """Acknowledges at half of what it named, not of what it was told."""
    plain = Client.ack

    def ack(self):
        if self.inflight >= self.asked.max_unacked // 2:
            plain(self)
    Client.ack = ack


@fault
def ack_ahead():
    """Acknowledges the entry that comes next."""
    def ack(self):
        if self.inflight and self.state == "LIVE":
            self._frame(pb.Ack(version=self.store.cursor + 1))
            self.inflight = 0
    Client.ack = ack


@fault
def ack_at_login():
    """Acknowledges its cursor as soon as it is in."""
    behind(Client, "_on_LoginOk", lambda self, m: self.store.cursor
           and self._frame(pb.Ack(version=self.store.cursor)))


@fault
def window_not_checked():
    before(Client, "_apply", lambda self, rows: setattr(
        self, "window", 2**31))


# ------------------------------------------------------------------- sending

@fault
def ids_count_up():
    import itertools
    numbers = itertools.count(2**40)
    roam.secrets = type("", (), dict(
        randbelow=lambda n: next(numbers),
        randbits=roam.secrets.randbits,
        token_bytes=roam.secrets.token_bytes))


@fault
def resent_under_a_new_id():
    def renew(self, m):
        box = self.store.outbox
        for mark in [m for m in box if box[m][3]]:
            box[roam.secrets.randbits(62) + 1] = box.pop(mark)
    before(Client, "_on_LoginOk", renew)


@fault
def resent_changed():
    """Marks a repetition in its body."""
    def change(self, m):
        for mark, (to, ctype, body, first) in self.store.outbox.items():
            if first:
                self.store.outbox[mark] = to, ctype, body + b" (again)", first
    before(Client, "_on_LoginOk", change)


@fault
def not_resent():
    before(Client, "_on_LoginOk", lambda self, m: self.tried.update(
        mark for mark, item in self.store.outbox.items() if item[3]))


@fault
def resent_although_answered():
    plain = Client._answered

    def answered(self, mark, msg_id, event):
        item = self.store.outbox.get(mark)
        plain(self, mark, msg_id, event)
        if item:
            self.store.outbox[mark] = item
    Client._answered = answered


@fault
def resent_for_ever():
    """Does not look at dedup_ms."""
    before(Client, "flush", lambda self: getattr(self, "session", None)
           and setattr(self.session, "dedup_ms", 2**60))


@fault
def outbox_not_stored():
    plain = Client.__init__

    def init(self, store, *values, **named):
        plain(self, store, *values, **named)
        for mark, (to, ctype, body, first) in list(store.outbox.items()):
            del store.outbox[mark]
            if first:
                store.outbox[mark ^ 1] = to, ctype, body, first
    Client.__init__ = init


@fault
def own_entry_not_taken():
    """An own entry is no answer: it repeats the message all the same."""
    plain = roam.Store.commit

    def commit(self, entries=(), done=(), **values):
        plain(self, entries, () if entries else done, **values)
    roam.Store.commit = commit


@fault
def commands_unbounded():
    before(Client, "flush", lambda self: getattr(self, "session", None)
           and setattr(self.session, "max_commands", 10**6))


@fault
def frame_above_max_frame():
    before(Client, "flush", lambda self: getattr(self, "session", None)
           and setattr(self.session, "max_frame", 2**24))


@fault
def error_ends_the_session():
    behind(Client, "_on_Error", lambda self, m: setattr(
        self, "state", "ENDED"))


@fault
def sends_faster_than_allowed():
    """Tries again at once when it is told RATE_LIMITED."""
    behind(Client, "_on_Error", lambda self, m: setattr(
        self, "quiet_until", 0) or self.flush())


@fault
def limited_overtakes_itself():
    """Goes on when the time is over, whatever is still unanswered."""
    before(Client, "flush", lambda self: setattr(self, "limited", False))


@fault
def rate_limited_is_a_failure():
    def error(self, m):
        self._answered(m.ref, 0, ("unsent", m.ref, m.code))
    Client._on_Error = error


@fault
def cut_bodies_told_whole():
    """Forgets that a body was left out."""
    plain = Handle.event
    Handle.event = lambda self, name, **v: plain(
        self, name, **(v | {"cut_size": 0} if name == "message" else v))


@fault
def recalled_forgotten():
    """Tells a message that was taken back as an empty one."""
    plain = Handle.event
    Handle.event = lambda self, name, **v: plain(
        self, name, **(v | {"recalled": False} if name == "message" else v))


@fault
def names_mixed_up():
    """Tells the sender's name as the conversation's."""
    plain = Handle.event
    Handle.event = lambda self, name, **v: plain(
        self, name, **(v | {"conversation_name": v["sender_name"]}
                       if name == "message" else v))


# ---------------------------------------------------------------------- SYNC

@fault
def reset_ignored():
    """Keeps its cursor behind RESET."""
    plain = Client._on_SyncOk

    def sync_ok(self, m):
        cursor = self.store.cursor
        plain(self, m)
        self.store.cursor = cursor
    Client._on_SyncOk = sync_ok


@fault
def reset_not_told():
    plain = Handle.event
    Handle.event = lambda self, name, **v: (
        None if name == "reset" else plain(self, name, **v))


@fault
def reset_not_stored():
    """Takes the head as its cursor and stores it with the next entry."""
    plain = Client.__init__

    def init(self, store, *values, **named):
        if store.missing and not store.entries:
            store.cursor = 0
        plain(self, store, *values, **named)
    Client.__init__ = init


@fault
def entries_before_sync_ok_applied():
    plain = Client._apply

    def apply(self, rows):
        state, self.state = self.state, "LIVE"
        plain(self, rows)
        self.state = state if self.state == "LIVE" else self.state
    Client._apply = apply


@fault
def sync_while_one_is_open():
    """Asks again for every entry that it has to drop."""
    behind(Client, "_apply", lambda self, rows: self.state == "SYNC"
           and not self.gaps and self._sync())


@fault
def sync_ok_not_checked():
    plain = Client._on_SyncOk

    def sync_ok(self, m):
        try:
            plain(self, m)
        except adapter.ProtocolError:
            self.window, self.state = self.asked.max_unacked, "LIVE"
    Client._on_SyncOk = sync_ok


# ------------------------------------------------------------------- batches

@fault
def batch_not_checked():
    """Takes what it can make of a batch that is not as it should be."""
    plain = roam.unpack

    def unpack(m, codecs, most):
        try:
            return plain(m, codecs, most)
        except adapter.ProtocolError:
            return [roam.Entry(m.prev_version + 1, m.prev_version, 0, 1, "x",
                               "x", "", 0, 0, b"")]
    roam.unpack = unpack


@fault
def batch_lies_forgiven():
    """Drops a bad batch and goes on as if it had not come."""
    plain = Client._on_Batch

    def batch(self, m):
        try:
            plain(self, m)
        except adapter.ProtocolError:
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
    import zlib
    codec = sys.modules["roam_codec"]

    def inflate(batch, codecs, most):
        if not batch.codec:
            return batch.payload
        return zlib.decompress(batch.payload, -15)[:batch.inflated_size]
    codec.inflate = inflate


@fault
def deflate_not_understood():
    """Offers DEFLATE and cannot read it."""
    plain = roam.unpack

    def unpack(m, codecs, most):
        roam.check(m.codec == 0, "BATCH-7", "deflate")
        return plain(m, codecs, most)
    roam.unpack = unpack


@fault
def columns_in_any_order():
    """Reads columns as they come, like a stock library."""
    codec = sys.modules["roam_codec"]
    plain = codec.check
    codec.check = lambda good, rule, text="": plain(
        good or rule == "BATCH-1", rule, text)


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

    def decode(kind, payload):
        m = plain(kind, payload)
        m.DiscardUnknownFields()
        roam.check(m.ByteSize() >= len(payload), "FRAME-9", "unknown field")
        return m
    roam.decode = decode


@fault
def broken_frames_forgiven():
    """Skips a frame that it cannot read, and goes on."""
    plain = Client._next

    def following(self):
        try:
            return plain(self)
        except adapter.ProtocolError:
            return True
    Client._next = following


@fault
def state_not_checked():
    """Takes every frame in every state."""
    def following(self):
        size = int.from_bytes(self._in[1:4], "big")
        if len(self._in) < 4 or len(self._in) < 4 + size:
            return False
        kind, payload = self._in[0], self._in[4:4 + size]
        self._in = self._in[4 + size:]
        if 0x41 <= kind <= 0x49:
            name = roam.SERVER[kind - 0x41]
            getattr(self, "_on_" + name.__name__)(roam.decode(name, payload))
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
        self.written += 4
    behind(Client, "_on_LoginOk", greet)


# ---------------------------------------------------------------------- time

@fault
def no_heartbeat():
    plain = Client.tick

    def tick(self):
        self.spoke = self.clock()
        plain(self)
    Client.tick = tick


@fault
def heartbeat_late():
    """Says something after twice the time."""
    plain = Client.ping

    def ping(self):
        if self.warned is not None or self.clock() - self.spoke >= 2 * (
                self.session.heartbeat_ms / 1000):
            plain(self)
    Client.ping = ping


@fault
def silence_not_noticed():
    before(Client, "tick", lambda self: setattr(
        self, "heard", self.clock()) or setattr(self, "warned", None))


@fault
def waits_for_ever_for_login():
    before(Client, "tick", lambda self: self.state == "LOGIN" and setattr(
        self, "asked_at", self.clock()))


@fault
def waits_for_ever_for_sync():
    before(Client, "tick", lambda self: self.state == "SYNC" and setattr(
        self, "asked_at", self.clock()))


@fault
def no_backoff():
    plain = Client.retry
    Client.retry = lambda self: (plain(self)[0], 0)


@fault
def backoff_does_not_grow():
    before(Client, "retry", lambda self: setattr(
        self, "failures", min(self.failures, 1)))


@fault
def backoff_too_long():
    """Starts with a minute."""
    before(Client, "retry", lambda self: setattr(self, "failures", 9))


@fault
def head_not_noticed():
    """Does not look at the head that PONG tells."""
    before(Client, "_on_Pong", lambda self, m: setattr(self, "told", 0))


@fault
def closes_for_nothing():
    """Ends the connection behind every third entry."""
    behind(Client, "_on_Push", lambda self, m: m.version % 3 == 0
           and setattr(self, "state", "ENDED"))


if __name__ == "__main__":
    name = os.environ.get("ROAM_FAULT")
    if name and name not in FAULTS:     # of what libroam has and this has not
        os.execv(HERE / "broken_relay.py", [
            "broken_relay.py", os.environ.get(
                "ROAM_ADAPTER", sys.argv[1] + "/adapter-libroam")])
    if name:
        FAULTS[name]()
    adapter.main()
