/* SPDX-License-Identifier: Apache-2.0 */
/* Judges of sessions: login, sync, endings. See judge.h. */
#include "judge.h"

#include <inttypes.h>
#include <string.h>

#include "schema.h"

/* What a server may send while no LOGIN has named a limit. */
#define UNNAMED_MAX_FRAME 512u

const struct judge_rule judge_rules[] = {
    {"FRAME-1", "every frame decodes, each field once"},
    {"FRAME-5", "no frame is longer than LOGIN.max_frame"},
    {"TLS-1", "over TLS: roam/1 is agreed on"},
    {"TLS-2", "over TLS: the suite has forward secrecy and AEAD"},
    {"TLS-5", "over TLS: no record is longer than LOGIN.max_frame"},
    {"FRAME-13", "`error` is there with PROTOCOL_ERROR, and only then"},
    {"FRAME-16", "every message keeps the bounds of section 4"},
    {"LOGIN-5", "no answer without its LOGIN, none of SYNC before it"},
    {"LOGIN-8", "CREDENTIAL tells neither generation nor holder"},
    {"LOGIN-9", "nor do TOKEN_EXPIRED and TYPE_FORBIDDEN"},
    {"LOGIN-14", "refusals about the slot tell generation and holder"},
    {"LOGIN-15", "no generation of a slot is given to two devices, and none "
                 "again after LOGOUT"},
    {"LOGIN-16", "likewise: who wins is decided once"},
    {"KICK-1", "TAKEN_OVER names generation and holder"},
    {"KICK-3", "TAKEN_OVER and SUPERSEDED only after a LOGIN for the slot"},
    {"KICK-4", "no frame after KICK, and the connection closed behind it"},
    {"KICK-5", "no command carried out for a session that lost its slot"},
    {"KICK-6", "the retry class of each reason"},
    {"SEND-22", "the retry class of each code"},
    {"KICK-9", "LOGGED_OUT only answers LOGOUT"},
    {"DEV-3", "sessions of the types asked for, and no empty list while there "
              "are more"},
    {"DEV-4", "who asks is online, and told from the others"},
    {"DEV-5", "END_SESSION has no other errors"},
    {"DEV-6", "SESSION_ENDED only answers END_SESSION"},
    {"DEV-8", "no more entries tell of devices than a user has others"},
    {"DEV-9", "an entry that tells of a device has the content of a LOGIN"},
    {"SYNC-1", "no entry before the first SYNC_OK"},
    {"SYNC-2", "UP_TO_DATE exactly when the cursor is the head"},
    {"SYNC-3", "DELTA only for a cursor below the head"},
    {"SYNC-4", "RESET with the reason that fits the cursor"},
    {"SYNC-5", "the first entry follows the cursor, or the head of RESET"},
    {"CHAIN-1", "an entry has one prev_version for all devices"},
    {"CHAIN-2", "a version has one content for all devices, for ever"},
    {"CHAIN-3", "each entry follows the one before it, without a gap"},
    {"PUSH-1", "what SEND_OK answered is on both timelines"},
    {"PUSH-2", "the session that sent gets a NOOP"},
    {"PUSH-3", "a message has one entry on a timeline"},
    {"PUSH-4", "client_msg_id only in this device's own entries"},
    {"PUSH-6", "content, sender and conversation as sent"},
    {"OP-3", "what was recalled before a delivery or a page was asked for "
             "comes recalled, nothing else does"},
    {"OP-5", "a READ that was replaced before is a NOOP"},
    {"OP-11", "DELETE and READ reach nobody but their sender"},
    {"ACK-3", "never more in flight than max_unacked"},
    {"SEND-2", "one answer for each SEND, none for others"},
    {"SEND-11", "no more than max_commands commands are unanswered together"},
    {"SEND-4", "a repeated SEND gets the first msg_id and `duplicate`"},
    {"SEND-6", "one msg_id for one message, rising in its conversation"},
    {"BATCH-1", "every batch unpacks, column by column"},
    {"BATCH-2", "inflated_size and codec as SYNC named them"},
    {"BATCH-3", "a batch holds what PUSHes would"},
    {"BATCH-4", "bodies are cut exactly above the limit"},
    {"BATCH-5", "deflate streams are whole"},
    {"BATCH-10", "no table is longer than the batch has rows"},
    {"HIST-1", "rows are of the conversation and range asked for, none of "
               "which this connection was told is left out"},
    {"HIST-2", "rows of a page rise"},
    {"HIST-3", "`more` when a message that was told is left out"},
    {"HIST-4", "no empty page while there is more"},
    {"HIST-5", "no page and no other error for what does not exist"},
    {"HIST-6", "pages hold what entries and answers told before them"},
    {"HIST-7", "rows have the content that was sent, and only this device's "
               "own client_msg_ids"},
    {"HIST-8", "one row for each conversation, the newest message, in order"},
    {"HIST-9", "as_of is no lower than the entries before and no higher than "
               "the next PONG's head"},
    {"HIST-10", "pages asked for count among them"},
    {"GRP-22", "members asked for count among them"},
    {"DEV-11", "SESSIONS and END_SESSION count among them"},
    {"OP-1", "an operation has a msg_id of its own"},
    {"GRP-13", "entries of a group reach its members and nobody else"},
    {"GRP-14", "alike for each of them"},
    {"GRP-15", "rows of a group are those of the user's spans"},
    {"GRP-17", "who is in a group is in its pages, as what they are"},
    {"GRP-19", "no members are told to strangers"},
    {"GRP-20", "no empty page while there are members"},
    {"GRP-21", "as_of of a MEMBER_PAGE is no lower than entries before"},
    {"HIST-14", "no message in a page of operations"},
    {"LIMIT-1", "max_rows and max_inflated of a page"},
    {"PING-1", "PONG tells the id of a PING"},
    {"PING-2", "PONG's head is not below an entry seen before its PING whose "
               "SEND_OK had come"},
};
const size_t judge_rule_count = sizeof judge_rules / sizeof judge_rules[0];

