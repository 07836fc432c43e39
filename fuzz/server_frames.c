/* SPDX-License-Identifier: Apache-2.0 */
/* See server_frames.h. */
#include "server_frames.h"

#include <string.h>

#include "batch.h"
#include "frame.h"
#include "rows.h"

enum {
    ROWS = 24
};

/* Where the client's timeline is. */
struct around {
    uint64_t chain, cursor;
    const struct fuzz_asked *asked;
};

static void login_ok(struct fuzz_input *in, const struct around *a,
                     struct roam_message *m)
{
    (void)a;
    roam_message_init(m, ROAM_LOGIN_OK);
    m->u.login_ok.generation = 1;
    m->u.login_ok.max_frame = 512u << (fuzz_take(in) & 3);
    m->u.login_ok.max_body = 1024;
    m->u.login_ok.max_commands = 1u + (fuzz_take(in) & 3);
    m->u.login_ok.heartbeat_ms = 1000u + fuzz_take(in) * 100u;
    m->u.login_ok.dedup_ms = 1u + fuzz_take(in) * 1000u;
}

static void sync_ok(struct fuzz_input *in, const struct around *a,
                    struct roam_message *m)
{
    roam_message_init(m, ROAM_SYNC_OK);
    uint8_t how = fuzz_take(in);
    m->u.sync_ok.result = (roam_v1_SyncResult)(1 + how % 3);
    m->u.sync_ok.head = a->cursor + fuzz_take(in) % 16;
    if ((how & 0x40) != 0 && m->u.sync_ok.head > 8) {
        m->u.sync_ok.head -= 8;
    }
    if (m->u.sync_ok.result == roam_v1_SyncResult_RESET) {
        m->u.sync_ok.reason = m->u.sync_ok.head < a->cursor
                                  ? roam_v1_ResetReason_AHEAD
                                  : roam_v1_ResetReason_TOO_MANY;
    }
}

static struct roam_slice text(const char *s)
{
    struct roam_slice slice = {(const uint8_t *)s, strlen(s)};
    return slice;
}

/* An entry behind `prev`. */
static void some_entry(struct fuzz_input *in, uint64_t prev,
                       struct roam_entry *e)
{
    uint8_t how = fuzz_take(in);
    memset(e, 0, sizeof *e);
    e->prev_version = prev;
    e->version = prev + 1 + (how & 3);
    e->kind = (how & 0x0c) == 0x0c   ? 2u + (how >> 6)
              : (how & 0x0c) == 0x08 ? (uint32_t)roam_v1_Kind_NOOP
                                     : (uint32_t)roam_v1_Kind_MESSAGE;
    if (e->kind == roam_v1_Kind_NOOP) {
        return;
    }
    e->msg_id = (uint64_t)fuzz_take(in) << (how >> 3) | 1;
    e->client_msg_id = (how & 0x10) != 0 ? fuzz_take(in) : 0;
    e->conversation = text((how & 0x20) != 0 ? "bob" : "alice");
    e->sender = text((how & 0x40) != 0 ? "bob" : "alice");
    e->content_type = text((how & 0x80) != 0 ? "a/b" : "");
    e->body = text(&"a body of some length"[how & 15]);
    if ((how & 0xf0) == 0xf0) {
        e->body.len = 0;
        e->cut_size = 1u + how;
    }
}

static void push(struct fuzz_input *in, const struct around *a,
                 struct roam_message *m)
{
    struct roam_entry e;
    uint64_t prev = a->chain + fuzz_take(in) % 4;
    some_entry(in, prev > 1 ? prev - fuzz_take(in) % 2 : prev, &e);
    roam_message_init(m, ROAM_PUSH);
    m->u.push.version = e.version;
    m->u.push.prev_version = e.prev_version;
    m->u.push.kind = (roam_v1_Kind)e.kind;
    m->u.push.msg_id = e.msg_id;
    if (e.kind != roam_v1_Kind_NOOP) {
        memcpy(m->u.push.conversation, e.conversation.data, e.conversation.len);
        memcpy(m->u.push.sender, e.sender.data, e.sender.len);
        memcpy(m->u.push.content_type, e.content_type.data, e.content_type.len);
    }
    m->u.push.cut_size = e.cut_size;
    m->u.push.client_msg_id = e.client_msg_id;
    m->body = e.body;
}

