# SPDX-License-Identifier: Apache-2.0
"""Faults of time."""
from sdk_bend import Client, before, behind, fault


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
def sync_has_what_login_left():
    """Counts the time of a SYNC from when it was sent, with its LOGIN."""
    plain = Client._on_LoginOk

    def take(self, m):
        asked_at = self.asked_at
        plain(self, m)
        self.asked_at = asked_at
    Client._on_LoginOk = take


@fault
def no_backoff():
    plain = Client.retry
    Client.retry = lambda self: (plain(self)[0], 0)


@fault
def backoff_does_not_grow():
    before(Client, "retry", lambda self: setattr(
        self, "failures", min(self.failures, 1)))


@fault
def login_is_success():
    """Begins its back-off anew with each session."""
    behind(Client, "_on_LoginOk", lambda self, m: setattr(
        self, "failures", 0))


@fault
def failures_are_for_ever():
    """Does not begin anew after a session that lasted."""
    plain = Client._end

    def end(self):
        failures = self.failures
        plain(self)
        self.failures = failures + 1
    Client._end = end


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