void judge_add_item(struct link *l, struct frame *f, enum lane lane)
{
    arena_grow((void **)&l->items, l->item_count, &l->item_cap,
               sizeof *l->items);
    l->items[l->item_count++] = (struct item){.frame = f, .lane = lane};
}

/* ------------------------------------------------------------------- sent */

static void note_login(struct world *w, struct link *l,
                       const Roam__V1__Login *m)
{
    arena_grow((void **)&l->logins, l->login_count, &l->login_cap,
               sizeof *l->logins);
    l->logins[l->login_count++] = (struct login_sent){
        .installation = l->device->installation, .take_over = m->take_over};
    l->max_frame = m->max_frame;
    judge_note_caller(w, l, m);
}

static void note_sync(struct link *l, const Roam__V1__Sync *m, uint64_t order)
{
    if (!l->is_live && l->login_count == 0) {
        return; /* it will be dropped, or it is the offence */
    }
    l->sync = (struct sync_sent){.order = order,
                                 .cursor = m->cursor,
                                 .max_entries = m->max_entries,
                                 .max_unacked = m->max_unacked,
                                 .max_inflated = m->max_inflated,
                                 .codecs = m->codecs};
    l->syncs_open++;
}

static void note_ping(const struct world *w, struct link *l,
                      const Roam__V1__Ping *m, bool is_fence)
{
    arena_grow((void **)&l->pings, l->ping_count, &l->ping_cap,
               sizeof *l->pings);
    l->pings[l->ping_count++] = (struct ping_sent){
        .id = m->id,
        .least_head = judge_answered_head(w, l->device->user),
        .is_fence = is_fence};
}

