/* SPDX-License-Identifier: Apache-2.0 */
/* A SEND on its way into the tables: what a message, an operation and a
 * change of a group have in common; and the news of a device, which no client
 * sent. Inside server/store/ only.
 *
 * The order is: look for an earlier SEND of the same id, judge, roam_post_add()
 * for the row, roam_post_prepare() for the memory of the answer, then one
 * roam_post_deliver() for each timeline, and for a row that not all parties
 * see one roam_post_show() for each who does. The common case, a message
 * between two users, is not looked for: its INSERT finds the earlier one.
 *
 * A function here that returns false has met an SQLite error, or an empty
 * heap; refusals are results. */
#ifndef ROAM_POST_H
#define ROAM_POST_H

#include "writer.h"

/* What the out-slices of the SEND point into. */
struct roam_post_texts {
    char sender[ROAM_USER_MAX];
    char sender_name[ROAM_NAME_MAX];
    char name[ROAM_NAME_MAX]; /* the receiver's, or the group's */
    char made[ROAM_CONVERSATION_MAX];
};

struct roam_post {
    struct roam_store_request *req;
    struct roam_store_send *send; /* in req */
    int64_t receiver;             /* a user, or minus a group's number */
    uint32_t part;                /* enum roam_db_part */
    int64_t row;                  /* of the message, once added */
    struct roam_slice receiver_name;
    const struct roam_group_row *group; /* to a group: as it stands then */
    bool has_made;                      /* a group: */
    char made[ROAM_GROUP_ID_BYTES];     /* its id */
};

/* Is it CREATE, sent to where it goes? */
bool roam_post_is_create(const struct roam_store_send *send);
/* Did this user send something under this id before? Then the answer is set,
 * and nothing more is to be done. */
bool roam_post_find_earlier(struct roam_writer *w, struct roam_post *post,
                            bool *found);
/* The answer is an ERROR. Always true. */
bool roam_post_refuse(struct roam_post *post, uint32_t error);
/* Nothing changes: the operation with that msg_id stands. Always true. */
bool roam_post_stands(struct roam_post *post, uint64_t msg_id);

/* Writes the row, with the next msg_id. *added false: the client_msg_id was
 * used before. */
bool roam_post_add(struct roam_writer *w, struct roam_post *post, bool *added);
/* Memory for the answer, and the sender's names in it. */
bool roam_post_prepare(struct roam_writer *w, struct roam_post *post);
/* Puts the entry on a timeline. Both slices as struct roam_delivery has
 * them. */
bool roam_post_deliver(struct roam_writer *w, struct roam_post *post,
                       int64_t user, struct roam_slice conversation,
                       struct roam_slice conversation_name);
/* The same for the sender, or for all parties of the conversation. */
bool roam_post_deliver_own(struct roam_writer *w, struct roam_post *post);
/* One of a group's. */
bool roam_post_deliver_group(struct roam_writer *w, struct roam_post *post,
                             int64_t user);
bool roam_post_deliver_all(struct roam_writer *w, struct roam_post *post);
/* To all members of a group. */
bool roam_post_deliver_members(struct roam_writer *w, struct roam_post *post);
/* Puts the row, of ROAM_PART_PRIVATE, into the history of one user. */
bool roam_post_show(struct roam_writer *w, struct roam_post *post,
                    int64_t user);

/* ------------------------------------------------- write_operation.c */

/* RECALL, DELETE and READ, where no fault was found yet; post->receiver is
 * set. */
bool roam_write_operation(struct roam_writer *w, struct roam_post *post);

/* ----------------------------------- write_group.c, write_change.c */

/* A SEND to what begins as a group's id does. */
bool roam_write_to_group(struct roam_writer *w, struct roam_post *post);
/* A change of a group, or CREATE, that was not sent before. */
bool roam_write_change(struct roam_writer *w, struct roam_post *post);

/* --------------------------------------------------- write_policy.c */

/* Is the receiver, a user, against an entry of that kind from the sender?
 * kind: MESSAGE, APP, or GROUP for an invitation. */
bool roam_policy_refuses(struct roam_writer *w, int64_t sender,
                         int64_t receiver, uint32_t kind, bool *refused);

#endif
