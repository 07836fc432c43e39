#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs roam-conform and looks at all that it leaves behind.

    check_reports.py BUILD          last line "N passed, N failed"

BUILD has roam-conform, roamd and roamd-faulty. Checked are the shape of JSON
and JUnit, that their numbers agree with each other and with TAP, the exit
codes, expectations, repetition, and the traces' names.
"""

import base64
import fcntl
import json
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import xml.etree.ElementTree as xml
import zlib

HERE = pathlib.Path(__file__).resolve().parent
FAULT = "no-kick"  # its cases are 02-kick/takeover...
PREFIX = "02-kick/"

passed = 0
failures = []


def check(ok, text):
    """Counts one check; `text` says what is wrong if it is not ok."""
    global passed
    if ok:
        passed += 1
    else:
        failures.append(text)
        print("not ok:", text)


# ------------------------------------------------------------------- schema

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool,
         "integer": int, "null": type(None)}


def faults(value, schema, root, where="$"):
    """Yields what is wrong with a value; the part of JSON Schema that
    report.schema.json uses."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if "const" in schema and value != schema["const"]:
        yield f"{where}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    if names and not any(type(value) is TYPES[n] for n in names):
        yield f"{where}: {value!r} is no {names}"
        return
    if "minimum" in schema and value is not None and value < schema["minimum"]:
        yield f"{where}: {value} is too small"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{where}: {value!r} does not match"
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for name in schema.get("required", []):
            if name not in value:
                yield f"{where}: no {name}"
        for name, inner in value.items():
            if name in known:
                yield from faults(inner, known[name], root, f"{where}.{name}")
            elif schema.get("additionalProperties") is False:
                yield f"{where}: {name} is not in the schema"
    if isinstance(value, list) and "items" in schema:
        for i, inner in enumerate(value):
            yield from faults(inner, schema["items"], root, f"{where}[{i}]")


def check_schema(report, name):
    schema = json.loads((HERE / "report.schema.json").read_text())
    wrong = list(faults(report, schema, schema))
    check(not wrong, f"{name}: {wrong[:3]}")


# -------------------------------------------------------------------- JUnit

COUNTS = {"tests": "testcase", "failures": "failure", "errors": "error",
          "skipped": "skipped"}
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time",
                  "timestamp"},
    "testcase": {"name", "classname", "time", "file"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
    "system-out": set(),
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}


def check_junit(path):
    """The shape that CI systems read, and that all counts add up."""
    root = xml.parse(path).getroot()
    check(root.tag == "testsuites", f"{path}: root is {root.tag}")
    for e in root.iter():
        known = ATTRIBUTES.get(e.tag)
        check(known is not None and set(e.attrib) <= known,
              f"{path}: {e.tag} {sorted(e.attrib)}")
        check({c.tag for c in e} <= CHILDREN.get(e.tag, set()),
              f"{path}: {e.tag} has {[c.tag for c in e]}")
        check("time" not in e.attrib
              or re.fullmatch(r"\d+\.\d{3}", e.get("time")),
              f"{path}: time {e.get('time')}")
        if e.tag in ("testsuite", "testsuites"):
            for name, tag in COUNTS.items():
                check(int(e.get(name)) == len(list(e.iter(tag))),
                      f"{path}: {e.get('name')}: {name}={e.get(name)}")
        if e.tag == "testcase":
            check(len(e) <= 1, f"{path}: {e.get('name')} has two outcomes")
    names = [(e.get("classname"), e.get("name"))
             for e in root.iter("testcase")]
    check(len(set(names)) == len(names), f"{path}: a name is there twice")
    return root


# --------------------------------------------------------------------- runs


