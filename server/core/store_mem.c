/* SPDX-License-Identifier: Apache-2.0 */
/* The memory store's shell: queue, commits, faults, provisioning. What the
 * requests do is in store_mem_slots.c, store_mem_timeline.c and
 * store_mem_pages.c. */
#include "store_mem.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "fault.h"
#include "store_mem_groups.h"
#include "store_mem_tables.h"

#define DEDUP_DEFAULT_MS (7ull * 86400 * 1000)

static struct roam__mem *mem_of(struct roam_store *store)
{
    return (struct roam__mem *)store; /* its first member */
}

/* ------------------------------------------------------------------ queue */

typedef bool (*carry_out_fn)(struct roam__mem *mem,
                             struct roam_store_request *req);

static const carry_out_fn carry_out_fns[] = {
    [ROAM_STORE_LOGIN] = roam__mem_login,
    [ROAM_STORE_LOGOUT] = roam__mem_logout,
    [ROAM_STORE_SEND] = roam__mem_send,
    [ROAM_STORE_SYNC] = roam__mem_sync,
    [ROAM_STORE_READ] = roam__mem_read,
    [ROAM_STORE_HISTORY] = roam__mem_history,
    [ROAM_STORE_CONVERSATIONS] = roam__mem_conversations,
    [ROAM_STORE_MEMBERS] = roam__mem_members,
    [ROAM_STORE_TRIM] = roam__mem_trim,
    [ROAM_STORE_SEEN] = roam__mem_seen,
    [ROAM_STORE_SESSIONS] = roam__mem_sessions,
    [ROAM_STORE_END_SESSION] = roam__mem_end_session,
    [ROAM_STORE_REVOKED] = roam__mem_revoked,
};

static bool carry_out(struct roam__mem *mem, struct roam_store_request *req)
{
    return carry_out_fns[req->kind](mem, req);
}

static bool is_write(const struct roam_store_request *req)
{
    return req->kind == ROAM_STORE_LOGIN || req->kind == ROAM_STORE_LOGOUT ||
           req->kind == ROAM_STORE_SEND || req->kind == ROAM_STORE_TRIM ||
           req->kind == ROAM_STORE_SEEN || req->kind == ROAM_STORE_END_SESSION;
}

static void mem_submit(struct roam_store *self, struct roam_store_request *req)
{
    struct roam__mem *mem = mem_of(self);
    req->next = NULL;
    if (mem->last != NULL) {
        mem->last->next = req;
    } else {
        mem->first = req;
    }
    mem->last = req;
}

static void free_queue(struct roam__mem *mem)
{
    while (mem->first != NULL) {
        struct roam_store_request *req = mem->first;
        mem->first = req->next;
        roam_store_request_free(req);
    }
    mem->last = NULL;
}

/* Carries out the writes that are queued, and answers none. */
static void commit_queue(struct roam__mem *mem)
{
    for (struct roam_store_request *r = mem->first; r != NULL; r = r->next) {
        if (is_write(r)) {
            (void)carry_out(mem, r);
        }
    }
}

/* From now on nothing is answered. */
static void fail(struct roam__mem *mem)
{
    mem->failed = true;
    if (mem->fail_next && mem->fail_committed) {
        commit_queue(mem);
    }
    mem->fail_next = false;
    free_queue(mem);
}

static enum roam_store_status mem_poll(struct roam_store *self)
{
    struct roam__mem *mem = mem_of(self);
    /* What done() submits is for the next poll. */
    struct roam_store_request *last = mem->last;
    while (!mem->failed && last != NULL) {
        struct roam_store_request *req = mem->first;
        bool stop = is_write(req) && mem->fail_next;
        if (stop || (!carry_out(mem, req) && is_write(req))) {
            fail(mem);
            break;
        }
        mem->first = req->next;
        mem->last = mem->first == NULL ? NULL : mem->last;
        bool was_last = req == last;
        req->next = NULL;
        req->done(req);
        if (was_last) {
            break;
        }
    }
    return mem->failed ? ROAM_STORE_FAILED : ROAM_STORE_OK;
}

/* ------------------------------------------------------------------ close */

static void free_state(struct roam__mem_user *user)
{
    while (user->marks != NULL) {
        struct roam__mem_mark *mark = user->marks;
        user->marks = mark->next;
        free(mark);
    }
    while (user->deletions != NULL) {
        struct roam__mem_deletion *deletion = user->deletions;
        user->deletions = deletion->next;
        free(deletion);
    }
    while (user->blocks != NULL) {
        struct roam__mem_block *block = user->blocks;
        user->blocks = block->next;
        free(block);
    }
}

static void free_user(struct roam__mem_user *user)
{
    while (user->devices != NULL) {
        struct roam__mem_device *device = user->devices;
        user->devices = device->next;
        free(device);
    }
    while (user->tokens != NULL) {
        struct roam__mem_token *token = user->tokens;
        user->tokens = token->next;
        free(token);
    }
    while (user->pairs != NULL) {
        struct roam__mem_pair *pair = user->pairs;
        user->pairs = pair->next;
        free(pair);
    }
    free_state(user);
    roam__mem_titles_free(user);
    free(user->entries);
    free(user);
}

static void mem_close(struct roam_store *self)
{
    struct roam__mem *mem = mem_of(self);
    free_queue(mem);
    while (mem->users != NULL) {
        struct roam__mem_user *user = mem->users;
        mem->users = user->next;
        free_user(user);
    }
    while (mem->messages != NULL) {
        struct roam__mem_message *message = mem->messages;
        mem->messages = message->next;
        roam__mem_message_free(message);
    }
    roam__mem_groups_free(mem);
    free(mem);
}

