/* SPDX-License-Identifier: Apache-2.0 */
/* Lines, sockets, virtual time and the fence: see adapter_kit.h. */
#include "adapter_kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANDLES 16

uint64_t kit_now;
static const struct kit_client *client;
static struct kit_handle *handles[HANDLES]; /* NULL: free */

/* ----------------------------------------------------------------- lines */

static char *buffer;
static size_t have, cap;

static bool ready(void)
{
    return have > 0 && memchr(buffer, '\n', have) != NULL;
}

static json_t *next_request(void)
{
    while (!ready()) {
        if (cap - have < 65536) {
            cap += 65536;
            buffer = realloc(buffer, cap);
        }
        ssize_t n = buffer ? read(STDIN_FILENO, buffer + have, cap - have) : 0;
        if (n <= 0) {
            return NULL;
        }
        have += (size_t)n;
    }
    size_t len = (size_t)((char *)memchr(buffer, '\n', have) - buffer);
    json_t *request = json_loadb(buffer, len, 0, NULL);
    have -= len + 1;
    memmove(buffer, buffer + len + 1, have);
    return request;
}

void kit_say(json_t *line)
{
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

static json_t *answer_to(const json_t *request, const char *result)
{
    return json_pack("{s:O?,s:s}", "id", json_object_get(request, "id"),
                     "answer", result);
}

json_t *kit_event(const struct kit_handle *h, const char *name)
{
    return json_pack("{s:s,s:s}", "event", name, "handle", h->name);
}

const char *kit_text(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));
    return s ? s : "";
}

uint64_t kit_number(const json_t *j, const char *key, uint64_t otherwise)
{
    const char *s = kit_text(j, key);
    return *s ? strtoull(s, NULL, 10) : otherwise;
}

bool kit_true(const json_t *j, const char *key)
{
    return json_is_true(json_object_get(j, key));
}

uint8_t *kit_bytes(const json_t *j, const char *key, size_t *len)
{
    const char *hex = kit_text(j, key);
    *len = strlen(hex) / 2;
    uint8_t *bytes = malloc(*len + 1);
    for (size_t i = 0; bytes && i < *len; i++) {
        char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return bytes;
}

void kit_set(json_t *j, const char *key, uint64_t n)
{
    char s[24];
    snprintf(s, sizeof s, "%" PRIu64, n);
    json_object_set_new(j, key, json_string(s));
}

void kit_set_bool(json_t *j, const char *key, bool value)
{
    json_object_set_new(j, key, json_boolean(value));
}

void kit_set_text(json_t *j, const char *key, const void *text, size_t len)
{
    json_object_set_new(j, key, json_stringn(len ? text : "", len));
}

void kit_set_bytes(json_t *j, const char *key, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *b = bytes;
    char *hex = malloc(2 * len + 1);
    for (size_t i = 0; hex && i < len; i++) {
        hex[2 * i] = digits[b[i] >> 4];
        hex[2 * i + 1] = digits[b[i] & 15];
    }
    kit_set_text(j, key, hex, 2 * len);
    free(hex);
}

/* --------------------------------------------------------------- sockets */

bool kit_connect(struct kit_handle *h, bool by_itself)
{
    h->connect_at = KIT_NEVER;
    h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(h->fd, (struct sockaddr *)&h->address, sizeof h->address)) {
        kit_disconnect(h);
        return false;
    }
    fcntl(h->fd, F_SETFL, O_NONBLOCK);
    h->connections++;
    h->received = h->sent = 0;
    client->connected(h, by_itself);
    return true;
}

void kit_disconnect(struct kit_handle *h)
{
    if (h->fd >= 0) {
        close(h->fd);
        h->fd = -1;
        client->lost(h);
    }
}

void kit_forget(struct kit_handle *h)
{
    for (size_t i = 0; i < HANDLES; i++) {
        handles[i] = handles[i] == h ? NULL : handles[i];
    }
    if (h->fd >= 0) {
        close(h->fd);
    }
    free(h->name);
}

static void flush(struct kit_handle *h)
{
    const uint8_t *bytes;
    size_t len;
    while (h->fd >= 0 && (len = client->pending(h, &bytes)) > 0) {
        ssize_t n = send(h->fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) {
            break;
        }
        h->sent += (uint64_t)n;
        client->written(h, (size_t)n);
    }
}

/* All that can be done without waiting. */
static void work(struct kit_handle *h)
{
    static uint8_t in[65536];
    ssize_t n;
    do {
        if (h->connect_at <= kit_now) {
            kit_connect(h, true);
        }
        n = h->fd >= 0 ? recv(h->fd, in, sizeof in, 0) : -1;
        if (n > 0) {
            h->received += (uint64_t)n;
            client->read(h, in, (size_t)n);
        } else if (n == 0 || errno != EAGAIN) {
            kit_disconnect(h);
        }
        client->tick(h);
        flush(h);
    } while (n > 0 || h->connect_at <= kit_now);
}

static void work_all(void)
{
    for (size_t i = 0; i < HANDLES; i++) {
        if (handles[i]) {
            work(handles[i]);
        }
    }
}

