/* SPDX-License-Identifier: Apache-2.0 */
/* LOGOUT: the slot is freed in the store, then KICK LOGGED_OUT. [KICK-9] */
#include "session.h"

void roam__handle_logout(struct roam_session *s, const struct roam_message *m)
{
    (void)m;
    roam__delivery_stop(s);
    struct roam_store_request *req = roam__request_new(s, ROAM_STORE_LOGOUT, 0);
    if (req == NULL) {
        return;
    }
    req->u.logout.identity = s->identity;
    roam__request_submit(s, req);
}

void roam__logout_done(struct roam_session *s, struct roam_store_request *req)
{
    if (s->state != ROAM__LEAVING) {
        return;
    }
    /* Fenced: the slot went to somebody that this core did not see log in. */
    roam__session_end(s, req->u.logout.fenced ? roam_v1_KickReason_TAKEN_OVER
                                              : roam_v1_KickReason_LOGGED_OUT);
}
