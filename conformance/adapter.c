/* SPDX-License-Identifier: Apache-2.0 */
/* Lines to and from an adapter: see adapter.h. */
#include "adapter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broken.h"
#include "peers.h"
#include "serial.h"
#include "spawn.h"

#define READ_BYTES 65536u
/* Lines of its standard error that a diagnosis shows. */
#define ERROR_LINES 32u
/* An adapter that does not read blocks nobody for longer. */
#define WRITE_LIMIT_MS 10000u
/* From the end of its output to its own. */
#define EXIT_MS 2000u

/* ------------------------------------------------------------------ values */

const char *json_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

bool json_u64(const json_t *object, const char *key, uint64_t *out)
{
    const char *s = json_text(object, key);
    char *end;
    errno = 0;
    *out = s ? strtoull(s, &end, 10) : 0;
    return s && *s >= '0' && *s <= '9' && *end == '\0' && errno == 0;
}

void json_set_u64(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key,
                        json_string(arena_printf("%" PRIu64, value)));
}

/* ----------------------------------------------------------------- the peer */

static bool start_process(struct adapter *a, const char **reason)
{
    int to[2], from[2];
    a->errors = memfd_create("adapter-errors", MFD_CLOEXEC);
    if (a->errors < 0 || pipe2(to, O_CLOEXEC) != 0 ||
        pipe2(from, O_CLOEXEC) != 0) {
        *reason = arena_string(strerror(errno));
        return false;
    }
    struct spawn p = {.argv = (const char *const *)a->target->argv,
                      .in = to[0],
                      .out = from[1],
                      .err = a->errors,
                      .kept = -1};
    broken_environment(BROKEN_CLIENT, &p.more);
    a->pid = spawn_start(&p);
    close(to[0]);
    close(from[1]);
    a->in = to[1];
    a->out = from[0];
    return a->pid > 0;
}

static bool connect_tcp(struct adapter *a, const char **reason)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    int r = getaddrinfo(a->target->host,
                        arena_printf("%u", (unsigned)a->target->port), &hints,
                        &list);
    if (r != 0) {
        *reason =
            arena_printf("adapter at %s: %s", a->target->host, gai_strerror(r));
        return false;
    }
    int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && connect(fd, list->ai_addr, list->ai_addrlen) == 0;
    if (!ok) {
        *reason = arena_printf("adapter at %s:%u: %s", a->target->host,
                               (unsigned)a->target->port, strerror(errno));
    }
    freeaddrinfo(list);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    a->in = fd;
    a->out = ok ? dup(fd) : -1;
    return ok && a->out >= 0;
}

