/* SPDX-License-Identifier: Apache-2.0 */
/* What must be: a second server without storage, sockets or sessions. It
 * sees every write when the store carries it out, decides on it by itself,
 * and compares the store's answer and the store's timelines with its own.
 *
 * A *line* is an entry of a timeline as the oracle has it, for ever: also
 * when the store has trimmed it. */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "roam.h"
#include "sim.h"
#include "store.h"

/* A device_id. */
struct sim_id {
    uint8_t bytes[ROAM_DEVICE_ID_BYTES];
};

/* A set of users: bit n stands for user n. */
typedef uint32_t sim_users;

/* What an operation says of a group, or an APP of whom it is for. */
struct sim_change {
    uint32_t action; /* roam_v1_GroupAction */
    uint32_t join;   /* roam_v1_JoinMode */
    sim_users users; /* whom it names */
    bool nobody;     /* it names somebody who does not exist, too */
    struct roam_bytes name;
};

/* A message that a person wrote, or an operation. */
struct sim_message {
    uint64_t client_msg_id;
    uint32_t user;  /* who wrote it */
    uint32_t party; /* to whom; of CREATE: what was made, once stored */
    uint32_t kind;  /* roam_v1_Kind */
    struct sim_change change; /* with GROUP and APP */
    uint64_t target;          /* msg_id that RECALL, DELETE and READ name */
    uint64_t refusals;  /* bit set: the oracle refused it with this code */
    bool stood;         /* it changed nothing: an earlier one stands */
    uint32_t must_fail; /* roam_v1_ErrorCode; 0: it can be stored */
    struct roam_bytes conversation, content_type, body;
    const struct sim_message *before; /* written on the same device; or NULL */
    bool arrived;                     /* at the server, at least once */
    uint64_t arrived_ms;              /* the last time */
    bool had_turn;   /* the store decided on it, whatever it decided */
    bool lost;       /* it was stored in a past that is lost */
    bool was_undone; /* so it was there */
    /* Since the store has it: */
    bool stored;
    uint64_t order; /* among all that are stored, from 1 */
    uint64_t msg_id;
    uint64_t stored_ms;   /* wall clock of the SEND, since 2020-01-01 UTC */
    struct sim_id device; /* the session that it was stored for */
    uint64_t generation, attempt;
    sim_users lines;             /* on whose timelines it is */
    sim_users rows;              /* and in whose histories */
    uint64_t version[SIM_USERS]; /* 0: not on this timeline, or not seen */
    const struct sim_message *undone_by; /* the RECALL, or a newer READ */
    const struct sim_message *deleted_by[SIM_USERS];
};

struct sim_line {
    uint64_t version, prev_version;
    struct sim_message *message;
};

void sim_oracle_open(struct sim_world *w);
void sim_oracle_close(struct sim_world *w);
const char *sim_oracle_user_name(uint32_t user);
/* SIM_USERS: no such user. */
uint32_t sim_oracle_user(struct roam_bytes name);
/* SIM_PARTIES: no such user or group. */
uint32_t sim_oracle_party(const struct sim_world *w, struct roam_bytes name);
/* Not of a group that was not made yet. */
struct roam_bytes sim_oracle_party_name(const struct sim_world *w,
                                        uint32_t party);
/* How many groups there are. */
uint32_t sim_oracle_groups(const struct sim_world *w);

/* A new message with a random id. The slices are kept. */
struct sim_message *sim_oracle_message_new(struct sim_world *w, uint32_t user,
                                           struct roam_bytes conversation,
                                           struct roam_bytes content_type,
                                           struct roam_bytes body);
/* Makes an operation of it, of which the body says the same. */
void sim_oracle_message_aims(struct sim_message *m, uint32_t kind,
                             uint64_t target);
/* One of the last rows of this conversation that the user sees, by lot; its
 * msg_id. 0: there is none. */
uint64_t sim_oracle_draw_target(struct sim_world *w, uint32_t user,
                                uint32_t party);
/* NULL: nobody wrote this. */
struct sim_message *sim_oracle_message(const struct sim_world *w,
                                       uint64_t client_msg_id);

/* How many messages are stored. */
size_t sim_oracle_stored(const struct sim_world *w);

/* The store carried this out (told: its answer stands in the request).
 * Call sim_oracle_scan() afterwards. */
void sim_oracle_login(struct sim_world *w, const struct roam_store_login *in,
                      bool told);
void sim_oracle_logout(struct sim_world *w, const struct roam_store_logout *in,
                       bool told);
void sim_oracle_send(struct sim_world *w, const struct roam_store_send *in,
                     bool told);
/* Compares the store's timelines with the lines; takes over the versions of
 * what was sent since, and nothing else may be there. deep: contents too. */
void sim_oracle_scan(struct sim_world *w, bool deep);
/* The store trimmed up to a version. */
void sim_oracle_trim(struct sim_world *w, uint32_t user, uint64_t version);

/* The operator gives a user another name (kept), or lets one block another. */
void sim_oracle_name_user(struct sim_world *w, uint32_t user, const char *name);
void sim_oracle_block(struct sim_world *w, uint32_t user, uint32_t other,
                      bool blocked);
struct roam_bytes sim_oracle_name(const struct sim_world *w, uint32_t party);
/* Was that the name of this party at any time since then? */
bool sim_oracle_was_named(const struct sim_world *w, uint32_t party,
                          struct roam_slice name, uint64_t since_ms);

/* A token that an operator gave to a user. It is bound to the device that is
 * first granted a login with it. */
