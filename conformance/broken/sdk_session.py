# SPDX-License-Identifier: Apache-2.0
"""Faults of login and of the end of sessions."""
from sdk_bend import Client, Handle, before, behind, fault, keeps, pb, returns

# --------------------------------------------------------------------- login

@fault
def login_not_first():
    """Says hello with a PING."""
    before(Client, "login", lambda self, *_: self._frame(pb.Ping(id=1)))


@fault
def sync_greets():
    """Says where it stopped, and then who it is."""
    before(Client, "login", lambda self, *_: self._frame(
        pb.Sync(max_unacked=4, max_inflated=1024)))


@fault
def logs_in_as_a_watch():
    """Is a watch, whatever it was told to be."""
    behind(Client, "__init__", lambda self, *_: self.who.update(
        device_type=pb.WATCH))


@fault
def outbox_greets():
    """Says what waits first when it comes back, and then who it is."""
    def early(self, *_):
        for frame in self.store.outbox.values():
            self._frame(frame)
    before(Client, "login", early)


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
        for frame in self.store.outbox.values():
            self._frame(frame)
    behind(Client, "login", early)


@fault
def ping_before_login_ok():
    behind(Client, "login", lambda self, *_: self._frame(pb.Ping(id=1)))


@fault
def sync_twice_at_login():
    behind(Client, "login", lambda self, *_: self._sync("LOGIN"))


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
def stale_id_comes_back():
    """Refused a second time, it takes the id that it had at first."""
    ids = []

    def refused(self, m):
        if m.reason == pb.STALE:
            ids.append(self.store.device_id)
            if len(ids) > 2:
                self.store.commit(device_id=ids[0])
    before(Client, "_on_Refused", lambda self, m: ids or ids.append(
        self.store.device_id))
    behind(Client, "_on_Refused", refused)


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
    returns(lambda self: self.told_to == pb.REAUTHENTICATE)


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
        device_id=self.store.device_id, attempt=99,
        max_frame=self.max_frame, **self.who)))


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
def returns_after_logout():
    """Comes back when the answer to LOGOUT did not come."""
    behind(Client, "lost", lambda self: keeps(self)
           if self.person == "KICK-12" else None)


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
            for frame in self.store.outbox.values():
                self._frame(frame)
        plain(self)
    Client.flush = flush
