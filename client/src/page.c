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
#include "rows.h"
#include "utf8.h"

/* ---------------------------------------------------------------- request */

static bool conversation_ok(struct roam_bytes text, size_t min)
{
    return text.len >= min && text.len <= ROAM_CONVERSATION_MAX &&
           (text.len == 0 ||
            roam_utf8_valid((const char *)text.data, text.len));
}

/* Is the conversation named, or may it not be? */
static bool names_conversation(const struct roam__page *page)
{
    return page->type == ROAM_HISTORY || page->type == ROAM_MEMBERS ||
           (page->type == ROAM_CONVERSATIONS && page->before != 0);
}

static enum roam_status ask(struct roam__engine *e, struct roam__page *page,
                            struct roam_bytes conversation, uint32_t max_rows)
{
    if (!roam__in_session(e) || e->leaving || e->page.state != PAGE_NONE) {
        return ROAM_STATUS_BAD_STATE;
    }
    bool named = names_conversation(page);
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
    page->ask_at_ms = e->page.ask_at_ms; /* FLOW-4 */
    e->page = *page;
    return ROAM_STATUS_OK;
}

static const struct roam_bytes nothing = {NULL, 0};

static void begin(struct roam__engine *e, struct roam__page *page, uint8_t type,
                  uint64_t ref, uint64_t now_ms)
{
    roam__now(e, now_ms);
    memset(page, 0, sizeof *page);
    page->type = type;
    page->ref = ref;
}

enum roam_status roam_client_history(struct roam_client *c, uint64_t ref,
                                     struct roam_bytes conversation,
                                     uint64_t before, uint64_t after,
                                     bool operations_only, uint32_t max_rows,
                                     uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    struct roam__page page;
    begin(e, &page, ROAM_HISTORY, ref, now_ms);
    page.before = before;
    page.after = after;
    page.operations_only = operations_only;
    return ask(e, &page, conversation, max_rows);
}

enum roam_status roam_client_conversations(struct roam_client *c, uint64_t ref,
                                           uint64_t before,
                                           struct roam_bytes conversation,
                                           uint32_t max_rows, uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    struct roam__page page;
    begin(e, &page, ROAM_CONVERSATIONS, ref, now_ms);
    page.before = before;
    return ask(e, &page, conversation, max_rows);
}

enum roam_status roam_client_members(struct roam_client *c, uint64_t ref,
                                     struct roam_bytes conversation,
                                     struct roam_bytes after, uint32_t max_rows,
                                     uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    struct roam__page page;
    begin(e, &page, ROAM_MEMBERS, ref, now_ms);
    if (!conversation_ok(after, 0)) {
        return ROAM_STATUS_BAD_ARGUMENT;
    }
    page.user_len = (uint8_t)after.len;
    if (after.len > 0) {
        memcpy(page.user, after.data, after.len);
    }
    return ask(e, &page, conversation, max_rows);
}

enum roam_status roam_client_sessions(struct roam_client *c, uint64_t ref,
                                      uint32_t after, uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    struct roam__page page;
    begin(e, &page, ROAM_SESSIONS, ref, now_ms);
    if (after > ROAM_EMBEDDED) {
        return ROAM_STATUS_BAD_ARGUMENT;
    }
    page.after = after;
    return ask(e, &page, nothing, ROAM_SESSION_ROWS_MAX);
}

enum roam_status roam_client_end_session(struct roam_client *c, uint64_t ref,
                                         enum roam_device_type device_type,
                                         uint64_t generation, uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    struct roam__page page;
    begin(e, &page, ROAM_END_SESSION, ref, now_ms);
    if (device_type < ROAM_PHONE || device_type > ROAM_EMBEDDED ||
        generation == 0) {
        return ROAM_STATUS_BAD_ARGUMENT;
    }
    page.after = (uint64_t)device_type;
    page.before = generation;
    return ask(e, &page, nothing, 1);
}

bool roam__page_sendable(const struct roam__engine *e)
{
    return e->page.state == PAGE_DUE && e->commands < e->max_commands &&
           e->now_ms >= e->page.ask_at_ms;
}

