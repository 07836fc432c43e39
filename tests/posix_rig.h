/* SPDX-License-Identifier: Apache-2.0 */
/* A driver and the other end of its connection, in one process: the test
 * plays the server, frame by frame, over plain TCP on loopback.
 *
 * Whatever the test waits for, the rig lets the driver run until it is there,
 * and fails the test when that takes 10 seconds. */
#ifndef POSIX_RIG_H
#define POSIX_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"
#include "roam_posix.h"

#define RIG_BUFFER_BYTES 400000u
#define RIG_EVENTS_MAX 512u

struct posix_rig {
    char directory[64];
    char store[96];
    char port[8];
    struct roam_posix_config config;
    struct roam_posix *posix;

    int listener, connection; /* -1: none */
    struct roam_reader reader;
    uint8_t memory[RIG_BUFFER_BYTES];
    uint8_t bytes[65536]; /* received, not taken apart yet */
    size_t at, len;
    bool eof; /* the driver closed */

    /* Events that were not asked for yet, copied without their slices. */
    struct roam_posix_event events[RIG_EVENTS_MAX];
    size_t event_count;
    char bodies[4096]; /* of all ENTRY and PAGE_ROW events, the users of MEMBER,
                          the device names of SESSION, the groups of SENT; "|"
                          behind each */
};

/* cmocka setup and teardown; *state is the rig. */
int posix_rig_open(void **state);
int posix_rig_close(void **state);

/* A program that starts, and one that is killed. */
void rig_start(struct posix_rig *r);
void rig_crash(struct posix_rig *r);

/* Lets the driver run once, without waiting, and takes its events. */
void rig_run(struct posix_rig *r);

/* The next frame from the driver, which must be of this type; PINGs are
 * skipped. A new connection is accepted when there is none. */
void rig_frame(struct posix_rig *r, uint8_t type, struct roam_message *m);
/* Sends it. */
void rig_answer(struct posix_rig *r, const struct roam_message *m);
/* Ends the connection from the server's side. */
void rig_hang_up(struct posix_rig *r);
/* Waits until the driver ended it. */
void rig_eof(struct posix_rig *r);

/* LOGIN and SYNC come; LOGIN_OK and SYNC_OK (UP_TO_DATE or DELTA) go. */
void rig_log_in(struct posix_rig *r, uint64_t head, struct roam_message *login);
void rig_login_ok(struct posix_rig *r, uint64_t head);
void rig_sync_ok(struct posix_rig *r, uint64_t head, roam_v1_SyncResult result);
void rig_refuse(struct posix_rig *r, roam_v1_RefusedReason reason,
                roam_v1_Retry retry, uint64_t generation);
void rig_kick(struct posix_rig *r, roam_v1_KickReason reason,
              roam_v1_Retry retry);
void rig_push(struct posix_rig *r, uint64_t version, uint64_t prev,
              const char *body);
void rig_send_ok(struct posix_rig *r, uint64_t client_msg_id, uint64_t msg_id,
                 bool duplicate);

/* The next event of this type (rig_event: of the engine's type), skipping
 * others. */
struct roam_posix_event rig_event(struct posix_rig *r,
                                  enum roam_event_type type);
struct roam_posix_event rig_driver_event(struct posix_rig *r,
                                         enum roam_posix_event_type type);

/* roam_posix_send() to bob; returns the client_msg_id. */
uint64_t rig_send(struct posix_rig *r, const char *body);

/* What the disk holds now, seen through a reader of its own. */
struct roam_local_device rig_device(struct posix_rig *r);
struct roam_local_counts rig_counts(struct posix_rig *r);

#endif
