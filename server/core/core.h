/* SPDX-License-Identifier: Apache-2.0 */
/* The server without I/O: sessions, slots, delivery. Takes bytes and time,
 * gives bytes and a deadline. The loop in server/net/, the simulator and the
 * fuzzers run the same code.
 *
 * Seams: transport (feed/pending/sent), clock (struct roam_now), store
 * (store.h, which also draws what is random), log (config). Nothing else
 * reaches outside.
 *
 * One thread. A session is one connection, logged in or not. After any call
 * that may produce output, drain roam_core_next_ready(). Spec: sections 3
 * to 9. */
#ifndef ROAM_CORE_H
#define ROAM_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"
#include "store.h"

struct roam_now {
    uint64_t mono_ms; /* monotonic; only for deadlines */
    uint64_t wall_ms; /* Unix time in ms; only for msg_id and `since` */
};

/* A log line: event name and key=value pairs, already formatted; never a
 * token, never a body. level: 0 error, 1 warning, 2 info, 3 debug. */
typedef void (*roam_log_fn)(void *ctx, int level, const char *line);
/* Fills out with len random bytes. */
typedef void (*roam_random_fn)(void *ctx, uint8_t *out, size_t len);

/* `burst` units at once, and as many again in fill_ms. burst 0: no limit. */
struct roam_rate {
    uint32_t burst;   /* up to ROAM_RATE_BURST_MAX */
    uint32_t fill_ms; /* 1..ROAM_RATE_FILL_MAX_MS */
};
#define ROAM_RATE_BURST_MAX 0x40000000u
#define ROAM_RATE_FILL_MAX_MS 86400000u

/* What a user may do, on all devices together. */
enum roam_user_rate {
    ROAM_RATE_LOGINS, /* with a good credential */
    ROAM_RATE_SYNCS,
    ROAM_RATE_SENDS,
    ROAM_RATE_SEND_BYTES,
    ROAM_RATE_DELIVERIES,    /* entries that its SENDs made, of all users */
    ROAM_RATE_PAGES,         /* and other questions */
    ROAM_RATE_BACKLOG_BYTES, /* read for deliveries and pages */
    ROAM_USER_RATES
};

/* What an address may do. */
enum roam_address_rate {
    ROAM_RATE_CONNECTIONS,
    ROAM_RATE_ADDRESS_LOGINS,
    ROAM_ADDRESS_RATES
};

struct roam_core_config {
    struct roam_store *store; /* kept; closed by its owner, after the core */
    roam_log_fn log;          /* may be NULL */
    void *log_ctx;
    uint32_t max_frame;           /* bytes accepted from a logged-in client */
    uint32_t max_body;            /* bytes of a SEND's body */
    uint32_t max_commands;        /* unanswered commands a session may have */
    uint32_t max_unacked;         /* cap on what a SYNC asks for, entries */
    uint32_t max_inflated;        /* cap on what SYNC and page requests
                                     ask for, bytes */
    uint32_t heartbeat_ms;        /* told to clients; idle end after 2.5 x */
    uint32_t login_timeout_ms;    /* from connect to a good credential */
    uint32_t decision_timeout_ms; /* from then to LOGIN_OK (a person thinks) */
    uint32_t write_timeout_ms;    /* output stuck this long: TOO_SLOW */
    uint32_t drain_ms;            /* GOING_AWAY: time to flush */
    uint32_t retry_window_ms; /* GOING_AWAY, OVERLOADED: spread of returns */
    size_t output_max_bytes;  /* per session; delivery stops above it */
    uint32_t max_sessions;    /* connections; above: KICK OVERLOADED */
    uint64_t dedup_ms;        /* told to clients, as the next three are */
    uint64_t timeline_ms;     /* 0: without limit, here and below */
    uint32_t timeline_entries;
    uint64_t history_ms;
    uint32_t watch_ms; /* between looks for revoked tokens; 0: never */
    uint32_t trim_ms;  /* from the end of one round of trimming to the next;
                          0: the core asks for none */
    /* What the store was opened with; recall_ms and
       max_members are told to clients. */
    struct roam_store_settings store_settings;

