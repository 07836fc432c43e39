/* SPDX-License-Identifier: Apache-2.0 */
/* The client for POSIX systems behind conformance/ADAPTER.md: requests become
 * calls of roam_posix.h, its events become lines. `now` is all of its time. */
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "roam_posix.h"

#define SEATS 16
#define OK ROAM_POSIX_STATUS_OK

/* An installation, and the program on it while one runs. */
static struct seat {
    json_t *open; /* the request, whose strings are kept; NULL: free */
    char port[8];
    struct roam_local *store; /* in memory; outlives the programs */
    uint64_t cursor;          /* of the program before */
    struct roam_posix *p;     /* NULL: none runs */
} seats[SEATS + 1];           /* the last one stays free */

static json_t *request, *answer; /* of what is being served */
static uint64_t now;

static uint64_t clock_ms(void *context)
{
    (void)context;
    return UINT64_C(1700000000000) + now;
}

/* ---------------------------------------------------------------- values */

static const char *text(const char *key)
{
    const char *s = json_string_value(json_object_get(request, key));
    return s ? s : "";
}

static bool is_set(const char *key)
{
    return json_is_true(json_object_get(request, key));
}

static uint64_t number(const char *key) /* absent: 0 */
{
    return strtoull(text(key), NULL, 10);
}

static struct roam_bytes slice(const char *key)
{
    return (struct roam_bytes){(const uint8_t *)text(key), strlen(text(key))};
}

static json_t *n_of(uint64_t n)
{
    return json_sprintf("%" PRIu64, n);
}

static void put(const char *key, uint64_t n)
{
    json_object_set_new(answer, key, n_of(n));
}

static json_t *text_of(struct roam_bytes b)
{
    return json_stringn(b.len ? (const char *)b.data : "", b.len);
}

static json_t *hex_of(struct roam_bytes b)
{
    char *digits = malloc(2 * b.len + 1);
    for (size_t i = 0; i < b.len; i++) {
        sprintf(digits + 2 * i, "%02x", b.data[i]);
    }
    json_t *value = json_stringn(digits, 2 * b.len);
    free(digits);
    return value;
}

static void say(json_t *line)
{
    json_dumpf(line, stdout, JSON_COMPACT);
    puts("");
    fflush(stdout);
    json_decref(line);
}

/* ---------------------------------------------------------------- events */

static void tell(const struct seat *s, json_t *event)
{
    json_object_set(event, "handle", json_object_get(s->open, "handle"));
    say(event);
}

static json_t *row(const char *event, const struct roam_entry_event *e)
{
    return json_pack(
        "{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b}", "event", event,
        "version", n_of(e->version), "kind", n_of(e->kind), "msg_id",
        n_of(e->msg_id), "client_msg_id", n_of(e->client_msg_id),
        "conversation", text_of(e->conversation), "conversation_name",
        text_of(e->conversation_name), "sender", text_of(e->sender),
        "sender_name", text_of(e->sender_name), "content_type",
        text_of(e->content_type), "body", hex_of(e->body), "cut_size",
        n_of(e->cut_size), "recalled", e->recalled);
}

#define N(member) n_of(e->u.member)

