/* SPDX-License-Identifier: Apache-2.0 */
/* The shadow: what a client that follows the spec makes of what it is
 * served. It decides which entries events must tell, where the cursor is,
 * and whether the client has any other choice than to close. Its words are
 * those of the client's state table, section 10.2. */
#include <string.h>

#include "batch_check.h"
#include "client_case.h"
#include "schema.h"

/* Above every code of this version and the next ones. */
#define LATER_REASON 64u
#define LATER_RETRY 8u

/* A real server's frames have passed the judges of servers before they come
 * here; what only the shadow sees is that server's fault all the same. */
static bool mistake(struct stage *g, const char *what)
{
    if (g->is_pair) {
        return world_fail(&g->world, NULL, what, "what an honest server sends",
                          NULL);
    }
    return world_mistake(
        &g->world,
        arena_printf("the harness serves a broken frame without `lie`: %s",
                     what));
}

static void must_end(struct conn *c, const char *rule)
{
    if (!c->must_end) {
        c->must_end = rule;
    }
}

/* ---------------------------------------------------------------- entries */

static void tell(struct sut *s, const Roam__V1__Push *p, struct frame *frame)
{
    if (p->kind == ROAM__V1__KIND__NOOP) {
        return;
    }
    arena_grow((void **)&s->told, s->told_count, &s->told_cap, sizeof *s->told);
    s->told[s->told_count++] = (struct row){.push = p, .frame = frame};
}

/* [SEND-15]: an own entry answers its SEND. */
static void answered_by_entry(struct sut *s, uint64_t client_msg_id)
{
    struct client_send *sent = client_find_send(s, client_msg_id);
    if (client_msg_id && sent) {
        sent->is_done = true;
        sent->by_entry = true;
    }
}

static void fly(struct conn *c, uint64_t version)
{
    arena_grow((void **)&c->flight, c->flight_count, &c->flight_cap,
               sizeof *c->flight);
    c->flight[c->flight_count++] = version;
    c->last_sent = version > c->last_sent ? version : c->last_sent;
}

/* False: a gap, and what lies behind it is dropped. */
static bool take_entry(struct conn *c, const Roam__V1__Push *p,
                       struct frame *frame)
{
    struct sut *s = c->subject;
    if (p->version <= s->applied) {
        return true; /* CHAIN-5 */
    }
    if (p->prev_version != s->applied) { /* CHAIN-6 */
        s->gaps++;
        if (s->gaps == 1) {
            s->owes_sync = true;
        } else {
            must_end(c, "CHAIN-6");
        }
        return false;
    }
    s->gaps = 0;
    s->by_reset = false;
    s->applied = p->version;
    s->cursor = s->manual ? s->cursor : p->version;
    tell(s, p, frame);
    answered_by_entry(s, p->client_msg_id);
    return true;
}

static void take_entries(struct conn *c, Roam__V1__Push *const *rows,
                         size_t count, struct frame *frame)
{
    struct sut *s = c->subject;
    bool fits = true;
    for (size_t i = 0; i < count; i++) {
        fly(c, rows[i]->version);
        s->head = rows[i]->version > s->head ? rows[i]->version : s->head;
    }
    if (c->flight_count > c->window) {
        must_end(c, "ACK-3");
        return;
    }
    s->overlapped = rows[0]->prev_version < s->applied &&
                    rows[count - 1]->version > s->applied;
    for (size_t i = 0; fits && i < count; i++) {
        fits = take_entry(c, rows[i], frame);
    }
}

void shadow_stored(struct sut *s, uint64_t version)
{
    s->cursor = version > s->cursor ? version : s->cursor;
}

/* [BATCH-9] */
static void reject_batch(struct sut *s)
{
    s->bad_batches = s->bad_cursor == s->cursor ? s->bad_batches + 1 : 1;
    s->bad_cursor = s->cursor;
}

static bool drops_entries(const struct conn *c)
{
    return c->sync_open || c->subject->owes_sync || !c->is_delivering;
}

static bool has_later_kind(const struct sut *s)
{
    for (size_t i = 0; i < s->packed_count; i++) {
        if (s->packed[i]->kind >= LATER_KIND) {
            return true;
        }
    }
    return false;
}

/* What is wrong with a batch by the checker that judges servers; NULL:
 * nothing. It does not know kinds of later versions. */
static const char *batch_fault(const struct conn *c, const struct frame *f,
                               struct batch_rows *rows)
{
    struct batch_fault fault = {NULL, "no SYNC before"};
    const Roam__V1__Sync *sync = c->active;
    bool ok =
        has_later_kind(c->subject) ||
        (sync && batch_expand((const Roam__V1__Batch *)f->msg,
                              sync->max_inflated, sync->codecs, rows, &fault));
    return ok ? NULL : fault.what;
}

static uint64_t last_version(const struct frame *f)
{
    return f->number == F_PUSH
               ? ((const Roam__V1__Push *)f->msg)->version
               : ((const Roam__V1__Batch *)f->msg)->last_version;
}