bool roam__page_is_packed(const struct roam__engine *e)
{
    return e->page.type == ROAM_HISTORY || e->page.type == ROAM_CONVERSATIONS;
}

/* The texts have room for every legal value, and are zeroed. */
void roam__page_message(const struct roam__engine *e, struct roam_message *m)
{
    const struct roam__page *page = &e->page;
    roam_message_init(m, page->type);
    switch (page->type) {
    case ROAM_HISTORY:
        m->u.history.ref = page->ref;
        memcpy(m->u.history.conversation, page->conversation,
               page->conversation_len);
        m->u.history.before = page->before;
        m->u.history.after = page->after;
        m->u.history.max_rows = page->max_rows;
        m->u.history.operations_only = page->operations_only;
        break;
    case ROAM_CONVERSATIONS:
        m->u.conversations.ref = page->ref;
        memcpy(m->u.conversations.conversation, page->conversation,
               page->conversation_len);
        m->u.conversations.before = page->before;
        m->u.conversations.max_rows = page->max_rows;
        break;
    case ROAM_MEMBERS:
        m->u.members.ref = page->ref;
        memcpy(m->u.members.conversation, page->conversation,
               page->conversation_len);
        memcpy(m->u.members.after, page->user, page->user_len);
        m->u.members.max_rows = page->max_rows;
        break;
    case ROAM_SESSIONS:
        m->u.sessions.ref = page->ref;
        m->u.sessions.after = (roam_v1_DeviceType)page->after;
        break;
    default: /* ROAM_END_SESSION */
        m->u.end_session.ref = page->ref;
        m->u.end_session.device_type = (roam_v1_DeviceType)page->after;
        m->u.end_session.generation = page->before;
        break;
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

/* The request that a page or list answers, and its ref. */
static uint8_t answers(const struct roam_message *m, uint64_t *ref)
{
    switch (m->type) {
    case ROAM_HISTORY_PAGE:
        *ref = m->u.history_page.ref;
        return ROAM_HISTORY;
    case ROAM_CONVERSATION_PAGE:
        *ref = m->u.conversation_page.ref;
        return ROAM_CONVERSATIONS;
    case ROAM_MEMBER_PAGE:
        *ref = m->u.member_page.ref;
        return ROAM_MEMBERS;
    case ROAM_SESSION_LIST:
        *ref = m->u.session_list.ref;
        return ROAM_SESSIONS;
    default:
        *ref = m->u.session_ended.ref;
        return ROAM_END_SESSION;
    }
}

enum roam__on roam__page_answer(const struct roam__engine *e)
{
    uint64_t ref;
    uint8_t type = answers(&e->hand.message, &ref);
    if (e->page.state != PAGE_ASKED) {
        return ON_OTHER;
    }
    return ref == e->page.ref && type == e->page.type ? ON_PAGE : ON_PAGE_LIES;
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

/* HIST-1, HIST-14. Kinds of later versions may be history, too. */
static bool is_history(const struct roam__page *page, uint32_t kind)
{
    return kind != roam_v1_Kind_NOOP && kind != roam_v1_Kind_READ &&
           kind != roam_v1_Kind_DEVICE &&
           (kind != roam_v1_Kind_MESSAGE || !page->operations_only);
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
        if (!is_history(page, row.kind) ||
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

static enum roam__on take_page(struct roam__engine *e)
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
    e->page.count = e->hand.batch.count;
    return ON_NONE;
}

/* GRP-12: behind the user named. */
static bool members_ok(const struct roam__page *page,
                       const struct roam_message *m)
{
    struct roam_slice rows = m->body;
    struct roam_member_row first;
    uint32_t count = m->u.member_page.count;
    return count <= page->max_rows && roam_member_rows_good(m->body, count) &&
           (count == 0 || (roam_member_row_next(&rows, &first) &&
                           !below_text(first.user, (const uint8_t *)page->user,
                                       page->user_len) &&
                           !same_text(first.user, page->user, page->user_len)));
}

static bool sessions_ok(const struct roam__page *page,
                        const struct roam_message *m)
{
    struct roam_slice rows = m->body;
    struct roam_session_row first;
    uint32_t count = m->u.session_list.count;
    return roam_session_rows_good(m->body, count) &&
           (count == 0 || (roam_session_row_next(&rows, &first) &&
                           first.device_type > page->after));
}

/* Its rows stay where they are, in `rx`. */
static enum roam__on take_list(struct roam__engine *e)
{
    const struct roam_message *m = &e->hand.message;
    bool good = true;
    e->page.count = 0;
    e->page.more = false;
    e->page.rows = m->body;
    if (m->type == ROAM_MEMBER_PAGE) {
        good = members_ok(&e->page, m);
        e->page.count = m->u.member_page.count;
        e->page.more = m->u.member_page.more;
        e->page.as_of = m->u.member_page.as_of;
    } else if (m->type == ROAM_SESSION_LIST) {
        good = sessions_ok(&e->page, m);
        e->page.count = m->u.session_list.count;
        e->page.more = m->u.session_list.more;
    }
    return good ? ON_NONE : ON_PAGE_LIES;
}

enum roam__on roam__act_page(struct roam__engine *e)
{
    enum roam__on on = roam__page_is_packed(e) ? take_page(e) : take_list(e);
    if (on != ON_NONE) {
        return on;
    }
    if (e->page.more && e->page.count == 0) { /* HIST-4 */
        return ON_PAGE_LIES;
    }
    e->page.state = PAGE_TOLD;
    e->page.bad = false;
    e->page.left = e->page.count;
    e->commands--;
    e->owes |= OWES_PAGE_ROW;
    roam__page_row_told(e);
    return ON_NONE;
}

void roam__page_row_told(struct roam__engine *e)
{
    bool there = e->page.left != 0;
    if (there) {
        e->page.left--;
        there = !roam__page_is_packed(e) ||
                roam_unpack_next(&e->hand.batch, &e->entry);
    }
    if (!there) {
        e->owes &= (uint16_t)~OWES_PAGE_ROW;
        e->owes |= OWES_PAGE_END;
    }
}

static uint64_t unix_ms(uint64_t since_2020_ms)
{
    return since_2020_ms + ROAM_EPOCH_UNIX_MS;
}

/* The rows were looked through when the list came. */
void roam__list_tell(struct roam__engine *e, struct roam_event *event)
{
    struct roam_member_row member;
    struct roam_session_row session;
    if (e->page.type == ROAM_MEMBERS &&
        roam_member_row_next(&e->page.rows, &member)) {
        event->type = ROAM_EVENT_MEMBER;
        event->u.member.ref = e->page.ref;
        event->u.member.user = roam__bytes(member.user);
        event->u.member.name = roam__bytes(member.name);
        event->u.member.role = (enum roam_role)member.role;
        event->u.member.muted = member.muted;
        event->u.member.since_msg_id = member.since;
    } else if (e->page.type == ROAM_SESSIONS &&
               roam_session_row_next(&e->page.rows, &session)) {
        event->type = ROAM_EVENT_SESSION;
        event->u.session.ref = e->page.ref;
        event->u.session.device_type =
            (enum roam_device_type)session.device_type;
        event->u.session.device_name = roam__bytes(session.device_name);
        event->u.session.software = roam__bytes(session.software);
        event->u.session.since_ms = unix_ms(session.since_ms);
        event->u.session.last_seen_ms = unix_ms(session.last_seen_ms);
        event->u.session.online = session.online;
        event->u.session.self = session.self;
        event->u.session.generation = session.generation;
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
    e->page.ask_at_ms =
        e->now_ms + roam__delay_ms(retry_after_ms, &e->page.delays);
    return true;
}

void roam__page_lost(struct roam__engine *e)
{
    if (e->page.state == PAGE_DUE || e->page.state == PAGE_ASKED) {
        fail(e, 0);
    }
}
