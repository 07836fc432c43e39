/* SPDX-License-Identifier: Apache-2.0 */
#include "store_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "roam.pb.h"

struct store_suite *probe_suite;

static void note_done(struct roam_store_request *req)
{
    *(unsigned *)req->owner += 1;
    req->tag = *(unsigned *)req->owner; /* its place among the answers */
}

void probe_submit(struct roam_store_request *req, unsigned *done)
{
    req->done = note_done;
    req->owner = done;
    probe_suite->store->ops->submit(probe_suite->store, req);
}

void probe_wait(const unsigned *done, unsigned count)
{
    for (;;) {
        assert_int_equal(probe_suite->store->ops->poll(probe_suite->store),
                         ROAM_STORE_OK);
        if (*done >= count) {
            assert_int_equal(*done, count);
            return;
        }
        if (probe_suite->wait != NULL) {
            probe_suite->wait(probe_suite);
        }
    }
}

void probe_answer(struct roam_store_request *req)
{
    unsigned done = 0;
    probe_submit(req, &done);
    probe_wait(&done, 1);
}

struct roam_store_request *probe_make(enum roam_store_kind kind, size_t extra)
{
    struct roam_store_request *req = roam_store_request_new(kind, extra);
    assert_non_null(req);
    return req;
}

/* A token is one device's. [DEV-1] */
static void name_token(char out[ROAM_TOKEN_MAX + 1], const char *user,
                       unsigned device)
{
    if (device == 1) {
        snprintf(out, ROAM_TOKEN_MAX + 1, "%.64s-token", user);
    } else {
        snprintf(out, ROAM_TOKEN_MAX + 1, "%.64s-token-%u", user, device);
    }
}

struct roam_store_request *probe_make_login(const struct probe_login *in)
{
    struct roam_store_request *req = probe_make(ROAM_STORE_LOGIN, 0);
    struct roam_store_login *l = &req->u.login;
    snprintf(l->user, sizeof l->user, "%s", in->user);
    if (in->token != NULL) {
        snprintf(l->token, sizeof l->token, "%s", in->token);
    } else {
        name_token(l->token, in->user, in->device);
    }
    memset(l->device_id, in->device, sizeof l->device_id);
    snprintf(l->device_name, sizeof l->device_name, "device %u", in->device);
    l->device_type = in->type;
    l->attempt = in->attempt;
    l->take_over = in->take_over;
    l->now_ms = in->now_ms == 0 ? NOW_MS : in->now_ms;
    return req;
}

struct roam_store_login probe_login(const struct probe_login *in)
{
    struct roam_store_request *req = probe_make_login(in);
    probe_answer(req);
    struct roam_store_login l = req->u.login;
    roam_store_request_free(req);
    return l;
}

struct roam_identity probe_enter(const char *user, uint8_t device,
                                 uint32_t type, uint64_t attempt,
                                 uint64_t take_over)
{
    struct roam_store_login l = probe_login(
        &(struct probe_login){user, NULL, device, type, attempt, take_over, 0});
    assert_int_equal(l.refused, 0);
    return l.identity;
}

struct roam_store_request *probe_make_send_of(const struct roam_identity *who,
                                              uint64_t id, const char *to,
                                              struct roam_slice type,
                                              struct roam_slice body)
{
    size_t to_len = strlen(to);
    struct roam_store_request *req =
        probe_make(ROAM_STORE_SEND, to_len + type.len + body.len);
    struct roam_store_send *send = &req->u.send;
    uint8_t *at = req->memory;
    struct roam_slice texts[] = {{(const uint8_t *)to, to_len}, type, body};
    struct roam_slice *slices[] = {&send->conversation, &send->content_type,
                                   &send->body};
    for (size_t i = 0; i < 3; i++) {
        if (texts[i].len > 0) {
            memcpy(at, texts[i].data, texts[i].len);
        }
        *slices[i] = (struct roam_slice){at, texts[i].len};
        at += texts[i].len;
    }
    send->identity = *who;
    send->client_msg_id = id;
    send->kind = roam_v1_Kind_MESSAGE;
    send->now_ms = NOW_MS;
    return req;
}

/* Has the request answered; frees it. */
static struct probe_sent send_made(struct roam_store_request *req)
{
    probe_answer(req);
    const struct roam_store_send *send = &req->u.send;
    struct probe_sent sent = {send->result, send->error, send->msg_id,
                              send->delivery_count};
    roam_store_request_free(req);
    return sent;
}

