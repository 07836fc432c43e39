#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes fuzz seeds of what went over the wire in the conformance scenarios.

DUMP is what `roam-conform server ... --dump-seeds DUMP` left; its format is
in conformance/seeds.h. Every case becomes candidates in the input format of
each target; those that reach something new, by the target's own account, are
written to fuzz/corpus/TARGET/scn-AREA-CASE[-N], in place of all scn-* there.

usage: make_seeds.py DUMP [FUZZERS]     FUZZERS: build/fuzz, after `make fuzz`
"""
import pathlib
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import scenario_dump as dump  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent

# Few and small seeds make a fuzzer fast.
MOST_FILES = 60
MOST_BYTES = 4095
MOST_STREAM_BYTES = 1024
RAW_MAX = 255  # an operand of one byte says the length of raw bytes

# The world of fuzz_server.c. Other users are unknown there.
USERS = ("alice", "bob", "carol", "dave", "erin")
MAX_BODY = 300
SESSIONS = 3
TOKENS = 8
TIME_UNIT_MS = 50

# Steps of fuzz_client.c.
FEED, STORE, SEND, WAIT, PULL, DISCONNECT, CONNECT = 0, 10, 12, 14, 16, 17, 18
LOGOUT = 219
WAIT_UNIT_MS = 500
DEFLATE, FROM_ZERO = 2, 4  # in its first byte
TAKE_OVER = 2              # of CONNECT
IDS = 64                   # its client_msg_ids are 1..64, over and over

# Shorter silence than this is how long things take, not what a case is about.
SILENCE_MS = 450


def server_ops():
    """The names in fuzz_server.c's enum op, each with its number."""
    source = (HERE / "fuzz_server.c").read_text()
    body = re.search(r"^enum op \{(.*?)\}", source, re.S | re.M).group(1)
    return {name: number for number, name in
            enumerate(re.findall(r"\bOP_(\w+),?", body))}


def shortened(steps):
    """As many whole steps as a seed may hold."""
    out = b""
    for step in steps:
        if len(out) + len(step) > MOST_BYTES:
            break
        out += step
    return out


def pieces(data, most):
    return [data[at:at + most] for at in range(0, len(data), most)]


# ------------------------------------------------------------------- server

class ServerWorld:
    """What values of a case become in the world of fuzz_server.c, whose
    timelines have no holes and whose slots start empty."""

    def __init__(self, case):
        self.case = case
        self.names = {}
        for name, new in zip(case.users, USERS):
            self.names[name] = new
            for number, token in enumerate(case.tokens[name]):
                self.names[token] = f"{new}-{number % TOKENS}"

    def rename(self, data):
        """Names in bytes that are no message; the length stands before."""
        for old, new in self.names.items():
            data = data.replace(bytes([len(old)]) + old.encode(),
                                bytes([len(new)]) + new.encode())
        return data

    def frame(self, conn, kind, payload):
        """The frame as it would be in this world. What stock
        protobuf would write otherwise is bent on purpose, and stays so."""
        m = dump.decode(kind, payload)
        if m is None or m.SerializeToString() != payload:
            payload = self.rename(payload)
        else:
            self.rewrite(conn, kind, m)
            payload = m.SerializeToString()
        return dump.header(kind, payload) + payload

    def rewrite(self, conn, kind, m):
        if kind == dump.LOGIN:
            m.take_over = dump.rank(
                self.case.generations[(m.user, m.device_type)], m.take_over)
            m.user = self.names.get(m.user, m.user)
            m.token = self.names.get(m.token, "x" * len(m.token))
        elif kind == dump.SYNC:
            m.cursor = dump.rank(conn.versions, m.cursor)
        elif kind == dump.ACK:
            m.version = dump.rank(conn.versions, m.version)
        elif kind == dump.SEND:
            m.conversation = self.names.get(m.conversation, m.conversation)
            m.body = self.body(conn, m.body)
        elif kind == dump.PUSH:
            m.conversation = self.names.get(m.conversation, m.conversation)
            m.sender = self.names.get(m.sender, m.sender)

    @staticmethod
    def body(conn, body):
        """As long, measured by the limit."""
        if len(body) >= conn.max_body:
            most = MAX_BODY + (len(body) > conn.max_body)
            return (body + bytes(most))[:most]
        return body[:MAX_BODY]


