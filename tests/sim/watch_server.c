/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves the server: logins, endings, answers. Entries are in
 * watch_delivery.c. */
#include <inttypes.h>
#include <string.h>

#include "device.h"
#include "net.h"
#include "server.h"
#include "roam.pb.h"
#include "watch.h"

/* ----------------------------------------------------------------- slots */

/* Is session a older than b? */
static bool older(const struct sim_watch *a, const struct sim_watch *b)
{
    return a->generation != b->generation ? a->generation < b->generation
                                          : a->attempt < b->attempt;
}

static bool is_live(const struct sim_link *l)
{
    return l->server_open && l->watch.live && !l->watch.kicked;
}

static void displace(struct sim_world *w, struct sim_link *l)
{
    if (!l->watch.displaced) {
        l->watch.displaced = true;
        w->displaced++;
    }
}

static void find_displaced(struct sim_world *w, struct sim_link *l)
{
    for (uint32_t i = 0; i < w->link_count; i++) {
        struct sim_link *m = w->links[i];
        if (m == l || !is_live(m) || m->watch.user != l->watch.user ||
            m->watch.type != l->watch.type) {
            continue;
        }
        displace(w, older(&m->watch, &l->watch) ? m : l);
    }
}

void sim_watch_slots(struct sim_world *w)
{
    for (uint32_t i = 0; w->displaced != 0 && i < w->link_count; i++) {
        struct sim_link *l = w->links[i];
        if (!l->watch.displaced) {
            continue;
        }
        if (!is_live(l)) {
            l->watch.displaced = false;
            w->displaced--;
        } else if (roam_session_pending(l->session).len == 0) {
            sim_fail(w, "KICK-1", "#%u lives beside a younger session",
                     l->number);
            return;
        }
    }
}

/* ----------------------------------------------------------------- login */

static bool awaits_answer(struct sim_world *w, struct sim_link *l)
{
    if (!l->watch.asked || l->watch.live) {
        sim_fail(w, "LOGIN-5", "#%u: an answer to no login", l->number);
        return false;
    }
    l->watch.asked = false;
    return true;
}

static void login_ok(struct sim_world *w, struct sim_link *l,
                     const roam_v1_LoginOk *ok)
{
    if (!awaits_answer(w, l)) {
        return;
    }
    struct sim_watch *t = &l->watch;
    t->live = true;
    sim_watch_told(w, l, ok->head);
    t->generation = ok->generation;
    if (ok->head > sim_oracle_head(w, t->user)) {
        sim_fail(w, "PUSH-5", "#%u: head %" PRIu64 " is not stored", l->number,
                 ok->head);
    }
    if (ok->max_frame != w->server->config.max_frame ||
        ok->max_body != w->server->config.max_body ||
        ok->max_commands != w->server->config.max_commands ||
        ok->max_members != w->server->config.store_settings.max_members ||
        ok->heartbeat_ms != w->heartbeat_ms) {
        sim_fail(w, "LIMIT-1", "#%u: limits are not the set ones", l->number);
    }
    find_displaced(w, l);
}

/* Section 12.2. */
static roam_v1_Retry refusal_retry(roam_v1_RefusedReason reason)
{
    switch ((int)reason) {
    case roam_v1_RefusedReason_STALE:
        return roam_v1_Retry_NOW;
    case roam_v1_RefusedReason_CREDENTIAL:
    case roam_v1_RefusedReason_TOKEN_EXPIRED:
    case roam_v1_RefusedReason_TOKEN_BOUND:
        return roam_v1_Retry_REAUTHENTICATE;
    case roam_v1_RefusedReason_THROTTLED:
        return roam_v1_Retry_AFTER;
    default:
        return roam_v1_Retry_NEVER;
    }
}

/* Is this a device of that slot? */
static bool may_hold(const struct sim_world *w, const struct sim_watch *t,
                     const roam_v1_Holder *holder)
{
    for (uint32_t i = 0; i < SIM_DEVICES; i++) {
        const struct sim_device *d = &w->devices[i];
        if (d->exists && d->user == t->user && (uint32_t)d->type == t->type &&
            strcmp(d->name, holder->device_name) == 0) {
            return (uint32_t)holder->device_type == t->type;
        }
    }
    return false;
}

