/* SPDX-License-Identifier: Apache-2.0 */
/* Pages: what HISTORY, CONVERSATIONS and MEMBERS share.
 *
 * A page is the largest answer there is, so a session has one in the store
 * at most, and only while its output is within its bound: the output exceeds
 * it by one page at most. Requests that wait cost their own size, and there
 * are max_commands of them.
 *
 * A page must not come from a state older than what this connection was told
 * before it [HIST-6], and the reader may be overtaken by commits. Entries are
 * no problem: none newer than the page's submission is sent until the page
 * is. Other answers (SEND_OK, PONG, SYNC_OK) are not held up; the newest
 * version that they tell of is `told`, and a page read from a state below it
 * is read again. Between two pages delivery has its turn, so that a client
 * that asks for page after page still gets its entries. */
#include "session.h"

#include <string.h>

#include "fault.h"

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* ---------------------------------------------------------------- requests */

static struct roam_store_request *make(struct roam_session *s,
                                       enum roam_store_kind kind,
                                       const struct roam__page_ask *ask)
{
    struct roam_store_request *req = roam__request_new(s, kind, sizeof *ask);
    if (req == NULL) {
        return NULL;
    }
    memcpy(req->memory, ask, sizeof *ask);
    const struct roam_slice conversation = {
        req->memory + offsetof(struct roam__page_ask, conversation),
        strlen(ask->conversation)};
    uint32_t body_limit =
        roam_body_limit(s->peer_max_frame, ask->max_inflated); /* [HIST-7] */
    size_t max_bytes = smaller(ask->max_inflated, s->core->config.max_inflated);
    max_bytes =
        max_bytes < ROAM__READ_MAX_BYTES ? max_bytes : ROAM__READ_MAX_BYTES;
    if (kind == ROAM_STORE_HISTORY) {
        req->u.history.user = s->identity.user;
        req->u.history.device = s->identity.device;
        req->u.history.conversation = conversation;
        req->u.history.max_bytes = max_bytes;
        req->u.history.body_limit = body_limit;
    } else if (kind == ROAM_STORE_MEMBERS) {
        req->u.members.user = s->identity.user;
        req->u.members.conversation = conversation;
        req->u.members.after = (struct roam_slice){
            req->memory + offsetof(struct roam__page_ask, after),
            strlen(ask->after)};
    } else {
        req->u.conversations.user = s->identity.user;
        req->u.conversations.device = s->identity.device;
        req->u.conversations.conversation = conversation;
        req->u.conversations.max_bytes = max_bytes;
        req->u.conversations.body_limit = body_limit;
    }
    return req;
}

struct roam_store_request *roam__page_new(struct roam_session *s,
                                          enum roam_store_kind kind,
                                          const struct roam__page_ask *ask)
{
    if (!roam__session_count_command(s)) { /* [HIST-10] */
        return NULL;
    }
    return roam__flow_page(s, ask->ref) ? make(s, kind, ask) : NULL;
}

void roam__page_submit(struct roam_session *s, struct roam_store_request *req)
{
    req->next = NULL;
    if (s->last_page != NULL) {
        s->last_page->next = req;
    } else {
        s->pages = req;
    }
    s->last_page = req;
    roam__pages_pump(s);
}

void roam__pages_pump(struct roam_session *s)
{
    struct roam_store_request *req = s->pages;
    if (req == NULL || s->paging || s->deaf || roam__session_is_full(s) ||
        !roam__turns_mine(s)) {
        return;
    }
    s->pages = req->next;
    s->last_page = s->pages == NULL ? NULL : s->last_page;
    s->paging = true;
    roam__request_submit(s, req);
}

void roam__pages_drop(struct roam_session *s)
{
    while (s->pages != NULL) {
        struct roam_store_request *req = s->pages;
        s->pages = req->next;
        roam_store_request_free(req);
    }
    s->last_page = NULL;
}

