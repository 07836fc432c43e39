/* SPDX-License-Identifier: Apache-2.0 */
/* History and the list of conversations. */
#include <inttypes.h>
#include <unistd.h>

#include "roam_limits.h"
#include "show_inside.h"

static void json_hole(struct roam_text *t, const struct roam_show *out,
                      const struct roam_local_row *row)
{
    roam__show_begin(t, out, "hole");
    if (row->conversation.len) {
        roam_text_add_json_bytes(t, "conversation", row->conversation);
    }
    roam_text_add_json_u64(t, "time_ms", row->time_ms);
}

/* The members that a row of history and one of the list have in common. */
static void add_row(struct roam_text *t, const struct roam_local_row *row)
{
    const struct roam__parties p = roam__show_parties_of_row(row);
    const struct roam_content c = roam__show_content_of_row(row);
    roam_text_add_json_u64(t, "msg_id", row->msg_id);
    roam_text_add_json_u64(t, "time_ms", row->time_ms);
    roam__show_add_parties(t, &p);
    roam_content_json(t, &c);
}

static void json_row(const struct roam_show *out,
                     const struct roam_local_row *row)
{
    struct roam_text t = {0};
    if (row->hole) {
        json_hole(&t, out, row);
    } else {
        roam__show_begin(&t, out, roam_kind_event(row->kind));
        add_row(&t, row);
    }
    roam__show_end(&t);
}

static void say_row(struct roam_text *t, const struct roam_show *out,
                    const struct roam_local_row *row)
{
    const struct roam__parties p = roam__show_parties_of_row(row);
    const struct roam_content c = roam__show_content_of_row(row);
    roam__show_say_time(t, row->time_ms);
    roam_text_printf(t, " ");
    roam__show_say_msg_id(t, out, row->msg_id);
    roam__show_say_parties(t, out, &p);
    roam_content_say(t, &c);
}

static void say_hole(struct roam_text *t, const struct roam_local_row *row)
{
    roam_text_printf(t, "-- messages may be missing here");
    if (row->conversation.len) {
        roam_text_printf(t, " with ");
        roam_text_add_visible(t, row->conversation);
    }
    roam_text_printf(t, " --");
}

void roam_show_row(const struct roam_show *out,
                   const struct roam_local_row *row)
{
    struct roam_text t = {0};
    if (out->options->json) {
        json_row(out, row);
        return;
    }
    if (row->hole) {
        say_hole(&t, row);
    } else {
        say_row(&t, out, row);
    }
    roam_text_printf(&t, "\n");
    roam__show_emit(&t, STDOUT_FILENO);
}

/* ---------------------------------------------------------- conversations */

static bool is_group(const struct roam_local_row *row)
{
    return row->conversation.len > 0 && row->conversation.data[0] == '#';
}

static void json_conversation(const struct roam_show *out,
                              const struct roam_local_row *row)
{
    struct roam_text t = {0};
    roam__show_begin(&t, out, "conversation");
    roam_text_add_json_bool(&t, "hole", row->hole);
    roam_text_add_json_text(&t, "newest", roam_kind_event(row->kind));
    add_row(&t, row);
    roam_text_add_json_u64(&t, "read_mark", row->read_mark);
    roam_text_add_json_u32(&t, "unread", row->unread);
    roam_text_add_json_bool(&t, "unread_open", row->unread_open);
    if (is_group(row)) {
        roam_text_add_json_text(&t, "role", roam_role_name(row->role));
    }
    roam__show_end(&t);
}

static void say_state(struct roam_text *t, const struct roam_local_row *row)
{
    if (row->unread) {
        bool least = row->unread_open || row->unread >= ROAM_UNREAD_MAX;
        roam_text_printf(t, " (%" PRIu32 "%s unread)", row->unread,
                         least ? " or more" : "");
    }
    if (is_group(row)) {
        roam_text_printf(t, " (%s)",
                         row->role == ROAM_ROLE_NONE
                             ? "not a member"
                             : roam_role_name(row->role));
    }
}

void roam_show_conversation(const struct roam_show *out,
                            const struct roam_local_row *row)
{
    struct roam_text t = {0};
    if (out->options->json) {
        json_conversation(out, row);
        return;
    }
    say_row(&t, out, row);
    say_state(&t, row);
    roam_text_printf(&t, "%s\n",
                     row->hole ? " (older messages are missing)" : "");
    roam__show_emit(&t, STDOUT_FILENO);
}
