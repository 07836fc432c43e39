# SPDX-License-Identifier: Apache-2.0
"""Faults of what is sent, and of what is told of it."""
import itertools

from sdk_bend import Client, Handle, before, behind, fault, roam


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
        box = self.store.outbox
        for mark in [m for m in box if box[m][1]]:
            frame, first = box.pop(mark)
            frame.client_msg_id = roam.secrets.randbits(62) + 1
            box[frame.client_msg_id] = frame, first
    before(Client, "_on_LoginOk", renew)


@fault
def resent_changed():
    """Marks a repetition in its body."""
    def change(self, m):
        for frame, first in self.store.outbox.values():
            frame.body += b" (again)" if first else b""
    before(Client, "_on_LoginOk", change)


@fault
def not_resent():
    before(Client, "_on_LoginOk", lambda self, m: self.tried.update(
        mark for mark, item in self.store.outbox.items() if item[1]))


@fault
def resent_although_answered():
    plain = Client._answered

    def answered(self, mark, *values):
        item = self.store.outbox.get(mark)
        plain(self, mark, *values)
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
        for mark, (frame, first) in list(store.outbox.items()):
            del store.outbox[mark]
            if first:
                frame.client_msg_id ^= 1
                store.outbox[frame.client_msg_id] = frame, first
    Client.__init__ = init


@fault
def own_entry_not_taken():
    """An own entry is no answer: it repeats the message all the same."""
    def forget(self, rows):
        self.store.own = {row.client_msg_id for row in rows}
    before(Client, "_apply", forget)
    plain = roam.Store.commit

    def commit(self, entries=(), done=(), **values):
        plain(self, entries, [pair for pair in done if pair[0] not in
                              vars(self).get("own", ())], **values)
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
        self, "limited", {}) or self.flush())


@fault
def limited_overtakes_itself():
    """Goes on when the time is over, whatever is still unanswered."""
    before(Client, "flush", lambda self: setattr(self, "limited", {
        kind: until for kind, until in self.limited.items()
        if until > self.clock()}))


@fault
def rate_limited_is_a_failure():
    def error(self, m):
        self._answered(m.ref, 0, "unsent", m.ref, m.code)
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
