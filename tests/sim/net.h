/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: two pipes each, with room like a socket's, that deliver in
 * order but in pieces, late, or not at all. */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "core.h"
#include "sim.h"
#include "watch.h"

struct sim_pipe {
    uint8_t *data; /* under way: data[at] to data[len - 1] */
    size_t at, len, cap;
    size_t room;            /* more than this is not taken */
    uint64_t stalled_to_ms; /* nothing is delivered before */
    bool blocked;           /* nothing is ever delivered */
    bool ending;            /* the end of the stream comes behind the data */
    bool scheduled;         /* a delivery event is in the queue */
};

struct sim_link {
    uint32_t number;
    struct sim_device *device;    /* whose it was, also when it is gone */
    struct roam_session *session; /* NULL: the server has closed it */
    bool client_open, server_open;
    bool whole; /* no fragments */
    uint32_t piece_max;
    bool cut; /* noticed, or about to be */
    struct sim_pipe to_server, to_client;
    uint64_t client_full_ms; /* the client last found its pipe full */
    struct sim_watch watch;
};

/* The device's connection is established: both sides know it. NULL: the
 * server is down or takes none. late: its first bytes take a long way. */
struct sim_link *sim_link_open(struct sim_world *w, struct sim_device *d,
                               bool late);
/* The client is done with it; what it sent before may still arrive. */
void sim_link_client_closes(struct sim_world *w, struct sim_link *l);
/* The server has finished it; what it sent before still arrives. */
void sim_link_server_closes(struct sim_world *w, struct sim_link *l);
/* Nothing arrives any more; the sides that are told notice soon. */
void sim_link_break(struct sim_world *w, struct sim_link *l, bool tell_client,
                    bool tell_server);
/* Takes what the client, or the server, has to send, as far as there is
 * room. */
void sim_link_pull_client(struct sim_world *w, struct sim_link *l);
void sim_link_pull_server(struct sim_world *w, struct sim_link *l);
/* One direction stands still until then. */
void sim_link_stall(struct sim_link *l, bool to_server, uint64_t until_ms);
/* Both go on now. */
void sim_link_unstall(struct sim_world *w, struct sim_link *l);

/* The events of a link. */
void sim_link_deliver(struct sim_world *w, uint32_t number, bool to_server);
void sim_link_notice(struct sim_world *w, uint32_t number, bool client);

/* A random link that both sides hold open; NULL: there is none. */
struct sim_link *sim_link_any(struct sim_world *w);
void sim_links_free(struct sim_world *w);

#endif
