/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine owes the caller, told one event at a time. An event is
 * made when it is pulled, from the frame that is still in hand. */
#include <string.h>

#include "engine.h"

/* A class of a later version is taken as AFTER, as roam__act_kicked() does. */
static enum roam_retry retry_of(roam_v1_Retry retry)
{
    return retry <= roam_v1_Retry_NEVER ? (enum roam_retry)retry
                                        : ROAM_RETRY_AFTER;
}

static void copy_holder(struct roam_holder *to, bool has,
                        const roam_v1_Holder *from)
{
    if (has) {
        to->device_type = (enum roam_device_type)from->device_type;
        memcpy(to->device_name, from->device_name, sizeof to->device_name);
        to->since_ms = from->since + ROAM_EPOCH_UNIX_MS;
    }
}

static void tell_logged_in(struct roam__engine *e, struct roam_event *event)
{
    const roam_v1_LoginOk *ok = &e->hand.message.u.login_ok;
    event->type = ROAM_EVENT_LOGGED_IN;
    event->u.logged_in.generation = ok->generation;
    event->u.logged_in.head = ok->head;
    event->u.logged_in.floor = ok->floor;
    event->u.logged_in.dedup_ms = ok->dedup_ms;
    event->u.logged_in.max_body = ok->max_body;
    event->u.logged_in.capabilities = ok->capabilities;
    event->u.logged_in.timeline_ms = ok->timeline_ms;
    event->u.logged_in.history_ms = ok->history_ms;
    event->u.logged_in.recall_ms = ok->recall_ms;
    event->u.logged_in.timeline_entries = ok->timeline_entries;
    event->u.logged_in.max_members = ok->max_members;
}

static void tell_refused(struct roam__engine *e, struct roam_event *event)
{
    const roam_v1_Refused *refused = &e->hand.message.u.refused;
    event->type = ROAM_EVENT_REFUSED;
    event->u.refused.reason = (enum roam_refused)refused->reason;
    event->u.refused.retry = retry_of(refused->retry);
    event->u.refused.generation = refused->generation;
    event->u.refused.protocol_min = refused->protocol_min;
    event->u.refused.protocol_max = refused->protocol_max;
    event->u.refused.retry_after_ms = refused->retry_after_ms;
    copy_holder(&event->u.refused.holder, refused->has_holder,
                &refused->holder);
}

static void tell_reset(struct roam__engine *e, struct roam_event *event)
{
    const roam_v1_SyncOk *ok = &e->hand.message.u.sync_ok;
    event->type = ROAM_EVENT_RESET;
    event->u.reset.reason = (enum roam_reset)ok->reason;
    event->u.reset.head = ok->head;
}

static void tell_kicked(struct roam__engine *e, struct roam_event *event)
{
    const roam_v1_Kick *kick = &e->hand.message.u.kick;
    event->type = ROAM_EVENT_KICKED;
    event->u.kicked.reason = (enum roam_kick)kick->reason;
    event->u.kicked.retry = retry_of(kick->retry);
    event->u.kicked.error = (uint32_t)kick->error;
    copy_holder(&event->u.kicked.holder, kick->has_holder, &kick->holder);
    memcpy(event->u.kicked.detail, kick->detail, sizeof event->u.kicked.detail);
}

static void tell_sent(struct roam__engine *e, struct roam_event *event)
{
    event->type = ROAM_EVENT_SENT;
    event->u.sent.client_msg_id = e->done_id;
    event->u.sent.msg_id = e->done_msg_id;
    event->u.sent.duplicate = e->done_duplicate;
    event->u.sent.conversation = roam__bytes(e->done_conversation);
    roam__outbox_free(e, e->done_id);
}

static void tell_failed(struct roam__engine *e, struct roam_event *event)
{
    const roam_v1_Error *error = &e->hand.message.u.error;
    event->type = ROAM_EVENT_SEND_FAILED;
    event->u.send_failed.client_msg_id = e->done_id;
    event->u.send_failed.code = (uint32_t)error->code;
    event->u.send_failed.retry = retry_of(error->retry);
    roam__outbox_free(e, e->done_id);
}

static void tell_synced(struct roam__engine *e, struct roam_event *event)
{
    event->type = ROAM_EVENT_SYNCED;
    event->u.synced.version = e->received;
}

static uint64_t unix_ms(uint64_t msg_id)
{
    return msg_id == 0
               ? 0
               : (msg_id >> ROAM_MSG_ID_TIME_SHIFT) + ROAM_EPOCH_UNIX_MS;
}

