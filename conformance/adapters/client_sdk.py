# SPDX-License-Identifier: Apache-2.0
"""Cases against a real server of what roam_sdk.py has besides: pages, a store
on disk, entries that the program stores, and time."""
import copy
import tempfile

import roam_pb2 as pb
import roam_sdk
from client_live import fill
from client_rig import Device, must_raise, of_sdk, same, server_of_its_own


@of_sdk
def a_killed_server_loses_nothing_and_the_outbox_is_sent_again(server):
    with server_of_its_own(server.roamd) as own, \
            tempfile.TemporaryDirectory() as home:
        alice, bob = own.users("alice", "bob")
        path = home + "/phone"
        phone = Device(own, alice, store=roam_sdk.Store(path))
        other, desk = Device(own, bob), Device(own, alice, 3)
        for device in (phone, other, desk):
            device.login()
        said = []
        for round_ in range(3):
            phone.client.events.clear()
            for i in range(20):
                said.append(b"%d.%d" % (round_, i))
                phone.client.send(bob[0], said[-1])
            if round_ == 0:                 # stored or not: no answer is read
                phone.wire.sock.sendall(phone.client.take_output())
            else:
                phone.wait("sent")          # at least one is
            own.kill()
            same(len(phone.store.outbox) < 20, round_ > 0)
            own.start()
            for device in (phone, other, desk):
                device.close()
            phone = Device(own, alice, store=roam_sdk.Store(path))
            for device in (phone, other, desk):
                if device.client.state != "OPEN":
                    device.connect()
                assert device.login().result != pb.RESET
            # Its own entry may be the answer before SEND_OK comes: SEND-15.
            while phone.store.outbox or phone.client.open:
                phone.wait("sent", "entry")
        for device in (other, desk):
            same(sorted(device.settle().bodies()), sorted(said))
            same(len(set(e.msg_id for e in device.messages())), len(said))
        phone.settle()
        mine = {**{e.msg_id: e.body for e in phone.messages()},
                **{msg_id: frame.body for msg_id, frame in
                   phone.store.sent.items()}}
        same(mine, {e.msg_id: e.body for e in other.messages()})


@of_sdk
def what_is_next_is_what_the_retry_class_says(server):
    alice, = server.users("alice")
    phone, other = Device(server, alice), Device(server, alice)
    clone = Device(server, alice, store=copy.deepcopy(phone.store))
    phone.login()
    same(other.login().reason, pb.OCCUPIED)
    same(other.client.retry()[0], "ask")
    same(clone.login().reason, pb.STALE)
    same(clone.client.retry(), ("login", 0))
    same(clone.login().reason, pb.TOKEN_BOUND)
    same(clone.client.retry()[0], "credential")
    other.client.take_over()
    other.wait("login_ok")
    same(phone.wait("kick")[1].reason, pb.TAKEN_OVER)
    same(phone.client.retry()[0], "ask")
    other.close()
    other.client.failures = 3
    action, ms = other.client.retry()
    assert action == "connect" and 0 <= ms <= 2000, ms


@of_sdk
def pages_bring_what_was_said_before(server):
    alice, sender, bodies = fill(server, 30)
    reader = Device(server, alice, max_entries=0)
    same(reader.login().result, pb.RESET)
    reader.client.ask(pb.Conversations, max_rows=10)
    rows, page = reader.page()
    same((page.count, page.more, page.as_of), (1, False, reader.store.cursor))
    same([(row["conversation"], row["body"], row["unread"]) for row in rows],
         [(sender.user, bodies[-1], 30)])
    got, before = [], 0
    while len(got) < 30:
        reader.client.ask(pb.History, conversation=sender.user, max_rows=7,
                          before=before)
        rows, page = reader.page()
        same(page.more, len(got) + len(rows) < 30)
        got[:0] = [row["body"] for row in rows]
        before = rows[0]["msg_id"]
    same(got, bodies)
    reader.client.ask(pb.History, conversation="no" + sender.user, max_rows=1)
    same(reader.wait("unsent", "page")[2], pb.NO_SUCH_CONVERSATION)


@of_sdk
def an_operation_is_sent_like_a_message(server):
    alice, bob = server.users("alice", "bob")
    phone, other = Device(server, alice), Device(server, bob)
    phone.login()
    other.login()
    target = phone.send(bob[0], b"not so")[2]
    answer = phone.send(bob[0], pb.Target(msg_id=target).SerializeToString(),
                        kind=pb.RECALL)
    same(answer[0], "sent")
    said, recall = other.settle().store.entries
    same((said.msg_id, recall.kind), (target, pb.RECALL))
    same(pb.Target.FromString(recall.body).msg_id, target)
    other.client.ask(pb.History, conversation=alice[0], max_rows=9)
    rows, _ = other.page()
    same([(row["msg_id"], row["recalled"]) for row in rows],
         [(target, True), (recall.msg_id, False)])


@of_sdk
def what_the_program_did_not_store_comes_again(server):
    alice, sender, bodies = fill(server, 5)
    reader = Device(server, alice, manual=True)
    reader.login()
    told = [reader.wait("entry")[1] for _ in bodies]
    same([e.body for e in told], bodies)
    same((reader.store.cursor, reader.store.entries), (0, []))
    reader.client.stored(told[1].version)
    must_raise("ACK-1", reader.client.stored, told[-1].version + 1)
    must_raise("ACK-1", reader.client.stored, told[0].version)
    same(reader.bodies(), bodies[:2])
    reader.close()
    reader.connect()
    reader.login()
    same([reader.wait("entry")[1].body for _ in bodies[2:]], bodies[2:])
    reader.client.stored(told[-1].version)
    same((reader.bodies(), reader.store.cursor), (bodies, told[-1].version))


@of_sdk
def silence_is_filled_and_found(server):
    alice, = server.users("alice")
    now = [0.0]
    phone = Device(server, alice, clock=lambda: now[0])
    phone.login()
    beat = phone.client.session.heartbeat_ms / 1000
    now[0] = beat * 0.95
    phone.client.tick()                     # TIME-1
    phone.wait("pong")
    now[0] += beat
    phone.client.tick()                     # TIME-3
    now[0] += 9.9
    phone.client.tick()
    same(phone.client.state, "LIVE")
    now[0] += 0.1
    phone.client.tick()
    same(phone.client.state, "CLOSED")
