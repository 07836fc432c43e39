#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of roam.lua from proto/roam.proto and proto/frame.h.

    make_tables.py            check; last line "N passed, N failed"
    make_tables.py --write    write the tables anew

A frame, a field or an enum's value that is new in proto/ fails the check
until the tables have it.
"""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto"
LUA = HERE / "roam.lua"
BEGIN = "-- tables: begin, written by make_tables.py\n"
END = "-- tables: end\n"


def blocks(text, keyword):
    """[(name, body)] of all messages or enums."""
    return re.findall(rf"(?ms)^{keyword} (\w+) {{\n?(.*?)^}}", text)


def camel(name):
    return "".join(w.capitalize() for w in name.split("_"))


def tables():
    """The text between the marks, and how many entries it has."""
    proto = (PROTO / "roam.proto").read_text()
    frame_h = (PROTO / "frame.h").read_text()
    listed = re.search(r"(?s)enum roam_frame_type \{(.*?)\};", frame_h).group(1)
    frames = re.findall(r"ROAM_(\w+) = (0x[0-9a-f]+)", listed)
    messages = blocks(proto, "message")
    names = {name for name, _ in messages}
    count = 0
    out = ["local FRAMES = {\n"]
    for name, number in frames:
        if camel(name) not in names:
            sys.exit(f"make_tables: {name} has no message {camel(name)}")
        out.append(f'    [{number}] = {{"{name}", "{camel(name)}"}},\n')
        count += 1
    out.append("}\nlocal MESSAGES = {\n")
    for name, body in messages:
        out.append(f"    {name} = {{\n")
        fields = re.findall(
            r"(?m)^\s*(repeated )?([\w.]+) (\w+) = (\d+)\s*(?:\[.*?\])?;", body)
        for repeated, kind, field, number in fields:
            flag = ", true" if repeated else ""
            out.append(f'        [{number}] = {{"{field}", "{kind}"{flag}}},\n')
            count += 1
        out.append("    },\n")
    out.append("}\nlocal ENUMS = {\n")
    for name, body in blocks(proto, "enum"):
        out.append(f"    {name} = {{\n")
        for value, number in re.findall(r"(?m)^\s*(\w+) = (\d+);", body):
            out.append(f'        [{number}] = "{value}",\n')
            count += 1
        out.append("    },\n")
    out.append("}\n")
    return "".join(out), count


def main():
    text = LUA.read_text()
    head, rest = text.split(BEGIN)
    old, tail = rest.split(END)
    new, count = tables()
    if sys.argv[1:] == ["--write"]:
        LUA.write_text(head + BEGIN + new + END + tail)
        return 0
    wrong = sorted(set(new.splitlines()) ^ set(old.splitlines()))
    for line in wrong[:20]:
        print(f"roam.lua against proto/: {line.strip()}")
    if old != new:
        print("update it: conformance/wireshark/make_tables.py --write")
    print(f"{count if old == new else 0} passed, {int(old != new)} failed")
    return int(old != new)


if __name__ == "__main__":
    sys.exit(main())