static struct roam_packer *packer(void)
{
    static struct roam_packer *one; /* for all runs */
    if (one == NULL) {
        one = roam_packer_new();
    }
    return one;
}

static void batch(struct fuzz_input *in, const struct around *a,
                  struct roam_message *m)
{
    struct roam_entry rows[ROWS];
    uint8_t how = fuzz_take(in);
    size_t count = 1u + how % ROWS;
    uint64_t prev = a->chain;
    if ((how & 0x80) != 0 && prev > 3) {
        prev -= 3;
    }
    for (size_t i = 0; i < count; i++) {
        some_entry(in, prev, &rows[i]);
        prev = rows[i].version;
    }
    struct roam_pack_limits limits = {FUZZ_FRAME_BYTES / 2,
                                      FUZZ_FRAME_BYTES / 2,
                                      (how & 0x40) != 0 ? 2u : 0u};
    struct roam_packer *p = packer();
    if (p == NULL || roam_batch_pack(p, rows, count, &limits, m) == 0) {
        roam_message_init(m, ROAM_PONG); /* out of memory: say nothing */
        return;
    }
    uint8_t lie = fuzz_take(in);
    if (lie == 1) {
        m->u.batch.count += 1;
    } else if (lie == 2) {
        m->u.batch.last_version += 1;
    } else if (lie == 3) {
        m->u.batch.inflated_size -= 1;
    }
}

static void answer(struct fuzz_input *in, const struct around *a,
                   struct roam_message *m)
{
    (void)a;
    uint8_t how = fuzz_take(in);
    if ((how & 1) != 0) {
        roam_message_init(m, ROAM_SEND_OK);
        m->u.send_ok.client_msg_id = 1u + (how >> 2);
        m->u.send_ok.msg_id = 1;
    } else {
        roam_message_init(m, ROAM_ERROR);
        m->u.error.code = roam_v1_ErrorCode_ID_REUSED;
        m->u.error.retry = roam_v1_Retry_NEVER;
        m->u.error.ref = 1u + (how >> 2);
    }
}

static void other(struct fuzz_input *in, const struct around *a,
                  struct roam_message *m)
{
    uint8_t how = fuzz_take(in);
    if (how % 3 == 0) {
        roam_message_init(m, ROAM_PONG);
        m->u.pong.head = a->chain + fuzz_take(in) % 8;
    } else if (how % 3 == 1) {
        roam_message_init(m, ROAM_REFUSED);
        m->u.refused.reason = (roam_v1_RefusedReason)(1 + fuzz_take(in) % 9);
        m->u.refused.retry = (roam_v1_Retry)(1 + how % 4);
    } else {
        roam_message_init(m, ROAM_KICK);
        m->u.kick.reason = (roam_v1_KickReason)(1 + fuzz_take(in) % 10);
        m->u.kick.retry = (roam_v1_Retry)(1 + how % 4);
        m->u.kick.retry_after_ms = fuzz_take(in);
        strcpy(m->u.kick.detail, "fuzzed");
    }
}

/* Rows in the range asked for, if it is wide enough; a lie otherwise. */
static size_t page_rows(struct fuzz_input *in, const struct fuzz_asked *asked,
                        struct roam_entry rows[ROWS])
{
    size_t count = fuzz_take(in) % (ROWS + 1);
    uint64_t id = asked->history ? asked->after : asked->before;
    if (!asked->history && id == 0) {
        id = 1u << 20;
    }
    count =
        count > asked->max_rows && fuzz_take(in) != 1 ? asked->max_rows : count;
    for (size_t i = 0; i < count; i++) {
        uint64_t by = 1 + fuzz_take(in) % 3;
        id = asked->history ? id + by : id > by ? id - by : 1;
        memset(&rows[i], 0, sizeof rows[i]);
        rows[i].msg_id = id;
        rows[i].conversation = text("bob");
        rows[i].sender = text((by & 1) != 0 ? "bob" : "alice");
        rows[i].body = text(&"a body of some length"[i & 15]);
    }
    return count;
}