/* A datagram socket is connected without a word to the other side. */
const char *adapter_faces(const struct adapter_target *target)
{
    const struct addrinfo hints = {.ai_family = AF_INET,
                                   .ai_socktype = SOCK_DGRAM};
    struct addrinfo *list;
    struct sockaddr_in at = {.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    char text[INET_ADDRSTRLEN] = PEER_LOOPBACK;
    if (target->host && getaddrinfo(target->host, "9", &hints, &list) == 0) {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (connect(fd, list->ai_addr, list->ai_addrlen) == 0 &&
            getsockname(fd, (struct sockaddr *)&at, &len) == 0) {
            inet_ntop(AF_INET, &at.sin_addr, text, sizeof text);
        }
        close(fd);
        freeaddrinfo(list);
    }
    return arena_string(text);
}

static void init(struct adapter *a)
{
    *a = (struct adapter){
        .name = "the adapter", .in = -1, .out = -1, .errors = -1};
    a->cap = READ_BYTES;
    a->line = arena_alloc(a->cap);
}

static void never_wait(const struct adapter *a)
{
    fcntl(a->in, F_SETFL, O_NONBLOCK);
    fcntl(a->out, F_SETFL, O_NONBLOCK);
}

/* An empty line begins a run. The one before it ends what may have been left
 * unfinished on the line. */
static bool open_serial(struct adapter *a, const char **reason)
{
    static const char begin[] = "\n\n";
    int fd = serial_open(a->target->serial, a->target->baud, reason);
    a->in = fd;
    a->out = fd >= 0 ? dup(fd) : -1;
    if (a->out < 0) {
        return false;
    }
    *reason = "adapter: the serial line takes nothing";
    return write(fd, begin, sizeof begin - 1) == (ssize_t)(sizeof begin - 1);
}

bool adapter_open(struct adapter *a, const struct adapter_target *target,
                  const char **reason)
{
    init(a);
    a->target = target;
    bool ok = target->argv     ? start_process(a, reason)
              : target->serial ? open_serial(a, reason)
                               : connect_tcp(a, reason);
    if (ok) {
        never_wait(a);
    }
    return ok;
}

void adapter_attach(struct adapter *a, int fd)
{
    init(a);
    a->in = fd;
    a->out = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    never_wait(a);
}

static bool is_serial(const struct adapter *a)
{
    return a->target && a->target->serial;
}

int adapter_close(struct adapter *a, uint64_t patience_ms)
{
    if (a->in >= 0) {
        if (a->target && a->target->host) {
            shutdown(a->in, SHUT_WR); /* `out` is the same connection */
        }
        close(a->in);
        a->in = -1;
    }
    int status = -1;
    uint64_t deadline = now_ms() + patience_ms;
    while (!is_serial(a) && a->out >= 0 && !a->ended && now_ms() < deadline) {
        struct pollfd p = {.fd = a->out, .events = POLLIN};
        poll(&p, 1, (int)(deadline - now_ms()));
        adapter_read(a);
    }
    if (a->pid > 0) {
        /* One that has said its last may still be about to exit. */
        if (!a->ended || !spawn_wait(a->pid, now_ms() + EXIT_MS, &status)) {
            status = spawn_kill(a->pid);
        }
        a->pid = 0;
    }
    if (a->out >= 0) {
        close(a->out);
        a->out = -1;
    }
    return status;
}

const char *adapter_errors(const struct adapter *a)
{
    char buf[8192];
    if (a->errors < 0) {
        return "";
    }
    off_t size = lseek(a->errors, 0, SEEK_END);
    off_t from = size > (off_t)sizeof buf ? size - (off_t)sizeof buf : 0;
    ssize_t n = pread(a->errors, buf, sizeof buf, from);
    const char *text = arena_copy(buf, n > 0 ? (size_t)n : 0);
    const char *at = text + strlen(text);
    for (size_t lines = 0; at > text; at--) {
        lines += at[-1] == '\n' && at[0] != '\0';
        if (lines == ERROR_LINES) {
            break;
        }
    }
    return at;
}

/* ------------------------------------------------------------------- lines */

static bool fault(struct adapter *a, const char *what)
{
    if (!a->fault) {
        a->fault = what;
    }
    return false;
}

/* So much of a bad line as a person needs to know it again. */
static const char *excerpt(const uint8_t *line, size_t len)
{
    struct text t = {0};
    for (size_t i = 0; i < len && i < 60; i++) {
        text_add(&t, line[i] >= ' ' && line[i] < 0x7f ? "%c" : "\\x%02x",
                 line[i]);
    }
    return arena_printf("%s%s", text_str(&t), len > 60 ? "..." : "");
}

static void keep(struct adapter_line **list, size_t *count, size_t *cap,
                 json_t *json)
{
    arena_grow((void **)list, *count, cap, sizeof **list);
    (*list)[(*count)++] = (struct adapter_line){.json = json};
}

/* On a serial line: what stood there before the run began, and the hello to
 * the second of the lines that begin it. */
static bool is_before_the_run(const struct adapter *a, const json_t *json)
{
    bool is_hello = json_object_get(json, "hello") != NULL;
    return is_serial(a) &&
           (a->hello ? is_hello && a->answer_count == 0 : !is_hello);
}

static bool take_line(struct adapter *a, const uint8_t *line, size_t len)
{
    json_error_t error;
    json_t *json =
        json_loadb((const char *)line, len, JSON_REJECT_DUPLICATES, &error);
    if (is_before_the_run(a, json)) {
        return true;
    }
    if (!json_is_object(json)) {
        const char *why = json ? "" : arena_printf(" (%s)", error.text);
        return fault(a, arena_printf("a line that is no JSON object%s: %s", why,
                                     excerpt(line, len)));
    }
    if (json_object_get(json, "hello")) {
        if (a->hello) {
            return fault(a, "a second hello");
        }
        a->hello = json;
    } else if (!a->hello) {
        return fault(a, arena_printf("the first line is no hello: %s",
                                     excerpt(line, len)));
    } else if (json_object_get(json, "event")) {
        if (!json_text(json, "event") || !json_text(json, "handle")) {
            return fault(a, arena_printf("an event without a handle: %s",
                                         excerpt(line, len)));
        }
        keep(&a->events, &a->event_count, &a->event_cap, json);
    } else if (json_object_get(json, "answer")) {
        keep(&a->answers, &a->answer_count, &a->answer_cap, json);
    } else {
        return fault(a, arena_printf("a line without hello, answer or event: "
                                     "%s",
                                     excerpt(line, len)));
    }
    return true;
}

static bool take_lines(struct adapter *a)
{
    size_t at = 0;
    for (;;) {
        uint8_t *end = memchr(a->line + at, '\n', a->have - at);
        if (!end) {
            break;
        }
        size_t len = (size_t)(end - (a->line + at));
        if (!take_line(a, a->line + at, len)) {
            return false;
        }
        at += len + 1;
    }
    memmove(a->line, a->line + at, a->have - at);
    a->have -= at;
    return a->have <= ADAPTER_LINE_MAX || fault(a, "a line of more than 1 MiB");
}

bool adapter_read(struct adapter *a)
{
    while (!a->ended) {
        if (a->cap - a->have < READ_BYTES) {
            uint8_t *line = arena_alloc(a->cap * 2);
            memcpy(line, a->line, a->have);
            a->line = line;
            a->cap *= 2;
        }
        ssize_t n = read(a->out, a->line + a->have, a->cap - a->have);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return true;
        }
        if (n <= 0) {
            a->ended = true;
            return a->may_end || fault(a, arena_printf("%s ended", a->name));
        }
        a->have += (size_t)n;
        if (!take_lines(a)) {
            return false;
        }
    }
    return false;
}