static void refused(struct sim_world *w, struct sim_link *l,
                    const roam_v1_Refused *r)
{
    if (!awaits_answer(w, l)) {
        return;
    }
    l->watch.sync_asked = false;
    bool throttled = r->reason == roam_v1_RefusedReason_THROTTLED;
    bool no_good = refusal_retry(r->reason) == roam_v1_Retry_REAUTHENTICATE;
    bool nobody =
        r->reason == roam_v1_RefusedReason_FREE || no_good || throttled;
    if (throttled) {
        sim_fault_happened(w, SIM_FAULT_LIMITS);
    }
    if (throttled != (r->retry_after_ms != 0) ||
        (throttled && !sim_has_limits(w))) {
        sim_fail(w, "FLOW-5", "#%u: throttled for %" PRIu32 " ms", l->number,
                 r->retry_after_ms);
    }
    if (r->has_holder == nobody || (no_good && r->generation != 0) ||
        (!nobody && !may_hold(w, &l->watch, &r->holder))) {
        sim_fail(w, "LOGIN-14", "#%u: refused %d by holder %s", l->number,
                 r->reason, r->holder.device_name);
    }
    if (r->retry != refusal_retry(r->reason)) {
        sim_fail(w, "KICK-6", "#%u: refused %d with retry %d", l->number,
                 r->reason, r->retry);
    }
}

/* --------------------------------------------------------------- endings */

bool sim_watch_is_fenced(const struct sim_world *w, const struct sim_watch *t)
{
    return !sim_oracle_holds(w, t->user, t->type, &t->device, t->generation,
                             t->attempt);
}

static bool is_overloaded(const struct sim_world *w)
{
    struct roam_core_stats stats;
    roam_core_get_stats(w->server->core, &stats);
    return stats.connections > w->server->config.max_sessions;
}

/* Section 12.3. */
static roam_v1_Retry kick_retry(roam_v1_KickReason reason)
{
    switch ((int)reason) {
    case roam_v1_KickReason_TAKEN_OVER:
    case roam_v1_KickReason_SUPERSEDED:
    case roam_v1_KickReason_LOGGED_OUT:
        return roam_v1_Retry_NEVER;
    case roam_v1_KickReason_REVOKED:
    case roam_v1_KickReason_EXPIRED:
        return roam_v1_Retry_REAUTHENTICATE;
    case roam_v1_KickReason_IDLE:
    case roam_v1_KickReason_RESYNC:
        return roam_v1_Retry_NOW;
    default:
        return roam_v1_Retry_AFTER;
    }
}

static bool kick_is_right(const struct sim_world *w, const struct sim_link *l,
                          roam_v1_KickReason reason)
{
    const struct sim_watch *t = &l->watch;
    uint64_t silent_ms = w->now_ms - t->heard_ms;
    switch ((int)reason) {
    case roam_v1_KickReason_TAKEN_OVER:
    case roam_v1_KickReason_SUPERSEDED:
    case roam_v1_KickReason_LOGGED_OUT:
        return t->live && sim_watch_is_fenced(w, t);
    case roam_v1_KickReason_REVOKED:
        return t->live && t->token->revoked;
    case roam_v1_KickReason_EXPIRED: /* by either clock */
        return t->live && t->token->expires_ms != 0 &&
               (w->now_ms >= t->expires_ms ||
                sim_wall_ms(w) - ROAM_EPOCH_UNIX_MS >= t->token->expires_ms);
    case roam_v1_KickReason_GOING_AWAY:
        return w->server->draining;
    case roam_v1_KickReason_TOO_SLOW:
        return t->was_stuck;
    case roam_v1_KickReason_RESYNC: /* [KEEP-7] */
        return t->live && sim_oracle_floor(w, t->user) > t->sent;
    case roam_v1_KickReason_IDLE:
        return t->live &&
               (t->was_stuck || 2 * silent_ms >= 5ull * w->heartbeat_ms);
    case roam_v1_KickReason_LOGIN_TIMEOUT:
        return !t->live &&
               w->now_ms - t->opened_ms >= w->server->config.login_timeout_ms;
    case roam_v1_KickReason_OVERLOADED:
        return !t->live && (is_overloaded(w) || sim_has_limits(w));
    case roam_v1_KickReason_TOO_FAST:
        return t->live && sim_has_limits(w);
    default: /* nobody here makes mistakes */
        return false;
    }
}

