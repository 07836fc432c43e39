/* SPDX-License-Identifier: Apache-2.0 */
/* libroam behind conformance/ADAPTER.md, under virtual time. A *store* is
 * what one installation keeps; a *handle* is one run of a program on it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adapter_io.h"
#include "roam.h"

#define NEVER UINT64_MAX
#define HANDLES 16
#define ITEMS 64
#define BUFFER ((size_t)1 << 18)

struct store {
    char *name; /* NULL: free */
    uint8_t device_id[16];
    uint64_t attempt, cursor;
    struct roam_outbox_item items[ITEMS]; /* id 0: free */
};
struct handle {
    char *name; /* NULL: free */
    struct store *store;
    struct roam_client c;
    struct roam_outbox_item outbox[ITEMS];
    char *user, *token;
    struct sockaddr_in address;
    bool manual;
    int fd; /* -1: none */
    uint64_t connect_at, connections, received, sent, ref;
    uint8_t rx[BUFFER], tx[BUFFER], inflated[BUFFER];
};
static struct handle handles[HANDLES];
static struct store stores[HANDLES];
static uint64_t now;

static void log_in(struct handle *h, uint64_t take_over)
{
    roam_client_login(&h->c, ++h->store->attempt, take_over, now);
}

/* The transport is gone; told once. */
static void lose(struct handle *h)
{
    close(h->fd);
    h->fd = -1;
    roam_client_closed(&h->c, now);
}

static bool connect_now(struct handle *h)
{
    h->connect_at = NEVER;
    h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(h->fd, (struct sockaddr *)&h->address, sizeof h->address)) {
        lose(h);
        return false;
    }
    fcntl(h->fd, F_SETFL, O_NONBLOCK);
    h->connections++;
    h->received = h->sent = 0;
    return roam_client_open(&h->c, now) == ROAM_STATUS_OK;
}

/* ---------------------------------------------------------------- events */

static void tell_entry(const struct handle *h, const char *name,
                       const struct roam_entry_event *e)
{
    json_t *j = io_event(h->name, name);
    io_set(j, "version", e->version);
    io_set(j, "kind", e->kind);
    io_set(j, "msg_id", e->msg_id);
    io_set(j, "client_msg_id", e->client_msg_id);
    io_set(j, "cut_size", e->cut_size);
    io_set_text(j, "conversation", e->conversation.data, e->conversation.len);
    io_set_text(j, "sender", e->sender.data, e->sender.len);
    io_set_text(j, "content_type", e->content_type.data, e->content_type.len);
    io_set_bytes(j, "body", e->body.data, e->body.len);
    io_say(j);
}

static enum roam_status keep_cursor(struct handle *h, uint64_t version)
{
    enum roam_status status = roam_client_stored(&h->c, version, now);
    if (status == ROAM_STATUS_OK) {
        h->store->cursor = version;
    }
    return status;
}

static void forget(struct handle *h, uint64_t id)
{
    for (size_t i = 0; i < ITEMS; i++) {
        if (h->store->items[i].client_msg_id == id) {
            h->store->items[i].client_msg_id = 0;
        }
    }
}

static void on_entry(struct handle *h, const struct roam_entry_event *e)
{
    if (e->kind != ROAM_KIND_NOOP) {
        tell_entry(h, e->kind ? "operation" : "message", e);
    }
    if (!h->manual) {
        keep_cursor(h, e->version);
    }
    forget(h, e->client_msg_id ? e->client_msg_id : NEVER);
}

static void on_refused(struct handle *h, const struct roam_event *e)
{
    if (e->u.refused.reason == ROAM_REFUSED_STALE && /* LOGIN-17 */
        getrandom(h->store->device_id, 16, 0) == 16) {
        h->store->attempt = 0;
        roam_client_set_device_id(&h->c, h->store->device_id);
        log_in(h, 0);
    }
}

static void on_close(struct handle *h, const struct roam_event *e)
{
    if (h->fd >= 0) {
        lose(h);
    }
    h->connect_at = e->u.close.reconnect ? e->u.close.reconnect_at_ms : NEVER;
}

