/* SPDX-License-Identifier: Apache-2.0 */
/* The client for POSIX systems behind conformance/ADAPTER.md: what is asked
 * for becomes calls of roam_posix.h, what that tells becomes events. */
#include <stdlib.h>
#include <string.h>

#include "kit.h"
#include "roam_posix.h"

struct handle {
    struct roam_local *store; /* in memory */
    uint64_t cursor;          /* of the program before */
    struct roam_posix *p;     /* NULL: none runs */
};

#define F(type, event, key, as, member)                                        \
    KIT_FIELD(ROAM_EVENT_##type, event, key, as, struct roam_event, u.member)
#define E(as, key)                                                             \
    KIT_FIELD(ROAM_EVENT_ENTRY, "message", #key, as, struct roam_entry_event,  \
              key)
static const struct kit_field fields[] = {
    E(U64, version),
    E(U32, kind),
    E(U64, msg_id),
    E(U64, client_msg_id),
    E(TEXT, conversation),
    E(TEXT, conversation_name),
    E(TEXT, sender),
    E(TEXT, sender_name),
    E(TEXT, content_type),
    E(HEX, body),
    E(U32, cut_size),
    E(FLAG, recalled),
    F(LOGGED_IN, "granted", "generation", U64, logged_in.generation),
    F(LOGGED_IN, "granted", "head", U64, logged_in.head),
    F(REFUSED, "refused", "reason", U32, refused.reason),
    F(REFUSED, "refused", "retry", U32, refused.retry),
    F(REFUSED, "refused", "generation", U64, refused.generation),
    F(RESET, "reset", "reason", U32, reset.reason),
    F(RESET, "reset", "head", U64, reset.head),
    F(SYNCED, "synced", "version", U64, synced.version),
    F(SENT, "sent", "client_msg_id", U64, sent.client_msg_id),
    F(SENT, "sent", "msg_id", U64, sent.msg_id),
    F(SENT, "sent", "duplicate", FLAG, sent.duplicate),
    F(SEND_FAILED, "failed", "ref", U64, send_failed.client_msg_id),
    F(SEND_FAILED, "failed", "code", U32, send_failed.code),
    F(PAGE_END, "page", "ref", U64, page_end.ref),
    F(PAGE_END, "page", "count", U32, page_end.rows),
    F(PAGE_END, "page", "more", FLAG, page_end.more),
    F(PAGE_FAILED, "failed", "ref", U64, page_failed.ref),
    F(PAGE_FAILED, "failed", "code", U32, page_failed.code),
    F(KICKED, "kicked", "reason", U32, kicked.reason),
    F(KICKED, "kicked", "retry", U32, kicked.retry),
    {0}};

static void tell(const struct handle *h, const struct roam_posix_event *e)
{
    const struct roam_event *told = &e->u.engine;
    enum roam_posix_status why = e->u.disconnected.status;
    if (e->type == ROAM_POSIX_DISCONNECTED) {
        bool lied = why == ROAM_POSIX_STATUS_PROTOCOL ||
                    why == ROAM_POSIX_STATUS_UNTRUSTED ||
                    why == ROAM_POSIX_STATUS_ALPN;
        kit_closed(h, e->u.disconnected.reconnect,
                   lied ? e->u.disconnected.detail : "");
    } else if (e->type != ROAM_POSIX_PROTOCOL &&
               e->type != ROAM_POSIX_NEW_DEVICE) {
        return; /* what the driver does by itself */
    } else if (told->type == ROAM_EVENT_PAGE_ROW) {
        kit_tell(h, "page-row", ROAM_EVENT_ENTRY, &told->u.page_row.row);
    } else if (told->type != ROAM_EVENT_ENTRY) {
        kit_tell(h, NULL, told->type, told);
    } else if (told->u.entry.kind != ROAM_KIND_NOOP) {
        kit_tell(h, told->u.entry.kind ? "operation" : NULL, told->type,
                 &told->u.entry);
    }
}

static uint64_t clock_ms(void *context)
{
    (void)context;
    return UINT64_C(1700000000000) + kit_now_ms;
}

static struct handle *open_program(struct handle *h)
{
    char detail[ROAM_POSIX_DETAIL_MAX];
    h = h ? h : calloc(1, sizeof *h);
    struct roam_posix_config config = {
        .host = kit_text("host"),
        .port = kit_text("port"),
        .ca_pem = *kit_text("ca") ? kit_text("ca") : NULL,
        .plain = !*kit_text("ca"),
        .user = kit_text("user"),
        .token = kit_text("token"),
        .device_type = (enum roam_device_type)kit_device_type(),
        .device_name = kit_text("device_name"),
        .max_frame = (uint32_t)kit_number("max_frame"),
        .max_inflated = (uint32_t)kit_number("max_inflated"),
        .max_unacked = (uint32_t)kit_number("max_unacked"),
        .max_entries = (uint32_t)kit_number("max_entries"),
        .max_body = 1u << 20,
        .no_deflate = strcmp(kit_text("codecs"), "0") == 0,
        .no_survey = !kit_flag("survey"),
        .says_stored = strcmp(kit_text("ack"), "manual") == 0,
        .cursor = h->cursor,
        .clock_ms = clock_ms};
    enum roam_posix_status status =
        h->store ? ROAM_POSIX_STATUS_OK
                 : roam_local_open(NULL, config.user, config.device_type,
                                   ROAM_LOCAL_OWN, &h->store, detail);
    config.store = h->store;
    return status || roam_posix_new(&config, &h->p, detail) ? NULL : h;
}

static void close_program(struct handle *h)
{
    h->cursor = roam_posix_cursor(h->p);
    roam_posix_free(h->p);
}

static int work(struct handle *h, struct pollfd *fd)
{
    struct roam_posix_event e;
    roam_posix_work(h->p);
    while (roam_posix_next_event(h->p, &e)) {
        tell(h, &e);
    }
    return roam_posix_poll(h->p, fd);
}

static void state_of(struct handle *h, struct kit_state *state)
{
    struct roam_posix_stats stats;
    struct roam_local_device device;
    struct roam_local_counts counts = {0};
    roam_posix_stats(h->p, &stats);
    roam_local_device(h->store, &device);
    (void)roam_local_count(h->store, &counts);
    state->cursor = roam_posix_cursor(h->p);
    state->attempt = device.attempt;
    state->connections = stats.connections;
    state->received = stats.last_received;
    state->sent = stats.last_sent;
    state->unsent = counts.outbox;
    state->next_ms = roam_posix_reconnect_ms(h->p);
    state->connected = roam_posix_connected(h->p);
}

static const char *code_of(enum roam_posix_status status)
{
    return status ? roam_posix_status_text(status) : NULL;
}

static const char *log_in(struct handle *h)
{
    (void)roam_posix_take_over(h->p, kit_number("take_over"));
    return NULL; /* also where it is logged in already */
}

static const char *log_out(struct handle *h)
{
    return code_of(roam_posix_logout(h->p));
}

static const char *say_stored(struct handle *h)
{
    return code_of(roam_posix_stored(h->p, kit_number("version")));
}

static struct roam_bytes bytes_of(const char *s)
{
    return (struct roam_bytes){(const uint8_t *)s, strlen(s)};
}

static const char *put_message(struct handle *h)
{
    uint64_t id = 0;
    size_t len;
    uint8_t *body = kit_bytes("body", &len);
    enum roam_posix_status status = roam_posix_send(
        h->p, (enum roam_kind)kit_number("kind"),
        bytes_of(kit_text("conversation")), bytes_of(kit_text("content_type")),
        (struct roam_bytes){body, len}, &id);
    kit_put("client_msg_id", id);
    free(body);
    return code_of(status);
}

static const char *ask_page(struct handle *h)
{
    const char *of = kit_text("conversation");
    uint64_t ref = 0, before = kit_number("before");
    uint32_t rows = (uint32_t)kit_number("max_rows");
    enum roam_posix_status status =
        kit_flag("list")
            ? roam_posix_conversations(h->p, before, of, rows, &ref)
            : roam_posix_history(h->p, of, before, kit_number("after"), rows,
                                 &ref);
    kit_put("ref", ref);
    return code_of(status);
}

static const char *view(struct handle *h)
{
    const char *of = kit_text("conversation");
    struct roam_local_history *rows = roam_local_history_open(h->store, of);
    struct roam_local_row r;
    bool found = true;
    uint64_t count = 0;
    while (!roam_local_history_next(rows, &r, &found) && found) {
        if (r.kind == ROAM_KIND_MESSAGE && !r.hole && !r.recalled) {
            const struct roam_entry_event e = {.msg_id = r.msg_id,
                                               .conversation = r.conversation,
                                               .sender = r.sender,
                                               .content_type = r.content_type,
                                               .body = r.body};
            kit_tell(h, "shown", ROAM_EVENT_ENTRY, &e);
            count++;
        }
    }
    roam_local_history_close(rows);
    enum roam_posix_status status = roam_local_state(h->store, of, &r);
    kit_put("count", count);
    kit_put("unread", r.unread);
    kit_put("read_mark", r.read_mark);
    kit_put("role", r.role);
    return code_of(status);
}

int main(void)
{
    static const struct kit_verb verbs[] = {
        {"login", log_in},     {"logout", log_out},   {"ack", say_stored},
        {"send", put_message}, {"history", ask_page}, {"view", view},
        {NULL, NULL}};
    static const struct kit_adapter adapter = {
        .name = "libroam",
        .capabilities =
            "ack history drop limits restart operations view survey tls",
        .open = open_program,
        .close = close_program,
        .work = work,
        .state = state_of,
        .verbs = verbs,
        .fields = fields};
    return kit_run(&adapter);
}
