#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the cases that the spec's tables dictate: every frame in every state
(24-states, and 38-held-states with a store that does not answer), every field
at its bounds (25-bounds). Those of clients are client_cases.py's.

    make_cases.py            check; last line "N passed, N failed"
    make_cases.py --write    write the cases anew

ROAM_SPEC names another file than spec/roam-1.md.

What a state allows is read from the table of section 10.1, what a field may be
from those of section 4.1; here is only how a state is reached and what a frame
is answered with. A frame, a state, a field, a code or a limit that is new in the
spec fails the check until there is a case for it.
"""

import re
import sys

import client_cases
from spec_tables import (CLIENT, FRAMES, HERE, SERVER, U32, U64, V, WIDTH,
                         bounds, rows, section, states_and_edges,
                         tables_of_fields)

SCENARIOS = HERE / "scenarios"

# ------------------------------------------------------------------ states

STATES, EDGES = states_and_edges("### 10.1 Server, for each connection")


def allowed(state, frame):
    """Has the table a row for it?"""
    return any(state in where.split(", ") and
               frame in re.findall(r"[A-Z_]{3,}", event.split(" since ")[0])
               for where, event, *_ in EDGES)


# How a device `ann` comes into a state; a `|` line gathers what follows into
# the write that the frame itself is in, because the state passes by itself.
REACH = {
    "OPEN": ["ann connect"],
    "DECIDING": ["ann connect", "|", "ann> LOGIN"],
    "IDLE": ["ann login"],
    "SYNCING": ["ann login", "|", "ann> SYNC cursor=$v"],
    "DELIVERING": ["ann login", "ann sync cursor=$v"],
    "LEAVING": ["ann login", "|", "ann> LOGOUT"],
    "ENDING": ["ann login", "|", "raw ann> PING edit type=0x7f"],
}

# A good frame of each type, for a user with one entry, of version $v.
FRAME = {
    "LOGIN": "LOGIN",
    "LOGOUT": "LOGOUT",
    "SYNC": "SYNC cursor=$v",
    "ACK": "ACK version=$v",
    "SEND": 'SEND conversation=alice body="y"',
    "PING": "PING id=7",
    "HISTORY": "HISTORY conversation=alice",
    "CONVERSATIONS": "CONVERSATIONS",
    "MEMBERS": 'MEMBERS conversation="#AAAAAAAAAAAAAAAAAAAAAA"',
    "SESSIONS": "SESSIONS",
    "END_SESSION": "END_SESSION device_type=WEB generation=9",
    "LOGIN_OK": "LOGIN_OK generation=1 max_frame=512 max_body=1 "
                "max_commands=1 heartbeat_ms=1000 dedup_ms=1",
    "REFUSED": "REFUSED reason=FREE retry=NEVER generation=1",
    "KICK": "KICK reason=IDLE retry=NOW",
    "SYNC_OK": "SYNC_OK result=UP_TO_DATE",
    "PUSH": "PUSH version=2 kind=NOOP",
    "BATCH": "BATCH last_version=1 count=1 inflated_size=1 payload=x",
    "SEND_OK": "SEND_OK client_msg_id=1 msg_id=1",
    "PONG": "PONG id=1",
    "ERROR": "ERROR code=KIND_UNKNOWN retry=NEVER ref=1",
    "HISTORY_PAGE": "HISTORY_PAGE ref=1",
    "CONVERSATION_PAGE": "CONVERSATION_PAGE ref=1",
    "MEMBER_PAGE": "MEMBER_PAGE ref=1 join=JOIN_OPEN",
    "SESSION_LIST": "SESSION_LIST ref=1",
    "SESSION_ENDED": "SESSION_ENDED ref=1",
}
# Types that no frame has.
UNKNOWN = "raw ann> PING id=7 edit type=0x7f"
IGNORABLE = "raw ann> PING id=7 edit type=0xff"


def kick(error, rule=None):
    tag = f" [{rule}]" if rule else ""
    return [f"ann< KICK reason=PROTOCOL_ERROR error={error}{tag}",
            "ann< closed"]


UNEXPECTED = kick("FRAME_UNEXPECTED", "FRAME-8")

# What a session says to a frame that its state allows.
ANSWER = {
    "SYNC": ["ann< SYNC_OK result=UP_TO_DATE [SYNC-2]"],
    "ACK": ["ann fence"],
    "SEND": ["ann< SEND_OK duplicate=false [SEND-2]"],
    "PING": ["ann< PONG id=7 [PING-1]"],
    "HISTORY": ["ann< HISTORY_PAGE count>=1 [HIST-1]"],
    "CONVERSATIONS": ["ann< CONVERSATION_PAGE count=1 [HIST-8]"],
    "MEMBERS": ["ann< ERROR code=NO_SUCH_CONVERSATION [GRP-19]"],
    "SESSIONS": ["ann< SESSION_LIST count=1 [DEV-3]"],
    "END_SESSION": ["ann< ERROR code=NO_SUCH_DEVICE [DEV-5]"],
    "LOGOUT": ["ann< KICK reason=LOGGED_OUT [KICK-9]", "ann< closed"],
}
# Where the table has more to say than that the frame is allowed.
SPECIAL = {
    ("OPEN", "LOGIN"): ["ann< LOGIN_OK [LOGIN-5]"],
    # Without a REFUSED before it.
    ("OPEN", "SYNC"): UNEXPECTED,
    ("IDLE", "ACK"): kick("ACK_AHEAD", "ACK-4"),
    ("SYNCING", "SYNC"): kick("SYNC_BUSY", "SYNC-7"),
}


def in_session(state, frame):
    """The outcome in one of the states that stay."""
    if (state, frame) in SPECIAL:
        return SPECIAL[(state, frame)]
    return ANSWER[frame] if allowed(state, frame) else UNEXPECTED


def either(*branches):
    """Legal alternatives; one alone is no alternative."""
    seen = []
    for b in branches:
        if b not in seen:
            seen.append(b)
    if len(seen) == 1:
        return seen[0]
    out = ["any-of"]
    for i, b in enumerate(seen):
        out += ["or"] if i else []
        out += ["  " + line for line in b]
    return out + ["end"]


def skipped(state):
    """The state goes on as if nothing had come."""
    return {"OPEN": ["ann> LOGIN", "ann< LOGIN_OK [FRAME-6]"],
            "DECIDING": ["ann< LOGIN_OK [FRAME-6]"],
            "SYNCING": ["ann< SYNC_OK [FRAME-6]"],
            "LEAVING": ["ann< KICK reason=LOGGED_OUT [FRAME-6]",
                        "ann< closed"],
            "ENDING": kick("FRAME_UNKNOWN", "FRAME-6")}.get(
                state, ["ann fence"])


def unknown(state):
    """The end, and before it what the state may have brought already."""
    end = kick("FRAME_UNKNOWN", "FRAME-7")
    passed = {"DECIDING": ["ann< LOGIN_OK"] + end,
              "SYNCING": ["ann< SYNC_OK"] + end,
              "LEAVING": ANSWER["LOGOUT"]}
    return either(end, passed.get(state, end))


def outcome(state, frame):
    """What follows. A state that passes by itself may have passed."""
    if state == "DECIDING":
        here = UNEXPECTED if not allowed(state, frame) else \
            ["ann< LOGIN_OK"] + ANSWER[frame]
        return either(here, ["ann< LOGIN_OK"] + in_session("IDLE", frame))
    if state == "SYNCING":
        after = ["ann< SYNC_OK"] + in_session("DELIVERING", frame)
        here = in_session(state, frame)
        return either(here, after) if here[0].startswith("ann< KICK") \
            else after
    if state == "LEAVING":
        return either(in_session(state, frame), ANSWER["LOGOUT"])
    if state == "ENDING":
        return kick("FRAME_UNKNOWN", "FRAME-13")
    return in_session(state, frame)


def reach(state, frame):
    """The lines up to the frame, the frame included."""
    lines, gathers = [], False
    for line in REACH[state]:
        if line == "|":
            gathers = True
            lines.append("ann gather")
        else:
            lines.append(line)
    lines.append(frame if frame.startswith("raw ") else f"ann> {frame}")
    return lines + (["ann flush"] if gathers else [])


def back(name):
    """The slot again, whether LOGOUT has freed it or not."""
    return ["ann> LOGIN"] + either(
        ["ann< LOGIN_OK"],
        [f"ann< REFUSED reason=FREE generation=$g{name}",
         f"ann> LOGIN take_over=$g{name}", "ann< LOGIN_OK"]) + ["ann close"]


# The states that pass by themselves, with a store that does not answer: so they
# last, and there is one outcome alone. The lines that lead there.
HELD = {
    "DECIDING": ["ann connect", "server hold-store", "ann> LOGIN"],
    "SYNCING": ["ann login", "server hold-store", "ann> SYNC cursor=$v"],
    "LEAVING": ["ann login", "server hold-store", "ann> LOGOUT"],
}


def held_outcome(state, frame):
    """What follows, when the store answers again or before."""
    free = ["server free-store"]
    if not allowed(state, frame) or (state, frame) in SPECIAL:
        return in_session(state, frame) + free
    if state == "DECIDING":
        return free + ["ann< LOGIN_OK"] + ANSWER[frame]
    if frame == "PING":
        return ANSWER[frame] + free + ["ann< SYNC_OK"]
    if frame == "LOGOUT":  # the answer of the SYNC is nobody's any more
        return free + either(["ann< SYNC_OK"] + ANSWER[frame], ANSWER[frame])
    return free + ["ann< SYNC_OK"] + ANSWER[frame]


def held_case(state):
    lines = [f"# {state}, held by a store that does not answer: each frame.",
             "rules FRAME-8 FRAME-6 FRAME-7",
             "roles server",
             "needs hold-store", "",
             "device ann user=alice type=PHONE",
             "", "ann start",
             'ann send conversation=alice body="x"',
             "ann< entry version=$v", "ann close"]
    last = ["SEND", "LOGOUT"]
    cases = [(f, f"ann> {FRAME[f]}", held_outcome(state, f))
             for f in [f for f in FRAMES if f not in last] + last]
    cases += [("A type that nobody has", UNKNOWN,
               kick("FRAME_UNKNOWN", "FRAME-7") + ["server free-store"]),
              ("A type to be skipped", IGNORABLE,
               ["server free-store"] + skipped(state))]
    for i, (what, frame, outcome) in enumerate(cases):
        lines += ["", f"# {what}"] + HELD[state] + [frame] + outcome
        lines += ["ann close"]
        if state == "LEAVING" or what == "LOGOUT":
            lines += back(i)
    return lines


def state_case(state):
    lines = [f"# {state}: each frame, and what the table of states has for it.",
             "rules FRAME-8 FRAME-6 FRAME-7",
             "roles server", "",
             "device ann user=alice type=PHONE",
             "", "ann start",
             'ann send conversation=alice body="x"',
             "ann< entry version=$v", "ann close"]
    last = ["SEND", "LOGOUT"]  # one moves the head, the other frees the slot
    for frame in [f for f in FRAMES if f not in last] + last:
        lines += ["", f"# {frame}"] + reach(state, FRAME[frame])
        lines += outcome(state, frame) + ["ann close"]
        if frame == "LOGOUT" or state == "LEAVING":
            lines += back(frame)
    lines += ["", "# A type that nobody has"] + reach(state, UNKNOWN)
    lines += unknown(state) + ["ann close"]
    if state == "LEAVING":
        lines += back("UNKNOWN")
    lines += ["", "# A type to be skipped"] + reach(state, IGNORABLE)
    return lines + skipped(state)


# ------------------------------------------------------------------ bounds

FIELDS = tables_of_fields("### 4.1 From the client")

# What else must be in a frame for a value of this field to be legal.
CONTEXT = {
    ("CONVERSATIONS", "before"): lambda v: "conversation=bob" if v else "",
    ("CONVERSATIONS", "conversation"): lambda v: "before=1" if v else "",
    ("LOGIN", "protocol_min"): lambda v: f"protocol={max(v, 1)}",
}
# Said by section 4.1 in words: what is legal only together.
TOGETHER = {
    "CONVERSATIONS": ["before=1", "conversation=bob"],
}
# A frame that is legal by itself.
LEGAL = {
    "LOGIN": "LOGIN attempt=1",
    "SYNC": "SYNC",
    "ACK": "ACK",
    "SEND": 'SEND conversation=alice body="b"',
    "PING": "PING",
    "HISTORY": "HISTORY conversation=alice",
    "CONVERSATIONS": "CONVERSATIONS",
    "MEMBERS": 'MEMBERS conversation="#AAAAAAAAAAAAAAAAAAAAAA"',
    "SESSIONS": "SESSIONS",
    "END_SESSION": "END_SESSION device_type=WEB generation=9",
}


def write_value(frame, field, kind, n):
    """The frame with that field of that value or length."""
    value = f"text({n})" if kind == "string" else \
        f"bytes({n})" if kind == "bytes" else str(n)
    value = '""' if value.endswith("(0)") else value
    base = re.sub(rf" {field}=(\"[^\"]*\"|\S+)", "", LEGAL[frame])
    context = CONTEXT.get((frame, field), lambda v: "")(n)
    return f"{base} {field}={value} {context}".rstrip()


def accepted(frame):
    if frame == "LOGIN":
        return ["any-of", "  ann< LOGIN_OK [FRAME-11]", "or",
                "  ann< REFUSED [FRAME-11]", "end", "ann close"]
    if frame == "ACK":  # nothing was sent that it could be about
        return kick("ACK_AHEAD", "FRAME-11")
    return ["ann fence [FRAME-11]", "ann close"]


def good(frame, line):
    start = [] if frame == "LOGIN" else ["ann login"]
    return start + [f"ann> {line}"] + accepted(frame)


def bad(frame, line, error):
    start = [] if frame == "LOGIN" else ["ann login"]
    rule = "FRAME-9" if error == "MALFORMED" else "FRAME-11"
    arrow = "raw ann>" if " edit " in line else "ann>"
    return start + [f"{arrow} {line}"] + kick(error, rule)


def field_lines(frame, field, kind, bound):
    """Each bound of the field: kept, and not kept by one."""
    limits = bounds(kind, bound)
    if limits is None:
        return []
    least, most, free = limits
    is_text = kind in ("string", "bytes")
    lines = ["", f"# {field}: {bound or kind}"]
    for n in sorted({least, most} | ({0} if free else set())):
        lines += good(frame, write_value(frame, field, kind, n))
    if least > 0 and not free:
        for n in sorted({0, least - 1}):
            lines += bad(frame, write_value(frame, field, kind, n),
                         "FIELD_RANGE")
    if is_text or most < WIDTH[kind]:
        lines += bad(frame, write_value(frame, field, kind, most + 1),
                     "MALFORMED" if is_text else "FIELD_RANGE")
    if kind in ("uint32", "uint64", "enum"):
        line = write_value(frame, field, kind, max(least, 1))
        lines += bad(frame, f"{line} edit wide={field}", "MALFORMED")
    return lines


def bounds_case(frame):
    lines = [f"# {frame}: each field at its bounds, and beyond them by one.",
             "rules FRAME-11 FRAME-9",
             "roles server", "",
             "device ann user=alice type=PHONE",
             "user bob", "",
             "ann login",
             'ann send conversation=alice body="x"',
             "ann close"]
    for field, kind, bound in FIELDS[frame]:
        lines += field_lines(frame, field, kind, bound)
    for alone in TOGETHER.get(frame, []):
        lines += ["", f"# {alone} alone"]
        lines += bad(frame, f"{LEGAL[frame]} {alone}", "FIELD_RANGE")
    return lines


# ------------------------------------------------------- codes and limits

def codes(title):
    return [r[1] for r in rows(section(title)) if r[0].isdigit()]


def cases_of(role):
    return {str(p.relative_to(SCENARIOS)): p.read_text()
            for p in SCENARIOS.glob("*/*.scn")
            if re.search(rf"(?m)^roles .*\b{role}\b", p.read_text())}


def missing_codes(cases):
    """Each code is expected by a case."""
    text = "\n".join(line for c in cases.values() for line in c.splitlines()
                     if "<" in line)
    for title, pattern in (("### 12.1 Errors", r"(?:error|code)={}\b"),
                           ("### 12.2 Refusals", r"REFUSED reason={}\b"),
                           ("### 12.3 Endings", r"KICK reason={}\b")):
        for name in codes(title):
            if not re.search(pattern.format(name), text):
                yield f"no case expects {name} (section {title[4:8]})"


# Where a limit of section 11 is tested: a case, and the two values in it, one
# that is kept and one that is not. The others bind no server, or are told by
# it and cannot be exceeded.
LIMITS = {
    "ROAM_USER_MAX": ("25-bounds/login.scn", "user=text(64)", "user=text(65)"),
    "ROAM_CONVERSATION_MAX": ("25-bounds/send.scn", "conversation=text(64)",
                              "conversation=text(65)"),
    "ROAM_CONTENT_TYPE_MAX": ("25-bounds/send.scn", "content_type=text(64)",
                              "content_type=text(65)"),
    "ROAM_DEVICE_NAME_MAX": ("25-bounds/login.scn", "device_name=text(64)",
                             "device_name=text(65)"),
    "ROAM_SOFTWARE_MAX": ("25-bounds/login.scn", "software=text(64)",
                          "software=text(65)"),
    "ROAM_TOKEN_MAX": ("25-bounds/login.scn", "token=text(128)",
                       "token=text(129)"),
    "ROAM_NAME_MAX": ("18-groups/limits-of-a-change.scn", "text(48)",
                      "text(49)"),
    "ROAM_APP_USERS_MAX": ("15-operations/app-users.scn", '"u15")', '"u16")'),
    "ROAM_CHANGE_USERS_MAX": ("18-groups/limits-of-a-change.scn", '"u49")',
                              '"u50")'),
    "ROAM_JOIN_TEXT_MAX": ("18-groups/limits-of-a-change.scn", "text(256)",
                           "text(257)"),
    "ROAM_DEVICE_ID_BYTES": ("25-bounds/login.scn", "device_id=bytes(16)",
                             "device_id=bytes(17)"),
    "ROAM_PRE_LOGIN_FRAME_MAX": ("09-before-login/frame-bound.scn",
                                 "pad-to=4096", "pad-to=4097"),
    "ROAM_FRAME_MIN": ("25-bounds/login.scn", "max_frame=512",
                       "max_frame=511"),
    "ROAM_FRAME_MAX": ("25-bounds/login.scn", "max_frame=16777215",
                       "max_frame=16777216"),
    "ROAM_INFLATED_MIN": ("25-bounds/sync.scn", "max_inflated=1024",
                          "max_inflated=1023"),
    "ROAM_INFLATED_MAX": ("25-bounds/sync.scn", "max_inflated=16777215",
                          "max_inflated=16777216"),
    "ROAM_UNACKED_MIN": ("25-bounds/sync.scn", "max_unacked=4",
                         "max_unacked=3"),
    "ROAM_UNACKED_MAX": ("25-bounds/sync.scn", "max_unacked=100000",
                         "max_unacked=100001"),
    "ROAM_ENTRY_OVERHEAD": ("07-batch/cut-by-max-frame.scn", "bytes(1600)",
                            "bytes(1601)"),
    "ROAM_PAGE_ROWS_MAX": ("25-bounds/history.scn", "max_rows=1000",
                           "max_rows=1001"),
    "ROAM_UNREAD_MAX": ("13-history/thousand-rows.scn",
                        "unread=1000 read_mark=$m1", "unread=1000 read_mark=0"),
    "ROAM_HELD_SENDS": ("32-limits/hold-knows-sixteen.scn",
                        "client_msg_id=16", "client_msg_id=99"),
    "ROAM_SLOT_DEVICES": ("01-login/sixteen-are-told-kicked.scn",
                          "device d16", "device d17"),
    "ROAM_VERSION_MAX": ("25-bounds/sync.scn", f"cursor={V}",
                         f"cursor={V + 1}"),
}
# What a judge holds against every frame that a server sends, what takes too
# many users or messages for a case, what a server may exceed, and what is no
# server's.
NOT_A_CASE = {
    "ROAM_DETAIL_MAX": "schema.c",
    "ROAM_SESSION_ROWS_MAX": "schema.c",
    "ROAM_HEARTBEAT_MIN_MS": "schema.c",
    "ROAM_BATCH_TABLE_MAX": "batch_check.c",
    "ROAM_MEMBERS_MAX": "max_members of the settings: 18-groups/full",
    "ROAM_APPLICANTS_MAX": "tests/test_group_rules.c",
    "ROAM_SHA256_BYTES": "inside a body, which is opaque to a server",
    "ROAM_FILE_NAME_MAX": "inside a body, which is opaque to a server",
    "ROAM_URL_MAX": "inside a body, which is opaque to a server",
    "ROAM_THUMBNAIL_MAX": "inside a body, which is opaque to a server",
}


def missing_limits(cases):
    names = [n for r in rows(section("## 11. Limits"))
             for n in r[0].split(", ") if n.startswith("ROAM_")]
    for name in names:
        if name in NOT_A_CASE:
            test = HERE.parent / NOT_A_CASE[name]
            if test.is_file() and name not in test.read_text():
                yield f"{NOT_A_CASE[name]} is not about {name}"
            continue
        if name not in LIMITS:
            yield f"no case is about {name}"
            continue
        where, within, beyond = LIMITS[name]
        for value in (within, beyond):
            if value not in cases.get(where, ""):
                yield f"{name}: no {value} in {where}"
    for name in set(LIMITS) | set(NOT_A_CASE):
        if name not in names:
            yield f"the spec has no {name}"


# --------------------------------------------------------------------- run

HEAD = "# SPDX-License-Identifier: Apache-2.0\n"
MARK = "# Written by make_cases.py.\n"


def texts():
    out = {}
    for state in STATES:
        out[f"24-states/{state.lower()}.scn"] = state_case(state)
    for state in HELD:
        out[f"38-held-states/{state.lower()}.scn"] = held_case(state)
    for frame in CLIENT:
        if FIELDS[frame]:
            name = frame.lower().replace("_", "-")
            out[f"25-bounds/{name}.scn"] = bounds_case(frame)
    out.update(client_cases.texts())
    return {name: HEAD + lines[0] + "\n" + MARK +
            "\n".join(lines[1:]) + "\n" for name, lines in out.items()}


def missing():
    """What the spec has and the cases have not."""
    for name in set(STATES) ^ set(REACH):
        yield f"state {name}"
    for name in set(FRAMES) ^ set(FRAME):
        yield f"frame {name}"
    for name in set(CLIENT) ^ set(FIELDS):
        yield f"fields of {name}"
    cases = cases_of("server")
    yield from missing_codes(cases)
    yield from missing_limits(cases)
    yield from client_cases.missing(cases_of("client").values())


def main():
    wanted = texts()
    good_count = bad_count = 0
    for name, text in wanted.items():
        path = SCENARIOS / name
        if sys.argv[1:] == ["--write"]:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        if path.is_file() and path.read_text() == text:
            good_count += 1
        else:
            bad_count += 1
            print(f"{name} is not what the spec's tables say: --write")
    for folder in {name.split("/")[0] for name in wanted}:
        for path in (SCENARIOS / folder).glob("*.scn"):
            if f"{folder}/{path.name}" not in wanted:
                bad_count += 1
                print(f"{folder}/{path.name} is of no table")
    for what in missing():
        bad_count += 1
        print(f"missing: {what}")
    good_count += len(FRAMES) * len(STATES) + len(LIMITS)
    print(f"{good_count} passed, {bad_count} failed")
    return bad_count > 0


sys.exit(main())