class Suite:
    """roam-conform with everything it can write, in a directory of its own."""

    def __init__(self, build, directory):
        self.build, self.dir = build, pathlib.Path(directory)
        self.conform = build / "roam-conform"

    def path(self, name):
        return str(self.dir / name)

    def run(self, *options, server="roamd", fault=None, client=False,
            pair=False):
        env = dict(os.environ)
        env.pop("ROAM_FAULT", None)
        if fault:
            env["ROAM_FAULT"] = fault
        role = ["client", *options, "--", self.build / "adapter-libroam"] \
            if client else ["server", "--roamd", self.build / server, *options]
        if pair:
            role = ["pair", "--roamd", self.build / server, *options, "--",
                    self.build / "adapter-libroam"]
        return subprocess.run([self.conform, *role], capture_output=True,
                              text=True, env=env, timeout=300)

    def report(self, name, *options, **more):
        """One run with JSON and JUnit; returns (process, JSON)."""
        done = self.run("--json", self.path(name + ".json"),
                        "--junit", self.path(name + ".xml"),
                        "--html", self.path(name + ".html"), *options, **more)
        with open(self.path(name + ".json"), encoding="utf-8") as f:
            report = json.load(f)
        check_schema(report, name)
        root = check_junit(self.path(name + ".xml"))
        check(report["exit"] == done.returncode,
              f"{name}: exit {report['exit']} and {done.returncode}")
        check(len(list(root.iter("testcase"))) == len(report["cases"])
              == len(re.findall(r"(?m)^(?:not )?ok \d", done.stdout)),
              f"{name}: numbers of cases differ")
        return done, report


def page_data(path):
    """What a page draws itself from."""
    packed = re.search(r'id="data">\s*(\S+)\s*</script>',
                       pathlib.Path(path).read_text()).group(1)
    return json.loads(zlib.decompress(base64.b64decode(packed),
                                      -zlib.MAX_WBITS))


def by_id(report, case):
    return [c for c in report["cases"] if c["id"] == case][0]


def check_green(suite):
    traces = suite.path("traces")
    done, report = suite.report("green", "--case", PREFIX, "--trace-dir",
                                traces)
    check(done.returncode == 0, f"green: exit {done.returncode}")
    check(report["counts"]["pass"] == len(report["cases"]) > 5, "green: counts")
    names = {c["id"].replace("/", "-") for c in report["cases"]}
    names.add("00-sanity-alive-again")
    files = set(os.listdir(traces))
    check(files == {n + e for n in names for e in (".txt", ".pcapng")},
          f"traces: {sorted(files)[:4]}")
    check(all("events" not in c for c in report["cases"]),
          "green: passed cases have events")
    observed = [r for r in report["rules"] if r["accepting"]]
    check(any(r["id"] == "LOGIN-15" for r in observed),
          "green: LOGIN-15 unseen")


def check_secrets(suite):
    """A token of a real server is in nothing that is left. The program that
    makes tokens for it keeps them here."""
    kept = pathlib.Path(suite.path("tokens"))
    maker = pathlib.Path(suite.path("make-user"))
    control = (f'"{HERE}/control/control_roamd.py" '
               f'"{suite.build}/roamd-faulty"')
    maker.write_text("#!/bin/sh\n"
                     f"{control} \"$@\" >\"$0.$$\"\n"
                     f"[ \"$1\" != token ] || cat \"$0.$$\" >>'{kept}'\n"
                     "cat \"$0.$$\"\n")
    maker.chmod(0o700)
    left = pathlib.Path(suite.path("secrets"))
    done = subprocess.run(
        [suite.conform, "server", "--control", control,
         "--provision", f'"{maker}"', "--case", "08-frame/byte-by-byte",
         "--trace",
         "--trace-dir", str(left), "--json", suite.path("secrets.json"),
         "--html", suite.path("secrets.html")],
        capture_output=True, text=True, timeout=300)
    check(done.returncode == 0, f"secrets: {done.stdout} {done.stderr}")
    tokens = kept.read_text().split()
    files = [left / name for name in os.listdir(left)]
    files += [pathlib.Path(suite.path("secrets" + e))
              for e in (".json", ".html")]
    text = b"".join(f.read_bytes() for f in files)
    text += (done.stdout + done.stderr).encode()
    check(len(tokens) > 2 and b"*" * len(tokens[0]) in text,
          f"secrets: {len(tokens)} tokens")
    check(not any(t.encode() in text or t.encode().hex().encode() in text
                  for t in tokens), "secrets: a token is left")


