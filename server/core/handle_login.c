/* SPDX-License-Identifier: Apache-2.0 */
/* LOGIN: the store decides on the slot, in one transaction; the core then
 * ends whom the decision displaced, before it tells the winner. Spec: 5.1. */
#include "session.h"

#include <string.h>

#include "fault.h"

struct refusal {
    const char *name; /* for the log */
    roam_v1_Retry retry;
};

/* The table of section 12.2. [KICK-6] */
static const struct refusal refusals[] = {
    [roam_v1_RefusedReason_OCCUPIED] = {"OCCUPIED", roam_v1_Retry_NEVER},
    [roam_v1_RefusedReason_KICKED] = {"KICKED", roam_v1_Retry_NEVER},
    [roam_v1_RefusedReason_FREE] = {"FREE", roam_v1_Retry_NEVER},
    [roam_v1_RefusedReason_STALE] = {"STALE", roam_v1_Retry_NOW},
    [roam_v1_RefusedReason_CREDENTIAL] = {"CREDENTIAL",
                                          roam_v1_Retry_REAUTHENTICATE},
    [roam_v1_RefusedReason_TOKEN_EXPIRED] = {"TOKEN_EXPIRED",
                                             roam_v1_Retry_REAUTHENTICATE},
    [roam_v1_RefusedReason_TYPE_FORBIDDEN] = {"TYPE_FORBIDDEN",
                                              roam_v1_Retry_REAUTHENTICATE},
    [roam_v1_RefusedReason_TOKEN_BOUND] = {"TOKEN_BOUND",
                                           roam_v1_Retry_REAUTHENTICATE},
    [roam_v1_RefusedReason_PROTOCOL_VERSION] = {"PROTOCOL_VERSION",
                                                roam_v1_Retry_NEVER},
    [roam_v1_RefusedReason_THROTTLED] = {"THROTTLED", roam_v1_Retry_AFTER},
};

/* Roam 1 defines none yet. [VER-3] */
#define CAPABILITIES UINT64_C(0)

static bool credential_was_good(uint32_t reason)
{
    return reason == roam_v1_RefusedReason_OCCUPIED ||
           reason == roam_v1_RefusedReason_KICKED ||
           reason == roam_v1_RefusedReason_FREE ||
           reason == roam_v1_RefusedReason_STALE;
}

/* ---------------------------------------------------------------- refused */

static void log_refusal(struct roam_session *s,
                        const struct roam_store_login *l)
{
    char user[ROAM__LOG_TEXT_MAX];
    roam__log(s->core, ROAM__INFO, "refused peer=%s user=%s reason=%s", s->peer,
              roam__log_text(user, s->user_name), refusals[l->refused].name);
}

static void refuse(struct roam_session *s, const struct roam_store_login *l,
                   uint64_t wait_ms)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_REFUSED);
    roam_v1_Refused *refused = &m.u.refused;
    refused->reason = (roam_v1_RefusedReason)l->refused;
    refused->retry = refusals[l->refused].retry;
    refused->retry_after_ms =
        wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX;
    if (ROAM_FAULT("told-too-short")) {
        refused->retry_after_ms /= 2;
    }
    if (l->refused == roam_v1_RefusedReason_PROTOCOL_VERSION &&
        !ROAM_FAULT("versions-not-told")) { /* [VER-2] */
        refused->protocol_min = ROAM_PROTOCOL_VERSION;
        refused->protocol_max = ROAM_PROTOCOL_VERSION;
    }
    if (credential_was_good(l->refused)) { /* [LOGIN-14] */
        refused->generation = l->generation;
        refused->has_holder = l->has_holder;
        refused->holder.device_type = (roam_v1_DeviceType)l->holder_type;
        memcpy(refused->holder.device_name, l->holder_name,
               sizeof refused->holder.device_name);
        refused->holder.since = l->holder_since_ms;
        if (!s->credential_seen) { /* [TIME-4]: the person may think now */
            s->credential_seen = true;
            roam__strangers_remove(s);
            s->login_by_ms =
                s->core->now.mono_ms + s->core->config.decision_timeout_ms;
        }
    }
    log_refusal(s, l);
    s->core->stats.refusals++;
    s->core->stats.throttled +=
        l->refused == roam_v1_RefusedReason_THROTTLED ? 1 : 0;
    s->core->stats.refused[l->refused]++;
    s->may_drop_sync = !s->has_sync; /* [LOGIN-6] */
    s->has_sync = false;
    roam__session_event(s, ROAM__ON_REFUSED, NULL);
    roam__session_queue(s, &m);
}