static void take_event(struct handle *h, const struct roam_event *e)
{
    static const char *const names[] = {
        [ROAM_EVENT_LOGGED_IN] = "granted", [ROAM_EVENT_REFUSED] = "refused",
        [ROAM_EVENT_RESET] = "reset",       [ROAM_EVENT_SYNCED] = "synced",
        [ROAM_EVENT_SENT] = "sent",         [ROAM_EVENT_SEND_FAILED] = "failed",
        [ROAM_EVENT_PAGE_END] = "page",     [ROAM_EVENT_PAGE_FAILED] = "failed",
        [ROAM_EVENT_KICKED] = "kicked",     [ROAM_EVENT_CLOSE] = "closed"};
    enum roam_status status = ROAM_STATUS_OK;
    if (e->type == ROAM_EVENT_ENTRY) {
        on_entry(h, &e->u.entry);
        return;
    }
    if (e->type == ROAM_EVENT_PAGE_ROW) {
        tell_entry(h, "page-row", &e->u.page_row.row);
        return;
    }
    if (!names[e->type]) { /* no verb asks for it */
        return;
    }
    json_t *j = io_event(h->name, names[e->type]);
    switch (e->type) {
    case ROAM_EVENT_LOGGED_IN:
        io_set(j, "generation", e->u.logged_in.generation);
        io_set(j, "head", e->u.logged_in.head);
        break;
    case ROAM_EVENT_REFUSED:
        io_set(j, "reason", e->u.refused.reason);
        io_set(j, "retry", e->u.refused.retry);
        io_set(j, "generation", e->u.refused.generation);
        on_refused(h, e);
        break;
    case ROAM_EVENT_RESET:
        io_set(j, "reason", e->u.reset.reason);
        io_set(j, "head", e->u.reset.head);
        keep_cursor(h, e->u.reset.head);
        break;
    case ROAM_EVENT_SYNCED:
        io_set(j, "version", e->u.synced.version);
        break;
    case ROAM_EVENT_SENT:
        io_set(j, "client_msg_id", e->u.sent.client_msg_id);
        io_set(j, "msg_id", e->u.sent.msg_id);
        json_object_set_new(j, "duplicate", json_boolean(e->u.sent.duplicate));
        forget(h, e->u.sent.client_msg_id);
        break;
    case ROAM_EVENT_SEND_FAILED:
        io_set(j, "ref", e->u.send_failed.client_msg_id);
        io_set(j, "code", e->u.send_failed.code);
        forget(h, e->u.send_failed.client_msg_id);
        break;
    case ROAM_EVENT_PAGE_END:
        io_set(j, "ref", e->u.page_end.ref);
        io_set(j, "count", e->u.page_end.rows);
        json_object_set_new(j, "more", json_boolean(e->u.page_end.more));
        break;
    case ROAM_EVENT_PAGE_FAILED:
        io_set(j, "ref", e->u.page_failed.ref);
        io_set(j, "code", e->u.page_failed.code);
        break;
    case ROAM_EVENT_KICKED:
        io_set(j, "reason", e->u.kicked.reason);
        io_set(j, "retry", e->u.kicked.retry);
        break;
    default:
        on_close(h, e);
        status = e->u.close.status;
        io_set(j, "retry", h->connect_at == NEVER ? 4 : 2);
        json_object_set_new(
            j, "detail", json_string(status ? roam_status_text(status) : ""));
        break;
    }
    io_say(j);
}

/* ------------------------------------------------------------------- I/O */

static void drain(struct handle *h)
{
    struct roam_event e;
    for (roam_client_next_event(&h->c, &e, now); e.type != ROAM_EVENT_NONE;
         roam_client_next_event(&h->c, &e, now)) {
        take_event(h, &e);
    }
}

static void feed(struct handle *h, const uint8_t *in, size_t len)
{
    for (size_t at = 0; at < len && h->fd >= 0;) {
        ptrdiff_t n = roam_client_feed(&h->c, in + at, len - at, now);
        drain(h);
        at = n < 0 ? len : at + (size_t)n;
    }
}

