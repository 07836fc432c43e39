/* SPDX-License-Identifier: Apache-2.0 */
/* CONVERSATIONS: the newest message of each, as a page. Spec: section 8.3. */
#include "session.h"

#include <string.h>

#include "fault.h"

void roam__handle_conversations(struct roam_session *s,
                                const struct roam_message *m)
{
    const roam_v1_Conversations *asked = &m->u.conversations;
    struct roam__page_ask ask = {asked->ref, asked->max_inflated, asked->codecs,
                                 "", ""};
    memcpy(ask.conversation, asked->conversation, sizeof ask.conversation);
    struct roam_store_request *req =
        roam__page_new(s, ROAM_STORE_CONVERSATIONS, &ask);
    if (req == NULL) {
        return;
    }
    req->u.conversations.before = asked->before;
    req->u.conversations.oldest = roam__retention_oldest(s->core);
    req->u.conversations.max_count = asked->max_rows;
    roam__page_submit(s, req);
}

static void answer(struct roam_session *s, struct roam__page *page)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_CONVERSATION_PAGE);
    m.u.conversation_page.ref = page->ask->ref;
    m.u.conversation_page.as_of = roam__page_as_of(s, page->head);
    if (page->count > 1 && ROAM_FAULT("conversations-loses-row")) {
        page->rows[page->count - 2] = page->rows[page->count - 1];
        page->count--;
    }
    if (roam__page_pack(s, page, false, &m, &m.u.conversation_page.more)) {
        roam__session_queue(s, &m);
    }
}

void roam__conversations_done(struct roam_session *s,
                              struct roam_store_request *req)
{
    const struct roam_store_conversations *read = &req->u.conversations;
    struct roam__page page = {(const void *)req->memory,
                              read->head,
                              read->rows,
                              read->count,
                              read->more,
                              read->no_memory,
                              read->cost};
    if (roam__page_arrived(s, req, &page)) {
        answer(s, &page);
        roam__page_answered(s);
    }
}
