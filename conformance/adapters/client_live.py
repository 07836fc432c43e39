# SPDX-License-Identifier: Apache-2.0
"""Cases of both clients against a real server; each has users of its own."""
import copy
import os
import random

import roam_pb2 as pb
from client_rig import (Device, must_raise, of_client, same,
                        server_of_its_own)


def fill(server, count, size=40):
    """A new alice with messages from a new bob that wait for her."""
    alice, bob = server.users("alice", "bob")
    sender, bodies = Device(server, bob), []
    sender.login()
    rng = random.Random(count * 1000 + size)
    for i in range(count):
        bodies.append(bytes([i % 251]) * rng.randrange(size) + b"%d" % i)
        sender.client.send(alice[0], bodies[-1], ("", "a/b", "c/d")[i % 3])
    answers = 0
    while answers < count:
        answers += sender.wait("sent")[0] == "sent"
    return alice, sender, bodies


def catch_up(server, count, size, **limits):
    alice, sender, bodies = fill(server, count, size)
    reader = Device(server, alice, **limits)
    same(reader.login().result, pb.DELTA)
    reader.settle()
    room = min(reader.client.max_frame,
               reader.client.asked.max_inflated) - 448
    same([(e.body, e.cut_size) for e in reader.messages()],
         [(b, 0) if len(b) <= room else (b"", len(b)) for b in bodies])
    same([e.content_type for e in reader.messages()],
         [("", "a/b", "c/d")[i % 3] for i in range(count)])
    same({(e.sender, e.conversation) for e in reader.messages()},
         {(sender.user, sender.user)})
    batches = [m for name, m in reader.frames if name == "Batch"]
    assert batches, "no BATCH at all"
    return reader, batches, bodies


@of_client
def catch_up_by_batches_deflated(server):
    _, batches, bodies = catch_up(server, 300, 400)
    assert {b.codec for b in batches} == {1}, "not deflated"
    packed = sum(len(b.payload) for b in batches)
    assert packed < sum(map(len, bodies)), "nothing saved"


@of_client
def catch_up_by_batches_without_codec(server):
    same({b.codec for b in catch_up(server, 100, 400, codecs=0)[1]}, {0})


@of_client
def catch_up_within_the_smallest_limits(server):
    for codecs in (0, 2):
        reader, batches, _ = catch_up(
            server, 60, 120, max_frame=512, max_inflated=1024, max_unacked=4,
            codecs=codecs)
        assert max(b.count for b in batches) <= 4
        assert len(batches) >= 15, "a batch above the window"


@of_client
def catch_up_within_the_largest_limits(server):
    reader = catch_up(server, 200, 3000, max_frame=2**24 - 1,
                            max_inflated=2**24 - 1, max_unacked=100000)[0]
    assert not any(e.cut_size for e in reader.messages())


@of_client
def bodies_are_cut_above_the_limits_and_only_there(server):
    alice, bob = server.users("alice", "bob")
    sender = Device(server, bob)
    sender.login()
    sizes = [1024 - 448, 1024 - 447, 512 - 448, 512 - 447, 5000, 0, 65536]
    bodies = [os.urandom(size) for size in sizes]
    for body in bodies:
        same(sender.send(alice[0], body)[0], "sent")
    for max_frame, max_inflated in ((512, 2000), (2000, 1024), (1024, 1024)):
        for codecs in (0, 2):
            reader = Device(server, alice, max_frame=max_frame,
                            max_inflated=max_inflated, codecs=codecs)
            reader.login(person=True)
            if reader.client.refusal:
                reader.client.take_over()
                reader.wait("sync_ok")
            reader.settle()
            room = min(max_frame, max_inflated) - 448
            same([len(e.body) or e.cut_size for e in reader.messages()], sizes)
            same([e.body for e in reader.messages()],
                 [b if len(b) <= room else b"" for b in bodies])


