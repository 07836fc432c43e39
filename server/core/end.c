/* SPDX-License-Identifier: Apache-2.0 */
/* How sessions end from the server's side: always with one KICK as the last
 * frame, with its retry class. Spec: sections 5.2 and 12.3. */
#include "session.h"

#include <stdio.h>
#include <string.h>

#include "fault.h"

struct ending {
    const char *name; /* for the log */
    roam_v1_Retry retry;
};

/* The table of section 12.3. [KICK-6] */
static const struct ending endings[] = {
    [roam_v1_KickReason_TAKEN_OVER] = {"TAKEN_OVER", roam_v1_Retry_NEVER},
    [roam_v1_KickReason_SUPERSEDED] = {"SUPERSEDED", roam_v1_Retry_NEVER},
    [roam_v1_KickReason_LOGGED_OUT] = {"LOGGED_OUT", roam_v1_Retry_NEVER},
    [roam_v1_KickReason_GOING_AWAY] = {"GOING_AWAY", roam_v1_Retry_AFTER},
    [roam_v1_KickReason_TOO_SLOW] = {"TOO_SLOW", roam_v1_Retry_AFTER},
    [roam_v1_KickReason_PROTOCOL_ERROR] = {"PROTOCOL_ERROR",
                                           roam_v1_Retry_AFTER},
    [roam_v1_KickReason_IDLE] = {"IDLE", roam_v1_Retry_NOW},
    [roam_v1_KickReason_LOGIN_TIMEOUT] = {"LOGIN_TIMEOUT", roam_v1_Retry_AFTER},
    [roam_v1_KickReason_OVERLOADED] = {"OVERLOADED", roam_v1_Retry_AFTER},
    [roam_v1_KickReason_RESYNC] = {"RESYNC", roam_v1_Retry_NOW},
    [roam_v1_KickReason_REVOKED] = {"REVOKED", roam_v1_Retry_REAUTHENTICATE},
    [roam_v1_KickReason_EXPIRED] = {"EXPIRED", roam_v1_Retry_REAUTHENTICATE},
    [roam_v1_KickReason_TOO_FAST] = {"TOO_FAST", roam_v1_Retry_AFTER},
};

_Static_assert(_roam_v1_KickReason_ARRAYSIZE <= ROAM_STATS_REASONS,
               "a count for each reason");

/* Appends the KICK. It fits any output bound; without memory the connection
 * just closes, which a client takes for a lost one. */
static void append_kick(struct roam_session *s, const roam_v1_Kick *kick)
{
    struct roam_core *core = s->core;
    struct roam_message m;
    roam_message_init(&m, ROAM_KICK);
    m.u.kick = *kick;
    m.u.kick.retry = endings[kick->reason].retry;
    if (m.u.kick.retry == roam_v1_Retry_AFTER) {
        m.u.kick.retry_after_ms = core->config.retry_window_ms;
    }
    size_t size = roam_message_size(&m);
    uint8_t *room = roam__output_room(&s->out, size);
    if (room == NULL) {
        s->given_up = true;
        return;
    }
    if (s->out.len == 0) {
        s->moved_ms = core->now.mono_ms;
    }
    size_t len = roam_message_encode(&m, room, size);
    roam__output_add(&s->out, len);
    roam__output_added(core, len);
    if (ROAM_FAULT("kick-not-last")) {
        roam__session_answer_ping(s, 0);
    }
}

static void log_end(struct roam_session *s, const roam_v1_Kick *kick)
{
    char user[ROAM__LOG_TEXT_MAX];
    bool wrong = kick->reason == roam_v1_KickReason_PROTOCOL_ERROR;
    roam__log(s->core, wrong ? ROAM__WARNING : ROAM__INFO,
              "kick peer=%s user=%s reason=%s error=%d detail=\"%s\"", s->peer,
              roam__log_text(user, s->user_name), endings[kick->reason].name,
              (int)kick->error, kick->detail);
}

/* When an ending session's output is given up. A peer whose output was
 * stuck, and a server that stops, wait no longer than drain_ms. */
static uint64_t end_by(const struct roam_session *s, roam_v1_KickReason why)
{
    const struct roam_core *core = s->core;
    if (core->draining) {
        return core->drain_by_ms;
    }
    bool stuck = why == roam_v1_KickReason_TOO_SLOW;
    return core->now.mono_ms +
           (stuck ? core->config.drain_ms : core->config.write_timeout_ms);
}

void roam__session_kick(struct roam_session *s, const roam_v1_Kick *kick)
{
    if (s->closed || s->state == ROAM__ENDING) {
        return;
    }
    log_end(s, kick);
    s->core->stats.kicks++;
    s->core->stats.kicked[kick->reason]++;
    if (kick->reason == roam_v1_KickReason_PROTOCOL_ERROR) {
        s->core->stats.protocol_errors++;
    }
    if (ROAM_FAULT("command-after-kick") &&
        kick->reason == roam_v1_KickReason_TAKEN_OVER) {
        append_kick(s, kick);
        roam__session_ready(s);
        return;
    }
    s->end_by_ms = end_by(s, kick->reason);
    roam__session_release(s);
    append_kick(s, kick);
    roam__session_event(s, ROAM__ON_KICK, NULL);
    roam__session_ready(s);
}

void roam__session_end(struct roam_session *s, roam_v1_KickReason reason)
{
    roam_v1_Kick kick = roam_v1_Kick_init_zero;
    kick.reason = reason;
    roam__session_kick(s, &kick);
}

void roam__session_protocol_error(struct roam_session *s,
                                  roam_v1_ErrorCode code, const char *detail)
{
    roam_v1_Kick kick = roam_v1_Kick_init_zero;
    kick.reason = roam_v1_KickReason_PROTOCOL_ERROR;
    kick.error = code;
    snprintf(kick.detail, sizeof kick.detail, "%s", detail);
    roam__session_kick(s, &kick);
}

void roam__session_fenced(struct roam_session *s, bool unheld)
{
    roam__session_end(s, unheld ? roam_v1_KickReason_REVOKED
                                : roam_v1_KickReason_TAKEN_OVER);
}

void roam__session_no_memory(struct roam_session *s)
{
    roam__log(s->core, ROAM__ERROR, "no-memory peer=%s", s->peer);
    roam__session_end(s, roam_v1_KickReason_OVERLOADED);
}
