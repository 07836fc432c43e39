/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the oracle, shared by its two files. */
#ifndef SIM_ORACLE_STATE_H
#define SIM_ORACLE_STATE_H

#include "oracle.h"

/* A server need not remember more holders of a slot than this, section 5.1;
 * nor has a seed more. */
#define SIM_PAST_MAX 16u
#define SIM_ROWS_MAX 64u
/* Takeovers of which a late LOGIN may still be under way. */
#define SIM_ACTS_MAX 256u

struct sim_slot {
    bool held;
    struct sim_id holder;
    uint64_t generation, attempt;
    uint64_t changed_ms;
    struct sim_id past[SIM_PAST_MAX]; /* held it and did not log out */
    size_t past_count;
};

/* A device by the store's numbers. */
struct sim_row {
    int64_t user_row, row;
    uint32_t user;
    struct sim_id device;
};

/* A takeover that a person asked for. */
struct sim_act {
    struct sim_id device;
    uint64_t generation; /* 0: used up */
};

struct sim_timeline {
    struct sim_line *lines; /* from number 1 at index 0 */
    size_t count, cap;
    size_t floor; /* lines that were trimmed */
    /* Stored, but its version has not been seen yet. */
    struct sim_message **due;
    size_t due_count, due_cap, due_seen;
};

struct sim_group {
    char id[ROAM_CONVERSATION_MAX + 1]; /* empty: not known yet */
    struct sim_group_state *states;     /* from the one that CREATE made */
    const struct sim_message **changes; /* that made them */
    size_t count, cap, changes_cap;
    sim_users ever; /* who is or was a member */
};

/* A device that was granted a slot. */
struct sim_known {
    uint32_t user;
    struct sim_id device;
};

/* What a user or a group was called, from when on. */
struct sim_name {
    struct roam_bytes text;
    uint64_t since_ms;
};

struct sim_names {
    struct sim_name *list;
    size_t count, cap;
};

/* A msg_id that was given in a past that is lost. */
struct sim_ghost {
    uint64_t msg_id;
    uint32_t user, party; /* who sent it, and to whom */
};

struct sim_oracle {
    struct sim_message **messages;
    size_t message_count, message_cap;
    struct sim_slot slots[SIM_USERS][SIM_TYPES];
    struct sim_timeline timelines[SIM_USERS];
    struct sim_row rows[SIM_ROWS_MAX];
    size_t row_count;
    struct sim_token **tokens;
    size_t token_count, token_cap;
    struct sim_known *known;
    size_t known_count, known_cap;
    struct sim_names names[SIM_PARTIES];
    sim_users blocked_by[SIM_USERS];
    struct sim_ghost *ghosts;
    size_t ghost_count, ghost_cap;
    struct sim_act acts[SIM_ACTS_MAX];
    size_t act_count;
    uint64_t stored_count; /* also of what a lost commit took back */
    struct sim_group groups[SIM_GROUPS];
    uint32_t group_count;
    /* The last msg_id of what two users have in common (the higher number
     * first), and of each group. */
    uint64_t last_msg_id[SIM_PARTIES][SIM_USERS];
    uint64_t told_msg_id; /* by the answer to the newest send; 0: none */
    size_t told_count;
    uint64_t told_head[SIM_USERS];
};

/* The place of the last msg_id of its conversation. */
uint64_t *sim_oracle_last_msg_id(struct sim_world *w,
                                 const struct sim_message *m);

/* ------------------------------------------------------- oracle_names.c */

/* From now on a party is called so. The text is kept. */
void sim_oracle_note_name(struct sim_world *w, uint32_t party,
                          struct roam_bytes name);
bool sim_oracle_has_blocked(const struct sim_world *w, uint32_t user,
                            uint32_t other);
/* Has somebody whom it would make a member blocked its sender? [GRP-25] */
bool sim_oracle_newcomer_refuses(const struct sim_world *w,
                                 const struct sim_group_state *now,
                                 const struct sim_message *m);
/* Must a MESSAGE or an APP to a user be refused? */
bool sim_oracle_policy_forbids(const struct sim_world *w,
                               const struct sim_message *m);

/* ------------------------------------------------------ oracle_tokens.c */

/* What a login with this token at this time must be refused with; 0: it is
 * good. */
uint32_t sim_oracle_judge_token(const struct sim_world *w, const char *text,
                                uint32_t user, const struct sim_id *device,
                                uint64_t at_ms);
void sim_oracle_bind_token(const struct sim_world *w, const char *text,
                           const struct sim_id *device);
void sim_oracle_revoke_bound(struct sim_world *w, uint32_t user,
                             const struct sim_id *device);

/* It is stored: it will be seen on the timelines of m->lines. */
void sim_oracle_due(struct sim_world *w, struct sim_message *m);

/* ----------------------------------------------------- oracle_devices.c */

/* This device is granted a slot by this login. */
void sim_oracle_note_device(struct sim_world *w, uint32_t user,
                            const struct sim_id *device,
                            const struct roam_store_login *in);

/* ------------------------------------------------------- oracle_slots.c */

/* Does this session hold its slot? *row: whose it is; NULL: nobody's. */
bool sim_oracle_identity_holds(const struct sim_world *w,
                               const struct roam_identity *who,
                               const struct sim_row **row);

/* ------------------------------------------------------ oracle_groups.c */

/* The same as below, of what is sent to a group, or to make one. */
enum roam_send_result sim_oracle_decide_group(const struct sim_world *w,
                                              const struct sim_message *m,
                                              const struct roam_store_send *in,
                                              uint32_t *error,
                                              uint64_t *stands);
/* It is stored: sets who gets it, and what the group is from then on. */
void sim_oracle_change_group(struct sim_world *w, struct sim_message *m);
/* A group's id was told or seen: it must be the one that it has, or a good
 * new one. */
void sim_oracle_group_id(struct sim_world *w, const struct sim_message *m,
                         struct roam_slice id);

/* ------------------------------------------------ oracle_operations.c */

/* What an operation that is not stored yet must be answered with: a result,
 * with its error or the msg_id of what stands. */
enum roam_send_result sim_oracle_decide_operation(
    const struct sim_world *w, const struct sim_message *m,
    const struct roam_store_send *in, uint32_t *error, uint64_t *stands);
/* It is stored: what it does to others. */
void sim_oracle_carry_out(struct sim_world *w, struct sim_message *m);

#endif
