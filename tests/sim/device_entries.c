/* SPDX-License-Identifier: Apache-2.0 */
/* The entries and the RESETs that the engine hands to its app, and what must be
 * true of them. */
#include <inttypes.h>
#include <string.h>

#include "device.h"
#include "operation.h"
#include "roam.pb.h"

static const struct sim_message *mine(const struct sim_device *d,
                                      const struct sim_message *m)
{
    for (size_t i = d->disk.mine_count; i-- > 0;) {
        if (d->disk.mine[i] == m) {
            return m;
        }
    }
    return NULL;
}

static void unsaved_add(struct sim_world *w, struct sim_device *d,
                        const struct sim_unsaved *u)
{
    d->unsaved = sim_grow(d->unsaved, &d->unsaved_cap, d->unsaved_count,
                          sizeof *d->unsaved);
    d->unsaved[d->unsaved_count++] = *u;
    d->handed = u->entry.version;
    sim_device_store_soon(w, d);
}

void sim_device_on_reset(struct sim_world *w, struct sim_device *d,
                         const struct roam_event *ev)
{
    sim_step(w, SIM_STEP_RESET, d->index, ev->u.reset.head, ev->u.reset.reason);
    w->resets++;
    d->unsaved_at = d->unsaved_count; /* what lies before it is void */
    struct sim_unsaved u = {.is_reset = true};
    u.entry.version = ev->u.reset.head;
    unsaved_add(w, d, &u);
    sim_pull_reset_told(d);
}

/* What an operation says; false: it was cut, or is none. */
static bool read_operation(const struct roam_entry_event *e,
                           struct roam_operation *op)
{
    struct roam_slice body = {e->body.data, e->body.len};
    return roam_kind_is_operation(e->kind) && e->cut_size == 0 &&
           roam_operation_decode(e->kind, body, op);
}

/* Of a change of a group, what an app keeps of it. */
static const struct sim_change *change_from(struct sim_world *w,
                                            const struct roam_entry_event *e)
{
    struct roam_operation op;
    struct roam_slice user;
    if (e->kind != ROAM_KIND_GROUP || !read_operation(e, &op)) {
        return NULL;
    }
    struct sim_change *c = sim_alloc(w, sizeof *c + op.name.len);
    c->action = op.action;
    c->join = op.join;
    if (op.name.len != 0) {
        memcpy(c + 1, op.name.data, op.name.len);
    }
    c->name = (struct roam_bytes){(const uint8_t *)(c + 1), op.name.len};
    while (roam_user_list_next(&op.users, &user)) {
        struct roam_bytes name = {user.data, user.len};
        c->users |= 1u << sim_oracle_user(name);
    }
    return c;
}

struct sim_stored sim_stored_from(const struct sim_world *w,
                                  const struct roam_entry_event *e)
{
    struct sim_stored s = {.version = e->version,
                           .prev_version = e->prev_version,
                           .msg_id = e->msg_id,
                           .kind = e->kind | (e->recalled ? SIM_RECALLED : 0),
                           .cut_size = e->cut_size};
    if (e->kind != ROAM_KIND_NOOP) {
        struct roam_operation op = {0};
        (void)read_operation(e, &op);
        s.target = op.msg_id;
        s.from = sim_oracle_user(e->sender);
        s.conversation = sim_oracle_party(w, e->conversation);
        s.content = sim_hash(0, e->conversation.data, e->conversation.len);
        s.content = sim_hash(s.content, e->sender.data, e->sender.len);
        s.content =
            sim_hash(s.content, e->content_type.data, e->content_type.len);
        s.content = sim_hash(s.content, e->body.data, e->body.len);
    }
    return s;
}

void sim_device_check_names(struct sim_world *w, const struct sim_device *d,
                            const struct roam_entry_event *e)
{
    struct roam_slice names[] = {
        {e->sender_name.data, e->sender_name.len},
        {e->conversation_name.data, e->conversation_name.len}};
    uint32_t parties[] = {sim_oracle_user(e->sender),
                          sim_oracle_party(w, e->conversation)};
    for (size_t i = 0; e->kind != ROAM_KIND_NOOP && i < 2; i++) {
        if (parties[i] < SIM_PARTIES &&
            !sim_oracle_was_named(w, parties[i], names[i], 0)) {
            sim_fail(w, "PUSH-8", "%s reads %.*s for %" PRIu32, d->name,
                     (int)names[i].len, (const char *)names[i].data,
                     parties[i]);
        }
    }
}

static void check_entry(struct sim_world *w, struct sim_device *d,
                        const struct sim_stored *s, uint64_t client_msg_id)
{
    size_t number = 0;
    if (!sim_oracle_find(w, d->user, s->version, &number) || number == 0) {
        sim_fail(w, "PUSH-5", "%s gets entry %" PRIu64 " that is not stored",
                 d->name, s->version);
        return;
    }
    const struct sim_line *line = sim_oracle_line(w, d->user, number);
    if (s->prev_version != d->handed || line->prev_version != d->handed) {
        sim_fail(w, "CHAIN-4",
                 "%s at %" PRIu64 " gets entry %" PRIu64 " behind %" PRIu64,
                 d->name, d->handed, s->version, s->prev_version);
    }
    if (s->kind == ROAM_KIND_NOOP) {
        if (mine(d, line->message) == NULL &&
            !sim_oracle_is_void(line->message)) {
            sim_fail(w, "PUSH-2", "%s gets a NOOP for what it has not",
                     d->name);
        }
        return;
    }
    size_t limit = sim_body_limit(d->config.rx_bytes - ROAM_FRAME_HEADER_BYTES,
                                  d->config.inflated_bytes);
    if (!sim_stored_fits(w, s, line, d->user, limit)) {
        sim_fail(w, "PUSH-6", "%s: entry %" PRIu64 " is not what was sent",
                 d->name, s->version);
    }
    if (client_msg_id != 0 && client_msg_id != line->message->client_msg_id) {
        sim_fail(w, "PUSH-4", "%s: entry %" PRIu64 " has another's id", d->name,
                 s->version);
    }
}

void sim_device_on_entry(struct sim_world *w, struct sim_device *d,
                         const struct roam_entry_event *e)
{
    sim_step(w, SIM_STEP_ENTRY, d->index, e->version, e->prev_version);
    struct sim_unsaved u = {false, sim_stored_from(w, e), change_from(w, e)};
    sim_device_check_names(w, d, e);
    check_entry(w, d, &u.entry, e->client_msg_id);
    unsaved_add(w, d, &u);
}
