/* SPDX-License-Identifier: Apache-2.0 */
/* END_SESSION: a device ends another one's session, or its own, for good.
 * Spec: section 5.3. */
#include "session.h"

#include <string.h>

#include "fault.h"

void roam__handle_end_session(struct roam_session *s,
                              const struct roam_message *m)
{
    const roam_v1_EndSession *asked = &m->u.end_session;
    if (!roam__session_count_command(s) || !roam__flow_page(s, asked->ref)) {
        return;
    }
    struct roam_store_request *req =
        roam__request_new(s, ROAM_STORE_END_SESSION, sizeof asked->ref);
    if (req == NULL) {
        return;
    }
    memcpy(req->memory, &asked->ref, sizeof asked->ref);
    req->u.end_session.identity = s->identity;
    req->u.end_session.device_type = (uint32_t)asked->device_type;
    req->u.end_session.generation = asked->generation;
    roam__request_submit(s, req);
}

static void answer(struct roam_session *s, struct roam_store_request *req)
{
    uint64_t ref;
    memcpy(&ref, req->memory, sizeof ref);
    struct roam_message m;
    switch (req->u.end_session.result) {
    case ROAM_END_DONE:
        roam_message_init(&m, ROAM_SESSION_ENDED);
        m.u.session_ended.ref = ref;
        roam__session_queue(s, &m);
        break;
    case ROAM_END_NO_DEVICE:
        roam__session_answer_error(s, ref, roam_v1_ErrorCode_NO_SUCH_DEVICE);
        break;
    case ROAM_END_FENCED:
        roam__session_fenced(s, req->u.end_session.unheld);
        break;
    }
}

/* The one that was ended, if it is here: it may be the asker's own. */
static void kick_ended(struct roam_core *core,
                       const struct roam_store_end_session *end)
{
    struct roam__user *user = roam__users_find(core, end->identity.user);
    struct roam_session *ended =
        user == NULL ? NULL : user->live[end->device_type];
    if (ended != NULL && ended->identity.generation == end->generation &&
        !ROAM_FAULT("ended-goes-on")) {
        roam__session_end(ended, roam_v1_KickReason_REVOKED);
    }
}

void roam__end_session_done(struct roam_session *s,
                            struct roam_store_request *req)
{
    if (!s->closed && roam__session_is_live(s)) {
        answer(s, req);
    }
    if (req->u.end_session.result == ROAM_END_DONE) {
        kick_ended(s->core, &req->u.end_session);
        roam__watch_now(s->core); /* the device may be here under another
                                     type, by the same token */
    }
}