def check_client(suite):
    """The other role leaves the same."""
    traces = suite.path("client-traces")
    done, report = suite.report("client", "--case", "53-client-chain/gap",
                                "--trace-dir", traces, client=True)
    check(done.returncode == 0 and report["role"] == "client",
          f"client: {done.returncode} {done.stderr}")
    check("50-client-sanity-alive.pcapng" in os.listdir(traces),
          f"client: traces {sorted(os.listdir(traces))[:3]}")
    text = pathlib.Path(traces, "53-client-chain-gap-twice.txt").read_text()
    check(re.search(r"(?m)-> LOGIN ", text) and "closed retry=" in text,
          "client: frames or events are not traced")


def check_pair(suite):
    """And the third one, which says whose a failure is."""
    traces = suite.path("pair-traces")
    done, report = suite.report("pair", "--case", "70-pair-session/take-over",
                                "--trace-dir", traces, pair=True)
    check(done.returncode == 0 and report["role"] == "pair",
          f"pair: {done.returncode} {done.stderr}")
    check({r["id"] for r in report["rules"] if r["accepting"]}
          >= {"KICK-1", "KICK-7"}, "pair: rules of both sides are not seen")
    text = pathlib.Path(traces, "70-pair-session-take-over.txt").read_text()
    check(re.search(r"(?m)-> LOGIN ", text) and "<- KICK " in text
          and "kicked reason=" in text,
          "pair: frames or events are not traced")
    check(text.count("<- KICK ") == 1, "pair: a frame is traced twice")
    done, report = suite.report("pair-red", "--case",
                                "70-pair-session/take-over", "--timeout",
                                "2000", pair=True, server="roamd-faulty",
                                fault=FAULT)
    failure = by_id(report, "70-pair-session/take-over")["failure"]
    check(done.returncode == 1 and failure["blame"] == "the server"
          and "KICK-1" in failure["rules"], f"pair-red: {failure}")


def check_red(suite):
    done, report = suite.report("red", "--case", PREFIX, "--timeout", "2000",
                                server="roamd-faulty", fault=FAULT)
    check(done.returncode == 1, f"red: exit {done.returncode}")
    case = by_id(report, PREFIX + "takeover")
    check(case["verdict"] == "fail" and case["standing"] == "unexpected",
          f"red: {case['verdict']}")
    check("KICK-1" in case["failure"]["rules"], "red: KICK-1 is not named")
    check(case["events"] and any(e["kind"] == "frame" for e in case["events"]),
          "red: no frames")
    check(f"--case {case['id']} --seed {report['seed']}" in
          repeats(suite, case, FAULT), f"red: {case['detail']}")
    return report


def repeats(suite, case, fault):
    """The command under `repeat`, which is run as it stands there."""
    command = re.search(r"repeat: (.*)", case["detail"]).group(1)
    again = subprocess.run(command, shell=True, capture_output=True, text=True,
                           env=dict(os.environ, ROAM_FAULT=fault), timeout=300,
                           cwd=HERE.parent)
    what = re.search(r"failed: .*", case["detail"]).group(0)
    check(again.returncode == 1 and what in again.stdout,
          f"{command}: {again.returncode} {again.stderr}")
    return command


