/* SPDX-License-Identifier: Apache-2.0 */
/* What a session has in the store. A session counts its requests, so that
 * it stays until the last is done: done() always has a session to look at,
 * be it dead. */
#include "session.h"

#include <stddef.h>

typedef void (*done_fn)(struct roam_session *s, struct roam_store_request *req);

static const done_fn done_fns[] = {
    [ROAM_STORE_LOGIN] = roam__login_done,
    [ROAM_STORE_LOGOUT] = roam__logout_done,
    [ROAM_STORE_SEND] = roam__send_done,
    [ROAM_STORE_SYNC] = roam__sync_done,
    [ROAM_STORE_READ] = roam__read_done,
    [ROAM_STORE_HISTORY] = roam__history_done,
    [ROAM_STORE_CONVERSATIONS] = roam__conversations_done,
    [ROAM_STORE_MEMBERS] = roam__members_done,
    [ROAM_STORE_SESSIONS] = roam__sessions_done,
    [ROAM_STORE_END_SESSION] = roam__end_session_done,
};

static bool is_write(const struct roam_store_request *req)
{
    return req->kind == ROAM_STORE_LOGIN || req->kind == ROAM_STORE_LOGOUT ||
           req->kind == ROAM_STORE_SEND || req->kind == ROAM_STORE_END_SESSION;
}

/* Its answer is packed, and counts among the readers': see turns.c. */
static bool is_reader(const struct roam_store_request *req)
{
    return req->kind == ROAM_STORE_READ || req->kind == ROAM_STORE_HISTORY ||
           req->kind == ROAM_STORE_CONVERSATIONS;
}

static void seen_done(struct roam_store_request *req)
{
    roam_store_request_free(req);
}

void roam__request_seen(struct roam_session *s)
{
    struct roam_store *store = s->core->config.store;
    struct roam_store_request *req = roam_store_request_new(ROAM_STORE_SEEN, 0);
    if (req != NULL) {
        req->done = seen_done;
        req->u.seen.identity = s->identity;
        req->u.seen.now_ms = roam__stored_now(s->core);
        store->ops->submit(store, req);
    }
}

static void done(struct roam_store_request *req)
{
    struct roam_session *s = req->owner;
    struct roam_core *core = s->core;
    bool reader = is_reader(req);
    s->requests--;
    s->writes -= is_write(req) ? 1 : 0;
    done_fns[req->kind](s, req);
    roam_store_request_free(req);
    if (s->deaf && s->writes == 0) { /* [KICK-10] */
        roam__session_end(s, roam_v1_KickReason_GOING_AWAY);
    }
    if (s->closed && s->requests == 0) {
        roam__session_free(s);
    }
    if (reader) {
        roam__turns_ended(core);
    }
}

struct roam_store_request *roam__request_new(struct roam_session *s,
                                             enum roam_store_kind kind,
                                             size_t extra)
{
    struct roam_store_request *req = roam_store_request_new(kind, extra);
    if (req == NULL) {
        roam__session_no_memory(s);
        return NULL;
    }
    req->done = done;
    req->owner = s;
    return req;
}

void roam__request_submit(struct roam_session *s,
                          struct roam_store_request *req)
{
    struct roam_store *store = s->core->config.store;
    s->requests++;
    s->writes += is_write(req) ? 1 : 0;
    if (is_reader(req)) {
        roam__turns_began(s->core);
    }
    store->ops->submit(store, req);
}

void roam__request_submit_or_hold(struct roam_session *s,
                                  struct roam_store_request *req)
{
    if (roam__session_is_full(s)) {
        s->held = req;
        roam__timers_update(s);
        return;
    }
    roam__request_submit(s, req);
}

void roam__request_release_held(struct roam_session *s)
{
    struct roam_store_request *req = s->held;
    if (req != NULL && !roam__session_is_full(s)) {
        s->held = NULL;
        roam__request_submit(s, req);
    }
}
