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
    if (req->u.logout.fenced) {
        roam__session_fenced(s, req->u.logout.unheld);
        return;
    }
    roam__session_end(s, roam_v1_KickReason_LOGGED_OUT);
}