void judge_sent(struct world *w, struct link *l, const struct frame_type *type,
                const ProtobufCMessage *m, bool is_fence)
{
    switch (type->number) {
    case F_LOGIN:
        note_login(w, l, (const Roam__V1__Login *)m);
        break;
    case F_SYNC:
        note_sync(l, (const Roam__V1__Sync *)m, w->event_count);
        break;
    case F_ACK:
        judge_note_ack(l, ((const Roam__V1__Ack *)m)->version);
        break;
    case F_SEND:
        judge_note_send(w, l, (const Roam__V1__Send *)m);
        break;
    case F_PING:
        note_ping(w, l, (const Roam__V1__Ping *)m, is_fence);
        break;
    case F_HISTORY:
    case F_CONVERSATIONS:
        judge_note_page(w, l, type->number == F_CONVERSATIONS, m);
        break;
    case F_MEMBERS:
        judge_note_members(w, l, (const Roam__V1__Members *)m);
        break;
    case F_SESSIONS:
    case F_END_SESSION:
        judge_note_question(w, l, type->number, m);
        break;
    case F_LOGOUT:
        l->logout_sent = true;
        break;
    default:
        break;
    }
}

/* ------------------------------------------------------------------ login */

static bool check_grant(struct world *w, struct link *l, struct frame *f,
                        const struct login_sent *login)
{
    uint64_t generation = ((const Roam__V1__LoginOk *)f->msg)->generation;
    const struct device *d = l->device;
    for (size_t i = 0; i < w->grant_count; i++) {
        const struct grant *g = &w->grants[i];
        if (g->user == d->user && g->type == d->type &&
            g->generation == generation &&
            g->installation != login->installation) {
            return world_fail(
                w, g->installation ? "LOGIN-15 LOGIN-16" : "LOGIN-15",
                g->installation ? "two devices have the same generation of "
                                  "this slot"
                                : "a generation is given again after "
                                  "LOGOUT",
                "a generation above it", f);
        }
    }
    arena_grow((void **)&w->grants, w->grant_count, &w->grant_cap,
               sizeof *w->grants);
    w->grants[w->grant_count++] =
        (struct grant){d->user, d->type, generation, login->installation};
    l->generation = generation;
    return true;
}

/* Commands that leave from now on on these links come too late. */
static void mark_displaced(struct world *w, const struct link *winner)
{
    for (size_t i = 0; i < w->link_count; i++) {
        struct link *l = w->links[i];
        if (l != winner && l->is_live && !l->displaced &&
            l->device->user == winner->device->user &&
            l->device->type == winner->device->type) {
            l->displaced = w->event_count;
        }
    }
}

static bool take_login(struct world *w, struct link *l, struct frame *f,
                       struct login_sent *out)
{
    if (l->login_count == 0 || l->is_live) {
        return world_fail(w, "LOGIN-5", "an answer without a LOGIN",
                          "one answer for each LOGIN without a session", f);
    }
    *out = l->logins[0];
    l->login_count--;
    memmove(l->logins, l->logins + 1, l->login_count * sizeof *l->logins);
    judge_add_item(l, f, LANE_LOGIN);
    return true;
}

static bool on_login_ok(struct world *w, struct link *l, struct frame *f)
{
    struct login_sent login;
    if (!take_login(w, l, f, &login) || !check_grant(w, l, f, &login)) {
        return false;
    }
    l->is_live = true;
    l->max_commands = ((const Roam__V1__LoginOk *)f->msg)->max_commands;
    w->history_ms = ((const Roam__V1__LoginOk *)f->msg)->history_ms;
    l->dedup_ms = ((const Roam__V1__LoginOk *)f->msg)->dedup_ms;
    mark_displaced(w, l);
    return true;
}

static bool on_refused(struct world *w, struct link *l, struct frame *f)
{
    struct login_sent login;
    l->syncs_open = 0; /* [LOGIN-6]: the SYNC behind it is dropped */
    return take_login(w, l, f, &login);
}

/* ---------------------------------------------------------------- endings */

/* Did a LOGIN for this slot leave on another connection? */
static bool rival_exists(const struct world *w, const struct link *l,
                         bool same_installation)
{
    for (size_t i = 0; i < w->link_count; i++) {
        const struct link *other = w->links[i];
        if (other != l && other->device->user == l->device->user &&
            other->device->type == l->device->type &&
            (other->device->installation == l->device->installation) ==
                same_installation &&
            (other->login_count > 0 || other->generation > 0)) {
            return true;
        }
    }
    return false;
}

