/* SPDX-License-Identifier: Apache-2.0 */
/* What libroam's engine tells, as lines, and in a roam_local as `roam` has
 * one: see adapter_libroam.h. */
#include <stdlib.h>
#include <string.h>

#include "adapter_libroam.h"

static struct store stores[SEATS];
uint64_t now;

void must(enum roam_posix_status status)
{
    if (status != ROAM_POSIX_STATUS_OK) {
        fprintf(stderr, "store: %s\n", roam_posix_status_text(status));
        exit(1);
    }
}

struct store *store_open(const char *name, const char *user,
                         enum roam_device_type type)
{
    char detail[ROAM_POSIX_DETAIL_MAX];
    struct store *s = stores;
    while (s < stores + SEATS - 1 && s->local && strcmp(s->name, name) != 0) {
        s++;
    }
    if (!s->local) {
        s->name = keep_copy(name, strlen(name));
        must(roam_local_open(NULL, user, type, ROAM_LOCAL_OWN, &s->local,
                             detail));
    }
    return s;
}

struct kept {
    struct kept *before;
    uint8_t bytes[];
};

void *keep_copy(const void *bytes, size_t len)
{
    static struct kept *last;
    struct kept *k = calloc(1, sizeof *k + len + 1);
    if (!k) {
        abort();
    }
    k->before = last;
    last = k;
    return len ? memcpy(k->bytes, bytes, len) : k->bytes;
}

/* ---------------------------------------------------------------- events */

/* What an event tells, by the names of its struct but for two. */
#define F(of, key, as)                                                         \
    {                                                                          \
#key, as, offsetof(struct of, key)                                     \
    }
#define E(of, key, as)                                                         \
    {                                                                          \
#key, as, offsetof(struct roam_event, u.of.key)                        \
    }
#define END                                                                    \
    {                                                                          \
        NULL, AS_U64, 0                                                        \
    }
static const struct line_field
    entry[] = {F(roam_entry_event, version, AS_U64),
               F(roam_entry_event, kind, AS_U32),
               F(roam_entry_event, msg_id, AS_U64),
               F(roam_entry_event, client_msg_id, AS_U64),
               F(roam_entry_event, conversation, AS_TEXT),
               F(roam_entry_event, conversation_name, AS_TEXT),
               F(roam_entry_event, sender, AS_TEXT),
               F(roam_entry_event, sender_name, AS_TEXT),
               F(roam_entry_event, content_type, AS_TEXT),
               F(roam_entry_event, body, AS_HEX),
               F(roam_entry_event, cut_size, AS_U32),
               F(roam_entry_event, recalled, AS_FLAG),
               END},
    shown[] = {F(roam_local_row, msg_id, AS_U64),
               F(roam_local_row, conversation, AS_TEXT),
               F(roam_local_row, sender, AS_TEXT),
               F(roam_local_row, content_type, AS_TEXT),
               F(roam_local_row, body, AS_HEX),
               END},
    granted[] = {E(logged_in, generation, AS_U64), E(logged_in, head, AS_U64),
                 END},
    refused[] = {E(refused, reason, AS_U32), E(refused, retry, AS_U32),
                 E(refused, generation, AS_U64), END},
    reset[] = {E(reset, reason, AS_U32), E(reset, head, AS_U64), END},
    synced[] = {E(synced, version, AS_U64), END},
    sent[] = {E(sent, client_msg_id, AS_U64), E(sent, msg_id, AS_U64),
              E(sent, duplicate, AS_FLAG), END},
    failed[] = {{"ref", AS_U64,
                 offsetof(struct roam_event, u.send_failed.client_msg_id)},
                E(send_failed, code, AS_U32),
                END},
    page[] = {E(page_end, ref, AS_U64),
              E(page_end, more, AS_FLAG),
              {"count", AS_U32, offsetof(struct roam_event, u.page_end.rows)},
              END},
    page_failed[] = {E(page_failed, ref, AS_U64), E(page_failed, code, AS_U32),
                     END},
    kicked[] = {E(kicked, reason, AS_U32), E(kicked, retry, AS_U32), END};
static const struct {
    const char *name;
    const struct line_field *fields;
} told[] = {[ROAM_EVENT_LOGGED_IN] = {"granted", granted},
            [ROAM_EVENT_REFUSED] = {"refused", refused},
            [ROAM_EVENT_RESET] = {"reset", reset},
            [ROAM_EVENT_SYNCED] = {"synced", synced},
            [ROAM_EVENT_SENT] = {"sent", sent},
            [ROAM_EVENT_SEND_FAILED] = {"failed", failed},
            [ROAM_EVENT_PAGE_END] = {"page", page},
            [ROAM_EVENT_PAGE_FAILED] = {"failed", page_failed},
            [ROAM_EVENT_KICKED] = {"kicked", kicked},
            [ROAM_EVENT_CLOSE] = {NULL, NULL}};

/* As far as the program has stored: the engine acknowledges it. */
enum roam_status handle_keep(struct handle *h, uint64_t version)
{
    enum roam_status status = roam_client_stored(&h->c, version, now);
    h->store->cursor = status ? h->store->cursor : version;
    return status;
}

static void take_entry(struct handle *h, const struct roam_entry_event *e)
{
    struct roam_local_device device;
    roam_local_device(h->store->local, &device);
    if (e->kind != ROAM_KIND_NOOP) {
        line_event(e->kind ? "operation" : "message", h->name, e, entry);
    }
    if (e->version > device.cursor) { /* else: not acknowledged then */
        must(roam_local_add_entry(h->store->local, e));
    }
    if (!h->manual) {
        handle_keep(h, e->version);
    }
}