static void copy_entry(struct roam_entry_event *to,
                       const struct roam_entry *entry)
{
    to->version = entry->version;
    to->prev_version = entry->prev_version;
    to->msg_id = entry->msg_id;
    to->time_ms = unix_ms(entry->msg_id);
    to->client_msg_id = entry->client_msg_id;
    to->kind = entry->kind;
    to->cut_size = entry->cut_size;
    to->recalled = entry->recalled;
    to->read_mark = entry->read_mark;
    to->unread = entry->unread;
    to->role = (enum roam_role)entry->role;
    to->conversation = roam__bytes(entry->conversation);
    to->sender = roam__bytes(entry->sender);
    to->content_type = roam__bytes(entry->content_type);
    to->body = roam__bytes(entry->body);
    to->conversation_name = roam__bytes(entry->conversation_name);
    to->sender_name = roam__bytes(entry->sender_name);
}

static void tell_entry(struct roam__engine *e, struct roam_event *event)
{
    event->type = ROAM_EVENT_ENTRY;
    copy_entry(&event->u.entry, &e->entry);
    event->u.entry.batched = e->unpacking;
    roam__entry_told(e);
}

static void tell_page_row(struct roam__engine *e, struct roam_event *event)
{
    if (roam__page_is_packed(e)) {
        event->type = ROAM_EVENT_PAGE_ROW;
        event->u.page_row.ref = e->page.ref;
        copy_entry(&event->u.page_row.row, &e->entry);
    } else {
        roam__list_tell(e, event);
    }
    roam__page_row_told(e);
}

static void tell_page_end(struct roam__engine *e, struct roam_event *event)
{
    event->type = ROAM_EVENT_PAGE_END;
    event->u.page_end.ref = e->page.ref;
    event->u.page_end.rows = e->page.count;
    event->u.page_end.more = e->page.more;
    event->u.page_end.as_of = e->page.as_of;
    if (e->page.type == ROAM_MEMBERS) {
        const roam_v1_MemberPage *page = &e->hand.message.u.member_page;
        event->u.page_end.name.data = (const uint8_t *)page->name;
        event->u.page_end.name.len = strlen(page->name);
        event->u.page_end.join = (uint32_t)page->join;
        event->u.page_end.muted = page->muted;
        event->u.page_end.member_count = page->member_count;
    }
    e->page.state = PAGE_NONE;
}

static void tell_page_failed(struct roam__engine *e, struct roam_event *event)
{
    event->type = ROAM_EVENT_PAGE_FAILED;
    event->u.page_failed.ref = e->page.ref;
    event->u.page_failed.code = e->page.code;
    e->page.state = PAGE_NONE;
}

static void tell_close(struct roam__engine *e, struct roam_event *event)
{
    event->type = ROAM_EVENT_CLOSE;
    event->u.close.status = (enum roam_status)e->status;
    event->u.close.reconnect = e->close_reconnect;
    event->u.close.reconnect_at_ms = e->close_at_ms;
}

/* In the order of the bits of enum roam__owes. */
static void (*const tell[])(struct roam__engine *, struct roam_event *) = {
    tell_logged_in, tell_refused,  tell_reset,       tell_kicked,
    tell_sent,      tell_failed,   tell_synced,      tell_entry,
    tell_page_row,  tell_page_end, tell_page_failed, tell_close,
};

/* An outbox item that may not be sent in this session. */
static void tell_doomed(struct roam__engine *e, struct roam_event *event)
{
    uint32_t code = 0;
    const struct roam_outbox_item *item = roam__outbox_doomed(e, &code);
    if (item != NULL) {
        event->type = ROAM_EVENT_SEND_FAILED;
        event->u.send_failed.client_msg_id = item->client_msg_id;
        event->u.send_failed.code = code;
        event->u.send_failed.retry = ROAM_RETRY_NEVER;
        roam__outbox_free(e, item->client_msg_id);
    }
}

void roam_client_next_event(struct roam_client *c, struct roam_event *event,
                            uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    roam__now(e, now_ms);
    memset(event, 0, sizeof *event);
    for (unsigned i = 0; i < sizeof tell / sizeof tell[0]; i++) {
        uint16_t bit = (uint16_t)(1u << i);
        if ((e->owes & bit) != 0) {
            if (bit != OWES_ENTRY && bit != OWES_PAGE_ROW) { /* one by one */
                e->owes &= (uint16_t)~bit;
            }
            tell[i](e, event);
            return;
        }
    }
    if (roam__in_session(e)) {
        tell_doomed(e, event);
    }
}