class ServerProgram:
    """The writes of all connections of a case in their order, and between
    them whatever the server had time for."""

    def __init__(self, case, ops):
        self.case, self.ops = case, ops
        self.world = ServerWorld(case)
        self.steps = []
        self.slots = {}    # connection -> number in the fuzzer's world
        self.partial = {}  # connection -> bytes of an unfinished frame
        self.waiting = False

    def op(self, name, *operands):
        self.steps.append(bytes([self.ops[name], *operands]))

    def settle(self):
        if self.waiting:
            self.op("SETTLE")
        self.waiting = False

    def raw(self, conn, data, most):
        for piece in pieces(data, min(most, RAW_MAX)):
            self.steps.append(bytes(
                [self.ops["RAW"], self.slots[conn], len(piece)]) + piece)
        self.waiting = True

    def open(self, conn):
        free = set(range(SESSIONS)) - set(self.slots.values())
        if free:
            self.slots[conn] = min(free)
            self.partial[conn] = b""

    def to_server(self, conn, data):
        if conn not in self.slots:
            return
        cut = bool(self.partial[conn])
        frames, rest = dump.cut_frames(self.partial[conn] + data)
        self.partial[conn] = rest
        for kind, payload in frames:
            # A frame that came in pieces goes in pieces.
            self.raw(conn, self.world.frame(conn, kind, payload),
                     len(data) if cut else RAW_MAX)

    def end(self, conn):
        if conn in self.slots:
            self.raw(conn, self.world.rename(self.partial[conn]), RAW_MAX)
            self.settle()
            self.op("CUT", self.slots.pop(conn))

    def pause(self, ms):
        if ms >= SILENCE_MS:
            self.settle()
            self.op("TIME", min(ms // TIME_UNIT_MS, 255))
            self.waiting = True

    def build(self):
        now = 0
        drained = False
        for event in self.case.events:
            self.pause(event.ms - now)
            now = event.ms
            if event.what == "server" and event.arg == "terminate":
                self.settle()
                self.op("DRAIN")
                self.waiting = drained = True
            elif event.what == "server" and drained:
                break  # that world has no other process
            elif event.what == "open":
                self.open(event.conn)
            elif event.what == "to-server":
                self.to_server(event.conn, event.arg)
            elif event.what == "to-client":
                self.settle()
            elif event.what == "end":
                self.end(event.conn)
        for conn in list(self.slots):
            self.end(conn)
        return shortened(self.steps)


def server_seeds(case):
    program = ServerProgram(case, server_ops()).build()
    return [program] if program else []


# ------------------------------------------------------------------- client

class ClientProgram:
    """What the server said to one device, on all its connections, and what
    the device's program must have called for it."""

    def __init__(self, case, device):
        self.case, self.device = case, device
        self.names = ServerWorld(case)
        self.steps = []
        self.ids = {}  # client_msg_id of the case -> of the fuzzer's world
        self.sends = 0

    def step(self, *data):
        self.steps.append(bytes(data))

    def called(self, kind, payload):
        m = dump.decode(kind, payload)
        if m is None:
            return
        if kind == dump.LOGIN:
            self.step(CONNECT, TAKE_OVER if m.take_over else 0)
        elif kind == dump.SEND:
            self.ids[m.client_msg_id] = 1 + self.sends % IDS
            self.sends += 1
            self.step(SEND, min(len(m.body), 255))
        elif kind == dump.LOGOUT:
            self.step(LOGOUT)
        self.step(PULL)

    def said(self, kind, payload):
        m = dump.decode(kind, payload)
        if m is None:
            return
        if kind in (dump.PUSH, dump.SEND_OK):
            m.client_msg_id = self.ids.get(m.client_msg_id, m.client_msg_id)
        elif kind == dump.ERROR:
            m.ref = self.ids.get(m.ref, m.ref)
        payload = self.names.rename(m.SerializeToString())
        frame = dump.header(kind, payload) + payload
        self.steps += [bytes([FEED, len(p)]) + p
                       for p in pieces(frame, RAW_MAX)]
        if kind in (dump.PUSH, dump.BATCH, dump.SYNC_OK):
            self.step(STORE)
            self.step(PULL)

    def build(self):
        now = 0
        deflate = False
        partial = {}
        for event in self.case.events:
            if event.ms - now >= SILENCE_MS:
                self.step(WAIT, min(-(-(event.ms - now) // WAIT_UNIT_MS), 255))
            now = event.ms
            conn = event.conn
            if conn is None or conn.device != self.device:
                continue
            if event.what in ("to-server", "to-client"):
                key = (conn, event.what)
                data = partial.pop(key, b"") + event.arg
                frames, partial[key] = dump.cut_frames(data)
                deflate |= event.what == "to-client" and any(
                    kind == dump.BATCH and dump.decode(kind, p).codec
                    for kind, p in frames)
                for kind, payload in frames:
                    tell = self.called if event.what == "to-server" \
                        else self.said
                    tell(kind, payload)
            elif event.what == "end":
                self.step(DISCONNECT)
        how = FROM_ZERO | (DEFLATE if deflate else 0)
        return shortened([bytes([how])] + self.steps)


def client_seeds(case):
    devices = dict.fromkeys(c.device for c in case.connections)
    return [ClientProgram(case, d).build() for d in devices]


# ---------------------------------------------------------- frames and batches

def frame_seeds(case):
    """One byte for the length of pieces, then a stream. Of streams with the
    same types of frames and about the same length, one is enough."""
    world = ServerWorld(case)
    out = {}
    for conn in case.connections:
        for stream in (conn.to_server, conn.to_client):
            frames, rest = dump.cut_frames(stream)
            data = b"".join(world.frame(conn, k, p) for k, p in frames)
            data += world.rename(rest)
            if 0 < len(data) <= MOST_STREAM_BYTES:
                key = frozenset(k for k, _ in frames), len(data).bit_length()
                out.setdefault(key, bytes([len(data) % 64]) + data)
    return list(out.values())


def batch_seeds(case):
    """The header that fuzz_batch.c describes, then the payload; each batch
    to be packed again within wide and within narrow limits."""
    out = []
    for conn in case.connections:
        for kind, payload in dump.cut_frames(conn.to_client)[0]:
            if kind != dump.BATCH:
                continue
            m = dump.decode(kind, payload)
            prev = min(m.prev_version, 255)
            span = m.last_version - m.prev_version - 1
            if span >> 32 or m.inflated_size >> 16 or m.count > 1 << 16:
                continue
            for narrow in (0, 0x80):
                out.append(
                    bytes([m.codec, 2 | narrow]) +
                    m.inflated_size.to_bytes(2, "little") + bytes([prev]) +
                    span.to_bytes(4, "little") +
                    (m.count - 1).to_bytes(2, "little") +
                    m.inflated_size.to_bytes(2, "little") + m.payload)
    return [seed for seed in out if len(seed) <= MOST_BYTES]


# ----------------------------------------------------------------- selection

TARGETS = {"frame": frame_seeds, "server": server_seeds,
           "client": client_seeds, "batch": batch_seeds}


def candidates_of(cases, make):
    """Every different seed, by the name that its file gets."""
    out, seen = {}, set()
    for case in cases:
        seeds = [s for s in dict.fromkeys(make(case)) if s not in seen]
        seen.update(seeds)
        for number, seed in enumerate(seeds, 1):
            suffix = f"-{number}" if len(seeds) > 1 else ""
            out[f"scn-{case.name}{suffix}"] = seed
    return out


def fill(folder, files):
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)


def coverage(fuzzer, *folders):
    """(edges, features); an input that fails ends it all."""
    run = subprocess.run([fuzzer, "-runs=0", *folders], text=True, cwd=ROOT,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if run.returncode != 0:
        sys.exit(f"{run.stdout}{fuzzer}: a seed fails")
    return re.findall(r"cov: (\d+) ft: (\d+)", run.stdout)[-1]


def features_of(fuzzer, work):
    """Name of a file in work/there or work/candidates -> the features that
    it reaches, from the notes that a merge takes."""
    notes = work / "notes"
    (work / "merged").mkdir()
    subprocess.run([fuzzer, "-set_cover_merge=1",
                    f"-merge_control_file={notes}", work / "merged",
                    work / "there", work / "candidates"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lines = notes.read_text().splitlines()
    count = int(lines[0])
    names = [pathlib.Path(line).name for line in lines[2:2 + count]]
    return {names[int(words[1])]: set(words[2:]) for words in
            map(str.split, lines[2 + count:]) if words[0] == "FT"}


def choose(fuzzer, there, candidates):
    """Each the one that adds most to the files there and those chosen
    before it, the smallest of several; and the coverage without and with
    them."""
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        fill(work / "there", there)
        fill(work / "candidates", candidates)
        coverage(fuzzer, work / "candidates")  # a merge skips what fails
        features = features_of(fuzzer, work)
        known = set().union(*(features[n] for n in there))
        left = sorted(set(candidates) & set(features))
        chosen = {}
        while left and len(chosen) < MOST_FILES:
            best = max(left, key=lambda n: (len(features[n] - known),
                                            -len(candidates[n])))
            if features[best] <= known:
                break
            known |= features[best]
            chosen[best] = candidates[best]
            left.remove(best)
        fill(work / "chosen", chosen)
        return (chosen, coverage(fuzzer, work / "there"),
                coverage(fuzzer, work / "there", work / "chosen"))


def make_corpus(target, fuzzer, candidates):
    folder = HERE / "corpus" / target
    folder.mkdir(exist_ok=True)
    old = sorted(folder.glob("scn-*"))
    there = {f.name: f.read_bytes() for f in folder.iterdir() if f not in old}
    chosen, before, after = choose(fuzzer, there, candidates)
    for file in old:
        file.unlink()
    for name, data in chosen.items():
        (folder / name).write_bytes(data)
    print(f"{target:8} {len(candidates):4} candidates, {len(chosen):3} kept, "
          f"{sum(map(len, chosen.values())):6} bytes; edges "
          f"{before[0]} -> {after[0]}, features {before[1]} -> {after[1]}")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    fuzzers = pathlib.Path(sys.argv[2] if len(sys.argv) == 3
                           else ROOT / "build" / "fuzz").resolve()
    cases = dump.load(sys.argv[1])
    if not cases:
        sys.exit(f"{sys.argv[1]}: no traces there")
    for target, make in TARGETS.items():
        fuzzer = fuzzers / f"fuzz_{target}"
        if not fuzzer.exists():
            sys.exit(f"{fuzzer}: not built; see fuzz/README.md")
        make_corpus(target, fuzzer, candidates_of(cases, make))


main()