static bool deliver(struct stage *g, struct conn *c, struct frame *f)
{
    Roam__V1__Push *push = (Roam__V1__Push *)f->msg;
    if (c->state != CONN_SESSION) {
        return mistake(g, "entries without a session");
    }
    if (drops_entries(c)) { /* SYNC-8, whatever is in it */
        c->subject->head = last_version(f);
        return true;
    }
    if (f->number == F_PUSH) {
        take_entries(c, &push, 1, f);
        return true;
    }
    struct batch_rows rows = {NULL, NULL, 0};
    const char *fault = batch_fault(c, f, &rows);
    if (fault) {
        return mistake(g, fault);
    }
    if (g->is_pair) {
        take_entries(c, rows.at, rows.count, f);
    } else {
        take_entries(c, c->subject->packed, c->subject->packed_count, f);
    }
    return true;
}

/* ------------------------------------------------------------ other frames */

static void granted(struct conn *c, const Roam__V1__LoginOk *m)
{
    struct sut *s = c->subject;
    c->state = CONN_SESSION;
    c->max_frame = m->max_frame;
    c->max_commands = m->max_commands;
    s->generation = m->generation;
    s->floor = m->floor;
    s->dedup_ms = m->dedup_ms;
    s->stay_out = NULL;
    s->free_repeat = false;
    for (size_t i = 0; i < s->send_count; i++) {
        s->sends[i].delays = 0; /* [FLOW-14]: of a session */
    }
}

static void refused(struct stage *g, struct conn *c, const Roam__V1__Refused *m)
{
    struct sut *s = c->subject;
    c->state = CONN_OPEN;
    c->sync_open = false; /* LOGIN-6 */
    s->generation = m->generation ? m->generation : s->generation;
    s->free_repeat = false;
    s->login_from_ms = g->now_ms + m->retry_after_ms; /* FLOW-6 */
    switch ((int)m->reason) {
    case ROAM__V1__REFUSED_REASON__STALE:
        s->must_change_id = true;
        break;
    case ROAM__V1__REFUSED_REASON__FREE:
        s->free_repeat = s->by_person;
        s->stay_out = "LOGIN-18";
        break;
    case ROAM__V1__REFUSED_REASON__OCCUPIED:
    case ROAM__V1__REFUSED_REASON__KICKED:
        s->stay_out = "LOGIN-18";
        break;
    default:
        s->stay_out = m->retry == ROAM__V1__RETRY__NEVER ||
                              m->retry == ROAM__V1__RETRY__REAUTHENTICATE
                          ? "KICK-11"
                          : NULL;
        break;
    }
}

static void kicked(struct conn *c, const Roam__V1__Kick *m)
{
    struct sut *s = c->subject;
    c->state = CONN_ENDING;
    must_end(c, "FRAME-14");
    bool by_reason = m->reason == ROAM__V1__KICK_REASON__TAKEN_OVER ||
                     m->reason == ROAM__V1__KICK_REASON__SUPERSEDED ||
                     m->reason == ROAM__V1__KICK_REASON__LOGGED_OUT;
    if (by_reason) {
        s->stay_out = "KICK-7";
    } else if (m->retry == ROAM__V1__RETRY__NEVER ||
               m->retry == ROAM__V1__RETRY__REAUTHENTICATE) {
        s->stay_out = "KICK-11";
    }
}

/* [SYNC-2] to [SYNC-4], as far as a client can tell. */
static bool sync_ok_fits(const struct conn *c, const Roam__V1__SyncOk *m)
{
    uint64_t cursor = c->sync->cursor;
    switch ((int)m->result) {
    case ROAM__V1__SYNC_RESULT__UP_TO_DATE:
        return cursor == m->head;
    case ROAM__V1__SYNC_RESULT__DELTA:
        return cursor < m->head && m->floor <= cursor;
    default:
        return (m->reason == ROAM__V1__RESET_REASON__AHEAD) ==
               (cursor > m->head);
    }
}

static void synced(struct conn *c, const Roam__V1__SyncOk *m)
{
    struct sut *s = c->subject;
    uint64_t start = c->sync->cursor;
    bool reset = m->result == ROAM__V1__SYNC_RESULT__RESET;
    /* Within a connection a client remembers what it handed out and the
     * program did not store; across connections it does not. */
    bool anew = reset || !c->is_delivering;
    c->sync_open = false;
    c->is_delivering = true;
    c->active = c->sync;
    c->window = m->max_unacked ? m->max_unacked : c->sync->max_unacked;
    s->by_reset = reset;
    if (reset) { /* SYNC-9 */
        start = m->head;
        s->cursor = m->head;
    }
    s->applied = anew || s->applied < start ? start : s->applied;
    s->head = m->head;
    c->acked = start;
    c->last_sent = start;
    c->flight_count = 0;
}

static void command_answered(struct conn *c, uint64_t id, bool is_send)
{
    for (size_t i = 0; i < c->command_count; i++) {
        if (c->open_commands[i] == id) {
            memmove(c->open_commands + i, c->open_commands + i + 1,
                    (c->command_count - i - 1) * sizeof *c->open_commands);
            c->command_count--;
            break;
        }
    }
    struct client_send *sent = client_find_send(c->subject, id);
    if (is_send && sent) {
        sent->is_done = true;
    }
}