static bool on_kick(struct world *w, struct link *l, struct frame *f)
{
    const Roam__V1__Kick *k = (const Roam__V1__Kick *)f->msg;
    l->is_kicked = true;
    l->is_live = false;
    if (!l->displaced) {
        l->displaced = w->event_count;
    }
    judge_add_item(l, f, LANE_KICK);
    switch (k->reason) {
    case ROAM__V1__KICK_REASON__TAKEN_OVER:
        return rival_exists(w, l, false) ||
               world_fail(w, "KICK-3", "no other device asked for this slot",
                          "the session goes on undisturbed", f);
    case ROAM__V1__KICK_REASON__SUPERSEDED:
        return rival_exists(w, l, true) ||
               world_fail(w, "KICK-3", "this device did not log in again",
                          "the session goes on undisturbed", f);
    case ROAM__V1__KICK_REASON__LOGGED_OUT:
        if (!l->logout_sent) {
            return world_fail(w, "KICK-9", "there was no LOGOUT", NULL, f);
        }
        /* From now on this generation belongs to nobody. */
        for (size_t i = 0; i < w->grant_count; i++) {
            if (w->grants[i].user == l->device->user &&
                w->grants[i].type == l->device->type &&
                w->grants[i].generation == l->generation) {
                w->grants[i].installation = NULL;
            }
        }
        return true;
    default:
        return true;
    }
}

void judge_closed(struct world *w, struct link *l)
{
    l->is_closed = true;
    l->is_live = false;
    world_event(w, l->device, "<", "closed");
    /* Whoever stops reading may be given up in mid-frame. [TIME-5] */
    if (l->have > 0 && !l->was_stalled) {
        world_fail(w, "FRAME-1", "the stream ends inside a frame", NULL, NULL);
    }
}

/* ------------------------------------------------------------------- sync */

static bool check_sync_ok(struct world *w, const struct link *l,
                          struct frame *f)
{
    const Roam__V1__SyncOk *s = (const Roam__V1__SyncOk *)f->msg;
    uint64_t cursor = l->sync.cursor;
    bool same = cursor == s->head;
    if ((s->result == ROAM__V1__SYNC_RESULT__UP_TO_DATE) != same) {
        return world_fail(w, same ? "SYNC-2" : "SYNC-2 SYNC-4",
                          same ? "the cursor is the head, yet the answer is "
                                 "not UP_TO_DATE"
                               : "UP_TO_DATE, yet the cursor is not the head",
                          NULL, f);
    }
    if (s->result == ROAM__V1__SYNC_RESULT__DELTA && cursor > s->head) {
        return world_fail(w, "SYNC-3 SYNC-4",
                          "DELTA for a cursor above the head", "RESET AHEAD",
                          f);
    }
    if (s->result == ROAM__V1__SYNC_RESULT__RESET &&
        (s->reason == ROAM__V1__RESET_REASON__AHEAD) != (cursor > s->head)) {
        return world_fail(w, "SYNC-4",
                          "AHEAD belongs to a cursor above the head", NULL, f);
    }
    return true;
}

static bool on_sync_ok(struct world *w, struct link *l, struct frame *f)
{
    const Roam__V1__SyncOk *s = (const Roam__V1__SyncOk *)f->msg;
    if (!l->is_live) {
        return world_fail(w, "LOGIN-5", "SYNC_OK without a session",
                          "LOGIN is answered first", f);
    }
    if (l->syncs_open == 0) {
        return world_fail(w, "SYNC-2", "SYNC_OK without a SYNC",
                          "one answer for each SYNC", f);
    }
    if (!check_sync_ok(w, l, f)) {
        return false;
    }
    l->syncs_open--;
    l->active = l->sync;
    if (s->max_unacked != 0 && s->max_unacked < l->active.max_unacked) {
        l->active.max_unacked = s->max_unacked; /* ACK-8 */
    }
    l->is_delivering = true;
    l->start =
        s->result == ROAM__V1__SYNC_RESULT__RESET ? s->head : l->sync.cursor;
    l->last = l->start;
    l->acked = l->start;
    l->flight_count = 0;
    l->fenced = 0;
    l->device->cursor = l->start;
    judge_add_item(l, f, LANE_SYNC);
    return true;
}

