/* SPDX-License-Identifier: Apache-2.0 */
/* First words of a handshake, made by hand: see tls.h. RFC 5246, RFC 7301.
 *
 * suites is one of
 *
 *   good    with forward secrecy and AEAD, of all kinds
 *   cbc     with forward secrecy, without AEAD
 *   rsa     with AEAD, without forward secrecy
 *   mixed   the bad ones first, then the good ones */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "text.h"
#include "tls.h"

#define HELLO_MAX 512
#define ANSWER_MAX 4096
#define RECORD_HEADER 5u
#define RANDOM_BYTES 32u

enum {
    RECORD_ALERT = 21,
    RECORD_HANDSHAKE = 22,
    CLIENT_HELLO = 1,
    SERVER_HELLO = 2,
    EXT_GROUPS = 10,
    EXT_POINTS = 11,
    EXT_SIGNATURES = 13,
    EXT_ALPN = 16
};

static const uint16_t good[] = {0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9,
                                0xcca8, 0xc0ac, 0xc0ad, 0xc0ae, 0xc0af,
                                0x009e, 0x009f, 0xccaa, 0};
static const uint16_t cbc[] = {0xc009, 0xc00a, 0xc013, 0xc014, 0xc023,
                               0xc024, 0xc027, 0xc028, 0x0033, 0};
static const uint16_t rsa[] = {0x009c, 0x009d, 0xc09c, 0xc09d, 0};
static const uint16_t none[] = {0};

static const struct {
    const char *name;
    const uint16_t *lists[3];
} suite_lists[] = {{"good", {good, none, none}},
                   {"cbc", {cbc, none, none}},
                   {"rsa", {rsa, none, none}},
                   {"mixed", {cbc, rsa, good}}};
#define SUITE_LISTS (sizeof suite_lists / sizeof suite_lists[0])

static const struct {
    const char *name;
    uint16_t number;
} versions[] = {{"1.0", 0x0301}, {"1.1", 0x0302}, {"1.2", 0x0303}};
#define VERSIONS (sizeof versions / sizeof versions[0])

