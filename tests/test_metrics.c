/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics of a server that runs: the text is parsed strictly, the counts
 * move with what happens, and the little HTTP around it keeps its bounds. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "roam.pb-c.h"
#include "roamd_rig.h"

#define NO_LIMITS ((struct roamd_limits){0, 0})
#define start(rig, ...) roamd_start((rig), NO_LIMITS, __VA_ARGS__, NULL)
#define ANSWER_MAX (1 << 17)
#define SAMPLES_MAX 512

static char token[44];
static struct wire wire;
static char answer[ANSWER_MAX];

static int setup(void **state)
{
    static struct roamd_rig rig;

    roamd_rig_setup(&rig);
    roamd_rig_provision(&rig, "alice", token);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    roamd_rig_teardown(*state);
    return 0;
}

static void start_metered(struct roamd_rig *rig)
{
    start(rig, "run", "--plain-port", "0", "--set", "metrics=127.0.0.1:0",
          "--set", "trim_ms=0"); /* its commits would count, too */
    assert_true(rig->metrics_port != 0);
}

/* ------------------------------------------------------------------- HTTP */

static void put(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* All until the server closes; the status. */
static int read_answer(int fd)
{
    size_t len = 0;
    ssize_t n;
    int status = 0;

    while ((n = recv(fd, answer + len, ANSWER_MAX - 1 - len, 0)) > 0) {
        len += (size_t)n;
    }
    assert_int_equal(n, 0);
    answer[len] = '\0';
    close(fd);
    sscanf(answer, "HTTP/1.1 %d ", &status);
    return status;
}

static int ask(const struct roamd_rig *rig, const char *request)
{
    int fd = roamd_connect(rig->metrics_port);

    put(fd, request);
    return read_answer(fd);
}

/* The body, whose length the head must tell. */
static const char *body(void)
{
    const char *at = strstr(answer, "\r\n\r\n");
    const char *length = strstr(answer, "\r\nContent-Length: ");

    assert_non_null(at);
    assert_true(length != NULL && length < at);
    assert_int_equal(atoi(length + 18), strlen(at + 4));
    return at + 4;
}

/* ------------------------------------------------------------- the format */

struct sample {
    char name[64];
    char labels[96]; /* with braces; empty: none */
    double value;
};

struct scrape {
    struct sample samples[SAMPLES_MAX];
    size_t count;
    char family[64]; /* of the lines under way */
    char type[16];
    char families[4096]; /* all so far, each in spaces */
};

static size_t name_length(const char *s)
{
    size_t n = 0;

    while (islower((unsigned char)s[n]) || isdigit((unsigned char)s[n]) ||
           s[n] == '_') {
        n++;
    }
    assert_true(n > 0 && n < 64 && !isdigit((unsigned char)s[0]));
    return n;
}

static bool ends_in(const char *s, const char *suffix)
{
    size_t len = strlen(s);
    size_t n = strlen(suffix);

    return len >= n && strcmp(s + len - n, suffix) == 0;
}

/* HELP comes first, once for each family, and TYPE right behind it. */
static void parse_comment(struct scrape *s, const char *line)
{
    char spaced[80];
    size_t n = name_length(line + 7);

    assert_int_equal(line[7 + n], ' ');
    if (strncmp(line, "# HELP ", 7) == 0) {
        snprintf(s->family, sizeof(s->family), "%.*s", (int)n, line + 7);
        snprintf(spaced, sizeof(spaced), " %s ", s->family);
        assert_null(strstr(s->families, spaced));
        strcat(s->families, spaced);
        assert_true(strlen(line + 7 + n) > 5); /* it says something */
        s->type[0] = '\0';
        return;
    }
    assert_memory_equal(line, "# TYPE ", 7);
    assert_int_equal(strlen(s->family), n);
    assert_memory_equal(line + 7, s->family, n);
    assert_string_equal(s->type, "");
    snprintf(s->type, sizeof(s->type), "%s", line + 8 + n);
    bool is_counter = strcmp(s->type, "counter") == 0;
    assert_true(is_counter || strcmp(s->type, "gauge") == 0 ||
                strcmp(s->type, "histogram") == 0);
    assert_int_equal(is_counter, ends_in(s->family, "_total"));
    assert_memory_equal(s->family, "roam_", 5);
}

static void parse_labels(const char *labels)
{
    const char *at = labels + 1;
    size_t n = name_length(at);

    assert_memory_equal(at + n, "=\"", 2);
    at = strchr(at + n + 2, '"');
    assert_non_null(at);
    assert_string_equal(at, "\"}"); /* one label is all we have */
}

static void parse_sample(struct scrape *s, const char *line)
{
    struct sample *x = &s->samples[s->count];
    size_t n = name_length(line);
    size_t labels = line[n] == '{' ? strcspn(line + n, "}") + 1 : 0;
    char *end;

    assert_true(s->count < SAMPLES_MAX && labels < sizeof(x->labels));
    snprintf(x->name, sizeof(x->name), "%.*s", (int)n, line);
    snprintf(x->labels, sizeof(x->labels), "%.*s", (int)labels, line + n);
    if (labels > 0) {
        parse_labels(x->labels);
    }
    assert_int_equal(line[n + labels], ' ');
    x->value = strtod(line + n + labels + 1, &end);
    assert_true(*end == '\0' && x->value >= 0);
    assert_true(s->type[0] != '\0');
    assert_memory_equal(x->name, s->family, strlen(s->family));
    bool bare = strcmp(x->name, s->family) == 0;
    assert_int_equal(bare, strcmp(s->type, "histogram") != 0);
    for (size_t i = 0; i < s->count; i++) {
        assert_true(strcmp(s->samples[i].name, x->name) != 0 ||
                    strcmp(s->samples[i].labels, x->labels) != 0);
    }
    s->count++;
}

static void parse(struct scrape *s, const char *text)
{
    char line[512];

    memset(s, 0, sizeof(*s));
    while (*text != '\0') {
        size_t n = strcspn(text, "\n");
        assert_true(n > 0 && n < sizeof(line) && text[n] == '\n');
        snprintf(line, sizeof(line), "%.*s", (int)n, text);
        (line[0] == '#' ? parse_comment : parse_sample)(s, line);
        text += n + 1;
    }
}

static void scrape(const struct roamd_rig *rig, struct scrape *s)
{
    assert_int_equal(ask(rig, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    assert_non_null(
        strstr(answer, "\r\nContent-Type: text/plain; version=0.0.4"));
    parse(s, body());
}

static double value(const struct scrape *s, const char *name,
                    const char *labels)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->samples[i].name, name) == 0 &&
            strcmp(s->samples[i].labels, labels) == 0) {
            return s->samples[i].value;
        }
    }
    fail_msg("there is no %s%s", name, labels);
    return 0;
}