/* --------------------------------------------------------------- received */

/* Is it SEND_OK for what left after the slot was somebody else's? */
static bool answers_late_send(struct world *w, const struct link *l,
                              const struct frame *f)
{
    if (f->number != F_SEND_OK || !f->msg || !l->displaced) {
        return false;
    }
    const struct sent *s = judge_find_sent(
        w, l, ((const Roam__V1__SendOk *)f->msg)->client_msg_id);
    return s && s->order >= l->displaced;
}

static bool check_frame(struct world *w, const struct link *l, struct frame *f)
{
    uint32_t most = l->max_frame ? l->max_frame : UNNAMED_MAX_FRAME;
    if (l->is_kicked) {
        return world_fail(
            w, answers_late_send(w, l, f) ? "KICK-4 KICK-5" : "KICK-4",
            "a frame after KICK", "nothing but the end of the connection", f);
    }
    if (f->len > most) {
        return world_fail(w, "FRAME-5", "a frame longer than max_frame",
                          arena_printf("at most %" PRIu32 " bytes", most), f);
    }
    if (!f->type || !f->type->from_server) {
        return world_fail(w, "FRAME-1", "no frame that a server may send", NULL,
                          f);
    }
    if (!f->msg) {
        return world_fail(w, "FRAME-1", "the payload does not decode", NULL, f);
    }
    struct schema_fault fault;
    return schema_check(f, &fault) ||
           world_fail(w, fault.rule, fault.what, NULL, f);
}

bool judge_is_fence(const struct link *l, const struct frame *f)
{
    if (f->number != F_PONG || !f->msg) {
        return false;
    }
    uint64_t id = ((const Roam__V1__Pong *)f->msg)->id;
    for (size_t i = 0; i < l->ping_count; i++) {
        if (l->pings[i].is_fence && l->pings[i].id == id) {
            return true;
        }
    }
    return false;
}

bool judge_received(struct world *w, struct link *l, struct frame *f)
{
    struct text line = {0};
    frame_print_line(&line, f);
    if (!w->ops || !judge_is_fence(l, f)) {
        world_event(w, l->device, "<", text_str(&line));
    }
    if (!f->type && (f->number & 0x80) && !l->is_kicked) {
        return true; /* [FRAME-6] */
    }
    if (!check_frame(w, l, f)) {
        return false;
    }
    bool is_fence = false;
    switch (f->number) {
    case F_LOGIN_OK:
        return on_login_ok(w, l, f);
    case F_REFUSED:
        return on_refused(w, l, f);
    case F_KICK:
        return on_kick(w, l, f);
    case F_SYNC_OK:
        return on_sync_ok(w, l, f);
    case F_SEND_OK:
        judge_add_item(l, f, LANE_COMMAND);
        return judge_send_ok(w, l, f);
    case F_ERROR:
        judge_add_item(l, f, LANE_COMMAND);
        return judge_error(w, l, f);
    case F_HISTORY_PAGE:
    case F_CONVERSATION_PAGE:
        return judge_page(w, l, f);
    case F_MEMBER_PAGE:
        return judge_member_page(w, l, f);
    case F_SESSION_LIST:
    case F_SESSION_ENDED:
        return judge_question_answer(w, l, f);
    case F_PONG:
        if (!judge_pong(w, l, f, &is_fence)) {
            return false;
        }
        if (!is_fence) {
            judge_add_item(l, f, LANE_PONG);
        }
        return true;
    default:
        return judge_delivery(w, l, f);
    }
}