_Static_assert(_roam_v1_RefusedReason_ARRAYSIZE <= ROAM_STATS_REASONS,
               "a count for each reason");

/* ---------------------------------------------------------------- request */

/* What needs no store: [LOGIN-7], a LOGIN of another version may mean
 * anything, and [FLOW-5]. */
static void refuse_unasked(struct roam_session *s, roam_v1_RefusedReason reason,
                           uint64_t wait_ms)
{
    if (roam__session_is_full(s)) { /* thousands, and it reads none */
        roam__session_end(s, roam_v1_KickReason_TOO_SLOW);
        return;
    }
    const struct roam_store_login l = {.refused = reason};
    refuse(s, &l, wait_ms);
}

static void fill(struct roam_store_login *out, const roam_v1_Login *in,
                 uint64_t now_ms)
{
    memcpy(out->user, in->user, sizeof out->user);
    memcpy(out->token, in->token, sizeof out->token);
    memcpy(out->device_id, in->device_id.bytes, sizeof out->device_id);
    memcpy(out->device_name, in->device_name, sizeof out->device_name);
    memcpy(out->software, in->software, sizeof out->software);
    if (ROAM_FAULT("token-is-stored")) {
        memcpy(out->software, in->token, sizeof out->software - 1);
    }
    out->device_type = (uint32_t)in->device_type;
    out->attempt = in->attempt;
    out->take_over = in->take_over;
    out->now_ms = now_ms;
}

void roam__handle_login(struct roam_session *s, const struct roam_message *m)
{
    const roam_v1_Login *login = &m->u.login;
    s->has_sync = false;
    s->may_drop_sync = false;
    s->peer_max_frame = login->max_frame;
    s->capabilities = login->capabilities;
    memcpy(s->user_name, login->user, sizeof s->user_name);
    /* A LOGIN of another version may mean anything. [VER-1], [LOGIN-7] */
    uint32_t least =
        login->protocol_min == 0 ? login->protocol : login->protocol_min;
    if (login->protocol < ROAM_PROTOCOL_VERSION ||
        least > ROAM_PROTOCOL_VERSION) {
        refuse_unasked(s, roam_v1_RefusedReason_PROTOCOL_VERSION, 0);
        return;
    }
    if (ROAM_FAULT("token-is-logged")) {
        roam__log(s->core, ROAM__DEBUG, "login token=%s", login->token);
    }
    uint64_t wait_ms = roam__flow_login(s);
    if (wait_ms > 0) {
        refuse_unasked(s, roam_v1_RefusedReason_THROTTLED, wait_ms);
        return;
    }
    struct roam_store_request *req = roam__request_new(s, ROAM_STORE_LOGIN, 0);
    if (req == NULL) {
        return;
    }
    fill(&req->u.login, login, roam__stored_now(s->core));
    req->u.login.only_check = roam__flow_login_wait(s) > 0;
    roam__request_submit_or_hold(s, req);
}

/* ---------------------------------------------------------------- granted */

/* Ends the session that the grant displaced, if it is here. */
static void kick_displaced(struct roam_core *core,
                           const struct roam_store_login *l)
{
    struct roam__user *user = roam__users_find(core, l->identity.user);
    uint32_t type = l->identity.device_type;
    if (ROAM_FAULT("kick-wrong-type")) {
        type = type % (ROAM__DEVICE_TYPES - 1) + 1;
    }
    if (user == NULL || user->live[type] == NULL || ROAM_FAULT("no-kick")) {
        return;
    }
    struct roam_session *old = user->live[type];
    if (old->identity.device == l->identity.device) { /* [KICK-2] */
        roam__session_end(old, roam_v1_KickReason_SUPERSEDED);
        return;
    }
    roam_v1_Kick kick = roam_v1_Kick_init_zero; /* [KICK-1] */
    kick.reason = roam_v1_KickReason_TAKEN_OVER;
    kick.generation = l->identity.generation;
    kick.has_holder = true;
    kick.holder.device_type = (roam_v1_DeviceType)l->identity.device_type;
    memcpy(kick.holder.device_name, l->device_name,
           sizeof kick.holder.device_name);
    kick.holder.since = l->now_ms;
    roam__session_kick(old, &kick);
}

