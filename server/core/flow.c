/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do how much: the rates of users, addresses and connections, and
 * what is said to whoever exceeds them. Spec: section 9.1.
 *
 * Debts are kept by user and by address, not by session: to come back on
 * another connection gains nothing. A user's rates are charged only to whom
 * has shown the user's credential, so that a stranger who names a user can
 * use up nothing of it. What a stranger can use up is its address's, and the
 * failures of that address under that name.
 *
 * A LOGIN counts as a failure from when it goes to the store, and is taken
 * back if the credential was good: so many that come at once do not slip
 * through together. A LOGIN that is throttled for its address never reaches
 * the store, whoever it names; one above its user's rate gets there to have its
 * credential looked at and no more, so that a stranger is not told how busy a
 * user is, nor that there is one. */
#include <string.h>

#include "fault.h"
#include "session.h"
#include "siphash.h"

/* Newcomers told OVERLOADED, for which TLS needs a whole handshake. */
static const struct roam_rate tell_rate = {64, 6400};

/* A read of fewer bytes is paid for by itself; a longer one by what it has
 * brought. */
#define READ_TINY_BYTES 256u

/* Those in debt at one time, of each kind; what people do is forgotten within
 * a second. Some 700 KB in all. */
#define METERS 4096u

/* How much longer than told those SENDs that were limited are waited for,
 * before others may pass them: a round trip, and an app that sleeps. */
#define LIMITED_HOLD_MS 10000u

/* The longest pause of a backlog, in parts of the heartbeat: the rest of its
 * half is for the read that follows. */
#define PAUSE_PARTS 3u
#define PAUSE_OF 8u

/* A page whose search cost more, in rows, counts as so many more. */
#define COST_OF_PAGE 128u

bool roam__flow_open(struct roam_core *core)
{
    const struct roam_core_config *config = &core->config;
    return roam__meters_open(&core->user_meters, config->user_rates,
                             ROAM_USER_RATES, METERS) &&
           roam__meters_open(&core->address_meters, config->address_rates,
                             ROAM_ADDRESS_RATES, METERS) &&
           roam__meters_open(&core->failure_meters, &config->login_failures, 1,
                             METERS);
}

void roam__flow_close(struct roam_core *core)
{
    roam__meters_close(&core->user_meters);
    roam__meters_close(&core->address_meters);
    roam__meters_close(&core->failure_meters);
}

