#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs roamd as control_roamd.py does, with one mistake, which the suite has to
name: of the program, of the command that provisions, or of the server.

    bad_control.py MODE ROAMD [WORDS...]"""
import sys

import control_roamd
from control_roamd import Server, VERBS

DAY_MS = 86400000


def fail(*_, **__):
    raise AssertionError("not today")


def crash(server, *_, **__):
    raise control_roamd.ServerFailed("it ended with status -11")


def end(server):
    control_roamd.place(server.at).unlink()
    print("cannot go on", file=sys.stderr)
    sys.exit(1)


def advance_a_day(server, ms):
    return Server.advance(server, ms) if int(ms) <= DAY_MS else fail()


def advance_nothing(server, ms):
    server.now += int(ms)
    return {"now": str(server.now)}


def advance_twice(server, ms):
    server.ask("advance", ms=ms)
    return Server.advance(server, ms)


def advance_less(server, ms):
    return Server.advance(server, str(int(ms) - 1))


class Everything(dict):
    """Any verb is there, and does nothing."""

    def __contains__(self, verb):
        return True

    def __missing__(self, verb):
        return lambda server, **_: {}


def without_backup(verbs):
    return {verb: verbs[verb] for verb in verbs if verb != "backup"}


MODES = {
    "a-day-at-most": {"advance": advance_a_day},
    "all-ok": Everything,
    "advances-nothing": {"advance": advance_nothing},
    "advances-twice": {"advance": advance_twice},
    "advances-less": {"advance": advance_less},
    "no-now": {"advance": lambda server, ms: Server.advance(server, ms) and {}},
    "no-backup": without_backup,
    "no-kill": {"kill": lambda server: {}},
    "no-hold": {"hold": fail},
    "no-hold-store": {"hold-store": lambda server: {}},
    "ends": {"backup": end},
    "server-crashes": {"ended": crash},
    "elsewhere": {"start": lambda server: Server.start(server) and {"at": "x"}},
}


def tell_of_devices():
    """The server is not set as CONTROL.md asks."""
    plain = control_roamd.subprocess.Popen

    def popen(words, **options):
        other = {"announce_devices=no": "announce_devices=yes"}
        return plain([other.get(word, word) for word in words], **options)
    control_roamd.subprocess.Popen = popen


def provision(mode, roamd, what, *words):
    if mode == "no-user" and what in ("user", "token"):
        print("x" * 43)
    elif mode == "no-token" and what == "token":
        print()
    elif mode == "user-fails":
        sys.exit("there is no room for " + what)
    else:
        control_roamd.provision(roamd, what, *words)


def main():
    mode, roamd, *words = sys.argv[1:]
    if words:
        provision(mode, roamd, *words)
        return
    if mode == "tells-of-devices":
        tell_of_devices()
    change = MODES.get(mode, {})
    if callable(change):
        control_roamd.VERBS = change(VERBS)
    else:
        VERBS.update(change)
    control_roamd.control(roamd)


if __name__ == "__main__":
    main()
