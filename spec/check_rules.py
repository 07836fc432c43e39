#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Extracts the rules of roam-1.md to a registry and checks what hangs on it.

    check_rules.py           check; last line "N passed, N failed"
    check_rules.py --write   write the registry, spec/rules.tsv, anew

A rule is a paragraph that starts with **[AREA-N]**. It names who is bound
(client, server or peer) before the first keyword of RFC 2119. What is checked:

  - every keyword stands in a rule, every rule has a keyword and a role
  - no id is given twice; the committed registry is the spec's
  - scenarios, code and documents cite only ids that exist
  - the Rationale has a reason for each rule
  - the tables of messages, frames, codes and limits equal proto/, those of
    states equal the tables of both engines as far as frames lead from state to
    state, the worked example equals its vector
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SPEC = ROOT / "spec" / "roam-1.md"
REGISTRY = ROOT / "spec" / "rules.tsv"
KEYWORD = re.compile(r"\b(MUST NOT|MUST|SHOULD NOT|SHOULD|MAY)\b")
RULE = re.compile(r"\*\*\[([A-Z]+-\d+)\]\*\*\s+(.*)", re.S)
CITATION = re.compile(r"\[([A-Z]+-\d+)\]")
CITING = ("*.c", "*.h", "*.py", "*.sh", "*.proto", "*.md", "Makefile")

failures = []
passed = 0


def check(ok, text):
    """Counts one check; `text` says what is wrong if it is not ok."""
    global passed
    if ok:
        passed += 1
    else:
        failures.append(text)


def paragraphs(text):
    """Yields (line number, paragraph); tables and code blocks are left out."""
    block, start, fenced = [], 0, False
    for number, line in enumerate(text.splitlines() + [""], 1):
        if line.startswith("```"):
            fenced = not fenced
            continue
        if fenced:
            continue
        if line.strip() and not line.startswith("|"):
            if line.startswith("- ") and block:
                yield start, " ".join(block)
                block = []
            if not block:
                start = number
            block.append(line.strip())
        elif block:
            yield start, " ".join(block)
            block = []


def extract(text):
    """Returns [(id, role, level, sentence)] and checks the form of each."""
    rules, seen = [], {}
    for line, paragraph in paragraphs(text):
        match = RULE.match(paragraph)
        words = KEYWORD.findall(paragraph)
        where = f"roam-1.md:{line}"
        if not match:
            check(not words, f"{where}: {words} outside a rule")
            continue
        rule, sentence = match.group(1), match.group(2)
        if rule == "NAME-1":  # the example in section 1
            continue
        check(rule not in seen, f"{where}: {rule} is also line {seen.get(rule)}")
        check(bool(words), f"{where}: {rule} has no keyword")
        check("**[" not in sentence, f"{where}: two rules in one paragraph")
        before = sentence[: KEYWORD.search(sentence).start()] if words else ""
        role = re.search(r"\b(client|server|peer)\b", before, re.I)
        check(bool(role), f"{where}: {rule} does not say whom it binds")
        seen[rule] = line
        level = "MUST" if any("MUST" in w for w in words) else words[0] if words else ""
        rules.append((rule, role.group(1).lower() if role else "?", level, sentence))
    return rules


def registry_text(rules):
    head = ("# SPDX-License-Identifier: Apache-2.0\n"
            "# id\trole\tlevel\tsentence; written by check_rules.py --write\n")
    return head + "".join("\t".join(rule) + "\n" for rule in rules)


def check_citations(ids):
    for scenario in sorted((ROOT / "conformance").glob("**/*.scn")):
        text = scenario.read_text()
        named = [w for m in re.finditer(r"(?m)^rules\s+(.*)$", text)
                 for w in m.group(1).split("#")[0].split()]
        name = scenario.relative_to(ROOT)
        check(bool(named), f"{name}: names no rule")
        for rule in named:
            check(rule in ids, f"{name}: unknown rule {rule}")
    for pattern in CITING:
        for path in sorted(ROOT.glob(f"**/{pattern}")):
            part = path.relative_to(ROOT).parts[0]
            if part == "build" or path == SPEC or path.name == "check_rules.py":
                continue
            for rule in set(CITATION.findall(path.read_text(errors="replace"))):
                area = rule.split("-")[0]
                if any(i.startswith(area + "-") for i in ids):
                    check(rule in ids, f"{path.relative_to(ROOT)}: cites {rule}")
    for rule in set(CITATION.findall(SPEC.read_text())) - {"NAME-1"}:
        check(rule in ids, f"roam-1.md: cites {rule}")