static void flush(struct handle *h)
{
    struct roam_bytes out = roam_client_pending(&h->c);
    while (h->fd >= 0 && out.len > 0) {
        ssize_t n = send(h->fd, out.data, out.len, MSG_NOSIGNAL);
        if (n <= 0) {
            break;
        }
        h->sent += (uint64_t)n;
        roam_client_sent(&h->c, (size_t)n, now);
        out = roam_client_pending(&h->c);
    }
}

/* All that can be done without waiting. */
static void work(struct handle *h)
{
    static uint8_t in[65536];
    ssize_t n;
    do {
        if (h->connect_at <= now && connect_now(h)) {
            log_in(h, 0);
        }
        n = h->fd >= 0 ? recv(h->fd, in, sizeof in, 0) : -1;
        if (n == 0 || (n < 0 && h->fd >= 0 && errno != EAGAIN)) {
            lose(h);
        } else if (n > 0) {
            h->received += (uint64_t)n;
            feed(h, in, (size_t)n);
        }
        roam_client_tick(&h->c, now);
        drain(h);
        flush(h);
    } while (n > 0 || h->connect_at <= now);
}

/* ----------------------------------------------------------------- verbs */

static struct roam_bytes copy(const json_t *r, const char *key)
{
    const char *s = strdup(io_text(r, key));
    return (struct roam_bytes){(const uint8_t *)s, strlen(s)};
}

static struct store *find_store(const char *name)
{
    struct store *s = stores;
    while (s->name && strcmp(s->name, name) != 0) {
        s++;
    }
    if (!s->name) {
        s->name = strdup(name);
        (void)!getrandom(s->device_id, 16, 0);
    }
    return s;
}

static void queue(struct handle *h, const struct roam_outbox_item *i)
{
    roam_client_send(&h->c, i->client_msg_id, ROAM_KIND_MESSAGE,
                     i->conversation, i->content_type, i->body, now);
    for (size_t k = 0; k < ITEMS; k++) {
        if (h->outbox[k].client_msg_id == i->client_msg_id) {
            h->outbox[k].first_sent_ms = i->first_sent_ms;
        }
    }
}

static size_t limit(const json_t *r, const char *key, size_t otherwise)
{
    uint64_t n = io_number(r, key, otherwise);
    return n < BUFFER ? (size_t)n : BUFFER;
}

static enum roam_device_type type_of(const char *name)
{
    static const char *const names[] = {"PHONE", "TABLET", "DESKTOP",
                                        "WEB",   "WATCH",  "EMBEDDED"};
    int i = 0;
    while (i < 5 && strcmp(names[i], name) != 0) {
        i++;
    }
    return (enum roam_device_type)(i + 1);
}

static const char *do_open(struct handle *h, const json_t *r, json_t *answer)
{
    struct roam_client_config config = {
        .user = h->user = strdup(io_text(r, "user")),
        .token = h->token = strdup(io_text(r, "token")),
        .device_type = type_of(io_text(r, "device_type")),
        .device_name = "libroam",
        .max_entries = (uint32_t)io_number(r, "max_entries", 10000),
        .max_unacked = (uint32_t)io_number(r, "max_unacked", 100),
        .deflate = io_number(r, "codecs", 2) & 2,
        .rx = h->rx,
        .rx_bytes = limit(r, "max_frame", 65536) + 4,
        .tx = h->tx,
        .tx_bytes = BUFFER,
        .inflated = h->inflated,
        .inflated_bytes = limit(r, "max_inflated", 65536),
        .outbox = h->outbox,
        .outbox_count = ITEMS};
    (void)answer;
    h->store = find_store(io_text(r, "store"));
    config.cursor = h->store->cursor;
    memcpy(config.device_id, h->store->device_id, 16);
    (void)!getrandom(&config.random_seed, sizeof config.random_seed, 0);
    h->address.sin_family = AF_INET;
    h->address.sin_port =
        htons((uint16_t)json_integer_value(json_object_get(r, "port")));
    inet_pton(AF_INET, io_text(r, "host"), &h->address.sin_addr);
    h->manual = strcmp(io_text(r, "ack"), "manual") == 0;
    h->fd = -1;
    h->connect_at = NEVER;
    h->connections = h->received = h->sent = 0;
    if (roam_client_init(&h->c, &config) != ROAM_STATUS_OK) {
        return "BAD_ARGUMENT";
    }
    for (size_t i = 0; i < ITEMS; i++) {
        if (h->store->items[i].client_msg_id != 0) {
            queue(h, &h->store->items[i]);
        }
    }
    return NULL;
}

