# SPDX-License-Identifier: Apache-2.0
"""Cases without a server: frames that none should send, and the vectors."""
import pathlib

import roam_client as roam
import roam_codec as codec
import roam_pb2 as pb
from client_rig import case, must_raise, same

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "spec" / "vectors"


def frame(message):
    data = message.SerializeToString()
    return bytes([0x41 + codec.SERVER.index(type(message))]) + len(
        data).to_bytes(3, "big") + data


def alone(*messages, **limits):
    """A client without a server, in state LIVE at cursor 0."""
    client = roam.Client(roam.Store(), "alice", "x", 1, **limits)
    return again(client, *messages)


def again(client, *messages):
    client.lost()
    client.connected()
    client.login()
    client.feed(frame(pb.LoginOk(generation=1, max_frame=9999, max_body=99,
                                 max_commands=1, heartbeat_ms=1000,
                                 dedup_ms=1)))
    client.feed(frame(pb.SyncOk(result=pb.DELTA, head=99)))
    for message in messages:
        client.feed(frame(message))
    client.take_output()
    return client


def noop(version, prev):
    return pb.Push(version=version, prev_version=prev, kind=pb.NOOP)


@case
def a_server_that_breaks_a_rule_is_told_which(_server):
    client = alone(noop(1, 0), noop(1, 0), noop(3, 2))
    same((client.state, client.store.cursor), ("SYNC", 1))
    client.feed(frame(noop(9, 8)))                          # SYNC-8: dropped
    client.feed(frame(pb.SyncOk(result=pb.DELTA, head=99)))
    must_raise("CHAIN-6", client.feed, frame(noop(3, 2)))
    client = alone(*(noop(i + 1, i) for i in range(4)), max_unacked=4,
                   eager_ack=False)
    client.feed(frame(noop(5, 4)))                          # ACK-2 made room
    client.ack = lambda: None
    for i in range(5, 8):
        client.feed(frame(noop(i + 1, i)))
    must_raise("ACK-3", client.feed, frame(noop(9, 8)))
    for rule, message in (
            ("KICK-6", pb.Kick(reason=pb.IDLE, retry=pb.NEVER)),
            ("KICK-1", pb.Kick(reason=pb.TAKEN_OVER, retry=pb.NEVER)),
            ("SEND-2", pb.SendOk(client_msg_id=1, msg_id=1)),
            ("PING-1", pb.Pong(id=1)),
            ("FRAME-14", pb.SyncOk(result=pb.DELTA, head=99)),
            ("PUSH-6", pb.Push(version=1, msg_id=1, conversation="bob",
                               sender="carol")),
            ("PUSH-4", pb.Push(version=1, msg_id=1, conversation="bob",
                               sender="bob", client_msg_id=1)),
            ("BATCH-4", pb.Push(version=1, msg_id=1, conversation="bob",
                                sender="bob", cut_size=1)),
            ("FRAME-5", pb.Push(version=1, msg_id=1, conversation="bob",
                                sender="bob", body=bytes(65536)))):
        client = alone()
        must_raise(rule, client.feed, frame(message))
        same((client.state, client.store.cursor), ("ENDED", 0))


@case
def a_bad_batch_makes_the_client_ask_for_less(_server):
    bad = pb.Batch(last_version=1, count=1, inflated_size=1, payload=b"x")
    client = alone()
    for codecs, most in ((2, 10000), (0, 10000), (0, 0)):
        again(client)
        same((client.asked.codecs, client.asked.max_entries), (codecs, most))
        must_raise("BATCH-7", client.feed, frame(bad))
        same(client.store.cursor, 0)
    again(client, noop(1, 0))
    client.sync()
    same((client.asked.codecs, client.asked.max_entries), (2, 10000))


def vectors(name):
    """Yields name and a dict of what stands below it, as words of lines."""
    vector = key = None
    for line in open(VECTORS / name):
        if not line.startswith("  ") or key in ("bytes", "columns"):
            line = line.split("#")[0]
        line = line.rstrip()
        if line.startswith("vector "):
            if vector:
                yield vector
            vector = {"vector": line[7:]}
        elif line.startswith(" "):
            vector[key].append(line.split())
        elif line:
            key, *rest = line.split()
            vector[key] = rest
    yield vector


def octets(lines):
    return bytes.fromhex("".join(sum(lines, [])))


def shown(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str):
        return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')
    return "true" if value is True else str(value)


def lines_of(message, prefix=""):
    for field, value in message.ListFields():
        if field.message_type:
            yield field.name
            yield from lines_of(value, "holder.")
        else:
            yield "%s%s %s" % (prefix, field.name, shown(value))


def read(vector):
    raw = octets(vector["bytes"])
    same(int.from_bytes(raw[1:4], "big"), len(raw) - 4)
    return codec.decode(codec.SERVER[raw[0] - 0x41], raw[4:])


@case
def the_vectors_of_good_frames(_server):
    count = 0
    for vector in vectors("server.txt"):
        known = octets(vector["bytes"])[0] - 0x41 < len(codec.SERVER)
        if "fields" in vector and known:
            try:
                got = list(lines_of(read(vector)))
            except roam.ProtocolError as error:
                raise AssertionError(vector["vector"]) from error
            same(got, [" ".join(words) for words in vector["fields"]])
            count += 1
    assert count > 20, count


@case
def the_vectors_of_bad_frames(_server):
    code = {"FRAME-9": "MALFORMED", "FRAME-10": "INVALID_UTF8",
            "FRAME-11": "FIELD_RANGE"}
    count = 0
    for vector in vectors("reject.txt"):
        kind = octets(vector["bytes"])[0]
        if 0x41 <= kind <= 0x49:
            try:
                read(vector)
                raise AssertionError(vector["vector"] + " was taken")
            except roam.ProtocolError as error:
                same((vector["vector"], code.get(error.rule)),
                     (vector["vector"], vector["error"][0]))
            count += 1
    assert count > 40, count


@case
def the_vectors_of_good_batches(_server):
    for vector in [*vectors("batch.txt"), *vectors("batch-example.txt")]:
        codecs, most = map(int, vector["offer"])
        try:
            rows = codec.unpack(read(vector), codecs, most)
        except roam.ProtocolError as error:
            raise AssertionError(vector["vector"]) from error
        for row, words in zip(rows, vector["rows"], strict=True):
            want = dict(zip(words[::2], words[1::2]))
            got = {name: shown(value) for name, value in row._asdict().items()
                   if value or name in ("version", "prev_version", "kind")}
            same((vector["vector"], got), (vector["vector"], want))


@case
def the_vectors_of_bad_batches(_server):
    for vector in vectors("batch-reject.txt"):
        codecs, most = map(int, vector["offer"])
        batch = read(vector)
        try:
            codec.unpack(batch, codecs, most)
        except roam.ProtocolError:
            continue
        raise AssertionError(vector["vector"] + " was taken")
