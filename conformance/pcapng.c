/* SPDX-License-Identifier: Apache-2.0 */
/* Captures for Wireshark: see pcapng.h. Blocks are little-endian, packets
 * big-endian. */
#include "pcapng.h"

#include <string.h>

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_NAMES 4u
#define BLOCK_PACKET 6u
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define LINK_RAW_IPV4 228u
#define OPTION_END 0u
#define OPTION_COMMENT 1u
#define OPTION_IF_NAME 2u
#define NAMES_END 0u
#define NAMES_IPV4 1u

#define IP_HEADER 20u
#define TCP_HEADER 20u
#define IP_PROTOCOL_TCP 6u
#define FIRST_CLIENT_PORT 40000u
#define FIRST_HOST 10u
#define HOSTS 200u
#define FIRST_SEQUENCE 1000u
#define WINDOW 65535u

enum tcp_flag {
    TCP_FIN = 1,
    TCP_SYN = 2,
    TCP_RST = 4,
    TCP_PSH = 8,
    TCP_ACK = 16
};

/* One connection: the next sequence number of each side. */
struct flow {
    uint32_t next[2]; /* of the server, of the client */
    size_t host;      /* number of its device, in order of appearance */
};

/* ----------------------------------------------------------------- pcapng */

static void add_u16(struct text *t, unsigned v)
{
    const uint8_t b[] = {(uint8_t)v, (uint8_t)(v >> 8)};
    text_add_bytes(t, b, sizeof b);
}

static void add_u32(struct text *t, uint32_t v)
{
    add_u16(t, v & 0xffffu);
    add_u16(t, v >> 16);
}

static void add_padded(struct text *t, const void *data, size_t len)
{
    static const uint8_t zeros[4];
    text_add_bytes(t, data, len);
    text_add_bytes(t, zeros, (4 - len % 4) % 4);
}

static void add_option(struct text *t, unsigned code, const char *value)
{
    add_u16(t, code);
    add_u16(t, (unsigned)strlen(value));
    add_padded(t, value, strlen(value));
}

static void add_block(struct text *out, uint32_t type, const struct text *body)
{
    uint32_t len = (uint32_t)body->len + 12;
    add_u32(out, type);
    add_u32(out, len);
    text_add_bytes(out, text_str(body), body->len);
    add_u32(out, len);
}

static void add_section(struct text *out, const char *id)
{
    struct text t = {0};
    add_u32(&t, BYTE_ORDER_MAGIC);
    add_u16(&t, 1); /* version 1.0 */
    add_u16(&t, 0);
    add_u32(&t, UINT32_MAX); /* its length is not told */
    add_u32(&t, UINT32_MAX);
    add_option(&t, OPTION_COMMENT, id);
    add_u32(&t, OPTION_END);
    add_block(out, BLOCK_SECTION, &t);
    t = (struct text){0};
    add_u16(&t, LINK_RAW_IPV4);
    add_u16(&t, 0);
    add_u32(&t, 0); /* packets of any length */
    add_option(&t, OPTION_IF_NAME, "roam-conform");
    add_u32(&t, OPTION_END);
    add_block(out, BLOCK_INTERFACE, &t);
}

static void add_packet(struct text *out, uint64_t us, const uint8_t *packet,
                       size_t len, const char *comment)
{
    struct text t = {0};
    add_u32(&t, 0); /* interface */
    add_u32(&t, (uint32_t)(us >> 32));
    add_u32(&t, (uint32_t)us);
    add_u32(&t, (uint32_t)len);
    add_u32(&t, (uint32_t)len);
    add_padded(&t, packet, len);
    if (comment) {
        add_option(&t, OPTION_COMMENT, comment);
        add_u32(&t, OPTION_END);
    }
    add_block(out, BLOCK_PACKET, &t);
}

/* ---------------------------------------------------------------- packets */

static void put_u16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put_u32(uint8_t *p, uint32_t v)
{
    put_u16(p, v >> 16);
    put_u16(p + 2, v & 0xffffu);
}

/* RFC 1071. */
static uint32_t sum_words(uint32_t sum, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i + 1 < len; i += 2) {
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    }
    sum += len % 2 ? (uint32_t)p[len - 1] << 8 : 0;
    return sum;
}

static size_t fold(uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffffu) + (sum >> 16);
    }
    return ~sum & 0xffffu;
}

/* Server 192.0.2.1, device N 192.0.2.(10 + N): RFC 5737. */
static void put_server(uint8_t *address)
{
    memcpy(address, (const uint8_t[]){192, 0, 2, 1}, 4);
}

static void put_host(uint8_t *address, size_t host)
{
    put_server(address);
    address[3] = (uint8_t)(FIRST_HOST + host % HOSTS);
}

