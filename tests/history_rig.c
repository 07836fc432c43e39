/* SPDX-License-Identifier: Apache-2.0 */
/* See history_rig.h. */
#include "history_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <sqlite3.h>

static struct happening said_in(const char *conversation)
{
    return (struct happening){.conversation = conversation,
                              .sender = conversation};
}

struct roam_entry_event rig_message(const char *conversation, uint64_t msg_id)
{
    const struct happening h = said_in(conversation);
    return local_rig_entry(&h, msg_id);
}

void rig_arrive(struct roam_local *l, const char *conversation, uint64_t msg_id)
{
    local_rig_arrive(l, rig_message(conversation, msg_id));
}

void rig_post(struct roam_local *l, const char *conversation, uint64_t msg_id)
{
    const struct happening h = said_in(conversation);
    local_rig_post(l, &h, msg_id);
}

void rig_sent_as(struct roam_local *l, uint64_t client_msg_id, uint64_t msg_id)
{
    const struct roam_local_sent s = {.client_msg_id = client_msg_id,
                                      .msg_id = msg_id};
    assert_int_equal(roam_local_outbox_sent(l, &s), OK);
}

void rig_sent(struct roam_local *l, uint64_t msg_id)
{
    rig_sent_as(l, msg_id, msg_id);
}

void rig_reset(struct roam_local *l, uint64_t head)
{
    assert_int_equal(roam_local_add_reset(l, head, 1700000000000u), OK);
}

void rig_survey_row(struct roam_local *l, const char *conversation,
                    uint64_t msg_id)
{
    struct roam_entry_event e = rig_message(conversation, msg_id);
    assert_int_equal(roam_local_survey_row(l, &e), OK);
}

void rig_survey_page(struct roam_local *l, uint64_t before)
{
    struct roam_local_survey next = {before, "zoe"};
    assert_int_equal(roam_local_survey_page(l, &next, 0), OK);
}

void rig_end_survey(struct roam_local *l)
{
    assert_int_equal(roam_local_survey_page(l, NULL, 0), OK);
}

uint64_t rig_ask_survey(struct roam_local *l)
{
    struct roam_local_survey s;
    bool due;
    assert_int_equal(roam_local_survey(l, &s, &due), OK);
    return due ? s.before : UINT64_MAX;
}

static const char *holes(void)
{
    static char text[512];
    sqlite3 *db;
    sqlite3_stmt *s;
    size_t n = 0;
    assert_int_equal(sqlite3_open(local_path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT conversation, above, below FROM hole"
                           " ORDER BY conversation, above, below",
                           -1, &s, NULL),
        SQLITE_OK);
    text[0] = '\0';
    while (sqlite3_step(s) == SQLITE_ROW) {
        sqlite3_int64 below = sqlite3_column_int64(s, 2);
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s %d..%d",
                              n ? ", " : "", sqlite3_column_text(s, 0),
                              sqlite3_column_int(s, 1),
                              below == INT64_MAX ? 0 : (int)below);
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    return text;
}

void rig_assert_holes(struct roam_local *l, const char *expected)
{
    assert_int_equal(roam_local_commit(l), OK);
    assert_string_equal(holes(), expected);
}

const char *rig_bodies(struct roam_local *l, const char *conversation)
{
    static char text[2048];
    struct roam_local_row row;
    bool found;
    size_t n = 0;
    struct roam_local_history *h = roam_local_history_open(l, conversation);
    assert_non_null(h);
    text[0] = '\0';
    while (assert_int_equal(roam_local_history_next(h, &row, &found), OK),
           found) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%.*s|",
                              row.hole ? 4 : (int)row.body.len,
                              row.hole ? "HOLE" : (const char *)row.body.data);
    }
    roam_local_history_close(h);
    return text;
}

uint64_t rig_message_count(struct roam_local *l)
{
    struct roam_local_counts c;
    assert_int_equal(roam_local_count(l, &c), OK);
    return c.messages;
}
