/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that show things share: show.c (events, figures),
 * show_json.c, show_text.c, and show_rows.c (what is stored). */
#ifndef ROAM_CLI_SHOW_INSIDE_H
#define ROAM_CLI_SHOW_INSIDE_H

#include "content.h"
#include "show.h"
#include "text.h"

/* Whose it is, where. */
struct roam__parties {
    struct roam_bytes conversation, sender;
    struct roam_bytes conversation_name, sender_name;
};

struct roam__parties roam__show_parties_of_entry(
    const struct roam_entry_event *e);
struct roam__parties roam__show_parties_of_row(
    const struct roam_local_row *row);
struct roam_content roam__show_content_of_entry(
    const struct roam_entry_event *e);
struct roam_content roam__show_content_of_row(const struct roam_local_row *row);

/* Writes *t and empties it. Ends the program with EXIT_FAILED when that is
 * standard output, and cannot be written. */
void roam__show_emit(struct roam_text *t, int fd);

/* Around the members of one JSON object, a line on standard output. */
void roam__show_begin(struct roam_text *t, const struct roam_show *out,
                      const char *event);
void roam__show_end(struct roam_text *t);

/* An id, and the name that people know it by, if there is one. */
void roam__show_add_person(struct roam_text *t, const char *member,
                           const char *name_member, struct roam_bytes id,
                           struct roam_bytes name);
void roam__show_add_parties(struct roam_text *t, const struct roam__parties *p);

/* The same for people; see the functions. */
void roam__show_say_time(struct roam_text *t, uint64_t unix_ms);
void roam__show_say_msg_id(struct roam_text *t, const struct roam_show *out,
                           uint64_t msg_id); /* with --ids */
void roam__show_say_id(struct roam_text *t, struct roam_bytes id,
                       struct roam_bytes name);
void roam__show_say_parties(struct roam_text *t, const struct roam_show *out,
                            const struct roam__parties *p);

void roam__show_json_event(const struct roam_show *out,
                           const struct roam_posix_event *event);
void roam__show_text_event(const struct roam_show *out,
                           const struct roam_posix_event *event);

#endif