static bool has(const json_t *array, const char *name)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *s = json_string_value(json_array_get(array, i));
        if (s && strcmp(s, name) == 0) {
            return true;
        }
    }
    return false;
}

bool adapter_can(const struct adapter *a, const char *capability)
{
    return has(json_object_get(a->hello, "capabilities"), capability);
}

bool adapter_meets(const struct adapter *a, const char *need)
{
    return strcmp(need, "clock") == 0 ? a->is_virtual && a->keeps_time
                                      : adapter_can(a, need);
}

bool adapter_greeted(struct adapter *a)
{
    if (!a->hello) {
        return false;
    }
    const char *clock = json_text(a->hello, "clock");
    const json_t *versions = json_object_get(a->hello, "protocols");
    bool speaks = false;
    for (size_t i = 0; i < json_array_size(versions); i++) {
        speaks = speaks || json_integer_value(json_array_get(versions, i)) == 1;
    }
    if (json_integer_value(json_object_get(a->hello, "adapter")) !=
        ADAPTER_VERSION) {
        return fault(a, "hello: \"adapter\" must be 1");
    }
    if (!speaks) {
        return fault(a, "hello: \"protocols\" must contain 1");
    }
    if (!json_is_array(json_object_get(a->hello, "capabilities"))) {
        return fault(a, "hello: \"capabilities\" must be an array");
    }
    if (!clock || (strcmp(clock, "virtual") != 0 &&
                   strcmp(clock, "real") != 0 && strcmp(clock, "none") != 0)) {
        return fault(a, "hello: \"clock\" must be virtual, real or none");
    }
    a->is_virtual = strcmp(clock, "real") != 0;
    a->keeps_time = strcmp(clock, "none") != 0;
    return true;
}

static int write_limit_ms(const struct adapter *a)
{
    uint64_t patience = a->target ? a->target->patience_ms : 0;
    return (int)(patience ? patience : WRITE_LIMIT_MS);
}

static bool does_not_read(struct adapter *a)
{
    return fault(a, arena_printf("%s does not read its input", a->name));
}

static bool write_all(struct adapter *a, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(a->in, data, len);
        if (n > 0) {
            data += n;
            len -= (size_t)n;
            continue;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return does_not_read(a);
        }
        struct pollfd p[] = {{.fd = a->in, .events = POLLOUT},
                             {.fd = a->out, .events = POLLIN}};
        if (poll(p, 2, write_limit_ms(a)) == 0) {
            return does_not_read(a);
        }
        if (p[1].revents && !adapter_read(a)) {
            return false;
        }
    }
    return true;
}

uint64_t adapter_request(struct adapter *a, const char *verb, json_t *request)
{
    json_object_set_new(request, "id", json_integer((json_int_t)++a->last_id));
    json_object_set_new(request, "verb", json_string(verb));
    a->may_end = a->may_end || strcmp(verb, "quit") == 0;
    char *line = json_dumps(request, JSON_COMPACT);
    size_t len = strlen(line);
    line = arena_printf("%s\n", line);
    return !a->fault && write_all(a, line, len + 1) ? a->last_id : 0;
}

json_t *adapter_answer(struct adapter *a, uint64_t id)
{
    for (size_t i = 0; i < a->answer_count; i++) {
        struct adapter_line *l = &a->answers[i];
        if (!l->taken && json_integer_value(json_object_get(l->json, "id")) ==
                             (json_int_t)id) {
            l->taken = true;
            return l->json;
        }
    }
    return NULL;
}

const char *adapter_result(const json_t *answer)
{
    const char *s = json_text(answer, "answer");
    bool known = s && (strcmp(s, "ok") == 0 || strcmp(s, "error") == 0 ||
                       strcmp(s, "unsupported") == 0);
    return known ? s : NULL;
}