static json_t *event_of(const struct roam_event *e)
{
    switch ((int)e->type) {
    case ROAM_EVENT_LOGGED_IN:
        return json_pack("{s:s,s:o,s:o}", "event", "granted", "generation",
                         N(logged_in.generation), "head", N(logged_in.head));
    case ROAM_EVENT_REFUSED:
        return json_pack("{s:s,s:o,s:o,s:o}", "event", "refused", "reason",
                         N(refused.reason), "retry", N(refused.retry),
                         "generation", N(refused.generation));
    case ROAM_EVENT_RESET:
        return json_pack("{s:s,s:o,s:o}", "event", "reset", "reason",
                         N(reset.reason), "head", N(reset.head));
    case ROAM_EVENT_ENTRY:
        return row(e->u.entry.kind ? "operation" : "message", &e->u.entry);
    case ROAM_EVENT_SENT:
        return json_pack("{s:s,s:o,s:o,s:b}", "event", "sent", "client_msg_id",
                         N(sent.client_msg_id), "msg_id", N(sent.msg_id),
                         "duplicate", e->u.sent.duplicate);
    case ROAM_EVENT_SEND_FAILED:
        return json_pack("{s:s,s:o,s:o}", "event", "failed", "ref",
                         N(send_failed.client_msg_id), "code",
                         N(send_failed.code));
    case ROAM_EVENT_PAGE_ROW:
        return row("page-row", &e->u.page_row.row);
    case ROAM_EVENT_PAGE_END:
        return json_pack("{s:s,s:o,s:o,s:b}", "event", "page", "ref",
                         N(page_end.ref), "count", N(page_end.rows), "more",
                         e->u.page_end.more);
    case ROAM_EVENT_PAGE_FAILED:
        return json_pack("{s:s,s:o,s:o}", "event", "failed", "ref",
                         N(page_failed.ref), "code", N(page_failed.code));
    case ROAM_EVENT_KICKED:
        return json_pack("{s:s,s:o,s:o}", "event", "kicked", "reason",
                         N(kicked.reason), "retry", N(kicked.retry));
    default: /* SYNCED, which may be left out */
        return json_pack("{s:s,s:o}", "event", "synced", "version",
                         N(synced.version));
    }
}

static void take(const struct seat *s, const struct roam_posix_event *e)
{
    const struct roam_event *told = &e->u.engine;
    bool noop =
        told->type == ROAM_EVENT_ENTRY && told->u.entry.kind == ROAM_KIND_NOOP;
    if (e->type == ROAM_POSIX_DISCONNECTED) {
        enum roam_posix_status why = e->u.disconnected.status;
        bool lied = why == ROAM_POSIX_STATUS_PROTOCOL ||
                    why == ROAM_POSIX_STATUS_UNTRUSTED ||
                    why == ROAM_POSIX_STATUS_ALPN;
        tell(s, json_pack("{s:s,s:s,s:s}", "event", "closed", "retry",
                          e->u.disconnected.reconnect ? "AFTER" : "NEVER",
                          "detail", lied ? e->u.disconnected.detail : ""));
    } else if (e->type == ROAM_POSIX_NEW_DEVICE ||
               (e->type == ROAM_POSIX_PROTOCOL && !noop)) {
        tell(s, event_of(told));
    }
}

/* All that can be done now. A connection on its way up is waited for, for
 * `now` does not move meanwhile. */
static void work(struct seat *s)
{
    struct roam_posix_event e;
    struct pollfd fd;
    int due, wait;
    do {
        roam_posix_run(s->p);
        while (roam_posix_next_event(s->p, &e)) {
            take(s, &e);
        }
        due = roam_posix_poll(s->p, &fd);
        wait = fd.fd < 0 || roam_posix_connected(s->p) ? 0 : -1;
    } while (due == 0 || poll(&fd, 1, wait) > 0);
}

static void work_all(void)
{
    for (struct seat *s = seats; s < seats + SEATS; s++) {
        if (s->p) {
            work(s);
        }
    }
}

/* ----------------------------------------------------------------- verbs */

/* The seat that was opened with this, or a free one; &seats[SEATS]: neither */
static struct seat *find(const char *key)
{
    struct seat *s = seats;
    while (s < seats + SEATS && s->open &&
           !json_equal(json_object_get(s->open, key),
                       json_object_get(request, key))) {
        s++;
    }
    return s;
}

