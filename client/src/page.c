/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of history: the one request under way, and its answer.
 *
 * A page is unpacked like a batch, through the same buffer and `entry`, but
 * its rows are no entries: nothing here touches cursor, chain or ACK. Beyond
 * what any batch must obey, its rows have to lie in the range asked for, in
 * the order promised, so that a caller who pages on always gets further.
 * Spec: section 8.3. */
#include <string.h>

#include "engine.h"
#include "utf8.h"

/* ---------------------------------------------------------------- request */

static bool conversation_ok(struct roam_bytes text, size_t min)
{
    return text.len >= min && text.len <= ROAM_CONVERSATION_MAX &&
           (text.len == 0 ||
            roam_utf8_valid((const char *)text.data, text.len));
}

static enum roam_status ask(struct roam__engine *e, struct roam__page *page,
                            struct roam_bytes conversation, uint32_t max_rows)
{
    if (!roam__in_session(e) || e->leaving || e->page.state != PAGE_NONE) {
        return ROAM_STATUS_BAD_STATE;
    }
    bool named = page->type == ROAM_HISTORY || page->before != 0;
    if (page->ref == 0 || roam__outbox_find(e, page->ref) != NULL ||
        page->before > ROAM_VERSION_MAX || page->after > ROAM_VERSION_MAX ||
        max_rows < 1 || max_rows > ROAM_PAGE_ROWS_MAX ||
        !conversation_ok(conversation, named ? 1 : 0) ||
        (!named && conversation.len != 0)) {
        return ROAM_STATUS_BAD_ARGUMENT;
    }
    page->max_rows = (uint16_t)max_rows;
    page->conversation_len = (uint8_t)conversation.len;
    if (conversation.len > 0) {
        memcpy(page->conversation, conversation.data, conversation.len);
    }
    page->state = PAGE_DUE;
    page->bad = e->page.bad;
    e->page = *page;
    return ROAM_STATUS_OK;
}

enum roam_status roam_client_history(struct roam_client *c, uint64_t ref,
                                     struct roam_bytes conversation,
                                     uint64_t before, uint64_t after,
                                     uint32_t max_rows, uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    struct roam__page page;
    roam__now(e, now_ms);
    memset(&page, 0, sizeof page);
    page.type = ROAM_HISTORY;
    page.ref = ref;
    page.before = before;
    page.after = after;
    return ask(e, &page, conversation, max_rows);
}

enum roam_status roam_client_conversations(struct roam_client *c, uint64_t ref,
                                           uint64_t before,
                                           struct roam_bytes conversation,
                                           uint32_t max_rows, uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    struct roam__page page;
    roam__now(e, now_ms);
    memset(&page, 0, sizeof page);
    page.type = ROAM_CONVERSATIONS;
    page.ref = ref;
    page.before = before;
    return ask(e, &page, conversation, max_rows);
}

bool roam__page_sendable(const struct roam__engine *e)
{
    return e->page.state == PAGE_DUE && e->commands < e->max_commands &&
           e->now_ms >= e->page.ask_at_ms;
}

void roam__page_message(const struct roam__engine *e, struct roam_message *m)
{
    const struct roam__page *page = &e->page;
    roam_message_init(m, page->type);
    if (page->type == ROAM_HISTORY) {
        m->u.history.ref = page->ref;
        memcpy(m->u.history.conversation, page->conversation,
               page->conversation_len);
        m->u.history.before = page->before;
        m->u.history.after = page->after;
        m->u.history.max_rows = page->max_rows;
    } else {
        m->u.conversations.ref = page->ref;
        memcpy(m->u.conversations.conversation, page->conversation,
               page->conversation_len);
        m->u.conversations.before = page->before;
        m->u.conversations.max_rows = page->max_rows;
    }
}

void roam__page_asked(struct roam__engine *e, uint32_t codecs)
{
    e->page.state = PAGE_ASKED;
    e->page.codecs = (uint8_t)codecs;
    e->page.asked_ms = e->now_ms;
    e->commands++;
}

/* A page may stand in a queue behind batches on a slow line: while bytes
 * come, it is not overdue. */
uint64_t roam__page_due_ms(const struct roam__engine *e)
{
    if (e->page.state != PAGE_ASKED || e->leaving) {
        return ROAM__NEVER;
    }
    uint64_t since = e->page.asked_ms > e->rx_ms ? e->page.asked_ms : e->rx_ms;
    return since + e->config.answer_timeout_ms;
}

/* ----------------------------------------------------------------- answer */

enum roam__on roam__page_answer(const struct roam__engine *e)
{
    const struct roam_message *m = &e->hand.message;
    bool history = m->type == ROAM_HISTORY_PAGE;
    uint64_t ref = history ? m->u.history_page.ref : m->u.conversation_page.ref;
    if (e->page.state != PAGE_ASKED) {
        return ON_OTHER;
    }
    return ref == e->page.ref && history == (e->page.type == ROAM_HISTORY)
               ? ON_PAGE
               : ON_PAGE_LIES;
}

