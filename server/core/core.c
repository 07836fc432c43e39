/* SPDX-License-Identifier: Apache-2.0 */
/* The core as a whole: settings, the store's answers, time, the drain. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "session.h"

#define SECOND_MS 1000u

/* Far above what people do, so that only what runs amok meets them. */
static void default_limits(struct roam_core_config *config)
{
    static const struct roam_rate user_rates[ROAM_USER_RATES] = {
        [ROAM_RATE_LOGINS] = {2000, 200 * SECOND_MS},
        [ROAM_RATE_SYNCS] = {2000, 200 * SECOND_MS},
        [ROAM_RATE_SENDS] = {10000, 20 * SECOND_MS},
        [ROAM_RATE_SEND_BYTES] = {64u << 20, 16 * SECOND_MS},
        /* Twenty a second to a group of 500. */
        [ROAM_RATE_DELIVERIES] = {1000000, 100 * SECOND_MS},
        [ROAM_RATE_PAGES] = {10000, 100 * SECOND_MS},
        [ROAM_RATE_BACKLOG_BYTES] = {128u << 20, 64 * SECOND_MS},
    };
    static const struct roam_rate address_rates[ROAM_ADDRESS_RATES] = {
        /* A company behind one address comes back after a restart. */
        [ROAM_RATE_CONNECTIONS] = {1000, 50 * SECOND_MS},
        [ROAM_RATE_ADDRESS_LOGINS] = {1000, 50 * SECOND_MS},
    };
    memcpy(config->user_rates, user_rates, sizeof user_rates);
    memcpy(config->address_rates, address_rates, sizeof address_rates);
    /* A person who mistypes; a token of 256 bits is not guessed anyway. */
    config->login_failures = (struct roam_rate){10, 100 * SECOND_MS};
    config->session_cost = (struct roam_rate){20000, 10 * SECOND_MS};
    config->max_strangers = 4096; /* they cost a buffer and 10 s each */
    config->max_strangers_address = 256;
    config->output_total_bytes = 256u << 20;
}

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
    config->timeline_ms = 7ull * 86400 * SECOND_MS;
    config->timeline_entries = 10000;
    config->history_ms = 90ull * 86400 * SECOND_MS;
    config->watch_ms = 2 * SECOND_MS; /* [DEV-2] says 5 s */
    config->trim_ms = 60 * SECOND_MS;
    /* What was said yesterday has been read. */
    config->store_settings.recall_ms = 86400ull * SECOND_MS;
    config->store_settings.max_members = 200; /* people who know each other */
    config->store_settings.max_groups = 1000; /* more than anybody reads */
    config->store_settings.announce_devices = true; /* [DEV-7] */
    default_limits(config);
}

static void raise(uint32_t *setting, uint32_t least)
{
    *setting = *setting < least ? least : *setting;
}

static void settle_rate(struct roam_rate *rate)
{
    raise(&rate->fill_ms, 1);
    if (rate->burst > ROAM_RATE_BURST_MAX) {
        rate->burst = ROAM_RATE_BURST_MAX;
    }
    if (rate->fill_ms > ROAM_RATE_FILL_MAX_MS) {
        rate->fill_ms = ROAM_RATE_FILL_MAX_MS;
    }
}

/* A delivery pauses for less than half of the heartbeat whatever is owed
 * [FLOW-8]. What one read takes is there again within this part of it, so that
 * a user's devices run up no debt that never ends. */
#define BACKLOG_PAUSE_PART 16u

static void settle_limits(struct roam_core_config *config)
{
    for (unsigned i = 0; i < ROAM_USER_RATES; i++) {
        settle_rate(&config->user_rates[i]);
    }
    for (unsigned i = 0; i < ROAM_ADDRESS_RATES; i++) {
        settle_rate(&config->address_rates[i]);
    }
    settle_rate(&config->login_failures);
    settle_rate(&config->session_cost);
    struct roam_rate *backlog = &config->user_rates[ROAM_RATE_BACKLOG_BYTES];
    uint64_t least = (uint64_t)config->max_inflated * backlog->fill_ms /
                     (config->heartbeat_ms / BACKLOG_PAUSE_PART);
    if (backlog->burst != 0 && backlog->burst < least) {
        backlog->burst =
            least < ROAM_RATE_BURST_MAX ? (uint32_t)least : ROAM_RATE_BURST_MAX;
    }
    raise(&config->max_strangers, 1);
    raise(&config->max_strangers_address, 1);
    if (config->output_total_bytes < 2 * config->output_max_bytes) {
        config->output_total_bytes = 2 * config->output_max_bytes;
    }
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
    settle_limits(config);
}

struct roam_core *roam_core_new(const struct roam_core_config *config)
{
    struct roam_core *core = roam__alloc(sizeof *core);
    if (core == NULL) {
        return NULL;
    }
    core->config = *config;
    settle(&core->config);
    roam__retention_open(core);
    core->packer = roam_packer_new();
    if (core->packer == NULL || !roam__flow_open(core)) {
        roam_core_free(core);
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
    roam__flow_close(core);
    roam_packer_free(core->packer);
    free(core->timers);
    free(core->scratch);
    free(core);
}

uint8_t *roam__core_scratch(struct roam_core *core, size_t len)
{
    if (core->scratch_room < len) {
        uint8_t *scratch = roam__resize(core->scratch, len);
        if (scratch == NULL) {
            return NULL;
        }
        core->scratch = scratch;
        core->scratch_room = len;
    }
    return core->scratch;
}

static void take_over_limits(struct roam_core_config *to,
                             const struct roam_core_config *from)
{
    memcpy(to->user_rates, from->user_rates, sizeof to->user_rates);
    memcpy(to->address_rates, from->address_rates, sizeof to->address_rates);
    to->login_failures = from->login_failures;
    to->session_cost = from->session_cost;
    to->max_strangers = from->max_strangers;
    to->max_strangers_address = from->max_strangers_address;
    to->output_total_bytes = from->output_total_bytes;
}

void roam_core_change(struct roam_core *core,
                      const struct roam_core_config *config,
                      struct roam_now now)
{
    core->now = now;
    core->config.max_sessions = config->max_sessions;
    core->config.login_timeout_ms = config->login_timeout_ms;
    core->config.decision_timeout_ms = config->decision_timeout_ms;
    core->config.write_timeout_ms = config->write_timeout_ms;
    core->config.drain_ms = config->drain_ms;
    core->config.retry_window_ms = config->retry_window_ms;
    take_over_limits(&core->config, config);
    settle(&core->config);
    for (struct roam_session *s = core->sessions; s != NULL; s = s->next) {
        if (!s->closed) {
            roam__timers_update(s); /* output may be stuck for too long now */
        }
    }
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
    roam__output_relieve(core);
    return status;
}

void roam_core_tick(struct roam_core *core, struct roam_now now)
{
    core->now = now;
    roam__timers_run(core);
    roam__watch_run(core);
    roam__retention_run(core);
    roam__output_relieve(core);
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
            s->read_again_ms = 0;
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
    out->output_bytes = core->output_bytes;
    out->timers = core->timer_count;
}

uint64_t roam__stored_now(const struct roam_core *core)
{
    uint64_t wall = core->now.wall_ms;
    return wall > ROAM_EPOCH_UNIX_MS ? wall - ROAM_EPOCH_UNIX_MS : 0;
}
