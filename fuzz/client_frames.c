/* SPDX-License-Identifier: Apache-2.0 */
/* See client_frames.h. */
#include "client_frames.h"

#include <string.h>

#include "operation.h"

#define SMALL_WINDOW 4

void fuzz_say_login(struct fuzz_input *in, struct judge *j,
                    struct roam_message *m)
{
    roam_message_init(m, ROAM_LOGIN);
    roam_v1_Login *login = &m->u.login;
    uint8_t who = fuzz_take(in);
    const char *user = (who & 1) != 0 ? "bob" : "alice";
    login->protocol = ROAM_PROTOCOL_VERSION;
    snprintf(login->user, sizeof login->user, "%s", user);
    uint8_t device = who >> 1 & 3;
    uint8_t token = device ^ (who >> 4 & 7); /* mostly its own */
    snprintf(login->token, sizeof login->token, "%s-%u", user, token);
    login->device_id.size = ROAM_DEVICE_ID_BYTES;
    memset(login->device_id.bytes, device, ROAM_DEVICE_ID_BYTES);
    /* A LOGIN behind another frame may not be the one that is answered. */
    bool first = j->token == NULL && !j->acks_unknown;
    j->token = first ? &j->tokens[who & 1][token] : NULL;
    j->device = 1u + device;
    login->device_type = (roam_v1_DeviceType)(1 + (who >> 3) % 2);
    login->attempt = 1u + fuzz_take(in);
    login->take_over = fuzz_take(in);
    login->max_frame = ROAM_FRAME_MIN + 4u * fuzz_take(in);
}

void fuzz_say_sync(struct fuzz_input *in, struct judge *j,
                   struct roam_message *m)
{
    (void)j;
    roam_message_init(m, ROAM_SYNC);
    m->u.sync.cursor = fuzz_take(in);
    m->u.sync.max_entries = fuzz_take(in);
    m->u.sync.max_unacked = SMALL_WINDOW + fuzz_take(in) % 8u;
    m->u.sync.max_inflated = ROAM_INFLATED_MIN;
    m->u.sync.codecs = fuzz_take(in) % 4u;
}

void fuzz_say_ack(struct fuzz_input *in, struct judge *j,
                  struct roam_message *m)
{
    roam_message_init(m, ROAM_ACK);
    /* Mostly of what was received; sometimes of anything. */
    uint8_t back = fuzz_take(in);
    m->u.ack.version = j->cursor > back ? j->cursor - back : 1u + back;
    j->in_flight = back == 0 ? 0 : j->in_flight;
    j->acks_unknown = j->acks_unknown || back != 0;
}

void fuzz_say_send(struct fuzz_input *in, struct judge *j,
                   struct roam_message *m)
{
    static const char *const to[] = {"alice", "bob", "nobody", "alice"};
    static const uint8_t zeros[2 * MAX_BODY] = {0};
    roam_message_init(m, ROAM_SEND);
    m->u.send.client_msg_id = 1u + fuzz_take(in);
    uint8_t what = fuzz_take(in);
    snprintf(m->u.send.conversation, sizeof m->u.send.conversation, "%s",
             to[what & 3]);
    m->u.send.kind = (roam_v1_Kind)(what == 255);
    m->body.data = zeros;
    m->body.len = 2u * (what >> 2) + fuzz_take(in);
    j->commands++;
}

/* A msg_id of the world: of its first millisecond and above. */
static uint64_t some_id(uint8_t byte)
{
    uint64_t ms = START_WALL_MS - ROAM_EPOCH_UNIX_MS + (byte >> 4) * 50u;
    return byte == 0 ? 0 : (ms << ROAM_MSG_ID_TIME_SHIFT) + (byte & 15u);
}

void fuzz_say_history(struct fuzz_input *in, struct judge *j,
                      struct roam_message *m)
{
    static const char *const of[] = {"alice", "bob", "#AQAAAAAAAAAAAAAAAAAAAA",
                                     "bob"};
    roam_message_init(m, ROAM_HISTORY);
    uint8_t what = fuzz_take(in);
    m->u.history.ref = 1u + what;
    snprintf(m->u.history.conversation, sizeof m->u.history.conversation, "%s",
             of[what & 3]);
    m->u.history.max_rows = 1u + (what >> 3);
    m->u.history.codecs = what >> 1 & 2u;
    m->u.history.max_inflated = ROAM_INFLATED_MIN;
    m->u.history.before = some_id(fuzz_take(in));
    m->u.history.after = some_id(fuzz_take(in));
    j->commands++;
}

void fuzz_say_conversations(struct fuzz_input *in, struct judge *j,
                            struct roam_message *m)
{
    roam_message_init(m, ROAM_CONVERSATIONS);
    uint8_t what = fuzz_take(in);
    m->u.conversations.ref = 1u + what;
    m->u.conversations.max_rows = 1u + (what >> 2);
    m->u.conversations.max_inflated = ROAM_INFLATED_MIN;
    m->u.conversations.before = some_id(fuzz_take(in));
    if (m->u.conversations.before != 0) {
        snprintf(m->u.conversations.conversation,
                 sizeof m->u.conversations.conversation, "%s",
                 (what & 1) != 0 ? "bob" : "alice");
    }
    j->commands++;
}

