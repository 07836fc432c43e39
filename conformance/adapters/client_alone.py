# SPDX-License-Identifier: Apache-2.0
"""Cases without a server: frames that none should send."""
import contextlib
import pathlib
import socket
import threading
import time

import roam_client as roam
import roam_link
import roam_pb2 as pb
import roam_sdk
from client_rig import case, judge, must_raise, same

TYPES = {kind: number for number, (kind, _, _) in roam.FRAMES.items()}


def frame(message):
    data = message.SerializeToString()
    return bytes([TYPES[type(message)]]) + len(data).to_bytes(3, "big") + data


def alone(*messages, **limits):
    """A client without a server, in state LIVE at cursor 0."""
    client = roam_sdk.Client(roam_sdk.Store(), "alice", "x", 1, **limits)
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
    client = alone(*(noop(i + 1, i) for i in range(4)), max_unacked=4)
    client.feed(frame(noop(5, 4)))                          # ACK-2 made room
    client.ack = lambda *least: None
    for i in range(5, 9):
        client.feed(frame(noop(i + 1, i)))
    must_raise("ACK-3", client.feed, frame(noop(10, 9)))
    for rule, message in (
            ("KICK-6", pb.Kick(reason=pb.IDLE, retry=pb.NEVER)),
            ("KICK-1", pb.Kick(reason=pb.TAKEN_OVER, retry=pb.NEVER)),
            ("SEND-2", pb.SendOk(client_msg_id=1, msg_id=1)),
            ("PING-1", pb.Pong(id=1)),
            ("FRAME-14", pb.SyncOk(result=pb.DELTA, head=99)),
            ("FRAME-5", pb.Push(version=1, msg_id=1, conversation="bob",
                                sender="bob", body=bytes(65536)))):
        client = alone()
        must_raise(rule, client.feed, frame(message))
        same((client.state, client.store.cursor), ("ENDED", 0))


@case
def the_cases_below_hold_a_server_to_more(_server):
    client = alone()
    for rule, fields in (("PUSH-6", dict(sender="carol")),
                         ("PUSH-4", dict(sender="bob", client_msg_id=1)),
                         ("BATCH-4", dict(sender="bob", cut_size=1)),
                         ("BATCH-4", dict(sender="bob", body=bytes(65089)))):
        must_raise(rule, judge, client, pb.Push(
            version=1, msg_id=1, conversation="bob", **fields))
    judge(client, pb.Push(version=1, msg_id=1, conversation="bob",
                          sender="bob", body=bytes(65088)))


@case
def rows_that_take_no_bytes_are_not_believed(_server):
    """Or a count of 2^32-1 would take as many rows of memory."""
    columns = pb.Columns(conversations=["bob"]).SerializeToString()
    for count, rule in ((len(columns), "FRAME-11"),
                        (len(columns) + 1, "BATCH-7")):
        must_raise(rule, alone().feed, frame(pb.Batch(
            last_version=count, count=count, payload=columns,
            inflated_size=len(columns))))


@case
def a_bad_batch_makes_the_client_ask_for_less(_server):
    bad = pb.Batch(last_version=1, count=1, inflated_size=1, payload=b"x")
    client = alone()
    for codecs, most in ((2, 10000), (0, 10000), (0, 0)):
        again(client)
        same((client.asked.codecs, client.asked.max_entries), (codecs, most))
        must_raise("FRAME-9", client.feed, frame(bad))
        same(client.store.cursor, 0)
    again(client, noop(1, 0))
    client.sync()
    same((client.asked.codecs, client.asked.max_entries), (2, 10000))


def drip(listener):
    """The first words of a handshake that comes to no end, for 2 s."""
    sock = listener.accept()[0]
    with sock, contextlib.suppress(OSError):
        sock.sendall(b"\x16\x03\x03\x40\x00")
        for _ in range(20):
            sock.sendall(b"\2")
            time.sleep(0.1)


@case
def a_handshake_that_drips_is_given_up(server):     # TIME-9
    with socket.create_server(("127.0.0.1", 0)) as listener:
        other = threading.Thread(target=drip, args=(listener,))
        other.start()
        link = roam_link.Link(*listener.getsockname(), pathlib.Path(
            server.home, "d", "cert.pem").read_text())
        same(link.PATIENCE_S, 10)
        link.PATIENCE_S = 0.5
        try:
            link.connect()
        except OSError as error:
            same(type(error), TimeoutError)
        else:
            raise AssertionError("a handshake with nobody")
        other.join()
