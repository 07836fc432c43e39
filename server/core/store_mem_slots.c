/* SPDX-License-Identifier: Apache-2.0 */
/* The memory store: credentials, devices, slots. Spec: section 5. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "fault.h"
#include "roam.pb.h"
#include "roam_limits.h"
#include "store_mem_tables.h"

/* ------------------------------------------------------------ credentials */

static struct roam__mem_token *find_token(const struct roam__mem_user *user,
                                          const char *text)
{
    struct roam__mem_token *token = user == NULL ? NULL : user->tokens;
    while (token != NULL &&
           (token->revoked != 0 || strcmp(token->text, text) != 0)) {
        token = token->next;
    }
    return token;
}

/* 0, or why the credential is no good: [LOGIN-8], [LOGIN-9], [DEV-1]. */
static uint32_t check_token(const struct roam__mem_token *token,
                            const struct roam_store_login *l)
{
    if (token == NULL) {
        return roam_v1_RefusedReason_CREDENTIAL;
    }
    if (token->expires_ms != 0 && l->now_ms >= token->expires_ms) {
        return roam_v1_RefusedReason_TOKEN_EXPIRED;
    }
    if (token->type != 0 && token->type != l->device_type) {
        return roam_v1_RefusedReason_TYPE_FORBIDDEN;
    }
    if (token->bound &&
        memcmp(token->device_id, l->device_id, sizeof token->device_id) != 0) {
        return roam_v1_RefusedReason_TOKEN_BOUND;
    }
    return 0;
}

/* ---------------------------------------------------------------- devices */

static struct roam__mem_device *find_device(const struct roam__mem_user *user,
                                            const struct roam_store_login *l)
{
    struct roam__mem_device *device = user->devices;
    while (device != NULL && (device->type != l->device_type ||
                              memcmp(device->device_id, l->device_id,
                                     sizeof device->device_id) != 0)) {
        device = device->next;
    }
    return device;
}

static struct roam__mem_device *device_by_id(const struct roam__mem_user *user,
                                             int64_t id)
{
    struct roam__mem_device *device = user->devices;
    while (device != NULL && device->id != id) {
        device = device->next;
    }
    return device;
}

static struct roam__mem_device *new_device(const struct roam__mem *mem,
                                           const struct roam_store_login *l)
{
    struct roam__mem_device *device = roam__alloc(sizeof *device);
    if (device != NULL) {
        device->id = mem->last_device + 1;
        device->type = l->device_type;
        memcpy(device->device_id, l->device_id, sizeof device->device_id);
    }
    return device;
}

/* Forgets the device that held the slot longest ago, when there are more
 * than ROAM_SLOT_DEVICES besides the holder. */
static void forget_oldest(struct roam__mem_user *user, uint32_t type,
                          int64_t holder)
{
    struct roam__mem_device *oldest = NULL;
    uint32_t count = 0;
    for (struct roam__mem_device *d = user->devices; d != NULL; d = d->next) {
        if (d->type != type || d->held == 0 || d->id == holder) {
            continue;
        }
        count++;
        if (oldest == NULL || d->held < oldest->held) {
            oldest = d;
        }
    }
    if (count > ROAM_SLOT_DEVICES) {
        oldest->held = 0;
    }
}

/* ------------------------------------------------------------------ login */

static void tell_slot(struct roam_store_login *l,
                      const struct roam__mem_user *user,
                      const struct roam_slot *slot)
{
    l->generation = slot->generation;
    const struct roam__mem_device *holder =
        slot->device == 0 ? NULL : device_by_id(user, slot->device);
    l->has_holder = holder != NULL;
    if (holder != NULL) {
        l->holder_type = holder->type;
        memcpy(l->holder_name, holder->name, sizeof l->holder_name);
        l->holder_since_ms = slot->since_ms;
    }
}

static void bind_token(struct roam__mem_token *token,
                       struct roam_store_login *l)
{
    token->bound = !ROAM_FAULT("token-unbound");
    memcpy(token->device_id, l->device_id, sizeof token->device_id);
    l->token_expires_ms = token->expires_ms;
    l->token_number = token->id;
}

/* Is the device, which has no row yet, one to tell its user of? Not the first
 * one, nor one that is known as a device of another type. [DEV-7] */
static bool is_news(const struct roam__mem *mem,
                    const struct roam__mem_user *user,
                    const struct roam_store_login *l)
{
    const struct roam__mem_device *device = user->devices;
    while (device != NULL && memcmp(device->device_id, l->device_id,
                                    sizeof device->device_id) != 0) {
        device = device->next;
    }
    bool has_other = user->devices != NULL || ROAM_FAULT("first-device-told");
    return mem->settings.announce_devices && has_other && device == NULL &&
           !ROAM_FAULT("device-untold");
}

static void grant(struct roam__mem *mem, struct roam__mem_user *user,
                  struct roam__mem_device *device, bool is_new,
                  struct roam_store_login *l)
{
    if (is_new) {
        mem->last_device = device->id;
        device->next = user->devices;
        user->devices = device;
    }
    memcpy(device->name, l->device_name, sizeof device->name);
    memcpy(device->software, l->software, sizeof device->software);
    user->seen_ms[l->device_type] = l->now_ms;
    device->held = ++mem->last_held;
    forget_oldest(user, device->type, device->id);
    const struct roam_slot *slot = &user->slots[l->device_type];
    l->identity = (struct roam_identity){user->id, device->id, l->device_type,
                                         slot->generation, slot->attempt};
    l->head = user->head;
    l->floor = user->floor;
    l->revocations = mem->revocations;
}

bool roam__mem_login(struct roam__mem *mem, struct roam_store_request *req)
{
    struct roam_store_login *l = &req->u.login;
    struct roam__mem_user *user = roam__mem_user(mem, l->user, strlen(l->user));
    struct roam__mem_token *token = find_token(user, l->token);
    l->refused = check_token(token, l);
    if (l->refused != 0 || l->only_check) {
        return true;
    }
    struct roam__mem_device *device = find_device(user, l);
    bool is_new = device == NULL;
    struct roam__mem_post news = {.mem = mem, .send = &l->news, .sender = user};
    if (is_new) {
        device = new_device(mem, l);
        if (device == NULL) {
            return false;
        }
        if (is_news(mem, user, l)) {
            roam_store_login_announce(l, user->id);
            if (!roam__mem_news_new(&news)) {
                free(device);
                return false;
            }
        }
    }
    struct roam_slot *slot = &user->slots[l->device_type];
    l->refused = roam_slot_login(slot, device->id, l->attempt, l->take_over,
                                 device->held != 0, l->now_ms);
    if (l->refused == 0) {
        if (news.message != NULL) {
            roam__mem_news_store(&news);
        }
        grant(mem, user, device, is_new, l);
        bind_token(token, l);
    } else if (is_new) {
        roam__mem_post_drop(&news);
        free(device);
    }
    tell_slot(l, user, slot);
    return true;
}

bool roam__mem_logout(struct roam__mem *mem, struct roam_store_request *req)
{
    struct roam_store_logout *l = &req->u.logout;
    struct roam__mem_user *user = roam__mem_user_by_id(mem, l->identity.user);
    struct roam_slot *slot = &user->slots[l->identity.device_type];
    l->fenced = !roam_slot_logout(slot, &l->identity);
    l->unheld = slot->device == 0;
    l->generation = slot->generation;
    if (!l->fenced) {
        device_by_id(user, l->identity.device)->held = 0; /* [LOGIN-13] */
    }
    return true;
}
