/* SPDX-License-Identifier: Apache-2.0 */
/* ACK: makes room in the window, so that delivery goes on. Spec: 6.4.
 *
 * The version that delivery started at counts as sent: the device has it. */
#include "session.h"

#include "fault.h"

void roam__handle_ack(struct roam_session *s, const struct roam_message *m)
{
    uint64_t version = m->u.ack.version;
    if (version > s->sent && !ROAM_FAULT("ack-ahead-accepted")) {
        roam__session_protocol_error(s, roam_v1_ErrorCode_ACK_AHEAD,
                                     "ACK above the last version sent");
        return;
    }
    roam__window_ack(&s->window, version); /* an older one frees nothing */
    roam__delivery_pump(s);
}
