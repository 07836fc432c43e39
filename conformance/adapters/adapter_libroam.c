/* SPDX-License-Identifier: Apache-2.0 */
/* libroam behind conformance/ADAPTER.md, under virtual time. A *store* is
 * what one installation keeps; a *handle* is one run of a program on it. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "adapter_kit.h"
#include "roam.h"

#define STORES 16
#define ITEMS 64
#define BUFFER ((size_t)1 << 18)

struct store {
    char *name; /* NULL: free */
    uint8_t device_id[16];
    uint64_t attempt, cursor;
    struct roam_outbox_item items[ITEMS]; /* id 0: free */
};
struct handle {
    struct kit_handle kit;
    struct store *store;
    struct roam_client c;
    struct roam_outbox_item outbox[ITEMS];
    bool manual;
    uint64_t ref, take_over;
    uint8_t rx[BUFFER], tx[BUFFER], inflated[BUFFER];
};
static struct store stores[STORES];

/* ---------------------------------------------------------------- events */

static void set_bytes(json_t *j, const char *key, struct roam_bytes b)
{
    kit_set_text(j, key, b.data, b.len);
}

static void tell_entry(struct handle *h, const char *name,
                       const struct roam_entry_event *e)
{
    json_t *j = kit_event(&h->kit, name);
    kit_set(j, "version", e->version);
    kit_set(j, "kind", e->kind);
    kit_set(j, "msg_id", e->msg_id);
    kit_set(j, "client_msg_id", e->client_msg_id);
    kit_set(j, "cut_size", e->cut_size);
    set_bytes(j, "conversation", e->conversation);
    set_bytes(j, "sender", e->sender);
    set_bytes(j, "content_type", e->content_type);
    set_bytes(j, "conversation_name", e->conversation_name);
    set_bytes(j, "sender_name", e->sender_name);
    kit_set_bool(j, "recalled", e->recalled);
    kit_set_bytes(j, "body", e->body.data, e->body.len);
    kit_say(j);
}

static enum roam_status keep_cursor(struct handle *h, uint64_t version)
{
    enum roam_status status = roam_client_stored(&h->c, version, kit_now);
    h->store->cursor = status ? h->store->cursor : version;
    return status;
}

static void forget_item(struct handle *h, uint64_t id)
{
    for (size_t i = 0; i < ITEMS; i++) {
        uint64_t *item = &h->store->items[i].client_msg_id;
        *item = *item == id ? 0 : *item;
    }
}

static void on_entry(struct handle *h, const struct roam_entry_event *e)
{
    if (e->kind != ROAM_KIND_NOOP) {
        tell_entry(h, e->kind ? "operation" : "message", e);
    }
    if (!h->manual) {
        keep_cursor(h, e->version);
    }
    forget_item(h, e->client_msg_id);
}

static void log_in(struct handle *h)
{
    roam_client_login(&h->c, ++h->store->attempt, h->take_over, kit_now);
    h->take_over = 0;
}

static void on_refused(struct handle *h, const struct roam_event *e, json_t *j)
{
    kit_set(j, "reason", e->u.refused.reason);
    kit_set(j, "retry", e->u.refused.retry);
    kit_set(j, "generation", e->u.refused.generation);
    if (e->u.refused.reason == ROAM_REFUSED_STALE && /* LOGIN-17 */
        getrandom(h->store->device_id, 16, 0) == 16) {
        h->store->attempt = 0;
        roam_client_set_device_id(&h->c, h->store->device_id);
        log_in(h);
    }
}

static void on_close(struct handle *h, const struct roam_event *e, json_t *j)
{
    const char *why = e->u.close.status == ROAM_STATUS_OK
                          ? ""
                          : roam_status_text(e->u.close.status);
    kit_set(j, "retry", e->u.close.reconnect ? 2 : 4);
    kit_set_text(j, "detail", why, strlen(why));
    h->kit.connect_at =
        e->u.close.reconnect ? e->u.close.reconnect_at_ms : KIT_NEVER;
}