static const struct roam_store_ops mem_ops = {mem_submit, mem_poll, mem_close};

struct roam_store *roam_store_mem_new(roam_random_fn random, void *ctx)
{
    struct roam__mem *mem = roam__alloc(sizeof *mem);
    if (mem == NULL) {
        return NULL;
    }
    mem->store.ops = &mem_ops;
    mem->random = random;
    mem->random_ctx = ctx;
    mem->keep.dedup_ms = DEDUP_DEFAULT_MS;
    return &mem->store;
}

void roam_store_mem_set_dedup(struct roam_store *store, uint64_t dedup_ms)
{
    mem_of(store)->keep.dedup_ms = dedup_ms;
}

void roam_store_mem_set_keep(struct roam_store *store,
                             const struct roam_store_keep *keep)
{
    mem_of(store)->keep = *keep;
}

void roam_store_mem_set_settings(struct roam_store *store,
                                 const struct roam_store_settings *settings)
{
    mem_of(store)->settings = *settings;
}

/* ----------------------------------------------------------------- faults */

void roam_store_mem_restart(struct roam_store *store, bool commit_first)
{
    struct roam__mem *mem = mem_of(store);
    if (commit_first) {
        commit_queue(mem);
    }
    free_queue(mem);
    if (ROAM_FAULT("commit-late")) {
        roam__mem_forget_newest(mem);
    }
    mem->failed = false;
    mem->fail_next = false;
    for (struct roam__mem_user *u = mem->users; u != NULL; u = u->next) {
        u->started = false;
    }
}

void roam_store_mem_fail_next(struct roam_store *store, bool committed)
{
    struct roam__mem *mem = mem_of(store);
    mem->fail_next = true;
    mem->fail_committed = committed;
}

/* ----------------------------------------------------------- provisioning */

struct roam__mem_user *roam__mem_user(const struct roam__mem *mem,
                                      const char *name, size_t len)
{
    struct roam__mem_user *user = mem->users;
    while (user != NULL &&
           (strlen(user->name) != len || memcmp(user->name, name, len) != 0)) {
        user = user->next;
    }
    return user;
}

struct roam__mem_user *roam__mem_user_by_id(const struct roam__mem *mem,
                                            int64_t id)
{
    struct roam__mem_user *user = mem->users;
    while (user != NULL && user->id != id) {
        user = user->next;
    }
    return user;
}

bool roam_store_mem_add_user(struct roam_store *store, const char *name)
{
    struct roam__mem *mem = mem_of(store);
    size_t len = strlen(name);
    if (len == 0 || len > ROAM_USER_MAX || name[0] == '#' ||
        roam__mem_user(mem, name, len) != NULL) {
        return false;
    }
    struct roam__mem_user *user = roam__alloc(sizeof *user);
    if (user == NULL) {
        return false;
    }
    user->id = ++mem->last_user;
    memcpy(user->name, name, len);
    user->next = mem->users;
    mem->users = user;
    return true;
}

bool roam_store_mem_name_user(struct roam_store *store, const char *user,
                              const char *name)
{
    struct roam__mem_user *u =
        roam__mem_user(mem_of(store), user, strlen(user));
    size_t len = strlen(name);
    if (u == NULL || len > ROAM_NAME_MAX) {
        return false;
    }
    struct roam__mem_title *title =
        roam__mem_title_new((struct roam_slice){(const uint8_t *)name, len});
    roam__mem_title_set(u, title);
    return title != NULL;
}

bool roam_store_mem_block_user(struct roam_store *store, const char *user,
                               const char *other, bool blocked)
{
    struct roam__mem *mem = mem_of(store);
    struct roam__mem_user *u = roam__mem_user(mem, user, strlen(user));
    const struct roam__mem_user *o = roam__mem_user(mem, other, strlen(other));
    if (u == NULL || o == NULL) {
        return false;
    }
    struct roam__mem_block *block = u->blocks;
    while (block != NULL && block->other != o) {
        block = block->next;
    }
    if (block == NULL) {
        block = roam__alloc(sizeof *block);
        if (block == NULL) {
            return false;
        }
        block->other = o;
        block->next = u->blocks;
        u->blocks = block;
    }
    block->lifted = !blocked;
    return true;
}

bool roam_store_mem_add_token(struct roam_store *store, const char *name,
                              const char *text, uint32_t device_type,
                              uint64_t expires_ms)
{
    struct roam__mem_user *user =
        roam__mem_user(mem_of(store), name, strlen(name));
    size_t len = strlen(text);
    if (user == NULL || len == 0 || len > ROAM_TOKEN_MAX) {
        return false;
    }
    struct roam__mem_token *token = roam__alloc(sizeof *token);
    if (token == NULL) {
        return false;
    }
    memcpy(token->text, text, len);
    token->type = device_type;
    token->expires_ms = expires_ms;
    token->id = ++mem_of(store)->last_token;
    token->next = user->tokens;
    user->tokens = token;
    return true;
}

bool roam_store_mem_revoke_token(struct roam_store *store, const char *text)
{
    bool found = false;
    for (struct roam__mem_user *u = mem_of(store)->users; u != NULL;
         u = u->next) {
        for (struct roam__mem_token *t = u->tokens; t != NULL; t = t->next) {
            if (strcmp(t->text, text) == 0) {
                t->revoked =
                    t->revoked != 0 ? t->revoked : ++mem_of(store)->revocations;
                found = true;
            }
        }
    }
    return found;
}