struct roam_store_request *probe_make_naming(const struct roam_identity *who,
                                             uint64_t id, const char *to,
                                             const struct roam_operation *op,
                                             const char *const *users,
                                             size_t count)
{
    uint8_t body[ROAM_OPERATION_BYTES_MAX];
    struct roam_slice list[ROAM_CHANGE_USERS_MAX];
    assert_true(count <= ROAM_CHANGE_USERS_MAX);
    for (size_t i = 0; i < count; i++) {
        list[i] = probe_text(users[i]);
    }
    size_t len = roam_operation_encode(op, list, count, body, sizeof body);
    assert_true(len > 0);
    struct roam_store_request *req =
        probe_make_send_of(who, id, to, (struct roam_slice){NULL, 0},
                           (struct roam_slice){body, len});
    struct roam_store_send *send = &req->u.send;
    send->kind = op->kind;
    assert_true(roam_operation_decode(op->kind, send->body, &send->operation));
    return req;
}

struct roam_store_request *probe_make_operation(const struct roam_identity *who,
                                                uint64_t id, const char *to,
                                                const struct roam_operation *op)
{
    return probe_make_naming(who, id, to, op, NULL, 0);
}

struct probe_sent probe_operate_at(const struct roam_identity *who, uint64_t id,
                                   const char *to,
                                   const struct roam_operation *op,
                                   uint64_t now_ms)
{
    struct roam_store_request *req = probe_make_operation(who, id, to, op);
    req->u.send.now_ms = now_ms;
    return send_made(req);
}

struct probe_sent probe_aim(const struct roam_identity *who, uint64_t id,
                            const char *to, uint32_t kind, uint64_t target)
{
    const struct roam_operation op = {.kind = kind, .msg_id = target};
    return probe_operate_at(who, id, to, &op, NOW_MS);
}

uint64_t probe_must_aim(const struct roam_identity *who, uint64_t id,
                        const char *to, uint32_t kind, uint64_t target)
{
    struct probe_sent sent = probe_aim(who, id, to, kind, target);
    assert_int_equal(sent.error, 0);
    assert_int_equal(sent.result, ROAM_SEND_STORED);
    return sent.msg_id;
}

struct roam_store_request *probe_history(const struct roam_identity *who,
                                         const char *conversation,
                                         bool operations_only)
{
    size_t len = strlen(conversation);
    struct roam_store_request *req = probe_make(ROAM_STORE_HISTORY, len);
    struct roam_store_history *h = &req->u.history;
    memcpy(req->memory, conversation, len);
    h->user = who->user;
    h->device = who->device;
    h->conversation = (struct roam_slice){req->memory, len};
    h->operations_only = operations_only;
    h->max_count = ROAM_PAGE_ROWS_MAX;
    h->max_bytes = 1u << 20;
    h->body_limit = UINT32_MAX;
    probe_answer(req);
    return req;
}

struct roam_store_request *probe_conversations(const struct roam_identity *who)
{
    struct roam_store_request *req = probe_make(ROAM_STORE_CONVERSATIONS, 0);
    struct roam_store_conversations *c = &req->u.conversations;
    c->user = who->user;
    c->device = who->device;
    c->max_count = ROAM_PAGE_ROWS_MAX;
    c->max_bytes = 1u << 20;
    c->body_limit = UINT32_MAX;
    probe_answer(req);
    return req;
}

struct roam_store_request *probe_make_history(const struct roam_identity *who,
                                              const char *conversation,
                                              uint64_t before, uint64_t after)
{
    size_t len = strlen(conversation);
    struct roam_store_request *req = probe_make(ROAM_STORE_HISTORY, len);
    memcpy(req->memory, conversation, len);
    req->u.history =
        (struct roam_store_history){.user = who->user,
                                    .device = who->device,
                                    .conversation = {req->memory, len},
                                    .before = before,
                                    .after = after,
                                    .max_count = 1000,
                                    .max_bytes = 1u << 20,
                                    .body_limit = UINT32_MAX};
    return req;
}

struct roam_store_request *probe_make_list(const struct roam_identity *who,
                                           uint64_t before,
                                           const char *conversation)
{
    size_t len = strlen(conversation);
    struct roam_store_request *req =
        probe_make(ROAM_STORE_CONVERSATIONS, len + 1);
    memcpy(req->memory, conversation, len);
    req->u.conversations =
        (struct roam_store_conversations){.user = who->user,
                                          .device = who->device,
                                          .before = before,
                                          .conversation = {req->memory, len},
                                          .max_count = 1000,
                                          .max_bytes = 1u << 20,
                                          .body_limit = UINT32_MAX};
    return req;
}

