/* SPDX-License-Identifier: Apache-2.0 */
/* Operations in the local store: they have the same effect in whatever order
 * chain, pages and answers bring them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "local_rig.h"
#include "roam_limits.h"

/* ------------------------------------------------------------ permutations */

static const struct happening
    said = {.conversation = "bob", .sender = "bob"},
    recalls = {"bob", ROAM_KIND_RECALL, "bob", 10, 0, NULL, NULL, 0, false},
    deletes = {"bob", ROAM_KIND_DELETE, "alice", 12, 0, NULL, NULL, 0, false},
    reads = {"bob", ROAM_KIND_READ, "alice", 14, 0, NULL, NULL, 0, true},
    reads_less = {"bob", ROAM_KIND_READ, "alice", 11, 0, NULL, NULL, 0, true};

/* One of the things that may come, each once. */
static void come(struct roam_local *l, int what)
{
    struct roam_entry_event e = local_rig_entry(&said, 10);
    switch (what) {
    case 0: /* the message, by the chain */
        local_rig_arrive(l, e);
        break;
    case 1:
        local_rig_arrive(l, local_rig_entry(&recalls, 11));
        break;
    case 2: /* by a page that was read before the RECALL */
        local_rig_page_row(l, e);
        break;
    case 3: /* and behind it */
        e.recalled = true;
        e.body.len = 0;
        local_rig_page_row(l, e);
        break;
    case 4:
        local_rig_arrive(l, local_rig_entry(&said, 12));
        break;
    case 5:
        local_rig_page_row(l, local_rig_entry(&deletes, 13));
        break;
    case 6:
        local_rig_arrive(l, local_rig_entry(&reads, 15));
        break;
    case 7:
        local_rig_arrive(l, local_rig_entry(&reads_less, 9));
        break;
    default:
        fail();
    }
}

/* Every order of `count` things; calls for each. */
static size_t permute(struct roam_local *l, int *things, int count, int at,
                      const char *expected)
{
    size_t orders = 0;
    if (at == count) {
        for (int i = 0; i < count; i++) {
            come(l, things[i]);
        }
        assert_string_equal(local_rig_dump(l), expected);
        roam_local_rollback(l);
        return 1;
    }
    for (int i = at; i < count; i++) {
        int first = things[at];
        things[at] = things[i];
        things[i] = first;
        orders += permute(l, things, count, at + 1, expected);
        things[i] = things[at];
        things[at] = first;
    }
    return orders;
}

static void test_every_order_of_operations_has_the_same_effect(void **state)
{
    (void)state;
    int things[] = {0, 1, 2, 3, 4, 5};
    struct roam_local *l = local_rig_store();
    assert_int_equal(permute(l, things, COUNT(things), 0,
                             "bob 10 k0 recalled \"\"\n"
                             "bob 11 k2 \"\"\n"
                             "bob 13 k3 \"\"\n"
                             "bob 11 k2 \"\" '' mark 0 unread 0 role 0\n"),
                     720);
    int marks[] = {0, 4, 5, 6, 7};
    assert_int_equal(
        permute(l, marks, COUNT(marks), 0,
                "bob 10 k0 \"bob10\"\n"
                "bob 13 k3 \"\"\n"
                "bob 10 k0 \"bob10\" '' mark 14 unread 0 role 0\n"),
        120);
    int flag[] = {0, 3}; /* the RECALL itself is in a hole */
    assert_int_equal(
        permute(l, flag, COUNT(flag), 0,
                "bob 10 k0 recalled \"\"\n"
                "bob 10 k0 recalled \"\" '' mark 0 unread 0 role 0\n"),
        2);
    roam_local_close(l);
}

static void test_a_recall_takes_messages_only_and_a_delete_any_row(void **state)
{
    (void)state;
    struct happening app = {
        .conversation = "bob", .kind = ROAM_KIND_APP, .sender = "bob"};
    struct happening gone = deletes;
    struct roam_local *l = local_rig_store();
    local_rig_arrive(l, local_rig_entry(&app, 10));
    local_rig_arrive(l, local_rig_entry(&recalls, 11));
    gone.target = 11;
    local_rig_arrive(l, local_rig_entry(&gone, 13));
    assert_string_equal(local_rig_dump(l),
                        "bob 10 k5 \"\"\nbob 13 k3 \"\"\n"
                        "bob 10 k5 \"\" '' mark 0 unread 0 role 0\n");
    roam_local_close(l);
}

