/* SPDX-License-Identifier: Apache-2.0 */
/* Events as JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "show_inside.h"

static void add_holder(struct roam_text *t, const struct roam_holder *h)
{
    const char *type = roam_device_type_name(h->device_type);
    if (!type) {
        return;
    }
    roam_text_printf(t, ",\"holder\":{");
    roam_text_add_json_text(t, "device_type", type);
    roam_text_add_json_text(t, "device_name", h->device_name);
    roam_text_add_json_u64(t, "since_ms", h->since_ms);
    roam_text_add(t, "}", 1);
}

static void add_client_msg_id(struct roam_text *t, uint64_t id)
{
    if (id) {
        char hex[17];
        snprintf(hex, sizeof hex, "%016" PRIx64, id);
        roam_text_add_json_text(t, "client_msg_id", hex);
    }
}

static void add_content(struct roam_text *t, uint32_t kind,
                        struct roam_bytes content_type, struct roam_bytes body)
{
    const struct roam_content c = {
        .kind = kind, .content_type = content_type, .body = body};
    roam_content_json(t, &c);
}

static void json_entry(struct roam_text *t, const struct roam_show *out,
                       const struct roam_entry_event *e)
{
    roam__show_begin(t, out, roam_kind_event(e->kind));
    roam_text_add_json_u64(t, "version", e->version);
    roam_text_add_json_u64(t, "prev_version", e->prev_version);
    roam_text_add_json_bool(t, "batched", e->batched);
    if (e->kind == ROAM_KIND_NOOP) {
        return;
    }
    if (e->kind > ROAM_KIND_DEVICE) {
        roam_text_add_json_u32(t, "kind", e->kind);
    }
    roam_text_add_json_u64(t, "msg_id", e->msg_id);
    roam_text_add_json_u64(t, "time_ms", e->time_ms);
    add_client_msg_id(t, e->client_msg_id);
    const struct roam__parties p = roam__show_parties_of_entry(e);
    const struct roam_content c = roam__show_content_of_entry(e);
    roam__show_add_parties(t, &p);
    roam_content_json(t, &c);
}

static void json_answer(struct roam_text *t, const struct roam_show *out,
                        const struct roam_posix_event *event)
{
    const struct roam_event *e = &event->u.engine;
    bool sent = e->type == ROAM_EVENT_SENT;
    roam__show_begin(t, out, sent ? "sent" : "send_failed");
    add_client_msg_id(t, event->message.client_msg_id);
    if (sent) {
        roam_text_add_json_u64(t, "msg_id", e->u.sent.msg_id);
        roam_text_add_json_bool(t, "duplicate", e->u.sent.duplicate);
    } else {
        roam_text_add_json_text(t, "error",
                                roam_send_error_name(e->u.send_failed.code));
    }
    if (event->message.kind != ROAM_KIND_MESSAGE) {
        roam_text_add_json_text(t, "kind",
                                roam_kind_event(event->message.kind));
    }
    roam_text_add_json_bytes(t, "conversation", event->message.conversation);
    add_content(t, event->message.kind, event->message.content_type,
                event->message.body);
}

static void json_kicked(struct roam_text *t, const struct roam_show *out,
                        const struct roam_event *e)
{
    roam__show_begin(t, out, "kicked");
    roam_text_add_json_text(t, "reason", roam_kick_name(e->u.kicked.reason));
    roam_text_add_json_text(t, "retry", roam_retry_name(e->u.kicked.retry));
    add_holder(t, &e->u.kicked.holder);
    if (e->u.kicked.reason == ROAM_KICK_PROTOCOL_ERROR) {
        roam_text_add_json_u32(t, "error", e->u.kicked.error);
    }
    if (e->u.kicked.detail[0]) {
        roam_text_add_json_text(t, "detail", e->u.kicked.detail);
    }
}

static void json_member(struct roam_text *t, const struct roam_show *out,
                        const struct roam_event *e)
{
    roam__show_begin(t, out, "member");
    roam__show_add_person(t, "user", "name", e->u.member.user,
                          e->u.member.name);
    roam_text_add_json_text(t, "role", roam_role_name(e->u.member.role));
    roam_text_add_json_bool(t, "muted", e->u.member.muted);
    roam_text_add_json_u64(t, "since_msg_id", e->u.member.since_msg_id);
}

static void json_session(struct roam_text *t, const struct roam_show *out,
                         const struct roam_event *e)
{
    const char *type = roam_device_type_name(e->u.session.device_type);
    roam__show_begin(t, out, "session");
    roam_text_add_json_text(t, "device_type", type ? type : "?");
    roam_text_add_json_bytes(t, "device_name", e->u.session.device_name);
    roam_text_add_json_bytes(t, "software", e->u.session.software);
    roam_text_add_json_u64(t, "since_ms", e->u.session.since_ms);
    roam_text_add_json_u64(t, "last_seen_ms", e->u.session.last_seen_ms);
    roam_text_add_json_bool(t, "online", e->u.session.online);
    roam_text_add_json_bool(t, "self", e->u.session.self);
    roam_text_add_json_u64(t, "generation", e->u.session.generation);
}

/* The end of members tells of the group, that of sessions nothing. */
static void json_page_end(struct roam_text *t, const struct roam_show *out,
                          const struct roam_event *e)
{
    if (e->u.page_end.join == 0) {
        roam__show_begin(t, out, "done");
        return;
    }
    roam__show_begin(t, out, "group_state");
    if (e->u.page_end.name.len) {
        roam_text_add_json_bytes(t, "name", e->u.page_end.name);
    }
    roam_text_add_json_text(t, "join", roam_join_name(e->u.page_end.join));
    roam_text_add_json_bool(t, "muted", e->u.page_end.muted);
    roam_text_add_json_u32(t, "members", e->u.page_end.member_count);
    roam_text_add_json_u64(t, "as_of", e->u.page_end.as_of);
}