static void check_histogram(const struct scrape *s, const char *name)
{
    char part[80];
    double before_le = 0, before = 0;
    size_t buckets = 0;

    snprintf(part, sizeof(part), "%s_bucket", name);
    for (size_t i = 0; i < s->count; i++) {
        const struct sample *x = &s->samples[i];
        if (strcmp(x->name, part) != 0) {
            continue;
        }
        double le = strtod(x->labels + 5, NULL); /* {le="..."}; also +Inf */
        assert_memory_equal(x->labels, "{le=\"", 5);
        assert_true(le > before_le && x->value >= before);
        before_le = le;
        before = x->value;
        buckets++;
    }
    assert_true(buckets > 5);
    snprintf(part, sizeof(part), "%s_count", name);
    assert_true(value(s, part, "") == before); /* the last is +Inf */
    snprintf(part, sizeof(part), "%s_sum", name);
    assert_true(value(s, part, "") >= 0);
}

/* Each enumerator but the first, by the name it has in the protocol. */
static void check_reasons(const struct scrape *s, const char *name,
                          const ProtobufCEnumDescriptor *reasons)
{
    char labels[96];
    size_t samples = 0;

    for (unsigned i = 1; i < reasons->n_values; i++) {
        snprintf(labels, sizeof(labels), "{reason=\"%s\"}",
                 reasons->values[i].name);
        value(s, name, labels);
    }
    for (size_t i = 0; i < s->count; i++) {
        samples += strcmp(s->samples[i].name, name) == 0 ? 1 : 0;
    }
    assert_int_equal(samples, reasons->n_values - 1);
}