/* Is this text anywhere in the file of the store? */
static bool file_has(const char *text)
{
    static char bytes[262144];
    FILE *file = fopen(local_path, "rb");
    assert_non_null(file);
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(n < sizeof bytes);
    for (size_t i = 0; i + strlen(text) <= n; i++) {
        if (memcmp(bytes + i, text, strlen(text)) == 0) {
            return true;
        }
    }
    return false;
}

static void test_what_was_taken_back_is_not_in_the_file(void **state)
{
    (void)state;
    static char secret[5000]; /* longer than a page */
    memset(secret, 's', sizeof secret - 1);
    for (int length = 20; length < (int)sizeof secret; length += 4000) {
        struct roam_local *l = local_rig_store();
        struct roam_entry_event e = local_rig_entry(&said, 10);
        e.body = local_rig_text(secret);
        e.body.len = (size_t)length;
        local_rig_arrive(l, e);
        assert_int_equal(roam_local_commit(l), OK);
        roam_local_close(l);
        assert_true(file_has("ssssssssssssssss"));
        l = local_rig_store();
        local_rig_arrive(l, local_rig_entry(&recalls, 11));
        assert_int_equal(roam_local_commit(l), OK);
        roam_local_close(l);
        assert_false(file_has("ssssssssssssssss"));
        unlink(local_path);
    }
}

static void test_a_broken_body_is_kept_and_does_nothing(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    local_rig_arrive(l, local_rig_entry(&said, 10));
    struct roam_entry_event e = local_rig_entry(&recalls, 11);
    e.body = local_rig_text("\xff");
    local_rig_arrive(l, e);
    e.kind = ROAM_KIND_READ;
    e.msg_id = 12;
    local_rig_arrive(l, e);
    assert_string_equal(local_rig_dump(l),
                        "bob 10 k0 \"bob10\"\nbob 11 k2 \"\"\n"
                        "bob 11 k2 \"\" '' mark 0 unread 1 role 0\n");
    roam_local_close(l);
}

/* ------------------------------------------------------------------ unread */

static void test_unread_are_others_messages_above_the_mark(void **state)
{
    (void)state;
    struct happening mine = said;
    mine.sender = "alice";
    struct roam_local *l = local_rig_store();
    for (uint64_t id = 8; id <= 12; id++) {
        local_rig_arrive(l, local_rig_entry(id == 9 ? &mine : &said, id));
    }
    assert_int_equal(local_rig_listed(l, "bob").unread, 4);
    local_rig_arrive(l, local_rig_entry(&recalls, 13)); /* 10 */
    assert_int_equal(local_rig_listed(l, "bob").unread, 3);
    local_rig_arrive(l, local_rig_entry(&deletes, 14)); /* 12 */
    assert_int_equal(local_rig_listed(l, "bob").unread, 2);
    struct happening read = reads;
    read.target = 8;
    local_rig_arrive(l, local_rig_entry(&read, 15));
    assert_int_equal(local_rig_listed(l, "bob").unread, 1);
    assert_false(local_rig_listed(l, "bob").unread_open);
    roam_local_close(l);
}

static void test_unread_is_told_up_to_its_bound(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    uint64_t id = 0;
    while (id < ROAM_UNREAD_MAX - 1) {
        local_rig_arrive(l, local_rig_entry(&said, ++id));
    }
    assert_int_equal(local_rig_listed(l, "bob").unread, ROAM_UNREAD_MAX - 1);
    local_rig_arrive(l, local_rig_entry(&said, ++id));
    assert_int_equal(local_rig_listed(l, "bob").unread, ROAM_UNREAD_MAX);
    local_rig_arrive(l, local_rig_entry(&said, ++id));
    assert_int_equal(local_rig_listed(l, "bob").unread, ROAM_UNREAD_MAX);
    roam_local_close(l);
}

/* A row of CONVERSATIONS with what the server counted. */
static void told(struct roam_local *l, uint64_t msg_id, uint64_t mark,
                 uint32_t unread)
{
    struct roam_entry_event e = local_rig_entry(&said, msg_id);
    e.read_mark = mark;
    e.unread = unread;
    assert_int_equal(roam_local_survey_row(l, &e), OK);
}