@of_client
def any_split_of_the_stream_is_the_same(server):
    alice, sender, bodies = fill(server, 20)
    reader = Device(server, alice)
    plain = reader.client.feed
    reader.client.feed = lambda data: [plain(data[i:i + 1])
                                       for i in range(len(data))]
    reader.login()
    same(reader.settle().bodies(), bodies)


@of_client
def devices_and_siblings_see_the_same_live(server):
    alice, bob = server.users("alice", "bob")
    devices = [Device(server, alice, 1), Device(server, alice, 3),
               Device(server, bob, 1), Device(server, bob, 4)]
    for device in devices:
        same(device.login().result, pb.UP_TO_DATE)
    said = []
    for i in range(20):
        device = devices[i % 4]
        to = bob[0] if device.user == alice[0] else alice[0]
        answer = device.send(to, b"live %d" % i)
        said.append((answer[2], device, b"live %d" % i))
    for device in devices:
        device.settle()
        links = [(e.prev_version, e.version) for e in device.store.entries]
        same([a for a, _ in links[1:]], [b for _, b in links[:-1]])
        other = bob[0] if device.user == alice[0] else alice[0]
        same({e.conversation for e in device.messages()}, {other})
        same([(e.msg_id, e.sender, e.body) for e in device.messages()],
             [(m, d.user, b) for m, d, b in said if d is not device])
        noops = [e for e in device.store.entries if e.kind == pb.NOOP]
        same(len(noops), 5)
        same(sorted(device.store.sent), [m for m, d, _ in said if d is device])
        same(len(device.store.outbox), 0)
    for a, b in (devices[:2], devices[2:]):
        same([e.version for e in a.store.entries],
             [e.version for e in b.store.entries])


@of_client
def a_new_device_is_told_of_by_an_entry(server):
    with server_of_its_own(server.roamd, "--set",
                           "announce_devices=yes") as own:
        alice, = own.users("alice")
        phone, desk = Device(own, alice, 1), Device(own, alice, 3)
        for device in (phone, desk):
            device.login()
        for device in (phone.settle(), desk.settle()):
            news, = device.store.entries
            same((news.kind, news.conversation, news.sender),
                 (pb.DEVICE, alice[0], alice[0]))
            same(pb.DeviceChange.FromString(news.body).device_type,
                 pb.DESKTOP)
            same(device.store.cursor, news.version)


@of_client
def own_message_is_noop_now_and_named_in_a_later_session(server):
    alice, bob = server.users("alice", "bob")
    phone, tablet = Device(server, alice, 1), Device(server, alice, 2)
    phone.login()
    tablet.login()
    mark = phone.send(bob[0], b"mine")[1]
    note = phone.send(alice[0], b"note")[1]
    phone.settle()
    same([e.kind for e in phone.store.entries], [1, 1])
    tablet.settle()
    same([(e.conversation, e.client_msg_id, e.body) for e in
          tablet.messages()], [(bob[0], 0, b"mine"), (alice[0], 0, b"note")])
    phone.client.sync()                 # the same session: still NOOP
    phone.wait("sync_ok")
    phone.close()
    phone.store.cursor, phone.store.entries = 0, []
    phone.connect()
    phone.login()
    phone.settle()
    same([(e.client_msg_id, e.body) for e in phone.messages()],
         [(mark, b"mine"), (note, b"note")])


@of_client
def a_message_is_stored_once_however_often_it_is_sent(server):
    alice, bob = server.users("alice", "bob")
    phone, desk, other = (Device(server, alice, 1), Device(server, alice, 3),
                          Device(server, bob))
    for device in (phone, desk, other):
        device.login()
    _, mark, msg_id, again = phone.send(bob[0], b"once", "x/y")
    same(again, False)
    for device in (phone, desk):        # dedup is of the user
        device.again(mark, bob[0], b"once", "x/y")
        same(device.wait("sent", "unsent"), ("sent", mark, msg_id, True))
    for item in ((bob[0], b"other", "x/y"), (bob[0], b"once"),
                 (alice[0], b"once", "x/y")):
        desk.again(mark, *item)
        same(desk.wait("sent", "unsent"), ("unsent", mark, pb.ID_REUSED))
    same(other.settle().bodies(), [b"once"])


