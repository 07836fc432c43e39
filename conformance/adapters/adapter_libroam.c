/* SPDX-License-Identifier: Apache-2.0 */
/* libroam behind conformance/ADAPTER.md, under virtual time: the engine is
 * told no other time than `now`. Here are sockets, verbs and the fence. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adapter_libroam.h"

static struct handle *handles[SEATS]; /* NULL: free */

static void draw(void *random, size_t bytes)
{
    if (getrandom(random, bytes, 0) != (ssize_t)bytes) {
        abort();
    }
}

/* --------------------------------------------------------------- sockets */

void handle_hang_up(struct handle *h)
{
    if (h->fd >= 0) {
        close(h->fd);
        h->fd = -1;
        roam_client_closed(&h->c, now);
    }
}

static bool call(struct handle *h)
{
    h->connect_at = NEVER;
    h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(h->fd, (struct sockaddr *)&h->address, sizeof h->address)) {
        handle_hang_up(h);
        return false;
    }
    fcntl(h->fd, F_SETFL, O_NONBLOCK);
    h->connections++;
    h->received = h->sent = 0;
    roam_client_open(&h->c, now);
    return true;
}

static void feed(struct handle *h, const uint8_t *in, size_t len)
{
    h->received += len;
    for (size_t at = 0; at < len && h->fd >= 0;) {
        ptrdiff_t n = roam_client_feed(&h->c, in + at, len - at, now);
        handle_drain(h);
        at = n < 0 ? len : at + (size_t)n;
    }
}

static void flush(struct handle *h)
{
    struct roam_bytes out;
    while (h->fd >= 0 && (out = roam_client_pending(&h->c)).len > 0) {
        ssize_t n = send(h->fd, out.data, out.len, MSG_NOSIGNAL);
        if (n <= 0) {
            break; /* reading tells how it ended */
        }
        h->sent += (uint64_t)n;
        roam_client_sent(&h->c, (size_t)n, now);
    }
}

/* All that can be done without waiting. */
static void work(struct handle *h)
{
    static uint8_t in[65536];
    ssize_t n;
    do {
        if (h->connect_at <= now && call(h)) {
            handle_log_in(h);
        }
        n = h->fd >= 0 ? recv(h->fd, in, sizeof in, 0) : -1;
        if (n > 0) {
            feed(h, in, (size_t)n);
        } else if (n == 0 || errno != EAGAIN) {
            handle_hang_up(h);
        }
        roam_client_tick(&h->c, now);
        handle_drain(h);
        flush(h);
    } while (n > 0 || h->connect_at <= now);
}

static void work_all(void)
{
    for (size_t i = 0; i < SEATS; i++) {
        if (handles[i]) {
            work(handles[i]);
        }
    }
}

/* ----------------------------------------------------------------- verbs
 *
 * Each returns the code of an error, or NULL. */

static char *keep_text(const json_t *r, const char *key)
{
    const char *text = line_text(r, key);
    return keep_copy(text, strlen(text));
}

static size_t limit(const json_t *r, const char *key, size_t otherwise)
{
    uint64_t n = line_value(r, key, otherwise);
    return n < BUFFER ? (size_t)n : BUFFER;
}

static enum roam_device_type type_of(const char *name)
{
    static const char names[][9] = {"PHONE", "TABLET", "DESKTOP",
                                    "WEB",   "WATCH",  "EMBEDDED"};
    size_t i = 0;
    while (i < 5 && strcmp(names[i], name) != 0) {
        i++;
    }
    return (enum roam_device_type)(i + 1);
}

static struct handle *open_handle(const json_t *r)
{
    struct roam_local_device device;
    struct handle *h = calloc(1, sizeof *h);
    h->store = store_open(line_text(r, "store"), line_text(r, "user"),
                          type_of(line_text(r, "device_type")));
    roam_local_device(h->store->local, &device);
    struct roam_client_config config = {
        .user = keep_text(r, "user"),
        .token = keep_text(r, "token"),
        .device_type = device.device_type,
        .device_name = "libroam",
        .cursor = h->store->cursor,
        .max_entries = (uint32_t)line_value(r, "max_entries", 10000),
        .max_unacked = (uint32_t)line_value(r, "max_unacked", 100),
        .deflate = line_value(r, "codecs", 2) & 2,
        .rx = h->rx,
        .rx_bytes = limit(r, "max_frame", 65536) + 4,
        .tx = h->tx,
        .tx_bytes = BUFFER,
        .inflated = h->inflated,
        .inflated_bytes = limit(r, "max_inflated", 65536),
        .outbox = h->outbox,
        .outbox_count = ITEMS};
    memcpy(config.device_id, device.device_id, sizeof device.device_id);
    draw(&config.random_seed, sizeof config.random_seed);
    h->name = keep_text(r, "handle");
    h->manual = strcmp(line_text(r, "ack"), "manual") == 0;
    h->fd = -1;
    h->connect_at = NEVER;
    h->address.sin_family = AF_INET;
    h->address.sin_port =
        htons((uint16_t)json_integer_value(json_object_get(r, "port")));
    inet_pton(AF_INET, line_text(r, "host"), &h->address.sin_addr);
    if (roam_client_init(&h->c, &config) != ROAM_STATUS_OK) {
        free(h);
        return NULL;
    }
    return h;
}

