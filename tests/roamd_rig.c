/* SPDX-License-Identifier: Apache-2.0 */
/* See roamd_rig.h. The server's program is the one that was built beside
 * the tests. */
#include "roamd_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define WORDS_MAX 64
/* Nothing here takes long; this only ends a test that hangs. */
#define PATIENCE_S 60

/* ------------------------------------------------------------ directories */

void roamd_rig_setup(struct roamd_rig *rig)
{
    const char *base = getenv("TMPDIR");

    memset(rig, 0, sizeof(*rig));
    rig->program = "roamd";
    snprintf(rig->dir, sizeof(rig->dir), "%s/roamd-test-XXXXXX",
             base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(rig->dir));
    snprintf(rig->home, sizeof(rig->home), "%s/home", rig->dir);
    snprintf(rig->port_file, sizeof(rig->port_file), "%s/port", rig->dir);
    snprintf(rig->log_file, sizeof(rig->log_file), "%s/log", rig->dir);
    signal(SIGPIPE, SIG_IGN);
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void roamd_rig_teardown(struct roamd_rig *rig)
{
    bool running = rig->pid != 0;

    if (running) { /* the test has failed before its end */
        kill(rig->pid, SIGKILL);
        waitpid(rig->pid, NULL, 0);
    }
    nftw(rig->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    assert_false(running);
}

/* -------------------------------------------------------------- processes */

static char *program_path(const char *name)
{
    static char path[512];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);

    assert_true(n > 0);
    path[n] = '\0';
    char *slash = strrchr(path, '/'); /* .../tests/test_roamd */
    *slash = '\0';
    slash = strrchr(path, '/');
    snprintf(slash, 32, "/%s", name);
    return path;
}

const char *roamd_program(void)
{
    return program_path("roamd");
}

static size_t collect_words(char *argv[WORDS_MAX], struct roamd_rig *rig,
                            va_list words)
{
    size_t n = 0;
    char *word;

    argv[n++] = program_path(rig->program);
    argv[n++] = "-d";
    argv[n++] = rig->home;
    while ((word = va_arg(words, char *)) != NULL) {
        assert_true(n < WORDS_MAX - 4);
        argv[n++] = word;
    }
    argv[n] = NULL;
    return n;
}

/* Reads two pipes until both end. */
static void read_both(int out, int err, struct roamd_rig *rig)
{
    struct pollfd fds[2] = {{.fd = out, .events = POLLIN},
                            {.fd = err, .events = POLLIN}};
    char *texts[2] = {rig->out, rig->err};
    size_t len[2] = {0, 0};

    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        assert_true(poll(fds, 2, PATIENCE_S * 1000) > 0);
        for (int i = 0; i < 2; i++) {
            if (fds[i].fd < 0 || fds[i].revents == 0) {
                continue;
            }
            ssize_t n =
                read(fds[i].fd, texts[i] + len[i], RIG_OUTPUT_MAX - 1 - len[i]);
            if (n <= 0) {
                close(fds[i].fd);
                fds[i].fd = -1;
            } else {
                len[i] += (size_t)n;
            }
        }
    }
    rig->out[len[0]] = '\0';
    rig->err[len[1]] = '\0';
}

