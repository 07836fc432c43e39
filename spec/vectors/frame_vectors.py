# SPDX-License-Identifier: Apache-2.0
"""The vectors of single frames, good ones and such as must be refused."""
from vector_writer import (File, TYPES, V, chunk, fixed64, frame, header,
                           hex_lines, number, pb, varint)

# ------------------------------------------------------------- good frames

DEVICE = bytes(range(16))
LOGIN = dict(protocol=1, user="alice", token="t" * 43, device_id=DEVICE,
             device_type=pb.PHONE, device_name="Alice's phone",
             software="example/1.0", attempt=7, max_frame=65536)
GROUP = "#3q2-7wABAgMEBQYHCAkKCw"
OPERATIONS = [
    ("recall", pb.RECALL, pb.Target(msg_id=180000000000 << 22),
     "Take a message back."),
    ("delete", pb.DELETE, pb.Target(msg_id=V), "Away from my devices."),
    ("read", pb.READ, pb.Target(msg_id=1), "Read up to here."),
    ("app", pb.APP, pb.App(users=["carol"], data=b"\x01\x02"),
     "Something of the application's own."),
    ("group", pb.GROUP,
     pb.GroupChange(action=pb.CREATE, users=["bob", "carol"], name="Lunch",
                    join=pb.JOIN_APPROVAL), "A change of a group."),
]
NEWS = [
    ("device", pb.DEVICE,
     pb.DeviceChange(device_type=pb.WEB, device_name="browser",
                     since=180000000000), "A new device."),
]
FUTURE = (number(100, 2**64 - 1) + fixed64(101, 1) + chunk(102, b"\xff\x00")
          + varint(103 << 3 | 5) + b"\x01\x02\x03\x04")