static const char *do_open(struct handle *h, const json_t *r, json_t *answer)
{
    (void)answer;
    struct roam_local_outgoing m = {.order = 0};
    size_t i = 0;
    bool found = true;
    while (i < SEATS && handles[i]) {
        i++;
    }
    handles[i % SEATS] = h = h || i == SEATS ? NULL : open_handle(r);
    while (h && found) {
        must(roam_local_outbox_next(h->store->local, m.order, &m, &found));
        if (found) {
            handle_queue(h, &m);
        }
    }
    return h ? NULL : "CANNOT_OPEN";
}

static const char *do_login(struct handle *h, const json_t *r, json_t *answer)
{
    (void)answer;
    h->take_over = line_value(r, "take_over", 0);
    if (h->fd >= 0 || call(h)) {
        handle_log_in(h);
    }
    return NULL;
}

static struct roam_bytes text_of(const json_t *r, const char *key)
{
    const char *s = line_text(r, key);
    return (struct roam_bytes){(const uint8_t *)s, strlen(s)};
}

static const char *do_send(struct handle *h, const json_t *r, json_t *answer)
{
    struct roam_local_outgoing m = {
        .kind = (enum roam_kind)line_value(r, "kind", ROAM_KIND_MESSAGE),
        .conversation = text_of(r, "conversation"),
        .content_type = text_of(r, "content_type")};
    uint8_t *body = line_bytes(r, "body", &m.body.len);
    m.body.data = body;
    draw(&m.client_msg_id, sizeof m.client_msg_id);
    must(roam_local_outbox_add(h->store->local, &m));
    handle_queue(h, &m);
    free(body);
    json_object_set_new(answer, "client_msg_id", line_number(m.client_msg_id));
    return NULL;
}

static const char *do_ack(struct handle *h, const json_t *r, json_t *answer)
{
    (void)answer;
    return handle_keep(h, line_value(r, "version", 0)) ? "BAD_ARGUMENT" : NULL;
}

static const char *do_history(struct handle *h, const json_t *r, json_t *answer)
{
    struct roam_bytes of = text_of(r, "conversation");
    uint64_t before = line_value(r, "before", 0);
    uint32_t rows = (uint32_t)line_value(r, "max_rows", 100);
    bool due;
    h->list = line_true(r, "list");
    h->last = (struct roam_local_survey){.before = 0};
    if (h->list) {
        must(roam_local_survey(h->store->local, &h->last, &due));
    }
    json_object_set_new(answer, "ref", line_number(++h->ref));
    enum roam_status status =
        h->list
            ? roam_client_conversations(&h->c, h->ref, before, of, rows, now)
            : roam_client_history(&h->c, h->ref, of, before,
                                  line_value(r, "after", 0), false, rows, now);
    return status ? "BAD_STATE" : NULL;
}

static const char *do_view(struct handle *h, const json_t *r, json_t *answer)
{
    struct roam_local_row info;
    uint64_t count;
    handle_view(h, line_text(r, "conversation"), &info, &count);
    json_object_set_new(answer, "count", line_number(count));
    json_object_set_new(answer, "unread", line_number(info.unread));
    json_object_set_new(answer, "read_mark", line_number(info.read_mark));
    json_object_set_new(answer, "role", line_number(info.role));
    return NULL;
}

static const char *do_drop(struct handle *h, const json_t *r, json_t *answer)
{
    (void)r, (void)answer;
    handle_hang_up(h);
    return NULL;
}

static const char *do_close(struct handle *h, const json_t *r, json_t *answer)
{
    (void)answer;
    if (line_true(r, "logout")) {
        return roam_client_logout(&h->c, now) ? "BAD_STATE" : NULL;
    }
    for (size_t i = 0; i < ITEMS; i++) { /* outlives the program: SEND-14 */
        if (h->outbox[i].state != ROAM_OUTBOX_EMPTY) {
            must(roam_local_outbox_mark(h->store->local,
                                        h->outbox[i].client_msg_id,
                                        h->outbox[i].first_sent_ms));
        }
    }
    must(roam_local_commit(h->store->local));
    for (size_t i = 0; i < SEATS; i++) {
        handles[i] = handles[i] == h ? NULL : handles[i];
    }
    if (h->fd >= 0) {
        close(h->fd);
    }
    free(h);
    return NULL;
}