struct roam_slice probe_text(const char *s)
{
    return (struct roam_slice){(const uint8_t *)s, strlen(s)};
}

struct roam_store_request *probe_make_send(const struct roam_identity *who,
                                           uint64_t id, const char *to,
                                           const char *body)
{
    return probe_make_send_of(who, id, to, probe_text("text/plain"),
                              probe_text(body));
}

struct probe_sent probe_send_at(const struct roam_identity *who, uint64_t id,
                                const char *to, const char *body,
                                uint64_t now_ms)
{
    struct roam_store_request *req = probe_make_send(who, id, to, body);
    req->u.send.now_ms = now_ms;
    return send_made(req);
}

struct probe_sent probe_send(const struct roam_identity *who, uint64_t id,
                             const char *to, const char *body)
{
    return probe_send_at(who, id, to, body, NOW_MS);
}

uint64_t probe_must_send(const struct roam_identity *who, uint64_t id,
                         const char *to, const char *body)
{
    struct probe_sent sent = probe_send(who, id, to, body);
    assert_int_equal(sent.result, ROAM_SEND_STORED);
    return sent.msg_id;
}

struct roam_store_sync probe_sync(const struct roam_identity *who,
                                  uint64_t cursor, uint64_t head,
                                  uint32_t max_entries)
{
    struct roam_store_request *req = probe_make(ROAM_STORE_SYNC, 0);
    req->u.sync = (struct roam_store_sync){.user = who->user,
                                           .cursor = cursor,
                                           .head = head,
                                           .max_entries = max_entries};
    probe_answer(req);
    struct roam_store_sync sync = req->u.sync;
    roam_store_request_free(req);
    return sync;
}

struct roam_store_request *probe_make_read(const struct roam_identity *who,
                                           uint64_t after, uint64_t upto)
{
    struct roam_store_request *req = probe_make(ROAM_STORE_READ, 0);
    struct roam_store_read *read = &req->u.read;
    read->user = who->user;
    read->device = who->device;
    read->generation = who->generation;
    read->attempt = who->attempt;
    read->after = after;
    read->upto = upto;
    read->max_count = 1000;
    read->max_bytes = 1u << 20;
    read->body_limit = UINT32_MAX;
    return req;
}

struct roam_store_request *probe_read_all(const struct roam_identity *who)
{
    struct roam_store_request *req = probe_make_read(who, 0, ROAM_VERSION_MAX);
    probe_answer(req);
    assert_true(req->u.read.is_link);
    return req;
}

uint64_t probe_head(const struct roam_identity *who)
{
    struct roam_store_request *req = probe_read_all(who);
    const struct roam_store_read *read = &req->u.read;
    uint64_t head =
        read->count == 0 ? 0 : read->entries[read->count - 1].version;
    roam_store_request_free(req);
    return head;
}

void probe_assert_slice(struct roam_slice got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.data, want, got.len);
}

int probe_fresh(void **state)
{
    (void)state;
    probe_suite->settings = (struct roam_store_settings){0};
    probe_suite->open(probe_suite);
    static const char *const users[] = {"alice", "bob"};
    for (size_t i = 0; i < 2; i++) {
        probe_suite->add_user(probe_suite, users[i]);
        for (unsigned device = 1; device <= PROBE_DEVICES; device++) {
            char token[ROAM_TOKEN_MAX + 1];
            name_token(token, users[i], device);
            probe_suite->add_token(probe_suite, users[i], token, 0, 0);
        }
    }
    return 0;
}

int probe_done(void **state)
{
    (void)state;
    probe_suite->close(probe_suite);
    return 0;
}

bool probe_logout(const struct roam_identity *who, uint64_t *generation)
{
    struct roam_store_request *req = probe_make(ROAM_STORE_LOGOUT, 0);
    req->u.logout.identity = *who;
    probe_answer(req);
    bool fenced = req->u.logout.fenced;
    *generation = req->u.logout.generation;
    roam_store_request_free(req);
    return !fenced;
}

void probe_check_holder(const struct roam_store_login *l, uint8_t device,
                        uint64_t since_ms)
{
    char name[32];
    snprintf(name, sizeof name, "device %u", device);
    assert_true(l->has_holder);
    assert_int_equal(l->holder_type, PHONE);
    assert_string_equal(l->holder_name, name);
    assert_int_equal(l->holder_since_ms, since_ms);
}