static int status_of(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void roamd_do(struct roamd_rig *rig, const char *input, ...)
{
    char *argv[WORDS_MAX];
    int in[2], out[2], err[2];
    va_list words;

    va_start(words, input);
    collect_words(argv, rig, words);
    va_end(words);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(err[1], 2);
        execv(argv[0], argv);
        dprintf(2, "%s: %s", argv[0], strerror(errno));
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    if (input != NULL && write(in[1], input, strlen(input)) < 0) {
        fail_msg("the command does not read its input");
    }
    close(in[1]);
    read_both(out[0], err[0], rig);
    rig->status = status_of(pid);
}

static void apply_limits(struct roamd_limits limits)
{
    struct rlimit files = {limits.files, limits.files};
    struct rlimit bytes = {limits.bytes, limits.bytes};

    if (limits.files != 0) {
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (limits.bytes != 0) {
        setrlimit(RLIMIT_FSIZE, &bytes);
    }
}

static bool read_ports(struct roamd_rig *rig)
{
    FILE *file = fopen(rig->port_file, "r");
    unsigned port;
    char kind[16];
    char address[64];

    if (file == NULL) {
        return false;
    }
    while (fscanf(file, "%u %15s %63s", &port, kind, address) == 3) {
        *(strcmp(kind, "tls") == 0       ? &rig->tls_port
          : strcmp(kind, "metrics") == 0 ? &rig->metrics_port
                                         : &rig->plain_port) = (uint16_t)port;
    }
    fclose(file);
    return true;
}

void roamd_start(struct roamd_rig *rig, struct roamd_limits limits, ...)
{
    const struct timespec step = {.tv_nsec = 2000000};
    char *argv[WORDS_MAX];
    va_list words;
    time_t give_up = time(NULL) + PATIENCE_S;

    va_start(words, limits);
    size_t n = collect_words(argv, rig, words);
    va_end(words);
    argv[n++] = "--port-file";
    argv[n++] = rig->port_file;
    argv[n] = NULL;
    unlink(rig->port_file);
    rig->tls_port = rig->plain_port = rig->metrics_port = 0;
    rig->pid = fork();
    assert_true(rig->pid >= 0);
    if (rig->pid == 0) {
        int log = open(rig->log_file, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(log, 2);
        close(log);
        apply_limits(limits);
        execv(argv[0], argv);
        _exit(127);
    }
    while (!read_ports(rig)) {
        assert_int_equal(waitpid(rig->pid, NULL, WNOHANG), 0);
        assert_true(time(NULL) < give_up);
        nanosleep(&step, NULL);
    }
}

int roamd_wait(struct roamd_rig *rig)
{
    int status = status_of(rig->pid);

    rig->pid = 0;
    return status;
}

int roamd_stop(struct roamd_rig *rig, int signum)
{
    kill(rig->pid, signum);
    return roamd_wait(rig);
}

bool roamd_log_has(const struct roamd_rig *rig, const char *text)
{
    static char log[1 << 20];
    FILE *file = fopen(rig->log_file, "r");

    assert_non_null(file);
    size_t n = fread(log, 1, sizeof(log) - 1, file);
    log[n] = '\0';
    fclose(file);
    return strstr(log, text) != NULL;
}

void roamd_await_log(const struct roamd_rig *rig, const char *text)
{
    const struct timespec step = {.tv_nsec = 5000000};
    time_t give_up = time(NULL) + PATIENCE_S;

    while (!roamd_log_has(rig, text)) {
        assert_true(time(NULL) < give_up);
        nanosleep(&step, NULL);
    }
}

void roamd_rig_provision(struct roamd_rig *rig, const char *user,
                         char token[44])
{
    if (access(rig->home, F_OK) != 0) {
        roamd_expect(rig, 0, "init");
    }
    roamd_expect(rig, 0, "user", "add", user);
    roamd_expect(rig, 0, "token", "issue", user);
    assert_int_equal(strlen(rig->out), 44);
    memcpy(token, rig->out, 43);
    token[43] = '\0';
}

/* ----------------------------------------------------------------- frames */

int roamd_connect(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

void wire_open(struct wire *w, uint16_t port)
{
    wire_attach(w, roamd_connect(port));
}

void wire_attach(struct wire *w, int fd)
{
    w->fd = fd;
    w->rest = (struct roam_slice){NULL, 0};
    roam_reader_init(&w->reader, w->buf, sizeof(w->buf), ROAM_FRAME_MAX);
}

void wire_close(struct wire *w)
{
    close(w->fd);
}

bool wire_send(struct wire *w, const struct roam_message *m)
{
    static uint8_t frame[1 << 17];
    size_t len = roam_message_encode(m, frame, sizeof(frame));

    assert_true(len > 0);
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(w->fd, frame + sent, len - sent, MSG_NOSIGNAL);
        if (n < 0) {
            return false;
        }
        sent += (size_t)n;
    }
    return true;
}

bool wire_receive(struct wire *w, struct roam_message *m)
{
    struct roam_slice payload;
    uint8_t type;

    for (;;) {
        enum roam_reader_result r =
            roam_reader_next(&w->reader, &w->rest, &type, &payload);
        if (r == ROAM_READER_FRAME) {
            assert_int_equal(roam_message_decode(type, payload, m), 0);
            return true;
        }
        assert_int_equal(r, ROAM_READER_MORE);
        ssize_t n = recv(w->fd, w->input, sizeof(w->input), 0);
        if (n <= 0) {
            assert_true(n == 0 || errno == ECONNRESET);
            return false;
        }
        w->rest = (struct roam_slice){w->input, (size_t)n};
    }
}

struct roam_message login_message(const char *user, const char *token,
                                  uint8_t device, const char *device_name)
{
    struct roam_message m;

    roam_message_init(&m, ROAM_LOGIN);
    roam_v1_Login *login = &m.u.login;
    login->protocol = ROAM_PROTOCOL_VERSION;
    snprintf(login->user, sizeof(login->user), "%s", user);
    snprintf(login->token, sizeof(login->token), "%s", token);
    snprintf(login->device_name, sizeof(login->device_name), "%s", device_name);
    login->device_id.size = ROAM_DEVICE_ID_BYTES;
    memset(login->device_id.bytes, device, ROAM_DEVICE_ID_BYTES);
    login->device_type = roam_v1_DeviceType_PHONE;
    login->attempt = 1;
    login->max_frame = 100000;
    return m;
}

void wire_login(struct wire *w, const char *user, const char *token,
                uint8_t device, const char *device_name,
                struct roam_message *answer)
{
    struct roam_message m = login_message(user, token, device, device_name);

    assert_true(wire_send(w, &m));
    assert_true(wire_receive(w, answer));
}