def client_file():
    f = File("client.txt", "Good frames of every type that a client sends.")
    f.good("login", "The usual login.", "LOGIN", **LOGIN)
    f.good("login-take-over", "A person said: use it here.", "LOGIN",
           **{**LOGIN, "attempt": 8, "take_over": 12})
    f.good("login-widest", "Every field at its upper bound.", "LOGIN",
           protocol=2**32 - 1, user="u" * 64, token="t" * 128,
           device_id=b"\xff" * 16, device_type=pb.EMBEDDED,
           device_name="n" * 64, software="s" * 64, attempt=V, take_over=V,
           max_frame=2**24 - 1, protocol_min=2**32 - 1,
           capabilities=2**64 - 1)
    f.good("login-narrowest", "Every field at its lower bound.", "LOGIN",
           protocol=1, user="u", token="t", device_id=bytes(16),
           device_type=pb.PHONE, attempt=1, max_frame=512)
    f.good("login-utf8", "Text of two, three and four bytes a character.",
           "LOGIN", **{**LOGIN, "user": "zoë", "device_name": "電話 📱"})
    f.good("login-future", "Fields that Roam 1 does not know are skipped.",
           "LOGIN", tail=FUTURE, **LOGIN)
    f.good("logout", "No fields, so no payload.", "LOGOUT")
    f.good("logout-future", "Nor does anything else harm it.", "LOGOUT",
           tail=FUTURE)
    f.good("sync", "Go on from 300; DEFLATE is understood.", "SYNC",
           cursor=300, max_entries=1000, max_unacked=128, max_inflated=65536,
           codecs=2)
    f.good("sync-first", "From now on, in a buffer of 1 KiB.", "SYNC",
           max_unacked=4, max_inflated=1024)
    f.good("sync-widest", "Every field at its upper bound.", "SYNC", cursor=V,
           max_entries=2**32 - 1, max_unacked=100000, max_inflated=2**24 - 1,
           codecs=2**32 - 1)
    f.good("ack", "All up to 301 is stored.", "ACK", version=301)
    f.good("ack-widest", "The highest version.", "ACK", version=V)
    f.good("send", "Good morning to bob.", "SEND",
           client_msg_id=0x1122334455667788, conversation="bob",
           content_type="text/plain", body=b"good morning")
    f.good("send-empty", "An empty body of the default type.", "SEND",
           client_msg_id=1, conversation="bob")
    f.good("send-unknown-kind", "A good frame; the answer is KIND_UNKNOWN.",
           "SEND", client_msg_id=2**64 - 1, conversation="c" * 64, kind=77,
           content_type="t" * 64, body=b"\x00\xff")
    f.good("ping", "With an id.", "PING", id=5)
    f.good("ping-zero", "Without one.", "PING")
    f.good("ping-widest", "An id of 64 bits.", "PING", id=2**64 - 1)
    f.good("history", "The newest of a conversation.", "HISTORY", ref=9,
           conversation="bob", max_rows=50, max_inflated=65536, codecs=2)
    f.good("history-hole", "What lies between two messages.", "HISTORY",
           ref=10, conversation="bob", before=180000000000 << 22,
           after=179999999999 << 22, max_rows=50, max_inflated=4096)
    f.good("history-widest", "Every field at its upper bound.", "HISTORY",
           ref=2**64 - 1, conversation="c" * 64, before=V, after=V,
           max_rows=1000, max_inflated=2**24 - 1, codecs=2**32 - 1,
           operations_only=True)
    f.good("history-narrowest", "Every field at its lower bound.", "HISTORY",
           ref=1, conversation="b", max_rows=1, max_inflated=1024)
    f.good("conversations", "The first page.", "CONVERSATIONS", ref=11,
           max_rows=50, max_inflated=65536, codecs=2)
    f.good("conversations-next", "The page behind a row.", "CONVERSATIONS",
           ref=12, before=180000000000 << 22, conversation="bob", max_rows=50,
           max_inflated=65536, codecs=2)
    f.good("conversations-widest", "Every field at its upper bound.",
           "CONVERSATIONS", ref=2**64 - 1, before=V, conversation="c" * 64,
           max_rows=1000, max_inflated=2**24 - 1, codecs=2**32 - 1)
    for name, kind, body, why in OPERATIONS:
        f.good(f"send-{name}", why, "SEND", client_msg_id=5,
               conversation=GROUP if kind == pb.GROUP else "bob", kind=kind,
               body=body.SerializeToString(deterministic=True))
    f.good("members", "The first page.", "MEMBERS", ref=13,
           conversation=GROUP, max_rows=50)
    f.good("members-widest", "Every field at its upper bound.", "MEMBERS",
           ref=2**64 - 1, conversation="c" * 64, after="u" * 64,
           max_rows=1000)
    f.good("sessions", "From the first.", "SESSIONS", ref=14)
    f.good("sessions-widest", "Behind the last device type.", "SESSIONS",
           ref=2**64 - 1, after=pb.EMBEDDED)
    f.good("end-session", "Away with the old phone.", "END_SESSION", ref=15,
           device_type=pb.PHONE, generation=12)
    f.good("end-session-widest", "Every field at its upper bound.",
           "END_SESSION", ref=2**64 - 1, device_type=pb.EMBEDDED,
           generation=V)
    f.start("ping-long-varint", "A varint longer than needed is one still.")
    data = frame("PING", b"\x08" + b"\x85" + b"\x80" * 8 + b"\x00")
    f.lines += ["bytes"] + hex_lines(data[:4], "PING, 11 bytes")
    f.lines += hex_lines(data[4:], "1 id = 5, in ten bytes")
    f.lines += ["fields", "  id 5"]
    f.write()


def members_page():
    rows = pb.MemberRows(rows=[
        pb.MemberRow(user="alice", name="Alice", role=pb.OWNER,
                     since=180000000000 << 22),
        pb.MemberRow(user="bob", role=pb.MEMBER, muted=True,
                     since=(180000000000 << 22) + 1),
        pb.MemberRow(user="zo\u00eb", name="Zo\u00eb", role=pb.APPLICANT)])
    return rows.SerializeToString(deterministic=True)


def sessions_list():
    rows = pb.SessionRows(rows=[
        pb.SessionRow(device_type=pb.PHONE, device_name="Alice's phone",
                      software="example/1.0", since=180000000000,
                      last_seen=180000005000, online=True, generation=13,
                      self=True),
        pb.SessionRow(device_type=pb.WEB, generation=1)])
    return rows.SerializeToString(deterministic=True)


HOLDER = pb.Holder(device_type=pb.PHONE, device_name="Alice's phone",
                   since=180000000000)


