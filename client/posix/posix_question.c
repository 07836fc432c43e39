/* SPDX-License-Identifier: Apache-2.0 */
/* What the program asks of the server beside history: members, sessions. A
 * long answer comes in parts, of which the program sees the rows and the last
 * end. */
#include <string.h>

#include "driver.h"
#include "roam_limits.h"
#include "utf8.h"

/* --------------------------------------------------------------- asking */

static struct roam_bytes text_of(const char *text)
{
    struct roam_bytes b = {(const uint8_t *)text, strlen(text)};
    return b;
}

static enum roam_status ask(struct roam_posix *p)
{
    const struct roam__question *q = &p->question;
    uint64_t now = roam__posix_now_ms(p);
    switch (q->what) {
    case ASK_MEMBERS:
        return roam_client_members(&p->client, ++p->pages.ref,
                                   text_of(q->conversation), text_of(q->after),
                                   ROAM_PAGE_ROWS_MAX, now);
    case ASK_SESSIONS:
        return roam_client_sessions(&p->client, ++p->pages.ref,
                                    (uint32_t)q->device_type, now);
    case ASK_END_SESSION:
        return roam_client_end_session(&p->client, ++p->pages.ref,
                                       q->device_type, q->generation, now);
    case ASK_NOTHING:
        break;
    }
    return ROAM_STATUS_BAD_STATE;
}

bool roam__posix_ask_question(struct roam_posix *p)
{
    if (p->question.what != ASK_NOTHING && !p->question.under_way &&
        p->failure == ROAM_POSIX_STATUS_OK) {
        p->question.under_way = ask(p) == ROAM_STATUS_OK;
    }
    return p->question.under_way;
}

static enum roam_posix_status begin(struct roam_posix *p,
                                    const struct roam__question *q)
{
    if (p->question.what != ASK_NOTHING) {
        return ROAM_POSIX_STATUS_BAD_STATE;
    }
    p->question = *q;
    if (p->phase == OPEN) {
        roam__posix_ask(p);
        roam__posix_write(p);
    }
    return ROAM_POSIX_STATUS_OK;
}

/* --------------------------------------------------------------- answers */

static void take_member(struct roam__question *q, struct roam_bytes user)
{
    size_t n = user.len < sizeof q->after ? user.len : sizeof q->after - 1;
    memcpy(q->after, user.data, n);
    q->after[n] = '\0';
}

/* True: the program has its answer. */
static bool is_over(struct roam__question *q, const struct roam_event *e)
{
    q->under_way = false;
    return e->type == ROAM_EVENT_PAGE_END ? !e->u.page_end.more
                                          : e->u.page_failed.code != 0;
}

bool roam__posix_answer(struct roam_posix *p, const struct roam_event *e)
{
    struct roam__question *q = &p->question;
    if (!q->under_way || e->type == ROAM_EVENT_PAGE_ROW) {
        return false;
    }
    if (e->type == ROAM_EVENT_MEMBER) {
        take_member(q, e->u.member.user);
    } else if (e->type == ROAM_EVENT_SESSION) {
        q->device_type = e->u.session.device_type;
    } else if (is_over(q, e)) {
        q->what = ASK_NOTHING;
    } else {
        return true;
    }
    roam__posix_tell_engine(p, e);
    return true;
}

/* ---------------------------------------------------------------- public */

enum roam_posix_status roam_posix_members(struct roam_posix *p,
                                          const char *conversation)
{
    struct roam__question q = {.what = ASK_MEMBERS};
    size_t len = strlen(conversation);
    if (len < 1 || len >= sizeof q.conversation ||
        !roam_utf8_valid(conversation, len)) {
        return ROAM_POSIX_STATUS_BAD_ARGUMENT;
    }
    memcpy(q.conversation, conversation, len + 1);
    return begin(p, &q);
}

enum roam_posix_status roam_posix_sessions(struct roam_posix *p)
{
    const struct roam__question q = {.what = ASK_SESSIONS};
    return begin(p, &q);
}

enum roam_posix_status roam_posix_end_session(struct roam_posix *p,
                                              enum roam_device_type device_type,
                                              uint64_t generation)
{
    const struct roam__question q = {.what = ASK_END_SESSION,
                                     .device_type = device_type,
                                     .generation = generation};
    if (device_type < ROAM_PHONE || device_type > ROAM_EMBEDDED ||
        generation > ROAM_VERSION_MAX) {
        return ROAM_POSIX_STATUS_BAD_ARGUMENT;
    }
    return begin(p, &q);
}
