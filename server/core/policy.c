/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"

#include "fault.h"
#include "roam.pb.h"

bool roam_policy_allows(const struct roam_policy_facts *facts)
{
    if (facts->blocked && !ROAM_FAULT("block-ignored")) { /* [POL-1] */
        return false;
    }
    bool asks =
        facts->kind != roam_v1_Kind_MESSAGE || ROAM_FAULT("strangers-write");
    return !facts->strangers_ask || facts->known || asks; /* [POL-2] */
}
