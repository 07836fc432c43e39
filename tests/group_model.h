/* SPDX-License-Identifier: Apache-2.0 */
/* What must come of each step in a group, written from section 7.2 alone: the
 * answer, who gets the entry, and what everybody sees of it from then on. It
 * shares no code with a store, nor with group_rules.c.
 *
 * Words: a *part* is a user's part in the group; a *set* has a bit for each
 * user. */
#ifndef ROAM_TEST_GROUP_MODEL_H
#define ROAM_TEST_GROUP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "roam.pb.h"

#define USERS 6u
#define MEMBERS_MAX 4u /* so that the group is often full */
#define ROWS_MAX 400u
#define SPANS_MAX 256u
#define NOBODY USERS /* names a user who does not exist */

#define ACTION(name) roam_v1_GroupAction_##name
#define ERROR(name) roam_v1_ErrorCode_##name
#define KIND(name) roam_v1_Kind_##name

/* A stored SEND. */
struct row {
    uint64_t msg_id, target;
    uint32_t kind, user;
    unsigned shown; /* to whom, when it is not for all parties */
    bool for_all, recalled;
    uint64_t recall; /* msg_id of the RECALL */
};

struct part {
    uint32_t role;
    bool muted;
    uint64_t since;
    struct {
        uint64_t since, until;
    } spans[SPANS_MAX];
    size_t span_count;
    uint64_t mark, read_id;
};

struct model {
    uint32_t join;
    bool muted;
    uint32_t name; /* a number */
    struct part parts[USERS];
    struct row rows[ROWS_MAX];
    size_t row_count;
    uint64_t last_msg_id;
};

struct step {
    uint32_t kind, action, user;
    uint32_t named[2];
    size_t named_count;
    uint32_t join, name;
    uint64_t target;
};

/* What must come of it. */
struct wanted {
    uint32_t error;
    bool stands;
    uint64_t msg_id;   /* of what stands */
    unsigned audience; /* filled in when it is carried out */
};

bool model_is_member(const struct model *g, uint32_t u);
unsigned model_members(const struct model *g);
uint32_t model_size_of(unsigned set);

/* What u sees: of the history, its newest msg_id, and how many are unread. */
bool model_sees(const struct model *g, uint32_t u, const struct row *r);
uint64_t model_newest(const struct model *g, uint32_t u);
uint32_t model_unread(const struct model *g, uint32_t u);

/* u gets this role, 0 for none, by the entry msg_id. */
void model_set_role(struct model *g, uint32_t u, uint32_t role,
                    uint64_t msg_id);

struct wanted model_want(const struct model *g, const struct step *s);
/* A step that is no error and does not stand already is stored under this
 * id. Returns the set of those who get the entry. */
unsigned model_carry_out(struct model *g, const struct step *s, uint64_t id);

#endif
