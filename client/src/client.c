/* SPDX-License-Identifier: Apache-2.0 */
/* The public calls that set up, open, log in and end; contracts in roam.h.
 * Bytes in are in receive.c, bytes out in transmit.c, events in events.c,
 * entries in delivery.c, pages in page.c, SENDs in outbox.c, time in
 * timers.c. */
#include <string.h>

#include "engine.h"
#include "utf8.h"

#define ANSWER_TIMEOUT_MS 10000u /* TIME-3 */
#define BACKOFF_FIRST_MS 500u    /* TIME-6 */
#define BACKOFF_MAX_MS 60000u    /* TIME-6 */

/* The public struct must hold the private one. */
typedef char roam__storage_fits
    [sizeof(struct roam__engine) <= sizeof(struct roam_client) ? 1 : -1];

struct roam__engine *roam__engine(struct roam_client *c)
{
    return (struct roam__engine *)(void *)c->private_storage;
}

const struct roam__engine *roam__engine_const(const struct roam_client *c)
{
    return (const struct roam__engine *)(const void *)c->private_storage;
}

const char *roam_status_text(enum roam_status status)
{
    switch (status) {
#define ROAM_STATUS_CASE(name, value, text)                                    \
    case ROAM_STATUS_##name:                                                   \
        return text;
        ROAM_STATUS_LIST(ROAM_STATUS_CASE)
#undef ROAM_STATUS_CASE
    }
    return "unknown status";
}

void roam__now(struct roam__engine *e, uint64_t now_ms)
{
    if (now_ms > e->now_ms) {
        e->now_ms = now_ms;
    }
}

bool roam__in_session(const struct roam__engine *e)
{
    return e->state == ST_SYNC || e->state == ST_LIVE;
}

struct roam_slice roam__slice(struct roam_bytes b)
{
    struct roam_slice s = {b.data, b.len};
    return s;
}

struct roam_bytes roam__bytes(struct roam_slice s)
{
    struct roam_bytes b = {s.data, s.len};
    return b;
}

/* ------------------------------------------------------------------ init */

/* NULL counts as empty. */
static bool text_ok(const char *s, size_t min, size_t max)
{
    size_t len = 0;
    while (s != NULL && len <= max && s[len] != '\0') {
        len++;
    }
    return len >= min && len <= max && (len == 0 || roam_utf8_valid(s, len));
}

static bool values_ok(const struct roam_client_config *c)
{
    return text_ok(c->user, 1, ROAM_USER_MAX) &&
           text_ok(c->token, 1, ROAM_TOKEN_MAX) &&
           text_ok(c->device_name, 0, ROAM_DEVICE_NAME_MAX) &&
           text_ok(c->software, 0, ROAM_SOFTWARE_MAX) &&
           c->device_type >= ROAM_PHONE && c->device_type <= ROAM_EMBEDDED &&
           c->cursor <= ROAM_VERSION_MAX &&
           c->max_unacked >= ROAM_UNACKED_MIN &&
           c->max_unacked <= ROAM_UNACKED_MAX && c->rx != NULL &&
           c->tx != NULL && c->inflated != NULL &&
           (c->outbox != NULL || c->outbox_count == 0);
}

static bool times_ok(const struct roam_client_config *c)
{
    return c->backoff_first_ms <= BACKOFF_FIRST_MS &&
           c->backoff_max_ms <= BACKOFF_MAX_MS &&
           c->backoff_first_ms <= c->backoff_max_ms;
}

static size_t at_most(size_t n, size_t max)
{
    return n < max ? n : max;
}

/* Defaults, and buffers cut to what the protocol can name. */
static void complete(struct roam_client_config *c)
{
    if (c->answer_timeout_ms == 0) {
        c->answer_timeout_ms = ANSWER_TIMEOUT_MS;
    }
    if (c->backoff_first_ms == 0) {
        c->backoff_first_ms = BACKOFF_FIRST_MS;
    }
    if (c->backoff_max_ms == 0) {
        c->backoff_max_ms = BACKOFF_MAX_MS;
    }
    c->rx_bytes =
        at_most(c->rx_bytes, ROAM_FRAME_MAX + ROAM_FRAME_HEADER_BYTES);
    c->inflated_bytes = at_most(c->inflated_bytes, ROAM_INFLATED_MAX);
}

enum roam_status roam_client_init(struct roam_client *c,
                                  const struct roam_client_config *config)
{
    struct roam_client_config all = *config;
    complete(&all);
    if (!values_ok(&all) || !times_ok(&all)) {
        return ROAM_STATUS_BAD_ARGUMENT;
    }
    if (all.rx_bytes < ROAM_RX_BYTES_MIN || all.tx_bytes < ROAM_TX_BYTES_MIN ||
        all.inflated_bytes < ROAM_INFLATED_BYTES_MIN) {
        return ROAM_STATUS_BUFFER_SIZE;
    }
    struct roam__engine *e = roam__engine(c);
    memset(e, 0, sizeof *e);
    e->config = all;
    e->random = (uint32_t)(all.random_seed ^ all.random_seed >> 32);
    e->cursor = all.cursor;
    e->received = all.cursor;
    e->since_ms = ROAM__NEVER;
    for (size_t i = 0; i < all.outbox_count; i++) {
        memset(&all.outbox[i], 0, sizeof all.outbox[i]);
    }
    return ROAM_STATUS_OK;
}