static bool same_text(struct roam_slice a, const char *b, size_t b_len)
{
    return a.len == b_len && memcmp(a.data, b, b_len) == 0;
}

static bool below_text(struct roam_slice a, const uint8_t *b, size_t b_len)
{
    size_t common = a.len < b_len ? a.len : b_len;
    int order = common > 0 ? memcmp(a.data, b, common) : 0;
    return order != 0 ? order < 0 : a.len < b_len;
}

/* HIST-1, HIST-2. */
static bool history_row_ok(const struct roam__page *page, uint64_t last,
                           const struct roam_entry *row)
{
    return row->msg_id > last && row->msg_id > page->after &&
           (page->before == 0 || row->msg_id < page->before) &&
           same_text(row->conversation, page->conversation,
                     page->conversation_len);
}

/* HIST-8: behind the row before, or behind the pair of the request. */
static bool conversation_row_ok(uint64_t last, const uint8_t *text,
                                size_t text_len, const struct roam_entry *row)
{
    return last == 0 || row->msg_id < last ||
           (row->msg_id == last &&
            below_text(row->conversation, text, text_len));
}

/* Looks through all rows before the first one is told: HIST-12. */
static bool rows_ok(const struct roam__page *page,
                    const struct roam_unpack *rows)
{
    struct roam_unpack trial = *rows;
    struct roam_entry row;
    bool history = page->type == ROAM_HISTORY;
    uint64_t last = history ? 0 : page->before;
    const uint8_t *text = (const uint8_t *)page->conversation;
    size_t text_len = page->conversation_len;
    while (roam_unpack_next(&trial, &row)) {
        if (row.kind != roam_v1_Kind_MESSAGE ||
            !(history ? history_row_ok(page, last, &row)
                      : conversation_row_ok(last, text, text_len, &row))) {
            return false;
        }
        last = row.msg_id;
        text = row.conversation.data;
        text_len = row.conversation.len;
    }
    return true;
}

enum roam__on roam__act_page(struct roam__engine *e)
{
    struct roam_message page = e->hand.message; /* its place is needed */
    bool history = page.type == ROAM_HISTORY_PAGE;
    if (roam_unpack_open_page(&e->hand.batch, &page, e->page.max_rows,
                              e->page.codecs, e->config.inflated,
                              e->config.inflated_bytes) != ROAM_BATCH_OK ||
        !rows_ok(&e->page, &e->hand.batch)) {
        return ON_PAGE_LIES;
    }
    e->page.more =
        history ? page.u.history_page.more : page.u.conversation_page.more;
    e->page.as_of = history ? 0 : page.u.conversation_page.as_of;
    if (e->page.more && e->hand.batch.count == 0) { /* HIST-4 */
        return ON_PAGE_LIES;
    }
    e->page.state = PAGE_TOLD;
    e->page.bad = false;
    e->commands--;
    e->owes |= OWES_PAGE_ROW;
    roam__page_row_told(e);
    return ON_NONE;
}

void roam__page_row_told(struct roam__engine *e)
{
    if (!roam_unpack_next(&e->hand.batch, &e->entry)) {
        e->owes &= (uint16_t)~OWES_PAGE_ROW;
        e->owes |= OWES_PAGE_END;
    }
}

/* As BATCH-9 has it for batches: the next request offers no codec. */
enum roam__on roam__act_page_lies(struct roam__engine *e)
{
    e->page.bad = true;
    roam__end(e, ROAM_STATUS_BATCH, RETURN_LATER, 0);
    return ON_NONE;
}

/* ---------------------------------------------------------------- failure */

static void fail(struct roam__engine *e, uint32_t code)
{
    e->page.state = PAGE_TOLD;
    e->page.code = code;
    e->owes |= OWES_PAGE_FAILED;
}

bool roam__page_refused(struct roam__engine *e, uint64_t ref, uint32_t code)
{
    if (e->page.state != PAGE_ASKED || e->page.ref != ref) {
        return false;
    }
    e->commands--;
    fail(e, code);
    return true;
}

bool roam__page_limited(struct roam__engine *e, uint64_t ref,
                        uint32_t retry_after_ms)
{
    if (e->page.state != PAGE_ASKED || e->page.ref != ref) {
        return false;
    }
    e->commands--;
    e->page.state = PAGE_DUE;
    e->page.ask_at_ms = e->now_ms + retry_after_ms;
    return true;
}

void roam__page_lost(struct roam__engine *e)
{
    if (e->page.state == PAGE_DUE || e->page.state == PAGE_ASKED) {
        fail(e, 0);
    }
}
