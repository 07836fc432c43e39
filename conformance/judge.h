/* SPDX-License-Identifier: Apache-2.0 */
/* The judges: what must hold on every connection of every case, whatever
 * the scenario is about. They see each frame as it is sent and received,
 * keep their own view of the protocol's state, and note a failure under the
 * rule that is broken.
 *
 * A judge never guesses about what is still under way: where the order of
 * two events at the server is unknown to an observer, both are legal. */
#ifndef CONFORM_JUDGE_H
#define CONFORM_JUDGE_H

#include "world.h"

/* A frame is about to leave. m is what it was before any edit. */
void judge_sent(struct world *w, struct link *l, const struct frame_type *type,
                const ProtobufCMessage *m, bool is_fence);
/* Is it the answer to a PING of the harness's own? */
bool judge_is_fence(const struct link *l, const struct frame *f);
/* A frame came. Puts it into its lane, or its entries into the rows. */
bool judge_received(struct world *w, struct link *l, struct frame *f);
/* The peer ended the connection. */
void judge_closed(struct world *w, struct link *l);
/* What can be said only when nothing is under way any more: every message
 * that was answered is on both timelines, with the content that was sent. */
bool judge_finish(struct world *w);

/* Parts of judge_received() in judge_entries.c and judge_commands.c. */
bool judge_delivery(struct world *w, struct link *l, struct frame *f);
bool judge_send_ok(struct world *w, struct link *l, struct frame *f);
bool judge_error(struct world *w, struct link *l, struct frame *f);
bool judge_pong(struct world *w, struct link *l, struct frame *f,
                bool *is_fence);
void judge_note_send(struct world *w, struct link *l, const Roam__V1__Send *m);
/* The highest version of a user's timeline whose SEND_OK has come. */
uint64_t judge_answered_head(const struct world *w, const struct user *u);
void judge_note_ack(struct link *l, uint64_t version);
struct sent *judge_find_sent(struct world *w, const struct link *l,
                             uint64_t client_msg_id);
/* The conversation of a stored SEND as u sees it; NULL: not u's. */
const char *judge_seen_as(const struct sent *s, const struct user *u);
/* Is an entry of that kind its sender's alone? */
bool judge_is_private(uint64_t kind);
/* Was it answered with the operation that stands, and changed nothing? */
bool judge_stands(const struct sent *s);
/* The msg_id that an operation's body names; 0: none. */
uint64_t judge_target(uint64_t kind, const ProtobufCBinaryData *body);
/* Has a newer READ taken this one's place? `before` as below. [OP-5] */
bool judge_was_replaced(const struct world *w, const struct user *u,
                        const Roam__V1__Push *read, uint64_t before);
/* Is there a row of history for an entry of that kind? */
bool judge_is_row(uint64_t kind);
/* RECALLs of that message, sent by anybody; answered before the event
 * `before`, if it is not 0. [OP-3] */
bool judge_was_recalled(const struct world *w, const struct user *u,
                        const Roam__V1__Push *message, uint64_t before);
/* The content and the audience of an entry or a row, whose delivery or page
 * was asked for at event `asked`. */
bool judge_operation(struct world *w, const struct user *u,
                     const Roam__V1__Push *p, uint64_t asked, struct frame *f);
/* The same message, where neither has a cut or an erased body? */
bool judge_same_message(const Roam__V1__Push *a, const Roam__V1__Push *b);
void judge_add_item(struct link *l, struct frame *f, enum lane lane);

/* The command that left at `order` was answered. What left before it and has
 * no answer was unanswered with it: [SEND-11]. */
bool judge_overtaken(struct world *w, const struct link *l, uint64_t order,
                     struct frame *f);

/* SESSIONS and END_SESSION: one was sent; the unanswered one of that ref (of
 * either kind when number is 0), or NULL; its answer or ERROR came. */
void judge_note_question(struct world *w, struct link *l, uint8_t number,
                         const ProtobufCMessage *m);
struct page_sent *judge_find_question(struct world *w, const struct link *l,
                                      uint8_t number, uint64_t ref);
bool judge_question_answer(struct world *w, struct link *l, struct frame *f);
bool judge_question_error(struct world *w, struct link *l, struct page_sent *p,
                          struct frame *f);

/* A LOGIN was sent; an entry of kind DEVICE came; at the end, how many of them
 * a user was told. */
void judge_note_caller(struct world *w, const struct link *l,
                       const Roam__V1__Login *m);
bool judge_news(struct world *w, const struct user *u, const Roam__V1__Push *p,
                struct frame *f);
bool judge_news_count(struct world *w, const struct user *u);

/* Pages of history, in judge_pages.c. */
void judge_note_page(struct world *w, struct link *l, bool is_list,
                     const ProtobufCMessage *m);
bool judge_page(struct world *w, struct link *l, struct frame *f);
/* The unanswered request that an ERROR may be for; NULL: there is none. */
struct page_sent *judge_find_page(struct world *w, const struct link *l,
                                  bool is_list, uint64_t ref);
/* This connection was told of a message. */
void judge_tell(struct link *l, const char *conversation, uint64_t msg_id,
                uint64_t kind);
/* A PONG's head against what pages told before its PING, l->pings[ping]. */
bool judge_page_pong(struct world *w, const struct link *l, size_t ping,
                     struct frame *f);
/* Part of judge_finish(): every row is a message that somebody sent. */
bool judge_page_rows(struct world *w);

/* In judge_past.c: the store is copied; the copy is put back; an entry that
 * has the version of one that was lost by that. */
void judge_backup(struct world *w);
void judge_restored(struct world *w);
bool judge_never_reused(struct world *w, const struct user *u,
                        const Roam__V1__Push *p, struct frame *f);

/* The judges' list, for `explain`: rule ids and what is looked at. */
struct judge_rule {
    const char *rule;
    const char *what;
};
extern const struct judge_rule judge_rules[];
extern const size_t judge_rule_count;

/* ------------------------------------------------------- judge_groups.c */

#define GROUP_USERS_MAX 64u

/* A group as the judge's own model has it. */
struct group {
    const char *id;
    Roam__V1__JoinMode join;
    uint8_t roles[GROUP_USERS_MAX]; /* by struct user's index: Role */
    bool is_vague;                  /* a change of it is unanswered */
};

/* Does it begin as a group's id? */
bool judge_is_group(const char *conversation);
/* A SEND was stored; made: the group that it made, or empty. */
void judge_note_group(struct world *w, struct sent *s, const char *made);
/* The group, if the SEND's entry may be on u's timeline; NULL: it may not. */
const char *judge_seen_in_group(const struct sent *s, const struct user *u);
/* Must the entry be on u's timeline, as far as its group says? */
bool judge_must_see(const struct sent *s, const struct user *u);
/* Is a row of which u was told not to be seen in u's history, or not for sure:
 * for it is old, or of a group and not for u? */
bool judge_row_is_hidden(const struct world *w, const struct user *u,
                         const char *conversation, uint64_t msg_id);
/* A row of a page, if it is one of a group. */
bool judge_group_row(struct world *w, const struct user *u,
                     const Roam__V1__Push *row, struct frame *f);
/* At the end: nothing of a group is on the timeline of others. */
bool judge_group_entries(struct world *w, const struct user *u);

void judge_note_members(struct world *w, struct link *l,
                        const Roam__V1__Members *m);
bool judge_member_page(struct world *w, struct link *l, struct frame *f);
/* *taken: it answers a MEMBERS. */
bool judge_members_error(struct world *w, struct link *l,
                         const Roam__V1__Error *e, struct frame *f,
                         bool *taken);

#endif
