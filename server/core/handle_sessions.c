/* SPDX-License-Identifier: Apache-2.0 */
/* SESSIONS: the user's slots that are held. Who is online is known here, all
 * else from the store. Spec: section 5.3. */
#include "session.h"

#include <string.h>

#include "fault.h"
#include "rows.h"

void roam__handle_sessions(struct roam_session *s, const struct roam_message *m)
{
    const roam_v1_Sessions *sessions = &m->u.sessions;
    if (!roam__session_count_command(s) || !roam__flow_page(s, sessions->ref)) {
        return;
    }
    struct roam_store_request *req =
        roam__request_new(s, ROAM_STORE_SESSIONS, sizeof *sessions);
    if (req == NULL) {
        return;
    }
    memcpy(req->memory, sessions, sizeof *sessions);
    req->u.sessions.user = s->identity.user;
    roam__request_submit(s, req);
}

static struct roam_slice slice_of(const char *text)
{
    return (struct roam_slice){(const uint8_t *)text, strlen(text)};
}

static struct roam_session_row show(const struct roam_session *s,
                                    const struct roam_store_session *row)
{
    const struct roam_session *live = s->user->live[row->type];
    bool online = live != NULL && live->identity.generation == row->generation;
    uint64_t now = roam__stored_now(s->core);
    return (struct roam_session_row){.device_type = row->type,
                                     .device_name = slice_of(row->name),
                                     .software = slice_of(row->software),
                                     .since_ms = row->since_ms,
                                     .last_seen_ms =
                                         online ? now : row->seen_ms,
                                     .online = online,
                                     .self = online && live == s,
                                     .generation = row->generation};
}

static void answer(struct roam_session *s, const roam_v1_Sessions *asked,
                   const struct roam_store_sessions *list)
{
    uint8_t rows[ROAM_SESSION_ROWS_MAX * ROAM_ROW_BYTES_MAX];
    /* What a SESSION_LIST has beside its rows fits one row's length. */
    size_t cap = s->peer_max_frame - ROAM_ROW_BYTES_MAX;
    size_t used = 0;
    struct roam_message m;
    roam_message_init(&m, ROAM_SESSION_LIST);
    m.u.session_list.ref = asked->ref;
    cap = cap < sizeof rows ? cap : sizeof rows;
    for (size_t i = 0; i < list->count; i++) {
        if (list->rows[i].type <= (uint32_t)asked->after &&
            !ROAM_FAULT("sessions-from-the-first")) {
            continue;
        }
        const struct roam_session_row row = show(s, &list->rows[i]);
        size_t size = roam_session_row_put(&row, rows + used, cap - used);
        if (size == 0) { /* the first one fits in any case */
            m.u.session_list.more = true;
            break;
        }
        used += size;
        m.u.session_list.count++;
    }
    m.body = (struct roam_slice){rows, used};
    roam__session_queue(s, &m);
}

void roam__sessions_done(struct roam_session *s, struct roam_store_request *req)
{
    const struct roam_store_sessions *list = &req->u.sessions;
    if (s->closed || !roam__session_is_live(s)) {
        return;
    }
    if (list->rows == NULL) {
        roam__session_no_memory(s);
        return;
    }
    roam_v1_Sessions asked;
    memcpy(&asked, req->memory, sizeof asked);
    answer(s, &asked, list);
}
