/* SPDX-License-Identifier: Apache-2.0 */
/* See kit.h. A seat is a store's: it stays when the program on it is closed. */
#include "kit.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEATS 16

uint64_t kit_now_ms;
static struct seat {
    json_t *open; /* the request; NULL: free */
    struct handle *h;
    bool runs;
    struct pollfd fd; /* what it waits for, */
    int wait_ms;      /* and how long */
} seats[SEATS];
static const struct kit_adapter *a;
static json_t *request, *answer;

/* ---------------------------------------------------------------- values */

static bool is(const json_t *line, const char *key, const char *text)
{
    const char *s = json_string_value(json_object_get(line, key));
    return s && strcmp(s, text) == 0;
}

static json_t *number(uint64_t n)
{
    return json_sprintf("%" PRIu64, n);
}

const char *kit_text(const char *key)
{
    const json_t *value = json_object_get(request, key);
    if (json_is_integer(value)) {
        uint64_t n = (uint64_t)json_integer_value(value);
        json_object_set_new(request, key, number(n));
        value = json_object_get(request, key);
    }
    return json_is_string(value) ? json_string_value(value) : "";
}

uint64_t kit_number(const char *key)
{
    return strtoull(kit_text(key), NULL, 10);
}

bool kit_flag(const char *key)
{
    return json_is_true(json_object_get(request, key));
}

uint8_t *kit_bytes(const char *key, size_t *len)
{
    const char *digits = kit_text(key);
    *len = strlen(digits) / 2;
    uint8_t *bytes = malloc(*len + 1);
    for (size_t i = 0; bytes && i < *len; i++) {
        sscanf(digits + 2 * i, "%2hhx", bytes + i);
    }
    return bytes;
}

uint32_t kit_device_type(void)
{
    static const char *const names[] = {"",        "PHONE", "TABLET",
                                        "DESKTOP", "WEB",   "WATCH"};
    uint32_t type = 1;
    while (type < 6 && !is(request, "device_type", names[type])) {
        type++;
    }
    return type;
}

void kit_put(const char *key, uint64_t n)
{
    json_object_set_new(answer, key, number(n));
}

static void say(json_t *line)
{
    json_dumpf(line, stdout, JSON_COMPACT);
    puts("");
    fflush(stdout);
    json_decref(line);
}

/* ---------------------------------------------------------------- events */

static json_t *hex(const struct kit_slice *s)
{
    char *digits = malloc(2 * s->len + 1);
    for (size_t i = 0; digits && i < s->len; i++) {
        sprintf(digits + 2 * i, "%02x", s->data[i]);
    }
    json_t *value = json_stringn(digits, 2 * s->len);
    free(digits);
    return value;
}

static json_t *value_at(const void *at, const struct kit_field *f)
{
    const struct kit_slice *s = at;
    return f->as == KIT_U64    ? number(*(const uint64_t *)at)
           : f->as == KIT_U32  ? number(*(const uint32_t *)at)
           : f->as == KIT_FLAG ? json_boolean(*(const bool *)at)
           : f->as == KIT_HEX  ? hex(s)
           : s->len            ? json_stringn((const char *)s->data, s->len)
                               : json_string("");
}

static void tell(const struct handle *h, const char *event, json_t *line)
{
    const struct seat *s = seats;
    while (s->h != h) {
        s++;
    }
    json_object_set(line, "handle", json_object_get(s->open, "handle"));
    json_object_set_new(line, "event", json_string(event));
    say(line);
}

void kit_tell(const struct handle *h, const char *event, unsigned of,
              const void *thing)
{
    json_t *line = json_object();
    const char *name = NULL;
    for (const struct kit_field *f = a->fields; f->key; f++) {
        if (f->of == of) {
            const void *at = (const char *)thing + f->at;
            json_object_set_new(line, f->key, value_at(at, f));
            name = event ? event : f->event;
        }
    }
    if (name) {
        tell(h, name, json_incref(line));
    }
    json_decref(line);
}

void kit_closed(const struct handle *h, bool returns, const char *detail)
{
    tell(h, "closed",
         json_pack("{s:s,s:s}", "retry", returns ? "AFTER" : "NEVER", "detail",
                   detail));
}

/* ----------------------------------------------------------------- verbs */

static void work_all(void)
{
    for (struct seat *s = seats; s < seats + SEATS; s++) {
        s->fd.fd = s->wait_ms = -1;
        if (s->runs) {
            s->wait_ms = a->work(s->h, &s->fd);
        }
    }
}

/* The seat of that store or handle; NULL: none. */
static struct seat *find(const char *key)
{
    for (struct seat *s = seats; s < seats + SEATS && s->open; s++) {
        if (is(s->open, key, kit_text(key)) &&
            (s->runs || strcmp(key, "store") == 0)) {
            return s;
        }
    }
    return NULL;
}

