/* SPDX-License-Identifier: Apache-2.0 */
/* The memory store: a user's sessions, how one ends another, and tokens that
 * are good no more. Spec: section 5.3. */
#include <string.h>

#include "alloc.h"
#include "store_mem_tables.h"

static const struct roam__mem_device *holder_of(
    const struct roam__mem_user *user, uint32_t type)
{
    const struct roam__mem_device *device = user->devices;
    while (device != NULL && device->id != user->slots[type].device) {
        device = device->next;
    }
    return device;
}

bool roam__mem_seen(struct roam__mem *mem, struct roam_store_request *req)
{
    const struct roam_identity *who = &req->u.seen.identity;
    struct roam__mem_user *user = roam__mem_user_by_id(mem, who->user);
    if (roam_slot_holds(&user->slots[who->device_type], who)) {
        user->seen_ms[who->device_type] = req->u.seen.now_ms;
    }
    return true;
}

bool roam__mem_sessions(struct roam__mem *mem, struct roam_store_request *req)
{
    struct roam_store_sessions *list = &req->u.sessions;
    const struct roam__mem_user *user = roam__mem_user_by_id(mem, list->user);
    list->rows = roam__alloc(ROAM__MEM_TYPES * sizeof *list->rows);
    for (uint32_t type = 1; list->rows != NULL && type < ROAM__MEM_TYPES;
         type++) {
        const struct roam_slot *slot = &user->slots[type];
        const struct roam__mem_device *device = holder_of(user, type);
        if (device == NULL) {
            continue;
        }
        struct roam_store_session *row = &list->rows[list->count++];
        row->type = type;
        memcpy(row->name, device->name, sizeof row->name);
        memcpy(row->software, device->software, sizeof row->software);
        row->since_ms = slot->since_ms;
        row->seen_ms = user->seen_ms[type];
        row->generation = slot->generation;
    }
    return true;
}

static void revoke_tokens(struct roam__mem *mem, struct roam__mem_user *user,
                          const struct roam__mem_device *device)
{
    for (struct roam__mem_token *t = user->tokens; t != NULL; t = t->next) {
        if (t->bound && t->revoked == 0 &&
            memcmp(t->device_id, device->device_id, sizeof t->device_id) == 0) {
            t->revoked = ++mem->revocations;
        }
    }
}

bool roam__mem_end_session(struct roam__mem *mem,
                           struct roam_store_request *req)
{
    struct roam_store_end_session *end = &req->u.end_session;
    const struct roam_identity *who = &end->identity;
    struct roam__mem_user *user = roam__mem_user_by_id(mem, who->user);
    if (!roam_slot_holds(&user->slots[who->device_type], who)) {
        end->result = ROAM_END_FENCED;
        end->unheld = user->slots[who->device_type].device == 0;
        return true;
    }
    const struct roam__mem_device *device = holder_of(user, end->device_type);
    struct roam_slot *slot = &user->slots[end->device_type];
    if (!roam_slot_end(slot, end->generation)) {
        end->result = ROAM_END_NO_DEVICE;
        return true;
    }
    end->result = ROAM_END_DONE;
    revoke_tokens(mem, user, device);
    return true;
}

static void gather(const struct roam__mem *mem, uint64_t place,
                   struct roam_store_revoked *out)
{
    for (const struct roam__mem_user *u = mem->users; u != NULL; u = u->next) {
        for (const struct roam__mem_token *t = u->tokens; t != NULL;
             t = t->next) {
            if (t->revoked == place) {
                out->rows[out->count++] =
                    (struct roam_store_revocation){u->id, t->id};
            }
        }
    }
}

bool roam__mem_revoked(struct roam__mem *mem, struct roam_store_request *req)
{
    struct roam_store_revoked *r = &req->u.revoked;
    r->upto = r->after;
    while (r->upto < mem->revocations && r->count < ROAM_STORE_REVOKED_MAX) {
        gather(mem, ++r->upto, r);
    }
    r->more = r->upto < mem->revocations;
    return true;
}