/* ----------------------------------------------------------------- verbs */

static void advance(uint64_t ms)
{
    uint64_t end = kit_now + ms, next = 0;
    while (next != KIT_NEVER) {
        next = KIT_NEVER;
        work_all();
        for (size_t i = 0; i < HANDLES; i++) {
            const struct kit_handle *h = handles[i];
            uint64_t due = !h           ? KIT_NEVER
                           : h->fd >= 0 ? client->due(h)
                                        : h->connect_at;
            next = due < next ? due : next;
        }
        next = next <= end ? next : KIT_NEVER;
        kit_now = next == KIT_NEVER ? end : next > kit_now ? next : kit_now;
    }
}

/* The fence: all that the harness has written is read first. */
static void tell_state(struct kit_handle *h, const json_t *r, json_t *answer)
{
    uint64_t connections = kit_number(r, "connections", 0);
    uint64_t bytes = kit_number(r, "received", 0);
    while (h->fd >= 0 && h->connections == connections &&
           (h->received < bytes || kit_true(r, "ended"))) {
        struct pollfd p = {.fd = h->fd, .events = POLLIN};
        poll(&p, 1, -1);
        work(h);
    }
    kit_set(answer, "connections", h->connections);
    kit_set(answer, "sent", h->sent);
    kit_set_bool(answer, "connected", h->fd >= 0);
    if (h->connect_at != KIT_NEVER) {
        kit_set(answer, "next_ms",
                h->connect_at > kit_now ? h->connect_at - kit_now : 0);
    }
    client->state(h, answer);
}

static const char *do_open(const json_t *r)
{
    size_t i = 0;
    while (i < HANDLES && handles[i]) {
        i++;
    }
    struct kit_handle *h = i < HANDLES ? client->open(r) : NULL;
    if (!h) {
        return "CANNOT_OPEN";
    }
    handles[i] = h;
    h->name = strdup(kit_text(r, "handle"));
    h->fd = -1;
    h->connect_at = KIT_NEVER;
    h->address.sin_family = AF_INET;
    h->address.sin_port =
        htons((uint16_t)json_integer_value(json_object_get(r, "port")));
    inet_pton(AF_INET, kit_text(r, "host"), &h->address.sin_addr);
    return NULL;
}

static struct kit_handle *find(const char *name)
{
    for (size_t i = 0; i < HANDLES; i++) {
        if (handles[i] && strcmp(handles[i]->name, name) == 0) {
            return handles[i];
        }
    }
    return NULL;
}

/* NULL: done; else the code of an error, or "unsupported". */
static const char *carry_out(const json_t *r, json_t *answer)
{
    const char *verb = kit_text(r, "verb");
    struct kit_handle *h = find(kit_text(r, "handle"));
    const struct kit_verb *v = client->verbs;
    if (strcmp(verb, "advance") == 0) {
        advance(kit_number(r, "ms", 0));
        kit_set(answer, "now", kit_now);
        return NULL;
    }
    if (strcmp(verb, "open") == 0) {
        return h ? "ALREADY_OPEN" : do_open(r);
    }
    while (v->name && strcmp(v->name, verb) != 0) {
        v++;
    }
    if (!v->name && strcmp(verb, "state") != 0) {
        return "unsupported";
    }
    if (!h) {
        return "NO_SUCH_HANDLE";
    }
    if (v->name) {
        return v->act(h, r, answer);
    }
    tell_state(h, r, answer);
    return NULL;
}

static void serve(const json_t *r)
{
    json_t *answer = answer_to(r, "ok");
    const char *code = carry_out(r, answer);
    work_all();
    if (code && strcmp(code, "unsupported") == 0) {
        kit_set_text(answer, "answer", code, strlen(code));
    } else if (code) {
        kit_set_text(answer, "answer", "error", 5);
        kit_set_text(answer, "code", code, strlen(code));
        kit_set_bool(answer, "definite", true);
    }
    kit_say(answer);
}

/* The sockets work while no request comes. */
static json_t *wait_request(void)
{
    struct pollfd p[HANDLES + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};
    while (!ready() && !p[0].revents) {
        for (size_t i = 0; i < HANDLES; i++) {
            p[i + 1].fd = handles[i] ? handles[i]->fd : -1;
            p[i + 1].events = POLLIN;
        }
        poll(p, HANDLES + 1, -1);
        work_all();
    }
    return next_request();
}

int kit_run(const struct kit_client *of)
{
    client = of;
    json_t *capabilities = json_array(), *r;
    for (const char *const *c = client->capabilities; *c; c++) {
        json_array_append_new(capabilities, json_string(*c));
    }
    kit_say(json_pack("{s:s,s:i,s:[i],s:o,s:s}", "hello", client->name,
                      "adapter", 1, "protocols", 1, "capabilities",
                      capabilities, "clock", "virtual"));
    while ((r = wait_request()) != NULL &&
           strcmp(kit_text(r, "verb"), "quit") != 0) {
        serve(r);
        json_decref(r);
    }
    if (r) {
        kit_say(answer_to(r, "ok"));
        json_decref(r);
    }
    return 0;
}
