/* SPDX-License-Identifier: Apache-2.0 */
/* A server that follows a script, for the tests of the harness. The script
 * has one block a connection, in the order in which they come:
 *
 *   connection
 *   < LOGIN                      reads a frame of this type
 *   > LOGIN_OK generation=1      sends one
 *   < SEND client_msg_id=$m      binds a variable
 *   > raw hex(4300)              sends these bytes as they are
 *   close                        ends the connection
 *
 * Without `close` a connection stays open until the client ends it. */
#include "peers.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exec.h"
#include "expr.h"
#include "scn_lex.h"

struct fake {
    struct world world; /* only variables, names and random numbers */
    int fd;
};

static bool read_exact(int fd, uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t n = recv(fd, out, len, 0);
        if (n <= 0) {
            return false;
        }
        out += n;
        len -= (size_t)n;
    }
    return true;
}

static struct frame *read_frame(int fd)
{
    uint8_t head[FRAME_HEADER];
    if (!read_exact(fd, head, sizeof head)) {
        return NULL;
    }
    size_t len = (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    uint8_t *payload = arena_alloc(len);
    return read_exact(fd, payload, len) ? frame_decode(head[0], payload, len)
                                        : NULL;
}

/* `< TYPE field=$x`: the type must be right, fields are bound. */
static bool do_read(struct fake *f, const struct words *w)
{
    struct frame *frame = read_frame(f->fd);
    if (!frame || !frame->type || !frame->msg ||
        strcmp(frame->type->name, w->at[1]) != 0) {
        return false;
    }
    for (size_t i = 2; i < w->count; i++) {
        struct term t;
        struct value v;
        if (!term_split(w->at[i], &t) || !field_get(frame->msg, t.left, &v)) {
            return false;
        }
        var_set(&f->world, t.right, &v);
    }
    return true;
}

static bool do_raw(struct fake *f, const char *expr)
{
    struct value v;
    const char *reason;
    return expr_eval(&f->world, expr, NULL, &v, &reason) == EXPR_OK &&
           send(f->fd, v.data, v.len, MSG_NOSIGNAL) == (ssize_t)v.len;
}

static bool do_write(struct fake *f, const struct words *w)
{
    if (strcmp(w->at[1], "raw") == 0 && w->count == 3) {
        return do_raw(f, w->at[2]);
    }
    const struct frame_type *type = frame_type_named(w->at[1]);
    struct terms fields = {0};
    for (size_t i = 2; type && i < w->count; i++) {
        struct term t;
        if (!term_split(w->at[i], &t)) {
            return false;
        }
        arena_grow((void **)&fields.at, fields.count, &fields.cap,
                   sizeof *fields.at);
        fields.at[fields.count++] = t;
    }
    ProtobufCMessage *m =
        type ? exec_build(&f->world, NULL, type, &fields) : NULL;
    if (!m) {
        return false;
    }
    uint8_t *bytes;
    size_t len = frame_encode(type, m, &bytes);
    return send(f->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* One connection from its block's first line on. */
static void follow(struct fake *f, const struct lines *lines, size_t at)
{
    for (; at < lines->count; at++) {
        struct words w;
        words_split(lines->at[at].text, &w);
        if (w.count == 0) {
            continue;
        }
        if (strcmp(w.at[0], "connection") == 0) {
            break;
        }
        if (strcmp(w.at[0], "close") == 0) {
            close(f->fd);
            return;
        }
        bool ok = w.count > 1 && (strcmp(w.at[0], "<") == 0 ? do_read(f, &w)
                                                            : do_write(f, &w));
        if (!ok) {
            break;
        }
    }
    char rest[512];
    while (recv(f->fd, rest, sizeof rest, 0) > 0) {
    }
    close(f->fd);
}

static size_t find_block(const struct lines *lines, size_t number)
{
    for (size_t i = 0; i < lines->count; i++) {
        struct words w;
        words_split(lines->at[i].text, &w);
        if (w.count == 1 && strcmp(w.at[0], "connection") == 0 &&
            number-- == 0) {
            return i + 1;
        }
    }
    return lines->count;
}

static void serve(int listener, const char *script, const struct scenario *s,
                  uint64_t seed)
{
    struct lines lines;
    char *text = file_read(script, NULL);
    if (!text || lines_split(text, &lines)) {
        _exit(1);
    }
    /* The blocks share no variables: each has a process of its own. */
    for (size_t i = 0;; i++) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) {
            _exit(1);
        }
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            struct fake *f = arena_alloc(sizeof *f);
            f->world.s = s;
            prng_seed(&f->world.prng, seed, s->id);
            f->world.suffix = arena_printf(
                "%08x", (unsigned)(uint32_t)prng_next(&f->world.prng));
            f->fd = fd;
            follow(f, &lines, find_block(&lines, i));
            _exit(0);
        }
        close(fd);
    }
}

bool fake_peer_start(struct peer *p, const char *script,
                     const struct scenario *s, uint64_t seed,
                     const char **reason)
{
    int listener = peer_listen(PEER_LOOPBACK, &p->port, reason);
    if (listener < 0) {
        return false;
    }
    p->pid = fork();
    if (p->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGCHLD, SIG_IGN);
        serve(listener, script, s, seed);
    }
    close(listener);
    return p->pid > 0;
}