@of_client
def errors_answer_their_command_and_the_session_goes_on(server):
    alice, bob = server.users("alice", "bob")
    phone = Device(server, alice)
    phone.login()
    most = phone.client.session.max_body
    same(phone.send("nobody" + bob[0], b"")[2], pb.NO_SUCH_CONVERSATION)
    same(phone.send(bob[0], bytes(most))[0], "sent")
    same(phone.send(bob[0], bytes(most + 1))[2], pb.BODY_TOO_LONG)
    same(phone.send(bob[0], b"good")[0], "sent")
    mark = phone.send("nobody" + bob[0], b"")[1]
    phone.again(mark, bob[0], b"")                  # not stored: no reuse
    same(phone.wait("sent", "unsent")[::3], ("sent", False))


@of_client
def more_sends_than_the_window_of_commands(server):
    alice, sender, bodies = fill(server, 500)
    same(sender.store.outbox, {})
    same(len(sender.store.sent), 500)


@of_client
def take_over_kicks_the_other_and_kicked_is_told_at_login(server):
    alice, = server.users("alice")
    old, new, desk = (Device(server, alice), Device(server, alice),
                      Device(server, alice, 3))
    old.login()
    generation = old.client.session.generation
    desk.login()
    same(new.login().reason, pb.OCCUPIED)
    same(new.client.refusal.generation, generation)
    same(new.client.refusal.holder.device_name, "python")
    must_raise("LOGIN-18", new.client.login)
    new.client.take_over()
    new.wait("login_ok")
    kick = old.wait("kick")[1]
    same((kick.reason, kick.generation), (pb.TAKEN_OVER,
                                          new.client.session.generation))
    assert kick.generation > generation
    old.close()
    old.connect()
    must_raise("KICK-7", old.client.login)
    same(old.login(person=True).reason, pb.KICKED)
    new.close()                         # its KICK will be lost
    old.client.take_over()
    old.wait("sync_ok")
    new.connect()
    same(new.login().reason, pb.KICKED)
    same(new.client.refusal.generation, old.client.session.generation)
    desk.settle()                       # not disturbed
    must_raise("LOGIN-3", desk.client.take_over)


@of_client
def a_generation_exists_only_once(server):
    alice, = server.users("alice")
    devices = [Device(server, alice) for _ in range(3)]
    devices[0].login()
    same(devices[1].login().reason, pb.OCCUPIED)
    same(devices[2].login().reason, pb.OCCUPIED)
    devices[1].client.take_over()
    devices[1].wait("login_ok")
    devices[2].client.take_over()       # the generation that its person saw
    same(devices[2].wait("refused", "login_ok")[1].reason, pb.OCCUPIED)
    devices[1].settle()


@of_client
def the_holder_comes_back_and_supersedes_itself(server):
    alice, = server.users("alice")
    first = Device(server, alice)
    first.login()
    second = Device(server, alice, store=first.store)
    second.login()
    same(first.wait("kick")[1].reason, pb.SUPERSEDED)
    same(second.client.session.generation, first.client.session.generation)
    second.close()
    second.connect()
    second.login()


@of_client
def a_copy_is_stale_and_draws_a_new_device_id(server):
    alice, = server.users("alice")
    phone = Device(server, alice)
    clone = Device(server, alice, store=copy.deepcopy(phone.store))
    phone.login()
    same(clone.login().reason, pb.STALE)
    assert clone.store.device_id != phone.store.device_id
    same(clone.login().reason, pb.TOKEN_BOUND)             # DEV-1
    clone.client.who["token"] = server.token(alice[0])     # by its person
    same(clone.login(person=True).reason, pb.OCCUPIED)
    phone.settle()