/* Groups of this world have their numbers as ids, from 1. */
static const char *some_group(uint8_t byte)
{
    static const char *const ids[] = {"#AQAAAAAAAAAAAAAAAAAAAA",
                                      "#AgAAAAAAAAAAAAAAAAAAAA", "#",
                                      "#AQAAAAAAAAAAAAAAAAAAAA"};
    return ids[byte & 3];
}

static void operation(struct fuzz_input *in, struct judge *j,
                      struct roam_message *m, const char *to,
                      const struct roam_operation *op, uint8_t named)
{
    static const char *const users[] = {"alice", "bob", "nobody", "alice"};
    struct roam_slice list[4];
    static uint8_t body[MAX_BODY];
    size_t count = 0;
    for (size_t i = 0; i < 4; i++) {
        if ((named >> i & 1) != 0) {
            list[count++] = (struct roam_slice){(const uint8_t *)users[i],
                                                strlen(users[i])};
        }
    }
    roam_message_init(m, ROAM_SEND);
    m->u.send.client_msg_id = 1u + fuzz_take(in);
    m->u.send.kind = (roam_v1_Kind)op->kind;
    snprintf(m->u.send.conversation, sizeof m->u.send.conversation, "%s", to);
    m->body.data = body;
    m->body.len =
        op->kind == roam_v1_Kind_MESSAGE
            ? 0
            : roam_operation_encode(op, list, count, body, sizeof body);
    j->commands++;
}

void fuzz_say_change(struct fuzz_input *in, struct judge *j,
                     struct roam_message *m)
{
    static const uint8_t name[] = "Lunch";
    uint8_t what = fuzz_take(in);
    uint8_t how = fuzz_take(in);
    struct roam_operation op = {.kind = roam_v1_Kind_GROUP,
                                .action = 1u + (what & 15u) % 15u};
    bool create = op.action == roam_v1_GroupAction_CREATE;
    if (create || op.action == roam_v1_GroupAction_SET_JOIN) {
        op.join = 1u + (how & 3u) % 3u;
    }
    if (op.action == roam_v1_GroupAction_RENAME || (create && how > 127)) {
        op.name = (struct roam_slice){name, 1u + (how >> 2 & 3u)};
    }
    operation(in, j, m, create ? "#" : some_group(what >> 4), &op, how >> 4);
}

void fuzz_say_group(struct fuzz_input *in, struct judge *j,
                    struct roam_message *m)
{
    static const uint8_t kinds[] = {roam_v1_Kind_MESSAGE, roam_v1_Kind_RECALL,
                                    roam_v1_Kind_DELETE,  roam_v1_Kind_READ,
                                    roam_v1_Kind_APP,     roam_v1_Kind_MESSAGE};
    uint8_t what = fuzz_take(in);
    struct roam_operation op = {.kind = kinds[(what & 7u) % 6u],
                                .msg_id = some_id(fuzz_take(in)),
                                .data = {(const uint8_t *)"poke", 4}};
    operation(in, j, m, some_group(what >> 3), &op, what >> 5);
}

void fuzz_say_members(struct fuzz_input *in, struct judge *j,
                      struct roam_message *m)
{
    roam_message_init(m, ROAM_MEMBERS);
    uint8_t what = fuzz_take(in);
    m->u.members.ref = 1u + what;
    snprintf(m->u.members.conversation, sizeof m->u.members.conversation, "%s",
             some_group(what));
    snprintf(m->u.members.after, sizeof m->u.members.after, "%s",
             (what & 4) != 0 ? "alice" : "");
    m->u.members.max_rows = 1u + (what >> 5);
    j->commands++;
}

void fuzz_say_sessions(struct fuzz_input *in, struct judge *j,
                       struct roam_message *m)
{
    roam_message_init(m, ROAM_SESSIONS);
    uint8_t what = fuzz_take(in);
    m->u.sessions.ref = 1u + what;
    m->u.sessions.after = (roam_v1_DeviceType)(what & 3);
    j->commands++;
}

void fuzz_say_end_session(struct fuzz_input *in, struct judge *j,
                          struct roam_message *m)
{
    roam_message_init(m, ROAM_END_SESSION);
    uint8_t what = fuzz_take(in);
    m->u.end_session.ref = 1u + what;
    m->u.end_session.device_type = (roam_v1_DeviceType)(1 + (what & 1));
    m->u.end_session.generation = 1u + (what >> 1);
    j->commands++;
}

void fuzz_say_ping(struct fuzz_input *in, struct judge *j,
                   struct roam_message *m)
{
    (void)j;
    roam_message_init(m, ROAM_PING);
    m->u.ping.id = fuzz_take(in);
}

void fuzz_say_logout(struct fuzz_input *in, struct judge *j,
                     struct roam_message *m)
{
    (void)in;
    (void)j;
    roam_message_init(m, ROAM_LOGOUT);
}