bool tls_hello_set(struct tls_hello *h, const char *name, const char *value)
{
    if (strcmp(name, "alpn") == 0) {
        h->alpn = strcmp(value, "none") == 0 ? NULL : value;
        return strlen(value) < 64;
    }
    for (size_t i = 0; strcmp(name, "version") == 0 && i < VERSIONS; i++) {
        if (strcmp(versions[i].name, value) == 0) {
            h->version = value;
            return true;
        }
    }
    for (size_t i = 0; strcmp(name, "suites") == 0 && i < SUITE_LISTS; i++) {
        if (strcmp(suite_lists[i].name, value) == 0) {
            h->suites = value;
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------- the request */

struct bytes {
    uint8_t at[HELLO_MAX];
    size_t len;
};

static void put(struct bytes *b, unsigned value, size_t width)
{
    while (width-- > 0) {
        b->at[b->len++] = (uint8_t)(value >> (8 * width));
    }
}

/* A place for a length of so many bytes; close_length() fills it. */
static size_t open_length(struct bytes *b, size_t width)
{
    put(b, 0, width);
    return b->len;
}

static void close_length(struct bytes *b, size_t from, size_t width)
{
    size_t end = b->len;
    b->len = from - width;
    put(b, (unsigned)(end - from), width);
    b->len = end;
}

static void put_suites(struct bytes *b, const char *name)
{
    size_t list = 0;
    while (strcmp(suite_lists[list].name, name) != 0) {
        list++;
    }
    size_t from = open_length(b, 2);
    for (size_t i = 0; i < 3; i++) {
        for (const uint16_t *s = suite_lists[list].lists[i]; *s; s++) {
            put(b, *s, 2);
        }
    }
    close_length(b, from, 2);
}

/* secp256r1 and x25519; uncompressed points; ECDSA, PSS and PKCS #1. */
static void put_extensions(struct bytes *b, const struct tls_hello *h)
{
    static const struct {
        uint8_t type, len, bytes[16];
    } fixed[] = {
        {EXT_GROUPS, 6, {0, 4, 0, 23, 0, 29}},
        {EXT_POINTS, 2, {1, 0}},
        {EXT_SIGNATURES, 14, {0, 12, 4, 3, 5, 3, 8, 4, 4, 1, 5, 1, 2, 1}},
    };
    size_t from = open_length(b, 2);
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        put(b, fixed[i].type, 2);
        put(b, fixed[i].len, 2);
        memcpy(b->at + b->len, fixed[i].bytes, fixed[i].len);
        b->len += fixed[i].len;
    }
    if (h->alpn) {
        size_t len = strlen(h->alpn);
        put(b, EXT_ALPN, 2);
        put(b, (unsigned)len + 3, 2);
        put(b, (unsigned)len + 1, 2);
        put(b, (unsigned)len, 1);
        memcpy(b->at + b->len, h->alpn, len);
        b->len += len;
    }
    close_length(b, from, 2);
}

static uint16_t version_of(const struct tls_hello *h)
{
    size_t i = 0;
    while (strcmp(versions[i].name, h->version) != 0) {
        i++;
    }
    return versions[i].number;
}

static void make_hello(struct bytes *b, const struct tls_hello *h)
{
    put(b, RECORD_HANDSHAKE, 1);
    put(b, 0x0301, 2); /* of the record layer: as old as there is */
    size_t record = open_length(b, 2);
    put(b, CLIENT_HELLO, 1);
    size_t message = open_length(b, 3);
    put(b, version_of(h), 2);
    memset(b->at + b->len, 0x5a, RANDOM_BYTES); /* no secret comes of it */
    b->len += RANDOM_BYTES;
    put(b, 0, 1); /* no session */
    put_suites(b, h->suites);
    put(b, 0x0100, 2); /* no compression */
    put_extensions(b, h);
    close_length(b, message, 3);
    close_length(b, record, 2);
}

/* -------------------------------------------------------------- the answer */

/* Reads until a record is whole, or nothing more comes. */
static bool read_record(int fd, uint8_t *in, size_t *have, uint64_t deadline_ms)
{
    *have = 0;
    for (;;) {
        size_t need = RECORD_HEADER;
        if (*have >= RECORD_HEADER) {
            need += (size_t)in[3] << 8 | in[4];
        }
        if (*have >= need || need > ANSWER_MAX) {
            return need <= ANSWER_MAX;
        }
        uint64_t now = now_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (now >= deadline_ms || poll(&p, 1, (int)(deadline_ms - now)) <= 0) {
            return false;
        }
        ssize_t n = recv(fd, in + *have, ANSWER_MAX - *have, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            *have = 0; /* it has gone */
            return true;
        }
        *have += n > 0 ? (size_t)n : 0;
    }
}

static bool is_good(uint16_t suite)
{
    size_t i = 0;
    while (good[i] && good[i] != suite) {
        i++;
    }
    return good[i] != 0;
}

/* The protocol in the extensions of a ServerHello; "": none. */
static const char *chosen_alpn(const uint8_t *at, const uint8_t *end)
{
    if (end - at < 2) {
        return "";
    }
    for (at += 2; end - at >= 4; at += 4 + (at[2] << 8 | at[3])) {
        bool is_alpn = (at[0] << 8 | at[1]) == EXT_ALPN && end - at > 7;
        if (is_alpn && end - at - 7 >= at[6]) {
            return arena_copy((const char *)at + 7, at[6]);
        }
    }
    return "";
}

/* m: the message from its version on. */
static bool read_server_hello(const struct tls_hello *h, const uint8_t *m,
                              const uint8_t *end, const char **what,
                              const char **wrong, const char **rule)
{
    if (end - m < 35 || end - m < 38 + m[34]) {
        *what = "a ServerHello that is too short";
        return false;
    }
    const uint8_t *at = m + 35 + m[34];
    unsigned version = (unsigned)m[0] << 8 | m[1];
    uint16_t suite = (uint16_t)(at[0] << 8 | at[1]);
    const char *protocol = chosen_alpn(at + 3, end);
    *what = arena_printf("version 0x%04x, suite 0x%04x, ALPN \"%s\"", version,
                         (unsigned)suite, protocol);
    *wrong = NULL;
    if (version < 0x0303 || (h->alpn && strcmp(protocol, h->alpn) != 0)) {
        *rule = "TLS-1";
        *wrong = "TLS 1.2 at least, and the ALPN protocol that was offered";
    } else if (!is_good(suite)) {
        *rule = "TLS-2";
        *wrong = "a suite with forward secrecy and AEAD";
    }
    return true;
}

bool tls_hello(int fd, const struct tls_hello *h, uint64_t deadline_ms,
               enum tls_answer *answer, const char **what, const char **wrong,
               const char **rule)
{
    struct bytes hello = {.len = 0};
    uint8_t in[ANSWER_MAX];
    size_t have;
    make_hello(&hello, h);
    *wrong = NULL;
    *what = "no answer";
    if (send(fd, hello.at, hello.len, MSG_NOSIGNAL) != (ssize_t)hello.len ||
        !read_record(fd, in, &have, deadline_ms)) {
        return false;
    }
    *answer = TLS_TURNED_AWAY;
    *what = "the end of the connection";
    if (have >= RECORD_HEADER + 2 && in[0] == RECORD_ALERT) {
        *what = arena_printf("alert %u", (unsigned)in[RECORD_HEADER + 1]);
        return in[RECORD_HEADER] == 2; /* fatal */
    }
    if (have == 0) {
        return true;
    }
    *answer = TLS_TAKEN;
    *what = "something that is no TLS";
    return have > RECORD_HEADER + 4 && in[0] == RECORD_HANDSHAKE &&
           in[RECORD_HEADER] == SERVER_HELLO &&
           read_server_hello(h, in + RECORD_HEADER + 4, in + have, what, wrong,
                             rule);
}
