/* SPDX-License-Identifier: Apache-2.0 */
/* Events as text and as JSON. */
#include "show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exit_codes.h"
#include "text.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Indexed by the values on the wire. */
static const char *const refused_names[] = {"?",
                                            "OCCUPIED",
                                            "KICKED",
                                            "FREE",
                                            "STALE",
                                            "CREDENTIAL",
                                            "TOKEN_EXPIRED",
                                            "TYPE_FORBIDDEN",
                                            "PROTOCOL_VERSION",
                                            "TOKEN_BOUND",
                                            "THROTTLED"};
static const char *const kick_names[] = {
    "?",        "TAKEN_OVER",     "SUPERSEDED", "LOGGED_OUT",    "GOING_AWAY",
    "TOO_SLOW", "PROTOCOL_ERROR", "IDLE",       "LOGIN_TIMEOUT", "OVERLOADED",
    "REVOKED",  "EXPIRED",        "RESYNC",     "TOO_FAST"};
static const char *const retry_names[] = {"?", "NOW", "AFTER", "REAUTHENTICATE",
                                          "NEVER"};
static const char *const reset_names[] = {"?", "NOT_A_LINK", "AHEAD",
                                          "TOO_MANY"};
/* Those that answer a command, from this value on. */
#define FIRST_COMMAND_ERROR 32u
static const char *const error_names[] = {"NO_SUCH_CONVERSATION",
                                          "BODY_TOO_LONG",
                                          "ID_REUSED",
                                          "KIND_UNKNOWN",
                                          "NO_SUCH_MESSAGE",
                                          "FORBIDDEN",
                                          "TOO_LATE",
                                          "GROUP_FULL",
                                          "MUTED",
                                          "NO_SUCH_USER",
                                          "BODY_INVALID",
                                          "POLICY",
                                          "RATE_LIMITED",
                                          "NO_SUCH_DEVICE"};

static const char *pick(const char *const *names, size_t count, size_t i)
{
    return names[i < count ? i : 0];
}

const char *roam_kick_name(enum roam_kick reason)
{
    return pick(kick_names, COUNT(kick_names), (size_t)reason);
}

const char *roam_refused_name(enum roam_refused reason)
{
    return pick(refused_names, COUNT(refused_names), (size_t)reason);
}

const char *roam_refused_advice(enum roam_refused reason)
{
    switch (reason) {
    case ROAM_REFUSED_OCCUPIED:
    case ROAM_REFUSED_KICKED:
        return "--take-over uses this device and logs the other one out";
    case ROAM_REFUSED_FREE:
        return "no device is in use; --take-over uses this one";
    case ROAM_REFUSED_STALE:
        return "this state is in use elsewhere; --state names another one";
    case ROAM_REFUSED_CREDENTIAL:
        return "user and token do not belong together, or the token was"
               " revoked; `roam login --token-file` remembers another one";
    case ROAM_REFUSED_TOKEN_EXPIRED:
        return "the token has expired; `roam login --token-file` remembers"
               " another one";
    case ROAM_REFUSED_TYPE_FORBIDDEN:
        return "the token is for another type of device, see --type";
    case ROAM_REFUSED_PROTOCOL_VERSION:
        return "the server speaks another version of Roam";
    case ROAM_REFUSED_TOKEN_BOUND:
        return "the token is another device's; `roam login --token-file`"
               " remembers one of this device's own";
    case ROAM_REFUSED_THROTTLED:
        return "too many logins of late; it is tried again later";
    }
    return "the server gave a reason that this program does not know";
}

static const char *retry_name(enum roam_retry retry)
{
    return pick(retry_names, COUNT(retry_names), (size_t)retry);
}

/* Code 0: the client itself gave up, see roam.h. */
static const char *send_error_name(uint32_t code)
{
    if (code == 0) {
        return "EXPIRED";
    }
    return code >= FIRST_COMMAND_ERROR &&
                   code - FIRST_COMMAND_ERROR < COUNT(error_names)
               ? error_names[code - FIRST_COMMAND_ERROR]
               : "?";
}

static void emit(struct roam_text *t, int fd)
{
    if (!roam_text_write(t, fd) && fd == STDOUT_FILENO) {
        perror("roam: standard output");
        exit(ROAM_EXIT_FAILED);
    }
    roam_text_free(t);
}

/* ------------------------------------------------------------------- JSON */

