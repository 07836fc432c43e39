# SPDX-License-Identifier: Apache-2.0
"""The cases of clients that the spec's tables dictate: every frame in every
state (63-client-states), every field that a server sends at its bounds
(64-client-bounds). make_cases.py writes and checks them.

What a state allows is read from the table of section 10.2, what a field may be
from section 4.2; here is only how a state is reached, and what shows that a frame
was taken."""

import re

from spec_tables import (CLIENT, FRAMES, SERVER, U32, U64, V, WIDTH, bounds,
                         rows, section, states_and_edges, tables_of_fields)

STATES, EDGES = states_and_edges("### 10.2 Client, for each connection")
FIELDS = tables_of_fields("### 4.2 From the server")
LEAST_OF_COMMANDS = 32  # errors below it end the connection

# ------------------------------------------------------------------ states

# How the client comes into a state, and out of it when it has closed. In CLOSED
# and ENDED nothing can reach it.
ASKS = ["a> LOGIN", "a> SYNC"]
REACH = {
    "OPEN": (["a login"] + ASKS + ["a< REFUSED reason=OCCUPIED",
                                   "a: refused"], []),
    "LOGIN": (ASKS, ["a return"]),
    "SYNC": (ASKS + ["a< LOGIN_OK"], ["a return"]),
    "LIVE": (["a grant"], ["a return"]),
}
UNREACHED = {"CLOSED", "ENDED"}

# What a server may send there, and is no answer to a command; an answer that
# nobody asked for is none, see 64-client-bounds for those that somebody did. In a
# session SEND_OK and ERROR may be of a SEND that its entry has answered.
FRAME = {
    "LOGIN_OK": "LOGIN_OK",
    "REFUSED": "REFUSED reason=OCCUPIED",
    "KICK": "KICK reason=GOING_AWAY",
    "SYNC_OK": "SYNC_OK",
    "PUSH": 'PUSH body="x"',
    "BATCH": "BATCH",
    "PONG": "PONG",
    "SEND_OK": "SEND_OK client_msg_id=7",
    "ERROR": "ERROR ref=7 code=NO_SUCH_CONVERSATION",
    "HISTORY_PAGE": "HISTORY_PAGE ref=7",
    "CONVERSATION_PAGE": "CONVERSATION_PAGE ref=7",
    "MEMBER_PAGE": "MEMBER_PAGE ref=7 join=JOIN_OPEN",
    "SESSION_LIST": "SESSION_LIST ref=7",
    "SESSION_ENDED": "SESSION_ENDED ref=7",
}
ANSWERS = [f for f, r in FRAMES.items()
           if r[4] in ("SEND", "a command", "HISTORY", "CONVERSATIONS",
                       "MEMBERS", "SESSIONS", "END_SESSION")]


def allowed(state, frame):
    """Has the table a row for it, in this state or in any?"""
    return any((state in where.split(", ") or where == "any but CLOSED") and
               frame in re.findall(r"[A-Z_]{3,}", event)
               for where, event, *_ in EDGES)


# What shows that it was taken, and the way on from there.
TAKEN = {
    ("LOGIN", "LOGIN_OK"): ["a: granted", "a< SYNC_OK", "a cut", "a return"],
    ("LOGIN", "REFUSED"): ["a: refused", "a login"],
    ("SYNC", "SYNC_OK"): ['a< PUSH body="first"', 'a: message body="first"',
                          "a cut", "a return"],
    # Of no delivery: [SYNC-8].
    ("SYNC", "PUSH"): ["a! message [SYNC-8]", "a< SYNC_OK", "a cut",
                       "a return"],
    ("SYNC", "BATCH"): ["a! message [SYNC-8]", "a< SYNC_OK", "a cut",
                        "a return"],
    ("SYNC", "PONG"): ["a< SYNC_OK", "a fence", "a cut", "a return"],
    ("LIVE", "PUSH"): ['a: message body="x"', "a cut", "a return"],
    ("LIVE", "BATCH"): ['a: message body="x"', "a cut", "a return"],
    ("LIVE", "PONG"): ["a fence", "a cut", "a return"],
}
KICKED = ["a: kicked reason=GOING_AWAY", "a> closed"]


def taken(state, frame):
    if frame == "KICK":
        return KICKED + (["a return"] if state != "OPEN" else [])
    return TAKEN[(state, frame)]


def refused(state, frame):
    silent = ["a! message"] if frame in ("PUSH", "BATCH") else []
    return ["a> closed [FRAME-14]"] + silent + REACH[state][1]


def may_come_late(state, frame):
    """The second answer of a repetition: section 7 has it dropped."""
    return state in ("SYNC", "LIVE") and frame in ("SEND_OK", "ERROR")


