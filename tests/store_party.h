/* SPDX-License-Identifier: Apache-2.0 */
/* A group and the four who have to do with it, for the claims about stores:
 * what each does in it, what came of that, and what each reads. */
#ifndef ROAM_TEST_STORE_PARTY_H
#define ROAM_TEST_STORE_PARTY_H

#include "store_probe.h"

#define GROUP roam_v1_Kind_GROUP
#define CREATE roam_v1_GroupAction_CREATE
#define INVITE roam_v1_GroupAction_INVITE
#define JOIN roam_v1_GroupAction_JOIN
#define APPROVE roam_v1_GroupAction_APPROVE
#define DENY roam_v1_GroupAction_DENY
#define LEAVE roam_v1_GroupAction_LEAVE
#define REMOVE roam_v1_GroupAction_REMOVE
#define RENAME roam_v1_GroupAction_RENAME
#define SET_ADMIN roam_v1_GroupAction_SET_ADMIN
#define MUTE roam_v1_GroupAction_MUTE
#define SET_JOIN roam_v1_GroupAction_SET_JOIN
#define TRANSFER roam_v1_GroupAction_TRANSFER
#define DISSOLVE roam_v1_GroupAction_DISSOLVE
#define OPEN roam_v1_JoinMode_JOIN_OPEN
#define APPROVAL roam_v1_JoinMode_JOIN_APPROVAL
#define CLOSED roam_v1_JoinMode_JOIN_CLOSED

#define NO_CONVERSATION roam_v1_ErrorCode_NO_SUCH_CONVERSATION
#define NO_MESSAGE roam_v1_ErrorCode_NO_SUCH_MESSAGE
#define NO_USER roam_v1_ErrorCode_NO_SUCH_USER
#define FORBIDDEN roam_v1_ErrorCode_FORBIDDEN
#define MUTED roam_v1_ErrorCode_MUTED
#define FULL roam_v1_ErrorCode_GROUP_FULL
#define REUSED roam_v1_ErrorCode_ID_REUSED

#define PARTY_USERS_MAX 64u

/* All are logged in; the group is alice's. */
struct party {
    struct roam_identity alice, bob, carol, dave;
    char group[ROAM_CONVERSATION_MAX + 1];
    uint64_t created; /* msg_id */
    uint64_t last_id; /* of client_msg_ids */
};

/* What came of a SEND. */
struct party_outcome {
    enum roam_send_result result;
    uint32_t error;
    uint64_t msg_id;
    size_t count;
    int64_t users[PARTY_USERS_MAX]; /* who got the entry */
    char made[ROAM_CONVERSATION_MAX + 1];
};

/* -------------------------------------------------------------- what is done
 */

/* A group of alice's with bob in it; carol and dave are strangers. */
struct party party_gather(uint32_t join);

struct party_outcome party_outcome_of(struct roam_store_request *req);
/* An operation that names nobody, or one. */
struct party_outcome party_operate(struct party *p,
                                   const struct roam_identity *who,
                                   const char *to,
                                   const struct roam_operation *op,
                                   const char *user);
/* A change of the party's group that names nobody, or one. */
struct party_outcome party_change(struct party *p,
                                  const struct roam_identity *who,
                                  uint32_t action, const char *user);
/* The same where it must be stored; returns its msg_id. */
uint64_t party_must(struct party *p, const struct roam_identity *who,
                    uint32_t action, const char *user);
/* The same where it must be refused. */
void party_must_fail(struct party *p, const struct roam_identity *who,
                     uint32_t action, const char *user, uint32_t error);

/* A message in the group. */
struct party_outcome party_say(struct party *p, const struct roam_identity *who,
                               const char *text);
uint64_t party_must_say(struct party *p, const struct roam_identity *who,
                        const char *text);
/* RECALL, DELETE or READ of a target. */
struct party_outcome party_aim(struct party *p, const struct roam_identity *who,
                               uint32_t kind, uint64_t target);

/* Whether it went to that user, once. */
bool party_got(const struct party_outcome *out,
               const struct roam_identity *who);

/* -------------------------------------------------------------- what is read
 */

/* The msg_ids of a history, at most 16, and how many; -1: there is none. */
int party_history(const struct party *p, const struct roam_identity *who,
                  uint64_t before, uint64_t after, uint32_t max_count,
                  uint64_t ids[16]);
int party_whole_history(const struct party *p, const struct roam_identity *who,
                        uint64_t ids[16]);
struct roam_store_request *party_members(const struct party *p,
                                         const struct roam_identity *who,
                                         const char *after, uint32_t max_count);
/* The row of the group in CONVERSATIONS, where nothing below oldest counts;
 * *found false: there is none. */
struct roam_entry party_conversation_since(const struct party *p,
                                           const struct roam_identity *who,
                                           uint64_t oldest, bool *found);
struct roam_entry party_conversation(const struct party *p,
                                     const struct roam_identity *who,
                                     bool *found);

#endif
