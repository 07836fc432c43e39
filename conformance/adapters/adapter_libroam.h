/* SPDX-License-Identifier: Apache-2.0 */
/* A handle of libroam's adapter, and what its events mean to the store. A
 * *store* is what one installation keeps; a *handle* is one run of a program
 * on it. */
#ifndef ADAPTER_LIBROAM_H
#define ADAPTER_LIBROAM_H

#include <netinet/in.h>

#include "adapter_lines.h"
#include "roam_local.h"

#define SEATS 16 /* of handles, and of stores */
#define ITEMS 64
#define BUFFER ((size_t)1 << 18)
#define NEVER UINT64_MAX

struct store {
    char *name;
    struct roam_local *local; /* NULL: free */
    uint64_t cursor;          /* stored, as the program says: the verb `ack` */
};
struct handle {
    char *name;
    struct store *store;
    struct roam_client c;
    struct roam_outbox_item outbox[ITEMS];
    bool manual;
    bool list;                     /* the page under way is of conversations */
    struct roam_local_survey last; /* and this was its last row */
    int fd;                        /* -1: no connection */
    struct sockaddr_in address;
    uint64_t connect_at; /* when to connect by itself; NEVER */
    uint64_t connections, received, sent, ref, take_over;
    uint8_t rx[BUFFER], tx[BUFFER], inflated[BUFFER];
};

extern uint64_t now; /* milliseconds, virtual: `advance` alone moves it */

/* The store of that name, made if need be; it outlives its handles. */
struct store *store_open(const char *name, const char *user,
                         enum roam_device_type type);
/* A copy, with a 0 behind it, that is never freed: libroam keeps what it is
 * given until it says so. */
void *keep_copy(const void *bytes, size_t len);
/* Ends the adapter: a store that fails is no client's fault. */
void must(enum roam_posix_status status);

/* Logs in with a fresh attempt, and with h->take_over, once. */
void handle_log_in(struct handle *h);
/* Tells all that the engine has to tell, and does to the store what it means.
 * CLOSE ends the connection. */
void handle_drain(struct handle *h);
/* The program has stored all up to this version. */
enum roam_status handle_keep(struct handle *h, uint64_t version);
/* Gives the engine a message of the store's outbox. */
void handle_queue(struct handle *h, const struct roam_local_outgoing *m);
/* Tells what a person sees of a conversation; *info: how it stands, and how
 * many rows there are in `*count`. */
void handle_view(struct handle *h, const char *conversation,
                 struct roam_local_row *info, uint64_t *count);
/* Ends the connection from this side, if there is one. */
void handle_hang_up(struct handle *h);

#endif