static int do_open(struct seat *s)
{
    static const char *const types[] = {"PHONE", "TABLET", "DESKTOP",
                                        "WEB",   "WATCH",  "EMBEDDED"};
    char detail[ROAM_POSIX_DETAIL_MAX];
    struct roam_posix_config config = {
        .host = text("host"),
        .port = s->port,
        .ca_pem = *text("ca") ? text("ca") : NULL,
        .plain = !*text("ca"),
        .user = text("user"),
        .token = text("token"),
        .device_type = ROAM_PHONE,
        .device_name = text("device_name"),
        .max_frame = (uint32_t)number("max_frame"),
        .max_inflated = (uint32_t)number("max_inflated"),
        .max_unacked = (uint32_t)number("max_unacked"),
        .max_entries = (uint32_t)number("max_entries"),
        .max_body = 1u << 20,
        .no_deflate = strcmp(text("codecs"), "0") == 0,
        .no_survey = true,
        .says_stored = strcmp(text("ack"), "manual") == 0,
        .cursor = s->cursor,
        .clock_ms = clock_ms};
    if (s->p || s == seats + SEATS) {
        return ROAM_POSIX_STATUS_STORE_IN_USE;
    }
    while (config.device_type < ROAM_EMBEDDED &&
           strcmp(types[config.device_type - 1], text("device_type")) != 0) {
        config.device_type++;
    }
    json_decref(s->open);
    s->open = json_incref(request);
    snprintf(s->port, sizeof s->port, "%" JSON_INTEGER_FORMAT,
             json_integer_value(json_object_get(request, "port")));
    if (!s->store && roam_local_open(NULL, config.user, config.device_type,
                                     ROAM_LOCAL_OWN, &s->store, detail)) {
        return ROAM_POSIX_STATUS_STORE;
    }
    config.store = s->store;
    return roam_posix_new(&config, &s->p, detail);
}

static int do_send(struct seat *s)
{
    uint64_t id = 0;
    struct roam_bytes body = {NULL, strlen(text("body")) / 2};
    uint8_t *bytes = malloc(body.len + 1);
    for (size_t i = 0; i < body.len; i++) {
        sscanf(text("body") + 2 * i, "%2hhx", bytes + i);
    }
    body.data = bytes;
    enum roam_posix_status status = roam_posix_send(
        s->p, (enum roam_kind)number("kind"), slice("conversation"),
        slice("content_type"), body, &id);
    put("client_msg_id", id);
    free(bytes);
    return status;
}

static int do_history(struct seat *s)
{
    uint64_t ref = 0, before = number("before");
    uint32_t rows = *text("max_rows") ? (uint32_t)number("max_rows") : 100;
    enum roam_posix_status status =
        is_set("list") ? roam_posix_conversations(
                             s->p, before, text("conversation"), rows, &ref)
                       : roam_posix_history(s->p, text("conversation"), before,
                                            number("after"), rows, &ref);
    put("ref", ref);
    return status;
}

static int do_view(struct seat *s)
{
    const char *of = text("conversation");
    struct roam_local_history *rows = roam_local_history_open(s->store, of);
    struct roam_local_row r;
    bool found = rows != NULL;
    uint64_t count = 0;
    while (found && !roam_local_history_next(rows, &r, &found) && found) {
        if (r.kind == ROAM_KIND_MESSAGE && !r.hole && !r.recalled) {
            tell(s, row("shown", &(struct roam_entry_event){
                                     .msg_id = r.msg_id,
                                     .conversation = r.conversation,
                                     .sender = r.sender,
                                     .content_type = r.content_type,
                                     .body = r.body}));
            count++;
        }
    }
    roam_local_history_close(rows);
    enum roam_posix_status status = roam_local_state(s->store, of, &r);
    put("count", count);
    put("unread", r.unread);
    put("read_mark", r.read_mark);
    put("role", r.role);
    return status;
}

static int do_close(struct seat *s)
{
    if (is_set("logout")) {
        return roam_posix_logout(s->p);
    }
    s->cursor = roam_posix_cursor(s->p);
    roam_posix_free(s->p);
    s->p = NULL;
    json_object_del(s->open, "handle");
    return OK;
}