/* ------------------------------------------------------------ connection */

enum roam_status roam_client_open(struct roam_client *c, uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    roam__now(e, now_ms);
    if (roam__edge_find((enum roam__state)e->state, ON_CONNECTED) == NULL ||
        e->owes != 0) {
        return ROAM_STATUS_BAD_STATE;
    }
    roam__step(e, ON_CONNECTED);
    return ROAM_STATUS_OK;
}

enum roam__on roam__act_open(struct roam__engine *e)
{
    /* Before a LOGIN a server sends no longer frame than this: FRAME-5. */
    roam_reader_init(&e->reader, e->config.rx, e->config.rx_bytes,
                     ROAM_FRAME_MIN);
    e->status = ROAM_STATUS_OK;
    e->mid_frame = false;
    e->tx_from = 0;
    e->tx_len = 0;
    e->login_due = e->sync_due = e->ack_due = e->ping_due = false;
    e->leaving = e->left = false;
    e->ack_ms = ROAM__NEVER;
    e->received = e->cursor;
    e->reset_open = e->unsynced = e->caught_up = false;
    e->gap = e->behind = false;
    e->commands = 0;
    return ON_NONE;
}

enum roam_status roam_client_login(struct roam_client *c, uint64_t attempt,
                                   uint64_t take_over, uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    roam__now(e, now_ms);
    if (roam__edge_find((enum roam__state)e->state, ON_LOGIN) == NULL ||
        e->stale) {
        return ROAM_STATUS_BAD_STATE;
    }
    if (attempt <= e->attempt || attempt > ROAM_VERSION_MAX ||
        take_over > ROAM_VERSION_MAX ||
        (take_over != 0 && take_over == e->used_take_over)) {
        return ROAM_STATUS_BAD_ARGUMENT;
    }
    e->attempt = attempt;
    e->take_over = take_over;
    if (take_over != 0) {
        e->used_take_over = take_over; /* LOGIN-3 */
    }
    roam__step(e, ON_LOGIN);
    return ROAM_STATUS_OK;
}

enum roam__on roam__act_login(struct roam__engine *e)
{
    e->login_due = true;
    e->sync_due = true;
    e->stay_out = false;
    e->answer_ms = e->now_ms + e->config.answer_timeout_ms;
    return ON_NONE;
}

static bool may_change_identity(const struct roam__engine *e)
{
    return e->state != ST_LOGIN && !roam__in_session(e);
}

enum roam_status roam_client_set_device_id(struct roam_client *c,
                                           const uint8_t device_id[16])
{
    struct roam__engine *e = roam__engine(c);
    if (!may_change_identity(e)) {
        return ROAM_STATUS_BAD_STATE;
    }
    memcpy(e->config.device_id, device_id, sizeof e->config.device_id);
    e->attempt = 0;
    e->stale = false;
    return ROAM_STATUS_OK;
}

enum roam_status roam_client_set_token(struct roam_client *c, const char *token)
{
    struct roam__engine *e = roam__engine(c);
    if (!may_change_identity(e)) {
        return ROAM_STATUS_BAD_STATE;
    }
    if (!text_ok(token, 1, ROAM_TOKEN_MAX)) {
        return ROAM_STATUS_BAD_ARGUMENT;
    }
    e->config.token = token;
    return ROAM_STATUS_OK;
}

void roam_client_set_max_entries(struct roam_client *c, uint32_t max_entries)
{
    roam__engine(c)->config.max_entries = max_entries;
}

enum roam_status roam_client_logout(struct roam_client *c, uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    roam__now(e, now_ms);
    if (!roam__in_session(e) || e->leaving) {
        return ROAM_STATUS_BAD_STATE;
    }
    e->leaving = true;
    e->answer_ms = e->now_ms + e->config.answer_timeout_ms;
    return ROAM_STATUS_OK;
}

void roam_client_close(struct roam_client *c, uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    roam__now(e, now_ms);
    if (roam__edge_find((enum roam__state)e->state, ON_CLOSE) != NULL) {
        roam__step(e, ON_CLOSE);
    }
}

void roam_client_closed(struct roam_client *c, uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    roam__now(e, now_ms);
    roam__step(e, ON_GONE);
}

uint64_t roam_client_cursor(const struct roam_client *c)
{
    return roam__engine_const(c)->cursor;
}

bool roam_client_logged_in(const struct roam_client *c)
{
    return roam__in_session(roam__engine_const(c));
}