static void fill_event(struct handle *h, const struct roam_event *e, json_t *j)
{
    switch (e->type) {
    case ROAM_EVENT_LOGGED_IN:
        kit_set(j, "generation", e->u.logged_in.generation);
        kit_set(j, "head", e->u.logged_in.head);
        break;
    case ROAM_EVENT_REFUSED:
        on_refused(h, e, j);
        break;
    case ROAM_EVENT_RESET:
        kit_set(j, "reason", e->u.reset.reason);
        kit_set(j, "head", e->u.reset.head);
        keep_cursor(h, e->u.reset.head);
        break;
    case ROAM_EVENT_SYNCED:
        kit_set(j, "version", e->u.synced.version);
        break;
    case ROAM_EVENT_SENT:
        kit_set(j, "client_msg_id", e->u.sent.client_msg_id);
        kit_set(j, "msg_id", e->u.sent.msg_id);
        kit_set_bool(j, "duplicate", e->u.sent.duplicate);
        forget_item(h, e->u.sent.client_msg_id);
        break;
    case ROAM_EVENT_SEND_FAILED:
        kit_set(j, "ref", e->u.send_failed.client_msg_id);
        kit_set(j, "code", e->u.send_failed.code);
        forget_item(h, e->u.send_failed.client_msg_id);
        break;
    case ROAM_EVENT_PAGE_END:
        kit_set(j, "ref", e->u.page_end.ref);
        kit_set(j, "count", e->u.page_end.rows);
        kit_set_bool(j, "more", e->u.page_end.more);
        break;
    case ROAM_EVENT_PAGE_FAILED:
        kit_set(j, "ref", e->u.page_failed.ref);
        kit_set(j, "code", e->u.page_failed.code);
        break;
    case ROAM_EVENT_KICKED:
        kit_set(j, "reason", e->u.kicked.reason);
        kit_set(j, "retry", e->u.kicked.retry);
        break;
    default:
        on_close(h, e, j);
        break;
    }
}

static void take_event(struct handle *h, const struct roam_event *e)
{
    static const char *const names[] = {
        [ROAM_EVENT_LOGGED_IN] = "granted", [ROAM_EVENT_REFUSED] = "refused",
        [ROAM_EVENT_RESET] = "reset",       [ROAM_EVENT_SYNCED] = "synced",
        [ROAM_EVENT_SENT] = "sent",         [ROAM_EVENT_SEND_FAILED] = "failed",
        [ROAM_EVENT_PAGE_END] = "page",     [ROAM_EVENT_PAGE_FAILED] = "failed",
        [ROAM_EVENT_KICKED] = "kicked",     [ROAM_EVENT_CLOSE] = "closed"};
    if (e->type == ROAM_EVENT_ENTRY) {
        on_entry(h, &e->u.entry);
    } else if (e->type == ROAM_EVENT_PAGE_ROW) {
        tell_entry(h, "page-row", &e->u.page_row.row);
    } else if (names[e->type]) { /* no verb asks for the others */
        json_t *j = kit_event(&h->kit, names[e->type]);
        fill_event(h, e, j);
        kit_say(j);
    }
    if (e->type == ROAM_EVENT_CLOSE) {
        kit_disconnect(&h->kit);
    }
}

static void drain(struct handle *h)
{
    struct roam_event e;
    for (roam_client_next_event(&h->c, &e, kit_now); e.type != ROAM_EVENT_NONE;
         roam_client_next_event(&h->c, &e, kit_now)) {
        take_event(h, &e);
    }
}

/* ------------------------------------------------- what the kit asks for */

static struct handle *of(struct kit_handle *h)
{
    return (struct handle *)(void *)h;
}

static void connected(struct kit_handle *k, bool by_itself)
{
    roam_client_open(&of(k)->c, kit_now);
    if (by_itself) {
        log_in(of(k));
    }
}

static void lost(struct kit_handle *k)
{
    roam_client_closed(&of(k)->c, kit_now);
}

static void read_bytes(struct kit_handle *k, const uint8_t *in, size_t len)
{
    for (size_t at = 0; at < len && k->fd >= 0;) {
        ptrdiff_t n = roam_client_feed(&of(k)->c, in + at, len - at, kit_now);
        drain(of(k));
        at = n < 0 ? len : at + (size_t)n;
    }
}