def check_reasons(text, rules):
    """Section 14 says of each rule why it is there."""
    part = section(text, "14\\. Rationale", 2)
    named = set(CITATION.findall(part))
    for area, first, last in re.findall(
            r"\[([A-Z]+)-(\d+)\] to \[\1-(\d+)\]", part):
        named |= {f"{area}-{n}" for n in range(int(first), int(last) + 1)}
    for rule, *_ in rules:
        check(rule in named, f"roam-1.md: no reason for {rule} in section 14")


def proto_messages():
    """{message: [(number, name, type)]} and {enum: [(value, name)]}."""
    text = re.sub(r"//.*", "", (ROOT / "proto" / "roam.proto").read_text())
    messages, enums = {}, {}
    for name, body in re.findall(r"message (\w+) \{(.*?)\}", text, re.S):
        messages[name] = [(int(n), f, t) for t, f, n in re.findall(
            r"((?:repeated )?\w+) (\w+) = (\d+);", body)]
    for name, body in re.findall(r"enum (\w+) \{(.*?)\}", text, re.S):
        enums[name] = [(int(v), n) for n, v in re.findall(r"(\w+) = (\d+);", body)]
    return messages, enums


def section(text, heading, level):
    match = re.search(rf"(?ms)^{'#' * level} {heading}.*?(?=^#{{2,{level}}} |\Z)", text)
    return match.group(0) if match else ""


def rows(text):
    for line in text.splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] and not set(cells[0]) <= {"-"}:
            yield cells


def camel(frame):
    return "".join(w.capitalize() for w in frame.split("_"))


def check_message_tables(text, messages, enums):
    part = section(text, "4\\. Messages", 2)
    for frame, body in re.findall(r"(?ms)^\*\*([A-Za-z_]+)\*\*: ?(.*?)(?=^\*\*|^### |\Z)", part):
        inner = not frame.isupper()
        want = messages.get(frame if inner else camel(frame), [])
        got = [(int(c[0]), c[1], c[2]) for c in rows(body)
               if c[0].isdigit() and c[1].islower()]
        if got:
            kinds = [(n, f, t if t in ("enum", "Holder") or t not in enums else "enum")
                     for n, f, t in want]
            kinds = [(n, f, "enum" if t in enums else t) for n, f, t in kinds]
            check(got == kinds, f"{frame}: table {got} is not roam.proto's {kinds}")
        else:
            prose = body.split("\n\n")[0]
            got = [(int(n), f) for n, f in re.findall(r"(\d+)\s+(\w+)\s+\(", prose)]
            check(got == [(n, f) for n, f, _ in want], f"{frame}: text is not roam.proto's")
    columns = [(int(c[0]), c[1]) for c in rows(section(text, "8\\.1", 3)) if c[0].isdigit()]
    check(columns == [(n, f) for n, f, _ in messages["Columns"]], "Columns table differs")


def check_code_tables(text, enums):
    for heading, enum in (("12\\.1", "ErrorCode"), ("12\\.2", "RefusedReason"),
                          ("12\\.3", "KickReason"), ("12\\.4", "Retry")):
        got = [(int(c[0]), c[1]) for c in rows(section(text, heading, 3)) if c[0].isdigit()]
        check(got == [v for v in enums[enum] if v[0]], f"{enum}: table differs: {got}")
    inner = section(text, "4\\.3", 3)
    for enum in ("Kind", "GroupAction", "JoinMode", "Role"):
        want = [(v, n) for v, n in enums[enum] if v or enum == "Kind"]
        got = re.findall(r"(?m)\| (\d+) \| (%s) (?=\|)" %
                         "|".join(n for _, n in want), inner)
        check([(int(v), n) for v, n in got] == want, f"{enum}: table differs: {got}")
    frame_h = (ROOT / "proto" / "frame.h").read_text()
    want = re.findall(r"ROAM_(\w+) = (0x[0-9a-f]{2}),?", frame_h)
    got = [(c[1], c[0]) for c in rows(section(text, "3\\. Frames", 2)) if c[0].startswith("0x")]
    check(got == want, f"frame types differ: {got} {want}")


def check_limits(text):
    header = (ROOT / "proto" / "roam_limits.h").read_text()
    code = {n: int(v.rstrip("ul"), 0) for n, v in
            re.findall(r"#define (ROAM_\w+) (0x[0-9a-f]+u?l*|\d+u?l*)", header)}
    table = {}
    for cells in rows(section(text, "11\\. Limits", 2)):
        value = 2**63 - 1 if cells[1] == "2^63-1" else cells[1].replace(",", "")
        for name in cells[0].split(", "):
            if name.startswith("ROAM_"):
                table[name] = int(value)
    check(len(table) > 5, "the table of limits was not found")
    for name, value in table.items():
        check(code.get(name) == value, f"{name}: spec {value}, code {code.get(name)}")


