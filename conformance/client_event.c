/* SPDX-License-Identifier: Apache-2.0 */
/* What the adapter tells: events become messages with the fields of the
 * frame that they are about, so that steps match them by the same names, and
 * are held against the shadow: everything served is told once, in order, as
 * it was served. */
#include <inttypes.h>
#include <string.h>

#include "adapter_say.h"
#include "client_case.h"
#include "pair_case.h"

/* ---------------------------------------------------------------- to messages
 */

static int nibble(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool hex_value(const char *hex, struct value *out)
{
    size_t len = strlen(hex) / 2;
    uint8_t *data = arena_alloc(len);
    for (size_t i = 0; i < len; i++) {
        int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        data[i] = (uint8_t)(high << 4 | low);
    }
    *out = (struct value){.kind = VALUE_BYTES, .data = data, .len = len};
    return strlen(hex) % 2 == 0;
}

/* An enum by name, or by number where it has none. */
static bool enum_value(const ProtobufCFieldDescriptor *fd, const json_t *object,
                       struct value *out)
{
    uint64_t n;
    const char *name = json_text(object, fd->name);
    if (json_u64(object, fd->name, &n) || (name && field_enum(fd, name, &n))) {
        *out = value_number(n);
        return true;
    }
    return false;
}

static bool json_value(const ProtobufCFieldDescriptor *fd, const json_t *object,
                       struct value *out)
{
    const json_t *j = json_object_get(object, fd->name);
    uint64_t n;
    switch (fd->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (!json_is_string(j)) {
            return false;
        }
        *out = value_text(json_string_value(j));
        return true;
    case PROTOBUF_C_TYPE_BYTES:
        return json_is_string(j) && hex_value(json_string_value(j), out);
    case PROTOBUF_C_TYPE_BOOL:
        *out = value_number(json_is_true(j));
        return json_is_boolean(j);
    case PROTOBUF_C_TYPE_ENUM:
        return enum_value(fd, object, out);
    default:
        if (!json_u64(object, fd->name, &n)) {
            return false;
        }
        *out = value_number(n);
        return true;
    }
}

static enum member_kind kind_of(const ProtobufCFieldDescriptor *fd)
{
    return fd->type == PROTOBUF_C_TYPE_STRING  ? MEMBER_TEXT
           : fd->type == PROTOBUF_C_TYPE_BYTES ? MEMBER_HEX
           : fd->type == PROTOBUF_C_TYPE_BOOL  ? MEMBER_BOOL
           : fd->type == PROTOBUF_C_TYPE_ENUM  ? MEMBER_ENUM
                                               : MEMBER_NUMBER;
}

ProtobufCMessage *event_message(const json_t *event, const char **reason)
{
    const char *name = json_text(event, "event");
    const ProtobufCMessageDescriptor *desc = client_event_find(name);
    if (!desc) {
        *reason = arena_printf("no event is called %s", name);
        return NULL;
    }
    ProtobufCMessage *m = message_new(desc);
    for (unsigned i = 0; i < desc->n_fields; i++) {
        const ProtobufCFieldDescriptor *fd = &desc->fields[i];
        const json_t *j = json_object_get(event, fd->name);
        struct value v;
        if (!j || json_is_null(j) || fd->type == PROTOBUF_C_TYPE_MESSAGE) {
            continue;
        }
        if (!json_value(fd, event, &v) || !field_set(m, fd->name, &v, reason)) {
            *reason =
                arena_printf("event %s: %s", name,
                             adapter_say_member(event, fd->name, kind_of(fd)));
            return NULL;
        }
    }
    return m;
}

/* ------------------------------------------------------------------- judging
 */

static struct sut *sut_of(struct stage *g, const struct adapter *a,
                          const json_t *event)
{
    const char *handle = json_text(event, "handle");
    for (size_t i = 0; i < g->world.s->device_count; i++) {
        if (g->suts[i].adapter == a && strcmp(g->suts[i].handle, handle) == 0) {
            return &g->suts[i];
        }
    }
    return NULL;
}

static bool bytes_equal(const ProtobufCBinaryData *a,
                        const ProtobufCBinaryData *b)
{
    return a->len == b->len &&
           (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* The field that differs; NULL: none. */
static const char *difference(const Roam__V1__Push *told,
                              const Roam__V1__Push *served)
{
    if (told->version != served->version) {
        return "version";
    }
    if (told->kind != served->kind) {
        return "kind";
    }
    if (told->msg_id != served->msg_id) {
        return "msg_id";
    }
    if (strcmp(told->conversation, served->conversation) != 0) {
        return "conversation";
    }
    if (strcmp(told->sender, served->sender) != 0) {
        return "sender";
    }
    if (strcmp(told->content_type, served->content_type) != 0) {
        return "content_type";
    }
    if (told->client_msg_id != served->client_msg_id) {
        return "client_msg_id";
    }
    if (told->cut_size != served->cut_size) {
        return "cut_size";
    }
    if (told->recalled != served->recalled) {
        return "recalled";
    }
    if (strcmp(told->conversation_name, served->conversation_name) != 0) {
        return "conversation_name";
    }
    if (strcmp(told->sender_name, served->sender_name) != 0) {
        return "sender_name";
    }
    return bytes_equal(&told->body, &served->body) ? NULL : "body";
}

static bool was_told(const struct sut *s, uint64_t version)
{
    for (size_t i = 0; i < s->told_at; i++) {
        if (s->told[i].push->version == version) {
            return true;
        }
    }
    return false;
}

/* Why no entry is applied now: the rule, what is said, and what was legal. */
struct not_now {
    const char *rule, *why, *legal;
};

static struct not_now not_now(const struct sut *s)
{
    const struct conn *c = s->conn;
    if (c && c->must_end) {
        return (struct not_now){
            c->must_end, ", and the connection was to be closed for a frame",
            "it closes the connection, and applies nothing of that frame"};
    }
    if (s->owes_sync) {
        return (struct not_now){"CHAIN-6", " behind a gap", "SYNC"};
    }
    if (c && c->sync_open) {
        return (struct not_now){"SYNC-8", " between SYNC and SYNC_OK",
                                "nothing until SYNC_OK"};
    }
    return (struct not_now){"CHAIN-4", ", which was not to be applied now",
                            "nothing"};
}

static bool judge_entry(struct stage *g, struct sut *s,
                        const Roam__V1__Push *told)
{
    const struct row *want =
        s->told_at < s->told_count ? &s->told[s->told_at] : NULL;
    if (want && told->version == want->push->version) {
        const char *field = difference(told, want->push);
        s->told_at++;
        return !field ||
               world_fail(&g->world, "CHAIN-4",
                          arena_printf("version %" PRIu64 " is told with "
                                       "another %s than was served",
                                       told->version, field),
                          "the entry as it was served", want->frame);
    }
    if (was_told(s, told->version)) {
        return world_fail(
            &g->world, "CHAIN-5",
            arena_printf("version %" PRIu64 " is told twice", told->version),
            "every entry once", NULL);
    }
    if (want) {
        return world_fail(
            &g->world,
            told->version > want->push->version ? client_rule_of(s, want->push)
                                                : not_now(s).rule,
            arena_printf("version %" PRIu64 " is told, and %" PRIu64 " is next",
                         told->version, want->push->version),
            arena_printf("version %" PRIu64, want->push->version), want->frame);
    }
    struct not_now n = not_now(s);
    return world_fail(
        &g->world, n.rule,
        arena_printf("version %" PRIu64 " is told%s", told->version, n.why),
        n.legal, NULL);
}

static void note_failed(struct sut *s, uint64_t client_msg_id)
{
    struct client_send *sent = client_find_send(s, client_msg_id);
    if (sent) {
        sent->is_done = true;
    }
}

static bool judge_told(struct stage *g, struct sut *s, const json_t *event)
{
    const char *name = json_text(event, "event"), *reason = "";
    ProtobufCMessage *m = event_message(event, &reason);
    if (!m) {
        return world_fail(&g->world, "", arena_printf("adapter: %s", reason),
                          NULL, NULL);
    }
    struct text t = {0};
    message_print_line(&t, m);
    world_event(&g->world, s->device, ":",
                arena_printf("%s %s", name, text_str(&t)));
    if (strcmp(name, "message") == 0 || strcmp(name, "operation") == 0) {
        return judge_entry(g, s, (const Roam__V1__Push *)m);
    }
    if (strcmp(name, "failed") == 0) {
        note_failed(s, ((const Roam__V1__Error *)m)->ref);
    }
    return true;
}

static bool judge_event(struct stage *g, struct adapter *a, const json_t *event)
{
    struct sut *s = sut_of(g, a, event);
    stage_trace(g, "<", event);
    if (!s) {
        return world_fail(&g->world, "",
                          arena_printf("adapter: an event of handle %s, which "
                                       "is not open",
                                       json_text(event, "handle")),
                          NULL, NULL);
    }
    const char *before = relay_accuse(g, s);
    bool ok =
        judge_told(g, s, event) && (!g->is_pair || view_event(g, s, event));
    g->world.accused = before;
    return ok;
}

bool events_judge(struct stage *g)
{
    for (size_t i = 0; i < g->adapter_count; i++) {
        struct adapter *a = &g->adapters[i];
        while (a->judged < a->event_count) {
            if (!judge_event(g, a, a->events[a->judged++].json)) {
                return false;
            }
        }
    }
    return true;
}

/* ----------------------------------------------------------------- for steps
 */

json_t *event_next(const struct sut *s, const char *name)
{
    for (size_t i = 0; i < s->adapter->judged; i++) {
        struct adapter_line *l = &s->adapter->events[i];
        if (!l->taken && strcmp(json_text(l->json, "event"), name) == 0 &&
            strcmp(json_text(l->json, "handle"), s->handle) == 0) {
            return l->json;
        }
    }
    return NULL;
}

void event_take(const struct sut *s, const json_t *event)
{
    for (size_t i = 0; i < s->adapter->event_count; i++) {
        if (s->adapter->events[i].json == event) {
            s->adapter->events[i].taken = true;
        }
    }
}
