/* SPDX-License-Identifier: Apache-2.0 */
/* See server_judge.h. */
#include "server_judge.h"

#include <string.h>

#include "batch.h"
#include "frame.h"
#include "rows.h"

static void judge_login(struct judge *j) /* [DEV-1] */
{
    if (j->token != NULL) {
        JUDGE(j->token->device == 0 || j->token->device == j->device);
        j->token->device = j->device;
    }
}

static void judge_entries(struct judge *j, uint64_t prev, uint64_t last,
                          uint32_t count)
{
    JUDGE(last > prev);
    if (!j->syncing) {
        JUDGE(prev == j->cursor); /* [CHAIN-3] */
    }
    j->syncing = false;
    j->cursor = last;
    j->in_flight += count;
    JUDGE(j->acks_unknown || j->in_flight <= MAX_UNACKED); /* [ACK-3] */
}

static void judge_sync_ok(struct judge *j, const roam_v1_SyncOk *ok)
{
    JUDGE((ok->reason != 0) == (ok->result == roam_v1_SyncResult_RESET));
    JUDGE(ok->floor <= ok->head);
    j->in_flight = 0;
    j->cursor = ok->head;
    j->syncing = ok->result == roam_v1_SyncResult_DELTA;
}

static void judge_answer(struct judge *j)
{
    j->answers++;
    JUDGE(j->acks_unknown || j->answers <= j->commands); /* [SEND-2] */
}

static void judge_batch(struct judge *j, const struct roam_message *m)
{
    static uint8_t buf[1u << 20];
    struct roam_unpack unpack;
    JUDGE(roam_unpack_open(&unpack, m, ~0u, buf, sizeof buf) == ROAM_BATCH_OK);
    JUDGE(m->u.batch.count >= 2);
    judge_entries(j, m->u.batch.prev_version, m->u.batch.last_version,
                  m->u.batch.count);
}

static void judge_page(struct judge *j, const struct roam_message *m)
{
    static uint8_t buf[1u << 20];
    struct roam_unpack unpack;
    judge_answer(j);
    JUDGE(roam_unpack_open_page(&unpack, m, ROAM_PAGE_ROWS_MAX, ~0u, buf,
                                sizeof buf) == ROAM_BATCH_OK);
    if (m->type == ROAM_CONVERSATION_PAGE) {
        JUDGE(m->u.conversation_page.as_of >= j->cursor); /* [HIST-9] */
        JUDGE(m->u.conversation_page.count > 0 || !m->u.conversation_page.more);
    } else {
        JUDGE(m->u.history_page.count > 0 ||
              !m->u.history_page.more); /* [HIST-4] */
    }
}

static void judge_members(struct judge *j, const struct roam_message *m)
{
    const roam_v1_MemberPage *page = &m->u.member_page;
    judge_answer(j);
    JUDGE(roam_member_rows_good(m->body, page->count)); /* [GRP-17] */
    JUDGE(page->count > 0 || !page->more);              /* [GRP-20] */
    JUDGE(page->as_of >= j->cursor);                    /* [GRP-21] */
    JUDGE(page->count <= page->member_count + ROAM_APPLICANTS_MAX);
}

static void judge_sessions(struct judge *j, const struct roam_message *m)
{
    const roam_v1_SessionList *list = &m->u.session_list;
    judge_answer(j);
    JUDGE(roam_session_rows_good(m->body, list->count));
    JUDGE(list->count > 0 || !list->more); /* [DEV-3] */
    struct roam_slice rows = m->body;
    struct roam_session_row row;
    unsigned self = 0, last = 0;
    while (roam_session_row_next(&rows, &row)) {
        JUDGE(row.device_type > last);
        JUDGE(row.online || !row.self); /* [DEV-4] */
        last = row.device_type;
        self += row.self;
    }
    JUDGE(self <= 1);
}

static void judge_frame(struct judge *j, uint8_t type, struct roam_slice p)
{
    struct roam_message m;
    JUDGE(roam_frame_name(type) != NULL);
    JUDGE((type & ROAM_FRAME_FROM_SERVER) != 0);
    JUDGE(roam_message_decode(type, p, &m) == 0);
    JUDGE(!j->kicked); /* [KICK-4] */
    switch (type) {
    case ROAM_KICK:
        j->kicked = true;
        JUDGE((m.u.kick.error != 0) ==
              (m.u.kick.reason == roam_v1_KickReason_PROTOCOL_ERROR));
        break;
    case ROAM_LOGIN_OK:
        judge_login(j);
        break;
    case ROAM_SYNC_OK:
        judge_sync_ok(j, &m.u.sync_ok);
        break;
    case ROAM_PUSH:
        judge_entries(j, m.u.push.prev_version, m.u.push.version, 1);
        break;
    case ROAM_BATCH:
        judge_batch(j, &m);
        break;
    case ROAM_SEND_OK:
    case ROAM_ERROR:
    case ROAM_SESSION_ENDED:
        judge_answer(j);
        break;
    case ROAM_HISTORY_PAGE:
    case ROAM_CONVERSATION_PAGE:
        judge_page(j, &m);
        break;
    case ROAM_MEMBER_PAGE:
        judge_members(j, &m);
        break;
    case ROAM_SESSION_LIST:
        judge_sessions(j, &m);
        break;
    default:
        break;
    }
}

void judge_bytes(struct judge *j, struct roam_slice bytes)
{
    j->out = realloc(j->out, j->out_len + bytes.len);
    JUDGE(j->out != NULL);
    memcpy(j->out + j->out_len, bytes.data, bytes.len);
    j->out_len += bytes.len;
    size_t at = 0;
    while (j->out_len - at >= ROAM_FRAME_HEADER_BYTES) {
        const uint8_t *h = j->out + at;
        size_t len = (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
        if (j->out_len - at - ROAM_FRAME_HEADER_BYTES < len) {
            break;
        }
        struct roam_slice p = {h + ROAM_FRAME_HEADER_BYTES, len};
        judge_frame(j, h[0], p);
        at += ROAM_FRAME_HEADER_BYTES + len;
    }
    memmove(j->out, j->out + at, j->out_len - at);
    j->out_len -= at;
}

void judge_free(struct judge *j)
{
    free(j->out);
    j->out = NULL;
    j->out_len = 0;
}