def server_file():
    f = File("server.txt", "Good frames of every type that a server sends.")
    f.good("login-ok", "A session.", "LOGIN_OK", generation=13, head=301,
           floor=12, max_frame=65536, max_body=60000, max_commands=32,
           heartbeat_ms=30000, dedup_ms=604800000)
    f.good("login-ok-narrowest", "Every field at its lower bound.",
           "LOGIN_OK", generation=1, max_frame=512, max_body=1,
           max_commands=1, heartbeat_ms=1000, dedup_ms=1)
    f.good("login-ok-widest", "Every field at its upper bound.", "LOGIN_OK",
           generation=V, head=V, floor=V, max_frame=2**32 - 1,
           max_body=2**32 - 1, max_commands=2**32 - 1,
           heartbeat_ms=2**32 - 1, dedup_ms=2**64 - 1, protocol=2**32 - 1,
           capabilities=2**64 - 1, timeline_ms=2**64 - 1,
           timeline_entries=2**32 - 1, history_ms=2**64 - 1,
           recall_ms=2**64 - 1, max_members=2**32 - 1)
    f.good("login-ok-retention", "How long things are kept.", "LOGIN_OK",
           generation=13, head=301, floor=12, max_frame=65536,
           max_body=60000, max_commands=32, heartbeat_ms=30000,
           dedup_ms=604800000, protocol=1, timeline_ms=604800000,
           timeline_entries=10000, history_ms=7776000000,
           recall_ms=86400000, max_members=200)
    f.good("refused", "The slot is taken.", "REFUSED", reason=pb.OCCUPIED,
           retry=pb.NEVER, generation=13, holder=HOLDER)
    f.good("refused-credential", "Without generation and holder.", "REFUSED",
           reason=pb.CREDENTIAL, retry=pb.REAUTHENTICATE)
    f.good("refused-version", "The versions that the server speaks.",
           "REFUSED", reason=pb.PROTOCOL_VERSION, retry=pb.NEVER,
           protocol_min=1, protocol_max=1)
    f.good("refused-throttled", "Not so fast.", "REFUSED",
           reason=pb.THROTTLED, retry=pb.AFTER, retry_after_ms=30000)
    f.good("refused-future", "A reason that Roam 1 does not know.", "REFUSED",
           reason=2**31 - 1, retry=9, tail=FUTURE)
    f.good("refused-empty-holder", "A holder that says nothing.", "REFUSED",
           reason=pb.KICKED, retry=pb.NEVER, generation=V,
           holder=pb.Holder())
    f.good("kick-taken-over", "Another device has the slot.", "KICK",
           reason=pb.TAKEN_OVER, retry=pb.NEVER, generation=14,
           holder=HOLDER)
    f.good("kick-protocol-error", "With the code of the error.", "KICK",
           reason=pb.PROTOCOL_ERROR, retry=pb.AFTER, retry_after_ms=5000,
           error=pb.FIELD_RANGE, detail="SYNC.max_unacked")
    f.good("kick-going-away", "Come back within a minute.", "KICK",
           reason=pb.GOING_AWAY, retry=pb.AFTER, retry_after_ms=60000)
    f.good("kick-widest", "Every field at its upper bound.", "KICK",
           reason=2**31 - 1, retry=2**31 - 1, retry_after_ms=2**32 - 1,
           generation=V,
           holder=pb.Holder(device_type=2**31 - 1, device_name="n" * 64,
                            since=V),
           error=2**31 - 1, detail="d" * 128)
    f.good("sync-ok-up-to-date", "Nothing new.", "SYNC_OK",
           result=pb.UP_TO_DATE, head=300, floor=12)
    f.good("sync-ok-delta", "Something new.", "SYNC_OK", result=pb.DELTA,
           head=301, floor=12)
    f.good("sync-ok-reset", "The cursor is no link.", "SYNC_OK",
           result=pb.RESET, head=301, floor=12, reason=pb.NOT_A_LINK)
    f.good("sync-ok-window", "Fewer in flight than SYNC named.", "SYNC_OK",
           result=pb.DELTA, head=301, floor=12, max_unacked=4)
    f.good("sync-ok-window-widest", "The widest window.", "SYNC_OK",
           result=pb.DELTA, head=301, floor=12, max_unacked=100000)
    f.good("push-message", "A message from bob.", "PUSH", version=301,
           prev_version=300, msg_id=180000000000 << 22, conversation="bob",
           sender="bob", content_type="text/plain", body=b"good morning")
    f.good("push-noop", "What this session sent itself.", "PUSH", version=302,
           prev_version=301, kind=pb.NOOP)
    f.good("push-own", "Sent by an earlier session of this device.", "PUSH",
           version=303, prev_version=302, msg_id=(180000000000 << 22) + 1,
           conversation="bob", sender="alice",
           client_msg_id=0x1122334455667788, body=b"hello")
    f.good("push-cut", "A body too long for this device.", "PUSH",
           version=304, prev_version=303, msg_id=180000000001 << 22,
           conversation="bob", sender="bob", content_type="image/png",
           cut_size=48211)
    f.good("push-first", "The first entry of a timeline.", "PUSH", version=1,
           msg_id=1, conversation="b", sender="b")
    f.good("push-widest", "Every field at its upper bound.", "PUSH",
           version=V, prev_version=V - 1, msg_id=V, conversation="c" * 64,
           sender="s" * 64, content_type="t" * 64, client_msg_id=2**64 - 1,
           body=b"\x00\xff", conversation_name="c" * 48,
           sender_name="s" * 48)
    f.good("push-names", "What people read, in a group.", "PUSH", version=306,
           prev_version=305, msg_id=180000000002 << 22, conversation=GROUP,
           sender="bob", body=b"hi", conversation_name="Lunch",
           sender_name="Bob")
    f.good("push-recalled", "Its sender took it back.", "PUSH", version=307,
           prev_version=306, msg_id=180000000003 << 22, conversation="bob",
           sender="bob", recalled=True)
    for name, kind, body, why in OPERATIONS + NEWS:
        f.good(f"push-{name}", why, "PUSH", version=308, prev_version=307,
               kind=kind, msg_id=180000000004 << 22,
               conversation=GROUP if kind == pb.GROUP else "bob",
               sender="bob", body=body.SerializeToString(deterministic=True))
    f.good("push-unknown-kind", "Chained, acknowledged and kept.", "PUSH",
           version=305, prev_version=304, kind=77, sender="bob", body=b"?",
           tail=FUTURE)
    f.good("send-ok", "Stored.", "SEND_OK", client_msg_id=0x1122334455667788,
           msg_id=180000000000 << 22)
    f.good("send-ok-duplicate", "It was stored before.", "SEND_OK",
           client_msg_id=2**64 - 1, msg_id=V, duplicate=True)
    f.good("send-ok-group", "A group was made.", "SEND_OK", client_msg_id=5,
           msg_id=180000000000 << 22, conversation=GROUP)
    f.good("pong", "The head.", "PONG", id=5, head=305)
    f.good("pong-widest", "Upper bounds.", "PONG", id=2**64 - 1, head=V)
    f.good("error", "bob has never been heard of.", "ERROR",
           code=pb.NO_SUCH_CONVERSATION, retry=pb.NEVER,
           ref=0x1122334455667788, detail="bob")
    f.good("error-rate-limited", "Later, please.", "ERROR",
           code=pb.RATE_LIMITED, retry=pb.AFTER, ref=9, retry_after_ms=1500)
    f.good("error-widest", "Upper bounds.", "ERROR", code=2**31 - 1,
           retry=2**31 - 1, ref=2**64 - 1, detail="d" * 128,
           retry_after_ms=2**32 - 1)
    f.good("member-page", "Three of four.", "MEMBER_PAGE", ref=13, more=True,
           count=3, as_of=308, name="Lunch", join=pb.JOIN_APPROVAL,
           muted=True, member_count=3, rows=members_page())
    f.good("member-page-empty", "Nobody behind the one named.",
           "MEMBER_PAGE", ref=13, as_of=308, join=pb.JOIN_OPEN,
           member_count=2)
    f.good("session-list", "A phone and a browser.", "SESSION_LIST", ref=14,
           count=2, rows=sessions_list())
    f.good("session-list-empty", "No session behind the type named.",
           "SESSION_LIST", ref=14)
    f.good("session-ended", "It is done.", "SESSION_ENDED", ref=15)
    f.raw("unknown-skipped", "An unknown type with its top bit set.",
          header(0x80, 2) + b"\x08\x01", "skip")
    f.raw("unknown-skipped-any", "Its payload need not be protobuf.",
          header(0xff, 3) + b"\xff\xff\xff", "skip")
    f.write()