@of_client
def logout_frees_the_slot(server):
    alice, = server.users("alice")
    phone, other = Device(server, alice), Device(server, alice)
    phone.login()
    generation = phone.client.session.generation
    phone.client.logout()
    same(phone.wait("kick")[1].reason, pb.LOGGED_OUT)
    refused = other.login()
    same(refused.reason, pb.FREE)
    assert refused.generation > generation and not refused.HasField("holder")
    other.client.take_over()
    other.wait("sync_ok")
    phone.close()
    phone.connect()
    same(phone.login(person=True).reason, pb.OCCUPIED)  # it logged out itself


@of_client
def a_bad_credential_is_refused(server):
    alice, bob = server.users("alice", "bob")
    phone_only = server._call("token", "issue", alice[0], "--type", "phone")
    for who, kind, reason in (((alice[0], "wrong"), 1, pb.CREDENTIAL),
                              (("no" + alice[0], "x"), 1, pb.CREDENTIAL),
                              ((alice[0], bob[1]), 1, pb.CREDENTIAL),
                              ((alice[0], phone_only), 3, pb.TYPE_FORBIDDEN)):
        device = Device(server, who, kind)
        same(device.login().reason, reason)
        must_raise("KICK-11", device.client.login)
    Device(server, (alice[0], phone_only)).login()


@of_client
def reset_when_the_cursor_is_no_link_or_too_far_behind(server):
    alice, sender, bodies = fill(server, 5)
    reader = Device(server, alice)
    reader.login()
    first = reader.settle().store.entries[0]
    last = reader.store.cursor
    assert first.version > 1, "no version that the server skipped"  # CHAIN-8
    for cursor, most, reason in (
            (last + 1, 10, pb.AHEAD), (first.version - 1, 10, pb.NOT_A_LINK),
            (0, 4, pb.TOO_MANY), (0, 0, pb.TOO_MANY)):
        missing = reader.store.missing
        reader.store.cursor = cursor
        reader.client.limits["max_entries"] = most
        reader.client.sync()
        told = reader.wait("sync_ok")[1]
        same((told.result, told.reason, told.head), (pb.RESET, reason, last))
        same((reader.store.cursor, reader.store.missing), (last, missing + 1))
    sender.send(alice[0], b"after")
    same(reader.settle().bodies()[-1], b"after")
    reader.store.cursor, reader.client.limits["max_entries"] = last, 1
    reader.client.sync()
    same(reader.wait("sync_ok")[1].result, pb.DELTA)


@of_client
def no_more_than_max_unacked_in_flight(server):
    alice, sender, bodies = fill(server, 50)
    reader = Device(server, alice, max_unacked=10)
    reader.held = True
    reader.login()
    reader.client.ping()
    head = reader.wait("pong")[1].head      # pushes before it have come
    while len(reader.store.entries) < 10:
        reader.wait("entry")
    reader.client.ping()
    reader.wait("pong")
    same(len(reader.store.entries), 10)
    reader.held = False
    reader.client.ack()
    same(reader.settle().bodies(), bodies)
    same(reader.store.cursor, head)


@of_client
def a_server_with_a_smaller_window_is_no_end(server):
    with server_of_its_own(server.roamd, "--set", "max_unacked=8") as small:
        alice, _, bodies = fill(small, 100)
        reader = Device(small, alice, max_unacked=1000)
        reader.login()
        same(reader.settle().bodies(), bodies)


@of_client
def one_that_does_not_ack_delays_nobody(server):
    alice, sender, bodies = fill(server, 50)
    stuck = Device(server, alice, 1, max_unacked=4)
    stuck.held = True
    stuck.login()
    other = Device(server, alice, 3)
    other.login()
    same(other.settle().bodies(), bodies)
    sender.send(alice[0], b"live")
    same(other.settle().bodies()[-1], b"live")
    stuck.held = False
    stuck.client.ack()
    same(stuck.settle().bodies(), bodies + [b"live"])


@of_client
def a_pong_tells_what_was_stored_before(server):
    alice, bob = server.users("alice", "bob")
    phone, other = Device(server, alice), Device(server, bob)
    phone.login()
    other.login()
    for i in range(10):
        phone.send(bob[0], b"%d" % i)
        same(len(other.settle().messages()), i + 1)