/* Members "b" and up, or sessions; now and then not in order. */
static void list(struct fuzz_input *in, const struct around *a,
                 struct roam_message *m)
{
    static uint8_t rows[6 * ROAM_ROW_BYTES_MAX];
    static const char names[] = "bcdefgbcdefg";
    const struct fuzz_asked *asked = a->asked;
    uint8_t how = fuzz_take(in);
    uint32_t count = fuzz_take(in) % 6;
    uint8_t first = (how & 3) == 3 ? fuzz_take(in) % 6 : 0;
    for (uint32_t i = 0; i < count; i++) {
        struct roam_slice user = {(const uint8_t *)&names[first + i], 1};
        struct roam_member_row member = {user, user, 1 + (how & 7), false, 5};
        struct roam_session_row session = {1 + i, user, user,  1,
                                           2,     true, false, 1};
        m->body.len += asked->history
                           ? roam_member_row_put(&member, rows + m->body.len,
                                                 sizeof rows - m->body.len)
                           : roam_session_row_put(&session, rows + m->body.len,
                                                  sizeof rows - m->body.len);
    }
    m->body.data = rows;
    if (asked->history) {
        m->type = ROAM_MEMBER_PAGE;
        m->u.member_page.ref = asked->ref;
        m->u.member_page.count = count;
        m->u.member_page.more = (how & 0x10) != 0;
    } else if (asked->before != 0) {
        m->type = ROAM_SESSION_ENDED;
        m->u.session_ended.ref = asked->ref;
        m->body.len = 0;
    } else {
        m->type = ROAM_SESSION_LIST;
        m->u.session_list.ref = asked->ref;
        m->u.session_list.count = count;
        m->u.session_list.more = (how & 0x10) != 0;
    }
}

static void page(struct fuzz_input *in, const struct around *a,
                 struct roam_message *m)
{
    struct roam_entry rows[ROWS];
    if (a->asked->list) {
        roam_message_init(m, ROAM_MEMBER_PAGE);
        list(in, a, m);
        return;
    }
    const struct fuzz_asked *asked = a->asked;
    uint8_t how = fuzz_take(in);
    bool history = asked->history != (how == 1);
    size_t count = page_rows(in, asked, rows);
    struct roam_pack_limits limits = {FUZZ_FRAME_BYTES / 2,
                                      FUZZ_FRAME_BYTES / 2,
                                      (how & 0x40) != 0 ? 2u : 0u};
    struct roam_packer *p = packer();
    roam_message_init(m, history ? ROAM_HISTORY_PAGE : ROAM_CONVERSATION_PAGE);
    if (p == NULL || roam_page_pack(p, rows, count, &limits, m) == SIZE_MAX) {
        roam_message_init(m, ROAM_PONG); /* out of memory: say nothing */
        return;
    }
    uint64_t ref = asked->ref + (how == 2);
    if (history) {
        m->u.history_page.ref = ref;
        m->u.history_page.more = (how & 0x10) != 0;
        m->u.history_page.count += how == 3;
    } else {
        m->u.conversation_page.ref = ref;
        m->u.conversation_page.more = (how & 0x10) != 0;
        m->u.conversation_page.inflated_size += how == 3;
    }
}

size_t fuzz_server_frame(enum fuzz_frame what, struct fuzz_input *in,
                         uint64_t chain, uint64_t cursor,
                         const struct fuzz_asked *asked, uint8_t *out,
                         size_t cap)
{
    static void (*const makers[])(struct fuzz_input *, const struct around *,
                                  struct roam_message *) = {
        login_ok, sync_ok, push, batch, answer, other, page};
    struct around a = {chain, cursor, asked};
    struct roam_message m;
    makers[what](in, &a, &m);
    return roam_message_encode(&m, out, cap);
}