static bool queue_login_ok(struct roam_session *s,
                           const struct roam_store_login *l)
{
    const struct roam_core_config *config = &s->core->config;
    struct roam_message m;
    roam_message_init(&m, ROAM_LOGIN_OK);
    m.u.login_ok.generation = l->identity.generation;
    m.u.login_ok.protocol = ROAM_FAULT("version-not-told")
                                ? 0
                                : ROAM_PROTOCOL_VERSION; /* [VER-1] */
    m.u.login_ok.capabilities = ROAM_FAULT("capabilities-echoed")
                                    ? s->capabilities
                                    : s->capabilities & CAPABILITIES;
    m.u.login_ok.head = l->head;
    m.u.login_ok.floor = ROAM_FAULT("floor-not-told") ? 0 : l->floor;
    m.u.login_ok.max_frame = config->max_frame;
    m.u.login_ok.max_body = config->max_body;
    m.u.login_ok.max_commands = config->max_commands;
    m.u.login_ok.heartbeat_ms = config->heartbeat_ms;
    m.u.login_ok.dedup_ms = config->dedup_ms;
    m.u.login_ok.timeline_ms = config->timeline_ms;
    m.u.login_ok.timeline_entries = config->timeline_entries;
    m.u.login_ok.history_ms = config->history_ms;
    m.u.login_ok.recall_ms = config->store_settings.recall_ms;     /* [OP-2] */
    m.u.login_ok.max_members = config->store_settings.max_members; /* [GRP-7] */
    return roam__session_queue(s, &m);
}

static void log_login(struct roam_session *s)
{
    char user[ROAM__LOG_TEXT_MAX];
    roam__log(s->core, ROAM__INFO,
              "login peer=%s user=%s type=%u generation=%llu attempt=%llu",
              s->peer, roam__log_text(user, s->user_name),
              (unsigned)s->identity.device_type,
              (unsigned long long)s->identity.generation,
              (unsigned long long)s->identity.attempt);
}

/* In the clock of deadlines, which nobody sets. [DEV-10] */
static void set_expiry(struct roam_session *s, uint64_t expires_ms)
{
    const struct roam_core *core = s->core;
    uint64_t now = roam__stored_now(core);
    uint64_t left = expires_ms > now ? expires_ms - now : 0;
    uint64_t clock = ROAM_FAULT("expired-by-the-wall") ? core->now.wall_ms
                                                       : core->now.mono_ms;
    s->expires_ms = expires_ms == 0 || ROAM_FAULT("expired-goes-on")
                        ? UINT64_MAX
                        : clock + left;
}

static void grant(struct roam_session *s, const struct roam_store_login *l)
{
    s->identity = l->identity;
    s->token = l->token_number;
    set_expiry(s, l->token_expires_ms);
    roam__watch_login(s->core, l->revocations);
    if (!roam__users_join(s, l->head)) {
        roam__session_no_memory(s);
        return;
    }
    s->core->stats.logins++;
    roam__strangers_remove(s);
    if (!ROAM_FAULT("frame-limit-ignored")) {
        s->reader.max = s->core->config.max_frame; /* [FRAME-3] */
    }
    roam__session_event(s, ROAM__ON_GRANTED, NULL);
    log_login(s);
    if (!queue_login_ok(s, l) || !s->has_sync || s->deaf) {
        return;
    }
    struct roam_message sync;
    roam_message_init(&sync, ROAM_SYNC);
    sync.u.sync = s->sync;
    s->has_sync = false;
    roam__session_event(s, ROAM__ON_SYNC, &sync);
}

/* All of it may be over by now, but 0 would say nothing. */
static uint64_t wait_of(const struct roam_session *s)
{
    uint64_t wait_ms = roam__flow_login_wait(s);
    return wait_ms > 0 ? wait_ms : 1;
}

void roam__login_done(struct roam_session *s, struct roam_store_request *req)
{
    struct roam_store_login *l = &req->u.login;
    bool throttled = l->refused == 0 && l->only_check; /* [FLOW-5] */
    if (throttled) {
        l->refused = roam_v1_RefusedReason_THROTTLED;
    }
    if (l->refused == 0) {
        /* Also when the winner is gone: the slot is no longer theirs. */
        kick_displaced(s->core, l);
        roam__delivery_fan_out(s->core, &l->news); /* [DEV-7] */
    }
    if (l->refused == 0 || throttled || credential_was_good(l->refused)) {
        roam__flow_login_good(s, !throttled);
    }
    if (s->closed || s->state != ROAM__DECIDING) {
        return;
    }
    if (l->refused == 0) {
        grant(s, l);
    } else {
        refuse(s, l, throttled ? wait_of(s) : 0);
    }
}