def serve(frame, lie):
    row = ['a row body="x"'] if frame == "BATCH" else []
    return row + [f"a< {FRAME[frame]}" + (" lie" if lie else "")]


def skipped(state):
    """The state goes on as if nothing had come."""
    return {"OPEN": ["a fence", "a login"] + ASKS + ["a< LOGIN_OK [FRAME-6]"],
            "LOGIN": ["a< LOGIN_OK [FRAME-6]", "a< SYNC_OK"],
            "SYNC": ["a< SYNC_OK [FRAME-6]"],
            "LIVE": []}[state] + [
                "a< SYNC_OK" if state == "OPEN" else "a fence",
                'a< PUSH body="alive"',
                'a: message body="alive" [FRAME-6]']


def state_case(state):
    lines = [f"# {state}: each frame, and what the client's table of states has "
             "for it.",
             "rules FRAME-14 FRAME-6 SYNC-8",
             "roles client", "",
             "device a  user=alice type=PHONE",
             ""] + (["a login"] if state != "OPEN" else [])
    for frame in [f for f in SERVER if not may_come_late(state, f)]:
        is_good = allowed(state, frame) and frame not in ANSWERS
        lines += ["", f"# {frame}"] + REACH[state][0]
        lines += serve(frame, not is_good)
        lines += taken(state, frame) if is_good else refused(state, frame)
        if (state, frame) == ("LOGIN", "REFUSED"):
            lines += ASKS + ["a< LOGIN_OK", "a< SYNC_OK", "a cut", "a return"]
    for what, number in [(f, FRAMES[f][0]) for f in CLIENT] + [
            ("A type that nobody has", "0x7f")]:
        lines += ["", f"# {what}"] + REACH[state][0]
        lines += [f"raw a< PONG lie edit type={number}"]
        lines += refused(state, "")
    lines += ["", "# A type to be skipped"] + REACH[state][0]
    return lines + ["raw a< PONG edit type=0xff"] + skipped(state)


# ------------------------------------------------------------------ bounds

# Of each frame: the lines that lead to it, what it is, what shows that it was
# taken and the way on, what shows that it was not; {n} counts.
LOST = ["a> closed"]
AGAIN = ["a return", "a grant"]
PLACES = {
    "LOGIN_OK": (ASKS, "LOGIN_OK", ["a: granted", "a cut", "a return"],
                 LOST + ["a! granted", "a return"]),
    "REFUSED": (ASKS, "REFUSED reason=OCCUPIED generation=1",
                ["a: refused", "a cut", "a login"],
                LOST + ["a! refused", "a return"]),
    "KICK": ([], "KICK reason=GOING_AWAY holder.device_type=PHONE",
             ["a: kicked", "a> closed", "a login", "a grant"],
             LOST + ["a! kicked"] + AGAIN),
    "SYNC_OK": (ASKS + ["a< LOGIN_OK"], "SYNC_OK",
                ["a fence", "a cut", "a return"], LOST + ["a return"]),
    "PUSH": ([], "PUSH", ["a: message"], LOST + ["a! message"] + AGAIN),
    "BATCH": (['a< PUSH body="good"', 'a: message body="good"',
               'a row body="x"'], "BATCH", ["a: message"],
              LOST + ["a! message"] + AGAIN),
    "SEND_OK": (['a send body="x" client_msg_id=$m{n}',
                 "a> SEND client_msg_id=$m{n}"],
                "SEND_OK client_msg_id=$m{n}", ["a: sent client_msg_id=$m{n}"],
                LOST + ["a! sent"] + AGAIN +
                ["a> SEND client_msg_id=$m{n}", "a< SEND_OK", "a: sent"]),
    "PONG": ([], "PONG", ["a fence", "a cut"] + AGAIN, LOST + AGAIN),
    "ERROR": (['a send body="x" client_msg_id=$m{n}',
               "a> SEND client_msg_id=$m{n}"],
              "ERROR code=NO_SUCH_CONVERSATION", ["a: failed ref=$m{n}"],
              LOST + ["a! failed"] + AGAIN +
              ["a> SEND client_msg_id=$m{n}", "a< SEND_OK", "a: sent"]),
    "HISTORY_PAGE": (["a history conversation=bob max_rows=2",
                      "a> HISTORY max_rows=2", 'a row body="x"'],
                     "HISTORY_PAGE", ["a: page count=1"],
                     LOST + ["a! page"] + AGAIN),
    "CONVERSATION_PAGE": (["a conversations max_rows=2",
                           "a> CONVERSATIONS max_rows=2", 'a row body="x"'],
                          "CONVERSATION_PAGE", ["a: page count=1"],
                          LOST + ["a! page"] + AGAIN),
}
NEEDS = {"HISTORY_PAGE": "history", "CONVERSATION_PAGE": "history",
         "SYNC_OK": "limits"}
