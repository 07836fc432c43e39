/* SPDX-License-Identifier: Apache-2.0 */
/* Who may write to whom: the one place that decides it. A store gathers the
 * facts inside the transaction that writes, so that a block which was
 * committed before counts; another policy goes here, with facts of its own.
 * Spec: section 7.3. */
#ifndef ROAM_POLICY_H
#define ROAM_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct roam_policy_facts {
    uint32_t kind;      /* roam_v1_Kind: MESSAGE, APP, or GROUP for an
                           invitation */
    bool blocked;       /* the receiver has blocked the sender */
    bool strangers_ask; /* the server's setting */
    bool known;         /* the receiver has sent something in their
                           conversation; looked at only if strangers_ask and
                           kind is MESSAGE */
};

/* May it be sent? To oneself anybody may; that is not asked here. */
bool roam_policy_allows(const struct roam_policy_facts *facts);

#endif
