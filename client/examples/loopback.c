/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest client: a heating controller that obeys messages. All of its
 * memory is static and counted at the end; it takes the smallest buffers that
 * the protocol allows.
 *
 * What a port replaces stands under "the board": a clock, a transport that
 * never blocks, and two words of flash. Here the transport leads to a few
 * lines in the same process that answer like a server, so the program runs
 * anywhere and ends by itself. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "roam.h"

/* ---------------------------------------------------------------- the board */

static uint64_t board_now_ms(void);
/* Bytes taken, 0 when none can be now. */
static size_t board_read(uint8_t *to, size_t cap);
static size_t board_write(const uint8_t *from, size_t len);

/* Survives a restart. `attempt` is stored before LOGIN is sent, `cursor`
 * together with what the entries up to it have changed. */
static struct {
    uint64_t attempt;
    uint64_t cursor;
    int setpoint;
} flash;

/* --------------------------------------------------------------- the device */

static struct roam_client client;
static uint8_t rx[ROAM_RX_BYTES_MIN];
static uint8_t tx[ROAM_TX_BYTES_MIN];
static uint8_t inflated[ROAM_INFLATED_BYTES_MIN];
static struct roam_outbox_item outbox[1];
static char report[32]; /* kept while it is in the outbox */
static bool done;

static void start(void)
{
    struct roam_client_config config;
    memset(&config, 0, sizeof config);
    config.user = "alice";
    config.token = "a token";
    config.device_type = ROAM_EMBEDDED;
    config.device_name = "heating";
    config.cursor = flash.cursor;
    config.max_entries = 100;
    config.max_unacked = 4;
    config.deflate = true;
    config.rx = rx;
    config.rx_bytes = sizeof rx;
    config.tx = tx;
    config.tx_bytes = sizeof tx;
    config.inflated = inflated;
    config.inflated_bytes = sizeof inflated;
    config.outbox = outbox;
    config.outbox_count = 1;
    if (roam_client_init(&client, &config) != ROAM_STATUS_OK) {
        printf("the configuration is wrong\n");
    }
}

static void log_in(void)
{
    flash.attempt++;
    (void)roam_client_open(&client, board_now_ms());
    (void)roam_client_login(&client, flash.attempt, 0, board_now_ms());
}

static void obey(const struct roam_entry_event *entry)
{
    if (entry->kind == ROAM_KIND_MESSAGE && entry->body.len == 2) {
        flash.setpoint =
            10 * (entry->body.data[0] - '0') + entry->body.data[1] - '0';
    }
    flash.cursor = entry->version; /* one write with the setpoint */
    (void)roam_client_stored(&client, entry->version, board_now_ms());
}

static void tell_alice(void)
{
    struct roam_bytes notes = {(const uint8_t *)"alice", 5};
    struct roam_bytes plain_text = {NULL, 0};
    int n = snprintf(report, sizeof report, "set to %d", flash.setpoint);
    struct roam_bytes body = {(const uint8_t *)report, (size_t)n};
    uint64_t random_id = 0x8d3f1c5a77e2b904u; /* of the board's generator */
    if (roam_client_send(&client, random_id, ROAM_KIND_MESSAGE, notes,
                         plain_text, body, board_now_ms()) != ROAM_STATUS_OK) {
        printf("no room for the report\n");
    }
}

static void handle(const struct roam_event *event)
{
    switch (event->type) {
    case ROAM_EVENT_RESET:
        flash.cursor = event->u.reset.head;
        (void)roam_client_stored(&client, flash.cursor, board_now_ms());
        break;
    case ROAM_EVENT_ENTRY:
        printf("entry %" PRIu64 "\n", event->u.entry.version);
        obey(&event->u.entry);
        break;
    case ROAM_EVENT_SYNCED:
        printf("synced, set to %d\n", flash.setpoint);
        tell_alice();
        break;
    case ROAM_EVENT_SENT:
        printf("report sent\n");
        (void)roam_client_logout(&client, board_now_ms());
        break;
    case ROAM_EVENT_CLOSE:
        /* A real device waits until reconnect_at_ms if reconnect says so,
         * connects, and calls log_in() again. */
        printf("closed%s\n", event->u.close.reconnect ? ", to return" : "");
        roam_client_closed(&client, board_now_ms());
        done = true;
        break;
    default:
        break;
    }
}

static void drain(void)
{
    struct roam_event event;
    roam_client_next_event(&client, &event, board_now_ms());
    while (event.type != ROAM_EVENT_NONE) {
        handle(&event);
        roam_client_next_event(&client, &event, board_now_ms());
    }
}