/* The same request once more, before those that wait. */
static void read_again(struct roam_session *s,
                       const struct roam_store_request *req,
                       const struct roam__page_ask *ask)
{
    struct roam_store_request *again = make(s, req->kind, ask);
    if (again == NULL) {
        return;
    }
    if (req->kind == ROAM_STORE_HISTORY) {
        again->u.history.before = req->u.history.before;
        again->u.history.after = req->u.history.after;
        again->u.history.oldest = req->u.history.oldest;
        again->u.history.max_count = req->u.history.max_count;
        again->u.history.operations_only = req->u.history.operations_only;
    } else if (req->kind == ROAM_STORE_MEMBERS) {
        again->u.members.max_count = req->u.members.max_count;
    } else {
        again->u.conversations.before = req->u.conversations.before;
        again->u.conversations.oldest = req->u.conversations.oldest;
        again->u.conversations.max_count = req->u.conversations.max_count;
    }
    again->next = s->pages;
    s->pages = again;
    s->last_page = s->last_page == NULL ? again : s->last_page;
    roam__pages_pump(s);
}

/* ----------------------------------------------------------------- answers */

bool roam__page_arrived(struct roam_session *s, struct roam_store_request *req,
                        const struct roam__page *page)
{
    s->paging = false;
    roam__flow_backlog_read(s, page->rows, page->count);
    roam__flow_page_found(s, page->cost);
    if (s->closed || s->deaf || !roam__session_is_live(s)) {
        return false;
    }
    if (page->no_memory) {
        roam__session_no_memory(s);
        return false;
    }
    if (page->head < s->told) { /* [HIST-6] */
        read_again(s, req, page->ask);
        return false;
    }
    return true;
}

uint64_t roam__page_as_of(const struct roam_session *s, uint64_t head)
{
    if (ROAM_FAULT("as-of-ahead")) {
        return head + 1;
    }
    return head < s->user->head ? head : s->user->head;
}

void roam__page_answered(struct roam_session *s)
{
    if (roam__session_is_live(s)) {
        roam__delivery_pump(s);
        roam__pages_pump(s);
    }
}

/* The client's limits and half the output, whichever is smaller [LIMIT-1];
 * but a row always fits, even if its body is longer than today's settings
 * say: the client's limits are what it was cut by. */
static struct roam_pack_limits limits_of(const struct roam_session *s,
                                         const struct roam__page *page)
{
    const struct roam_core_config *config = &s->core->config;
    size_t half = config->output_max_bytes / 2 - ROAM_FRAME_HEADER_BYTES;
    struct roam_pack_limits limits = {
        half < s->peer_max_frame ? (uint32_t)half : s->peer_max_frame,
        smaller(page->ask->max_inflated, config->max_inflated),
        page->ask->codecs};
    for (size_t i = 0; i < page->count; i++) {
        uint32_t need = (uint32_t)page->rows[i].body.len + ROAM_ENTRY_OVERHEAD;
        limits.max_frame = need > limits.max_frame ? need : limits.max_frame;
        limits.max_inflated =
            need > limits.max_inflated ? need : limits.max_inflated;
    }
    return limits;
}

static uint32_t inflated_of(const struct roam_message *m)
{
    return m->type == ROAM_HISTORY_PAGE ? m->u.history_page.inflated_size
                                        : m->u.conversation_page.inflated_size;
}

/* From the end, fewer and fewer rows are tried until all of them fit: as
 * many as fitted from where the last try began, and half of these at most
 * from the third try on. One row always fits. */
bool roam__page_pack(struct roam_session *s, const struct roam__page *page,
                     bool from_end, struct roam_message *m, bool *more)
{
    const struct roam_pack_limits limits = limits_of(s, page);
    size_t tried = page->count;
    size_t packed =
        roam_page_pack(s->core->packer, page->rows, tried, &limits, m);
    for (unsigned tries = 1; from_end && packed < tried; tries++) {
        tried = tries > 1 && packed > tried / 2 ? tried / 2 : packed;
        packed =
            roam_page_pack(s->core->packer, page->rows + (page->count - tried),
                           tried, &limits, m);
    }
    if (packed == SIZE_MAX) {
        roam__session_no_memory(s);
        return false;
    }
    s->core->stats.packed_bytes += inflated_of(m);
    *more = page->more || packed < page->count;
    return true;
}
