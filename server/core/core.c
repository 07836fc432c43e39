/* SPDX-License-Identifier: Apache-2.0 */
/* The core as a whole: settings, the store's answers, time, the drain. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "session.h"

#define SECOND_MS 1000u

void roam_core_config_default(struct roam_core_config *config)
{
    memset(config, 0, sizeof *config);
    config->max_body = 65536;   /* text and descriptors, not files */
    config->max_frame = 66560;  /* such a body and all around it, rounded */
    config->max_commands = 64;  /* a round trip's worth from one person */
    config->max_unacked = 8192; /* 64 KiB of window for a device at most */
    /* Deflate gains little from more, and it bounds one read of the log. */
    config->max_inflated = 262144;
    config->heartbeat_ms = 60 * SECOND_MS; /* below NAT timeouts of minutes */
    config->login_timeout_ms = 10 * SECOND_MS;     /* [TIME-4] */
    config->decision_timeout_ms = 120 * SECOND_MS; /* [TIME-4] */
    config->write_timeout_ms = 30 * SECOND_MS;     /* [TIME-5] */
    config->drain_ms = 5 * SECOND_MS; /* operators wait for it at a restart */
    config->retry_window_ms = 10 * SECOND_MS;
    /* Two full batches of a good client; a stuck one costs this much. */
    config->output_max_bytes = 524288;
    config->max_sessions = 20000; /* below usual limits on open files */
    config->dedup_ms = 7ull * 86400 * SECOND_MS; /* a week offline */
}

static void raise(uint32_t *setting, uint32_t least)
{
    *setting = *setting < least ? least : *setting;
}

/* Settings that no client would take, or that contradict each other, are
 * moved to where they do not: a body that is accepted must fit a frame, a
 * batch, and half the output. */
static void settle(struct roam_core_config *config)
{
    raise(&config->max_body, 1);
    if (config->max_body > ROAM_FRAME_MAX - ROAM_ENTRY_OVERHEAD) {
        config->max_body = ROAM_FRAME_MAX - ROAM_ENTRY_OVERHEAD;
    }
    uint32_t entry = config->max_body + ROAM_ENTRY_OVERHEAD;
    raise(&config->max_frame, entry);
    raise(&config->max_frame, ROAM_FRAME_MIN);
    raise(&config->max_inflated, entry);
    raise(&config->max_inflated, ROAM_INFLATED_MIN);
    raise(&config->max_unacked, ROAM_UNACKED_MIN);
    raise(&config->max_commands, 1);
    raise(&config->heartbeat_ms, ROAM_HEARTBEAT_MIN_MS);
    if (config->dedup_ms == 0) {
        config->dedup_ms = 1;
    }
    size_t frame = entry < ROAM_FRAME_MIN ? ROAM_FRAME_MIN : entry;
    size_t output = 2 * (frame + ROAM_FRAME_HEADER_BYTES);
    if (config->output_max_bytes < output) {
        config->output_max_bytes = output;
    }
}

struct roam_core *roam_core_new(const struct roam_core_config *config)
{
    struct roam_core *core = roam__alloc(sizeof *core);
    if (core == NULL) {
        return NULL;
    }
    core->config = *config;
    settle(&core->config);
    core->packer = roam_packer_new();
    if (core->packer == NULL) {
        free(core);
        return NULL;
    }
    return core;
}

void roam_core_free(struct roam_core *core)
{
    if (core == NULL) {
        return;
    }
    while (core->sessions != NULL) {
        struct roam_session *s = core->sessions;
        if (!s->closed) {
            roam__session_release(s);
            roam__output_close(&s->out);
        }
        roam__session_free(s);
    }
    roam__users_close(core);
    roam_packer_free(core->packer);
    free(core->timers);
    free(core->scratch);
    free(core);
}

enum roam_store_status roam_core_poll(struct roam_core *core,
                                      struct roam_now now)
{
    core->now = now;
    struct roam_store *store = core->config.store;
    enum roam_store_status status = store->ops->poll(store);
    if (status != ROAM_STORE_OK) {
        roam__log(core, ROAM__ERROR, "store-failed outcome=unknown");
    }
    return status;
}

void roam_core_tick(struct roam_core *core, struct roam_now now)
{
    core->now = now;
    roam__timers_run(core);
}

void roam_core_drain(struct roam_core *core, struct roam_now now)
{
    core->now = now;
    if (core->draining) {
        return;
    }
    core->draining = true;
    core->drain_by_ms = now.mono_ms + core->config.drain_ms;
    roam__log(core, ROAM__INFO, "drain connections=%u",
              (unsigned)core->stats.connections);
    for (struct roam_session *s = core->sessions; s != NULL; s = s->next) {
        if (s->closed) {
            continue;
        }
        if (s->state != ROAM__ENDING && s->writes > 0) {
            s->deaf = true; /* its answers come first [KICK-10] */
        }
        s->end_by_ms = core->drain_by_ms;
        roam__timers_update(s);
        if (!s->deaf) {
            roam__session_end(s, roam_v1_KickReason_GOING_AWAY);
        }
    }
}

bool roam_core_drained(const struct roam_core *core)
{
    return core->draining && core->stats.connections == 0;
}

void roam_core_get_stats(const struct roam_core *core,
                         struct roam_core_stats *out)
{
    *out = core->stats;
}

uint64_t roam__stored_now(const struct roam_core *core)
{
    uint64_t wall = core->now.wall_ms;
    return wall > ROAM_EPOCH_UNIX_MS ? wall - ROAM_EPOCH_UNIX_MS : 0;
}
