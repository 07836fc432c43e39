/* SPDX-License-Identifier: Apache-2.0 */
/* Time: what is due at a moment, when the next such moment is, and how long
 * to stay away after the end of a connection. Spec: section 9. */
#include "engine.h"

/* TIME-1 counts until the frame is at the server, so PING goes this part of
 * heartbeat_ms early. */
#define HEARTBEAT_MARGIN 8u

/* No bound doubles more often than this; 500 ms reach 60 s after 7. */
#define DOUBLINGS_MAX 16u

/* FLOW-14. */
#define DELAY_FIRST_MS 1000u
#define DELAY_MAX_MS 60000u

/* -------------------------------------------------------------- coming back */

/* A number in 0..max: a counter with a large step, mixed well enough that
 * neighbouring seeds have nothing in common. 32 bits wide, for processors
 * that have no wider multiplication. */
static uint32_t random_up_to(struct roam__engine *e, uint32_t max)
{
    e->random += 0x9e3779b9u;
    uint32_t z = e->random;
    z = (z ^ z >> 16) * 0x85ebca6bu;
    z = (z ^ z >> 13) * 0xc2b2ae35u;
    z ^= z >> 16;
    return (uint32_t)((uint64_t)z * ((uint64_t)max + 1) >> 32);
}

static uint32_t backoff_bound_ms(const struct roam__engine *e)
{
    uint64_t bound = (uint64_t)e->config.backoff_first_ms << e->failures;
    return bound < e->config.backoff_max_ms ? (uint32_t)bound
                                            : e->config.backoff_max_ms;
}

/* TIME-6: a random time up to a bound that doubles with each failure, and
 * not none. */
static uint32_t backoff_ms(struct roam__engine *e)
{
    uint32_t wait_ms = 1 + random_up_to(e, backoff_bound_ms(e) - 1);
    if (e->failures < DOUBLINGS_MAX) {
        e->failures++;
    }
    return wait_ms;
}

uint32_t roam__delay_ms(uint32_t retry_after_ms, uint8_t *delays)
{
    if (retry_after_ms != 0) {
        return retry_after_ms;
    }
    uint32_t wait_ms = DELAY_FIRST_MS << *delays;
    if (wait_ms >= DELAY_MAX_MS) {
        return DELAY_MAX_MS;
    }
    (*delays)++;
    return wait_ms;
}

/* A session that lasted longer than any delay before it was no failure: so
 * one that ends at once, again and again, still backs off. */
static void judge_session(struct roam__engine *e)
{
    if (e->since_ms != ROAM__NEVER &&
        e->now_ms - e->since_ms >= backoff_bound_ms(e)) {
        e->failures = 0;
    }
    e->since_ms = ROAM__NEVER;
}

void roam__end(struct roam__engine *e, enum roam_status status,
               enum roam__return way, uint32_t window_ms)
{
    if (e->status == ROAM_STATUS_OK) {
        e->status = (int8_t)status;
    }
    judge_session(e);
    bool back = way != RETURN_NOT && !e->stay_out && !e->stale && !e->leaving;
    uint32_t wait_ms = 0;
    if (back && way == RETURN_AT_ONCE && e->failures == 0) {
        e->failures = 1; /* not at once a second time */
    } else if (back) {
        uint32_t window = random_up_to(e, window_ms);
        uint32_t backoff = backoff_ms(e);
        wait_ms = window > backoff ? window : backoff;
    }
    e->close_reconnect = back;
    e->close_at_ms = back ? e->now_ms + wait_ms : 0;
    e->owes |= OWES_CLOSE;
    roam__page_lost(e);
    roam__outbox_requeue(e);
}

/* ---------------------------------------------------------------- timers */

/* When a frame must be sent although there is nothing to say. */
static uint64_t heartbeat_due_ms(const struct roam__engine *e)
{
    return e->tx_ms + (e->heartbeat_ms - e->heartbeat_ms / HEARTBEAT_MARGIN);
}

/* When silence of the server is answered with PING, and then with the end. */
static uint64_t silence_due_ms(const struct roam__engine *e)
{
    return e->probing ? e->probe_ms + e->config.answer_timeout_ms
                      : e->rx_ms + e->heartbeat_ms;
}

static void tick_silence(struct roam__engine *e)
{
    if (e->now_ms < silence_due_ms(e)) {
        return;
    }
    if (e->probing) {
        roam__step(e, ON_SILENT);
        return;
    }
    e->probing = true;
    e->probe_ms = e->now_ms;
    e->ping_due = true;
}

/* A time to wait that is over. */
static void forget_wait(const struct roam__engine *e, uint64_t *at_ms)
{
    if (e->now_ms >= *at_ms) {
        *at_ms = 0;
    }
}

static void tick_session(struct roam__engine *e)
{
    forget_wait(e, &e->send_at_ms);
    forget_wait(e, &e->page.ask_at_ms);
    if (e->now_ms >= e->ack_ms) {
        e->ack_due = true;
        e->ack_ms = ROAM__NEVER;
    }
    if (!e->left) {
        if (e->now_ms >= heartbeat_due_ms(e)) {
            e->ping_due = true;
        }
        tick_silence(e);
    }
    if (roam__in_session(e) && e->now_ms >= roam__page_due_ms(e)) {
        roam__step(e, ON_SILENT);
    }
}

void roam_client_tick(struct roam_client *c, uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    roam__now(e, now_ms);
    if ((e->state == ST_LOGIN || roam__in_session(e)) &&
        e->now_ms >= e->answer_ms) {
        roam__step(e, ON_SILENT);
    } else if (roam__in_session(e)) {
        tick_session(e);
    }
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When a command that was limited may be sent. */
static uint64_t limited_due_ms(const struct roam__engine *e)
{
    uint64_t send_ms = e->send_at_ms != 0 ? e->send_at_ms : ROAM__NEVER;
    uint64_t page_ms = e->page.ask_at_ms != 0 ? e->page.ask_at_ms : ROAM__NEVER;
    return sooner(send_ms, page_ms);
}

uint64_t roam_client_deadline_ms(const struct roam_client *c)
{
    const struct roam__engine *e = roam__engine_const(c);
    uint64_t due_ms = ROAM__NEVER;
    if (e->state == ST_LOGIN || roam__in_session(e)) {
        due_ms = e->answer_ms;
    }
    if (roam__in_session(e)) {
        due_ms = sooner(due_ms, e->ack_ms);
        due_ms = sooner(due_ms, limited_due_ms(e));
        due_ms = sooner(due_ms, roam__page_due_ms(e));
        if (!e->left) {
            due_ms = sooner(due_ms, silence_due_ms(e));
            if (!e->ping_due) {
                due_ms = sooner(due_ms, heartbeat_due_ms(e));
            }
        }
    }
    return due_ms;
}
