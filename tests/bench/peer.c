/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of the load generator. They trust the server: what is wrong
 * ends the run. Batches are counted by their header, not unpacked, so that
 * the figure is the server's and not the generator's. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "operation.h"

#define IN_BYTES (ROAM_FRAME_HEADER_BYTES + 65536u)

static void put(struct bench_peer *p, const struct roam_message *m)
{
    size_t n = roam_message_encode(m, p->out + p->out_len,
                                   sizeof(p->out) - p->out_len);

    if (n == 0) {
        bench_die("a peer's output is full");
    }
    p->out_len += n;
}

static void copy_text(char *out, size_t cap, const char *text)
{
    snprintf(out, cap, "%s", text);
}

static void put_login(struct bench_peer *p, const struct bench_login *login)
{
    struct roam_message m;
    roam_v1_Login *l = &m.u.login;

    roam_message_init(&m, ROAM_LOGIN);
    l->protocol = ROAM_PROTOCOL_VERSION;
    copy_text(l->user, sizeof(l->user), login->user);
    snprintf(l->token, sizeof(l->token), "%s-%d", login->user,
             (int)login->device_type);
    l->device_id.size = ROAM_DEVICE_ID_BYTES;
    memset(l->device_id.bytes, (int)login->device_type, 16);
    l->device_type = (roam_v1_DeviceType)login->device_type;
    l->attempt = (uint64_t)(bench_now() * 1e6);
    l->max_frame = 65536;
    put(p, &m);
}

static void put_sync(struct bench_peer *p, const struct bench_login *login)
{
    struct roam_message m;

    roam_message_init(&m, ROAM_SYNC);
    m.u.sync.cursor = login->cursor;
    m.u.sync.max_entries = UINT32_MAX;
    m.u.sync.max_unacked = BENCH_UNACKED;
    m.u.sync.max_inflated = BENCH_MAX_INFLATED;
    m.u.sync.codecs = login->codecs;
    put(p, &m);
}