STATE_TABLES = (
    # Heading, file, prefix of states, name of the frame events, sets of states.
    ("10\\.1", "server/core/states.c", "ROAM__", r"ROAM__ON_(\w+)", {
        "LIVE": ("IDLE", "SYNCING", "DELIVERING")}),
    ("10\\.2", "client/src/state.c", "ST_", r"ON_(\w+)", {
        "SESSION": ("SYNC", "LIVE"),
        "CONNECTED": ("OPEN", "LOGIN", "SYNC", "LIVE")}))
# What the client's engine calls the frames that it tells apart.
CLIENT_EVENTS = {
    "RESET": ("SYNC_OK",), "PONG": ("PONG",), "BEHIND": ("PONG",),
    "BEHIND_AGAIN": ("PONG",), "ANSWER": ("SEND_OK", "ERROR"),
    "PAGE": ("HISTORY_PAGE", "CONVERSATION_PAGE", "MEMBER_PAGE",
             "SESSION_LIST", "SESSION_ENDED"),
    **dict.fromkeys(("FITS", "OLD", "GAP", "GAP_AGAIN", "LIES"),
                    ("PUSH", "BATCH"))}


def code_edges(path, prefix, event, sets, frames):
    """{(state, frame, next)}; next is empty where it stays or ends."""
    text = (ROOT / path).read_text()
    text = text[text.index("edges[] = {"):]
    edges = set()
    for row in re.findall(r"\{([^{}]*)\}", text):
        cells = [c.strip() for c in row.split(",")]
        match = re.fullmatch(event, cells[1]) if len(cells) == 4 else None
        if not match:
            continue
        states = re.findall(r"IN\(%s(\w+)\)" % prefix, cells[0])
        for name, members in sets.items():
            states += members if re.search(r"\b%s\b" % name, cells[0]) else ()
        to = cells[2].removeprefix(prefix)
        to = "" if to in ("SAME", "STAY", "ENDING", "ENDED") else to
        named = CLIENT_EVENTS.get(match.group(1), (match.group(1),))
        edges |= {(s, f, to) for s in states for f in named if f in frames}
    return edges


def spec_edges(text, heading, frames):
    edges, all_states = set(), []
    for cells in rows(section(text, heading, 3)):
        if len(cells) == 2:
            all_states.append(cells[0])
        match = re.match(r"[A-Z_]+(?:, [A-Z_]+)*", cells[1])
        if len(cells) != 5 or not match:
            continue
        states = cells[0].split(", ")
        if cells[0].startswith("any but "):
            states = [s for s in all_states[1:] if s != cells[0][8:]]
        to = cells[2] if cells[2] not in ("same", "ENDING", "ENDED") else ""
        edges |= {(s, f, "" if to == s else to) for s in states
                  for f in match.group(0).split(", ") if f in frames}
    return edges


def check_states(text):
    frame_h = (ROOT / "proto" / "frame.h").read_text()
    types = re.findall(r"ROAM_(\w+) = 0x(\w{2})", frame_h)
    for heading, path, prefix, event, sets in STATE_TABLES:
        frames = {n for n, v in types if (int(v, 16) & 0x40 != 0) == (prefix == "ST_")}
        code = code_edges(path, prefix, event, sets, frames)
        spec = spec_edges(text, heading, frames)
        ended = {e for e in spec if e[0] in ("ENDED",)}
        check(len(code) > 10, f"{path}: no table of states was found")
        for part, edges in (("states", lambda t: {e[:2] for e in t}),
                            ("steps", lambda t: {e for e in t if e[2]})):
            check(edges(code) == edges(spec - ended),
                  f"{path}: {part} differ from the spec's: code only "
                  f"{sorted(edges(code) - edges(spec))}, spec only "
                  f"{sorted(edges(spec - ended) - edges(code))}")


def check_example(text):
    """The worked example is the vector's, byte by byte."""
    vector = (ROOT / "spec" / "vectors" / "batch-example.txt").read_text()
    lines = [line for block in re.findall(r"(?s)```\n(.*?)```", section(text, "8\\.2", 3))
             for line in block.splitlines()]
    check(len(lines) > 20, "the worked example was not found")
    for line in lines:
        check(line in vector.splitlines(), f"worked example: {line!r} is not the vector's")


def main():
    text = SPEC.read_text()
    rules = extract(text)
    if "--write" in sys.argv[1:]:
        REGISTRY.write_text(registry_text(rules))
    check(len(rules) > 0, "no rules found")
    check(REGISTRY.exists() and REGISTRY.read_text() == registry_text(rules),
          "spec/rules.tsv is not the spec's: run check_rules.py --write")
    check_citations({rule[0] for rule in rules})
    check_reasons(text, rules)
    messages, enums = proto_messages()
    check_message_tables(text, messages, enums)
    check_code_tables(text, enums)
    check_limits(text)
    check_states(text)
    check_example(text)
    for failure in failures:
        print("not ok:", failure)
    print(f"{len(rules)} rules")
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
