/* SPDX-License-Identifier: Apache-2.0 */
/* How a token is revoked: it gets the next place among those that were, once.
 * Inside server/store/ only. */
#ifndef ROAM_STORE_TOKEN_H
#define ROAM_STORE_TOKEN_H

/* What was revoked last, 0 when nothing was. */
#define ROAM_TOKEN_REVOCATIONS                                                 \
    "SELECT coalesce(max(revoked), 0) FROM token WHERE revoked > 0"

/* condition: of one token; else several would get the same place. */
#define ROAM_TOKEN_REVOKE(condition)                                           \
    "UPDATE token SET revoked = CASE WHEN revoked > 0 THEN revoked ELSE"       \
    " 1 + (" ROAM_TOKEN_REVOCATIONS ") END WHERE " condition

#endif