/* The fence: all that the harness has written is read first. */
static int do_state(struct seat *s)
{
    struct roam_posix_stats stats;
    struct roam_local_device device;
    struct roam_local_counts counts;
    struct pollfd fd;
    roam_posix_stats(s->p, &stats);
    while (roam_posix_connected(s->p) &&
           stats.connections == number("connections") &&
           (is_set("ended") || stats.last_received < number("received"))) {
        roam_posix_poll(s->p, &fd);
        poll(&fd, 1, -1);
        work(s);
        roam_posix_stats(s->p, &stats);
    }
    roam_local_device(s->store, &device);
    enum roam_posix_status status = roam_local_count(s->store, &counts);
    put("cursor", roam_posix_cursor(s->p));
    put("attempt", device.attempt);
    put("connections", stats.connections);
    put("sent", stats.last_sent);
    put("unsent", counts.outbox);
    json_object_set_new(answer, "connected",
                        json_boolean(roam_posix_connected(s->p)));
    if (roam_posix_reconnect_ms(s->p) != UINT64_MAX) {
        put("next_ms", roam_posix_reconnect_ms(s->p));
    }
    return status;
}

/* From one timer to the next. */
static int do_advance(struct seat *s)
{
    uint64_t end = now + number("ms");
    for (work_all(); now < end; work_all()) {
        uint64_t step = end - now;
        for (s = seats; s < seats + SEATS; s++) {
            struct pollfd fd;
            int ms = s->p ? roam_posix_poll(s->p, &fd) : -1;
            step = ms > 0 && (uint64_t)ms < step ? (uint64_t)ms : step;
        }
        now += step;
    }
    put("now", now);
    return OK;
}

static int do_login(struct seat *s)
{
    (void)roam_posix_take_over(s->p, number("take_over"));
    return OK; /* also where it is logged in already */
}

static int do_ack(struct seat *s)
{
    return roam_posix_stored(s->p, number("version"));
}

static int do_drop(struct seat *s)
{
    struct pollfd fd;
    roam_posix_poll(s->p, &fd);
    shutdown(fd.fd, SHUT_RDWR);
    return OK;
}

/* True: go on. */
static bool serve(void)
{
    static const struct verb {
        const char *name, *of; /* key of the store or the handle it is about */
        int (*act)(struct seat *);
    } verbs[] = {{"open", "store", do_open},
                 {"send", "handle", do_send},
                 {"login", "handle", do_login},
                 {"ack", "handle", do_ack},
                 {"history", "handle", do_history},
                 {"view", "handle", do_view},
                 {"state", "handle", do_state},
                 {"drop", "handle", do_drop},
                 {"close", "handle", do_close},
                 {"advance", "", do_advance},
                 {"quit", "", NULL},
                 {NULL, "", NULL}};
    const struct verb *v = verbs;
    while (v->name && strcmp(v->name, text("verb")) != 0) {
        v++;
    }
    struct seat *s = find(v->of);
    answer = json_pack("{s:O,s:s}", "id", json_object_get(request, "id"),
                       "answer", v->name ? "ok" : "unsupported");
    bool there = s->p || strcmp(v->of, "handle") != 0;
    int status = !there ? ROAM_POSIX_STATUS_BAD_STATE : v->act ? v->act(s) : OK;
    if (status != OK) {
        const char *why = roam_posix_status_text(status);
        json_object_set_new(answer, "answer", json_string("error"));
        json_object_set_new(answer, "code", json_string(why));
        json_object_set_new(answer, "definite", json_true());
    }
    work_all();
    say(answer);
    return !v->name || v->act;
}

int main(void)
{
    setvbuf(stdin, NULL, _IONBF, 0); /* so that poll() knows of every line */
    say(json_pack("{s:s,s:i,s:[i],s:[s,s,s,s,s,s,s,s],s:s}", "hello", "libroam",
                  "adapter", 1, "protocols", 1, "capabilities", "ack",
                  "history", "drop", "limits", "restart", "operations", "view",
                  "tls", "clock", "virtual"));
    for (bool going = true; going;) {
        struct pollfd p[SEATS + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};
        for (size_t i = 0; i < SEATS; i++) {
            p[i + 1].fd = -1;
            if (seats[i].p) {
                roam_posix_poll(seats[i].p, &p[i + 1]);
            }
        }
        poll(p, SEATS + 1, -1);
        work_all();
        if (p[0].revents) {
            request = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, NULL);
            getchar(); /* the end of the line */
            going = request && serve();
            json_decref(request);
        }
    }
    return 0;
}
