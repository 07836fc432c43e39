/* SPDX-License-Identifier: Apache-2.0 */
/* PING: the answer tells the head, at once. The core learns of an entry
 * before its SEND_OK goes out, so its head is never below what was
 * confirmed [PING-2]. */
#include "session.h"

#include "fault.h"

void roam__session_answer_ping(struct roam_session *s, uint64_t id)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_PONG);
    m.u.pong.id = id;
    if (s->user != NULL && !ROAM_FAULT("pong-head-zero")) {
        m.u.pong.head = s->user->head;
        roam__session_tells(s, m.u.pong.head);
    }
    roam__session_queue(s, &m);
}

void roam__handle_ping(struct roam_session *s, const struct roam_message *m)
{
    if (roam__session_is_full(s)) {
        s->has_ping = true; /* [PING-1]: only the last one is answered */
        s->ping_id = m->u.ping.id;
        return;
    }
    roam__session_answer_ping(s, m->u.ping.id);
}