static const char *do_login(struct handle *h, const json_t *r, json_t *answer)
{
    (void)answer;
    if (h->fd >= 0 || connect_now(h)) {
        log_in(h, io_number(r, "take_over", 0));
    }
    return NULL;
}

static const char *do_send(struct handle *h, const json_t *r, json_t *answer)
{
    struct roam_outbox_item *i = h->store->items;
    while (i < h->store->items + ITEMS - 1 && i->client_msg_id != 0) {
        i++;
    }
    i->conversation = copy(r, "conversation");
    i->content_type = copy(r, "content_type");
    i->body.data = io_bytes(r, "body", &i->body.len);
    i->first_sent_ms = 0;
    (void)!getrandom(&i->client_msg_id, 8, 0);
    io_set(answer, "client_msg_id", i->client_msg_id);
    queue(h, i);
    return NULL;
}

static const char *do_history(struct handle *h, const json_t *r, json_t *answer)
{
    const char *name = io_text(r, "conversation");
    struct roam_bytes to = {(const uint8_t *)name, strlen(name)};
    uint64_t before = io_number(r, "before", 0);
    uint32_t rows = (uint32_t)io_number(r, "max_rows", 100);
    io_set(answer, "ref", ++h->ref);
    enum roam_status status =
        json_is_true(json_object_get(r, "list"))
            ? roam_client_conversations(&h->c, h->ref, before, to, rows, now)
            : roam_client_history(&h->c, h->ref, to, before,
                                  io_number(r, "after", 0), false, rows, now);
    return status ? "BAD_STATE" : NULL;
}

/* The fence: all that the harness has written is read first. */
static const char *do_state(struct handle *h, const json_t *r, json_t *answer)
{
    uint64_t conns = io_number(r, "connections", 0);
    uint64_t bytes = io_number(r, "received", 0);
    bool end = json_is_true(json_object_get(r, "ended"));
    uint64_t unsent = 0;
    while (h->fd >= 0 && h->connections == conns &&
           (h->received < bytes || end)) {
        struct pollfd p = {.fd = h->fd, .events = POLLIN};
        poll(&p, 1, -1);
        work(h);
    }
    for (size_t i = 0; i < ITEMS; i++) {
        unsent += h->store->items[i].client_msg_id != 0;
    }
    io_set(answer, "cursor", h->store->cursor);
    io_set(answer, "attempt", h->store->attempt);
    io_set(answer, "connections", h->connections);
    io_set(answer, "sent", h->sent);
    io_set(answer, "unsent", unsent);
    if (h->connect_at != NEVER) {
        io_set(answer, "next_ms",
               h->connect_at > now ? h->connect_at - now : 0);
    }
    json_object_set_new(answer, "connected", json_boolean(h->fd >= 0));
    return NULL;
}

static const char *do_close(struct handle *h, const json_t *r, json_t *answer)
{
    (void)answer;
    if (json_is_true(json_object_get(r, "logout"))) {
        return roam_client_logout(&h->c, now) ? "BAD_STATE" : NULL;
    }
    for (size_t i = 0; i < ITEMS; i++) {
        for (size_t k = 0; k < ITEMS; k++) {
            if (h->store->items[i].client_msg_id ==
                h->outbox[k].client_msg_id) {
                h->store->items[i].first_sent_ms = h->outbox[k].first_sent_ms;
            }
        }
    }
    roam_client_close(&h->c, now);
    drain(h);
    free(h->name);
    h->name = NULL;
    return NULL;
}

