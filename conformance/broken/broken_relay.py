#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""libroam's adapter with a relay before it that bends what is said either
way: for faults of what the Python client has not got.

    ROAM_FAULT=NAME broken_relay.py ADAPTER [arg...]

`client-faults` lists the names; without one it passes everything on."""
import json
import os
import selectors
import subprocess
import sys

FAULTS = {}


def fault(function):
    FAULTS[function.__name__.replace("_", "-")] = function
    return function


# A fault takes a line of JSON and returns the lines that go on instead.

@fault
def ack_before_stored(line):
    """Does not wait until the program has stored an entry."""
    if line.get("verb") == "open":
        line["ack"] = "auto"
    if line.get("verb") == "ack":
        line["verb"], line["received"] = "state", "0"
    return [line]


@fault
def page_moves_the_cursor(line):
    """Counts the rows of a page as entries."""
    global rows
    rows += line.get("event") == "page-row"
    if "cursor" in line:
        line["cursor"] = str(int(line["cursor"]) + rows)
    return [line]


rows = 0


@fault
def page_row_lost(line):
    """Tells the first row of a page only."""
    global rows
    rows += line.get("event") == "page-row"
    return [] if line.get("event") == "page-row" and rows > 1 else [line]


@fault
def page_told_although_bad(line):
    """Tells rows of a page that it has to reject."""
    if line.get("event") == "failed" and line.get("code") == "0":
        row = dict(event="page-row", handle=line["handle"], msg_id="1",
                   conversation="x", sender="x", body="")
        return [row, line]
    return [line]


@fault
def page_end_not_told(line):
    """An empty page is no page."""
    return [] if line.get("event") == "page" and (
        line.get("count") == "0") else [line]


@fault
def list_is_never_asked_for(line):
    """Keeps what a list told, whatever becomes of it."""
    return [line | {"survey": False} if "survey" in line else line]


# ------------------------------------------------------- what a person sees

class View:
    """What the adapter told: `seen` of messages in general, in the order in
    which it came, `held` of the view that is being told just now."""
    seen, held, kept = [], [], {}


def viewing(change):
    """Lets a fault change what a view shows, and its answer."""
    def bend(line):
        event = line.get("event")
        if event in ("message", "operation", "page-row"):
            View.seen.append(line)
        if event == "shown":
            View.held.append(line)
            return []
        if "unread" in line:
            lines = change(View.held, line)
            line["count"] = str(int(line["count"]) + len(lines)
                                - len(View.held))
            View.held = []
            return [*lines, line]
        return [line]
    bend.__name__ = change.__name__
    return fault(bend)


def again(held, lines):
    """These, shown as messages, if they are not shown already."""
    ids = [line["msg_id"] for line in held]
    return [line | {"event": "shown"} for line in lines
            if line["msg_id"] not in ids]


@viewing
def own_messages_last(held, answer):
    """Shows what it sent itself behind what it was sent."""
    return sorted(held, key=lambda line: line["sender"].startswith("alice"))


@viewing
def own_messages_twice(held, answer):
    """Shows an own message when it is sent, and when its entry comes."""
    return [line for line in held for _ in range(
        1 + line["sender"].startswith("alice"))]


@viewing
def page_rows_shown_beside(held, answer):
    """Shows a message of a page although an entry brought it already."""
    return held + [line | {"event": "shown"} for line in View.seen
                   if line["event"] == "page-row"][1:]


@viewing
def ids_without_conversation(held, answer):
    """Takes messages with the same msg_id as one, wherever they are."""
    return [line for line in held
            if View.kept.setdefault(line["msg_id"], line["conversation"])
            == line["conversation"]]


@viewing
def deleted_is_shown(held, answer):
    return held + again(held, [line for line in View.seen
                               if line["event"] == "message"])


@viewing
def deleted_is_unread(held, answer):
    """Counts what was told, whatever happened to it."""
    View.kept["unread"] = max(View.kept.get("unread", 0),
                              int(answer["unread"]))
    answer["unread"] = str(View.kept["unread"])
    return held


@viewing
def operation_waits_for_nothing(held, answer):
    """Forgets an operation on a message that it has not got yet."""
    events = [line["event"] for line in View.seen]
    early = events.index("operation") if "operation" in events else 99
    return held + again(held, [line for line in View.seen[early:]
                               if line["event"] == "page-row"])


@viewing
def page_state_for_ever(held, answer):
    """Takes mark, count and role of a page for the last word."""
    for name in ("unread", "read_mark", "role"):
        answer[name] = View.kept.setdefault(name, answer[name])
    return held


@viewing
def last_read_wins(held, answer):
    """Takes the mark of a READ that the page's is above already."""
    for line in View.seen:
        if line.get("kind") == "4":
            answer["read_mark"] = str(target(bytes.fromhex(line["body"])))
    return held


def keeps_highest(name, answer):
    View.kept[name] = max(View.kept.get(name, 0), int(answer[name]))
    answer[name] = str(View.kept[name])


@viewing
def lower_mark_is_old(held, answer):
    """Takes a list with a lower mark for older than what it knows."""
    keeps_highest("read_mark", answer)
    return held


@viewing
def lower_role_is_old(held, answer):
    keeps_highest("role", answer)
    return held


def target(body):
    """The msg_id in a Target: one varint behind its tag."""
    return sum((byte & 127) << 7 * i for i, byte in enumerate(body[1:]))


def main():
    name = os.environ.get("ROAM_FAULT")
    bend = FAULTS[name] if name else lambda line: [line]
    adapter = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    ways = {0: [b"", adapter.stdin.fileno()],
            adapter.stdout.fileno(): [b"", 1]}
    ready = selectors.DefaultSelector()
    for end in ways:
        ready.register(end, selectors.EVENT_READ)
    while True:
        for key, _ in ready.select():
            data = os.read(key.fd, 65536)
            if not data:
                adapter.stdin.close()
                sys.exit(adapter.wait())
            way = ways[key.fd]
            *lines, way[0] = (way[0] + data).split(b"\n")
            for line in lines:
                for bent in bend(json.loads(line)):
                    os.write(way[1], json.dumps(bent).encode() + b"\n")


if __name__ == "__main__":
    main()
