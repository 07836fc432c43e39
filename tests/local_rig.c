/* SPDX-License-Identifier: Apache-2.0 */
/* See local_rig.h. */
#include "local_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "operation.h"

char local_path[96];
static char directory[64];

int local_rig_open(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/roam-local-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(local_path, sizeof local_path, "%s/messages.db", directory);
    return 0;
}

int local_rig_close(void **state)
{
    static const char *const suffix[] = {"", "-wal", "-shm", ".lock"};
    (void)state;
    for (size_t i = 0; i < COUNT(suffix); i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", local_path, suffix[i]);
        unlink(name);
    }
    return rmdir(directory);
}

struct roam_local *local_rig_store(void)
{
    char detail[ROAM_POSIX_DETAIL_MAX] = "";
    struct roam_local *l;
    if (roam_local_open(local_path, "alice", ROAM_PHONE, ROAM_LOCAL_OWN, &l,
                        detail) != OK) {
        fail_msg("%s", detail);
    }
    return l;
}

struct roam_bytes local_rig_text(const char *text)
{
    struct roam_bytes bytes = {(const uint8_t *)text, strlen(text)};
    return bytes;
}

/* The entry of `h` under this msg_id, its body in static memory. */
struct roam_entry_event local_rig_entry(const struct happening *h,
                                        uint64_t msg_id)
{
    static uint8_t bodies[64][160];
    static size_t next;
    uint8_t *body = bodies[next++ % COUNT(bodies)];
    struct roam_entry_event e;
    memset(&e, 0, sizeof e);
    e.msg_id = msg_id;
    e.kind = h->kind;
    e.conversation = local_rig_text(h->conversation);
    e.sender = local_rig_text(h->sender);
    e.body.data = body;
    if (h->kind == ROAM_KIND_MESSAGE) {
        e.body.len = (size_t)snprintf((char *)body, 160, "%s%u",
                                      h->conversation, (unsigned)msg_id);
        return e;
    }
    struct roam_operation op;
    const char *user = h->user ? h->user : "";
    const struct roam_slice users[1] = {{(const uint8_t *)user, strlen(user)}};
    memset(&op, 0, sizeof op);
    op.kind = h->kind;
    op.msg_id = h->target;
    op.action = h->action;
    op.join = h->action == GROUP(CREATE) || h->action == GROUP(SET_JOIN);
    op.name.data = (const uint8_t *)h->name;
    op.name.len = h->name ? strlen(h->name) : 0;
    op.data.data = (const uint8_t *)"app";
    op.data.len = h->kind == ROAM_KIND_APP ? 3 : 0;
    e.body.len = roam_operation_encode(&op, users, h->user != NULL, body, 160);
    assert_true(e.body.len > 0);
    return e;
}

/* The next entry of the chain. */
void local_rig_arrive(struct roam_local *l, struct roam_entry_event e)
{
    struct roam_local_device d;
    roam_local_device(l, &d);
    e.prev_version = d.cursor;
    e.version = d.cursor + 1;
    assert_int_equal(roam_local_add_entry(l, &e), OK);
}

void local_rig_arrive_noop(struct roam_local *l)
{
    struct roam_entry_event e;
    memset(&e, 0, sizeof e);
    e.kind = ROAM_KIND_NOOP;
    local_rig_arrive(l, e);
}

void local_rig_page_row(struct roam_local *l, struct roam_entry_event e)
{
    assert_int_equal(roam_local_add_history(l, &e), OK);
}

static bool makes_group(const struct happening *h)
{
    return h->action == GROUP(CREATE);
}

void local_rig_post(struct roam_local *l, const struct happening *h,
                    uint64_t msg_id)
{
    struct roam_entry_event e = local_rig_entry(h, msg_id);
    struct roam_local_outgoing m = {
        .client_msg_id = msg_id,
        .kind = (enum roam_kind)h->kind,
        .conversation = makes_group(h) ? local_rig_text("#") : e.conversation,
        .body = e.body,
        .queued_ms = 1,
        .first_sent_ms = 1};
    assert_int_equal(roam_local_outbox_add(l, &m), OK);
}

void local_rig_sent(struct roam_local *l, const struct happening *h,
                    uint64_t msg_id, bool duplicate)
{
    const struct roam_local_sent sent = {
        .client_msg_id = msg_id,
        .msg_id = msg_id,
        .conversation = local_rig_text(makes_group(h) ? h->conversation : ""),
        .duplicate = duplicate};
    assert_int_equal(roam_local_outbox_sent(l, &sent), OK);
}

void local_rig_answer(struct roam_local *l, const struct happening *h,
                      uint64_t msg_id, bool duplicate)
{
    local_rig_post(l, h, msg_id);
    local_rig_sent(l, h, msg_id, duplicate);
}

/* All that a person can see: rows, then conversations. */
const char *local_rig_dump(struct roam_local *l)
{
    static char texts[2][8192];
    static size_t turn;
    char *text = texts[turn++ % 2];
    struct roam_local_row row;
    bool found;
    size_t n = 0;
    for (int list = 0; list < 2; list++) {
        struct roam_local_history *h = list ? roam_local_conversations_open(l)
                                            : roam_local_history_open(l, NULL);
        assert_non_null(h);
        while (assert_int_equal(roam_local_history_next(h, &row, &found), OK),
               found) {
            assert_true(n < 7000);
            n += (size_t)snprintf(
                text + n, 8192 - n, "%s%.*s %u k%u%s \"%.*s\"",
                row.hole ? "HOLE " : "", (int)row.conversation.len,
                (const char *)row.conversation.data, (unsigned)row.msg_id,
                row.kind, row.recalled ? " recalled" : "",
                row.kind == ROAM_KIND_MESSAGE ? (int)row.body.len : 0,
                (const char *)row.body.data);
            if (list) {
                n += (size_t)snprintf(
                    text + n, 8192 - n, " '%.*s' mark %u unread %u%s role %d",
                    (int)row.conversation_name.len,
                    (const char *)row.conversation_name.data,
                    (unsigned)row.read_mark, row.unread,
                    row.unread_open ? "?" : "", (int)row.role);
            }
            n += (size_t)snprintf(text + n, 8192 - n, "\n");
        }
        roam_local_history_close(h);
    }
    return text;
}

/* The bytes of a row are the database's until the next one is asked for. */
static void keep_text(struct roam_bytes *text, uint8_t *buffer, size_t cap)
{
    assert_true(text->len <= cap);
    if (text->len > 0) {
        memcpy(buffer, text->data, text->len);
    }
    text->data = buffer;
}

static void keep_row(struct roam_local_row *row)
{
    static uint8_t kept[6][4096];
    struct roam_bytes *texts[] = {&row->conversation,      &row->sender,
                                  &row->content_type,      &row->body,
                                  &row->conversation_name, &row->sender_name};
    for (size_t i = 0; i < 6; i++) {
        keep_text(texts[i], kept[i], sizeof kept[i]);
    }
}

/* The row of one conversation in the list, whose texts stand until the next
 * call; fails if there is none. */
struct roam_local_row local_rig_listed(struct roam_local *l,
                                       const char *conversation)
{
    struct roam_local_row row, result = {0};
    bool found, there = false;
    struct roam_local_history *h = roam_local_conversations_open(l);
    assert_non_null(h);
    while (assert_int_equal(roam_local_history_next(h, &row, &found), OK),
           found) {
        if (row.conversation.len == strlen(conversation) &&
            memcmp(row.conversation.data, conversation, row.conversation.len) ==
                0) {
            keep_row(&row);
            result = row;
            there = true;
        }
    }
    roam_local_history_close(h);
    assert_true(there);
    return result;
}
