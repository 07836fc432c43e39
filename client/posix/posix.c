/* SPDX-License-Identifier: Apache-2.0 */
/* The driver: engine, link and store under one loop. How it is set up is in
 * posix_new.c. */
#include <stdio.h>
#include <string.h>

#include "driver.h"

#define NEVER UINT64_MAX
/* The longest wait that poll() is asked for; run() is called once more. */
#define WAIT_MAX_MS 3600000u

/* ------------------------------------------------------------------- time */

uint64_t roam__posix_clock_ms(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

uint64_t roam__posix_now_ms(const struct roam_posix *p)
{
    return p->config.clock_ms
               ? p->config.clock_ms(p->config.clock_context)
               : roam__posix_clock_ms(CLOCK_MONOTONIC) + p->clock_offset_ms;
}

uint64_t roam__posix_unix_ms(const struct roam_posix *p)
{
    return p->config.clock_ms ? roam__posix_now_ms(p)
                              : roam__posix_clock_ms(CLOCK_REALTIME);
}

uint32_t roam__posix_max_entries(const struct roam_posix *p)
{
    return p->config.max_entries ? p->config.max_entries : UINT32_MAX;
}

/* ------------------------------------------------------------- connection */

static void start_link(struct roam_posix *p)
{
    p->phase = CONNECTING;
    roam_link_start(&p->link, roam__posix_now_ms(p));
}

static enum roam_posix_status status_of_end(const struct roam_posix *p)
{
    if (p->failure != ROAM_POSIX_STATUS_OK) {
        return p->failure;
    }
    switch ((int)p->close.status) {
    case ROAM_STATUS_OK:
        return p->link.status;
    case ROAM_STATUS_SILENT:
        return ROAM_POSIX_STATUS_LOST;
    default:
        return ROAM_POSIX_STATUS_PROTOCOL;
    }
}

static const char *detail_of_end(const struct roam_posix *p)
{
    if (p->failure != ROAM_POSIX_STATUS_OK) {
        return p->failure_detail;
    }
    return p->close.status != ROAM_STATUS_OK ? roam_status_text(p->close.status)
                                             : p->link.detail;
}

/* Trying again does not help here: somebody must change something first. A
 * server that is not trusted is not meant: the next one may be. [TLS-8] */
static bool is_final(enum roam_posix_status status)
{
    return status == ROAM_POSIX_STATUS_ALPN ||
           status == ROAM_POSIX_STATUS_PLAIN_REMOTE ||
           status <= ROAM_POSIX_STATUS_MEMORY;
}

/* The link is gone, or has to go: tells the engine, and does what it says
 * about coming back. */
static void end_connection(struct roam_posix *p)
{
    struct roam_posix_event event;
    roam_link_stop(&p->link);
    roam_client_closed(&p->client, roam__posix_now_ms(p));
    roam__posix_settle(p);
    memset(&event, 0, sizeof event);
    event.type = ROAM_POSIX_DISCONNECTED;
    event.u.disconnected.status = status_of_end(p);
    snprintf(event.u.disconnected.detail, sizeof event.u.disconnected.detail,
             "%s", detail_of_end(p));
    p->phase = IDLE;
    if (p->close.reconnect && !p->closing &&
        p->failure == ROAM_POSIX_STATUS_OK &&
        !is_final(event.u.disconnected.status)) {
        uint64_t now = roam__posix_now_ms(p);
        p->phase = WAITING;
        p->reconnect_at_ms = p->close.reconnect_at_ms;
        event.u.disconnected.reconnect = true;
        event.u.disconnected.reconnect_in_ms =
            p->reconnect_at_ms > now ? p->reconnect_at_ms - now : 0;
    }
    memset(&p->close, 0, sizeof p->close);
    p->closing = false;
    p->out_at = p->out_len = 0;
    roam__posix_tell(p, &event, NULL);
    roam_events_commit(&p->events);
}

static void begin_session(struct roam_posix *p)
{
    p->phase = OPEN;
    p->out_at = p->out_len = 0;
    roam_meter_start(&p->meter);
    roam__posix_pages_begin(p);
    roam__posix_tell_simple(p, ROAM_POSIX_CONNECTED);
    (void)roam_client_open(&p->client, roam__posix_now_ms(p));
    roam__posix_log_in(p);
}

/* ------------------------------------------------------------ bytes in, out */

static void feed(struct roam_posix *p, size_t len)
{
    size_t at = 0;
    while (at < len) {
        ptrdiff_t n = roam_client_feed(&p->client, p->in + at, len - at,
                                       roam__posix_now_ms(p));
        roam__posix_drain(p);
        if (n < 0) {
            return;
        }
        at += (size_t)n;
    }
}

static void read_link(struct roam_posix *p)
{
    size_t total = 0;
    p->more = false;
    while (!p->close.wanted && p->failure == ROAM_POSIX_STATUS_OK) {
        if (total >= ROUND_BYTES) {
            p->more = true;
            return;
        }
        ptrdiff_t n = roam_link_read(&p->link, p->in, sizeof p->in);
        if (n <= 0) {
            return;
        }
        total += (size_t)n;
        roam_meter_bytes(&p->meter, p->in, (size_t)n);
        feed(p, (size_t)n);
    }
}

/* Takes the next bytes from the engine; false: none. TLS wants to be given
 * the same bytes again after it could not take them, so they are copied. */
static bool refill_out(struct roam_posix *p)
{
    struct roam_bytes pending = roam_client_pending(&p->client);
    if (pending.len == 0 || !roam__posix_mark_sent(p)) {
        return false;
    }
    p->out_len = pending.len < sizeof p->out ? pending.len : sizeof p->out;
    p->out_at = 0;
    memcpy(p->out, pending.data, p->out_len);
    roam_client_sent(&p->client, p->out_len, roam__posix_now_ms(p));
    return true;
}

void roam__posix_write(struct roam_posix *p)
{
    while (p->link.state == ROAM_LINK_UP &&
           p->failure == ROAM_POSIX_STATUS_OK) {
        if (p->out_at == p->out_len && !refill_out(p)) {
            return;
        }
        ptrdiff_t n = roam_link_write(&p->link, p->out + p->out_at,
                                      p->out_len - p->out_at);
        if (n <= 0) {
            return;
        }
        roam_meter_sent(&p->meter, (size_t)n);
        p->out_at += (size_t)n;
    }
}

/* ------------------------------------------------------------------- loop */

/* Ends what is not a connection yet. */
static void call_off(struct roam_posix *p)
{
    roam_link_stop(&p->link);
    p->link.status = ROAM_POSIX_STATUS_OK;
    p->link.detail[0] = '\0';
    end_connection(p);
}

void roam_posix_run(struct roam_posix *p)
{
    if (p->closing && p->phase != OPEN) {
        call_off(p);
    }
    if (p->phase == WAITING && roam__posix_now_ms(p) >= p->reconnect_at_ms) {
        start_link(p);
    }
    if (p->phase == CONNECTING) {
        roam_link_step(&p->link, roam__posix_now_ms(p));
        if (p->link.state == ROAM_LINK_UP) {
            begin_session(p);
        } else if (p->link.state == ROAM_LINK_DOWN) {
            end_connection(p);
        }
    }
    if (p->phase != OPEN) {
        return;
    }
    if (p->link.state == ROAM_LINK_UP) {
        read_link(p);
    }
    roam_client_tick(&p->client, roam__posix_now_ms(p));
    roam__posix_settle(p);
    if (p->failure == ROAM_POSIX_STATUS_OK) {
        roam__posix_fill_outbox(p);
    }
    roam__posix_ask(p);
    roam__posix_write(p);
    roam__posix_settle(
        p); /* writing may find a message that must not be sent */
    if (p->close.wanted || p->link.state == ROAM_LINK_DOWN ||
        p->failure != ROAM_POSIX_STATUS_OK) {
        end_connection(p);
    }
}

static uint64_t next_deadline(struct roam_posix *p)
{
    if (p->closing) {
        return 0;
    }
    switch (p->phase) {
    case IDLE:
        return NEVER;
    case WAITING:
        return p->reconnect_at_ms;
    case CONNECTING:
        return p->link.state == ROAM_LINK_DOWN
                   ? 0
                   : roam_link_deadline_ms(&p->link);
    case OPEN:
        break;
    }
    return p->more || p->close.wanted || p->link.state == ROAM_LINK_DOWN ||
                   p->failure != ROAM_POSIX_STATUS_OK
               ? 0
               : roam_client_deadline_ms(&p->client);
}

int roam_posix_poll(struct roam_posix *p, struct pollfd *fd)
{
    bool writing =
        p->phase == OPEN &&
        (p->out_at < p->out_len || roam_client_pending(&p->client).len > 0);
    roam_link_poll(&p->link, writing, fd);
    uint64_t deadline = next_deadline(p);
    if (deadline == NEVER) {
        return -1;
    }
    uint64_t now = roam__posix_now_ms(p);
    if (deadline <= now) {
        return 0;
    }
    uint64_t wait = deadline - now;
    return (int)(wait < WAIT_MAX_MS ? wait : WAIT_MAX_MS);
}

void roam_posix_work(struct roam_posix *p)
{
    struct pollfd fd;
    int due, wait, ready;
    do {
        roam_posix_run(p);
        due = roam_posix_poll(p, &fd);
        wait = p->phase != CONNECTING ? 0 : p->config.clock_ms ? -1 : due;
        ready = poll(&fd, 1, wait);
    } while (ready > 0 || due == 0 || p->phase == CONNECTING);
}

bool roam_posix_next_event(struct roam_posix *p, struct roam_posix_event *event)
{
    return roam_events_next(&p->events, event);
}

/* ---------------------------------------------------------------- session */

void roam_posix_connect(struct roam_posix *p)
{
    if (p->failure == ROAM_POSIX_STATUS_OK &&
        (p->phase == IDLE || p->phase == WAITING)) {
        start_link(p);
    }
}

enum roam_posix_status roam_posix_take_over(struct roam_posix *p,
                                            uint64_t generation)
{
    if (generation > INT64_MAX) {
        return ROAM_POSIX_STATUS_BAD_ARGUMENT;
    }
    bool open = p->phase == OPEN && !p->close.wanted;
    if (roam_client_logged_in(&p->client) || (open && p->logging_in)) {
        return ROAM_POSIX_STATUS_BAD_STATE;
    }
    p->take_over = generation;
    if (open && p->link.state == ROAM_LINK_UP) {
        roam__posix_log_in(p);
        roam__posix_settle(p);
        roam__posix_write(p);
    } else {
        roam_posix_connect(p);
    }
    return ROAM_POSIX_STATUS_OK;
}

enum roam_posix_status roam_posix_logout(struct roam_posix *p)
{
    if (roam_client_logout(&p->client, roam__posix_now_ms(p)) !=
        ROAM_STATUS_OK) {
        return ROAM_POSIX_STATUS_BAD_STATE;
    }
    roam__posix_write(p);
    return ROAM_POSIX_STATUS_OK;
}

void roam_posix_close(struct roam_posix *p)
{
    if (p->phase == IDLE) {
        return;
    }
    roam_client_close(&p->client, roam__posix_now_ms(p));
    p->closing = true;
}

bool roam_posix_logged_in(const struct roam_posix *p)
{
    return roam_client_logged_in(&p->client);
}

enum roam_posix_status roam_posix_stored(struct roam_posix *p, uint64_t version)
{
    if (!p->config.says_stored) {
        return ROAM_POSIX_STATUS_BAD_STATE;
    }
    if (roam_client_stored(&p->client, version, roam__posix_now_ms(p)) !=
        ROAM_STATUS_OK) {
        return ROAM_POSIX_STATUS_BAD_ARGUMENT;
    }
    roam__posix_settle(p);
    roam__posix_write(p);
    return ROAM_POSIX_STATUS_OK;
}

bool roam_posix_connected(const struct roam_posix *p)
{
    return p->phase == OPEN;
}

uint64_t roam_posix_reconnect_ms(const struct roam_posix *p)
{
    uint64_t now = roam__posix_now_ms(p);
    if (p->phase != WAITING) {
        return NEVER;
    }
    return p->reconnect_at_ms > now ? p->reconnect_at_ms - now : 0;
}

uint64_t roam_posix_cursor(const struct roam_posix *p)
{
    return roam_client_cursor(&p->client);
}

/* ---------------------------------------------------------------- reading */

struct roam_local *roam_posix_store(struct roam_posix *p)
{
    return p->store;
}

void roam_posix_stats(const struct roam_posix *p,
                      struct roam_posix_stats *stats)
{
    *stats = p->meter.stats;
}