# --------------------------------------------------------- frames to refuse

def with_field(kind, base, /, **values):
    message = TYPES[kind][1](**{**base, **values})
    return frame(kind, message.SerializeToString(deterministic=True))


def reject_file():
    f = File("reject.txt", "Frames that must be refused, each with its code.")
    bad = []

    def edit(name, why, code, kind, base, /, **values):
        bad.append((name, why, with_field(kind, base, **values), code))

    def raw(name, why, code, kind, payload):
        bad.append((name, why, frame(kind, payload), code))

    out, utf8, form = "FIELD_RANGE", "INVALID_UTF8", "MALFORMED"
    for field in ("protocol", "user", "token", "device_id", "device_type",
                  "attempt", "max_frame"):
        edit(f"login-no-{field}", f"{field} is required.", out, "LOGIN",
             {k: v for k, v in LOGIN.items() if k != field})
    edit("login-user-65", "65 bytes of user.", form, "LOGIN", LOGIN,
         user="u" * 65)
    edit("login-token-129", "129 bytes of token.", form, "LOGIN", LOGIN,
         token="t" * 129)
    edit("login-device-id-15", "15 bytes of device_id.", out, "LOGIN", LOGIN,
         device_id=bytes(15))
    edit("login-device-id-17", "17 bytes of device_id.", form, "LOGIN", LOGIN,
         device_id=bytes(17))
    edit("login-device-type-7", "No such device type.", out, "LOGIN", LOGIN,
         device_type=7)
    edit("login-device-name-65", "65 bytes of device_name.", form, "LOGIN",
         LOGIN, device_name="n" * 65)
    edit("login-software-65", "65 bytes of software.", form, "LOGIN", LOGIN,
         software="s" * 65)
    edit("login-attempt-2-63", "An attempt of 64 bits.", out, "LOGIN", LOGIN,
         attempt=2**63)
    edit("login-take-over-2-63", "A generation of 64 bits.", out, "LOGIN",
         LOGIN, take_over=2**63)
    edit("login-max-frame-511", "Below the smallest limit.", out, "LOGIN",
         LOGIN, max_frame=511)
    edit("login-max-frame-2-24", "More than a header can say.", out, "LOGIN",
         LOGIN, max_frame=2**24)
    good = pb.Login(**LOGIN).SerializeToString(deterministic=True)
    raw("login-user-twice", "A field that comes twice.", form, "LOGIN",
        good + chunk(2, "mallory"))
    raw("login-user-is-a-number", "The wrong wire type.", form, "LOGIN",
        good.replace(chunk(2, "alice"), number(2, 5)))
    raw("login-user-latin-1", "Text that is not UTF-8.", utf8, "LOGIN",
        good.replace(chunk(2, "alice"), chunk(2, b"zo\xeb")))
    raw("login-user-nul", "Text with U+0000.", utf8, "LOGIN",
        good.replace(chunk(2, "alice"), chunk(2, b"al\0ce")))
    raw("login-user-overlong", "A slash in two bytes.", utf8, "LOGIN",
        good.replace(chunk(2, "alice"), chunk(2, b"\xc0\xaf")))
    raw("login-user-surrogate", "U+D800.", utf8, "LOGIN",
        good.replace(chunk(2, "alice"), chunk(2, b"\xed\xa0\x80")))
    raw("login-user-above-unicode", "U+110000.", utf8, "LOGIN",
        good.replace(chunk(2, "alice"), chunk(2, b"\xf4\x90\x80\x80")))
    raw("login-user-cut-character", "Two bytes of three.", utf8, "LOGIN",
        good.replace(chunk(2, "alice"), chunk(2, b"\xe2\x82")))
    raw("login-max-frame-33-bits", "More than the field's width.", form,
        "LOGIN", good.replace(number(10, 65536), number(10, 2**32 + 65536)))
    raw("login-cut", "The last byte is missing.", form, "LOGIN", good[:-1])
    sync = dict(max_unacked=128, max_inflated=65536)
    edit("sync-cursor-2-63", "A version of 64 bits.", out, "SYNC", sync,
         cursor=2**63)
    edit("sync-max-unacked-3", "Below the smallest window.", out, "SYNC",
         sync, max_unacked=3)
    edit("sync-max-unacked-100001", "Above the largest window.", out, "SYNC",
         sync, max_unacked=100001)
    edit("sync-max-inflated-1023", "Below the smallest limit.", out, "SYNC",
         sync, max_inflated=1023)
    edit("sync-max-inflated-2-24", "Above the largest limit.", out, "SYNC",
         sync, max_inflated=2**24)
    edit("ack-0", "There is no version 0.", out, "ACK", {})
    edit("ack-2-63", "A version of 64 bits.", out, "ACK", {}, version=2**63)
    raw("ack-65-bits", "A varint of 65 bits.", form, "ACK",
        b"\x08" + b"\xff" * 9 + b"\x02")
    raw("ack-11-bytes", "A varint of 11 bytes.", form, "ACK",
        b"\x08\x81" + b"\x80" * 9 + b"\x00")
    send = dict(client_msg_id=1, conversation="bob")
    edit("send-no-id", "client_msg_id is required.", out, "SEND",
         dict(conversation="bob"))
    edit("send-no-conversation", "So is the conversation.", out, "SEND",
         dict(client_msg_id=1))
    edit("send-conversation-65", "65 bytes of conversation.", form, "SEND",
         send, conversation="c" * 65)
    edit("send-content-type-65", "65 bytes of content_type.", form, "SEND",
         send, content_type="t" * 65)
    raw("send-body-cut", "A body longer than the frame.", form, "SEND",
        pb.Send(**send).SerializeToString() + b"\x2a\x05abc")
    raw("send-group", "A group, which proto3 does not have.", form, "SEND",
        pb.Send(**send).SerializeToString() + b"\x3b\x3c")
    raw("send-field-0", "Field number 0.", form, "SEND",
        pb.Send(**send).SerializeToString() + b"\x00\x00")
    raw("send-wire-type-7", "No such wire type.", form, "SEND",
        pb.Send(**send).SerializeToString() + b"\x3f\x00")
    raw("send-unknown-cut", "An unknown field must be whole, too.", form,
        "SEND", pb.Send(**send).SerializeToString() + b"\x3a\x02\x00")
    raw("send-two-faults", "Text and range: INVALID_UTF8.", utf8, "SEND",
        fixed64(1, 0) + chunk(2, b"\xff"))
    raw("send-three-faults", "Text, range and form: MALFORMED.", form, "SEND",
        fixed64(1, 0) + chunk(2, b"\xff") + b"\x2a\x01")
    raw("ping-half-tag", "Half a tag.", form, "PING", b"\x88")

    ok = dict(generation=1, max_frame=512, max_body=1, max_commands=1,
              heartbeat_ms=1000, dedup_ms=1)
    for field in ok:
        edit(f"login-ok-no-{field}", f"{field} is required.", out, "LOGIN_OK",
             {k: v for k, v in ok.items() if k != field})
    edit("login-ok-max-frame-511", "Below the smallest limit.", out,
         "LOGIN_OK", ok, max_frame=511)
    edit("login-ok-heartbeat-999", "Below a second.", out, "LOGIN_OK", ok,
         heartbeat_ms=999)
    edit("login-ok-head-2-63", "A version of 64 bits.", out, "LOGIN_OK", ok,
         head=2**63)
    edit("refused-no-reason", "reason is required.", out, "REFUSED",
         dict(retry=1))
    edit("refused-no-retry", "retry is required.", out, "REFUSED",
         dict(reason=1))
    raw("refused-holder-cut", "A holder that is no message.", form, "REFUSED",
        pb.Refused(reason=1, retry=4).SerializeToString() + chunk(4, b"\x08"))
    raw("refused-holder-name-65", "65 bytes of a holder's name.", form,
        "REFUSED", pb.Refused(
            reason=1, retry=4,
            holder=pb.Holder(device_name="n" * 65)).SerializeToString())
    raw("refused-holder-name-latin-1", "A holder's name that is not UTF-8.",
        utf8, "REFUSED", pb.Refused(reason=1, retry=4).SerializeToString()
        + chunk(4, chunk(2, b"\xeb")))
    edit("kick-no-reason", "reason is required.", out, "KICK", dict(retry=1))
    edit("kick-no-retry", "retry is required.", out, "KICK", dict(reason=1))
    edit("kick-detail-129", "129 bytes of detail.", form, "KICK",
         dict(reason=1, retry=1), detail="d" * 129)
    edit("sync-ok-no-result", "result is required.", out, "SYNC_OK",
         dict(head=1))
    edit("sync-ok-result-4", "No such result.", out, "SYNC_OK",
         dict(result=4))
    edit("sync-ok-reset-without-reason", "RESET says why.", out, "SYNC_OK",
         dict(result=pb.RESET))
    edit("sync-ok-delta-with-reason", "Nothing else does.", out, "SYNC_OK",
         dict(result=pb.DELTA, reason=1))
    for window in (1, 3, 100001):
        edit(f"sync-ok-window-{window}", "No legal window.", out, "SYNC_OK",
             dict(result=pb.DELTA, max_unacked=window))
    push = dict(version=6, prev_version=5, msg_id=1, conversation="b",
                sender="b")
    for field in ("version", "msg_id", "conversation", "sender"):
        edit(f"push-no-{field}", f"{field} is required.", out, "PUSH",
             {k: v for k, v in push.items() if k != field})
    edit("push-prev-equal", "A link to itself.", out, "PUSH", push,
         prev_version=6)
    edit("push-prev-above", "A link forward.", out, "PUSH", push,
         prev_version=7)
    edit("push-cut-with-body", "What was cut has no body.", out, "PUSH", push,
         cut_size=5, body=b"x")
    edit("push-unknown-cut-with-body", "Of whatever kind.", out, "PUSH",
         dict(push, kind=77), cut_size=5, body=b"x")
    for field, value in dict(msg_id=1, conversation="b", sender="b",
                             content_type="t", cut_size=1, client_msg_id=1,
                             body=b"x").items():
        edit(f"push-noop-{field}", "A NOOP has nothing but its link.", out,
             "PUSH", dict(version=6, prev_version=5, kind=pb.NOOP),
             **{field: value})
    batch = dict(prev_version=5, last_version=6, count=1, inflated_size=2,
                 payload=b"\x48\x01")
    for field in ("last_version", "count", "inflated_size", "payload"):
        edit(f"batch-no-{field}", f"{field} is required.", out, "BATCH",
             {k: v for k, v in batch.items() if k != field})
    edit("batch-prev-equal", "A batch of nothing.", out, "BATCH", batch,
         prev_version=6)
    edit("send-ok-no-id", "client_msg_id is required.", out, "SEND_OK",
         dict(msg_id=1))
    edit("send-ok-no-msg-id", "msg_id is required.", out, "SEND_OK",
         dict(client_msg_id=1))
    edit("pong-head-2-63", "A version of 64 bits.", out, "PONG", {},
         head=2**63)
    error = dict(code=32, retry=4, ref=7)
    for field in error:
        edit(f"error-no-{field}", f"{field} is required.", out, "ERROR",
             {k: v for k, v in error.items() if k != field})
    edit("error-detail-129", "129 bytes of detail.", form, "ERROR", error,
         detail="d" * 129)
    ask = dict(ref=1, conversation="bob", max_rows=50, max_inflated=4096)
    for field in ask:
        edit(f"history-no-{field.replace('_', '-')}", f"{field} is required.",
             out, "HISTORY", {k: v for k, v in ask.items() if k != field})
    edit("history-conversation-65", "65 bytes of conversation.", form,
         "HISTORY", ask, conversation="c" * 65)
    edit("history-before-2-63", "A msg_id of 64 bits.", out, "HISTORY", ask,
         before=2**63)
    edit("history-after-2-63", "A msg_id of 64 bits.", out, "HISTORY", ask,
         after=2**63)
    first = {k: v for k, v in ask.items() if k != "conversation"}
    for kind, base in (("HISTORY", ask), ("CONVERSATIONS", first)):
        name = kind.lower()
        edit(f"{name}-max-rows-1001", "More than a page may have.", out, kind,
             base, max_rows=1001)
        edit(f"{name}-max-inflated-1023", "Below the smallest limit.", out,
             kind, base, max_inflated=1023)
        edit(f"{name}-max-inflated-2-24", "Above the largest limit.", out,
             kind, base, max_inflated=2**24)
    for field in first:
        edit(f"conversations-no-{field.replace('_', '-')}",
             f"{field} is required.", out, "CONVERSATIONS",
             {k: v for k, v in first.items() if k != field})
    edit("conversations-before-alone", "A place without its conversation.",
         out, "CONVERSATIONS", first, before=5)
    edit("conversations-name-alone", "A conversation without its place.", out,
         "CONVERSATIONS", first, conversation="bob")
    edit("conversations-name-65", "65 bytes of conversation.", form,
         "CONVERSATIONS", first, before=5, conversation="c" * 65)
    page = dict(ref=1, count=1, inflated_size=2, payload=b"\x48\x01")
    for kind in ("HISTORY_PAGE", "CONVERSATION_PAGE"):
        name = kind.lower().replace("_", "-")
        for field in page:
            edit(f"{name}-no-{field.replace('_', '-')}",
                 f"{field} is required with the others.", out, kind,
                 {k: v for k, v in page.items() if k != field})
        edit(f"{name}-payload-alone", "No rows, so no columns.", out, kind,
             dict(ref=1, payload=b"\x48\x01"))
        edit(f"{name}-size-alone", "Nor their size.", out, kind,
             dict(ref=1, inflated_size=2))
        edit(f"{name}-count-1001", "More rows than a page may have.", out,
             kind, page, count=1001)
    edit("conversation-page-as-of-2-63", "A version of 64 bits.", out,
         "CONVERSATION_PAGE", page, as_of=2**63)
    named = dict(ref=1, conversation=GROUP, max_rows=1)
    edit("members-no-ref", "ref is required.", out, "MEMBERS",
         {k: v for k, v in named.items() if k != "ref"})
    edit("members-rows-1001", "Too many rows.", out, "MEMBERS", named,
         max_rows=1001)
    edit("members-after-65", "65 bytes of after.", form, "MEMBERS", named,
         after="u" * 65)
    edit("sessions-after-7", "No such device type.", out, "SESSIONS",
         dict(ref=1), after=7)
    ended = dict(ref=1, device_type=pb.WEB, generation=1)
    for field in ended:
        edit(f"end-session-no-{field}", f"{field} is required.", out,
             "END_SESSION", {k: v for k, v in ended.items() if k != field})
    edit("push-recalled-body", "What was recalled has no body.", out, "PUSH",
         dict(version=2, msg_id=5, conversation="b", sender="b"),
         recalled=True, body=b"x")
    edit("push-recalled-operation", "Only messages are recalled.", out,
         "PUSH", dict(version=2, msg_id=5, conversation="b", sender="b"),
         recalled=True, kind=pb.APP)
    edit("push-operation-no-msg-id", "An operation has a msg_id.", out,
         "PUSH", dict(version=2, conversation="b", sender="b"), kind=pb.READ)
    edit("push-name-49", "49 bytes of a name.", form, "PUSH",
         dict(version=2, msg_id=5, conversation="b", sender="b"),
         sender_name="n" * 49)
    edit("push-noop-name", "A NOOP has no name.", out, "PUSH",
         dict(version=2, kind=pb.NOOP), conversation_name="n")
    noop = number(1, 2) + number(3, pb.NOOP)
    raw("push-version-twice", "The last one does not win.", form, "PUSH",
        noop + number(1, 3))
    raw("push-version-is-text", "The wrong wire type.", form, "PUSH",
        chunk(1, "2") + number(3, pb.NOOP))
    raw("push-version-65-bits", "More than a varint may hold.", form, "PUSH",
        b"\x08" + b"\xff" * 9 + b"\x02" + number(3, pb.NOOP))
    raw("push-group", "A group in a field that nobody knows.", form, "PUSH",
        noop + b"\xf3\x01\xf4\x01")
    raw("history-page-column-alone", "Bytes without a row, and of a column that "
        "nobody knows.", out, "HISTORY_PAGE", pb.HistoryPage(
            ref=1, inflated_size=3, payload=number(100, 1)
        ).SerializeToString(deterministic=True))
    edit("member-page-no-rows", "A count without rows.", out, "MEMBER_PAGE",
         dict(ref=1, count=1))
    edit("session-list-rows-7", "There are six types.", out, "SESSION_LIST",
         dict(ref=1, count=7, rows=b"x"))
    edit("session-ended-no-ref", "ref is required.", out, "SESSION_ENDED", {})
    for name, why, data, code in bad:
        f.raw(name, why, data, f"error {code}")
    f.raw("frame-unknown", "A type that Roam 1 does not have.",
          header(0x0c, 0), "error FRAME_UNKNOWN")
    f.raw("frame-unknown-0", "There is no type 0.", header(0x00, 0),
          "error FRAME_UNKNOWN")
    f.raw("frame-unknown-server", "Nor this one.", header(0x4f, 0),
          "error FRAME_UNKNOWN")
    f.raw("frame-too-long", "Told from the header alone.",
          header(0x05, 4097), "error FRAME_TOO_LONG", ["limit 4096"])
    f.raw("frame-too-long-skippable", "Also of a type that may be skipped.",
          header(0x80, 513), "error FRAME_TOO_LONG", ["limit 512"])
    f.write()
