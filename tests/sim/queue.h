/* SPDX-License-Identifier: Apache-2.0 */
/* What happens next: events ordered by (time, order of their making), so that
 * two events of one millisecond never change places. */
#ifndef SIM_QUEUE_H
#define SIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_event_kind {
    SIM_EV_DELIVER_TO_SERVER, /* a: link */
    SIM_EV_DELIVER_TO_CLIENT, /* a: link */
    SIM_EV_CLIENT_NOTICES,    /* a: link; the client sees it is gone */
    SIM_EV_SERVER_NOTICES,    /* a: link; the server sees it is gone */
    SIM_EV_CONNECT,           /* a: device, b: its epoch */
    SIM_EV_BOOT,              /* a: device, b: its epoch */
    SIM_EV_DEVICE_TICK,       /* a: device */
    SIM_EV_APP_STORES,        /* a: device, b: its epoch */
    SIM_EV_APP_PULLS,         /* a: device, b: its boots */
    SIM_EV_DECIDES,           /* a: device, b: its question */
    SIM_EV_PERSON,            /* a person does something */
    SIM_EV_FAULT,             /* something breaks */
    SIM_EV_SERVER_TICK,
    SIM_EV_STORE, /* b: the server's epoch */
    SIM_EV_SERVER_START,
    SIM_EV_SERVER_STOP, /* b: the server's epoch; drain is over */
    SIM_EV_BACKUP_NEAR,
    SIM_EV_BACKUP,
    SIM_EV_RESTORE,
    SIM_EV_SWEEP, /* the slow checks */
    SIM_EV_CALM   /* faults and persons stop */
};

struct sim_queued {
    uint64_t at_ms;
    uint64_t order;
    enum sim_event_kind kind;
    uint32_t a;
    uint64_t b;
};

/* A binary heap. All zero: empty. */
struct sim_queue {
    struct sim_queued *heap;
    size_t count, cap;
    uint64_t next_order;
};

void sim_queue_push(struct sim_queue *q, uint64_t at_ms,
                    enum sim_event_kind kind, uint32_t a, uint64_t b);
/* False when empty. */
bool sim_queue_pop(struct sim_queue *q, struct sim_queued *out);
void sim_queue_free(struct sim_queue *q);

#endif
