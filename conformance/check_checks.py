#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The checks of the suite fail where they should.

    check_checks.py BUILD    last line "N passed, N failed"

The kill matrix lets survive what is not caught, the check of coverage sees a
gap and a note that is stale, and the check of the cases that the spec's tables
dictate sees what is new in the spec.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SPEC = (HERE.parent / "spec" / "roam-1.md").read_text()
results = [0, 0]


def claim(holds, text, why=""):
    results[not holds] += 1
    if not holds:
        print(f"failed: {text}\n{why}")


def run(*args, **environment):
    return subprocess.run([str(a) for a in args], capture_output=True,
                          text=True, env=dict(os.environ, **environment))


# ------------------------------------------------------------- kill matrix

def survivors(build):
    table = HERE / "broken" / "survivors"
    for line in table.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        # One at a time: the same fault may be there twice.
        with tempfile.NamedTemporaryFile("w") as one:
            one.write(line + "\n")
            one.flush()
            name = line.split()[0]
            r = run(f"{build}/roam-conform", "broken", "--roamd",
                    f"{build}/roamd-faulty", "--faults", one.name,
                    "--fault", name)
        claim(r.returncode == 1 and "SURVIVES" in r.stdout,
              f"{line}: survives", r.stdout + r.stderr)


# ---------------------------------------------------------------- coverage

TABLE = """\
# role\trule\tlevel\taccepting\trejecting\tcaught
server\tA-1\tMUST\tyes\tyes\tyes
server\tA-2\tMUST\tyes\t-\tyes
server\tA-3\tMUST\t-\t-\t-
server\tA-4\tSHOULD\t-\t-\t-
client\tA-1\tMUST\t-\t-\t-
"""
UNSEEN = """\
# a comment
server A-2 rejecting it refuses nothing
server A-3 all it is inside
client A-1 all it is elsewhere
"""


def covers(table, unseen, role="server"):
    with tempfile.TemporaryDirectory() as d:
        (pathlib.Path(d) / "table").write_text(table)
        (pathlib.Path(d) / "unseen").write_text(unseen)
        r = run("sh", HERE / "check_coverage.sh", f"{d}/table", role,
                f"{d}/unseen")
    return r.returncode == 0 and ", 0 failed" in r.stdout


def coverage():
    claim(covers(TABLE, UNSEEN), "what is noted may be missing")
    claim(covers(TABLE, UNSEEN, "client"), "each role by itself")
    claim(not covers(TABLE.replace("A-1\tMUST\tyes\tyes\tyes",
                                   "A-1\tMUST\tyes\tyes\t-"), UNSEEN),
          "a rule without a broken server")
    claim(not covers(TABLE.replace("yes\tyes\tyes", "varies\tyes\tyes"),
                     UNSEEN), "a column that varies")
    claim(not covers(TABLE.replace("A-2\tMUST\tyes\t-", "A-2\tMUST\tyes\tyes"),
                     UNSEEN), "a note that is stale")
    claim(covers(TABLE, UNSEEN + "server A-4 all it cannot be shown\n"),
          "a SHOULD may be noted")
    claim(not covers(TABLE.replace("A-4\tSHOULD\t-", "A-4\tSHOULD\tyes"),
                     UNSEEN + "server A-4 all it cannot be shown\n"),
          "a note about a SHOULD that is stale")
    claim(not covers(TABLE, UNSEEN + "server A-9 all nothing\n"),
          "a note about no rule")
    claim(not covers(TABLE, UNSEEN + "server A-1\n"), "a note without reason")
    claim(not covers(TABLE.splitlines()[0] + "\n", ""), "an empty table")


def notes():
    """A test that a note names is there, and about the rule."""
    text = (HERE / "broken" / "unseen").read_text()
    for line in text.splitlines():
        if "tests/" not in line:
            continue
        rule, test = line.split()[1], line.split()[-1]
        path = HERE.parent / test
        claim(path.is_file() and rule in path.read_text(),
              f"{test} is about {rule}")


# ------------------------------------------------------------------- cases

def cases_fit(old=None, new=None):
    assert old is None or old in SPEC, old
    with tempfile.NamedTemporaryFile("w") as spec:
        spec.write(SPEC.replace(old, new, 1) if old else SPEC)
        spec.flush()
        return run(sys.executable, HERE / "make_cases.py",
                   ROAM_SPEC=spec.name).returncode == 0


def cases():
    claim(cases_fit(), "the cases are those of the spec")
    for what, old, new in (
            ("a frame", "| 0x0b | END_SESSION |",
             "| 0x0c | NEWS | client | News | |\n| 0x0b | END_SESSION |"),
            ("a state", "| LEAVING | a LOGOUT is",
             "| WAITING | something new |\n| LEAVING | a LOGOUT is"),
            ("an edge", "| IDLE, SYNCING, DELIVERING | PING | same |",
             "| IDLE, SYNCING, DELIVERING, LEAVING | PING | same |"),
            ("a bound", "| required, 4..100,000 |", "| required, 5..100,000 |"),
            ("a field", "| 1 | id | uint64 | any | comes back in PONG |",
             "| 1 | id | uint64 | any | comes back in PONG |\n"
             "| 2 | more | uint32 | 1..7 | more |"),
            ("a client's state", "| LIVE | session; entries flow |",
             "| LIVE | session; entries flow |\n| LATE | something new |"),
            ("a client's edge", "| SYNC, LIVE | PONG | same |",
             "| LIVE | PONG | same |"),
            ("a bound of a server's frame", "| required, at least 1,000 |",
             "| required, at least 2,000 |"),
            ("a field of a server's frame", "2 head (uint64, V).",
             "2 head (uint64, V), 3 more (string, 0..7 bytes)."),
            ("an error", "| 32 | NO_SUCH_CONV", "| 31 | NEW | x | |\n"
             "| 32 | NO_SUCH_CONV"),
            ("a refusal", "| 10 | THROTTLED |",
             "| 11 | NEW | x | NEVER |\n| 10 | THROTTLED |"),
            ("an ending", "| 13 | TOO_FAST |",
             "| 14 | NEW | x | AFTER |\n| 13 | TOO_FAST |"),
            ("a limit", "| ROAM_FRAME_MIN | 512 |",
             "| ROAM_NEW_MAX | 7 | why |\n| ROAM_FRAME_MIN | 512 |")):
        claim(not cases_fit(old, new), f"{what} that is new in the spec")


survivors(sys.argv[1])
coverage()
notes()
cases()
print(f"{results[0]} passed, {results[1]} failed")
sys.exit(results[1] > 0)