# No verb of an adapter asks for these: tests/test_client_lists.c has them.
UNASKED = {"MEMBER_PAGE", "SESSION_LIST", "SESSION_ENDED"}

TYPES = (["holder.device_type=PHONE", "holder.device_type=EMBEDDED"], [])
OTHER_CODES = (['reason=99 retry=NEVER'], ["reason=0"])
# Where the bound is said in words: what is good, and what is not.
IN_WORDS = {
    # Only what LOGIN named.
    ("LOGIN_OK", "protocol"): (["protocol=0", "protocol=1"], []),
    ("LOGIN_OK", "capabilities"): (["capabilities=0"], []),
    ("LOGIN_OK", "floor"): ([f"floor={V} head={V}"], [f"floor={V + 1}"]),
    ("LOGIN_OK", "max_frame"): (
        ["max_frame=512 max_body=1", f"max_frame={U32}"],
        ["max_frame=0", "max_frame=511"]),
    ("LOGIN_OK", "max_body"): (["max_body=1", f"max_body={U32 - 512} "
                                f"max_frame={U32}"], ["max_body=0"]),
    ("REFUSED", "reason"): OTHER_CODES,
    ("REFUSED", "retry"): (["retry=NEVER"], ["retry=0 reason=99"]),
    ("REFUSED", "generation"): ([f"generation={V}"], [f"generation={V + 1}"]),
    ("REFUSED", "holder.device_type"): TYPES,
    ("KICK", "holder.device_type"): TYPES,
    # What is made of a time that is not told is section 12.4's.
    ("REFUSED", "retry_after_ms"): ([], []),
    ("KICK", "reason"): OTHER_CODES,
    ("KICK", "retry"): (["retry=AFTER"], ["retry=0 reason=99"]),
    ("KICK", "error"): ([f"reason=PROTOCOL_ERROR error={n}" for n in (1, 31)], []),
    ("SYNC_OK", "result"): (["result=UP_TO_DATE", "result=DELTA head=5",
                             "result=RESET reason=TOO_MANY"],
                            ["result=0", "result=4"]),
    ("SYNC_OK", "head"): ([f"result=DELTA head={V}"],
                          [f"result=DELTA head={V + 1}"]),
    ("SYNC_OK", "floor"): (["floor=0"], [f"floor={V + 1}"]),
    ("SYNC_OK", "reason"): (["result=RESET reason=TOO_MANY"],
                            ["result=RESET reason=0", "reason=AHEAD"]),
    ("SYNC_OK", "max_unacked"): (
        ["max_unacked=0", "max_unacked=4", "max_unacked=100000"],
        ["max_unacked=1", "max_unacked=3", "max_unacked=100001"]),
    # The highest are the last ones: 53-client-chain/highest-versions.
    ("PUSH", "version"): ([], ["version=0", f"version={V + 1}"]),
    ("PUSH", "prev_version"): ([], [f"prev_version={V + 1}"]),
    ("PUSH", "kind"): (["kind=MESSAGE"], []),
    ("PUSH", "msg_id"): (["msg_id=1", f"msg_id={V}"],
                         ["msg_id=0", f"msg_id={V + 1}"]),
    ("PUSH", "conversation"): (
        ["conversation=text(1)", "conversation=text(64)"],
        ['conversation=""', "conversation=text(65)"]),
    ("PUSH", "sender"): (["sender=text(1)", "sender=text(64)"],
                         ['sender=""', "sender=text(65)"]),
    ("PUSH", "cut_size"): (["cut_size=1", f"cut_size={U32}"],
                           ['cut_size=1 body="x"']),
    ("PUSH", "recalled"): (["recalled=true"],
                           ['recalled=true body="x"',
                            'recalled=true content_type="a/b"',
                            "recalled=true cut_size=1"]),
    ("BATCH", "prev_version"): ([], []),  # 57-client-batch/outer-lies
    ("BATCH", "last_version"): ([], ["last_version=0"]),
    ("BATCH", "count"): (["count=1"], ["count=0", "count=2"]),
    ("BATCH", "codec"): (["codec=CODEC_NONE"], ["codec=2"]),
    ("BATCH", "inflated_size"): ([], ["inflated_size=0"]),
    ("SEND_OK", "client_msg_id"): ([], ["client_msg_id=0"]),
    ("PONG", "id"): (["id=0", f"id={U64}"], []),
    ("ERROR", "code"): (["code=99 retry=NEVER"], ["code=0"]),
    ("ERROR", "retry"): (["retry=NEVER"], ["retry=0"]),
    ("ERROR", "ref"): ([], ["ref=0"]),
    ("ERROR", "retry_after_ms"): ([], []),
    ("HISTORY_PAGE", "ref"): ([], ["ref=0"]),
    ("HISTORY_PAGE", "count"): (["count=1"], ["count=0", "count=3"]),
    ("HISTORY_PAGE", "codec"): (["codec=CODEC_NONE"], ["codec=2"]),
    ("HISTORY_PAGE", "inflated_size"): ([], ["inflated_size=0"]),
    ("CONVERSATION_PAGE", "ref"): ([], ["ref=0"]),
    ("CONVERSATION_PAGE", "count"): (["count=1"], ["count=0", "count=3"]),
    ("CONVERSATION_PAGE", "codec"): (["codec=CODEC_NONE"], ["codec=2"]),
    ("CONVERSATION_PAGE", "inflated_size"): ([], ["inflated_size=0"]),
}