def check_repeat_of_client(suite):
    """Also where its path and the scenarios' have spaces and quotes."""
    directory = pathlib.Path(suite.path("it's mine"))
    scenarios = directory / "50-client-sanity"
    scenarios.mkdir(parents=True)
    adapter = directory / "an adapter"
    adapter.symlink_to(suite.build / "adapter-libroam")
    text = (HERE / "scenarios/50-client-sanity/alive.scn").read_text()
    (scenarios / "alive.scn").write_text(text)
    (scenarios / "red.scn").write_text(
        "# Red.\nrules ACK-2\nroles client\n\n"
        "device a user=alice type=PHONE\n\na start\na> ACK\n")
    done = subprocess.run(
        [suite.conform, "client", "--scenarios", directory, "--timeout", "700",
         "--json", suite.path("mine.json"), "--", adapter],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
    report = json.loads(pathlib.Path(suite.path("mine.json")).read_text())
    case = by_id(report, "50-client-sanity/red")
    check(done.returncode == 1 and case["verdict"] == "fail",
          f"client, red: {case}")
    check("--timeout 700" in repeats(suite, case, ""), case["detail"])


def update_cut_short(suite, full):
    """An update that is interrupted while a case waits for what won't come."""
    run = subprocess.Popen(
        [suite.conform, "server", "--roamd", suite.build / "roamd-faulty",
         *full, "--timeout", "250000", "--update-expectations"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=dict(os.environ, ROAM_FAULT=FAULT))
    while not run.stdout.readline().startswith("ok 1"):
        pass
    run.terminate()
    _, told = run.communicate(timeout=60)
    return subprocess.CompletedProcess([], run.returncode, stderr=told)


def check_expectations(suite, red):
    """update, then green; a stale entry, an unexpected pass, a wrong one."""
    full = ("--scenarios", suite.path("scenarios"), "--timeout", "2000",
            "--expectations", suite.path("known"))
    target = pathlib.Path(suite.path("scenarios/02-kick"))
    target.mkdir(parents=True)
    sanity = pathlib.Path(suite.path("scenarios/00-sanity"))
    sanity.mkdir()
    for case in ("00-sanity/alive", "02-kick/takeover"):
        text = (HERE / "scenarios" / (case + ".scn")).read_text()
        (target.parent / (case + ".scn")).write_text(text)
    broken = {"server": "roamd-faulty", "fault": FAULT}
    done = suite.run(*full, "--update-expectations", **broken)
    check(done.returncode == 0, f"update: {done.returncode} {done.stderr}")
    check("known: 0 kept, 0 taken out, 1 added" in done.stderr,
          f"update: {done.stderr}")
    lines = pathlib.Path(suite.path("known")).read_text()
    check(lines.startswith("02-kick/takeover") and lines.endswith('"  -\n'),
          f"update: {lines}")
    done, report = suite.report("known", *full, **broken)
    check(done.returncode == 0, f"known: {done.returncode}")
    check(report["counts"]["known"] == 1, "known: not counted")
    check("# TODO known: -" in done.stdout, "known: not in TAP")
    done = update_cut_short(suite, full)
    check(done.returncode == 4 and "as it was" in done.stderr and
          pathlib.Path(suite.path("known")).read_text() == lines,
          f"update, interrupted: {done.returncode} {done.stderr}")
    done, report = suite.report("repaired", *full)
    check(done.returncode == 1, f"repaired: {done.returncode}")
    check(len(report["stale_expectations"]) == 1, "repaired: not stale")
    check(by_id(report, "02-kick/takeover")["standing"] == "unexpected-pass",
          "repaired: not unexpected")
    pathlib.Path(suite.path("known")).write_text("09-no/case fail \"\" -\n")
    done = suite.run(*full)
    check(done.returncode == 1 and "no such case" in done.stderr,
          f"stale: {done.returncode}")
    done = suite.run(*full, "--case", PREFIX, "--update-expectations")
    check(done.returncode == 2, f"update of a part: {done.returncode}")


def check_seeds(suite):
    """All roles dump the same: each byte of a stream is in the trace."""
    runs = [({}, "02-kick/takeover", 4),
            ({"client": True}, "52-client-kick/resync", 2),
            ({"pair": True}, "70-pair-session/take-over", 4)]
    for more, case, least in runs:
        kept = pathlib.Path(suite.path("seeds-" + case[:2]))
        done = suite.run("--dump-seeds", str(kept), "--case", case, **more)
        check(done.returncode == 0, f"seeds: {done.stderr}")
        name = case.replace("/", "-")
        trace = (kept / (name + ".trace")).read_text()
        check(re.match(r"(?:user \S+\n)+(?:token \S+ \S+\n)+0?\d* ", trace),
              f"seeds: {trace[:200]}")
        opened = re.findall(r"(?m)^\d+ open (\d+) (\S+)$", trace)
        check(len(opened) >= least // 2, f"seeds: {opened}")
        for number, stream in opened:
            for way in ("to-server", "to-client"):
                told = sum(map(int, re.findall(
                    rf"(?m)^\d+ {way} {number} (\d+)$", trace)))
                data = (kept / f"{stream}.{way}").read_bytes()
                check(len(data) == told and (way == "to-client" or
                                             data[:1] == b"\x01"),
                      f"seeds: {stream}.{way}: {len(data)} of {told}")
        token = re.search(r"token \S+ (\S+)", trace).group(1)
        check(any(token.encode() in p.read_bytes()
                  for p in kept.glob(name + ".*.to-server")),
              "seeds: no token in a LOGIN")


def check_exits(suite):
    check(suite.run("--case", "no-such").returncode == 2, "nothing selected")
    check(suite.run("--list", "--repeat", "100000").returncode == 0,
          "the most rounds")
    check(suite.run("--list", "--repeat", "100001").returncode == 2,
          "one round too many")
    check(suite.run("--expectations", suite.path("none")).returncode == 2,
          "no such file of expectations")
    done = suite.run("--json", suite.path("no/dir"), "--case", "00-sanity")
    check(done.returncode == 3 and not done.stdout,
          f"a report that fails: {done.returncode} {done.stdout}")
    mistaken = pathlib.Path(suite.path("mistaken/00-sanity"))
    mistaken.mkdir(parents=True)
    (mistaken / "alive.scn").write_text(
        "# Alive.\nrules LOGIN-1\nroles server\n"
        "device ann user=alice type=PHONE\nann login\nann drain\n")
    (mistaken / "no-session.scn").write_text(
        "# A mistake of the suite.\nrules LOGIN-1\nroles server\n"
        "device ann user=alice type=PHONE\nann connect\nann fence\n")
    done, report = suite.report("mistaken", "--scenarios",
                                suite.path("mistaken"))
    check(done.returncode == 3 and report["counts"]["harness-error"] == 1,
          f"a mistake of the suite: {done.returncode}")
    for name in ("SIGINT", "SIGTERM"):
        check_interrupted(suite, getattr(signal, name))


def check_interrupted(suite, number):
    done = subprocess.Popen(
        [suite.conform, "server", "--roamd", suite.build / "roamd", "--json",
         suite.path("cut.json")], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True)
    for line in done.stdout:
        if line.startswith("ok 3"):
            done.send_signal(number)
            break
    done.stdout.read()
    check(done.wait() == 4, f"{number}: {done.returncode}")
    with open(suite.path("cut.json"), encoding="utf-8") as f:
        report = json.load(f)
    check_schema(report, "cut")
    check(not report["complete"] and report["counts"]["not-exercised"] > 10,
          f"{number}: what did not run is not told")


def servers_of(pid):
    """The roamds that a process has started, and that serve."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = (path / "stat").read_text().rsplit(") ", 1)[1].split()[1]
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue    # it has ended meanwhile
        if int(parent) == pid and words[0].endswith(b"/roamd") \
                and b"run" in words:
            found.append(int(path.name))
    return found


def check_crash(suite):
    """A server that dies costs one case, also when none has seen it die."""
    done = subprocess.Popen(
        [suite.conform, "server", "--roamd", suite.build / "roamd", "-j", "1",
         "--case", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)
    lines = []
    for line in done.stdout:
        lines.append(line)
        if line.startswith("ok 2 "):
            for pid in servers_of(done.pid):
                os.kill(pid, signal.SIGKILL)
    bad = [line for line in lines if line.startswith("not ok")]
    errors = done.stderr.read()
    check(done.wait() == 1 and len(bad) == 1, f"crash: {bad}")
    check("started again" in errors and "signal 9" in errors,
          f"crash: {errors}")
    # The last one has nobody behind it.
    dies = pathlib.Path(suite.path("dies"))
    dies.write_text("#!/bin/sh\ntrap 'kill $pid; wait; exit 7' TERM\n"
                    f"{suite.build}/roamd \"$@\" & pid=$!\nwait\n")
    dies.chmod(0o700)
    done = subprocess.run(
        [suite.conform, "server", "--roamd", dies, "--case", "10-ping/"],
        capture_output=True, text=True, timeout=300)
    bad = re.findall(r"(?m)^not ok .*", done.stdout)
    check(done.returncode == 1 and len(bad) == 1
          and "exited with status 7" in done.stdout,
          f"a bad end: {done.returncode} {done.stdout[-600:]} {done.stderr}")


def on_terminal(suite, columns, *options):
    """What a terminal of that width is sent by a run."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ,
                struct.pack("HHHH", 24, columns, 0, 0))
    run = subprocess.Popen(
        [suite.conform, "server", "--roamd", suite.build / "roamd", "--case",
         "10-ping", *options], stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    text = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        text += part
    os.close(ours)
    run.wait(timeout=60)
    return text.decode()


def check_terminal(suite):
    """One line that stays in its place and within the screen; none where
    others write, too."""
    for columns in (200, 24, 2):
        told = on_terminal(suite, columns, "--repeat", "2")
        lines = [part.split("\r")[0] for part in told.split("\r\x1b[K")]
        drawn = [line for line in lines if line.startswith("[")]
        check(len(drawn) == 8 and all(len(d) < columns for d in drawn),
              f"terminal of {columns}: {drawn[:2]}")
        check(columns < 200 or drawn[2].startswith("[ 37%] 3 of 8 done, 0 fail"),
              f"terminal: {drawn[2:3]}")
        check(told.endswith("\r\x1b[K8 passed, 0 failed\r\n"),
              f"terminal: it ends with {told[-40:]!r}")
    told = on_terminal(suite, 80, "--trace")
    check("\x1b" not in told and
          re.search(r"(?m)^00-sanity/alive: ann +> LOGIN ", told),
          "trace on a terminal: progress stands in it")


def check_repetition(suite):
    traces = suite.path("rounds")
    done, report = suite.report("rounds", "--case", "10-ping/", "--repeat",
                                "3", "--seed", "5", "--trace-dir", traces)
    check(len(os.listdir(traces)) == 2 * len(report["cases"]),
          f"repeat: traces {sorted(os.listdir(traces))[:3]}")
    cases = [c for c in report["cases"] if c["area"] == "10-ping"]
    check(done.returncode == 0 and {c["round"] for c in cases} == {0, 1, 2},
          "repeat: rounds")
    check("(round 3)" in done.stdout, "repeat: not in TAP")
    drawn = {c["round"] for c in page_data(suite.path("rounds.html"))["cases"]
             if c["area"] == "10-ping" and "events" in c}
    check(drawn == {0}, f"repeat: the page has events of rounds {drawn}")
    done = suite.run("--case", PREFIX + "takeover", "--until-failure",
                     "--timeout", "2000", server="roamd-faulty", fault=FAULT)
    check(done.returncode == 1 and "(round 1)" in done.stdout
          and "(round 2)" not in done.stdout, "until-failure: did not stop")
    done = suite.run("--case", PREFIX + "takeover", "--repeat", "2",
                     "--timeout", "1000", server="roamd-faulty", fault=FAULT)
    check(f"{PREFIX}takeover failed 2 times of 2" in done.stderr,
          f"repeat: no rate: {done.stderr}")


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as directory:
        suite = Suite(build, directory)
        check_green(suite)
        check_secrets(suite)
        check_client(suite)
        check_repeat_of_client(suite)
        check_pair(suite)
        red = check_red(suite)
        check_expectations(suite, red)
        check_seeds(suite)
        check_exits(suite)
        check_crash(suite)
        check_terminal(suite)
        check_repetition(suite)
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