static size_t pending(struct kit_handle *k, const uint8_t **bytes)
{
    struct roam_bytes out = roam_client_pending(&of(k)->c);
    *bytes = out.data;
    return out.len;
}

static void written(struct kit_handle *k, size_t len)
{
    roam_client_sent(&of(k)->c, len, kit_now);
}

static void tick(struct kit_handle *k)
{
    roam_client_tick(&of(k)->c, kit_now);
    drain(of(k));
}

static uint64_t due(const struct kit_handle *k)
{
    return roam_client_deadline_ms(
        &((const struct handle *)(const void *)k)->c);
}

static void tell_state(const struct kit_handle *k, json_t *answer)
{
    const struct store *s = ((const struct handle *)(const void *)k)->store;
    uint64_t unsent = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        unsent += s->items[i].client_msg_id != 0;
    }
    kit_set(answer, "cursor", s->cursor);
    kit_set(answer, "attempt", s->attempt);
    kit_set(answer, "unsent", unsent);
}

/* ----------------------------------------------------------------- verbs */

/* libroam keeps what it is given until it says so; here all of it stays. */
static void *keep(void *memory)
{
    struct kept {
        struct kept *before;
        void *memory;
    };
    static struct kept *last;
    struct kept *k = malloc(sizeof *k);
    *k = (struct kept){last, memory};
    last = k;
    return memory;
}

static struct store *find_store(const char *name)
{
    struct store *s = stores;
    while (s < stores + STORES - 1 && s->name && strcmp(s->name, name) != 0) {
        s++;
    }
    if (!s->name && getrandom(s->device_id, 16, 0) == 16) {
        s->name = strdup(name);
    }
    return s;
}

static void queue(struct handle *h, const struct roam_outbox_item *i)
{
    roam_client_send(&h->c, i->client_msg_id, i->kind, i->conversation,
                     i->content_type, i->body, kit_now);
    for (size_t k = 0; k < ITEMS; k++) {
        if (h->outbox[k].client_msg_id == i->client_msg_id) {
            h->outbox[k].first_sent_ms = i->first_sent_ms;
        }
    }
}

static size_t limit(const json_t *r, const char *key, size_t otherwise)
{
    uint64_t n = kit_number(r, key, otherwise);
    return n < BUFFER ? (size_t)n : BUFFER;
}

static enum roam_device_type type_of(const char *name)
{
    static const char *const names[] = {"PHONE", "TABLET", "DESKTOP",
                                        "WEB",   "WATCH",  "EMBEDDED"};
    int i = 0;
    while (i < 5 && strcmp(names[i], name) != 0) {
        i++;
    }
    return (enum roam_device_type)(i + 1);
}

static struct kit_handle *do_open(const json_t *r)
{
    struct handle *h = calloc(1, sizeof *h);
    struct roam_client_config config = {
        .user = keep(strdup(kit_text(r, "user"))),
        .token = keep(strdup(kit_text(r, "token"))),
        .device_type = type_of(kit_text(r, "device_type")),
        .device_name = "libroam",
        .max_entries = (uint32_t)kit_number(r, "max_entries", 10000),
        .max_unacked = (uint32_t)kit_number(r, "max_unacked", 100),
        .deflate = kit_number(r, "codecs", 2) & 2,
        .rx = h->rx,
        .rx_bytes = limit(r, "max_frame", 65536) + 4,
        .tx = h->tx,
        .tx_bytes = BUFFER,
        .inflated = h->inflated,
        .inflated_bytes = limit(r, "max_inflated", 65536),
        .outbox = h->outbox,
        .outbox_count = ITEMS};
    h->store = find_store(kit_text(r, "store"));
    h->manual = strcmp(kit_text(r, "ack"), "manual") == 0;
    config.cursor = h->store->cursor;
    memcpy(config.device_id, h->store->device_id, 16);
    (void)!getrandom(&config.random_seed, sizeof config.random_seed, 0);
    if (roam_client_init(&h->c, &config) != ROAM_STATUS_OK) {
        free(h);
        return NULL;
    }
    for (size_t i = 0; i < ITEMS; i++) {
        if (h->store->items[i].client_msg_id != 0) {
            queue(h, &h->store->items[i]);
        }
    }
    return &h->kit;
}