static void kick(struct sim_world *w, struct sim_link *l, const roam_v1_Kick *k)
{
    if (!kick_is_right(w, l, k->reason)) {
        sim_fail(w, "KICK", "#%u of %s is kicked: reason %d, error %d, %s",
                 l->number, l->device->name, k->reason, k->error, k->detail);
    }
    if (k->retry != kick_retry(k->reason)) {
        sim_fail(w, "KICK-6", "#%u: kick %d with retry %d", l->number,
                 k->reason, k->retry);
    }
    if (k->reason == roam_v1_KickReason_OVERLOADED && is_overloaded(w)) {
        sim_fault_happened(w, SIM_FAULT_FEW);
    }
    bool taken = k->reason == roam_v1_KickReason_TAKEN_OVER;
    if (taken && (k->generation <= l->watch.generation || !k->has_holder ||
                  !may_hold(w, &l->watch, &k->holder))) {
        sim_fail(w, "KICK-1", "#%u: taken over by %s, generation %" PRIu64,
                 l->number, k->holder.device_name, k->generation);
    }
    l->watch.kicked = true;
}

/* --------------------------------------------------------------- answers */

static bool take_answer(struct sim_world *w, struct sim_link *l,
                        uint64_t client_msg_id)
{
    struct sim_watch *t = &l->watch;
    for (size_t i = 0; i < t->send_count; i++) {
        if (t->sends[i] == client_msg_id) {
            t->sends[i] = t->sends[--t->send_count];
            return true;
        }
    }
    sim_fail(w, "SEND-2", "#%u: an answer to nothing: %" PRIx64, l->number,
             client_msg_id);
    return false;
}

bool sim_watch_is_own(const struct sim_watch *t, const struct sim_message *m)
{
    return m->user == t->user && sim_same_id(&m->device, &t->device) &&
           m->generation == t->generation && m->attempt == t->attempt;
}

/* [GRP-1]: the group that was made, also to a repetition. */
static void check_made(struct sim_world *w, const struct sim_link *l,
                       const struct sim_message *m, const char *made)
{
    struct roam_bytes must = {NULL, 0};
    if (m != NULL && m->stored && sim_oracle_makes_group(m)) {
        must = sim_oracle_party_name(w, m->party);
    }
    if (!sim_same_bytes(made, strlen(made), must.data, must.len)) {
        sim_fail(w, "GRP-1", "#%u: group %s is told", l->number, made);
    }
}

static void send_ok(struct sim_world *w, struct sim_link *l,
                    const roam_v1_SendOk *ok)
{
    if (!take_answer(w, l, ok->client_msg_id)) {
        return;
    }
    struct sim_message *m = sim_oracle_message(w, ok->client_msg_id);
    check_made(w, l, m, ok->conversation);
    bool stands =
        m != NULL && ok->duplicate && sim_oracle_may_stand(w, m, ok->msg_id);
    if (stands && !m->stored) {
        return;
    }
    if (m == NULL || !m->stored || m->msg_id != ok->msg_id) {
        sim_fail(w, "SEND-3", "#%u: %" PRIx64 " is told and not stored",
                 l->number, ok->client_msg_id);
        return;
    }
    if (!ok->duplicate && !sim_watch_is_own(&l->watch, m)) {
        sim_fail(w, "SEND-4", "#%u: %" PRIx64 " was stored before", l->number,
                 ok->client_msg_id);
    }
    sim_oracle_told(w, m);
    sim_watch_told(w, l, m->version[l->watch.user]);
}

bool sim_watch_is_limit(struct sim_world *w, const roam_v1_Error *e)
{
    bool limited = e->code == roam_v1_ErrorCode_RATE_LIMITED;
    if (limited != (e->retry_after_ms != 0) ||
        (limited && !sim_has_limits(w))) {
        sim_fail(w, "FLOW-2", "error %d, again in %" PRIu32 " ms", e->code,
                 e->retry_after_ms);
    }
    if (limited) {
        sim_fault_happened(w, SIM_FAULT_LIMITS);
    }
    return limited;
}