struct sim_token {
    char text[24];
    size_t number;
    uint32_t user;
    uint64_t expires_ms; /* since 2020-01-01 UTC; 0: never */
    bool bound;
    struct sim_id device;
    bool revoked;
    bool lost;           /* it was given out in a past that is lost */
    uint64_t revoked_ms; /* the simulator's time */
};

/* The operator gives one out, or takes it back. */
const struct sim_token *sim_oracle_grant(struct sim_world *w, uint32_t user,
                                         uint64_t expires_ms);
void sim_oracle_revoke(struct sim_world *w, const struct sim_token *token);
/* All that would expire some day. */
void sim_oracle_revoke_expiring(struct sim_world *w);
/* NULL: nobody was given it. */
const struct sim_token *sim_oracle_token(const struct sim_world *w,
                                         const char *text);

/* The store carried out an END_SESSION. */
void sim_oracle_end_session(struct sim_world *w,
                            const struct roam_store_end_session *in, bool told);

#define SIM_TYPES 7u /* device types count from 1 */
struct sim_slot_view {
    bool held;
    uint64_t generation;
    uint64_t changed_ms; /* the simulator's time of its last change */
};
struct sim_slot_view sim_oracle_slot(const struct sim_world *w, uint32_t user,
                                     uint32_t type);

/* Who may have a slot now. */
bool sim_oracle_holds(const struct sim_world *w, uint32_t user, uint32_t type,
                      const struct sim_id *device, uint64_t generation,
                      uint64_t attempt);
bool sim_oracle_is_holder(const struct sim_world *w, uint32_t user,
                          uint32_t type, const struct sim_id *device);

/* Lines of a timeline; lines are numbered from 1, and number 0 is what lies
 * before the first, with version 0. */
uint64_t sim_oracle_head(const struct sim_world *w, uint32_t user);
size_t sim_oracle_count(const struct sim_world *w, uint32_t user);
/* The number of the line with this version; false: there is none. */
bool sim_oracle_find(const struct sim_world *w, uint32_t user, uint64_t version,
                     size_t *number);
const struct sim_line *sim_oracle_line(const struct sim_world *w, uint32_t user,
                                       size_t number);
/* The number of the newest line that was trimmed; 0: none. */
size_t sim_oracle_floor(const struct sim_world *w, uint32_t user);

/* SEND_OK for this message left the server. */
void sim_oracle_told(struct sim_world *w, const struct sim_message *m);
/* The newest version of a timeline for which that is so. */
uint64_t sim_oracle_told_head(const struct sim_world *w, uint32_t user);

/* May the answer to this operation name that one as what stands? */
bool sim_oracle_may_stand(const struct sim_world *w,
                          const struct sim_message *m, uint64_t msg_id);
/* Is it a row of this user's history? */
bool sim_oracle_is_row(const struct sim_message *m, uint32_t user);
/* Has a newer READ taken its place? */
bool sim_oracle_is_void(const struct sim_message *m);
/* What is unread in a conversation. It is `most`, but for messages whose
 * RECALL the user was not told of, having left the group before, or whose
 * RECALL is lost: some of these may count or not, down to `least`. */
struct sim_unread {
    uint32_t least, most;
};
/* The state of a user's conversation with `party` at a line: where the mark is
 * and what is unread. */
void sim_oracle_marks(const struct sim_world *w, uint32_t user, uint32_t party,
                      size_t line, uint64_t *mark, struct sim_unread *unread);

/* A backup's part of the oracle, and its return. */
struct sim_oracle_copy *sim_oracle_copy(struct sim_world *w);
void sim_oracle_return(struct sim_world *w, const struct sim_oracle_copy *c);
/* Was this row of the user's stored in a past that is lost? */
bool sim_oracle_is_ghost(const struct sim_world *w, uint32_t user,
                         uint64_t party, uint64_t msg_id);

/* The conversation of a message as this user sees it, as its number and its
 * name. */
uint32_t sim_oracle_party_of(const struct sim_message *m, uint32_t user);
struct roam_bytes sim_oracle_conversation(const struct sim_world *w,
                                          const struct sim_message *m,
                                          uint32_t user);

/* --------------------------------------------------------------- groups */

/* What one user is in one group. */
struct sim_part {
    uint32_t role; /* roam_v1_Role */
    bool muted;
    const struct sim_message *since; /* made them a member, or an applicant */
};

struct sim_group_state {
    uint32_t join;
    bool muted;
    struct roam_bytes name;
    struct sim_part parts[SIM_USERS];
};

bool sim_role_is_member(uint32_t role);
bool sim_oracle_makes_group(const struct sim_message *m);
/* The group's state after its newest change. group: from 0. */
const struct sim_group_state *sim_oracle_group(const struct sim_world *w,
                                               uint32_t group);
/* Its states from the first on, each after the change that made it; NULL: there
 * are no more. */
const struct sim_group_state *sim_oracle_group_was(
    const struct sim_world *w, uint32_t group, size_t number,
    const struct sim_message **change);
/* The line of the first row that a user has of this party; 0: none. */
size_t sim_oracle_first_row(const struct sim_world *w, uint32_t user,
                            uint32_t party);
/* A person told this device to take over this generation, once. */
void sim_oracle_person_takes(struct sim_world *w, const struct sim_id *device,
                             uint64_t generation);

bool sim_same_bytes(const void *a, size_t a_len, const void *b, size_t b_len);
bool sim_same_id(const struct sim_id *a, const struct sim_id *b);

#endif
