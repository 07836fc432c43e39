/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's begin and end: what the config says, and all memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "frame.h"

#define CONNECT_TIMEOUT_MS 10000u
/* A frame's length has 24 bits. */
#define LIMIT_MAX ((1u << 24) - 1)
#define MAX_BODY_MAX 16000000u

static size_t rx_bytes(const struct roam_posix *p)
{
    return p->config.max_frame + ROAM_FRAME_HEADER_BYTES;
}

/* The longest SEND and as much again, so that two are under way at once. */
static size_t tx_bytes(const struct roam_posix *p)
{
    return 2 * (p->config.max_body + (size_t)256);
}

/* False: a limit is out of range. */
static bool set_limits(struct roam_posix_config *c)
{
    c->max_frame = c->max_frame ? c->max_frame : MAX_FRAME;
    c->max_inflated = c->max_inflated ? c->max_inflated : MAX_INFLATED;
    c->max_unacked = c->max_unacked ? c->max_unacked : MAX_UNACKED;
    c->max_body = c->max_body ? c->max_body : ROAM_POSIX_BODY_MAX;
    return c->max_frame <= LIMIT_MAX && c->max_inflated <= LIMIT_MAX &&
           c->max_body <= MAX_BODY_MAX;
}

static bool make_buffers(struct roam_posix *p)
{
    p->rx = malloc(rx_bytes(p));
    p->tx = malloc(tx_bytes(p));
    p->inflated = malloc(p->config.max_inflated);
    return p->rx && p->tx && p->inflated;
}

static enum roam_status init_client(struct roam_posix *p)
{
    struct roam_local_device device;
    struct roam_client_config c;
    roam_local_device(p->store, &device);
    memset(&c, 0, sizeof c);
    c.user = p->config.user;
    c.token = p->config.token;
    memcpy(c.device_id, device.device_id, sizeof c.device_id);
    c.device_type = p->config.device_type;
    c.device_name = p->config.device_name;
    c.software = p->config.software;
    c.cursor = device.cursor;
    if (p->config.says_stored && p->config.cursor < device.cursor) {
        c.cursor = p->config.cursor;
    }
    bool from_now = p->config.from_now && device.cursor == 0;
    c.max_entries = from_now ? 0 : roam__posix_max_entries(p);
    c.max_unacked = p->config.max_unacked;
    c.deflate = !p->config.no_deflate;
    c.rx = p->rx;
    c.rx_bytes = rx_bytes(p);
    c.tx = p->tx;
    c.tx_bytes = tx_bytes(p);
    c.inflated = p->inflated;
    c.inflated_bytes = p->config.max_inflated;
    c.outbox = p->items;
    c.outbox_count = SLOT_COUNT;
    memcpy(&c.random_seed, device.device_id, sizeof c.random_seed);
    c.random_seed ^= roam__posix_clock_ms(CLOCK_REALTIME);
    return roam_client_init(&p->client, &c);
}

static enum roam_posix_status set_up_store(struct roam_posix *p, char *detail)
{
    const struct roam_posix_config *c = &p->config;
    if (!c->store) {
        return roam_local_open(c->store_path, c->user, c->device_type,
                               ROAM_LOCAL_OWN, &p->store, detail);
    }
    p->store = c->store;
    return roam_local_is_of(p->store, c->user ? c->user : "", c->device_type,
                            detail)
               ? ROAM_POSIX_STATUS_OK
               : ROAM_POSIX_STATUS_STORE_OTHER;
}

static enum roam_posix_status set_up(struct roam_posix *p, char *detail)
{
    const struct roam_posix_config *c = &p->config;
    enum roam_posix_status status = ROAM_POSIX_STATUS_OK;
    if (!c->host || !*c->host || !c->port || !*c->port || !c->token ||
        (!c->store_path && !c->store) || !set_limits(&p->config)) {
        snprintf(detail, ROAM_POSIX_DETAIL_MAX,
                 "host, port, token, store or a limit");
        return ROAM_POSIX_STATUS_BAD_ARGUMENT;
    }
    if (!make_buffers(p)) {
        snprintf(detail, ROAM_POSIX_DETAIL_MAX, "buffers");
        return ROAM_POSIX_STATUS_MEMORY;
    }
    if (!c->plain) {
        status =
            roam_link_tls_new(c->ca_file, c->ca_pem, c->host, &p->tls, detail);
    }
    if (status == ROAM_POSIX_STATUS_OK) {
        status = set_up_store(p, detail);
    }
    if (status != ROAM_POSIX_STATUS_OK) {
        return status;
    }
    if (init_client(p) != ROAM_STATUS_OK) {
        snprintf(detail, ROAM_POSIX_DETAIL_MAX,
                 "user, token, device or software name, or a limit");
        return ROAM_POSIX_STATUS_BAD_ARGUMENT;
    }
    roam__posix_fill_outbox(p);
    if (p->failure != ROAM_POSIX_STATUS_OK) {
        snprintf(detail, ROAM_POSIX_DETAIL_MAX, "%s", p->failure_detail);
    }
    return p->failure;
}

enum roam_posix_status roam_posix_new(const struct roam_posix_config *config,
                                      struct roam_posix **out, char *detail)
{
    *out = NULL;
    struct roam_posix *p = calloc(1, sizeof *p);
    if (!p) {
        snprintf(detail, ROAM_POSIX_DETAIL_MAX, "driver");
        return ROAM_POSIX_STATUS_MEMORY;
    }
    p->config = *config;
    p->clock_offset_ms = roam__posix_clock_ms(CLOCK_REALTIME) -
                         roam__posix_clock_ms(CLOCK_MONOTONIC);
    roam_events_init(&p->events);
    roam_link_init(&p->link);
    enum roam_posix_status status = set_up(p, detail);
    if (status != ROAM_POSIX_STATUS_OK) {
        roam_posix_free(p);
        return status;
    }
    p->link.host = p->config.host;
    p->link.port = p->config.port;
    p->link.tls = p->tls;
    p->link.connect_timeout_ms = p->config.connect_timeout_ms
                                     ? p->config.connect_timeout_ms
                                     : CONNECT_TIMEOUT_MS;
    *out = p;
    return ROAM_POSIX_STATUS_OK;
}

void roam_posix_free(struct roam_posix *p)
{
    if (!p) {
        return;
    }
    roam_link_stop(&p->link);
    roam_link_tls_free(p->tls);
    if (!p->config.store) {
        roam_local_close(p->store);
    }
    roam_events_free(&p->events);
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        free(p->slots[i].bytes);
    }
    free(p->rx);
    free(p->tx);
    free(p->inflated);
    free(p);
}
