/* SPDX-License-Identifier: Apache-2.0 */
/* A server core over the memory store, with any number of peers: for the
 * tests of the core. No time passes and nothing is random unless a test says
 * so.
 *
 * A rig has the users alice and bob, each with the token "<user>-token". A
 * peer is one connection. What the core wrote to it lies in `in`, frame by
 * frame, for rig_take(). */
#ifndef ROAM_TEST_CORE_RIG_H
#define ROAM_TEST_CORE_RIG_H

#include "core.h"
#include "frame.h"
#include "session.h"
#include "store_mem.h"

struct rig {
    struct roam_core_config config;
    struct roam_store *store;
    struct roam_core *core;
    struct roam_now now;
    uint64_t address; /* where peers come from; 0: exempt from limits */
    char log[65536];  /* all lines, each with \n */
    size_t log_len;
    bool split_writes; /* the transport takes one byte at a time */
};

struct peer {
    struct rig *rig;
    struct roam_session *session; /* NULL once closed */
    bool stuck;                   /* its transport takes nothing */
    uint8_t *in;                  /* bytes written to it */
    size_t in_len, in_room;
    size_t taken;    /* bytes of `in` that were looked at */
    uint64_t cursor; /* of rig_catch_up() */
};

/* Small settings that tests change before rig_start(). */
void rig_init(struct rig *rig);
void rig_start(struct rig *rig);
/* One for each of the devices below RIG_DEVICES: "<user>-token" for device 1,
 * "<user>-token-<device>" for the others. say_login() uses them. */
#define RIG_DEVICES 32u
void rig_add_tokens(struct rig *rig, const char *user);
void rig_stop(struct rig *rig);
/* Lets the store answer and moves bytes until nothing changes. */
void rig_settle(struct rig *rig);
/* The same, with the store's answers held back. */
void rig_flush(struct rig *rig);
/* Time passes; deadlines on the way are kept. */
void rig_pass(struct rig *rig, uint64_t ms);

void peer_connect(struct rig *rig, struct peer *peer);
/* The connection breaks. */
void peer_cut(struct peer *peer);
/* Frees what was received; cuts if need be. */
void peer_free(struct peer *peer);
void peer_feed(struct peer *peer, const void *data, size_t len);
/* Encodes m and feeds it, without settling. */
void peer_put(struct peer *peer, const struct roam_message *m);

/* The messages that tests send most, in a static message. */
struct roam_message *say_login(const char *user, uint8_t device,
                               roam_v1_DeviceType type, uint64_t attempt,
                               uint64_t take_over);
struct roam_message *say_sync(uint64_t cursor);
struct roam_message *say_ack(uint64_t version);
struct roam_message *say_ping(uint64_t id);
struct roam_message *say_logout(void);
struct roam_message *say_send(uint64_t id, const char *conversation,
                              const char *body);
/* Of as many rows, and as long, as the protocol has. */
struct roam_message *say_history(uint64_t ref, const char *conversation,
                                 uint64_t before, uint64_t after);
struct roam_message *say_conversations(uint64_t ref, uint64_t before,
                                       const char *conversation);

struct roam_message *say_members(uint64_t ref, const char *group,
                                 const char *after, uint32_t max_rows);
/* Of the types above `after`. */
struct roam_message *say_sessions(uint64_t ref, uint32_t after);
struct roam_message *say_end_session(uint64_t ref, roam_v1_DeviceType type,
                                     uint64_t generation);

/* Puts it and settles. */
void peer_say(struct peer *peer, const struct roam_message *m);
/* Connects, logs in, takes LOGIN_OK. Returns the generation. */
uint64_t peer_login(struct rig *rig, struct peer *peer, const char *user,
                    uint8_t device, roam_v1_DeviceType type, uint64_t attempt,
                    uint64_t take_over);
/* Syncs at the cursor and takes SYNC_OK. */
void peer_sync(struct peer *peer, uint64_t cursor);
/* Sends and takes SEND_OK; returns msg_id. Entries stay in `in`. */
uint64_t peer_send(struct peer *peer, uint64_t id, const char *conversation,
                   const char *body);

/* Logs in the device with the type's number, and syncs at 0. */
void peer_join(struct rig *rig, struct peer *peer, const char *user,
               roam_v1_DeviceType type);
/* Sends "message <id>" for count ids, without a look at the answers. */
void peer_send_many(struct peer *peer, const char *to, uint64_t first,
                    uint64_t count);

/* The next frame must be of this type: decoded, valid until the next
 * settle. Fails the test with what came instead. */
const struct roam_message *rig_take(struct peer *peer, uint8_t type);
/* The next frame's type; 0: there is none. */
uint8_t rig_peek(const struct peer *peer);
/* There must be no frame. */
void rig_take_none(struct peer *peer);
/* KICK with this reason, then the end of the connection and no byte more. */
const struct roam_message *rig_take_kick(struct peer *peer,
                                         roam_v1_KickReason reason);
void rig_take_error(struct peer *peer, roam_v1_ErrorCode code);
/* Takes PUSHes and BATCHes as long as they come, checks their chain from
 * peer->cursor, and calls fn (may be NULL) for each entry. Returns how many
 * entries came. */
typedef void (*rig_entry_fn)(void *ctx, const struct roam_entry *e);
size_t rig_catch_up(struct peer *peer, rig_entry_fn fn, void *ctx);

/* What a receiver of peer_send_many() must see; ctx of rig_expect_next(). */
struct rig_expected {
    uint64_t next_id;
    uint64_t msg_id;         /* of the last one */
    uint64_t client_msg_ids; /* how many entries had one */
    uint64_t noops;
};
void rig_expect_next(void *ctx, const struct roam_entry *e);

#endif