static uint64_t now_of(const struct roam_session *s)
{
    return s->core->now.mono_ms;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ------------------------------------------------------------ connections */

static uint64_t key_of_address(const struct roam_core *core, uint64_t address)
{
    return roam__siphash(core->config.hash_key, &address, sizeof address);
}

bool roam__flow_connect(struct roam_core *core, uint64_t address)
{
    if (address == 0) {
        return true;
    }
    uint64_t key = key_of_address(core, address);
    uint64_t now = core->now.mono_ms;
    struct roam__meters *m = &core->address_meters;
    if (roam__meters_wait(m, key, ROAM_RATE_CONNECTIONS, 1, now) > 0) {
        core->stats.turned_away++;
        return false;
    }
    roam__meters_take(m, key, ROAM_RATE_CONNECTIONS, 1, now);
    return true;
}

bool roam__flow_tell(struct roam_core *core)
{
    uint64_t now = core->now.mono_ms;
    if (roam__bucket_wait(&core->told, &tell_rate, 1, now) > 0) {
        return false;
    }
    roam__bucket_take(&core->told, &tell_rate, 1, now);
    return true;
}

/* ------------------------------------------------------------------- cost */

static bool pay(struct roam_session *s)
{
    const struct roam_rate *rate = &s->core->config.session_cost;
    uint64_t now = now_of(s);
    if (roam__bucket_wait(&s->cost, rate, 1, now) > 0 &&
        !ROAM_FAULT("floods-served")) {
        s->core->stats.too_fast++;
        roam__session_end(s, roam_v1_KickReason_TOO_FAST);
        return false;
    }
    roam__bucket_take(&s->cost, rate, 1, now);
    return true;
}

bool roam__flow_frame(struct roam_session *s)
{
    return pay(s);
}

bool roam__flow_read(struct roam_session *s, size_t len)
{
    return len >= READ_TINY_BYTES || pay(s);
}

/* ------------------------------------------------------------------ login */

static void name_keys(struct roam_session *s)
{
    uint8_t named[sizeof s->address + sizeof s->user_name] = {0};
    size_t len = strlen(s->user_name);
    const uint8_t *key = s->core->config.hash_key;
    if (!ROAM_FAULT("failures-lock-users")) {
        memcpy(named, &s->address, sizeof s->address);
    }
    memcpy(named + sizeof s->address, s->user_name, len);
    s->user_key = roam__siphash(key, s->user_name, len);
    s->failure_key = roam__siphash(key, named, sizeof s->address + len);
}

uint64_t roam__flow_login(struct roam_session *s)
{
    struct roam_core *core = s->core;
    uint64_t now = now_of(s);
    name_keys(s);
    if (s->address == 0 ||
        (ROAM_FAULT("failures-tell-users") && s->user_name[0] == 'n')) {
        return 0;
    }
    uint64_t address = key_of_address(core, s->address);
    uint64_t wait = roam__meters_wait(&core->address_meters, address,
                                      ROAM_RATE_ADDRESS_LOGINS, 1, now);
    wait = later(wait, roam__meters_wait(&core->failure_meters, s->failure_key,
                                         0, 1, now));
    if (wait == 0) {
        roam__meters_take(&core->address_meters, address,
                          ROAM_RATE_ADDRESS_LOGINS, 1, now);
        roam__meters_take(&core->failure_meters, s->failure_key, 0, 1, now);
    }
    return wait;
}

uint64_t roam__flow_login_wait(const struct roam_session *s)
{
    if (ROAM_FAULT("logins-unlimited")) {
        return 0;
    }
    return roam__meters_wait(&s->core->user_meters, s->user_key,
                             ROAM_RATE_LOGINS, 1, now_of(s));
}

void roam__flow_login_good(struct roam_session *s, bool counts)
{
    struct roam_core *core = s->core;
    uint64_t now = now_of(s);
    if (counts) {
        roam__meters_take(&core->user_meters, s->user_key, ROAM_RATE_LOGINS, 1,
                          now);
    }
    if (s->address != 0) {
        roam__meters_give(&core->failure_meters, s->failure_key, 0, 1, now);
    }
}

/* --------------------------------------------------------------- sessions */

/* Takes n of a user's rate if they are there. Returns the wait if not. */
static uint64_t take(struct roam_session *s, enum roam_user_rate rate,
                     uint64_t n)
{
    struct roam__meters *m = &s->core->user_meters;
    uint64_t now = now_of(s);
    uint64_t wait = roam__meters_wait(m, s->user_key, rate, n, now);
    if (wait == 0) {
        roam__meters_take(m, s->user_key, rate, n, now);
    }
    return wait;
}

bool roam__flow_sync(struct roam_session *s)
{
    if (take(s, ROAM_RATE_SYNCS, 1) == 0 || ROAM_FAULT("syncs-unlimited")) {
        return true;
    }
    s->core->stats.too_fast++;
    roam__session_end(s, roam_v1_KickReason_TOO_FAST);
    return false;
}

/* How long the user must wait before it sends this. */
static uint64_t wait_to_send(const struct roam_session *s, size_t body_len)
{
    const struct roam__meters *m = &s->core->user_meters;
    uint64_t now = now_of(s);
    uint64_t wait = roam__meters_wait(m, s->user_key, ROAM_RATE_SENDS, 1, now);
    wait = later(
        wait, roam__meters_wait(m, s->user_key, ROAM_RATE_DELIVERIES, 1, now));
    return later(wait, roam__meters_wait(m, s->user_key, ROAM_RATE_SEND_BYTES,
                                         body_len, now));
}

/* Once a SEND is limited, those that left before the client knew of it may
 * come when the rate would let them pass, and would overtake it. So all are
 * refused until one of those refused comes again: by then the client knows,
 * and repeats in its order. It need not be the first of them, which may have
 * turned out to be stored over another connection. A client that repeats none
 * is not held up for ever. [FLOW-3] */
static bool was_refused(const struct roam_session *s, uint64_t ref)
{
    for (size_t i = 0; i < s->refused_count; i++) {
        if (s->refused[i] == ref) {
            return true;
        }
    }
    return false;
}

/* How long this SEND is held up by those that were refused before it; 0 ends
 * the hold. */
static uint64_t hold_of(struct roam_session *s, uint64_t ref)
{
    uint64_t now = now_of(s);
    if (was_refused(s, ref) || now >= s->send_again_ms + LIMITED_HOLD_MS ||
        (ROAM_FAULT("hold-ends-early") && now >= s->send_again_ms) ||
        ROAM_FAULT("limit-lets-overtake")) {
        s->refused_count = 0;
    }
    if (s->refused_count == 0) {
        return 0;
    }
    return s->send_again_ms > now ? s->send_again_ms - now : 1;
}

bool roam__flow_send(struct roam_session *s, uint64_t ref, size_t body_len)
{
    struct roam__meters *m = &s->core->user_meters;
    uint64_t now = now_of(s);
    uint64_t hold = hold_of(s, ref);
    uint64_t wait = later(hold, wait_to_send(s, body_len));
    if (wait > 0 && !ROAM_FAULT("sends-unlimited")) {
        if (s->refused_count < ROAM_HELD_SENDS &&
            !(s->refused_count > 0 && ROAM_FAULT("hold-knows-one"))) {
            s->refused[s->refused_count++] = ref;
        }
        s->send_again_ms = now + wait;
        roam__session_answer_limited(s, ref, wait);
        return false;
    }
    roam__meters_take(m, s->user_key, ROAM_RATE_SENDS, 1, now);
    roam__meters_take(m, s->user_key, ROAM_RATE_SEND_BYTES, body_len, now);
    return true;
}

/* Known when it is stored only: what is above the rate holds up the next. */
void roam__flow_delivered(struct roam_session *s, size_t count)
{
    roam__meters_take(&s->core->user_meters, s->user_key, ROAM_RATE_DELIVERIES,
                      count, now_of(s));
}

bool roam__flow_page(struct roam_session *s, uint64_t ref)
{
    uint64_t wait = roam__meters_wait(&s->core->user_meters, s->user_key,
                                      ROAM_RATE_BACKLOG_BYTES, 1, now_of(s));
    wait = wait > 0 ? wait : take(s, ROAM_RATE_PAGES, 1);
    if (wait == 0 || ROAM_FAULT("pages-unlimited")) {
        return true;
    }
    roam__session_answer_limited(s, ref, wait);
    return false;
}

bool roam__flow_backlog(struct roam_session *s)
{
    uint64_t wait = roam__meters_wait(&s->core->user_meters, s->user_key,
                                      ROAM_RATE_BACKLOG_BYTES, 1, now_of(s));
    if (wait == 0 || s->pause_over) {
        s->read_again_ms = 0;
        return true;
    }
    uint64_t most =
        (uint64_t)s->core->config.heartbeat_ms * PAUSE_PARTS / PAUSE_OF;
    if (s->read_again_ms == 0) {
        s->read_again_ms = now_of(s) + (wait < most ? wait : most);
        roam__timers_update(s);
    }
    return false;
}

void roam__flow_backlog_again(struct roam_session *s)
{
    s->read_again_ms = 0;
    s->pause_over = true;
    roam__delivery_pump(s);
}

/* The list of conversations is a look at all of them, and at what may be
 * unread there, however few are told. No delivery pauses for it. */
void roam__flow_page_found(struct roam_session *s, uint64_t cost)
{
    roam__meters_take(&s->core->user_meters, s->user_key, ROAM_RATE_PAGES,
                      cost / COST_OF_PAGE, now_of(s));
}

/* A row without a body is no gift either. */
void roam__flow_backlog_read(struct roam_session *s,
                             const struct roam_entry *rows, size_t count)
{
    uint64_t bytes = (uint64_t)count * ROAM__ROW_BYTES;
    for (size_t i = 0; i < count; i++) {
        bytes += rows[i].body.len;
    }
    roam__meters_take(&s->core->user_meters, s->user_key,
                      ROAM_RATE_BACKLOG_BYTES, bytes, now_of(s));
}
