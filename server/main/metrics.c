/* SPDX-License-Identifier: Apache-2.0 */
/* The counts of core, loop and store as Prometheus's text, format 0.0.4.
 * Counters start at 0 with the process. */
#include "run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "../store/store_sqlite.h"
#include "commands.h"
#include "roam.pb.h"

struct text {
    char *out;
    size_t cap;
    size_t len; /* above cap: it did not fit */
};

static void put(struct text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *format, ...)
{
    va_list args;
    size_t room = t->len < t->cap ? t->cap - t->len : 0;

    va_start(args, format);
    int n = vsnprintf(room == 0 ? NULL : t->out + t->len, room, format, args);
    va_end(args);
    t->len += n > 0 ? (size_t)n : 0;
}

static void head(struct text *t, const char *name, const char *type,
                 const char *help)
{
    put(t, "# HELP roam_%s %s\n# TYPE roam_%s %s\n", name, help, name, type);
}

static void counter(struct text *t, const char *name, const char *help,
                    uint64_t n)
{
    head(t, name, "counter", help);
    put(t, "roam_%s %" PRIu64 "\n", name, n);
}

static void gauge(struct text *t, const char *name, const char *help,
                  uint64_t n)
{
    head(t, name, "gauge", help);
    put(t, "roam_%s %" PRIu64 "\n", name, n);
}

/* ---------------------------------------------------------------- by reason */

static const char *const kicks[] = {
    "UNSPECIFIED",   "TAKEN_OVER", "SUPERSEDED",     "LOGGED_OUT",
    "GOING_AWAY",    "TOO_SLOW",   "PROTOCOL_ERROR", "IDLE",
    "LOGIN_TIMEOUT", "OVERLOADED", "REVOKED",        "EXPIRED",
    "RESYNC",        "TOO_FAST"};
static const char *const refusals[] = {
    "UNSPECIFIED",   "OCCUPIED",       "KICKED",
    "FREE",          "STALE",          "CREDENTIAL",
    "TOKEN_EXPIRED", "TYPE_FORBIDDEN", "PROTOCOL_VERSION",
    "TOKEN_BOUND",   "THROTTLED"};
#define COUNT(names) (sizeof(names) / sizeof((names)[0]))

_Static_assert(COUNT(kicks) == _roam_v1_KickReason_ARRAYSIZE, "all by name");
_Static_assert(COUNT(refusals) == _roam_v1_RefusedReason_ARRAYSIZE,
               "all by name");

/* Also those that never were, so that a rate can be taken from the start. */
static void by_reason(struct text *t, const char *name, const char *help,
                      const char *const *names, size_t count,
                      const uint64_t *counts)
{
    head(t, name, "counter", help);
    for (size_t i = 1; i < count; i++) {
        put(t, "roam_%s{reason=\"%s\"} %" PRIu64 "\n", name, names[i],
            counts[i]);
    }
}

/* ---------------------------------------------------------------- the parts */

static void put_core(struct text *t, const struct roam_core_stats *s)
{
    gauge(t, "connections", "Connections, logged in or not.", s->connections);
    gauge(t, "sessions", "Connections that are logged in.", s->sessions);
    gauge(t, "timers", "Connections that have a deadline.", s->timers);
    gauge(t, "output_bytes", "Output that waits for all sessions.",
          s->output_bytes);
    counter(t, "logins_total", "Logins that were granted.", s->logins);
    by_reason(t, "refusals_total", "Logins that were refused.", refusals,
              COUNT(refusals), s->refused);
    by_reason(t, "kicks_total", "Sessions and connections that were ended.",
              kicks, COUNT(kicks), s->kicked);
    counter(t, "sends_total", "SENDs that were stored.", s->sends);
    counter(t, "duplicates_total", "SENDs that had been stored before.",
            s->duplicates);
    counter(t, "pushes_total", "Entries that were sent alone.", s->pushes);
    counter(t, "batches_total", "Batches that were sent.", s->batches);
    counter(t, "packed_bytes_total", "What was packed, before it was deflated.",
            s->packed_bytes);
    counter(t, "protocol_errors_total", "Connections ended for an error.",
            s->protocol_errors);
    counter(t, "rate_limited_total", "Commands answered RATE_LIMITED.",
            s->rate_limited);
    counter(t, "turned_away_total",
            "Connections closed because their address makes too many.",
            s->turned_away);
}

static void put_net(struct text *t, const struct roam_net_stats *s)
{
    counter(t, "accepted_total", "Connections that were accepted.",
            s->accepted);
    head(t, "tls_handshakes_total", "counter", "TLS handshakes that ended.");
    put(t, "roam_tls_handshakes_total{result=\"done\"} %" PRIu64 "\n",
        s->handshakes);
    put(t, "roam_tls_handshakes_total{result=\"failed\"} %" PRIu64 "\n",
        s->handshakes_failed);
    counter(t, "received_bytes_total", "Bytes from clients, as on the wire.",
            s->bytes_in);
    counter(t, "sent_bytes_total", "Bytes to clients, as on the wire.",
            s->bytes_out);
}

static void put_commits(struct text *t, const struct roam_store_sqlite_stats *s)
{
    uint64_t sum = 0;

    head(t, "store_commit_seconds", "histogram",
         "How long a commit took until it was on the disk.");
    for (size_t i = 0; i < ROAM_COMMIT_BOUNDS; i++) {
        sum += s->commits_by_time[i];
        put(t, "roam_store_commit_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
            roam_commit_bounds_us[i] / 1e6, sum);
    }
    put(t, "roam_store_commit_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n",
        s->commits);
    put(t, "roam_store_commit_seconds_sum %.6f\n", (double)s->commits_us / 1e6);
    put(t, "roam_store_commit_seconds_count %" PRIu64 "\n", s->commits);
}

static void put_store(struct text *t, const struct roam_store_sqlite_stats *s)
{
    head(t, "store_queue_length", "gauge", "Requests that wait for the store.");
    put(t, "roam_store_queue_length{lane=\"write\"} %" PRIu64 "\n",
        s->writes_waiting);
    put(t, "roam_store_queue_length{lane=\"read\"} %" PRIu64 "\n",
        s->reads_waiting);
    counter(t, "store_lock_waits_total",
            "Times that another process's lock was waited for.", s->lock_waits);
    put_commits(t, s);
}

size_t roamd_run_metrics(void *ctx, char *out, size_t cap)
{
    const struct roamd_run *r = ctx;
    struct text t = {.out = out, .cap = cap};
    struct roam_core_stats core;
    struct roam_net_stats net;
    struct roam_store_sqlite_stats store;

    roam_core_get_stats(r->core, &core);
    roam_net_get_stats(r->net, &net);
    roam_store_sqlite_get_stats(r->store, &store);
    head(&t, "build_info", "gauge", "Always 1; the version of the program.");
    put(&t, "roam_build_info{version=\"%s\"} 1\n", roamd_version);
    head(&t, "start_time_seconds", "gauge", "Unix time of the start.");
    put(&t, "roam_start_time_seconds %" PRIu64 ".%03u\n", r->started_ms / 1000,
        (unsigned)(r->started_ms % 1000));
    put_core(&t, &core);
    put_net(&t, &net);
    put_store(&t, &store);
    return t.len < cap ? t.len : 0; /* half of it would mislead */
}