void bench_peer_open(struct bench_peer *p, const struct bench_server *s,
                     const struct bench_login *login)
{
    uint16_t port = login->tls ? s->tls_port : s->port;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memset(p, 0, sizeof(*p));
    p->in = malloc(IN_BYTES);
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (p->in == NULL || p->fd < 0 ||
        connect(p->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        bench_die("connect: %s", strerror(errno));
    }
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(p->fd, F_SETFL, O_NONBLOCK);
    p->tls = login->tls ? bench_tls_open(p->fd, login->ticket) : NULL;
    roam_reader_init(&p->reader, p->in, IN_BYTES, 65536);
    put_login(p, login);
    put_sync(p, login);
}

void bench_peer_close(struct bench_peer *p)
{
    if (p->tls != NULL) {
        bench_tls_close(p->tls);
    }
    close(p->fd);
    free(p->in);
    p->tls = NULL;
    p->fd = -1;
    p->in = NULL;
}

void bench_peer_send(struct bench_peer *p, size_t window)
{
    struct roam_message m;

    while (p->synced && p->to_send > 0 && p->in_flight < window &&
           p->out_len < sizeof(p->out) / 2) {
        roam_message_init(&m, ROAM_SEND);
        m.u.send.client_msg_id = ++p->next_id;
        copy_text(m.u.send.conversation, sizeof(m.u.send.conversation), p->to);
        m.body = bench_body(p->next_id);
        put(p, &m);
        p->in_flight++;
        p->to_send--;
    }
}

void bench_peer_change(struct bench_peer *p, const char *group, uint32_t action,
                       const struct roam_slice *users, size_t count)
{
    uint8_t body[ROAM_OPERATION_BYTES_MAX];
    bool create = action == roam_v1_GroupAction_CREATE;
    struct roam_operation op = {.kind = roam_v1_Kind_GROUP,
                                .action = action,
                                .join =
                                    create ? roam_v1_JoinMode_JOIN_OPEN : 0};
    struct roam_message m;

    roam_message_init(&m, ROAM_SEND);
    m.u.send.client_msg_id = ++p->next_id;
    m.u.send.kind = roam_v1_Kind_GROUP;
    copy_text(m.u.send.conversation, sizeof(m.u.send.conversation), group);
    m.body = (struct roam_slice){
        body, roam_operation_encode(&op, users, count, body, sizeof(body))};
    put(p, &m);
    p->in_flight++;
}

static void saw(struct bench_peer *p, uint64_t version, uint32_t count)
{
    p->seen = version;
    p->entries += count;
    p->since_ack += count;
}

static void ack(struct bench_peer *p)
{
    struct roam_message m;

    roam_message_init(&m, ROAM_ACK);
    m.u.ack.version = p->seen;
    put(p, &m);
    p->acked = p->seen;
    p->since_ack = 0;
}

static void take(struct bench_peer *p, const struct roam_message *m)
{
    switch (m->type) {
    case ROAM_LOGIN_OK:
        break;
    case ROAM_SYNC_OK:
        p->head = m->u.sync_ok.head;
        p->synced = true;
        break;
    case ROAM_PUSH:
        saw(p, m->u.push.version, 1);
        p->noops += m->u.push.kind == roam_v1_Kind_NOOP;
        break;
    case ROAM_BATCH:
        saw(p, m->u.batch.last_version, m->u.batch.count);
        break;
    case ROAM_SEND_OK:
        p->in_flight--;
        p->answered++;
        if (m->u.send_ok.conversation[0] != '\0') {
            memcpy(p->made, m->u.send_ok.conversation, sizeof(p->made));
        }
        break;
    case ROAM_KICK:
        bench_die("KICK, reason %d, error %d: %s", (int)m->u.kick.reason,
                  (int)m->u.kick.error, m->u.kick.detail);
    case ROAM_ERROR:
        bench_die("ERROR %d", (int)m->u.error.code);
    default:
        bench_die("unexpected %s", roam_frame_name(m->type));
    }
    p->frames_in++;
    if (p->since_ack >= BENCH_UNACKED / 4) {
        ack(p);
    }
}

static void take_bytes(struct bench_peer *p, struct roam_slice in)
{
    struct roam_message m;
    struct roam_slice payload;
    uint8_t type;

    p->bytes_in += in.len;
    while (roam_reader_next(&p->reader, &in, &type, &payload) ==
           ROAM_READER_FRAME) {
        if (roam_message_decode(type, payload, &m) != 0) {
            bench_die("a frame does not decode");
        }
        take(p, &m);
    }
}

/* Until nothing is left: TLS may hold bytes that poll() does not see. */
static void read_some(struct bench_peer *p)
{
    static uint8_t buffer[65536];
    ssize_t n;

    do {
        n = p->tls != NULL ? bench_tls_read(p->tls, buffer, sizeof(buffer))
                           : recv(p->fd, buffer, sizeof(buffer), 0);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            bench_die("the server closed a connection");
        }
        if (n > 0) {
            take_bytes(p, (struct roam_slice){buffer, (size_t)n});
        }
    } while (n > 0 && p->tls != NULL);
    p->stuck = false;
}

static void write_some(struct bench_peer *p)
{
    ssize_t n = p->tls != NULL ? bench_tls_write(p->tls, p->out, p->out_len)
                               : send(p->fd, p->out, p->out_len, MSG_NOSIGNAL);

    p->stuck = n < 0 && p->tls != NULL;
    if (n > 0) {
        p->out_len -= (size_t)n;
        memmove(p->out, p->out + n, p->out_len);
    } else if (n < 0 && errno != EAGAIN) {
        bench_die("write: %s", strerror(errno));
    }
}

bool bench_all_synced(const struct bench_peer *peers, size_t count,
                      uint64_t want)
{
    (void)want;
    for (size_t i = 0; i < count; i++) {
        if (!peers[i].synced) {
            return false;
        }
    }
    return true;
}

void bench_peers_run(struct bench_peer *peers, size_t count, size_t window,
                     bench_done_fn done, uint64_t want)
{
    struct pollfd *fds = calloc(count, sizeof(*fds));

    if (fds == NULL) {
        bench_die("no memory");
    }
    while (!done(peers, count, want)) {
        for (size_t i = 0; i < count; i++) {
            bench_peer_send(&peers[i], window);
            if (peers[i].out_len > 0 && !peers[i].stuck) {
                write_some(&peers[i]);
            }
            fds[i].fd = peers[i].fd;
            bool writes = peers[i].out_len > 0 && !peers[i].stuck;
            fds[i].events = (short)(POLLIN | (writes ? POLLOUT : 0));
        }
        if (poll(fds, (nfds_t)count, 30000) <= 0) {
            bench_die("nothing happened for 30 s");
        }
        for (size_t i = 0; i < count; i++) {
            if (fds[i].revents & (POLLIN | POLLHUP | POLLERR)) {
                read_some(&peers[i]);
            }
        }
    }
    free(fds);
}
