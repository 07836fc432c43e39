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