static void test_above_a_hole_the_server_s_count_goes_on(void **state)
{
    (void)state;
    struct happening recall = recalls, read = reads;
    struct roam_local *l = local_rig_store();
    local_rig_arrive(l, local_rig_entry(&said, 5));
    assert_int_equal(roam_local_add_reset(l, 100, 1), OK);
    told(l, 40, 20, 7);
    struct roam_local_row row = local_rig_listed(l, "bob");
    assert_int_equal(row.unread, 7);
    assert_int_equal(row.read_mark, 20);
    assert_true(row.unread_open);
    local_rig_arrive(l, local_rig_entry(&said, 40)); /* counted already: OP-7 */
    assert_int_equal(local_rig_listed(l, "bob").unread, 7);
    local_rig_arrive(l, local_rig_entry(&said, 41)); /* not yet */
    assert_int_equal(local_rig_listed(l, "bob").unread, 8);
    recall.target = 30; /* in the hole */
    local_rig_arrive(l, local_rig_entry(&recall, 42));
    assert_int_equal(local_rig_listed(l, "bob").unread, 7);
    recall.target = 41; /* was counted here */
    local_rig_arrive(l, local_rig_entry(&recall, 43));
    assert_int_equal(local_rig_listed(l, "bob").unread, 6);
    read.target = 35; /* how many of them, nobody told */
    local_rig_arrive(l, local_rig_entry(&read, 44));
    row = local_rig_listed(l, "bob");
    assert_int_equal(row.unread, 1);
    assert_true(row.unread_open);
    read.target = 39;
    local_rig_arrive(l, local_rig_entry(&read, 45));
    row = local_rig_listed(l, "bob");
    assert_int_equal(row.unread, 1); /* 40 */
    assert_false(row.unread_open);   /* the hole is below the mark */
    roam_local_close(l);
}

/* ------------------------------------------------------------------- names */

static void test_the_last_name_is_shown(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    struct roam_entry_event e = local_rig_entry(&said, 10);
    e.conversation_name = e.sender_name = local_rig_text("Bob");
    local_rig_arrive(l, e);
    assert_int_equal(local_rig_listed(l, "bob").conversation_name.len, 3);
    e.msg_id = 11;
    e.conversation_name = e.sender_name = local_rig_text("Robert");
    local_rig_arrive(l, e);
    struct roam_local_row row = local_rig_listed(l, "bob");
    assert_int_equal(row.sender_name.len, 6);
    assert_memory_equal(row.conversation_name.data, "Robert", 6);
    e.msg_id = 12;
    e.conversation_name = e.sender_name = local_rig_text("");
    local_rig_arrive(l, e);
    assert_int_equal(local_rig_listed(l, "bob").conversation_name.len, 0);
    roam_local_close(l);
}

/* -------------------------------------------------------------------- groups
 */

static const struct happening invited = {"#g", ROAM_KIND_GROUP,  "bob",
                                         0,    GROUP(INVITE),    "alice",
                                         NULL, ROAM_ROLE_MEMBER, false},
                              joins = {"#g", ROAM_KIND_GROUP,     "alice",
                                       0,    GROUP(JOIN),         NULL,
                                       NULL, ROAM_ROLE_APPLICANT, true};

static void test_a_role_follows_every_change(void **state)
{
    (void)state;
    static const struct happening changes[] = {
        {"#g", 6, "alice", 0, GROUP(CREATE), NULL, NULL, 4, false},
        {"#g", 6, "alice", 0, GROUP(TRANSFER), "bob", NULL, 3, false},
        {"#g", 6, "bob", 0, GROUP(INVITE), "alice", NULL, 3, false},
        {"#g", 6, "bob", 0, GROUP(UNSET_ADMIN), "alice", NULL, 2, false},
        {"#g", 6, "bob", 0, GROUP(SET_ADMIN), "carol", NULL, 2, false},
        {"#g", 6, "bob", 0, GROUP(SET_ADMIN), "alice", NULL, 3, false},
        {"#g", 6, "bob", 0, GROUP(REMOVE), "carol", NULL, 3, false},
        {"#g", 6, "bob", 0, GROUP(REMOVE), "alice", NULL, 0, false},
        {"#g", 6, "bob", 0, GROUP(CREATE), "alice", NULL, 2, false},
        {"#g", 6, "bob", 0, GROUP(TRANSFER), "alice", NULL, 4, false},
        {"#g", 6, "alice", 0, GROUP(DISSOLVE), NULL, NULL, 0, false},
        {"#g", 6, "bob", 0, GROUP(APPROVE), "alice", NULL, 2, false},
        {"#g", 6, "carol", 0, GROUP(LEAVE), NULL, NULL, 2, false},
        {"#g", 6, "alice", 0, GROUP(LEAVE), NULL, NULL, 0, false},
        {"#g", 6, "carol", 0, GROUP(JOIN), NULL, NULL, 0, false},
    };
    struct roam_local *l = local_rig_store();
    for (size_t i = 0; i < COUNT(changes); i++) {
        local_rig_arrive(l, local_rig_entry(&changes[i], 10 + i));
        assert_int_equal(local_rig_listed(l, "#g").role, changes[i].role);
    }
    for (size_t i = 0; i < COUNT(changes); i++) { /* none of them is news */
        local_rig_page_row(l, local_rig_entry(&changes[i], 10 + i));
        assert_int_equal(local_rig_listed(l, "#g").role, 0);
    }
    roam_local_close(l);
}

