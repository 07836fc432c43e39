/* SPDX-License-Identifier: Apache-2.0 */
/* The memory store: timelines, and what a cursor means. Spec: section 6. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "roam.pb.h"
#include "store_mem_tables.h"

struct roam_slice roam__mem_name(const struct roam__mem_user *user)
{
    return (struct roam_slice){(const uint8_t *)user->name, strlen(user->name)};
}

/* Index of the first retained entry above version. */
static size_t first_above(const struct roam__mem_user *user, uint64_t version)
{
    size_t low = 0;
    size_t high = user->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (user->entries[mid].version <= version) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static bool is_link(const struct roam__mem_user *user, uint64_t version)
{
    size_t above = first_above(user, version);
    return version == user->floor ||
           (above > 0 && user->entries[above - 1].version == version);
}

bool roam__mem_sync(struct roam__mem *mem, struct roam_store_request *req)
{
    struct roam_store_sync *sync = &req->u.sync;
    const struct roam__mem_user *user = roam__mem_user_by_id(mem, sync->user);
    sync->is_link = sync->cursor <= sync->head && is_link(user, sync->cursor);
    sync->floor = user->floor;
    size_t from = first_above(user, sync->cursor);
    size_t to = first_above(user, sync->head);
    sync->too_many = to > from && to - from > sync->max_entries;
    return true;
}

const struct roam__mem_user *roam__mem_peer(const struct roam__mem_message *m,
                                            const struct roam__mem_user *user)
{
    return m->receiver->group != NULL ? m->receiver
           : m->sender == user        ? m->receiver
           : m->receiver == user      ? m->sender
                                      : NULL;
}

void roam__mem_show(struct roam_entry *out, const struct roam__mem_message *m,
                    const struct roam__mem_user *user, int64_t device,
                    uint32_t body_limit)
{
    bool own = m->device == device;
    *out = (struct roam_entry){0};
    out->kind = m->kind;
    out->msg_id = m->msg_id;
    out->client_msg_id = own ? m->client_msg_id : 0; /* [PUSH-4] */
    out->sender = roam__mem_name(m->sender);
    out->sender_name = roam__mem_title(m->sender);
    const struct roam__mem_user *peer = roam__mem_peer(m, user);
    out->conversation = roam__mem_name(peer);
    out->conversation_name = roam__mem_title(peer);
    out->recalled = m->undone_by != 0 && m->kind == roam_v1_Kind_MESSAGE;
    if (out->recalled) { /* [OP-3] */
        return;
    }
    out->content_type = m->content_type;
    if (m->body.len > body_limit) { /* [BATCH-4] */
        out->cut_size = (uint32_t)m->body.len;
    } else {
        out->body = m->body;
    }
}

static void show(struct roam_entry *out, const struct roam__mem_entry *entry,
                 const struct roam__mem_user *user,
                 const struct roam_store_read *read)
{
    const struct roam__mem_message *m = entry->message;
    bool own = m->device == read->device && m->generation == read->generation &&
               m->attempt == read->attempt;
    bool is_void = m->kind == roam_v1_Kind_READ && m->undone_by != 0;
    *out = (struct roam_entry){0};
    if (own || is_void || m->erased) { /* [PUSH-2], [OP-5], [KEEP-6] */
        out->kind = roam_v1_Kind_NOOP;
    } else {
        roam__mem_show(out, m, user, read->device, read->body_limit);
    }
    out->version = entry->version;
    out->prev_version = entry->prev_version;
}

/* Without memory the request is answered with no entries. */
bool roam__mem_read(struct roam__mem *mem, struct roam_store_request *req)
{
    struct roam_store_read *read = &req->u.read;
    const struct roam__mem_user *user = roam__mem_user_by_id(mem, read->user);
    read->is_link = is_link(user, read->after);
    size_t from = first_above(user, read->after);
    size_t to = first_above(user, read->upto);
    if (!read->is_link || from >= to || read->max_count == 0) {
        return true;
    }
    size_t count = to - from < read->max_count ? to - from : read->max_count;
    read->entries = roam__alloc(count * sizeof *read->entries);
    if (read->entries == NULL) {
        return true;
    }
    size_t bytes = 0;
    while (read->count < count) {
        struct roam_entry *e = &read->entries[read->count];
        show(e, &user->entries[from + read->count], user, read);
        bytes += e->body.len;
        if (bytes > read->max_bytes && read->count > 0) {
            break;
        }
        read->count++;
    }
    return true;
}

/* --------------------------------------------------------------- checkers */

void roam_store_mem_walk(struct roam_store *store, const char *name,
                         roam_store_mem_entry_fn fn, void *ctx)
{
    struct roam__mem *mem = (struct roam__mem *)store;
    const struct roam__mem_user *user = roam__mem_user(mem, name, strlen(name));
    /* Of no device: what no session sent has device 0. */
    struct roam_store_read nobody = {.device = -1, .body_limit = UINT32_MAX};
    for (size_t i = 0; user != NULL && i < user->count; i++) {
        struct roam_entry e;
        show(&e, &user->entries[i], user, &nobody);
        fn(ctx, &e);
    }
}

/* Takes the message off the end of a timeline. */
static void cut_end(struct roam__mem_user *user,
                    const struct roam__mem_message *m)
{
    if (user->count > 0 && user->entries[user->count - 1].message == m) {
        user->count--;
        user->head = user->entries[user->count].prev_version;
    }
}

void roam__mem_message_free(struct roam__mem_message *m)
{
    while (m != NULL && m->viewers != NULL) {
        struct roam__mem_viewer *viewer = m->viewers;
        m->viewers = viewer->next;
        free(viewer);
    }
    free(m);
}

/* Nothing is behind the newest message, so no operation has it for target. A
 * group's stays. */
void roam__mem_forget_newest(struct roam__mem *mem)
{
    struct roam__mem_message *m = mem->messages;
    if (m == NULL || m->kind != roam_v1_Kind_MESSAGE ||
        m->receiver->group != NULL) {
        return;
    }
    cut_end(m->sender, m);
    cut_end(m->receiver, m);
    mem->messages = m->next;
    struct roam__mem_message **bucket = roam__mem_bucket(mem, m->client_msg_id);
    *bucket = m->next_same; /* the newest is in front */
    roam__mem_message_free(m);
}
