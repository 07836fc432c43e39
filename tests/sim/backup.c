/* SPDX-License-Identifier: Apache-2.0 */
/* See backup.h. */
#include "backup.h"

#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "oracle.h"
#include "server.h"

/* Of the devices with the fault SLOW_APP. */
#define LAGS_PERMILLE 500u

/* ------------------------------------------------------------------- deeds */

static struct roam_slice keep_slice(struct roam_store_request *copy, size_t *at,
                                    struct roam_slice from)
{
    struct roam_slice to = {copy->memory + *at, from.len};
    if (from.len != 0) {
        memcpy(copy->memory + *at, from.data, from.len);
    }
    *at += from.len;
    return to;
}

/* As it was submitted: of the requests that write, SEND alone has memory. */
static struct roam_store_request *copy_request(
    const struct roam_store_request *req)
{
    size_t at = 0;
    size_t bytes = 0;
    if (req->kind == ROAM_STORE_SEND) {
        const struct roam_store_send *s = &req->u.send;
        bytes = s->conversation.len + s->content_type.len + s->body.len;
    }
    struct roam_store_request *copy = roam_store_request_new(req->kind, bytes);
    if (copy == NULL) {
        abort();
    }
    copy->u = req->u;
    if (req->kind == ROAM_STORE_SEND) {
        struct roam_store_send *s = &copy->u.send;
        s->conversation = keep_slice(copy, &at, s->conversation);
        s->content_type = keep_slice(copy, &at, s->content_type);
        s->body = keep_slice(copy, &at, s->body);
        s->operation = (struct roam_operation){0};
        (void)roam_operation_decode(s->kind, s->body, &s->operation);
    }
    return copy;
}

static bool keeps_deeds(const struct sim_world *w)
{
    return (w->faults & 1u << SIM_FAULT_RESTORE) != 0;
}

void sim_backup_note(struct sim_world *w, const struct sim_deed *deed)
{
    struct sim_backup *b = &w->server->backup;
    if (keeps_deeds(w)) {
        b->deeds =
            sim_grow(b->deeds, &b->deed_cap, b->deed_count, sizeof *b->deeds);
        b->deeds[b->deed_count++] = *deed;
    }
}

void sim_backup_note_request(struct sim_world *w,
                             const struct roam_store_request *req)
{
    if (keeps_deeds(w)) {
        const struct sim_deed deed = {.kind = SIM_DEED_REQUEST,
                                      .request = copy_request(req)};
        sim_backup_note(w, &deed);
    }
}

/* The deeds behind the first `count`. */
static void forget(struct sim_backup *b, size_t count)
{
    while (b->deed_count > count) {
        struct sim_deed *deed = &b->deeds[--b->deed_count];
        if (deed->request != NULL) {
            roam_store_request_free(deed->request);
        }
    }
}

/* ------------------------------------------------------------------ return */

static void on_done(struct roam_store_request *req)
{
    roam_store_request_free(req);
}

static void do_again(struct sim_world *w, struct roam_store *store,
                     const struct sim_deed *deed)
{
    struct roam_store_request *req;
    const char *user = sim_oracle_user_name(deed->user);
    bool done = true;
    switch (deed->kind) {
    case SIM_DEED_REQUEST:
        req = copy_request(deed->request);
        req->done = on_done;
        store->ops->submit(store, req);
        done = store->ops->poll(store) == ROAM_STORE_OK;
        break;
    case SIM_DEED_RESTART:
        roam_store_mem_restart(store, false);
        break;
    case SIM_DEED_TRIM:
        roam_store_mem_trim(store, user, deed->number);
        break;
    case SIM_DEED_TOKEN:
        done =
            roam_store_mem_add_token(store, user, deed->text, 0, deed->number);
        break;
    case SIM_DEED_NAME:
        done = roam_store_mem_name_user(store, user, deed->text);
        break;
    case SIM_DEED_BLOCK:
        done = roam_store_mem_block_user(
            store, user, sim_oracle_user_name(deed->other), deed->number != 0);
        break;
    case SIM_DEED_REVOKE:
        done = roam_store_mem_revoke_token(store, deed->text);
        break;
    }
    if (!done) {
        sim_fail(w, "store", "does not do again what it did");
    }
}

/* Whose cursor is of the lost past is told RESET when it comes back. */
static void mark_foreign(struct sim_world *w)
{
    for (uint32_t i = 0; i < SIM_DEVICES; i++) {
        struct sim_device *d = &w->devices[i];
        size_t number;
        bool lost =
            d->exists && !sim_oracle_find(w, d->user, d->disk.cursor, &number);
        d->disk.foreign = d->disk.foreign || lost;
    }
}

/* By the time that the server is back, nothing is under way any more. */
static void lose_the_rest(struct sim_world *w)
{
    for (uint32_t i = 0; i < w->link_count; i++) {
        if (w->links[i]->client_open && !w->links[i]->cut) {
            sim_link_break(w, w->links[i], true, false);
        }
    }
}

/* What a lagging device has from pages is newer than its cursor, which stays a
 * link. */
static void let_lag(struct sim_world *w, bool some)
{
    for (uint32_t i = 0; i < SIM_DEVICES; i++) {
        w->devices[i].lags = some && sim_rng_chance(&w->rng, LAGS_PERMILLE);
    }
}

void sim_backup_near(struct sim_world *w)
{
    let_lag(w, !w->calm && sim_fault_on(w, SIM_FAULT_SLOW_APP));
}

void sim_backup_take(struct sim_world *w)
{
    struct sim_backup *b = &w->server->backup;
    if (w->calm) {
        return;
    }
    sim_step(w, SIM_STEP_BACKED_UP, b->deed_count, 0, 0);
    b->place = b->deed_count;
    b->oracle = sim_oracle_copy(w);
}

void sim_backup_return(struct sim_world *w)
{
    struct sim_server *s = w->server;
    struct sim_backup *b = &s->backup;
    if (w->calm || b->oracle == NULL) {
        return;
    }
    sim_fault_happened(w, SIM_FAULT_RESTORE);
    if (s->up) {
        sim_server_die(w, false);
    }
    lose_the_rest(w);
    let_lag(w, false);
    sim_step(w, SIM_STEP_RESTORED, b->place, b->deed_count, 0);
    (void)sim_gate_die(&s->gate, false); /* the ends of its sessions */
    s->inner->ops->close(s->inner);
    sim_server_new_store(w, b->rng_state);
    for (size_t i = 0; i < b->place && !w->failed; i++) {
        do_again(w, s->inner, &b->deeds[i]);
    }
    /* Its luck is another from now on. [CHAIN-8] */
    s->rng.state = sim_rng_next(&w->rng);
    roam_store_mem_restart(s->inner, false);
    sim_oracle_return(w, b->oracle);
    forget(b, b->place);
    mark_foreign(w);
    sim_oracle_scan(w, true);
}

void sim_backup_free(struct sim_world *w)
{
    struct sim_backup *b = &w->server->backup;
    forget(b, 0);
    free(b->deeds);
    b->deeds = NULL;
}