/* The fence: all that the harness has written is read first. */
static const char *do_state(struct handle *h, const json_t *r, json_t *answer)
{
    uint64_t connections = line_value(r, "connections", 0);
    uint64_t bytes = line_value(r, "received", 0);
    struct roam_local_device device;
    struct roam_local_counts counts;
    while (h->fd >= 0 && h->connections == connections &&
           (h->received < bytes || line_true(r, "ended"))) {
        struct pollfd p = {.fd = h->fd, .events = POLLIN};
        poll(&p, 1, -1);
        work(h);
    }
    roam_local_device(h->store->local, &device);
    must(roam_local_count(h->store->local, &counts));
    json_t *state = json_pack(
        "{s:o,s:o,s:o,s:o,s:o,s:b}", "cursor", line_number(h->store->cursor),
        "attempt", line_number(device.attempt), "connections",
        line_number(h->connections), "sent", line_number(h->sent), "unsent",
        line_number(counts.outbox), "connected", h->fd >= 0);
    if (h->connect_at != NEVER) {
        json_object_set_new(
            state, "next_ms",
            line_number(h->connect_at > now ? h->connect_at - now : 0));
    }
    json_object_update(answer, state);
    json_decref(state);
    return NULL;
}

/* From one timer to the next. */
static const char *do_advance(struct handle *h, const json_t *r, json_t *answer)
{
    (void)h;
    uint64_t end = now + line_value(r, "ms", 0);
    for (work_all(); now < end; work_all()) {
        uint64_t next = end;
        for (size_t i = 0; i < SEATS; i++) {
            const struct handle *one = handles[i];
            uint64_t due = !one          ? NEVER
                           : one->fd < 0 ? one->connect_at
                                         : roam_client_deadline_ms(&one->c);
            next = due > now && due < next ? due : next;
        }
        now = next;
    }
    json_object_set_new(answer, "now", line_number(now));
    return NULL;
}

static void serve(const json_t *r)
{
    static const struct {
        const char *name;
        const char *(*act)(struct handle *, const json_t *, json_t *);
    } verbs[] = {{"open", do_open},       {"advance", do_advance},
                 {"login", do_login},     {"send", do_send},
                 {"ack", do_ack},         {"drop", do_drop},
                 {"history", do_history}, {"view", do_view},
                 {"close", do_close},     {"state", do_state}};
    const size_t count = sizeof verbs / sizeof verbs[0];
    struct handle *h = NULL;
    size_t v = 0;
    while (v < count && strcmp(verbs[v].name, line_text(r, "verb")) != 0) {
        v++;
    }
    for (size_t i = 0; i < SEATS; i++) {
        bool it =
            handles[i] && !strcmp(handles[i]->name, line_text(r, "handle"));
        h = it ? handles[i] : h;
    }
    json_t *answer = json_pack("{s:O,s:s}", "id", json_object_get(r, "id"),
                               "answer", v < count ? "ok" : "unsupported");
    const char *code = v == count    ? NULL
                       : v > 1 && !h ? "NO_SUCH_HANDLE"
                                     : verbs[v].act(h, r, answer);
    if (code) {
        json_object_set_new(answer, "answer", json_string("error"));
        json_object_set_new(answer, "code", json_string(code));
        json_object_set_new(answer, "definite", json_true());
    }
    work_all();
    line_say(answer);
}

int main(void)
{
    bool going = true;
    line_begin();
    line_say(json_pack("{s:s,s:i,s:[i],s:[s,s,s,s,s,s,s],s:s}", "hello",
                       "libroam", "adapter", 1, "protocols", 1, "capabilities",
                       "ack", "history", "drop", "limits", "restart",
                       "operations", "view", "clock", "virtual"));
    while (going) { /* the sockets work while no request comes */
        struct pollfd p[SEATS + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};
        for (size_t i = 0; i < SEATS; i++) {
            p[i + 1].fd = handles[i] ? handles[i]->fd : -1;
            p[i + 1].events = POLLIN;
        }
        poll(p, SEATS + 1, -1);
        work_all();
        json_t *r = p[0].revents ? line_next() : NULL;
        going = r ? strcmp(line_text(r, "verb"), "quit") != 0 : !p[0].revents;
        if (r && going) {
            serve(r);
        } else if (r) {
            line_say(json_pack("{s:O,s:s}", "id", json_object_get(r, "id"),
                               "answer", "ok"));
        }
        json_decref(r);
    }
    return 0;
}