def values(frame, field, kind, bound):
    """What is good, and what is not, as words of a step."""
    if (frame, field) in IN_WORDS:
        return IN_WORDS[(frame, field)]
    if field == "payload":
        return [], ['payload=""']
    limits = bounds(kind, bound)
    if limits is None:  # bytes of any length
        return [], []
    least, most, free = limits
    is_text = kind in ("string", "bytes")

    def write(n):
        return f"{field}=" + ('""' if is_text and n == 0 else
                              f"text({n})" if is_text else str(n))
    good = [write(n) for n in sorted({least, most} | ({0} if free else set()))]
    bad = [write(n) for n in sorted({0, least - 1})] \
        if least > 0 and not free else []
    if is_text or most < WIDTH[kind]:
        bad.append(write(most + 1))
    return good, bad


def fields_of(frame):
    """A Holder's are those of the frame that it is in."""
    for field, kind, bound in FIELDS[frame]:
        if kind == "Holder":
            for name, *rest in FIELDS["Holder"]:
                yield "holder." + name, *rest
        else:
            yield field, kind, bound


def with_words(line, words):
    """The words in place of those that the line has of the same fields."""
    for word in words.split():
        line = re.sub(rf" {re.escape(word.split('=')[0])}=\S+", "", line)
    return f"{line} {words}"


def bounds_case(frame):
    before, line, good_end, bad_end = PLACES[frame]
    window = " max_unacked=100000" if frame == "SYNC_OK" else ""
    lines = [f"# {frame}: each field at its bounds, and beyond them.",
             "rules FRAME-14",
             "roles client"]
    lines += [f"needs {NEEDS[frame]}"] if frame in NEEDS else []
    lines += ["", f"device a  user=alice type=PHONE{window}", "",
              "a login" if "a> LOGIN" in before else "a start"]
    count = 0
    for field, kind, bound in fields_of(frame):
        good, bad = values(frame, field, kind, bound)
        if good or bad:
            lines += ["", f"# {field}: {bound or kind}"]
        for words, end in [(w, good_end) for w in good] + [
                (w, bad_end) for w in bad]:
            count += 1
            lie = " lie" if end is bad_end else ""
            lines += [part.replace("{n}", str(count)) for part in
                      before + [f"a< {with_words(line, words)}{lie}"] + end]
    return lines


# --------------------------------------------------------------------- all

def texts():
    out = {f"63-client-states/{state.lower()}.scn": state_case(state)
           for state in REACH}
    for frame in PLACES:
        name = frame.lower().replace("_", "-")
        out[f"64-client-bounds/{name}.scn"] = bounds_case(frame)
    return out


# END_SESSION is in no verb of an adapter.
NEVER_SERVED = {"NO_SUCH_DEVICE"}


def missing_codes(cases):
    """Each code that ends a session, refuses a login or fails a command is
    served to a client by a case."""
    served = {word for text in cases for line in text.splitlines()
              if re.search(r"< (REFUSED|KICK|ERROR) |^for (reason|code) in ",
                           line)
              for word in re.findall(r"[A-Z_]{3,}", line)}
    for title in ("### 12.1 Errors", "### 12.2 Refusals", "### 12.3 Endings"):
        for code, name, *_ in rows(section(title)):
            told = code.isdigit() and not (
                title.endswith("Errors") and int(code) < LEAST_OF_COMMANDS)
            if told and name not in served | NEVER_SERVED:
                yield f"no client is told {name}"


def missing(cases):
    """What the spec has and the cases have not."""
    yield from missing_codes(cases)
    for name in set(STATES) ^ (set(REACH) | UNREACHED):
        yield f"state {name} of a client"
    for name in set(SERVER) ^ (set(PLACES) | UNASKED):
        yield f"bounds of {name}"
    for name in set(SERVER) ^ set(FRAME):
        yield f"frame {name}"
    for frame, field in IN_WORDS:
        if field not in [f for f, *_ in fields_of(frame)]:
            yield f"the spec has no {field} in {frame}"