    /* Against abuse; spec, section 9.1. */
    struct roam_rate user_rates[ROAM_USER_RATES];
    struct roam_rate address_rates[ROAM_ADDRESS_RATES];
    struct roam_rate login_failures; /* of an address under one user's name */
    struct roam_rate session_cost;   /* frames and tiny reads; TOO_FAST */
    uint32_t max_strangers;          /* connections without a credential */
    uint32_t max_strangers_address;  /* of these, of one address */
    size_t output_total_bytes;       /* that waits for all sessions together */
    uint8_t hash_key[16];            /* secret: places in the tables */
};
/* The defaults, each with its reason in core.c. */
void roam_core_config_default(struct roam_core_config *config);

struct roam_core;
struct roam_session;

/* NULL without memory. config copied; what is below the protocol's least
 * values, or too small for max_body, is raised. */
struct roam_core *roam_core_new(const struct roam_core_config *config);
void roam_core_free(struct roam_core *core);

/* Takes over those of the settings that may change under live sessions, which
 * were not told of them: max_sessions, the times before a session, of stuck
 * output and of the end, the rates and other limits against abuse. A rate's
 * debts are weighed anew. config borrowed. */
void roam_core_change(struct roam_core *core,
                      const struct roam_core_config *config,
                      struct roam_now now);

/* A connection arrived. `peer` (copied, at most 63 bytes) is for the log.
 * address stands for where it comes from, and is what limits for addresses
 * go by; 0: they do not apply. NULL, without memory or when there are far
 * too many: close the connection. */
struct roam_session *roam_core_accept(struct roam_core *core, const char *peer,
                                      uint64_t address, struct roam_now now);

/* Bytes from the peer; all are taken, at any split. data borrowed. len 0: the
 * peer sent something that made no byte, which has its cost. */
void roam_session_feed(struct roam_session *s, const uint8_t *data, size_t len,
                       struct roam_now now);
/* The bytes to be sent next; len 0: none. Borrowed until the next call. */
struct roam_slice roam_session_pending(struct roam_session *s);
/* The transport took the first n of them. */
void roam_session_sent(struct roam_session *s, size_t n, struct roam_now now);
/* The longest payload that its client takes, as far as it has said, bytes. */
uint32_t roam_session_peer_max_frame(const struct roam_session *s);
/* True once the session is over and its output sent (or given up): the
 * transport must be closed, then roam_session_closed() called. */
bool roam_session_finished(const struct roam_session *s);
/* The transport is gone. Frees s (after its store requests, if any). */
void roam_session_closed(struct roam_session *s, struct roam_now now);
/* The loop's own pointer to its connection. */
void roam_session_set_owner(struct roam_session *s, void *owner);
void *roam_session_owner(const struct roam_session *s);

/* The next session that has new output or is finished; NULL when all were
 * told. Each is told once until it changes again. */
struct roam_session *roam_core_next_ready(struct roam_core *core);

/* Handles finished store requests. ROAM_STORE_FAILED: end the process. */
enum roam_store_status roam_core_poll(struct roam_core *core,
                                      struct roam_now now);
/* Time passed; call at or after the deadline. */
void roam_core_tick(struct roam_core *core, struct roam_now now);
/* Earliest mono_ms at which tick() has work; UINT64_MAX: none. */
uint64_t roam_core_deadline(const struct roam_core *core);

/* SIGTERM: KICK GOING_AWAY to all, refuse newcomers; what is already in the
 * store's queue is committed and answered first. */
void roam_core_drain(struct roam_core *core, struct roam_now now);
/* True when the last session is gone after a drain. */
bool roam_core_drained(const struct roam_core *core);

/* Room for each reason's own count. */
#define ROAM_STATS_REASONS 32

struct roam_core_stats {
    uint32_t connections;
    uint32_t sessions; /* logged in */
    uint32_t timers;   /* connections that have a deadline */
    uint64_t logins, refusals, kicks, sends, duplicates, pushes, batches,
        protocol_errors;
    uint64_t rate_limited;               /* commands answered so */
    uint64_t throttled;                  /* refusals for this reason */
    uint64_t turned_away;                /* connections of too busy addresses */
    uint64_t too_fast;                   /* KICKs for this reason */
    uint64_t packed_bytes;               /* given to the packer, inflated */
    uint64_t output_bytes;               /* wait for all sessions, now */
    uint64_t kicked[ROAM_STATS_REASONS]; /* by roam_v1_KickReason */
    uint64_t refused[ROAM_STATS_REASONS]; /* by roam_v1_RefusedReason */
};
void roam_core_get_stats(const struct roam_core *core,
                         struct roam_core_stats *out);

#endif
