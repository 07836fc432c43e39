/* SPDX-License-Identifier: Apache-2.0 */
/* The timeline's entries: the chain, what is handed out, what is acked.
 *
 * `received` is the last entry handed out: the chain is checked against it.
 * `cursor` is the last one stored: SYNC names it. Between the two lie the
 * entries that the caller has and did not store yet; when a SYNC within a
 * session brings these again, they are dropped as old. An ACK never names
 * more than was seen in this delivery, or the server would take it for
 * ACK_AHEAD. Spec: sections 6 and 8. */
#include <string.h>

#include "engine.h"

/* ------------------------------------------------------------------ SYNC */

enum roam__on roam__sync_answer(const struct roam__engine *e)
{
    const roam_v1_SyncOk *ok = &e->hand.message.u.sync_ok;
    bool ahead = e->sync_cursor > ok->head;
    switch (ok->result) {
    case roam_v1_SyncResult_UP_TO_DATE: /* SYNC-2 */
        return ok->head == e->sync_cursor ? ON_SYNC_OK : ON_BROKEN;
    case roam_v1_SyncResult_DELTA: /* SYNC-3 */
        return e->sync_cursor < ok->head && ok->floor <= e->sync_cursor
                   ? ON_SYNC_OK
                   : ON_BROKEN;
    default: /* SYNC-4 */
        return ok->head != e->sync_cursor &&
                       ahead == (ok->reason == roam_v1_ResetReason_AHEAD)
                   ? ON_RESET
                   : ON_BROKEN;
    }
}

static void note_reached(struct roam__engine *e)
{
    if (e->unsynced && e->received >= e->sync_head) {
        e->unsynced = false;
        e->caught_up = true;
        e->owes |= OWES_SYNCED;
    }
}

/* What SYNC named, unless the server allows less: ACK-8. */
static uint32_t window_of(const struct roam__engine *e)
{
    uint32_t told = e->hand.message.u.sync_ok.max_unacked;
    uint32_t named = e->config.max_unacked;
    return told != 0 && told < named ? told : named;
}

/* A delivery starts behind this version, with nothing in flight. */
static void begin(struct roam__engine *e, uint64_t from)
{
    e->sync_head = e->hand.message.u.sync_ok.head;
    e->unsynced = true;
    e->delivered = from;
    e->acked = from;
    e->window = window_of(e);
    e->unacked = 0;
    e->fresh = 0;
    e->ack_due = false;
    e->ack_ms = ROAM__NEVER;
    e->ahead = 0;
    if (!e->leaving) { /* LOGOUT waits for its own answer */
        e->answer_ms = ROAM__NEVER;
    }
    note_reached(e);
}

enum roam__on roam__act_sync_ok(struct roam__engine *e)
{
    begin(e, e->sync_cursor);
    return ON_NONE;
}

enum roam__on roam__act_reset(struct roam__engine *e)
{
    e->reset_head = e->hand.message.u.sync_ok.head;
    e->reset_open = true;
    e->received = e->reset_head;
    e->bad_batches = 0;
    e->owes |= OWES_RESET;
    begin(e, e->reset_head);
    return ON_NONE;
}

static void sync_again(struct roam__engine *e)
{
    e->sync_due = true;
    if (!e->leaving) {
        e->answer_ms = e->now_ms + e->config.answer_timeout_ms;
    }
}

enum roam__on roam__act_gap(struct roam__engine *e)
{
    e->gap = true;
    sync_again(e);
    return ON_NONE;
}

enum roam__on roam__act_behind(struct roam__engine *e)
{
    e->behind = true;
    sync_again(e);
    return ON_NONE;
}

/* PING-3. Entries that are on their way, however slowly, are not lost: only
 * a stream that stood still since the last PONG is asked for again. Nor is
 * the server at fault while it waits for our ACK. */
enum roam__on roam__act_pong(struct roam__engine *e)
{
    uint64_t head = e->hand.message.u.pong.head;
    bool late = e->ahead != 0 && e->received < e->ahead && head >= e->ahead;
    if (e->state == ST_LIVE && late && e->received == e->ahead_from &&
        e->acked == e->delivered) {
        return e->behind ? ON_BEHIND_AGAIN : ON_BEHIND;
    }
    e->ahead = head > e->received ? head : 0;
    e->ahead_from = e->received;
    return ON_NONE;
}

/* --------------------------------------------------------------- entries */

static bool in_hand_is_push(const struct roam__engine *e)
{
    return e->hand.message.type == ROAM_PUSH;
}

static uint32_t in_hand_count(const struct roam__engine *e)
{
    return in_hand_is_push(e) ? 1 : e->hand.message.u.batch.count;
}

static enum roam__on gap(const struct roam__engine *e)
{
    return e->gap ? ON_GAP_AGAIN : ON_GAP;
}

/* A batch that starts at or below the last entry received and ends above it
 * is taken to fit; its rows tell. */
enum roam__on roam__meets(const struct roam__engine *e)
{
    const struct roam_message *m = &e->hand.message;
    bool push = in_hand_is_push(e);
    uint64_t prev = push ? m->u.push.prev_version : m->u.batch.prev_version;
    uint64_t last = push ? m->u.push.version : m->u.batch.last_version;
    if (e->state == ST_LIVE && last > e->delivered &&
        in_hand_count(e) > e->window - e->fresh) {
        return ON_OTHER; /* ACK-3: more in flight than we allowed */
    }
    if (last <= e->received) {
        return ON_OLD;
    }
    if (prev == e->received || (!push && prev < e->received)) {
        return ON_FITS;
    }
    return gap(e);
}

/* Entries up to this version came in this delivery. */
static void note_delivered(struct roam__engine *e, uint64_t version,
                           uint32_t count)
{
    if (version > e->delivered) {
        e->delivered = version;
        e->unacked += count;
        e->fresh += count;
    }
}

