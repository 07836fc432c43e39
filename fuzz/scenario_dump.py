# SPDX-License-Identifier: Apache-2.0
"""Reads what `roam-conform server ... --dump-seeds DIR` left. The format is
in conformance/seeds.h; messages are decoded by the stock protobuf library."""
import bisect
import collections
import importlib
import os
import pathlib
import subprocess
import sys
import zlib

# The other one complains on its own about every frame that is bad on purpose.
os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
from google.protobuf.message import DecodeError  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER_BYTES = 4

LOGIN, LOGOUT, SYNC, ACK, SEND, PING = range(0x01, 0x07)
(LOGIN_OK, REFUSED, KICK, SYNC_OK, PUSH, BATCH, SEND_OK, PONG,
 ERROR) = range(0x41, 0x4a)


def load_messages():
    folder = ROOT / "build" / "gen" / "python"
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["protoc", "-I", ROOT / "proto", f"--python_out={folder}",
                    "roam.proto"], check=True)
    sys.path.insert(0, str(folder))
    return importlib.import_module("roam_pb2")


pb = load_messages()
MESSAGES = {LOGIN: pb.Login, LOGOUT: pb.Logout, SYNC: pb.Sync, ACK: pb.Ack,
            SEND: pb.Send, PING: pb.Ping, LOGIN_OK: pb.LoginOk,
            REFUSED: pb.Refused, KICK: pb.Kick, SYNC_OK: pb.SyncOk,
            PUSH: pb.Push, BATCH: pb.Batch, SEND_OK: pb.SendOk,
            PONG: pb.Pong, ERROR: pb.Error}


def header(kind, payload):
    return bytes([kind]) + len(payload).to_bytes(3, "big")


def cut_frames(data):
    """The whole frames at the start as (type, payload), and what is left."""
    frames, at = [], 0
    while len(data) - at >= HEADER_BYTES:
        end = at + HEADER_BYTES + int.from_bytes(data[at + 1:at + 4], "big")
        if end > len(data):
            break
        frames.append((data[at], data[at + HEADER_BYTES:end]))
        at = end
    return frames, data[at:]


def decode(kind, payload):
    """The message; None when it is none."""
    try:
        return MESSAGES[kind].FromString(payload)
    except (KeyError, ValueError, DecodeError):
        return None


def rank(known, value):
    """Where the value stands among the known ones, 0 being the first; what
    lies behind the last stays as far behind it."""
    known = sorted(known | {0})
    if value > known[-1]:
        behind = value - known[-1]
        return value if value >> 62 else len(known) - 1 + behind
    return bisect.bisect_right(known, value) - 1


def batch_versions(m):
    """Of all rows; those of a batch that cannot be read are not known."""
    payload = m.payload
    if m.codec == pb.CODEC_DEFLATE:
        payload = zlib.decompress(payload, -zlib.MAX_WBITS)
    gaps = list(pb.Columns.FromString(payload).version_gap)
    version, out = m.prev_version, []
    for gap in gaps + [0] * (m.count - len(gaps)):
        version += gap + 1
        out.append(version)
    return out


Event = collections.namedtuple("Event", "ms what conn arg")


class Connection:
    """One connection: its bytes in both directions, and what they say."""

    def __init__(self, folder, file):
        self.device = file.rsplit(".", 2)[1]
        self.to_server = (folder / (file + ".to-server")).read_bytes()
        self.to_client = (folder / (file + ".to-client")).read_bytes()
        self.max_body = 65536
        self.slot = None      # (user, device type) of the last LOGIN
        self.versions = {0}   # of the user's timeline, from all devices
        for kind, payload in cut_frames(self.to_server)[0]:
            m = decode(kind, payload) if kind == LOGIN else None
            if m is not None:
                self.slot = (m.user, m.device_type)

    def told(self, versions, generations):
        """Notes all versions and generations that the server told."""
        for kind, payload in cut_frames(self.to_client)[0]:
            m = decode(kind, payload)
            if m is None:
                continue
            if kind in (LOGIN_OK, REFUSED, KICK) and m.generation:
                generations.add(m.generation)
            if kind in (LOGIN_OK, SYNC_OK, PONG):
                versions.add(m.head)
            if kind == LOGIN_OK:
                self.max_body = m.max_body
            elif kind == PUSH:
                versions.update((m.prev_version, m.version))
            elif kind == BATCH:
                versions.update(batch_versions(m))


class Case:
    """One scenario: its events in their order, with the bytes in them."""

    def __init__(self, trace):
        self.name = trace.stem
        self.users = []
        self.tokens = collections.defaultdict(list)  # by user
        self.connections, self.events = [], []
        self.generations = collections.defaultdict(set)
        self.taken = collections.Counter()
        for line in trace.read_text().splitlines():
            words = line.split()
            if words[0] == "user":
                self.users.append(words[1])
            elif words[0] == "token":
                self.tokens[words[1]].append(words[2])
            else:
                self.add_event(trace.parent, int(words[0]), *words[1:])
        timelines = collections.defaultdict(lambda: {0})
        for conn in self.connections:
            if conn.slot is not None:
                conn.versions = timelines[conn.slot[0]]
                conn.told(conn.versions, self.generations[conn.slot])

    def add_event(self, folder, ms, what, subject, arg=None):
        if what == "server":
            self.events.append(Event(ms, what, None, subject))
            return
        number = int(subject)
        if what == "open":
            self.connections.append(Connection(folder, arg))
        conn = self.connections[number]
        if what in ("to-server", "to-client"):
            stream = conn.to_server if what == "to-server" else conn.to_client
            at = self.taken[number, what]
            self.taken[number, what] += int(arg)
            arg = stream[at:at + int(arg)]
        self.events.append(Event(ms, what, conn, arg))


def load(folder):
    return [Case(t) for t in sorted(pathlib.Path(folder).glob("*.trace"))]