static void json_protocol(struct roam_text *t, const struct roam_show *out,
                          const struct roam_posix_event *event)
{
    const struct roam_event *e = &event->u.engine;
    switch (e->type) {
    case ROAM_EVENT_LOGGED_IN:
        roam__show_begin(t, out, "logged_in");
        roam_text_add_json_u64(t, "generation", e->u.logged_in.generation);
        roam_text_add_json_u64(t, "head", e->u.logged_in.head);
        roam_text_add_json_u64(t, "floor", e->u.logged_in.floor);
        break;
    case ROAM_EVENT_REFUSED:
        roam__show_begin(t, out, "refused");
        roam_text_add_json_text(t, "reason",
                                roam_refused_name(e->u.refused.reason));
        roam_text_add_json_text(t, "retry",
                                roam_retry_name(e->u.refused.retry));
        roam_text_add_json_u64(t, "generation", e->u.refused.generation);
        add_holder(t, &e->u.refused.holder);
        break;
    case ROAM_EVENT_RESET:
        roam__show_begin(t, out, "reset");
        roam_text_add_json_text(t, "reason",
                                roam_reset_name(e->u.reset.reason));
        roam_text_add_json_u64(t, "head", e->u.reset.head);
        break;
    case ROAM_EVENT_ENTRY:
        json_entry(t, out, &e->u.entry);
        break;
    case ROAM_EVENT_SYNCED:
        roam__show_begin(t, out, "synced");
        roam_text_add_json_u64(t, "version", e->u.synced.version);
        break;
    case ROAM_EVENT_SENT:
    case ROAM_EVENT_SEND_FAILED:
        json_answer(t, out, event);
        break;
    case ROAM_EVENT_KICKED:
        json_kicked(t, out, e);
        break;
    case ROAM_EVENT_MEMBER:
        json_member(t, out, e);
        break;
    case ROAM_EVENT_SESSION:
        json_session(t, out, e);
        break;
    case ROAM_EVENT_PAGE_END:
        json_page_end(t, out, e);
        break;
    case ROAM_EVENT_PAGE_FAILED:
        roam__show_begin(t, out, "failed");
        roam_text_add_json_text(t, "error",
                                roam_send_error_name(e->u.page_failed.code));
        break;
    case ROAM_EVENT_NONE:
    case ROAM_EVENT_PAGE_ROW: /* the driver keeps this to itself */
    case ROAM_EVENT_CLOSE:
        break;
    }
}

static void json_filled(struct roam_text *t, const struct roam_show *out,
                        const struct roam_posix_event *event)
{
    roam__show_begin(t, out, "filled");
    roam_text_add_json_bytes(t, "conversation", event->message.conversation);
    roam_text_add_json_u32(t, "rows", event->u.filled.rows);
    roam_text_add_json_bool(t, "done", event->u.filled.done);
    if (event->u.filled.code) {
        roam_text_add_json_text(t, "error",
                                roam_send_error_name(event->u.filled.code));
    }
}

void roam__show_json_event(const struct roam_show *out,
                           const struct roam_posix_event *event)
{
    struct roam_text t = {0};
    switch (event->type) {
    case ROAM_POSIX_CONNECTED:
        roam__show_begin(&t, out, "connected");
        break;
    case ROAM_POSIX_PROTOCOL:
        json_protocol(&t, out, event);
        break;
    case ROAM_POSIX_NEW_DEVICE:
        roam__show_begin(&t, out, "new_device");
        break;
    case ROAM_POSIX_HOLES:
        roam__show_begin(&t, out, "holes");
        roam_text_add_json_u64(&t, "count", event->u.holes.count);
        break;
    case ROAM_POSIX_FILLED:
        json_filled(&t, out, event);
        break;
    case ROAM_POSIX_DISCONNECTED:
        roam__show_begin(&t, out, "disconnected");
        roam_text_add_json_text(
            &t, "status", roam_posix_status_text(event->u.disconnected.status));
        roam_text_add_json_text(&t, "detail", event->u.disconnected.detail);
        roam_text_add_json_bool(&t, "reconnect",
                                event->u.disconnected.reconnect);
        if (event->u.disconnected.reconnect) {
            roam_text_add_json_u64(&t, "reconnect_in_ms",
                                   event->u.disconnected.reconnect_in_ms);
        }
        break;
    }
    roam__show_end(&t);
}