static void begin_json(struct roam_text *t, const struct roam_show *out,
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

static void end_json(struct roam_text *t)
{
    roam_text_add(t, "}\n", 2);
    emit(t, STDOUT_FILENO);
}

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

static void add_body(struct roam_text *t, struct roam_bytes content_type,
                     struct roam_bytes body, uint32_t cut_size)
{
    if (content_type.len) {
        roam_text_add_json_bytes(t, "content_type", content_type);
    }
    if (cut_size) {
        roam_text_add_json_u32(t, "cut_size", cut_size);
    }
    roam_text_add_json_bytes(t, "body", body);
}

static void json_entry(struct roam_text *t, const struct roam_show *out,
                       const struct roam_entry_event *e)
{
    begin_json(t, out,
               e->kind == ROAM_KIND_MESSAGE ? "message"
               : e->kind == ROAM_KIND_NOOP  ? "noop"
                                            : "unknown");
    roam_text_add_json_u64(t, "version", e->version);
    roam_text_add_json_u64(t, "prev_version", e->prev_version);
    roam_text_add_json_bool(t, "batched", e->batched);
    if (e->kind == ROAM_KIND_NOOP) {
        return;
    }
    if (e->kind != ROAM_KIND_MESSAGE) {
        roam_text_add_json_u32(t, "kind", e->kind);
    }
    roam_text_add_json_u64(t, "msg_id", e->msg_id);
    roam_text_add_json_u64(t, "time_ms", e->time_ms);
    add_client_msg_id(t, e->client_msg_id);
    roam_text_add_json_bytes(t, "conversation", e->conversation);
    roam_text_add_json_bytes(t, "sender", e->sender);
    add_body(t, e->content_type, e->body, e->cut_size);
}

static void json_answer(struct roam_text *t, const struct roam_show *out,
                        const struct roam_posix_event *event)
{
    const struct roam_event *e = &event->u.engine;
    bool sent = e->type == ROAM_EVENT_SENT;
    begin_json(t, out, sent ? "sent" : "send_failed");
    add_client_msg_id(t, event->message.client_msg_id);
    if (sent) {
        roam_text_add_json_u64(t, "msg_id", e->u.sent.msg_id);
        roam_text_add_json_bool(t, "duplicate", e->u.sent.duplicate);
    } else {
        roam_text_add_json_text(t, "error",
                                send_error_name(e->u.send_failed.code));
    }
    roam_text_add_json_bytes(t, "conversation", event->message.conversation);
    add_body(t, event->message.content_type, event->message.body, 0);
}

static void json_kicked(struct roam_text *t, const struct roam_show *out,
                        const struct roam_event *e)
{
    begin_json(t, out, "kicked");
    roam_text_add_json_text(t, "reason", roam_kick_name(e->u.kicked.reason));
    roam_text_add_json_text(t, "retry", retry_name(e->u.kicked.retry));
    add_holder(t, &e->u.kicked.holder);
    if (e->u.kicked.reason == ROAM_KICK_PROTOCOL_ERROR) {
        roam_text_add_json_u32(t, "error", e->u.kicked.error);
    }
    if (e->u.kicked.detail[0]) {
        roam_text_add_json_text(t, "detail", e->u.kicked.detail);
    }
}

static void json_protocol(struct roam_text *t, const struct roam_show *out,
                          const struct roam_posix_event *event)
{
    const struct roam_event *e = &event->u.engine;
    switch (e->type) {
    case ROAM_EVENT_LOGGED_IN:
        begin_json(t, out, "logged_in");
        roam_text_add_json_u64(t, "generation", e->u.logged_in.generation);
        roam_text_add_json_u64(t, "head", e->u.logged_in.head);
        roam_text_add_json_u64(t, "floor", e->u.logged_in.floor);
        break;
    case ROAM_EVENT_REFUSED:
        begin_json(t, out, "refused");
        roam_text_add_json_text(t, "reason",
                                roam_refused_name(e->u.refused.reason));
        roam_text_add_json_text(t, "retry", retry_name(e->u.refused.retry));
        roam_text_add_json_u64(t, "generation", e->u.refused.generation);
        add_holder(t, &e->u.refused.holder);
        break;
    case ROAM_EVENT_RESET:
        begin_json(t, out, "reset");
        roam_text_add_json_text(
            t, "reason",
            pick(reset_names, COUNT(reset_names), (size_t)e->u.reset.reason));
        roam_text_add_json_u64(t, "head", e->u.reset.head);
        break;
    case ROAM_EVENT_ENTRY:
        json_entry(t, out, &e->u.entry);
        break;
    case ROAM_EVENT_SYNCED:
        begin_json(t, out, "synced");
        roam_text_add_json_u64(t, "version", e->u.synced.version);
        break;
    case ROAM_EVENT_SENT:
    case ROAM_EVENT_SEND_FAILED:
        json_answer(t, out, event);
        break;
    case ROAM_EVENT_KICKED:
        json_kicked(t, out, e);
        break;
    case ROAM_EVENT_NONE:
    case ROAM_EVENT_PAGE_ROW: /* the driver keeps these to itself */
    case ROAM_EVENT_MEMBER:
    case ROAM_EVENT_SESSION:
    case ROAM_EVENT_PAGE_END:
    case ROAM_EVENT_PAGE_FAILED:
    case ROAM_EVENT_CLOSE:
        break;
    }
}

static void json_filled(struct roam_text *t, const struct roam_show *out,
                        const struct roam_posix_event *event)
{
    begin_json(t, out, "filled");
    roam_text_add_json_bytes(t, "conversation", event->message.conversation);
    roam_text_add_json_u32(t, "rows", event->u.filled.rows);
    roam_text_add_json_bool(t, "done", event->u.filled.done);
    if (event->u.filled.code) {
        roam_text_add_json_text(t, "error",
                                send_error_name(event->u.filled.code));
    }
}

static void json_event(const struct roam_show *out,
                       const struct roam_posix_event *event)
{
    struct roam_text t = {0};
    switch (event->type) {
    case ROAM_POSIX_CONNECTED:
        begin_json(&t, out, "connected");
        break;
    case ROAM_POSIX_PROTOCOL:
        json_protocol(&t, out, event);
        break;
    case ROAM_POSIX_NEW_DEVICE:
        begin_json(&t, out, "new_device");
        break;
    case ROAM_POSIX_HOLES:
        begin_json(&t, out, "holes");
        roam_text_add_json_u64(&t, "count", event->u.holes.count);
        break;
    case ROAM_POSIX_FILLED:
        json_filled(&t, out, event);
        break;
    case ROAM_POSIX_DISCONNECTED:
        begin_json(&t, out, "disconnected");
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
    end_json(&t);
}

/* ------------------------------------------------------------------- text */

static void add_time(struct roam_text *t, uint64_t unix_ms)
{
    char text[32];
    struct tm local;
    time_t seconds = (time_t)(unix_ms / 1000);
    if (localtime_r(&seconds, &local) &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local)) {
        roam_text_printf(t, "%s", text);
    }
}

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
        add_time(t, h->since_ms);
    }
}