static const char *do_open(void)
{
    struct seat *s = find("store");
    for (size_t i = 0; i < SEATS && !s; i++) {
        s = seats[i].open ? NULL : &seats[i];
    }
    if (!s || s->runs) {
        return "IN_USE";
    }
    json_decref(s->open);
    s->open = json_incref(request);
    struct handle *h = a->open(s->h);
    s->h = h ? h : s->h;
    s->runs = h != NULL;
    return h ? NULL : "CANNOT_OPEN";
}

/* From one timer to the next. */
static const char *do_advance(void)
{
    uint64_t end = kit_now_ms + kit_number("ms");
    for (work_all(); kit_now_ms < end; work_all()) {
        uint64_t step = end - kit_now_ms;
        for (struct seat *s = seats; s < seats + SEATS; s++) {
            uint64_t ms = s->wait_ms > 0 ? (uint64_t)s->wait_ms : step;
            step = ms < step ? ms : step;
        }
        kit_now_ms += step;
    }
    kit_put("now", kit_now_ms);
    return NULL;
}

/* The fence: all that the harness has written is read first. */
static void do_state(struct seat *seat)
{
    struct kit_state s;
    for (a->state(seat->h, &s);
         s.connected && s.connections == kit_number("connections") &&
         (kit_flag("ended") || s.received < kit_number("received"));
         a->state(seat->h, &s)) {
        poll(&seat->fd, 1, -1);
        work_all();
    }
    kit_put("cursor", s.cursor);
    kit_put("attempt", s.attempt);
    kit_put("connections", s.connections);
    kit_put("sent", s.sent);
    kit_put("unsent", s.unsent);
    json_object_set_new(answer, "connected", json_boolean(s.connected));
    if (s.next_ms != UINT64_MAX) {
        kit_put("next_ms", s.next_ms);
    }
}

/* The verbs about a handle. */
static const char *act(const char *verb)
{
    struct seat *s = find("handle");
    const struct kit_verb *v = a->verbs;
    while (v->name && strcmp(v->name, verb) != 0) {
        v++;
    }
    bool states = strcmp(verb, "state") == 0;
    bool drops = strcmp(verb, "drop") == 0;
    if (!v->name && !states && !drops && strcmp(verb, "close") != 0) {
        json_object_set_new(answer, "answer", json_string("unsupported"));
    } else if (!s) {
        return "NO_SUCH_HANDLE";
    } else if (v->name) {
        return v->act(s->h);
    } else if (states) {
        do_state(s);
    } else if (drops) {
        shutdown(s->fd.fd, SHUT_RDWR);
    } else {
        a->close(s->h);
        s->runs = false;
    }
    return NULL;
}

static void serve(void)
{
    bool logs_out = is(request, "verb", "close") && kit_flag("logout");
    answer = json_pack("{s:O,s:s}", "id", json_object_get(request, "id"),
                       "answer", "ok");
    const char *code = is(request, "verb", "quit")   ? NULL
                       : is(request, "verb", "open") ? do_open()
                       : is(request, "verb", "advance")
                           ? do_advance()
                           : act(logs_out ? "logout" : kit_text("verb"));
    if (code) {
        json_object_set_new(answer, "answer", json_string("error"));
        json_object_set_new(answer, "code", json_string(code));
        json_object_set_new(answer, "definite", json_true());
    }
    work_all();
    say(answer);
}

static void say_hello(void)
{
    json_t *words = json_array();
    for (const char *at = a->capabilities; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        json_array_append_new(words, json_stringn(at, n));
        at += n;
    }
    say(json_pack("{s:s,s:i,s:[i],s:o,s:s}", "hello", a->name, "adapter", 1,
                  "protocols", 1, "capabilities", words, "clock", "virtual"));
}

/* False: that was all, or the last one asks to end. */
static bool read_requests(void)
{
    static char *text; /* what was read and is not served */
    static size_t len, room;
    bool going = true;
    if (len == room) {
        text = realloc(text, room += 65536);
    }
    ssize_t n = text ? read(STDIN_FILENO, text + len, room - len) : -1;
    len += n > 0 ? (size_t)n : 0;
    for (char *end; going && n > 0 && (end = memchr(text, '\n', len));) {
        request = json_loadb(text, (size_t)(end - text), 0, NULL);
        if (request) {
            serve();
        }
        going = request && !is(request, "verb", "quit");
        json_decref(request);
        len -= (size_t)(end + 1 - text);
        memmove(text, end + 1, len);
    }
    return going && n > 0;
}

int kit_run(const struct kit_adapter *adapter)
{
    a = adapter;
    work_all();
    say_hello();
    for (bool going = true; going;) { /* the SDK works between requests */
        struct pollfd fds[SEATS + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};
        for (size_t i = 0; i < SEATS; i++) {
            fds[i + 1] = seats[i].fd;
        }
        poll(fds, SEATS + 1, -1);
        work_all();
        going = !fds[0].revents || read_requests();
    }
    return 0;
}
