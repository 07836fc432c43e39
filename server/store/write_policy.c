/* SPDX-License-Identifier: Apache-2.0 */
/* The facts that the policy is asked with. Where nobody is blocked and
 * strangers may write, they cost no statement. [POL-1], [POL-2] */
#include "post.h"

#include "../core/policy.h"
#include "db.h"
#include "roam.pb.h"

/* Steps a statement that gives one row or none. */
static bool ask(sqlite3_stmt *stmt, bool *yes)
{
    int rc = sqlite3_step(stmt);

    *yes = rc == SQLITE_ROW;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

static bool has_blocked(struct roam_writer *w, int64_t user, int64_t other,
                        bool *yes)
{
    const struct roam_user_name *entry = roam_user_names_entry(w->names, user);
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_BLOCK];

    *yes = false;
    if (entry == NULL || !entry->blocks) {
        return entry != NULL;
    }
    sqlite3_bind_int64(stmt, 1, user);
    sqlite3_bind_int64(stmt, 2, other);
    return ask(stmt, yes);
}

static bool has_spoken(struct roam_writer *w, int64_t user, int64_t other,
                       bool *yes)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_SPOKE];

    sqlite3_bind_int64(stmt, 1, roam_db_low(user, other));
    sqlite3_bind_int64(stmt, 2, roam_db_high(user, other));
    sqlite3_bind_int64(stmt, 3, user);
    return ask(stmt, yes);
}

bool roam_policy_refuses(struct roam_writer *w, int64_t sender,
                         int64_t receiver, uint32_t kind, bool *refused)
{
    struct roam_policy_facts facts = {
        .kind = kind, .strangers_ask = w->settings.strangers_ask};

    *refused = false;
    if (sender == receiver) {
        return true;
    }
    if (!has_blocked(w, receiver, sender, &facts.blocked)) {
        return false;
    }
    if (facts.strangers_ask && kind == roam_v1_Kind_MESSAGE &&
        !has_spoken(w, receiver, sender, &facts.known)) {
        return false;
    }
    *refused = !roam_policy_allows(&facts);
    return true;
}