static void put_ip(uint8_t *ip, size_t total, size_t host, bool to_server)
{
    ip[0] = 0x45;
    put_u16(ip + 2, total);
    put_u16(ip + 6, 0x4000); /* do not fragment */
    ip[8] = 64;
    ip[9] = IP_PROTOCOL_TCP;
    put_host(ip + (to_server ? 12 : 16), host);
    put_server(ip + (to_server ? 16 : 12));
    put_u16(ip + 10, fold(sum_words(0, ip, IP_HEADER)));
}

static void put_tcp(uint8_t *ip, size_t total, size_t conn, bool to_server,
                    unsigned flags, const struct flow *f)
{
    uint8_t *tcp = ip + IP_HEADER;
    size_t port = FIRST_CLIENT_PORT + conn % 20000;
    put_u16(tcp, to_server ? port : PCAPNG_SERVER_PORT);
    put_u16(tcp + 2, to_server ? PCAPNG_SERVER_PORT : port);
    put_u32(tcp + 4, f->next[to_server]);
    put_u32(tcp + 8, flags & TCP_ACK ? f->next[!to_server] : 0);
    tcp[12] = TCP_HEADER / 4 << 4;
    tcp[13] = (uint8_t)flags;
    put_u16(tcp + 14, WINDOW);
    size_t len = total - IP_HEADER;
    uint32_t sum = sum_words(IP_PROTOCOL_TCP + (uint32_t)len, ip + 12, 8);
    put_u16(tcp + 16, fold(sum_words(sum, tcp, len)));
}

static void add_segment(struct text *out, const struct record_chunk *c,
                        struct flow *f, bool to_server, unsigned flags,
                        const uint8_t *bytes, size_t len, const char *comment)
{
    size_t total = IP_HEADER + TCP_HEADER + len;
    uint8_t *packet = arena_alloc(total);
    if (len > 0) {
        memcpy(packet + IP_HEADER + TCP_HEADER, bytes, len);
    }
    put_ip(packet, total, f->host, to_server);
    put_tcp(packet, total, c->conn, to_server, flags, f);
    add_packet(out, c->us, packet, total, comment);
    f->next[to_server] +=
        (uint32_t)len + ((flags & (TCP_SYN | TCP_FIN)) ? 1u : 0u);
}

static void add_name(struct text *t, const uint8_t *address, const char *name)
{
    struct text value = {0};
    text_add_bytes(&value, address, 4);
    text_add_bytes(&value, name, strlen(name) + 1);
    add_u16(t, NAMES_IPV4);
    add_u16(t, (unsigned)value.len);
    add_padded(t, text_str(&value), value.len);
}

/* Gives each device a host, and each host its name. */
static void add_names(struct text *out, const struct record *r,
                      struct flow *flows)
{
    struct text t = {0};
    uint8_t address[4];
    size_t hosts = 0;
    put_server(address);
    add_name(&t, address, "server");
    for (size_t i = 0; i < r->conn_count; i++) {
        size_t k = 0;
        while (strcmp(r->conns[k].device, r->conns[i].device) != 0) {
            k++;
        }
        flows[i].host = k < i ? flows[k].host : hosts++;
        if (k == i && flows[i].host < HOSTS) {
            put_host(address, flows[i].host);
            add_name(&t, address, r->conns[i].device);
        }
    }
    add_u32(&t, NAMES_END);
    add_block(out, BLOCK_NAMES, &t);
}

static void add_opening(struct text *out, const struct record_chunk *c,
                        struct flow *f, const char *device)
{
    f->next[0] = f->next[1] = FIRST_SEQUENCE;
    add_segment(out, c, f, true, TCP_SYN, NULL, 0,
                arena_printf("device %s, connection %zu", device, c->conn));
    add_segment(out, c, f, false, TCP_SYN | TCP_ACK, NULL, 0, NULL);
    add_segment(out, c, f, true, TCP_ACK, NULL, 0, NULL);
}

static void add_data(struct text *out, const struct record_chunk *c,
                     struct flow *f)
{
    for (size_t at = 0; at < c->len; at += PCAPNG_SEGMENT_MAX) {
        size_t left = c->len - at;
        add_segment(out, c, f, c->to_server, TCP_PSH | TCP_ACK, c->bytes + at,
                    left < PCAPNG_SEGMENT_MAX ? left : PCAPNG_SEGMENT_MAX,
                    NULL);
    }
}

void pcapng_add(struct text *out, const struct record *r, const char *id)
{
    struct flow *flows = arena_alloc((r->conn_count + 1) * sizeof *flows);
    add_section(out, id);
    add_names(out, r, flows);
    for (size_t i = 0; i < r->chunk_count; i++) {
        const struct record_chunk *c = &r->chunks[i];
        struct flow *f = &flows[c->conn];
        if (c->kind == RECORD_OPEN) {
            add_opening(out, c, f, r->conns[c->conn].device);
        } else if (c->kind == RECORD_END) {
            unsigned flags = (c->is_cut ? TCP_RST : TCP_FIN) | TCP_ACK;
            add_segment(out, c, f, c->to_server, flags, NULL, 0, NULL);
        } else {
            add_data(out, c, f);
        }
    }
}
