# SPDX-License-Identifier: Apache-2.0
"""What make_cases.py and client_cases.py read from the spec: its tables of
frames, and of fields with their bounds."""

import os
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
SPEC = pathlib.Path(os.environ.get(
    "ROAM_SPEC", HERE.parent / "spec" / "roam-1.md")).read_text()
V = 2**63 - 1
U32, U64 = 2**32 - 1, 2**64 - 1


def section(title):
    """From a heading to the next one of its level or above."""
    level = title.split(" ")[0]
    body = SPEC.split(f"\n{title}\n", 1)[1]
    return re.split(rf"(?m)^#{{2,{len(level)}}} ", body)[0]


def rows(text):
    """The cells of all table rows, without headings."""
    out = []
    for line in text.splitlines():
        if line.startswith("|") and not re.match(r"\|[-| ]+\|$", line):
            out.append([c.strip() for c in line.strip().strip("|").split("|")])
    return out


FRAMES = {r[1]: r for r in rows(section("## 3. Frames"))
          if re.match(r"0x\w\w$", r[0])}
CLIENT = [f for f, r in FRAMES.items() if r[2] == "client"]
SERVER = [f for f, r in FRAMES.items() if r[2] == "server"]


def states_and_edges(title):
    """The states of a machine in section 10, and its rows (where, event, next,
    action, rules)."""
    table = rows(section(title))
    return ([r[0] for r in table if len(r) == 2 and r[0].isupper()],
            [r for r in table if len(r) == 5 and r[0] != "state"])


IN_A_SENTENCE = re.compile(r"\b\d+ (\w+) \((\w+)(?:, ([^):]*))?[:)]")


def tables_of_fields(title):
    """{frame: [(field, type, bound)]} of a section: from its tables or, of a
    frame with few fields, from the sentence that has them."""
    out = {}
    for part in section(title).split("\n**")[1:]:
        name = part.split("**")[0]
        out[name] = [(r[1], r[2], r[3]) for r in rows(part)
                     if len(r) == 5 and r[0].isdigit()] or \
            IN_A_SENTENCE.findall(part.replace("\n", " "))
    return out


WIDTH = {"uint32": U32, "uint64": U64, "fixed64": U64, "enum": 2**31 - 1,
         "bool": 1}


def number(text):
    text = text.replace(",", "")
    return eval(text.replace("^", "**"), {}) if "^" in text else int(text)


def bounds(kind, bound):
    """(least, most, may be left out) of a number, or of a length."""
    required = bound.startswith("required")
    free = not required or " with " in bound
    pair = re.search(r"([\d,]+)\.\.([\d,^-]+)", bound)
    if pair:
        return number(pair[1]), number(pair[2]), free
    if "V+" in bound:
        return 1, V, free
    if re.search(r"\bV\b", bound):
        return 0, V, free
    least = re.search(r"at least ([\d,]+)", bound)
    if least:
        return number(least[1]), WIDTH[kind], free
    exact = re.search(r"(\d+) bytes", bound)
    if exact:
        return int(exact[1]), int(exact[1]), free
    if kind in WIDTH:
        return int(required), WIDTH[kind], free
    return None  # bytes of any length
