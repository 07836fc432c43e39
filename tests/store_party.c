/* SPDX-License-Identifier: Apache-2.0 */
/* See store_party.h. */
#include "store_party.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "roam.pb.h"

struct party_outcome party_outcome_of(struct roam_store_request *req)
{
    const struct roam_store_send *send = &req->u.send;
    struct party_outcome out = {send->result,         send->error, send->msg_id,
                                send->delivery_count, {0},         ""};
    for (size_t i = 0; i < out.count && i < PARTY_USERS_MAX; i++) {
        out.users[i] = send->deliveries[i].user;
    }
    if (send->made.len > 0) {
        memcpy(out.made, send->made.data, send->made.len);
    }
    roam_store_request_free(req);
    return out;
}

struct party_outcome party_operate(struct party *p,
                                   const struct roam_identity *who,
                                   const char *to,
                                   const struct roam_operation *op,
                                   const char *user)
{
    struct roam_store_request *req = probe_make_naming(
        who, ++p->last_id, to, op, &user, user == NULL ? 0 : 1);
    probe_answer(req);
    return party_outcome_of(req);
}

struct party_outcome party_change(struct party *p,
                                  const struct roam_identity *who,
                                  uint32_t action, const char *user)
{
    struct roam_operation op = {.kind = GROUP, .action = action};
    if (action == RENAME) {
        op.name = probe_text(user);
        user = NULL;
    }
    return party_operate(p, who, p->group, &op, user);
}

uint64_t party_must(struct party *p, const struct roam_identity *who,
                    uint32_t action, const char *user)
{
    struct party_outcome out = party_change(p, who, action, user);
    assert_int_equal(out.error, 0);
    assert_int_equal(out.result, ROAM_SEND_STORED);
    return out.msg_id;
}

void party_must_fail(struct party *p, const struct roam_identity *who,
                     uint32_t action, const char *user, uint32_t error)
{
    struct party_outcome out = party_change(p, who, action, user);
    assert_int_equal(out.result, ROAM_SEND_REFUSED);
    assert_int_equal(out.error, error);
    assert_int_equal(out.count, 0);
}

struct party_outcome party_say(struct party *p, const struct roam_identity *who,
                               const char *text)
{
    struct roam_store_request *req =
        probe_make_send(who, ++p->last_id, p->group, text);
    probe_answer(req);
    return party_outcome_of(req);
}

uint64_t party_must_say(struct party *p, const struct roam_identity *who,
                        const char *text)
{
    struct party_outcome out = party_say(p, who, text);
    assert_int_equal(out.result, ROAM_SEND_STORED);
    return out.msg_id;
}

struct party_outcome party_aim(struct party *p, const struct roam_identity *who,
                               uint32_t kind, uint64_t target)
{
    struct roam_operation op = {.kind = kind, .msg_id = target};
    return party_operate(p, who, p->group, &op, NULL);
}

struct party party_gather(uint32_t join)
{
    struct party p = {.last_id = 100};
    probe_suite->add_user(probe_suite, "carol");
    probe_suite->add_token(probe_suite, "carol", "carol-token", 0, 0);
    probe_suite->add_user(probe_suite, "dave");
    probe_suite->add_token(probe_suite, "dave", "dave-token", 0, 0);
    p.alice = probe_enter("alice", 1, PHONE, 1, 0);
    p.bob = probe_enter("bob", 1, PHONE, 1, 0);
    p.carol = probe_enter("carol", 1, PHONE, 1, 0);
    p.dave = probe_enter("dave", 1, PHONE, 1, 0);
    struct roam_operation op = {.kind = GROUP,
                                .action = CREATE,
                                .join = join,
                                .name = probe_text("Lunch")};
    struct party_outcome made = party_operate(&p, &p.alice, "#", &op, "bob");
    assert_int_equal(made.result, ROAM_SEND_STORED);
    memcpy(p.group, made.made, sizeof p.group);
    p.created = made.msg_id;
    return p;
}

bool party_got(const struct party_outcome *out, const struct roam_identity *who)
{
    size_t times = 0;
    for (size_t i = 0; i < out->count; i++) {
        times += out->users[i] == who->user ? 1 : 0;
    }
    assert_true(times <= 1);
    return times == 1;
}

int party_history(const struct party *p, const struct roam_identity *who,
                  uint64_t before, uint64_t after, uint32_t max_count,
                  uint64_t ids[16])
{
    struct roam_store_request *req =
        probe_make(ROAM_STORE_HISTORY, strlen(p->group));
    struct roam_store_history *h = &req->u.history;
    memcpy(req->memory, p->group, strlen(p->group));
    h->user = who->user;
    h->device = who->device;
    h->conversation = (struct roam_slice){req->memory, strlen(p->group)};
    h->before = before;
    h->after = after;
    h->max_count = max_count;
    h->max_bytes = SIZE_MAX;
    h->body_limit = UINT32_MAX;
    probe_answer(req);
    int count = h->found ? (int)h->count : -1;
    assert_true(h->count <= 16);
    for (size_t i = 0; i < h->count; i++) {
        ids[i] = h->rows[i].msg_id;
        probe_assert_slice(h->rows[i].conversation, p->group);
    }
    roam_store_request_free(req);
    return count;
}

int party_whole_history(const struct party *p, const struct roam_identity *who,
                        uint64_t ids[16])
{
    return party_history(p, who, 0, 0, 16, ids);
}

struct roam_store_request *party_members(const struct party *p,
                                         const struct roam_identity *who,
                                         const char *after, uint32_t max_count)
{
    size_t len = strlen(p->group);
    struct roam_store_request *req =
        probe_make(ROAM_STORE_MEMBERS, len + strlen(after) + 1);
    struct roam_store_members *m = &req->u.members;
    memcpy(req->memory, p->group, len);
    memcpy(req->memory + len, after, strlen(after));
    m->user = who->user;
    m->conversation = (struct roam_slice){req->memory, len};
    m->after = (struct roam_slice){req->memory + len, strlen(after)};
    m->max_count = max_count;
    probe_answer(req);
    return req;
}

struct roam_entry party_conversation_since(const struct party *p,
                                           const struct roam_identity *who,
                                           uint64_t oldest, bool *found)
{
    struct roam_store_request *req = probe_make(ROAM_STORE_CONVERSATIONS, 0);
    struct roam_store_conversations *c = &req->u.conversations;
    struct roam_entry row = {0};
    c->user = who->user;
    c->device = who->device;
    c->max_count = 16;
    c->max_bytes = SIZE_MAX;
    c->body_limit = UINT32_MAX;
    c->oldest = oldest;
    probe_answer(req);
    *found = false;
    for (size_t i = 0; i < c->count; i++) {
        if (c->rows[i].conversation.len == strlen(p->group) &&
            memcmp(c->rows[i].conversation.data, p->group, strlen(p->group)) ==
                0) {
            row = c->rows[i];
            *found = true;
        }
    }
    roam_store_request_free(req);
    return row; /* its slices are not to be looked at */
}

struct roam_entry party_conversation(const struct party *p,
                                     const struct roam_identity *who,
                                     bool *found)
{
    return party_conversation_since(p, who, 0, found);
}
