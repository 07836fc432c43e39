/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine says becomes transactions and events. */
#include <stdio.h>
#include <string.h>

#include "driver.h"

/* ---------------------------------------------------------------- failure */

void roam__posix_fail(struct roam_posix *p, enum roam_posix_status status,
                      const char *detail)
{
    if (p->failure != ROAM_POSIX_STATUS_OK) {
        return;
    }
    p->failure = status;
    snprintf(p->failure_detail, sizeof p->failure_detail, "%s", detail);
    roam_local_rollback(p->store);
    roam_events_rollback(&p->events);
    p->gathered = 0;
}

bool roam__posix_stored(struct roam_posix *p, enum roam_posix_status status)
{
    if (status != ROAM_POSIX_STATUS_OK) {
        roam__posix_fail(p, status, roam_local_error(p->store));
    }
    return status == ROAM_POSIX_STATUS_OK;
}

void roam__posix_tell(struct roam_posix *p,
                      const struct roam_posix_event *event, void *bytes)
{
    if (!roam_events_add(&p->events, event, bytes)) {
        roam__posix_fail(p, ROAM_POSIX_STATUS_MEMORY, "event");
    }
}

void roam__posix_tell_simple(struct roam_posix *p,
                             enum roam_posix_event_type type)
{
    struct roam_posix_event event;
    memset(&event, 0, sizeof event);
    event.type = type;
    roam__posix_tell(p, &event, NULL);
}

void roam__posix_tell_engine(struct roam_posix *p, const struct roam_event *e)
{
    struct roam_posix_event event;
    memset(&event, 0, sizeof event);
    event.type = ROAM_POSIX_PROTOCOL;
    event.u.engine = *e;
    roam__posix_tell(p, &event, NULL);
}

/* ------------------------------------------------------------------ login */

void roam__posix_log_in(struct roam_posix *p)
{
    uint64_t attempt = 0;
    uint64_t take_over = p->take_over;
    p->take_over = 0; /* one act, one LOGIN: LOGIN-3 */
    p->logging_in = true;
    if (!roam__posix_stored(p, roam_local_next_attempt(p->store, &attempt))) {
        return;
    }
    if (roam_client_login(&p->client, attempt, take_over,
                          roam__posix_now_ms(p)) != ROAM_STATUS_OK) {
        /* That generation was named before: nobody can win with it. */
        (void)roam_client_login(&p->client, attempt, 0, roam__posix_now_ms(p));
    }
}

/* LOGIN-17. A server that says STALE to one fresh id after the other makes no
 * sense: in the end it is told to the person like any refusal, who may find
 * yet another id when trying again. */
static void become_new_device(struct roam_posix *p,
                              const struct roam_event *refused)
{
    struct roam_local_device device;
    struct roam_posix_event event;
    if (!roam__posix_stored(p, roam_local_new_device(p->store))) {
        return;
    }
    roam_local_device(p->store, &device);
    (void)roam_client_set_device_id(&p->client, device.device_id);
    if (++p->new_devices > ROAM_POSIX_NEW_DEVICES_MAX) {
        roam__posix_tell_engine(p, refused);
        return;
    }
    memset(&event, 0, sizeof event);
    event.type = ROAM_POSIX_NEW_DEVICE;
    event.u.engine = *refused;
    roam__posix_tell(p, &event, NULL);
    roam__posix_log_in(p);
}

/* ----------------------------------------------------------------- events */

static void take_entry(struct roam_posix *p, const struct roam_event *e)
{
    struct roam_local_device device;
    roam_local_device(p->store, &device);
    bool again = p->config.says_stored && e->u.entry.version <= device.cursor;
    if (!again &&
        !roam__posix_stored(p, roam_local_add_entry(p->store, &e->u.entry))) {
        return;
    }
    if (!p->config.says_stored) {
        p->gathered = e->u.entry.version;
    }
    roam_meter_entry(&p->meter, &e->u.entry);
    roam__posix_tell_engine(p, e);
}

static void take_reset(struct roam_posix *p, const struct roam_event *e)
{
    if (roam__posix_stored(p, roam_local_add_reset(p->store, e->u.reset.head,
                                                   roam__posix_unix_ms(p)))) {
        p->gathered = e->u.reset.head;
        p->pages.superseded = true;
        roam__posix_tell_engine(p, e);
    }
}

static void take_close(struct roam_posix *p, const struct roam_event *e)
{
    p->close.wanted = true;
    p->close.status = e->u.close.status;
    p->close.reconnect = e->u.close.reconnect;
    p->close.reconnect_at_ms = e->u.close.reconnect_at_ms;
}

static void take_event(struct roam_posix *p, const struct roam_event *e)
{
    switch (e->type) {
    case ROAM_EVENT_NONE:
        break;
    case ROAM_EVENT_LOGGED_IN:
        p->new_devices = 0;
        p->logging_in = false;
        if (roam__posix_stored(
                p, roam_local_set_dedup(p->store, e->u.logged_in.dedup_ms)) &&
            roam__posix_stored(
                p, roam_local_head_told(p->store, e->u.logged_in.head))) {
            roam__posix_tell_engine(p, e);
        }
        break;
    case ROAM_EVENT_REFUSED:
        p->logging_in = false;
        if (e->u.refused.reason == ROAM_REFUSED_STALE) {
            become_new_device(p, e);
        } else {
            roam__posix_tell_engine(p, e);
        }
        break;
    case ROAM_EVENT_RESET:
        take_reset(p, e);
        break;
    case ROAM_EVENT_ENTRY:
        take_entry(p, e);
        break;
    case ROAM_EVENT_SENT:
        roam__posix_answered(p, e, e->u.sent.client_msg_id);
        break;
    case ROAM_EVENT_SEND_FAILED:
        roam__posix_answered(p, e, e->u.send_failed.client_msg_id);
        break;
    case ROAM_EVENT_PAGE_ROW:
    case ROAM_EVENT_MEMBER:
    case ROAM_EVENT_SESSION:
    case ROAM_EVENT_PAGE_END:
    case ROAM_EVENT_PAGE_FAILED:
        if (!roam__posix_answer(p, e)) {
            roam__posix_page(p, e);
        }
        break;
    case ROAM_EVENT_SYNCED:
        p->pages.synced = true;
        /* "From now on" was for the first time. */
        roam_client_set_max_entries(&p->client, roam__posix_max_entries(p));
        roam__posix_tell_engine(p, e);
        break;
    case ROAM_EVENT_KICKED:
        roam__posix_tell_engine(p, e);
        break;
    case ROAM_EVENT_CLOSE:
        take_close(p, e);
        break;
    }
}

void roam__posix_drain(struct roam_posix *p)
{
    for (;;) {
        struct roam_event e;
        roam_client_next_event(&p->client, &e, roam__posix_now_ms(p));
        if (e.type == ROAM_EVENT_NONE) {
            return;
        }
        if (p->failure == ROAM_POSIX_STATUS_OK) {
            take_event(p, &e);
        } else if (e.type == ROAM_EVENT_CLOSE) {
            take_close(p, &e);
        }
    }
}

void roam__posix_settle(struct roam_posix *p)
{
    for (;;) {
        roam__posix_drain(p);
        if (p->failure == ROAM_POSIX_STATUS_OK &&
            roam__posix_stored(p, roam_local_commit(p->store))) {
            roam_events_commit(&p->events);
        }
        if (p->gathered == 0) {
            return;
        }
        (void)roam_client_stored(&p->client, p->gathered,
                                 roam__posix_now_ms(p));
        p->gathered = 0;
    }
}