static struct roam_slice text_slice(const char *text)
{
    struct roam_slice s = {(const uint8_t *)text, strlen(text)};
    return s;
}

static void entry_from_push(struct roam__engine *e)
{
    const roam_v1_Push *push = &e->hand.message.u.push;
    e->entry.version = push->version;
    e->entry.prev_version = push->prev_version;
    e->entry.msg_id = push->msg_id;
    e->entry.client_msg_id = push->client_msg_id;
    e->entry.kind = (uint32_t)push->kind;
    e->entry.cut_size = push->cut_size;
    e->entry.recalled = push->recalled;
    e->entry.conversation = text_slice(push->conversation);
    e->entry.sender = text_slice(push->sender);
    e->entry.content_type = text_slice(push->content_type);
    e->entry.conversation_name = text_slice(push->conversation_name);
    e->entry.sender_name = text_slice(push->sender_name);
    e->entry.body = e->hand.message.body;
}

/* Puts the next row above `received` in place; none: the batch is over. */
static void next_row(struct roam__engine *e)
{
    while (e->unpacking) {
        e->unpacking = roam_unpack_next(&e->hand.batch, &e->entry);
        if (e->unpacking && e->entry.version > e->received) {
            return;
        }
        if (e->unpacking) {
            note_delivered(e, e->entry.version, 1);
        }
    }
}

/* BATCH-7: checks all of it before the first row is used. */
static bool open_batch(struct roam__engine *e)
{
    struct roam_message batch = e->hand.message; /* its place is needed */
    if (roam_unpack_open(&e->hand.batch, &batch, e->codecs, e->config.inflated,
                         e->config.inflated_bytes) != ROAM_BATCH_OK) {
        return false;
    }
    e->unpacking = true;
    next_row(e);
    return true;
}

enum roam__on roam__act_apply(struct roam__engine *e)
{
    if (in_hand_is_push(e)) {
        entry_from_push(e);
    } else if (!open_batch(e)) {
        return ON_LIES;
    } else if (e->entry.prev_version != e->received) {
        e->unpacking = false;
        return gap(e);
    }
    e->gap = false;
    e->behind = false;
    e->owes |= OWES_ENTRY;
    return ON_NONE;
}

/* CREATE alone goes to `#`, GRP-5; its body may be cut. */
static bool makes_group(const struct roam_outbox_item *item)
{
    return item->kind == ROAM_KIND_GROUP && item->conversation.len == 1 &&
           item->conversation.data[0] == '#';
}

void roam__entry_told(struct roam__engine *e)
{
    e->received = e->entry.version;
    note_delivered(e, e->entry.version, 1);
    note_reached(e);
    if (e->received > e->bad_at) {
        e->bad_batches = 0;
    }
    const struct roam_outbox_item *item =
        e->entry.client_msg_id == 0
            ? NULL
            : roam__outbox_find(e, e->entry.client_msg_id);
    if (item != NULL) { /* SEND-15 */
        e->done_id = e->entry.client_msg_id;
        e->done_msg_id = e->entry.msg_id;
        e->done_duplicate = true;
        e->done_conversation.len = 0;
        if (makes_group(item)) {
            e->done_conversation = e->entry.conversation;
        }
        e->owes |= OWES_SENT;
    }
    next_row(e);
    if (!e->unpacking) {
        e->owes &= (uint16_t)~OWES_ENTRY;
    }
}

/* BATCH-9: the first time behind a version, offer no codec; the second time
 * give up what lies there. */
enum roam__on roam__act_lies(struct roam__engine *e)
{
    bool again = e->bad_batches > 0 && e->bad_at == e->received;
    e->bad_batches = again ? 2 : 1;
    e->bad_at = e->received;
    roam__end(e, ROAM_STATUS_BATCH, RETURN_LATER, 0);
    return ON_NONE;
}

/* ------------------------------------------------------------------- ACK */

uint64_t roam__ack_version(const struct roam__engine *e)
{
    uint64_t version = e->cursor < e->delivered ? e->cursor : e->delivered;
    return version > e->acked && !e->reset_open ? version : 0;
}

void roam__acked(struct roam__engine *e, uint64_t version)
{
    e->acked = version;
    e->fresh = 0;
    /* How many of the rest lie behind `version` is not known when some do;
     * then the count stays too high, and the next ACK goes early. */
    if (version == e->delivered) {
        e->unacked = 0;
    }
    e->ack_due = false;
    e->ack_ms = ROAM__NEVER;
}

/* ACK-2, and ROAM_ACK_DELAY_MS for less than that. */
static void note_stored(struct roam__engine *e)
{
    if (roam__ack_version(e) == 0) {
        return;
    }
    if (e->unacked >= e->window / 2) {
        e->ack_due = true;
    } else if (e->ack_ms == ROAM__NEVER) {
        e->ack_ms = e->now_ms + ROAM_ACK_DELAY_MS;
    }
}

/* An old entry was stored before, or waits to be. */
enum roam__on roam__act_drop(struct roam__engine *e)
{
    const struct roam_message *m = &e->hand.message;
    note_delivered(
        e, in_hand_is_push(e) ? m->u.push.version : m->u.batch.last_version,
        in_hand_count(e));
    note_stored(e);
    return ON_NONE;
}

enum roam_status roam_client_stored(struct roam_client *c, uint64_t version,
                                    uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    roam__now(e, now_ms);
    uint64_t least = e->reset_open ? e->reset_head : e->cursor;
    if (version < least || version > e->received) {
        return ROAM_STATUS_BAD_ARGUMENT;
    }
    e->cursor = version;
    e->reset_open = false;
    note_stored(e);
    return ROAM_STATUS_OK;
}
