/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to the server. Frames are written into the caller's buffer when they
 * are due and fit; until then they exist as flags. Order: LOGIN, SYNC,
 * LOGOUT, ACK, PING, a page request, SENDs. */
#include <string.h>

#include "engine.h"

/* Bit 1 << codec of SYNC.codecs. */
#define OFFER_DEFLATE (1u << roam_v1_Codec_CODEC_DEFLATE)

/* Writes one frame; false: not enough room now. */
static bool put(struct roam__engine *e, const struct roam_message *m)
{
    size_t end = e->tx_from + e->tx_len;
    size_t n =
        roam_message_encode(m, e->config.tx + end, e->config.tx_bytes - end);
    e->tx_len += n;
    if (n > 0) {
        e->tx_ms = e->now_ms;
    }
    return n > 0;
}

/* dst has room for every legal value, and is zeroed. */
static void put_text(char *dst, const char *text)
{
    if (text != NULL) {
        memcpy(dst, text, strlen(text));
    }
}

static uint32_t max_frame(const struct roam__engine *e)
{
    return (uint32_t)(e->config.rx_bytes - ROAM_FRAME_HEADER_BYTES);
}

static bool put_login(struct roam__engine *e)
{
    const struct roam_client_config *config = &e->config;
    struct roam_message m;
    roam_message_init(&m, ROAM_LOGIN);
    roam_v1_Login *login = &m.u.login;
    login->protocol = ROAM_PROTOCOL_VERSION;
    put_text(login->user, config->user);
    put_text(login->token, config->token);
    login->device_id.size = sizeof config->device_id;
    memcpy(login->device_id.bytes, config->device_id, sizeof config->device_id);
    login->device_type = (roam_v1_DeviceType)config->device_type;
    put_text(login->device_name, config->device_name);
    put_text(login->software, config->software);
    login->attempt = e->attempt;
    login->take_over = e->take_over;
    login->max_frame = max_frame(e);
    if (!put(e, &m)) {
        return false;
    }
    e->login_due = false;
    e->reader.max = max_frame(e);
    return true;
}

/* After a batch was rejected, offers less: BATCH-9. */
static bool put_sync(struct roam__engine *e)
{
    bool offer = e->config.deflate && e->bad_batches == 0;
    struct roam_message m;
    roam_message_init(&m, ROAM_SYNC);
    m.u.sync.cursor = e->cursor;
    m.u.sync.max_entries = e->bad_batches < 2 ? e->config.max_entries : 0;
    m.u.sync.max_unacked = e->config.max_unacked;
    m.u.sync.max_inflated = (uint32_t)e->config.inflated_bytes;
    m.u.sync.codecs = offer ? OFFER_DEFLATE : 0;
    if (!put(e, &m)) {
        return false;
    }
    e->sync_due = false;
    e->sync_cursor = e->cursor;
    e->codecs = m.u.sync.codecs;
    return true;
}

static void put_logout(struct roam__engine *e)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_LOGOUT);
    e->left = put(e, &m);
}

static bool put_ack(struct roam__engine *e)
{
    uint64_t version = roam__ack_version(e);
    if (version == 0) {
        return true;
    }
    struct roam_message m;
    roam_message_init(&m, ROAM_ACK);
    m.u.ack.version = version;
    if (!put(e, &m)) {
        return false;
    }
    roam__acked(e, version);
    return true;
}

static bool put_ping(struct roam__engine *e)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_PING);
    m.u.ping.id = ++e->ping_id;
    if (!put(e, &m)) {
        return false;
    }
    e->ping_due = false;
    return true;
}

static bool put_send(struct roam__engine *e, struct roam_outbox_item *item)
{
    struct roam_message m;
    roam__outbox_message(item, &m);
    if (!put(e, &m)) {
        return false;
    }
    item->state = ROAM_OUTBOX_SENT;
    if (item->first_sent_ms == 0) {
        item->first_sent_ms = e->now_ms > 0 ? e->now_ms : 1;
    }
    e->commands++;
    return true;
}

/* max_inflated and codecs as in SYNC. */
static bool put_page(struct roam__engine *e)
{
    bool offer = e->config.deflate && !e->page.bad;
    uint32_t codecs = offer ? OFFER_DEFLATE : 0;
    uint32_t max_inflated = (uint32_t)e->config.inflated_bytes;
    struct roam_message m;
    roam__page_message(e, &m);
    if (m.type == ROAM_HISTORY) {
        m.u.history.max_inflated = max_inflated;
        m.u.history.codecs = codecs;
    } else if (m.type == ROAM_CONVERSATIONS) {
        m.u.conversations.max_inflated = max_inflated;
        m.u.conversations.codecs = codecs;
    }
    if (!put(e, &m)) {
        return false;
    }
    roam__page_asked(e, codecs);
    return true;
}

/* What a session has to say; stops at the first frame without room. */
static void fill_session(struct roam__engine *e)
{
    if (e->leaving) {
        put_logout(e);
        return;
    }
    struct roam_outbox_item *item = roam__outbox_next(e);
    /* An ACK that may wait goes along with a frame that goes anyway. */
    bool page = roam__page_sendable(e);
    bool ack = e->ack_due || e->ping_due || page || item != NULL;
    if (e->state == ST_LIVE && ack && !put_ack(e)) {
        return;
    }
    if (e->ping_due && !put_ping(e)) {
        return;
    }
    if (page) {
        if (!put_page(e)) {
            return;
        }
        item = roam__outbox_next(e);
    }
    while (item != NULL && put_send(e, item)) {
        item = roam__outbox_next(e);
    }
}

static void fill(struct roam__engine *e)
{
    if (e->tx_from > 0) {
        memmove(e->config.tx, e->config.tx + e->tx_from, e->tx_len);
        e->tx_from = 0;
    }
    if (e->left) { /* a server leaving takes no frame behind LOGOUT */
        return;
    }
    if (e->login_due && !put_login(e)) {
        return;
    }
    if (e->sync_due && !put_sync(e)) {
        return;
    }
    if (roam__in_session(e)) {
        fill_session(e);
    }
}

struct roam_bytes roam_client_pending(struct roam_client *c)
{
    struct roam__engine *e = roam__engine(c);
    struct roam_bytes bytes = {NULL, 0};
    if (e->state != ST_CLOSED && e->state != ST_ENDED) {
        fill(e);
        bytes.data = e->config.tx;
        bytes.len = e->tx_len;
    }
    return bytes;
}

void roam_client_sent(struct roam_client *c, size_t n, uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    roam__now(e, now_ms);
    size_t taken = n < e->tx_len ? n : e->tx_len;
    e->tx_from += taken;
    e->tx_len -= taken;
}
