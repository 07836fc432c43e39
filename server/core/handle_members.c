/* SPDX-License-Identifier: Apache-2.0 */
/* MEMBERS: who is in a group, as a page. Spec: section 7.2. */
#include "session.h"

#include <string.h>

#include "alloc.h"
#include "fault.h"
#include "rows.h"

/* All of a MEMBER_PAGE but its rows, at most: eight fields, one a name. */
#define PAGE_OVERHEAD 128u

void roam__handle_members(struct roam_session *s, const struct roam_message *m)
{
    const roam_v1_Members *asked = &m->u.members;
    struct roam__page_ask ask = {asked->ref, 0, 0, "", ""};
    memcpy(ask.conversation, asked->conversation, sizeof ask.conversation);
    memcpy(ask.after, asked->after, sizeof ask.after);
    struct roam_store_request *req =
        roam__page_new(s, ROAM_STORE_MEMBERS, &ask);
    if (req == NULL) {
        return;
    }
    req->u.members.max_count = asked->max_rows;
    roam__page_submit(s, req);
}

/* How many bytes of rows go into the frame: what all fit that a page may
 * have, what half the output takes as with other pages, and the client's
 * limit. Two rows always fit. [GRP-20] */
static size_t room_for_rows(const struct roam_session *s)
{
    size_t half =
        s->core->config.output_max_bytes / 2 - ROAM_FRAME_HEADER_BYTES;
    size_t frame = half < s->peer_max_frame ? half : s->peer_max_frame;
    size_t most = (size_t)ROAM_PAGE_ROWS_MAX * ROAM_ROW_BYTES_MAX;
    return frame - PAGE_OVERHEAD < most ? frame - PAGE_OVERHEAD : most;
}

/* Writes the rows that fit into the core's scratch. False: s was ended. */
static bool put_rows(struct roam_session *s,
                     const struct roam_store_members *read,
                     struct roam_message *m)
{
    size_t room = room_for_rows(s);
    uint8_t *out = roam__core_scratch(s->core, room);
    if (out == NULL) {
        roam__session_no_memory(s);
        return false;
    }
    size_t used = 0;
    uint32_t count = 0;
    while (count < read->count) {
        size_t len =
            roam_member_row_put(&read->rows[count], out + used, room - used);
        if (len == 0) { /* full */
            break;
        }
        used += len;
        count++;
    }
    m->body = (struct roam_slice){out, used};
    m->u.member_page.count = count;
    m->u.member_page.more = read->more || count < read->count;
    return true;
}

static void answer(struct roam_session *s, const struct roam__page_ask *ask,
                   const struct roam_store_members *read)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_MEMBER_PAGE);
    roam_v1_MemberPage *page = &m.u.member_page;
    page->ref = ask->ref;
    page->as_of = roam__page_as_of(s, read->head);
    memcpy(page->name, read->name, sizeof page->name);
    page->join = (roam_v1_JoinMode)read->join;
    page->muted = read->muted;
    page->member_count = read->member_count;
    if (put_rows(s, read, &m)) {
        roam__session_queue(s, &m);
    }
}

/* Breaks an answer as a test asks for. */
static void spoil(struct roam_store_members *read)
{
    if (read->count > 1 && ROAM_FAULT("members-loses-row")) {
        read->rows[read->count - 2] = read->rows[read->count - 1];
        read->count--;
    }
    if (ROAM_FAULT("members-more-wrong")) {
        read->more = !read->more;
    }
}

void roam__members_done(struct roam_session *s, struct roam_store_request *req)
{
    struct roam_store_members *read = &req->u.members;
    struct roam__page page = {.ask = (const void *)req->memory,
                              .head = read->head,
                              .no_memory = read->no_memory};
    if (!roam__page_arrived(s, req, &page)) {
        return;
    }
    if (read->found) {
        spoil(read);
        answer(s, page.ask, read);
    } else { /* [GRP-19] */
        roam__session_answer_error(s, page.ask->ref,
                                   roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    }
    roam__page_answered(s);
}
