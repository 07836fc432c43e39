/* SPDX-License-Identifier: Apache-2.0 */
/* The facts that the policy is asked with. Where nobody is blocked and
 * strangers may write, they cost no statement. [POL-1], [POL-2]
 *
 * Whether somebody has spoken shows in no index: all that the other one has
 * said is looked through. Where that was much, what it came to is remembered:
 * the msg_id up to which there is nothing, so that only what came since is
 * looked at the next time, or that there is something. */
#include "post.h"

#include "../core/policy.h"
#include "db.h"
#include "roam.pb.h"

/* Steps of SQLite's machine from which on a look is worth remembering, and how
 * many are: to have one forgotten costs a stranger as many long looks. */
#define MANY_STEPS 1000
#define REMEMBERED_MAX ((size_t)65536)
#define HAS_SPOKEN UINT64_MAX

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

static bool remember(struct roam_writer *w, int64_t user, int64_t other,
                     bool spoke)
{
    uint64_t upto = HAS_SPOKEN;

    if (w->silent.count >= REMEMBERED_MAX) {
        roam_pair_map_clear(&w->silent);
    }
    return (spoke || roam_msg_ids_last(&w->msg_ids, user, other, &upto)) &&
           roam_pair_map_put(&w->silent, user, other, upto);
}

static bool has_spoken(struct roam_writer *w, int64_t user, int64_t other,
                       bool *yes)
{
    const uint64_t *known = roam_pair_map_find(&w->silent, user, other);
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_SPOKE];

    *yes = known != NULL && *known == HAS_SPOKEN;
    if (*yes) {
        return true;
    }
    sqlite3_bind_int64(stmt, 1, roam_db_low(user, other));
    sqlite3_bind_int64(stmt, 2, roam_db_high(user, other));
    sqlite3_bind_int64(stmt, 3, user);
    roam_db_bind_u64(stmt, 4, known != NULL ? *known : 0);
    (void)sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
    if (!ask(stmt, yes)) {
        return false;
    }
    bool much =
        sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 0) > MANY_STEPS;
    return !much || remember(w, user, other, *yes);
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
