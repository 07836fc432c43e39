# SPDX-License-Identifier: Apache-2.0
"""Faults of the chain, of the window and of SYNC."""
from sdk_bend import Client, Handle, Refuse, before, behind, fault, pb

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
        at = self.at
        for row in rows:
            if row.version > at:
                row.prev_version, at = at, row.version
        return rows
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
                               if row.version <= self.at)
        return rows
    applying(tell)


@fault
def overlap_is_a_gap():
    """A batch that starts below the cursor is taken for a gap."""
    def cut(self, rows):
        if rows[0].prev_version < self.at < rows[-1].version:
            rows[-1].prev_version = rows[-1].version - 1
            return rows[-1:]
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
def named_before_stored():
    """A program that starts again names what the one before it was handed."""
    behind(Client, "_apply", lambda self, rows: self.store.commit(
        handed=self.at))
    before(Client, "__init__", lambda self, store, *_: setattr(
        store, "cursor", max(store.cursor, vars(store).get("handed", 0))))


@fault
def starts_over_on_reconnect():
    """Names cursor 0 whenever it connects."""
    plain = Client._sync

    def sync(self, state):
        kept, self.store.cursor = self.store.cursor, (
            0 if state == "LOGIN" else self.store.cursor)
        plain(self, state)
        self.store.cursor = kept
    Client._sync = sync


# ------------------------------------------------------------------- window

@fault
def ack_never():
    Client.ack = lambda self, least=1: None


@fault
def ack_late():
    """Acknowledges when the window is full, not when half of it is."""
    plain = Client.ack

    def ack(self, least=1):
        if self.state == "LIVE" and len(self.flight) >= self.window - 1:
            plain(self)
    Client.ack = ack


@fault
def ack_by_own_window():
    """Acknowledges at half of what it named, not of what it was told."""
    plain = Client.ack

    def ack(self, least=1):
        if len(self.flight) >= self.asked.max_unacked // 2:
            plain(self)
    Client.ack = ack


@fault
def ack_ahead():
    """Acknowledges the entry that comes next."""
    def ack(self, least=1):
        if self.flight and self.state == "LIVE":
            self._frame(pb.Ack(version=self.store.cursor + 1))
            self.flight = []
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
    plain = Client._on_Push

    def push(self, m):
        state, self.state = self.state, "LIVE"
        plain(self, m)
        self.state = state if self.state == "LIVE" else self.state
    Client._on_Push = push


@fault
def sync_while_one_is_open():
    """Asks again for every entry that it has to drop."""
    behind(Client, "_on_Push", lambda self, m: self.state == "SYNC"
           and not self.gaps and self._sync("SYNC"))


@fault
def sync_ok_not_checked():
    plain = Client._on_SyncOk

    def sync_ok(self, m):
        try:
            plain(self, m)
        except Refuse:
            self.window, self.state = self.asked.max_unacked, "LIVE"
    Client._on_SyncOk = sync_ok