static const char *do_login(struct kit_handle *k, const json_t *r, json_t *a)
{
    (void)a;
    of(k)->take_over = kit_number(r, "take_over", 0);
    if (k->fd >= 0 || kit_connect(k, false)) {
        log_in(of(k));
    }
    return NULL;
}

static struct roam_bytes copy(const json_t *r, const char *key)
{
    const char *s = keep(strdup(kit_text(r, key)));
    return (struct roam_bytes){(const uint8_t *)s, strlen(s)};
}

static const char *do_send(struct kit_handle *k, const json_t *r, json_t *a)
{
    struct roam_outbox_item *i = of(k)->store->items;
    while (i < of(k)->store->items + ITEMS - 1 && i->client_msg_id != 0) {
        i++;
    }
    i->conversation = copy(r, "conversation");
    i->content_type = copy(r, "content_type");
    i->body.data = keep(kit_bytes(r, "body", &i->body.len));
    i->first_sent_ms = 0;
    i->kind = (enum roam_kind)kit_number(r, "kind", ROAM_KIND_MESSAGE);
    (void)!getrandom(&i->client_msg_id, 8, 0);
    kit_set(a, "client_msg_id", i->client_msg_id);
    queue(of(k), i);
    return NULL;
}

static const char *do_ack(struct kit_handle *k, const json_t *r, json_t *a)
{
    (void)a;
    return keep_cursor(of(k), kit_number(r, "version", 0)) ? "BAD_ARGUMENT"
                                                           : NULL;
}

static const char *do_history(struct kit_handle *k, const json_t *r, json_t *a)
{
    struct handle *h = of(k);
    const char *name = kit_text(r, "conversation");
    struct roam_bytes to = {(const uint8_t *)name, strlen(name)};
    uint64_t before = kit_number(r, "before", 0);
    uint64_t after = kit_number(r, "after", 0);
    uint32_t rows = (uint32_t)kit_number(r, "max_rows", 100);
    kit_set(a, "ref", ++h->ref);
    enum roam_status status =
        kit_true(r, "list") ? roam_client_conversations(&h->c, h->ref, before,
                                                        to, rows, kit_now)
                            : roam_client_history(&h->c, h->ref, to, before,
                                                  after, false, rows, kit_now);
    return status ? "BAD_STATE" : NULL;
}

static const char *do_drop(struct kit_handle *k, const json_t *r, json_t *a)
{
    (void)r, (void)a;
    kit_disconnect(k);
    return NULL;
}

/* When an item was first sent outlives the program: SEND-14. */
static void keep_times(struct handle *h)
{
    for (size_t i = 0; i < ITEMS * ITEMS; i++) {
        struct roam_outbox_item *kept = &h->store->items[i / ITEMS];
        if (kept->client_msg_id == h->outbox[i % ITEMS].client_msg_id) {
            kept->first_sent_ms = h->outbox[i % ITEMS].first_sent_ms;
        }
    }
}

static const char *do_close(struct kit_handle *k, const json_t *r, json_t *a)
{
    (void)a;
    if (kit_true(r, "logout")) {
        return roam_client_logout(&of(k)->c, kit_now) ? "BAD_STATE" : NULL;
    }
    keep_times(of(k));
    kit_forget(k);
    free(of(k));
    return NULL;
}

int main(void)
{
    static const char *const capabilities[] = {
        "ack", "history", "drop", "limits", "restart", "operations", NULL};
    static const struct kit_verb verbs[] = {
        {"login", do_login}, {"send", do_send},       {"ack", do_ack},
        {"drop", do_drop},   {"history", do_history}, {"close", do_close},
        {NULL, NULL}};
    static const struct kit_client client = {
        "libroam",  capabilities, verbs,   do_open, connected, lost,
        read_bytes, pending,      written, tick,    due,       tell_state};
    return kit_run(&client);
}