void handle_log_in(struct handle *h)
{
    uint64_t attempt;
    must(roam_local_next_attempt(h->store->local, &attempt));
    roam_client_login(&h->c, attempt, h->take_over, now);
    h->take_over = 0;
}

static void become_another(struct handle *h) /* LOGIN-17 */
{
    struct roam_local_device device;
    must(roam_local_new_device(h->store->local));
    roam_local_device(h->store->local, &device);
    roam_client_set_device_id(&h->c, device.device_id);
    handle_log_in(h);
}

static void take_row(struct handle *h, const struct roam_entry_event *row)
{
    line_event("page-row", h->name, row, entry);
    must(h->list ? roam_local_survey_row(h->store->local, row)
                 : roam_local_add_history(h->store->local, row));
    h->last.before = row->msg_id;
    snprintf(h->last.conversation, sizeof h->last.conversation, "%.*s",
             (int)row->conversation.len, (const char *)row->conversation.data);
}

static void take_close(struct handle *h, const struct roam_event *e)
{
    bool again = e->u.close.reconnect, lied = e->u.close.status != 0;
    line_say(json_pack("{s:s,s:s,s:s,s:s}", "event", "closed", "handle",
                       h->name, "retry", again ? "AFTER" : "NEVER", "detail",
                       lied ? roam_status_text(e->u.close.status) : ""));
    h->connect_at = again ? e->u.close.reconnect_at_ms : NEVER;
    handle_hang_up(h);
}

/* What an event means to the store and to the connection. */
static void apply(struct handle *h, const struct roam_event *e)
{
    struct roam_local *l = h->store->local;
    switch ((int)e->type) {
    case ROAM_EVENT_ENTRY:
        take_entry(h, &e->u.entry);
        break;
    case ROAM_EVENT_REFUSED:
        if (e->u.refused.reason == ROAM_REFUSED_STALE) {
            become_another(h);
        }
        break;
    case ROAM_EVENT_LOGGED_IN:
        must(roam_local_head_told(l, e->u.logged_in.head));
        break;
    case ROAM_EVENT_RESET:
        must(roam_local_add_reset(l, e->u.reset.head, now));
        handle_keep(h, e->u.reset.head);
        break;
    case ROAM_EVENT_SENT:
        must(roam_local_outbox_sent(
            l, &(struct roam_local_sent){
                   e->u.sent.client_msg_id, e->u.sent.msg_id,
                   e->u.sent.conversation, e->u.sent.duplicate}));
        break;
    case ROAM_EVENT_SEND_FAILED:
        must(roam_local_outbox_drop(l, e->u.send_failed.client_msg_id));
        break;
    case ROAM_EVENT_PAGE_ROW:
        take_row(h, &e->u.page_row.row);
        break;
    case ROAM_EVENT_PAGE_END:
        if (h->list) {
            must(roam_local_survey_page(l, e->u.page_end.more ? &h->last : NULL,
                                        e->u.page_end.as_of));
        }
        break;
    case ROAM_EVENT_CLOSE:
        take_close(h, e);
    }
}

void handle_drain(struct handle *h)
{
    struct roam_event e;
    for (roam_client_next_event(&h->c, &e, now); e.type != ROAM_EVENT_NONE;
         roam_client_next_event(&h->c, &e, now)) {
        if (told[e.type].name) { /* the others tell of themselves, or of what
                                    no verb asks for */
            line_event(told[e.type].name, h->name, &e, told[e.type].fields);
        }
        apply(h, &e);
    }
    must(roam_local_commit(h->store->local));
}

/* ------------------------------------------------- out of the store, and back
 */

static struct roam_bytes stay(struct roam_bytes b)
{
    return (struct roam_bytes){keep_copy(b.data, b.len), b.len};
}

void handle_queue(struct handle *h, const struct roam_local_outgoing *m)
{
    const struct roam_outbox_item item = {.client_msg_id = m->client_msg_id,
                                          .first_sent_ms = m->first_sent_ms,
                                          .kind = m->kind,
                                          .conversation = stay(m->conversation),
                                          .content_type = stay(m->content_type),
                                          .body = stay(m->body)};
    roam_client_resend(&h->c, &item, now);
}

void handle_view(struct handle *h, const char *conversation,
                 struct roam_local_row *info, uint64_t *count)
{
    struct roam_local *l = h->store->local;
    struct roam_local_history *rows = roam_local_history_open(l, conversation);
    struct roam_local_row row;
    bool found = rows != NULL;
    *count = 0;
    while (found) {
        must(roam_local_history_next(rows, &row, &found));
        if (found && row.kind == ROAM_KIND_MESSAGE && !row.hole &&
            !row.recalled) {
            line_event("shown", h->name, &row, shown);
            (*count)++;
        }
    }
    roam_local_history_close(rows);
    rows = roam_local_conversations_open(l);
    found = rows != NULL;
    *info = (struct roam_local_row){.hole = false};
    while (found) {
        must(roam_local_history_next(rows, &row, &found));
        if (found && row.conversation.len == strlen(conversation) &&
            memcmp(row.conversation.data, conversation, row.conversation.len) ==
                0) {
            *info = row;
        }
    }
    roam_local_history_close(rows);
}