/* After which a command comes again that was told no time. [FLOW-14] */
#define AGAIN_FIRST_MS 1000u
#define AGAIN_MAX_MS 60000u

static uint32_t again_ms(struct client_send *sent)
{
    uint32_t ms = AGAIN_FIRST_MS << sent->delays;
    sent->delays += ms < AGAIN_MAX_MS;
    return ms < AGAIN_MAX_MS ? ms : AGAIN_MAX_MS;
}

/* [FLOW-4]: RATE_LIMITED is no answer but a delay, and so is a code that is not
 * known, if its class says so. */
static void refuse_command(struct stage *g, struct conn *c,
                           const Roam__V1__Error *m)
{
    struct sut *s = c->subject;
    bool later = m->retry != ROAM__V1__RETRY__REAUTHENTICATE &&
                 m->retry != ROAM__V1__RETRY__NEVER; /* [CODE-1] */
    command_answered(c, m->ref, !later);
    struct client_send *sent = client_find_send(s, m->ref);
    if (later && sent) {
        sent->last_conn = NULL; /* it may go out again on this one */
        c->is_limited = true;   /* when all others are answered */
        s->is_told_when = m->retry_after_ms != 0;
        s->sends_from_ms =
            g->now_ms + (s->is_told_when ? m->retry_after_ms : again_ms(sent));
    }
}

/* Whether the state allows the frame at all. */
static bool is_expected(const struct conn *c, uint8_t number)
{
    switch (number) {
    case F_LOGIN_OK:
    case F_REFUSED:
        return c->state == CONN_LOGIN;
    case F_SYNC_OK:
        return c->state == CONN_SESSION && c->sync_open;
    case F_KICK:
        return c->state != CONN_ENDING;
    default:
        return c->state == CONN_SESSION;
    }
}

static bool take(struct stage *g, struct conn *c, const struct frame *f)
{
    switch (f->number) {
    case F_LOGIN_OK:
        granted(c, (const Roam__V1__LoginOk *)f->msg);
        return true;
    case F_REFUSED:
        refused(g, c, (const Roam__V1__Refused *)f->msg);
        return true;
    case F_KICK:
        kicked(c, (const Roam__V1__Kick *)f->msg);
        return true;
    case F_SYNC_OK:
        if (!sync_ok_fits(c, (const Roam__V1__SyncOk *)f->msg)) {
            return mistake(g, "SYNC_OK does not fit the SYNC");
        }
        if (((const Roam__V1__SyncOk *)f->msg)->max_unacked >
            c->sync->max_unacked) {
            return mistake(g, "a window above that of SYNC: LIMIT-1");
        }
        synced(c, (const Roam__V1__SyncOk *)f->msg);
        return true;
    case F_SEND_OK:
        command_answered(c, ((const Roam__V1__SendOk *)f->msg)->client_msg_id,
                         true);
        return true;
    case F_ERROR:
        refuse_command(g, c, (const Roam__V1__Error *)f->msg);
        return true;
    case F_HISTORY_PAGE:
        c->subject->pages_served = true;
        command_answered(c, ((const Roam__V1__HistoryPage *)f->msg)->ref,
                         false);
        return true;
    case F_CONVERSATION_PAGE:
        command_answered(c, ((const Roam__V1__ConversationPage *)f->msg)->ref,
                         false);
        return true;
    default:
        return true;
    }
}

static uint64_t number_in(const struct frame *f, const char *field)
{
    struct value v = value_number(0);
    field_get(f->msg, field, &v);
    return v.number;
}

/* A code that this version does not have, of frames where [CODE-1] says
 * what a client makes of it. */
static bool has_later_code(const struct frame *f)
{
    switch (f->number) {
    case F_KICK:
    case F_REFUSED:
        return number_in(f, "reason") >= LATER_REASON ||
               number_in(f, "retry") >= LATER_RETRY;
    case F_ERROR:
        return number_in(f, "code") >= LATER_REASON;
    default:
        return false;
    }
}

static bool take_lie(struct conn *c, const struct frame *f, const char *lie)
{
    bool is_batch = f->number == F_BATCH && !drops_entries(c);
    must_end(c, lie);
    if (is_batch && c->state == CONN_SESSION) {
        reject_batch(c->subject);
    }
    return true;
}

bool shadow_served(struct stage *g, struct conn *c, struct frame *f,
                   const char *lie)
{
    if (c->must_end) {
        return true; /* nothing counts any more */
    }
    if (lie) {
        return take_lie(c, f, lie);
    }
    if (!f->type) {
        return (f->number & 0x80) != 0 || mistake(g, "an unknown type");
    }
    if (!f->type->from_server || !f->msg) {
        return mistake(g, "no frame of a server");
    }
    struct schema_fault fault;
    if (!schema_check(f, &fault) && !has_later_code(f)) {
        return mistake(g, fault.what);
    }
    if (f->number == F_PUSH || f->number == F_BATCH) {
        return deliver(g, c, f);
    }
    return is_expected(c, f->number) ? take(g, c, f)
                                     : mistake(g, "the state forbids it");
}
