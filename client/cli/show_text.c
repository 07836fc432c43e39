/* SPDX-License-Identifier: Apache-2.0 */
/* Events as text. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "show_inside.h"

static struct roam_bytes bytes_of(const char *text)
{
    struct roam_bytes b = {(const uint8_t *)text, strlen(text)};
    return b;
}

static void say_holder(struct roam_text *t, const struct roam_holder *h)
{
    if (h->device_type) {
        roam_text_printf(t, " \"");
        roam_text_add_visible(t, bytes_of(h->device_name));
        roam_text_printf(t, "\" has it since ");
        roam__show_say_time(t, h->since_ms);
    }
}

static void text_entry(const struct roam_show *out,
                       const struct roam_entry_event *e)
{
    struct roam_text t = {0};
    if (e->kind == ROAM_KIND_NOOP || e->kind > ROAM_KIND_DEVICE || out->quiet) {
        return;
    }
    const struct roam__parties p = roam__show_parties_of_entry(e);
    const struct roam_content c = roam__show_content_of_entry(e);
    roam__show_say_msg_id(&t, out, e->msg_id);
    if (e->kind != ROAM_KIND_DEVICE) { /* news of no conversation */
        roam__show_say_parties(&t, out, &p);
    }
    roam_content_say(&t, &c);
    roam_text_printf(&t, "\n");
    roam__show_emit(&t, STDOUT_FILENO);
}

static void say_kicked(struct roam_text *t, const struct roam_event *e)
{
    roam_text_printf(t, "-- kicked: %s.", roam_kick_name(e->u.kicked.reason));
    say_holder(t, &e->u.kicked.holder);
    if (e->u.kicked.detail[0]) {
        roam_text_printf(t, " (");
        roam_text_add_visible(t, bytes_of(e->u.kicked.detail));
        roam_text_printf(t, ")");
    }
}

static void say_failed(struct roam_text *t,
                       const struct roam_posix_event *event)
{
    roam_text_printf(t, "-- not sent to ");
    roam_text_add_visible(t, event->message.conversation);
    roam_text_printf(
        t, " (%s): ", roam_send_error_name(event->u.engine.u.send_failed.code));
    const struct roam_content c = {.kind = event->message.kind,
                                   .content_type = event->message.content_type,
                                   .body = event->message.body};
    roam_content_say(t, &c);
}

static void text_member(const struct roam_event *e)
{
    struct roam_text t = {0};
    roam__show_say_id(&t, e->u.member.user, e->u.member.name);
    roam_text_printf(&t, ": %s%s\n", roam_role_name(e->u.member.role),
                     e->u.member.muted ? ", muted" : "");
    roam__show_emit(&t, STDOUT_FILENO);
}

static void text_session(const struct roam_event *e)
{
    struct roam_text t = {0};
    const char *type = roam_device_type_name(e->u.session.device_type);
    roam_text_printf(&t, "%s \"", type ? type : "?");
    roam_text_add_visible(&t, e->u.session.device_name);
    roam_text_printf(&t, "\"");
    if (e->u.session.software.len) {
        roam_text_printf(&t, ", ");
        roam_text_add_visible(&t, e->u.session.software);
    }
    roam_text_printf(&t, ", generation %" PRIu64 ", since ",
                     e->u.session.generation);
    roam__show_say_time(&t, e->u.session.since_ms);
    if (e->u.session.self) {
        roam_text_printf(&t, ", this one");
    } else if (e->u.session.online) {
        roam_text_printf(&t, ", online");
    } else {
        roam_text_printf(&t, ", last seen ");
        roam__show_say_time(&t, e->u.session.last_seen_ms);
    }
    roam_text_printf(&t, "\n");
    roam__show_emit(&t, STDOUT_FILENO);
}

static void say_page_end(struct roam_text *t, const struct roam_event *e)
{
    if (e->u.page_end.join == 0) {
        return;
    }
    roam_text_printf(t, "-- \"");
    roam_text_add_visible(t, e->u.page_end.name);
    roam_text_printf(t, "\": %" PRIu32 " members, join: %s%s",
                     e->u.page_end.member_count,
                     roam_join_name(e->u.page_end.join),
                     e->u.page_end.muted ? ", muted" : "");
}