/* Text without a type, or of type text/..., is shown; the rest is named. */
static void say_body(struct roam_text *t, struct roam_bytes content_type,
                     struct roam_bytes body, uint32_t cut_size)
{
    if (cut_size == 0 && (content_type.len == 0 ||
                          (content_type.len > 5 &&
                           memcmp(content_type.data, "text/", 5) == 0))) {
        roam_text_add_visible(t, body);
        return;
    }
    roam_text_printf(t, "[");
    roam_text_add_visible(t, content_type);
    roam_text_printf(t, " %zu bytes%s]", cut_size ? cut_size : body.len,
                     cut_size ? ", too long for this device" : "");
}

static bool is_own(const struct roam_show *out, struct roam_bytes sender)
{
    return sender.len == strlen(out->options->user) &&
           memcmp(sender.data, out->options->user, sender.len) == 0;
}

/* "bob: hello", or "me -> bob: hello" for what a sibling sent. */
static void say_message(struct roam_text *t, const struct roam_show *out,
                        struct roam_bytes sender,
                        struct roam_bytes conversation)
{
    if (is_own(out, sender)) {
        roam_text_printf(t, "me -> ");
        roam_text_add_visible(t, conversation);
    } else {
        roam_text_add_visible(t, sender);
    }
    roam_text_printf(t, ": ");
}

