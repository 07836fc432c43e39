# SPDX-License-Identifier: Apache-2.0
"""The vectors of spec/vectors that a client can receive: two readings of the
spec that share no code, the client's and that of the vectors' own checker,
take and refuse the same, and make the same of what they take."""
import collections
import copy
import pathlib
import random
import zlib

import reading
import roam_client as roam
import roam_pb2 as pb
import roam_sdk
from client_rig import case, same
from vector_file import hex_of, parse

VECTORS = pathlib.Path(reading.__file__).parent
FILES = ("server.txt", "reject.txt", "batch.txt", "batch-example.txt",
         "batch-reject.txt", "page.txt", "page-reject.txt")
PACKED = (pb.Batch, *roam_sdk.PAGES)
# Refusals for what a frame, a batch or a page is, in whatever state it comes:
# by a rule, by zlib, by the UTF-8 decoder.
FORM = ("[FRAME-5]", "[FRAME-9]", "[FRAME-10]", "[FRAME-11]", "[BATCH-",
        "[HIST-12]", "[CHAIN-1]", "[FRAME-14] type", "Error -", "'utf-8'")


class InOtherState(AssertionError):
    """Well-formed, and no answer to what this client asked."""


class Asked(dict):
    """The same request for every page."""
    def get(self, *_):
        return self.frame


class Vector:
    def __init__(self, sections):
        self.frame = hex_of(sections["bytes"])
        self.limit = int(sections.get("limit", [65536])[0])
        codecs, max_inflated, *max_rows = map(
            int, sections.get("offer", ["2 65536"])[0].split())
        self.offer = dict(codecs=codecs, max_inflated=max_inflated)
        self.max_rows = max_rows[0] if max_rows else 1000

    def read(self):
        """What the checker makes of it: message, and rows or None."""
        m, rows = reading.decode(self.frame, self.limit), None
        if isinstance(m, PACKED):
            if not isinstance(m, pb.Batch) and m.count > self.max_rows:
                raise reading.Refuse("COUNT")
            rows = list(reading.unpack(m, reading.inflate(
                m, self.offer["codecs"], self.offer["max_inflated"])))
        return m, rows

    def client(self):
        """A client in a state in which the frame may come."""
        client = roam_sdk.Client(roam_sdk.Store(), "alice", "x", 1,
                                 max_frame=self.limit)
        client.connected()
        kind, states, _ = roam.FRAMES.get(self.frame[0], (None, ("LIVE",), ""))
        client.state, client.limit = states[-1], self.limit
        client.session = pb.LoginOk(max_commands=1)
        client.since, client.window = 0, 2**32
        client.asked = pb.Sync(**self.offer)
        if kind in roam_sdk.PAGES:
            client.requests = Asked()
            client.requests.frame = roam_sdk.PAGES[kind](
                max_rows=self.max_rows, **self.offer)
        try:
            self.fit(client, reading.decode(self.frame, self.limit))
        except reading.Refuse:
            pass                        # so it is refused in any state
        return client

    def fit(self, client, m):
        if isinstance(m, (pb.Push, pb.Batch)):
            client.state, client.at = "LIVE", m.prev_version
        elif isinstance(m, pb.SyncOk):
            client.asked.cursor = (
                m.head if m.result == pb.UP_TO_DATE
                else min(m.head + 1, 2**64 - 1) if m.reason == pb.AHEAD
                else m.floor if m.result == pb.DELTA else max(m.head, 1) - 1)
        elif isinstance(m, pb.Pong):
            client.pings = [m.id]
        elif isinstance(m, (pb.SendOk, pb.Error, *roam_sdk.PAGES)):
            ref = m.client_msg_id if isinstance(m, pb.SendOk) else m.ref
            client.open.add(ref)


def told(client):
    """The frame that the client tells of, and the rows."""
    frames = [value for event in client.events for value in event
              if hasattr(value, "DESCRIPTOR") and event[0] != "entry"]
    rows = [event[1] for event in client.events
            if event[0] in ("entry", "row")]
    return frames, rows


def same_row(got, want):
    if not isinstance(got, dict):
        got = {field.name: getattr(got, field.name)
               for field in got.DESCRIPTOR.fields}
    same({key: value for key, value in got.items() if value},
         {key: value for key, value in want.items() if value})


def agree(vector):
    client, refusal = vector.client(), None
    try:
        client.feed(vector.frame)
    except roam.Refuse as error:
        refusal = str(error)
    try:
        m, wanted = vector.read()
    except reading.Refuse as word:
        assert refusal, word
        if not refusal.startswith((*FORM, "[FRAME-14] SYNC_OK")):
            raise InOtherState(refusal) from word
        return "refused"
    if m is not None and vector.frame[0] not in roam.FRAMES:
        same(refusal, "[FRAME-14] type %d" % vector.frame[0])
        return "not asked for"
    if refusal and not refusal.startswith(FORM):
        raise InOtherState(refusal)
    assert refusal is None, refusal
    frames, rows = told(client)
    if m is None:
        same((frames, rows), ([], []))
        return "skipped"
    for frame in frames:
        same(frame, m)
    if isinstance(m, pb.Push):
        same(rows, [m])
    elif wanted is not None:
        same(len(rows), len(wanted))
        for got, want in zip(rows, wanted):
            same_row(got, want)
    return "taken"


def vectors():
    for file in FILES:
        for name, sections in parse(VECTORS / file):
            vector = Vector(sections)
            if vector.frame[0] >= 0x40 or file != "reject.txt":
                yield name, vector      # others only a server receives


@case
def the_vectors_are_what_the_checker_takes_them_for(_server):
    seen, failed = collections.Counter(), []
    for name, vector in vectors():
        try:
            seen[agree(vector)] += 1
        except AssertionError as error:
            failed.append("%s: %s" % (name, error))
    assert not failed, "\n".join(failed)
    same(sorted(seen), ["not asked for", "refused", "skipped", "taken"])


def bent(data, rng):
    """The same with some bytes changed, dropped or put in between."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        value = rng.choice((rng.randrange(256), 0, 1, 127, 128, 255))
        data[at:at + rng.randrange(2)] = [value] * rng.randrange(2)
    return bytes(data)


def bend(vector, rng):
    """Bends the payload or, half of the time, the columns in it."""
    kind, payload = roam.FRAMES[vector.frame[0]][0], vector.frame[4:]
    if kind in PACKED and rng.randrange(2):
        m = kind.FromString(payload)
        if m.codec:
            m.payload = zlib.decompress(m.payload, -15)
        m.codec, m.payload = pb.CODEC_NONE, bent(m.payload, rng)
        m.inflated_size = len(m.payload)
        payload = m.SerializeToString()
    else:
        payload = bent(payload, rng)
    vector.frame = (vector.frame[:1] + len(payload).to_bytes(3, "big")
                    + payload)


@case
def and_what_is_near_to_one_as_well(_server):
    """Both refuse the same for its form, whatever else a state refuses."""
    rng, seen = random.Random(1), collections.Counter()
    good = []
    for name, vector in vectors():
        try:
            m, _ = vector.read()
        except reading.Refuse:
            continue
        if vector.frame[0] in roam.FRAMES and 4 < len(vector.frame) < 2000:
            good.append(vector)
    for _ in range(6000):
        vector = copy.copy(rng.choice(good))
        bend(vector, rng)
        try:
            seen[agree(vector)] += 1
        except InOtherState:
            seen["in another state"] += 1
    assert seen["taken"] > 300 and seen["refused"] > 3000, seen