static void advance(uint64_t ms)
{
    uint64_t end = now + ms, next = 0;
    while (next != NEVER) {
        next = NEVER;
        for (struct handle *h = handles; h < handles + HANDLES; h++) {
            uint64_t due = NEVER;
            if (h->name) {
                work(h);
                due =
                    h->fd >= 0 ? roam_client_deadline_ms(&h->c) : h->connect_at;
            }
            next = due < next ? due : next;
        }
        next = next <= end ? next : NEVER;
        now = next == NEVER ? end : next > now ? next : now;
    }
}

static struct handle *find(const char *name)
{
    for (struct handle *h = handles; h < handles + HANDLES; h++) {
        if (h->name && strcmp(h->name, name) == 0) {
            return h;
        }
    }
    return NULL;
}

static const char *do_ack(struct handle *h, const json_t *r, json_t *answer)
{
    (void)answer;
    return keep_cursor(h, io_number(r, "version", 0)) ? "BAD_ARGUMENT" : NULL;
}

static const char *do_drop(struct handle *h, const json_t *r, json_t *answer)
{
    (void)r, (void)answer;
    if (h->fd >= 0) {
        lose(h);
    }
    return NULL;
}

static const struct {
    const char *verb;
    const char *(*act)(struct handle *h, const json_t *r, json_t *answer);
} verbs[] = {{"login", do_login}, {"send", do_send},      {"ack", do_ack},
             {"state", do_state}, {"drop", do_drop},      {"close", do_close},
             {"open", do_open},   {"history", do_history}};

/* NULL: done; else the error, or "unsupported". */
static const char *carry_out(const json_t *r, json_t *answer)
{
    const char *verb = io_text(r, "verb");
    struct handle *h = find(io_text(r, "handle"));
    if (strcmp(verb, "advance") == 0) {
        advance(io_number(r, "ms", 0));
        io_set(answer, "now", now);
        return NULL;
    }
    if (strcmp(verb, "open") == 0 && !h) {
        for (h = handles; h < handles + HANDLES - 1 && h->name; h++) {
        }
        h->name = strdup(io_text(r, "handle"));
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verb, verbs[i].verb) == 0) {
            return h ? verbs[i].act(h, r, answer) : "NO_SUCH_HANDLE";
        }
    }
    return "unsupported";
}

static void serve(json_t *r)
{
    json_t *answer = io_answer(r, "ok");
    const char *code = carry_out(r, answer);
    for (struct handle *h = handles; h < handles + HANDLES; h++) {
        if (h->name) {
            work(h);
        }
    }
    if (code && strcmp(code, "unsupported") == 0) {
        json_object_set_new(answer, "answer", json_string(code));
    } else if (code) {
        json_object_set_new(answer, "answer", json_string("error"));
        json_object_set_new(answer, "code", json_string(code));
        json_object_set_new(answer, "definite", json_true());
    }
    io_say(answer);
    json_decref(r);
}

/* The sockets work while no request comes. */
static json_t *wait_request(void)
{
    struct pollfd p[HANDLES + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};
    while (!io_ready() && !p[0].revents) {
        for (size_t i = 0; i < HANDLES; i++) {
            p[i + 1].fd = handles[i].name ? handles[i].fd : -1;
            p[i + 1].events = POLLIN;
        }
        poll(p, HANDLES + 1, -1);
        for (size_t i = 0; i < HANDLES; i++) {
            if (p[i + 1].revents) {
                work(&handles[i]);
            }
        }
    }
    return io_request();
}

int main(void)
{
    json_t *capabilities =
        json_pack("[s,s,s,s,s]", "ack", "history", "drop", "limits", "restart");
    io_say(json_pack("{s:s,s:i,s:[i],s:o,s:s}", "hello", "libroam", "adapter",
                     1, "protocols", 1, "capabilities", capabilities, "clock",
                     "virtual"));
    json_t *r;
    while ((r = wait_request()) != NULL &&
           strcmp(io_text(r, "verb"), "quit") != 0) {
        serve(r);
    }
    if (r) {
        io_say(io_answer(r, "ok"));
    }
    return 0;
}