static void test_an_application_becomes_a_membership_by_what_comes(void **state)
{
    (void)state;
    static const struct happening denied = {"#g", 6,           "bob",
                                            0,    GROUP(DENY), "alice",
                                            NULL, 0,           true},
                                  speech = {.conversation = "#g",
                                            .sender = "bob"};
    struct roam_local_hole hole;
    bool found;
    struct roam_local *l = local_rig_store();
    local_rig_arrive(l,
                     local_rig_entry(&invited, 9)); /* so that it is listed */
    local_rig_arrive(
        l, local_rig_entry(&(struct happening){"#g", 6, "bob", 0, GROUP(REMOVE),
                                               "alice", NULL, 0, false},
                           10));
    local_rig_arrive(l, local_rig_entry(&joins, 20));
    assert_int_equal(local_rig_listed(l, "#g").role, ROAM_ROLE_APPLICANT);
    assert_int_equal(roam_local_hole(l, "#g", &hole, &found), OK);
    assert_true(found && hole.above == 19 && hole.below == 21);
    local_rig_arrive(l, local_rig_entry(&denied, 22));
    assert_int_equal(local_rig_listed(l, "#g").role, ROAM_ROLE_NONE);
    local_rig_arrive(l, local_rig_entry(&joins, 24));
    local_rig_arrive(l, local_rig_entry(&speech, 26)); /* only members get it */
    assert_int_equal(local_rig_listed(l, "#g").role, ROAM_ROLE_MEMBER);
    assert_int_equal(roam_local_commit(l), OK);
    local_rig_arrive(l, local_rig_entry(&denied, 28));
    local_rig_arrive(l, local_rig_entry(&joins, 30));
    local_rig_page_row(l,
                       local_rig_entry(&joins, 30)); /* only members see it */
    assert_int_equal(local_rig_listed(l, "#g").role, ROAM_ROLE_MEMBER);
    roam_local_close(l);
}

static void test_a_group_that_was_made_here_is_known_by_its_name(void **state)
{
    (void)state;
    static const struct happening make = {"#new",   ROAM_KIND_GROUP, "alice",
                                          0,        GROUP(CREATE),   "bob",
                                          "Hikers", ROAM_ROLE_OWNER, false};
    struct roam_local_survey survey;
    struct roam_local_hole hole;
    bool due, found;
    struct roam_local *l = local_rig_store();
    local_rig_answer(l, &make, 50, false);
    assert_string_equal(local_rig_dump(l),
                        "#new 50 k6 \"\"\n"
                        "#new 50 k6 \"\" 'Hikers' mark 0 unread 0 role 4\n");
    assert_int_equal(roam_local_survey(l, &survey, &due), OK);
    assert_false(due);
    /* Behind a RESET, others may have written into it before. */
    assert_int_equal(roam_local_add_reset(l, 100, 1), OK);
    assert_int_equal(roam_local_survey_page(l, NULL, 0), OK);
    struct happening late = make;
    late.conversation = "#late";
    local_rig_answer(l, &late, 60, true);
    assert_int_equal(roam_local_survey(l, &survey, &due), OK);
    assert_true(due);
    assert_int_equal(roam_local_hole(l, "#late", &hole, &found), OK);
    assert_true(found && hole.above == 60 && hole.below == 0);
    roam_local_close(l);
}

static void test_a_change_that_changed_nothing_is_looked_for(void **state)
{
    (void)state;
    static const struct happening invite = {"#g", ROAM_KIND_GROUP, "alice",
                                            0,    GROUP(INVITE),   "bob",
                                            NULL, ROAM_ROLE_ADMIN, false};
    struct roam_local_hole hole;
    bool found;
    struct roam_local *l = local_rig_store();
    local_rig_arrive(l, local_rig_entry(&invited, 10));
    local_rig_answer(l, &invite, 30, true); /* of another's, perhaps */
    assert_int_equal(roam_local_hole(l, "#g", &hole, &found), OK);
    assert_true(found && hole.above == 29 && hole.below == 31);
    assert_int_equal(roam_local_hole_page(l, &hole, 0, 0, false), OK);
    local_rig_answer(l, &invite, 10, true); /* known */
    assert_int_equal(roam_local_hole(l, "#g", &hole, &found), OK);
    assert_false(found);
    local_rig_answer(l, &invite, 31, false);
    assert_int_equal(roam_local_hole(l, "#g", &hole, &found), OK);
    assert_false(found);
    roam_local_close(l);
}

