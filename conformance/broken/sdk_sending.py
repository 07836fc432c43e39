# SPDX-License-Identifier: Apache-2.0
"""Faults of what is sent, and of what is told of it."""
import itertools

from sdk_bend import Client, Handle, Store, before, behind, fault, pb, roam


@fault
def ids_count_up():
    numbers = itertools.count(2**40)
    roam.secrets = type("", (), dict(
        randbelow=lambda n: next(numbers),
        randbits=roam.secrets.randbits,
        token_bytes=roam.secrets.token_bytes))


@fault
def resent_under_a_new_id():
    def renew(self, m):
        for mark in list(self.store.first):
            frame = self.store.outbox.pop(mark)
            frame.client_msg_id = roam.secrets.randbits(62) + 1
            self.store.outbox[frame.client_msg_id] = frame
    before(Client, "_on_LoginOk", renew)


@fault
def resent_changed():
    """Marks a repetition in its body."""
    def change(self, m):
        for mark in self.store.first:
            self.store.outbox[mark].body += b" (again)"
    before(Client, "_on_LoginOk", change)


@fault
def not_resent():
    before(Client, "_on_LoginOk", lambda self, m: self.tried.update(
        self.store.first))


@fault
def resent_although_answered():
    plain = Client._answered

    def answered(self, mark, *values):
        frame = self.store.outbox.get(mark)
        plain(self, mark, *values)
        if frame:
            self.store.outbox[mark] = frame
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
        for mark, frame in list(store.outbox.items()):
            del store.outbox[mark]
            if mark in store.first:
                frame.client_msg_id ^= 1
                store.outbox[frame.client_msg_id] = frame
    Client.__init__ = init


@fault
def own_entry_not_taken():
    """An own entry is no answer: it repeats the message all the same."""
    plain = Store.commit

    def commit(self, entries=(), done=(), **values):
        outbox, own = self.outbox, {row.client_msg_id for row in entries}
        kept = {mark: frame for mark, frame in outbox.items() if mark in own}
        self.outbox = {mark: frame for mark, frame in outbox.items()
                       if mark not in own}
        plain(self, entries, done, **values)
        self.outbox |= kept
    Store.commit = commit


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
        self, "limited", {}) or self.flush())


@fault
def asks_again_each_second():
    """Waits no longer when it is told no time once more."""
    before(Client, "_on_Error", lambda self, m: self.delays.clear())


@fault
def limited_overtakes_itself():
    """Goes on when the time is over, whatever is still unanswered."""
    before(Client, "flush", lambda self: setattr(self, "limited", {
        kind: until for kind, until in self.limited.items()
        if until > self.clock()}))


@fault
def unknown_error_is_final():
    """Gives a command up for a code without a name, whatever its class."""
    before(Client, "_on_Error", lambda self, m: setattr(
        m, "retry", m.retry if m.code <= pb.NO_SUCH_DEVICE else pb.NEVER))


@fault
def rate_limited_is_a_failure():
    def error(self, m):
        self._answered(m.ref, "unsent", m.code)
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
