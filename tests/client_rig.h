/* SPDX-License-Identifier: Apache-2.0 */
/* A client engine between a scripted server and a careful application.
 *
 * A test *says* what the server sends; rig_run() feeds it in chunks of the
 * size chosen, drains the events, stores what it is told to, and collects
 * what the client sends. Both sides end up as one line of text per event or
 * frame, in `events` and `frames`, so that a test compares strings:
 *
 *   events  "LOGGED_IN 7", "ENTRY 3<2 bob:hi", "SYNCED 3", "CLOSE OK back"
 *   frames  "LOGIN 1", "SYNC 0", "ACK 3", "SEND 5 hello", "PING",
 *           "HISTORY 7 bob 0..9 max 10", "CONVERSATIONS 7 bob 9 max 10"
 */
#ifndef ROAM_TESTS_CLIENT_RIG_H
#define ROAM_TESTS_CLIENT_RIG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants these two before it. */
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "batch.h"
#include "engine.h"
#include "frame.h"
#include "roam.h"

enum {
    RIG_OUTBOX_MAX = 8
};

struct rig {
    struct roam_client client;
    struct roam_client_config config;
    struct roam_outbox_item outbox[RIG_OUTBOX_MAX];
    uint8_t rx[8192], tx[8192], inflated[8192];

    uint64_t now_ms;
    uint64_t attempt;
    size_t chunk;                 /* bytes a feed(); 0: all there are */
    bool store;                   /* stored() at each ENTRY and RESET */
    bool pull;                    /* collect what the client sends */
    int feed_error;               /* first negative result of feed() */
    uint64_t last_entry;          /* version of the last ENTRY or RESET */
    uint64_t last_sent_msg_id;    /* of the last SENT */
    struct roam_event last_event; /* its slices are not valid any more */

    uint8_t said[65536]; /* server bytes, not fed yet from `fed` on */
    size_t said_len, fed;
    uint8_t heard[16384]; /* client bytes, no whole frame yet */
    size_t heard_len;
    struct roam_message last_frame; /* without its body */

    char events[65536];
    char frames[16384];
};

/* The configuration that most tests start from: alice's embedded device with
 * roomy buffers, max_unacked 8, max_entries 100, DEFLATE offered. */
void rig_prepare(struct rig *r);
/* The smallest legal buffers, window and outbox. */
void rig_prepare_minimal(struct rig *r);
void rig_init(struct rig *r); /* roam_client_init() must succeed */

void rig_say(struct rig *r, const struct roam_message *m);
void rig_say_bytes(struct rig *r, const void *bytes, size_t len);
void rig_say_login_ok(struct rig *r, uint64_t generation);
void rig_say_refused(struct rig *r, roam_v1_RefusedReason reason,
                     roam_v1_Retry retry, uint64_t generation);
void rig_say_sync_ok(struct rig *r, roam_v1_SyncResult result, uint64_t head);
void rig_say_reset(struct rig *r, roam_v1_ResetReason reason, uint64_t head);
/* A message from bob. */
void rig_say_push(struct rig *r, uint64_t version, uint64_t prev,
                  const char *body);
void rig_say_noop(struct rig *r, uint64_t version, uint64_t prev);
/* `count` messages from bob, versions prev + 1 and up, bodies "1", "2"... */
void rig_say_batch(struct rig *r, uint64_t prev, size_t count, bool deflate);
void rig_batch(struct roam_message *m, uint64_t prev, size_t count,
               bool deflate);
/* A page that answers `ref`: `count` messages of bob's, or in a page of
 * CONVERSATIONS of bob, bob1, ..., with the msg_ids from `first` on (rising,
 * or falling), bodies "1", "2"... */
void rig_page(struct roam_message *m, uint8_t type, uint64_t ref,
              uint64_t first, size_t count, bool more, bool deflate);
void rig_say_page(struct rig *r, uint8_t type, uint64_t ref, uint64_t first,
                  size_t count, bool more);
/* roam_client_history() for bob, max_rows 10; must be taken. */
void rig_ask(struct rig *r, uint64_t ref, uint64_t before, uint64_t after);
void rig_say_send_ok(struct rig *r, uint64_t client_msg_id, bool duplicate);
void rig_say_error(struct rig *r, uint64_t client_msg_id,
                   roam_v1_ErrorCode code);
void rig_say_pong(struct rig *r, uint64_t head);
void rig_say_kick(struct rig *r, roam_v1_KickReason reason, roam_v1_Retry retry,
                  uint32_t retry_after_ms);

/* Feeds all that was said, drains, collects. */
void rig_run(struct rig *r);
/* Drains the events that wait; says nothing new to the client. */
void rig_drain(struct rig *r);
/* Collects up to `limit` bytes of what the client wants to send. */
void rig_pull(struct rig *r, size_t limit);
/* Time passes, in one step, with tick(); then as rig_run(). */
void rig_wait(struct rig *r, uint64_t ms);

void rig_open(struct rig *r);
/* open() and login() with the next attempt. */
void rig_login(struct rig *r);
/* Opens, logs in with generation 1 and syncs UP_TO_DATE, or by DELTA when
 * head is above the cursor; then forgets the logs. */
void rig_go_live(struct rig *r, uint64_t head);
/* closed(); drains. */
void rig_lose(struct rig *r);
void rig_forget(struct rig *r); /* empties both logs */
void rig_send(struct rig *r, uint64_t client_msg_id, const char *body);

enum roam__state rig_state(const struct rig *r);

#define assert_events(r, expected) assert_string_equal((r)->events, expected)
#define assert_frames(r, expected) assert_string_equal((r)->frames, expected)

#endif