/* ----------------------------------------------------------------- upgrade */

static void run_sql(const char *sql)
{
    sqlite3 *db;
    char *error = NULL;
    assert_int_equal(sqlite3_open(local_path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK) {
        fail_msg("%s", error);
    }
    sqlite3_close(db);
}

static void test_a_store_of_format_2_learns_what_it_kept_raw(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    local_rig_arrive(l, local_rig_entry(&said, 10));
    local_rig_arrive(l, local_rig_entry(&said, 12));
    assert_int_equal(roam_local_commit(l), OK);
    roam_local_close(l);
    run_sql("DROP INDEX message_target; DROP TABLE conversation;"
            "DROP TABLE name; ALTER TABLE message DROP COLUMN kind;"
            "ALTER TABLE message DROP COLUMN target;"
            "ALTER TABLE message DROP COLUMN recalled;"
            "ALTER TABLE message DROP COLUMN deleted;"
            "ALTER TABLE outbox DROP COLUMN kind;"
            "ALTER TABLE last_reset DROP COLUMN as_of;"
            "INSERT INTO outbox VALUES(1, 7, 'bob', '', x'6869', 1, 0);"
            "INSERT INTO unknown_entry VALUES"
            "(3, 2, 13, 'bob', 'bob', '', x'080a', 0),"
            "(4, 4, 14, 'bob', 'alice', '', x'080b', 0),"
            "(5, 99, 15, 'bob', 'bob', '', x'00', 0);"
            "PRAGMA user_version = 2");
    for (int i = 0; i < 2; i++) { /* once is enough */
        struct roam_local_counts c;
        struct roam_local_outgoing m;
        bool found;
        l = local_rig_store();
        assert_string_equal(local_rig_dump(l),
                            "bob 10 k0 recalled \"\"\nbob 12 k0 \"bob12\"\n"
                            "bob 13 k2 \"\"\n"
                            "bob 13 k2 \"\" '' mark 11 unread 1 role 0\n");
        assert_int_equal(roam_local_count(l, &c), OK);
        assert_int_equal(c.unknown, 1);
        assert_int_equal(c.messages, 2);
        assert_int_equal(roam_local_outbox_next(l, 0, &m, &found), OK);
        assert_true(found && m.kind == ROAM_KIND_MESSAGE);
        roam_local_close(l);
    }
}

static void test_the_outbox_keeps_kinds(void **state)
{
    (void)state;
    struct roam_local_outgoing m = {.client_msg_id = 7,
                                    .kind = ROAM_KIND_RECALL,
                                    .conversation = local_rig_text("bob"),
                                    .body = local_rig_entry(&recalls, 11).body};
    bool found;
    struct roam_local *l = local_rig_store();
    assert_int_equal(roam_local_outbox_add(l, &m), OK);
    roam_local_close(l);
    l = local_rig_store();
    assert_int_equal(roam_local_outbox_next(l, 0, &m, &found), OK);
    assert_true(found && m.kind == ROAM_KIND_RECALL && m.body.len == 2);
    roam_local_close(l);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, local_rig_open, local_rig_close)
    const struct CMUnitTest tests[] = {
        T(test_every_order_of_operations_has_the_same_effect),
        T(test_a_recall_takes_messages_only_and_a_delete_any_row),
        T(test_what_was_taken_back_is_not_in_the_file),
        T(test_a_broken_body_is_kept_and_does_nothing),
        T(test_unread_are_others_messages_above_the_mark),
        T(test_unread_is_told_up_to_its_bound),
        T(test_above_a_hole_the_server_s_count_goes_on),
        T(test_the_last_name_is_shown),
        T(test_a_role_follows_every_change),
        T(test_an_application_becomes_a_membership_by_what_comes),
        T(test_a_group_that_was_made_here_is_known_by_its_name),
        T(test_a_change_that_changed_nothing_is_looked_for),
        T(test_a_store_of_format_2_learns_what_it_kept_raw),
        T(test_the_outbox_keeps_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