static void error(struct sim_world *w, struct sim_link *l,
                  const roam_v1_Error *e)
{
    if (sim_watch_page_error(w, l, e) || !take_answer(w, l, e->ref)) {
        return;
    }
    const struct sim_message *m = sim_oracle_message(w, e->ref);
    bool limited = m != NULL && sim_watch_is_limit(w, e);
    bool refused =
        m != NULL && e->code < 64 && (m->refusals >> e->code & 1) != 0;
    if (m == NULL ||
        (!limited && !refused && m->must_fail != (uint32_t)e->code)) {
        sim_fail(w, "SEND-2", "#%u: error %d for %" PRIx64, l->number, e->code,
                 e->ref);
    }
}

static void pong(struct sim_world *w, struct sim_link *l, const roam_v1_Pong *p)
{
    struct sim_watch *t = &l->watch;
    size_t i = 0;
    while (i < t->ping_count && t->pings[i].id != p->id) {
        i++;
    }
    if (i == t->ping_count) {
        sim_fail(w, "PING-1", "#%u: PONG to no PING", l->number);
        return;
    }
    if (p->head < t->pings[i].fence || p->head > sim_oracle_head(w, t->user)) {
        sim_fail(w, "PING-2", "#%u: PONG tells %" PRIu64 ", told was %" PRIu64,
                 l->number, p->head, t->pings[i].fence);
    }
    sim_watch_told(w, l, p->head);
    t->ping_count -= i + 1;
    memmove(&t->pings[0], &t->pings[i + 1], t->ping_count * sizeof t->pings[0]);
}

/* ---------------------------------------------------------------- frames */

static bool may_leave(struct sim_world *w, struct sim_link *l, uint8_t type,
                      size_t payload_bytes)
{
    const struct sim_watch *t = &l->watch;
    uint32_t most = t->max_frame == 0 ? ROAM_FRAME_MIN : t->max_frame;
    if (t->kicked) {
        sim_fail(w, "KICK-4", "#%u: a frame behind KICK", l->number);
    } else if (payload_bytes > most) {
        sim_fail(w, "FRAME-5", "#%u: %zu bytes, more than %" PRIu32, l->number,
                 payload_bytes, most);
    } else if (!t->live && type != ROAM_LOGIN_OK && type != ROAM_REFUSED &&
               type != ROAM_KICK) {
        sim_fail(w, "LOGIN-5", "#%u: %s without a session", l->number,
                 roam_frame_name(type));
    }
    return !w->failed;
}

void sim_watch_frame_out(struct sim_world *w, struct sim_link *l,
                         const struct roam_message *m, size_t payload_bytes)
{
    if (!may_leave(w, l, m->type, payload_bytes)) {
        return;
    }
    switch (m->type) {
    case ROAM_LOGIN_OK:
        login_ok(w, l, &m->u.login_ok);
        return;
    case ROAM_REFUSED:
        refused(w, l, &m->u.refused);
        return;
    case ROAM_KICK:
        kick(w, l, &m->u.kick);
        return;
    case ROAM_SYNC_OK:
        sim_watch_sync_ok(w, l, &m->u.sync_ok);
        return;
    case ROAM_PUSH:
        sim_watch_push(w, l, m);
        return;
    case ROAM_BATCH:
        sim_watch_batch(w, l, m);
        return;
    case ROAM_SEND_OK:
        send_ok(w, l, &m->u.send_ok);
        return;
    case ROAM_PONG:
        pong(w, l, &m->u.pong);
        return;
    case ROAM_ERROR:
        error(w, l, &m->u.error);
        return;
    case ROAM_SESSION_LIST:
        sim_watch_session_list(w, l, m);
        return;
    case ROAM_SESSION_ENDED:
        sim_watch_session_ended(w, l, m->u.session_ended.ref);
        return;
    case ROAM_MEMBER_PAGE:
        sim_watch_members(w, l, m);
        return;
    case ROAM_HISTORY_PAGE:
    case ROAM_CONVERSATION_PAGE:
        sim_watch_page(w, l, m);
        return;
    default:
        sim_fail(w, "FRAME-8", "#%u: %s from the server", l->number,
                 roam_frame_name(m->type));
    }
}
