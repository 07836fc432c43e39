/* SPDX-License-Identifier: Apache-2.0 */
/* HISTORY: messages of one conversation, as a page. Spec: section 8.3. */
#include "session.h"

#include <string.h>

#include "fault.h"

void roam__handle_history(struct roam_session *s, const struct roam_message *m)
{
    const roam_v1_History *history = &m->u.history;
    struct roam__page_ask ask = {history->ref, history->max_inflated,
                                 history->codecs, "", ""};
    memcpy(ask.conversation, history->conversation, sizeof ask.conversation);
    if (ROAM_FAULT("history-foreign-conversation")) {
        memcpy(ask.conversation, s->user_name, sizeof ask.conversation);
    }
    struct roam_store_request *req =
        roam__page_new(s, ROAM_STORE_HISTORY, &ask);
    if (req == NULL) {
        return;
    }
    req->u.history.before = history->before;
    req->u.history.after = history->after;
    req->u.history.oldest = roam__retention_oldest(s->core);
    req->u.history.max_count = history->max_rows;
    req->u.history.operations_only = history->operations_only;
    roam__page_submit(s, req);
}

/* Breaks a page as a test asks for. */
static void spoil(struct roam__page *page)
{
    size_t last = page->count - 1;
    if (page->count > 1 && ROAM_FAULT("history-unordered")) {
        struct roam_entry first = page->rows[0];
        page->rows[0] = page->rows[last];
        page->rows[last] = first;
    }
    if (page->count > 1 && ROAM_FAULT("history-loses-row")) {
        page->rows[last - 1] = page->rows[last];
        page->count--;
    }
}

static void answer(struct roam_session *s, struct roam__page *page,
                   bool from_end)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_HISTORY_PAGE);
    m.u.history_page.ref = page->ask->ref;
    spoil(page);
    if (!roam__page_pack(s, page, from_end, &m, &m.u.history_page.more)) {
        return;
    }
    if (ROAM_FAULT("history-more-wrong")) {
        m.u.history_page.more = !m.u.history_page.more;
    }
    roam__session_queue(s, &m);
}

void roam__history_done(struct roam_session *s, struct roam_store_request *req)
{
    const struct roam_store_history *history = &req->u.history;
    struct roam__page page = {(const void *)req->memory,
                              history->head,
                              history->rows,
                              history->count,
                              history->more,
                              history->no_memory,
                              history->cost};
    if (!roam__page_arrived(s, req, &page)) {
        return;
    }
    if (history->found) { /* [HIST-1]: the newest, or the oldest */
        answer(s, &page, history->before != 0 || history->after == 0);
    } else {
        roam__session_answer_error(s, page.ask->ref,
                                   roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    }
    roam__page_answered(s);
}