static void text_protocol(const struct roam_show *out,
                          const struct roam_posix_event *event)
{
    struct roam_text t = {0};
    const struct roam_event *e = &event->u.engine;
    switch (e->type) {
    case ROAM_EVENT_ENTRY:
        text_entry(out, &e->u.entry);
        return;
    case ROAM_EVENT_LOGGED_IN:
        if (!out->quiet) {
            roam_text_printf(&t, "-- logged in as %s, %s", out->options->user,
                             roam_device_type_name(out->options->device_type));
        }
        break;
    case ROAM_EVENT_REFUSED:
        roam_text_printf(&t, "-- refused: %s.",
                         roam_refused_name(e->u.refused.reason));
        say_holder(&t, &e->u.refused.holder);
        break;
    case ROAM_EVENT_RESET:
        roam_text_printf(&t, "-- older messages are missing on this device");
        break;
    case ROAM_EVENT_KICKED:
        if (!out->quiet || e->u.kicked.reason != ROAM_KICK_LOGGED_OUT) {
            say_kicked(&t, e);
        }
        break;
    case ROAM_EVENT_SEND_FAILED:
        say_failed(&t, event);
        break;
    case ROAM_EVENT_MEMBER:
        text_member(e);
        return;
    case ROAM_EVENT_SESSION:
        text_session(e);
        return;
    case ROAM_EVENT_PAGE_END:
        say_page_end(&t, e);
        break;
    case ROAM_EVENT_PAGE_FAILED:
        roam_text_printf(&t, "-- the server says no: %s",
                         roam_send_error_name(e->u.page_failed.code));
        break;
    case ROAM_EVENT_SENT: /* it stands there already */
    case ROAM_EVENT_SYNCED:
    case ROAM_EVENT_NONE:
    case ROAM_EVENT_PAGE_ROW:
    case ROAM_EVENT_CLOSE:
        break;
    }
    if (t.len) {
        roam_text_printf(&t, "\n");
    }
    roam__show_emit(&t, STDERR_FILENO);
}

static void text_disconnected(const struct roam_show *out,
                              const struct roam_posix_event *event)
{
    struct roam_text t = {0};
    if (event->u.disconnected.status == ROAM_POSIX_STATUS_OK &&
        (out->quiet || !event->u.disconnected.reconnect)) {
        return;
    }
    roam_text_printf(&t, "-- %s",
                     roam_posix_status_text(event->u.disconnected.status));
    if (event->u.disconnected.detail[0]) {
        roam_text_printf(&t, ": ");
        roam_text_add_visible(&t, bytes_of(event->u.disconnected.detail));
    }
    if (event->u.disconnected.reconnect) {
        roam_text_printf(&t, "; again in %.1f s",
                         (double)event->u.disconnected.reconnect_in_ms / 1000);
    }
    roam_text_printf(&t, "\n");
    roam__show_emit(&t, STDERR_FILENO);
}

static void text_holes(const struct roam_show *out,
                       const struct roam_posix_event *event)
{
    if (!out->quiet && event->u.holes.count > 0) {
        fprintf(stderr, "-- history is missing in %" PRIu64 " places\n",
                event->u.holes.count);
    }
}

/* Page by page would be too much for a person. */
static void text_filled(const struct roam_show *out,
                        const struct roam_posix_event *event)
{
    struct roam_text t = {0};
    if (event->u.filled.code) {
        roam_text_printf(&t, "-- no history of ");
    } else if (event->u.filled.done && !out->quiet) {
        roam_text_printf(&t, "-- history is complete with ");
    } else {
        return;
    }
    roam_text_add_visible(&t, event->message.conversation);
    if (event->u.filled.code) {
        roam_text_printf(&t, " (%s)",
                         roam_send_error_name(event->u.filled.code));
    }
    roam_text_printf(&t, "\n");
    roam__show_emit(&t, STDERR_FILENO);
}

void roam__show_text_event(const struct roam_show *out,
                           const struct roam_posix_event *event)
{
    switch (event->type) {
    case ROAM_POSIX_CONNECTED:
        break;
    case ROAM_POSIX_PROTOCOL:
        text_protocol(out, event);
        break;
    case ROAM_POSIX_NEW_DEVICE:
        fputs("-- this state was a copy; it is a new device now\n", stderr);
        break;
    case ROAM_POSIX_HOLES:
        text_holes(out, event);
        break;
    case ROAM_POSIX_FILLED:
        text_filled(out, event);
        break;
    case ROAM_POSIX_DISCONNECTED:
        text_disconnected(out, event);
        break;
    }
}