static void test_text_keeps_the_format(void **state)
{
    struct roamd_rig *rig = *state;
    static struct scrape s;

    start_metered(rig);
    scrape(rig, &s);
    check_histogram(&s, "roam_store_commit_seconds");
    check_reasons(&s, "roam_kicks_total", &roam__v1__kick_reason__descriptor);
    check_reasons(&s, "roam_refusals_total",
                  &roam__v1__refused_reason__descriptor);
    assert_true(value(&s, "roam_connections", "") == 0);
    double started = value(&s, "roam_start_time_seconds", "");
    assert_true(started > (double)time(NULL) - 60);
    assert_true(started < (double)time(NULL) + 1);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

/* ------------------------------------------------------------- the counts */

static size_t said; /* bytes to the server */

static void say(const struct roam_message *m)
{
    uint8_t frame[1024];

    said += roam_message_encode(m, frame, sizeof(frame));
    assert_true(wire_send(&wire, m));
}

static void do_login(const char *secret, uint8_t want)
{
    struct roam_message m = login_message("alice", secret, 1, "");

    say(&m);
    assert_true(wire_receive(&wire, &m));
    assert_int_equal(m.type, want);
}

static void do_send(uint64_t id)
{
    struct roam_message m;

    roam_message_init(&m, ROAM_SEND);
    m.u.send.client_msg_id = id;
    strcpy(m.u.send.conversation, "alice");
    say(&m);
    assert_true(wire_receive(&wire, &m));
    assert_int_equal(m.type, ROAM_SEND_OK);
}

static void test_counts_move_with_what_happens(void **state)
{
    struct roamd_rig *rig = *state;
    static struct scrape s;
    struct roam_message m;

    start_metered(rig);
    wire_open(&wire, rig->plain_port);
    said = 0;
    do_login("wrong", ROAM_REFUSED);
    do_login(token, ROAM_LOGIN_OK);
    do_send(1);
    do_send(1);
    do_send(2);
    scrape(rig, &s);
    assert_true(value(&s, "roam_connections", "") == 1);
    assert_true(value(&s, "roam_sessions", "") == 1);
    assert_true(value(&s, "roam_timers", "") == 1);
    assert_true(value(&s, "roam_accepted_total", "") == 1);
    assert_true(value(&s, "roam_logins_total", "") == 1);
    assert_true(value(&s, "roam_refusals_total", "{reason=\"CREDENTIAL\"}") ==
                1);
    assert_true(value(&s, "roam_refusals_total", "{reason=\"OCCUPIED\"}") == 0);
    assert_true(value(&s, "roam_sends_total", "") == 2);
    assert_true(value(&s, "roam_duplicates_total", "") == 1);
    assert_true(value(&s, "roam_store_commit_seconds_count", "") == 4);
    assert_true(value(&s, "roam_store_commit_seconds_sum", "") > 0);
    check_histogram(&s, "roam_store_commit_seconds");
    assert_true(value(&s, "roam_store_queue_length", "{lane=\"write\"}") == 0);
    assert_true(value(&s, "roam_received_bytes_total", "") == (double)said);
    double out = value(&s, "roam_sent_bytes_total", "");
    assert_true(out > 5 * ROAM_FRAME_HEADER_BYTES); /* of five answers */
    do_send(3);
    roam_message_init(&m, ROAM_ACK); /* nothing was sent that could be */
    m.u.ack.version = 5;
    say(&m);
    assert_true(wire_receive(&wire, &m));
    assert_int_equal(m.type, ROAM_KICK);
    wire_close(&wire);
    scrape(rig, &s);
    assert_true(value(&s, "roam_kicks_total", "{reason=\"PROTOCOL_ERROR\"}") ==
                1);
    assert_true(value(&s, "roam_protocol_errors_total", "") == 1);
    assert_true(value(&s, "roam_sends_total", "") == 3);
    assert_true(value(&s, "roam_received_bytes_total", "") == (double)said);
    assert_true(value(&s, "roam_sent_bytes_total", "") > out);
    assert_true(value(&s, "roam_sessions", "") == 0);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

static void test_handshakes_are_counted_by_result(void **state)
{
    struct roamd_rig *rig = *state;
    static struct scrape s;
    char byte;

    start(rig, "run", "--port", "0", "--set", "metrics=127.0.0.1:0");
    int fd = roamd_connect(rig->tls_port);
    put(fd, "this is no ClientHello, whatever else it may be\r\n\r\n");
    while (recv(fd, &byte, 1, 0) > 0) {
    }
    close(fd);
    scrape(rig, &s);
    assert_true(value(&s, "roam_tls_handshakes_total", "{result=\"failed\"}") ==
                1);
    assert_true(value(&s, "roam_tls_handshakes_total", "{result=\"done\"}") ==
                0);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

/* ------------------------------------------------------- bounds of the HTTP */

static void test_requests_other_than_the_one_are_told(void **state)
{
    struct roamd_rig *rig = *state;
    static const struct {
        int status;
        const char *request;
    } rows[] = {
        {200, "GET /metrics HTTP/1.0\r\n\r\n"},
        {200, "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: b\r\n\r\nmore"},
        {404, "GET / HTTP/1.1\r\n\r\n"},
        {404, "GET /metrics/ HTTP/1.1\r\n\r\n"},
        {404, "GET /metric HTTP/1.1\r\n\r\n"},
        {405, "POST /metrics HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"},
        {405, "HEAD /metrics HTTP/1.1\r\n\r\n"},
        {400, "GET /metrics\r\n\r\n"},
        {400, "GET /metrics HTTP/2.0\r\n\r\n"},
        {400, "GET /metrics HTTP/1.10\r\n\r\n"},
        {400, "\r\n\r\n"},
        {400, "GET\r\n\r\n"},
    };

    start_metered(rig);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int status = ask(rig, rows[i].request);
        if (status != rows[i].status) {
            fail_msg("row %zu: %d: %s", i, status, answer);
        }
        body();
    }
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

static void test_request_may_come_byte_by_byte(void **state)
{
    struct roamd_rig *rig = *state;
    const char *request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

    start_metered(rig);
    int fd = roamd_connect(rig->metrics_port);
    int one = 1;
    setsockopt(fd, 6 /* TCP */, 1 /* TCP_NODELAY */, &one, sizeof(one));
    for (const char *c = request; *c != '\0'; c++) {
        assert_int_equal(send(fd, c, 1, MSG_NOSIGNAL), 1);
    }
    assert_int_equal(read_answer(fd), 200);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

/* 4095 bytes are what the head may have. */
static int ask_of_length(const struct roamd_rig *rig, size_t len)
{
    static char request[8192];
    int n = snprintf(request, sizeof(request), "GET /metrics HTTP/1.1\r\nX: ");

    memset(request + n, 'x', len - (size_t)n);
    strcpy(request + len - 4, "\r\n\r\n");
    return ask(rig, request);
}

static void test_head_is_bounded_to_the_byte(void **state)
{
    struct roamd_rig *rig = *state;

    start_metered(rig);
    assert_int_equal(ask_of_length(rig, 4095), 200);
    assert_int_equal(ask_of_length(rig, 4096), 431);
    assert_int_equal(ask_of_length(rig, 8000), 431);
    assert_int_equal(ask_of_length(rig, 100), 200);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* One byte every while does not move it. */
static void test_deadline_is_absolute(void **state)
{
    struct roamd_rig *rig = *state;
    struct pollfd closed = {.events = POLLIN};
    char byte;

    start_metered(rig);
    uint64_t since_ms = now_ms();
    closed.fd = roamd_connect(rig->metrics_port);
    while (poll(&closed, 1, 200) == 0) {
        put(closed.fd, "x");
    }
    assert_true(recv(closed.fd, &byte, 1, 0) <= 0);
    assert_true(now_ms() - since_ms >= 5000);
    assert_true(now_ms() - since_ms < 60000); /* at all */
    close(closed.fd);
    assert_int_equal(ask(rig, "GET /metrics HTTP/1.1\r\n\r\n"), 200);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

static void test_ninth_connection_is_closed(void **state)
{
    struct roamd_rig *rig = *state;
    int fds[9];
    char byte;

    start_metered(rig);
    for (int i = 0; i < 9; i++) {
        fds[i] = roamd_connect(rig->metrics_port);
    }
    assert_int_equal(recv(fds[8], &byte, 1, 0), 0);
    put(fds[7], "GET /metrics HTTP/1.1\r\n\r\n");
    assert_int_equal(read_answer(fds[7]), 200);
    close(fds[8]);
    for (int i = 0; i < 7; i++) {
        close(fds[i]);
    }
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

/* The processor's time that a process has had, in ticks of the kernel. */
static unsigned long ticks_of(pid_t pid)
{
    char path[64];
    unsigned long user, system;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file,
                            "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u"
                            " %*u %*u %lu %lu",
                            &user, &system),
                     2);
    fclose(file);
    return user + system;
}

/* A connection that cannot be accepted stays readable. */
static void test_without_descriptors_it_rests(void **state)
{
    struct roamd_rig *rig = *state;
    enum {
        MANY = 60
    };
    int fds[MANY];

    roamd_start(rig, (struct roamd_limits){.files = 40}, "run", "--plain-port",
                "0", "--set", "metrics=127.0.0.1:0", NULL);
    for (int i = 0; i < MANY; i++) {
        fds[i] = roamd_connect(rig->plain_port);
    }
    roamd_await_log(rig, "accept-paused");
    int fd = roamd_connect(rig->metrics_port);
    put(fd, "GET /metrics HTTP/1.1\r\n\r\n");
    unsigned long before = ticks_of(rig->pid);
    poll(NULL, 0, 1000); /* a hundred ticks, of which it needs none */
    assert_in_range(ticks_of(rig->pid) - before, 0, 10);
    for (int i = 0; i < MANY; i++) {
        close(fds[i]);
    }
    assert_int_equal(read_answer(fd), 200);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

static void test_it_does_not_keep_a_server_from_stopping(void **state)
{
    struct roamd_rig *rig = *state;

    start_metered(rig);
    int fd = roamd_connect(rig->metrics_port);
    put(fd, "GET /met");
    assert_int_equal(ask(rig, "GET /metrics HTTP/1.1\r\n\r\n"), 200);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
    close(fd);
}

static void test_it_is_for_loopback_and_off_by_default(void **state)
{
    struct roamd_rig *rig = *state;
    static const char *const wrong[] = {
        "metrics=0.0.0.0:0",    "metrics=192.0.2.1:9",
        "metrics=[::]:0",       "metrics=127.0.0.1",
        "metrics=127.0.0.1:",   "metrics=127.0.0.1:65536",
        "metrics=::1:80",       "metrics=:80",
        "metrics=localhost:80", "metrics=[127.0.0.1]:80",
        "metrics=127.0.0.1:8x", "metrics="};
    static const char *const right[] = {"metrics=127.0.0.1:65535",
                                        "metrics=127.9.9.9:0",
                                        "metrics=[::1]:80", "metrics=off"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        roamd_do(rig, NULL, "config", "--set", wrong[i], NULL);
        if (rig->status != 2) {
            fail_msg("%s: status %d", wrong[i], rig->status);
        }
    }
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        roamd_expect(rig, 0, "config", "--set", right[i]);
    }
    roamd_expect(rig, 0, "config");
    assert_non_null(strstr(rig->out, "\nmetrics = off\n"));
    start(rig, "run", "--plain-port", "0");
    assert_int_equal(rig->metrics_port, 0);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_text_keeps_the_format),
        TEST(test_counts_move_with_what_happens),
        TEST(test_handshakes_are_counted_by_result),
        TEST(test_requests_other_than_the_one_are_told),
        TEST(test_request_may_come_byte_by_byte),
        TEST(test_head_is_bounded_to_the_byte),
        TEST(test_deadline_is_absolute),
        TEST(test_ninth_connection_is_closed),
        TEST(test_without_descriptors_it_rests),
        TEST(test_it_does_not_keep_a_server_from_stopping),
        TEST(test_it_is_for_loopback_and_off_by_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