/* One round of the main loop; may be called at any time, and must be called
 * by roam_client_deadline_ms() at the latest. */
static void poll_once(void)
{
    static uint8_t in[64];
    size_t len = board_read(in, sizeof in);
    size_t at = 0;
    while (at < len) {
        ptrdiff_t n =
            roam_client_feed(&client, in + at, len - at, board_now_ms());
        drain();
        if (n < 0) {
            break;
        }
        at += (size_t)n;
    }
    roam_client_tick(&client, board_now_ms());
    drain();
    struct roam_bytes out = roam_client_pending(&client);
    size_t taken = out.len > 0 ? board_write(out.data, out.len) : 0;
    roam_client_sent(&client, taken, board_now_ms());
}

int main(void)
{
    start();
    log_in();
    for (int round = 0; round < 1000 && !done; round++) {
        poll_once();
    }
    printf("client memory: %u bytes\n",
           (unsigned)(sizeof client + sizeof rx + sizeof tx + sizeof inflated +
                      sizeof outbox + sizeof report));
    return done && flash.setpoint == 21 && flash.cursor == 3 ? 0 : 1;
}

/* ------------------------------------------- the other end of the transport */

/* Only this half needs more than roam.h. */
#include "frame.h"

static uint64_t clock_ms;
static uint8_t answers[1024]; /* not read by the device yet */
static size_t answers_len;
static uint8_t request[ROAM_TX_BYTES_MIN];
static struct roam_reader reader;

static uint64_t board_now_ms(void)
{
    return clock_ms;
}

static size_t board_read(uint8_t *to, size_t cap)
{
    size_t n = answers_len < cap ? answers_len : cap;
    memcpy(to, answers, n);
    memmove(answers, answers + n, answers_len - n);
    answers_len -= n;
    clock_ms += 10;
    return n;
}

static void answer(const struct roam_message *m)
{
    answers_len += roam_message_encode(m, answers + answers_len,
                                       sizeof answers - answers_len);
}

static void push(uint64_t version, const char *text)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_PUSH);
    m.u.push.version = version;
    m.u.push.prev_version = version - 1;
    m.u.push.kind = text == NULL ? roam_v1_Kind_NOOP : roam_v1_Kind_MESSAGE;
    if (text != NULL) {
        m.u.push.msg_id = version;
        strcpy(m.u.push.conversation, "alice");
        strcpy(m.u.push.sender, "alice");
        m.body.data = (const uint8_t *)text;
        m.body.len = strlen(text);
    }
    answer(&m);
}

static void answer_login(void)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_LOGIN_OK);
    m.u.login_ok.generation = 1;
    m.u.login_ok.head = 2;
    m.u.login_ok.max_frame = 4096;
    m.u.login_ok.max_body = 1024;
    m.u.login_ok.max_commands = 8;
    m.u.login_ok.heartbeat_ms = 30000;
    m.u.login_ok.dedup_ms = 604800000;
    answer(&m);
}

static void answer_sync(void)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_SYNC_OK);
    m.u.sync_ok.result = roam_v1_SyncResult_DELTA;
    m.u.sync_ok.head = 2;
    answer(&m);
    push(1, "19");
    push(2, "21");
}

static void answer_send(uint64_t client_msg_id)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_SEND_OK);
    m.u.send_ok.client_msg_id = client_msg_id;
    m.u.send_ok.msg_id = 3;
    push(3, NULL); /* the sender's own entry */
    answer(&m);
}

static void answer_logout(void)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_KICK);
    m.u.kick.reason = roam_v1_KickReason_LOGGED_OUT;
    m.u.kick.retry = roam_v1_Retry_NEVER;
    answer(&m);
}

static size_t board_write(const uint8_t *from, size_t len)
{
    struct roam_slice in = {from, len};
    uint8_t type = 0;
    struct roam_slice payload;
    struct roam_message m;
    if (reader.buf == NULL) {
        roam_reader_init(&reader, request, sizeof request,
                         sizeof request - ROAM_FRAME_HEADER_BYTES);
    }
    while (roam_reader_next(&reader, &in, &type, &payload) ==
           ROAM_READER_FRAME) {
        printf("  %s\n", roam_frame_name(type));
        if (type == ROAM_LOGIN) {
            answer_login();
        } else if (type == ROAM_SYNC) {
            answer_sync();
        } else if (type == ROAM_SEND &&
                   roam_message_decode(type, payload, &m) == 0) {
            answer_send(m.u.send.client_msg_id);
        } else if (type == ROAM_LOGOUT) {
            answer_logout();
        }
    }
    return len;
}
