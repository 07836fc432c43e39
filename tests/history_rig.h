/* SPDX-License-Identifier: Apache-2.0 */
/* local_rig.h's store with history that is missing: messages of others and of
 * this device, RESETs, the survey behind them, and the holes that are left. A
 * message's body is its conversation and its msg_id: "bob5". */
#ifndef HISTORY_RIG_H
#define HISTORY_RIG_H

#include "local_rig.h"

/* From the other party of a conversation of two. */
struct roam_entry_event rig_message(const char *conversation, uint64_t msg_id);
/* It is the next entry of the chain. */
void rig_arrive(struct roam_local *l, const char *conversation,
                uint64_t msg_id);

/* A message goes out that the server will store, or has stored, under this
 * msg_id; its client_msg_id is the same number. */
void rig_post(struct roam_local *l, const char *conversation, uint64_t msg_id);
void rig_sent_as(struct roam_local *l, uint64_t client_msg_id, uint64_t msg_id);
void rig_sent(struct roam_local *l, uint64_t msg_id);

void rig_reset(struct roam_local *l, uint64_t head);
void rig_survey_row(struct roam_local *l, const char *conversation,
                    uint64_t msg_id);
void rig_survey_page(struct roam_local *l, uint64_t before);
void rig_end_survey(struct roam_local *l);
/* Where the survey goes on, as whoever asks for its next page learns it;
 * UINT64_MAX: none is due. */
uint64_t rig_ask_survey(struct roam_local *l);

/* Commits. All holes must be these: "bob 3..9", 0 for an open end. */
void rig_assert_holes(struct roam_local *l, const char *expected);
/* All bodies in one string, "|" behind each, HOLE for a hole. NULL: of all
 * conversations. */
const char *rig_bodies(struct roam_local *l, const char *conversation);
uint64_t rig_message_count(struct roam_local *l);

#endif
