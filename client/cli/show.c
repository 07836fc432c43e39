/* SPDX-License-Identifier: Apache-2.0 */
/* Showing events; what the other files share. */
#include "show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exit_codes.h"
#include "show_inside.h"

struct roam__parties roam__show_parties_of_entry(
    const struct roam_entry_event *e)
{
    const struct roam__parties p = {e->conversation, e->sender,
                                    e->conversation_name, e->sender_name};
    return p;
}

struct roam__parties roam__show_parties_of_row(const struct roam_local_row *row)
{
    const struct roam__parties p = {row->conversation, row->sender,
                                    row->conversation_name, row->sender_name};
    return p;
}

struct roam_content roam__show_content_of_entry(
    const struct roam_entry_event *e)
{
    const struct roam_content c = {e->kind, e->recalled, e->content_type,
                                   e->body, e->cut_size};
    return c;
}

struct roam_content roam__show_content_of_row(const struct roam_local_row *row)
{
    const struct roam_content c = {row->kind, row->recalled, row->content_type,
                                   row->body, row->cut_size};
    return c;
}

void roam__show_emit(struct roam_text *t, int fd)
{
    if (fd != STDOUT_FILENO) {
        (void)roam_text_write(t, fd);
    } else if (!roam_text_print(t)) {
        exit(ROAM_EXIT_FAILED);
    }
    roam_text_free(t);
}

void roam__show_begin(struct roam_text *t, const struct roam_show *out,
                      const char *event)
{
    char device[96];
    snprintf(device, sizeof device, "%s/%s", out->options->user,
             roam_device_type_name(out->options->device_type));
    roam_text_add(t, "{", 1);
    roam_text_add_json_text(t, "device", device);
    if (out->device_name) {
        roam_text_add_json_text(t, "device_name", out->device_name);
    }
    roam_text_add_json_text(t, "event", event);
}

void roam__show_end(struct roam_text *t)
{
    roam_text_add(t, "}\n", 2);
    roam__show_emit(t, STDOUT_FILENO);
}

/* Names are told where there are some. */
void roam__show_add_person(struct roam_text *t, const char *member,
                           const char *name_member, struct roam_bytes id,
                           struct roam_bytes name)
{
    roam_text_add_json_bytes(t, member, id);
    if (name.len) {
        roam_text_add_json_bytes(t, name_member, name);
    }
}

void roam__show_add_parties(struct roam_text *t, const struct roam__parties *p)
{
    roam__show_add_person(t, "conversation", "conversation_name",
                          p->conversation, p->conversation_name);
    roam__show_add_person(t, "sender", "sender_name", p->sender,
                          p->sender_name);
}

void roam__show_say_time(struct roam_text *t, uint64_t unix_ms)
{
    char text[32];
    struct tm local;
    time_t seconds = (time_t)(unix_ms / 1000);
    if (localtime_r(&seconds, &local) &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local)) {
        roam_text_printf(t, "%s", text);
    }
}

static bool is_own(const struct roam_show *out, struct roam_bytes sender)
{
    return sender.len == strlen(out->options->user) &&
           memcmp(sender.data, out->options->user, sender.len) == 0;
}

void roam__show_say_msg_id(struct roam_text *t, const struct roam_show *out,
                           uint64_t msg_id)
{
    if (out->options->ids) {
        roam_text_printf(t, "%" PRIu64 " ", msg_id);
    }
}

/* "Bob <bob>", or "bob" when there is no name. */
void roam__show_say_id(struct roam_text *t, struct roam_bytes id,
                       struct roam_bytes name)
{
    if (name.len) {
        roam_text_add_visible(t, name);
        roam_text_printf(t, " <");
    }
    roam_text_add_visible(t, id);
    roam_text_printf(t, "%s", name.len ? ">" : "");
}

/* "bob: hello", "bob in #walks: hello", or "me -> bob: hello" for what this
 * user sent. */
void roam__show_say_parties(struct roam_text *t, const struct roam_show *out,
                            const struct roam__parties *p)
{
    bool group = p->conversation.len && p->conversation.data[0] == '#';
    bool own = is_own(out, p->sender);
    if (own) {
        roam_text_printf(t, "me -> ");
    } else {
        roam__show_say_id(t, p->sender, p->sender_name);
        roam_text_printf(t, "%s", group ? " in " : "");
    }
    if (own || group) {
        roam__show_say_id(t, p->conversation, p->conversation_name);
    }
    roam_text_printf(t, ": ");
}

/* ------------------------------------------------------------------- public */

void roam_show_event(const struct roam_show *out,
                     const struct roam_posix_event *event)
{
    if (out->options->json) {
        roam__show_json_event(out, event);
    } else {
        roam__show_text_event(out, event);
    }
}

void roam_show_stats(const struct roam_show *out,
                     const struct roam_posix_stats *s)
{
    struct roam_text t = {0};
    if (!out->options->json) {
        fprintf(stderr,
                "-- received %" PRIu64 " bytes: %" PRIu64 " pushes of %" PRIu64
                " bytes, %" PRIu64 " batches of %" PRIu64 " bytes with %" PRIu64
                " entries (%" PRIu64 " bytes as pushes)\n",
                s->bytes_received, s->push_frames, s->push_bytes,
                s->batch_frames, s->batch_bytes, s->batch_entries,
                s->batch_as_push_bytes);
        return;
    }
    roam__show_begin(&t, out, "stats");
    roam_text_add_json_u64(&t, "connections", s->connections);
    roam_text_add_json_u64(&t, "bytes_received", s->bytes_received);
    roam_text_add_json_u64(&t, "push_frames", s->push_frames);
    roam_text_add_json_u64(&t, "push_bytes", s->push_bytes);
    roam_text_add_json_u64(&t, "batch_frames", s->batch_frames);
    roam_text_add_json_u64(&t, "batch_bytes", s->batch_bytes);
    roam_text_add_json_u64(&t, "batch_entries", s->batch_entries);
    roam_text_add_json_u64(&t, "batch_as_push_bytes", s->batch_as_push_bytes);
    roam_text_add_json_u64(&t, "batch_body_bytes", s->batch_body_bytes);
    roam__show_end(&t);
}