static void text_entry(const struct roam_show *out,
                       const struct roam_entry_event *e)
{
    struct roam_text t = {0};
    if (e->kind != ROAM_KIND_MESSAGE || out->quiet) {
        return;
    }
    say_message(&t, out, e->sender, e->conversation);
    say_body(&t, e->content_type, e->body, e->cut_size);
    roam_text_printf(&t, "\n");
    emit(&t, STDOUT_FILENO);
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
        t, " (%s): ", send_error_name(event->u.engine.u.send_failed.code));
    say_body(t, event->message.content_type, event->message.body, 0);
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
    case ROAM_EVENT_SENT: /* it stands there already */
    case ROAM_EVENT_SYNCED:
    case ROAM_EVENT_NONE:
    case ROAM_EVENT_PAGE_ROW:
    case ROAM_EVENT_MEMBER:
    case ROAM_EVENT_SESSION:
    case ROAM_EVENT_PAGE_END:
    case ROAM_EVENT_PAGE_FAILED:
    case ROAM_EVENT_CLOSE:
        break;
    }
    if (t.len) {
        roam_text_printf(&t, "\n");
    }
    emit(&t, STDERR_FILENO);
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
    emit(&t, STDERR_FILENO);
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
        roam_text_printf(&t, " (%s)", send_error_name(event->u.filled.code));
    }
    roam_text_printf(&t, "\n");
    emit(&t, STDERR_FILENO);
}

static void text_event(const struct roam_show *out,
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

void roam_show_event(const struct roam_show *out,
                     const struct roam_posix_event *event)
{
    if (out->options->json) {
        json_event(out, event);
    } else {
        text_event(out, event);
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
    begin_json(&t, out, "stats");
    roam_text_add_json_u64(&t, "connections", s->connections);
    roam_text_add_json_u64(&t, "bytes_received", s->bytes_received);
    roam_text_add_json_u64(&t, "push_frames", s->push_frames);
    roam_text_add_json_u64(&t, "push_bytes", s->push_bytes);
    roam_text_add_json_u64(&t, "batch_frames", s->batch_frames);
    roam_text_add_json_u64(&t, "batch_bytes", s->batch_bytes);
    roam_text_add_json_u64(&t, "batch_entries", s->batch_entries);
    roam_text_add_json_u64(&t, "batch_as_push_bytes", s->batch_as_push_bytes);
    roam_text_add_json_u64(&t, "batch_body_bytes", s->batch_body_bytes);
    end_json(&t);
}

/* ---------------------------------------------------------------- history */

static void json_row(const struct roam_show *out,
                     const struct roam_local_row *row)
{
    struct roam_text t = {0};
    begin_json(&t, out, row->hole ? "hole" : "message");
    if (!row->hole) {
        roam_text_add_json_u64(&t, "msg_id", row->msg_id);
    } else if (row->conversation.len) {
        roam_text_add_json_bytes(&t, "conversation", row->conversation);
    }
    roam_text_add_json_u64(&t, "time_ms", row->time_ms);
    if (!row->hole) {
        roam_text_add_json_bytes(&t, "conversation", row->conversation);
        roam_text_add_json_bytes(&t, "sender", row->sender);
        add_body(&t, row->content_type, row->body, row->cut_size);
    }
    end_json(&t);
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
        roam_text_printf(&t, "-- messages may be missing here");
        if (row->conversation.len) {
            roam_text_printf(&t, " with ");
            roam_text_add_visible(&t, row->conversation);
        }
        roam_text_printf(&t, " --\n");
    } else {
        add_time(&t, row->time_ms);
        roam_text_printf(&t, " ");
        say_message(&t, out, row->sender, row->conversation);
        say_body(&t, row->content_type, row->body, row->cut_size);
        roam_text_printf(&t, "\n");
    }
    emit(&t, STDOUT_FILENO);
}

void roam_show_conversation(const struct roam_show *out,
                            const struct roam_local_row *row)
{
    struct roam_text t = {0};
    if (out->options->json) {
        begin_json(&t, out, "conversation");
        roam_text_add_json_bytes(&t, "conversation", row->conversation);
        roam_text_add_json_bool(&t, "hole", row->hole);
        roam_text_add_json_u64(&t, "msg_id", row->msg_id);
        roam_text_add_json_u64(&t, "time_ms", row->time_ms);
        roam_text_add_json_bytes(&t, "sender", row->sender);
        add_body(&t, row->content_type, row->body, row->cut_size);
        end_json(&t);
        return;
    }
    add_time(&t, row->time_ms);
    roam_text_printf(&t, " ");
    say_message(&t, out, row->sender, row->conversation);
    say_body(&t, row->content_type, row->body, row->cut_size);
    roam_text_printf(&t, "%s\n",
                     row->hole ? " (older messages are missing)" : "");
    emit(&t, STDOUT_FILENO);
}
