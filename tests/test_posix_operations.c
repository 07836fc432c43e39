/* SPDX-License-Identifier: Apache-2.0 */
/* Operations in the local store: they have the same effect in whatever order
 * chain, pages and answers bring them, and a device that was away, got RESET
 * and filled everything is equal to one that was never away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "frame.h"
#include "operation.h"
#include "roam_limits.h"
#include "roam_local.h"

#define OK ROAM_POSIX_STATUS_OK
#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define GROUP(action) roam_v1_GroupAction_##action

static char directory[64], path[96];

static int set_up(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/roam-operations-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/messages.db", directory);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const suffix[] = {"", "-wal", "-shm", ".lock"};
    (void)state;
    for (size_t i = 0; i < COUNT(suffix); i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", path, suffix[i]);
        unlink(name);
    }
    return rmdir(directory);
}

/* ----------------------------------------------------------------- helpers */

static struct roam_local *open_store(void)
{
    char detail[ROAM_POSIX_DETAIL_MAX] = "";
    struct roam_local *l;
    if (roam_local_open(path, "alice", ROAM_PHONE, ROAM_LOCAL_OWN, &l,
                        detail) != OK) {
        fail_msg("%s", detail);
    }
    return l;
}

static struct roam_bytes b(const char *text)
{
    struct roam_bytes bytes = {(const uint8_t *)text, strlen(text)};
    return bytes;
}

/* One thing that happened, as the server sees it. What alice's devices get is
 * an entry; `row`: in alice's history as well. */
struct happening {
    const char *conversation;
    uint32_t kind;
    const char *sender;
    uint64_t target; /* RECALL, DELETE, READ: msg_id */
    uint32_t action; /* GROUP */
    const char *user, *name;
    enum roam_role role; /* alice's in the conversation from here on */
    bool no_row;
};

/* The entry of `h` under this msg_id, its body in static memory. */
static struct roam_entry_event entry_of(const struct happening *h,
                                        uint64_t msg_id)
{
    static uint8_t bodies[64][160];
    static size_t next;
    uint8_t *body = bodies[next++ % COUNT(bodies)];
    struct roam_entry_event e;
    memset(&e, 0, sizeof e);
    e.msg_id = msg_id;
    e.kind = h->kind;
    e.conversation = b(h->conversation);
    e.sender = b(h->sender);
    e.body.data = body;
    if (h->kind == ROAM_KIND_MESSAGE) {
        e.body.len = (size_t)snprintf((char *)body, 160, "%s%u",
                                      h->conversation, (unsigned)msg_id);
        return e;
    }
    struct roam_operation op;
    const char *user = h->user ? h->user : "";
    const struct roam_slice users[1] = {{(const uint8_t *)user, strlen(user)}};
    memset(&op, 0, sizeof op);
    op.kind = h->kind;
    op.msg_id = h->target;
    op.action = h->action;
    op.join = h->action == GROUP(CREATE) || h->action == GROUP(SET_JOIN);
    op.name.data = (const uint8_t *)h->name;
    op.name.len = h->name ? strlen(h->name) : 0;
    op.data.data = (const uint8_t *)"app";
    op.data.len = h->kind == ROAM_KIND_APP ? 3 : 0;
    e.body.len = roam_operation_encode(&op, users, h->user != NULL, body, 160);
    assert_true(e.body.len > 0);
    return e;
}

/* The next entry of the chain. */
static void arrive(struct roam_local *l, struct roam_entry_event e)
{
    struct roam_local_device d;
    roam_local_device(l, &d);
    e.prev_version = d.cursor;
    e.version = d.cursor + 1;
    assert_int_equal(roam_local_add_entry(l, &e), OK);
}

static void arrive_noop(struct roam_local *l)
{
    struct roam_entry_event e;
    memset(&e, 0, sizeof e);
    e.kind = ROAM_KIND_NOOP;
    arrive(l, e);
}

static void page_row(struct roam_local *l, struct roam_entry_event e)
{
    assert_int_equal(roam_local_add_history(l, &e), OK);
}

/* alice's own, sent from this device and answered. */
static void answer(struct roam_local *l, const struct happening *h,
                   uint64_t msg_id, bool duplicate)
{
    struct roam_entry_event e = entry_of(h, msg_id);
    bool makes = h->action == GROUP(CREATE);
    struct roam_local_outgoing m = {.client_msg_id = msg_id,
                                    .kind = (enum roam_kind)h->kind,
                                    .conversation =
                                        makes ? b("#") : e.conversation,
                                    .body = e.body,
                                    .queued_ms = 1,
                                    .first_sent_ms = 1};
    const struct roam_local_sent sent = {.client_msg_id = msg_id,
                                         .msg_id = msg_id,
                                         .conversation =
                                             makes ? e.conversation : b(""),
                                         .duplicate = duplicate};
    assert_int_equal(roam_local_outbox_add(l, &m), OK);
    assert_int_equal(roam_local_outbox_sent(l, &sent), OK);
}

/* All that a person can see: rows, then conversations. */
static const char *dump(struct roam_local *l)
{
    static char texts[2][8192];
    static size_t turn;
    char *text = texts[turn++ % 2];
    struct roam_local_row row;
    bool found;
    size_t n = 0;
    for (int list = 0; list < 2; list++) {
        struct roam_local_history *h = list ? roam_local_conversations_open(l)
                                            : roam_local_history_open(l, NULL);
        assert_non_null(h);
        while (assert_int_equal(roam_local_history_next(h, &row, &found), OK),
               found) {
            assert_true(n < 7000);
            n += (size_t)snprintf(
                text + n, 8192 - n, "%s%.*s %u k%u%s \"%.*s\"",
                row.hole ? "HOLE " : "", (int)row.conversation.len,
                (const char *)row.conversation.data, (unsigned)row.msg_id,
                row.kind, row.recalled ? " recalled" : "",
                row.kind == ROAM_KIND_MESSAGE ? (int)row.body.len : 0,
                (const char *)row.body.data);
            if (list) {
                n += (size_t)snprintf(
                    text + n, 8192 - n, " '%.*s' mark %u unread %u%s role %d",
                    (int)row.conversation_name.len,
                    (const char *)row.conversation_name.data,
                    (unsigned)row.read_mark, row.unread,
                    row.unread_open ? "?" : "", (int)row.role);
            }
            n += (size_t)snprintf(text + n, 8192 - n, "\n");
        }
        roam_local_history_close(h);
    }
    return text;
}

/* The row of one conversation in the list; fails if there is none. */
static struct roam_local_row listed(struct roam_local *l,
                                    const char *conversation)
{
    struct roam_local_row row, result = {0};
    bool found, there = false;
    struct roam_local_history *h = roam_local_conversations_open(l);
    assert_non_null(h);
    while (assert_int_equal(roam_local_history_next(h, &row, &found), OK),
           found) {
        if (row.conversation.len == strlen(conversation) &&
            memcmp(row.conversation.data, conversation, row.conversation.len) ==
                0) {
            result = row;
            there = true;
        }
    }
    roam_local_history_close(h);
    assert_true(there);
    return result;
}

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
    struct roam_entry_event e = entry_of(&said, 10);
    switch (what) {
    case 0: /* the message, by the chain */
        arrive(l, e);
        break;
    case 1:
        arrive(l, entry_of(&recalls, 11));
        break;
    case 2: /* by a page that was read before the RECALL */
        page_row(l, e);
        break;
    case 3: /* and behind it */
        e.recalled = true;
        e.body.len = 0;
        page_row(l, e);
        break;
    case 4:
        arrive(l, entry_of(&said, 12));
        break;
    case 5:
        page_row(l, entry_of(&deletes, 13));
        break;
    case 6:
        arrive(l, entry_of(&reads, 15));
        break;
    case 7:
        arrive(l, entry_of(&reads_less, 9));
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
        assert_string_equal(dump(l), expected);
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
    struct roam_local *l = open_store();
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
    struct roam_local *l = open_store();
    arrive(l, entry_of(&app, 10));
    arrive(l, entry_of(&recalls, 11));
    gone.target = 11;
    arrive(l, entry_of(&gone, 13));
    assert_string_equal(dump(l), "bob 10 k5 \"\"\nbob 13 k3 \"\"\n"
                                 "bob 10 k5 \"\" '' mark 0 unread 0 role 0\n");
    roam_local_close(l);
}

static void test_a_broken_body_is_kept_and_does_nothing(void **state)
{
    (void)state;
    struct roam_local *l = open_store();
    arrive(l, entry_of(&said, 10));
    struct roam_entry_event e = entry_of(&recalls, 11);
    e.body = b("\xff");
    arrive(l, e);
    e.kind = ROAM_KIND_READ;
    e.msg_id = 12;
    arrive(l, e);
    assert_string_equal(dump(l), "bob 10 k0 \"bob10\"\nbob 11 k2 \"\"\n"
                                 "bob 11 k2 \"\" '' mark 0 unread 1 role 0\n");
    roam_local_close(l);
}

/* ------------------------------------------------------------------ unread */

static void test_unread_are_others_messages_above_the_mark(void **state)
{
    (void)state;
    struct happening mine = said;
    mine.sender = "alice";
    struct roam_local *l = open_store();
    for (uint64_t id = 8; id <= 12; id++) {
        arrive(l, entry_of(id == 9 ? &mine : &said, id));
    }
    assert_int_equal(listed(l, "bob").unread, 4);
    arrive(l, entry_of(&recalls, 13)); /* 10 */
    assert_int_equal(listed(l, "bob").unread, 3);
    arrive(l, entry_of(&deletes, 14)); /* 12 */
    assert_int_equal(listed(l, "bob").unread, 2);
    struct happening read = reads;
    read.target = 8;
    arrive(l, entry_of(&read, 15));
    assert_int_equal(listed(l, "bob").unread, 1);
    assert_false(listed(l, "bob").unread_open);
    roam_local_close(l);
}

static void test_unread_is_told_up_to_its_bound(void **state)
{
    (void)state;
    struct roam_local *l = open_store();
    uint64_t id = 0;
    while (id < ROAM_UNREAD_MAX - 1) {
        arrive(l, entry_of(&said, ++id));
    }
    assert_int_equal(listed(l, "bob").unread, ROAM_UNREAD_MAX - 1);
    arrive(l, entry_of(&said, ++id));
    assert_int_equal(listed(l, "bob").unread, ROAM_UNREAD_MAX);
    arrive(l, entry_of(&said, ++id));
    assert_int_equal(listed(l, "bob").unread, ROAM_UNREAD_MAX);
    roam_local_close(l);
}

/* A row of CONVERSATIONS with what the server counted. */
static void told(struct roam_local *l, uint64_t msg_id, uint64_t mark,
                 uint32_t unread)
{
    struct roam_entry_event e = entry_of(&said, msg_id);
    e.read_mark = mark;
    e.unread = unread;
    assert_int_equal(roam_local_survey_row(l, &e), OK);
}

static void test_above_a_hole_the_server_s_count_goes_on(void **state)
{
    (void)state;
    struct happening recall = recalls, read = reads;
    struct roam_local *l = open_store();
    arrive(l, entry_of(&said, 5));
    assert_int_equal(roam_local_add_reset(l, 100, 1), OK);
    told(l, 40, 20, 7);
    struct roam_local_row row = listed(l, "bob");
    assert_int_equal(row.unread, 7);
    assert_int_equal(row.read_mark, 20);
    assert_true(row.unread_open);
    arrive(l, entry_of(&said, 40)); /* counted already: OP-7 */
    assert_int_equal(listed(l, "bob").unread, 7);
    arrive(l, entry_of(&said, 41)); /* not yet */
    assert_int_equal(listed(l, "bob").unread, 8);
    recall.target = 30; /* in the hole */
    arrive(l, entry_of(&recall, 42));
    assert_int_equal(listed(l, "bob").unread, 7);
    recall.target = 41; /* was counted here */
    arrive(l, entry_of(&recall, 43));
    assert_int_equal(listed(l, "bob").unread, 6);
    read.target = 35; /* how many of them, nobody told */
    arrive(l, entry_of(&read, 44));
    row = listed(l, "bob");
    assert_int_equal(row.unread, 1);
    assert_true(row.unread_open);
    read.target = 39;
    arrive(l, entry_of(&read, 45));
    row = listed(l, "bob");
    assert_int_equal(row.unread, 1); /* 40 */
    assert_false(row.unread_open);   /* the hole is below the mark */
    roam_local_close(l);
}

/* ------------------------------------------------------------------- names */

static void test_the_last_name_is_shown(void **state)
{
    (void)state;
    struct roam_local *l = open_store();
    struct roam_entry_event e = entry_of(&said, 10);
    e.conversation_name = e.sender_name = b("Bob");
    arrive(l, e);
    assert_int_equal(listed(l, "bob").conversation_name.len, 3);
    e.msg_id = 11;
    e.conversation_name = e.sender_name = b("Robert");
    arrive(l, e);
    struct roam_local_row row = listed(l, "bob");
    assert_int_equal(row.sender_name.len, 6);
    assert_memory_equal(row.conversation_name.data, "Robert", 6);
    e.msg_id = 12;
    e.conversation_name = e.sender_name = b("");
    arrive(l, e);
    assert_int_equal(listed(l, "bob").conversation_name.len, 0);
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
    struct roam_local *l = open_store();
    for (size_t i = 0; i < COUNT(changes); i++) {
        arrive(l, entry_of(&changes[i], 10 + i));
        assert_int_equal(listed(l, "#g").role, changes[i].role);
    }
    for (size_t i = 0; i < COUNT(changes); i++) { /* none of them is news */
        page_row(l, entry_of(&changes[i], 10 + i));
        assert_int_equal(listed(l, "#g").role, 0);
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
    struct roam_local *l = open_store();
    arrive(l, entry_of(&invited, 9)); /* so that it is listed */
    arrive(l, entry_of(&(struct happening){"#g", 6, "bob", 0, GROUP(REMOVE),
                                           "alice", NULL, 0, false},
                       10));
    arrive(l, entry_of(&joins, 20));
    assert_int_equal(listed(l, "#g").role, ROAM_ROLE_APPLICANT);
    assert_int_equal(roam_local_hole(l, "#g", &hole, &found), OK);
    assert_true(found && hole.above == 19 && hole.below == 21);
    arrive(l, entry_of(&denied, 22));
    assert_int_equal(listed(l, "#g").role, ROAM_ROLE_NONE);
    arrive(l, entry_of(&joins, 24));
    arrive(l, entry_of(&speech, 26)); /* only members get it */
    assert_int_equal(listed(l, "#g").role, ROAM_ROLE_MEMBER);
    assert_int_equal(roam_local_commit(l), OK);
    arrive(l, entry_of(&denied, 28));
    arrive(l, entry_of(&joins, 30));
    page_row(l, entry_of(&joins, 30)); /* only members see it */
    assert_int_equal(listed(l, "#g").role, ROAM_ROLE_MEMBER);
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
    struct roam_local *l = open_store();
    answer(l, &make, 50, false);
    assert_string_equal(dump(l),
                        "#new 50 k6 \"\"\n"
                        "#new 50 k6 \"\" 'Hikers' mark 0 unread 0 role 4\n");
    assert_int_equal(roam_local_survey(l, &survey, &due), OK);
    assert_false(due);
    /* Behind a RESET, others may have written into it before. */
    assert_int_equal(roam_local_add_reset(l, 100, 1), OK);
    assert_int_equal(roam_local_survey_page(l, NULL, 0), OK);
    struct happening late = make;
    late.conversation = "#late";
    answer(l, &late, 60, true);
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
    struct roam_local *l = open_store();
    arrive(l, entry_of(&invited, 10));
    answer(l, &invite, 30, true); /* of another's, perhaps */
    assert_int_equal(roam_local_hole(l, "#g", &hole, &found), OK);
    assert_true(found && hole.above == 29 && hole.below == 31);
    assert_int_equal(roam_local_hole_page(l, &hole, 0, 0, false), OK);
    answer(l, &invite, 31, false);
    assert_int_equal(roam_local_hole(l, "#g", &hole, &found), OK);
    assert_false(found);
    roam_local_close(l);
}

/* --------------------------------------------------- away, and never away */

#define ID(i) ((uint64_t)(i) + 10)

static const struct happening story[] = {
    {"bob", 0, "bob", 0, 0, NULL, NULL, 0, false},                  /* 10 */
    {"bob", 0, "bob", 0, 0, NULL, NULL, 0, false},                  /* 11 */
    {"bob", 0, "alice", 0, 0, NULL, NULL, 0, false},                /* 12 */
    {"bob", 2, "bob", 10, 0, NULL, NULL, 0, false},                 /* 13 */
    {"#g", 6, "bob", 0, GROUP(INVITE), "alice", NULL, 2, false},    /* 14 */
    {"#g", 0, "bob", 0, 0, NULL, NULL, 2, false},                   /* 15 */
    {"#g", 0, "carol", 0, 0, NULL, NULL, 2, false},                 /* 16 */
    {"bob", 4, "alice", 11, 0, NULL, NULL, 0, true},                /* 17 */
    {"#g", 3, "alice", 15, 0, NULL, NULL, 2, false},                /* 18 */
    {"bob", 0, "bob", 0, 0, NULL, NULL, 0, false},                  /* 19 */
    {"#g", 6, "bob", 0, GROUP(SET_ADMIN), "alice", NULL, 3, false}, /* 20 */
    {"#g", 6, "alice", 0, GROUP(RENAME), NULL, "Walks", 3, false},  /* 21 */
    {"bob", 3, "alice", 19, 0, NULL, NULL, 0, false},               /* 22 */
    {"#h", 6, "alice", 0, GROUP(JOIN), NULL, NULL, 2, false},       /* 23 */
    {"#h", 0, "carol", 0, 0, NULL, NULL, 2, false},                 /* 24 */
    {"#g", 4, "alice", 16, 0, NULL, NULL, 3, true},                 /* 25 */
    {"#g", 6, "bob", 0, GROUP(REMOVE), "alice", NULL, 0, false},    /* 26 */
    {"#k", 6, "alice", 0, GROUP(JOIN), NULL, NULL, 1, true},        /* 27 */
    {"bob", 0, "bob", 0, 0, NULL, NULL, 0, false},                  /* 28 */
    {"bob", 2, "bob", 28, 0, NULL, NULL, 0, false},                 /* 29 */
    {"#k", 6, "dave", 0, GROUP(APPROVE), "alice", NULL, 2, false},  /* 30 */
    {"#h", 6, "alice", 0, GROUP(LEAVE), NULL, NULL, 0, false},      /* 31 */
    {"bob", 5, "bob", 0, 0, NULL, NULL, 0, false},                  /* 32 */
    {"#k", 0, "dave", 0, 0, NULL, NULL, 2, false},                  /* 33 */
    {"#g", 6, "bob", 0, GROUP(INVITE), "alice", NULL, 2, false},    /* 34 */
    {"#g", 0, "bob", 0, 0, NULL, NULL, 2, false},                   /* 35 */
    {"#k", 6, "dave", 0, GROUP(TRANSFER), "alice", NULL, 4, false}, /* 36 */
    {"bob", 0, "bob", 0, 0, NULL, NULL, 0, false},                  /* 37 */
};

static const char the_end[] =
    "bob 10 k0 recalled \"\"\nbob 11 k0 \"bob11\"\nbob 12 k0 \"bob12\"\n"
    "bob 13 k2 \"\"\n#g 14 k6 \"\"\n#g 16 k0 \"#g16\"\n#g 18 k3 \"\"\n"
    "#g 20 k6 \"\"\n#g 21 k6 \"\"\nbob 22 k3 \"\"\n#h 23 k6 \"\"\n"
    "#h 24 k0 \"#h24\"\n#g 26 k6 \"\"\nbob 28 k0 recalled \"\"\n"
    "bob 29 k2 \"\"\n#k 30 k6 \"\"\n#h 31 k6 \"\"\nbob 32 k5 \"\"\n"
    "#k 33 k0 \"#k33\"\n#g 34 k6 \"\"\n#g 35 k0 \"#g35\"\n#k 36 k6 \"\"\n"
    "bob 37 k0 \"bob37\"\n"
    "bob 37 k0 \"bob37\" 'Bob' mark 11 unread 1 role 0\n"
    "#k 36 k6 \"\" '' mark 0 unread 1 role 4\n"
    "#g 35 k0 \"#g35\" 'Walks' mark 16 unread 1 role 2\n"
    "#h 31 k6 \"\" '' mark 0 unread 1 role 0\n";

static bool same(const char *x, const char *y)
{
    return strcmp(x, y) == 0;
}

/* What the server does in state `t`, when story[0..t) has happened. */
static const char *name_at(const char *conversation, size_t t)
{
    return same(conversation, "bob")             ? "Bob"
           : same(conversation, "#g") && t >= 12 ? "Walks"
                                                 : "";
}

static bool hit(size_t i, size_t t, uint32_t kind)
{
    for (size_t k = i + 1; k < t; k++) {
        if (story[k].kind == kind && story[k].target == ID(i) &&
            same(story[k].conversation, story[i].conversation)) {
            return true;
        }
    }
    return false;
}

static struct roam_entry_event row_at(size_t i, size_t t)
{
    struct roam_entry_event e = entry_of(&story[i], ID(i));
    e.conversation_name = b(name_at(story[i].conversation, t));
    e.sender_name = b(name_at(story[i].sender, t));
    if (story[i].kind == ROAM_KIND_MESSAGE && hit(i, t, ROAM_KIND_RECALL)) {
        e.recalled = true;
        e.body.len = 0;
    }
    return e;
}

static bool in_conversation(size_t i, const char *conversation)
{
    return same(story[i].conversation, conversation);
}

static void told_at(struct roam_entry_event *e, size_t i, size_t t)
{
    const char *conversation = story[i].conversation;
    for (size_t k = 0; k < t; k++) {
        if (!in_conversation(k, conversation)) {
            continue;
        }
        e->role = story[k].role;
        if (story[k].kind == ROAM_KIND_READ) {
            e->read_mark = story[k].target;
        }
    }
    for (size_t k = 0; k < t; k++) {
        e->unread += in_conversation(k, conversation) && story[k].kind == 0 &&
                     ID(k) > e->read_mark && !same(story[k].sender, "alice") &&
                     !hit(k, t, ROAM_KIND_RECALL) &&
                     !hit(k, t, ROAM_KIND_DELETE);
    }
}

/* The device was told RESET when story[0..back) had happened; its head was
 * RESET_HEAD. */
#define RESET_HEAD 100u
static size_t back;

static uint64_t head_at(size_t t)
{
    return RESET_HEAD + (t - back);
}

/* A page of the survey: the newest row of at most two conversations. */
static void answer_survey(struct roam_local *l, size_t t, uint64_t before)
{
    struct roam_local_survey next = {0, ""};
    int rows = 0;
    bool more = false;
    for (size_t i = t; i-- > 0;) {
        bool newest = !story[i].no_row;
        for (size_t k = i + 1; k < t; k++) {
            newest = newest && (story[k].no_row ||
                                !in_conversation(k, story[i].conversation));
        }
        if (!newest || (before != 0 && ID(i) >= before)) {
            continue;
        }
        if (rows == 2) {
            more = true;
            break;
        }
        struct roam_entry_event e = row_at(i, t);
        told_at(&e, i, t);
        assert_int_equal(roam_local_survey_row(l, &e), OK);
        next.before = ID(i);
        strcpy(next.conversation, story[i].conversation);
        rows++;
    }
    assert_int_equal(roam_local_survey_page(l, more ? &next : NULL, head_at(t)),
                     OK);
}

/* A page of a hole: at most three rows. */
static void answer_hole(struct roam_local *l, size_t t,
                        const struct roam_local_hole *h)
{
    bool up = h->below == 0 && h->above != 0, more = false, known = false;
    uint64_t first = 0, last = 0;
    int rows = 0;
    for (size_t n = 0; n < t; n++) {
        size_t i = up ? n : t - 1 - n;
        if (!in_conversation(i, h->conversation) || story[i].no_row) {
            continue;
        }
        known = true;
        if (ID(i) <= h->above || (h->below && ID(i) >= h->below)) {
            continue;
        }
        if (rows == 3) {
            more = true;
            break;
        }
        page_row(l, row_at(i, t));
        first = up && first ? first : ID(i);
        last = !up && last ? last : ID(i);
        rows++;
    }
    if (known) {
        assert_int_equal(roam_local_hole_page(l, h, first, last, more), OK);
    } else { /* NO_SUCH_CONVERSATION */
        assert_int_equal(roam_local_drop_holes(l, h->conversation), OK);
    }
}

/* One page, if one is wanted; a page is never older than what came before
 * it, but what it was asked for may be. */
static bool pull(struct roam_local *l, size_t t, size_t *overtaken_by)
{
    struct roam_local_survey survey;
    struct roam_local_hole hole;
    bool due, found = false;
    assert_int_equal(roam_local_survey(l, &survey, &due), OK);
    if (!due) {
        assert_int_equal(roam_local_hole(l, NULL, &hole, &found), OK);
    }
    if (overtaken_by && *overtaken_by < t) {
        arrive(l, row_at((*overtaken_by)++, t));
    }
    if (due) {
        answer_survey(l, t, survey.before);
    } else if (found) {
        answer_hole(l, t, &hole);
    }
    return due || found;
}

/* Entries say what they said in the state in which they are sent. */
static void deliver(struct roam_local *l, size_t i, size_t t)
{
    arrive(l, row_at(i, t));
}

static void assert_the_end(struct roam_local *l)
{
    while (pull(l, COUNT(story), NULL)) {
    }
    assert_string_equal(dump(l), the_end);
    roam_local_rollback(l);
}

static void test_a_device_that_was_never_away(void **state)
{
    (void)state;
    struct roam_local *l = open_store();
    for (size_t i = 0; i < COUNT(story); i++) {
        deliver(l, i, i + 1);
    }
    assert_the_end(l);
    for (size_t i = 0; i < COUNT(story); i++) { /* all at once */
        deliver(l, i, COUNT(story));
    }
    assert_the_end(l);
    roam_local_close(l);
}

static void test_the_device_that_sent_it_itself(void **state)
{
    (void)state; /* an outbox commits, so each round has its own store */
    for (int answer_first = 0; answer_first < 2; answer_first++) {
        struct roam_local *l = open_store();
        for (size_t i = 0; i < COUNT(story); i++) {
            if (!same(story[i].sender, "alice")) {
                deliver(l, i, i + 1);
                continue;
            }
            if (answer_first) {
                answer(l, &story[i], ID(i), false);
            }
            arrive_noop(l);
            if (!answer_first) {
                answer(l, &story[i], ID(i), false);
            }
        }
        assert_the_end(l);
        roam_local_close(l);
        unlink(path);
    }
}

/* The chain up to `cut`; then nothing until a RESET at `back`; from then on
 * writes, deliveries and pages in an order that `order` picks. */
static void be_away(struct roam_local *l, size_t cut, unsigned order)
{
    size_t t = back, delivered = back;
    for (size_t i = 0; i < cut; i++) {
        deliver(l, i, i + 1);
    }
    assert_int_equal(roam_local_add_reset(l, RESET_HEAD, 1), OK);
    for (int step = 0; step < 40; step++, order = order >> 1 | order << 15) {
        if ((order & 1) && t < COUNT(story)) {
            t++;
        } else if ((order & 2) && delivered < t) {
            deliver(l, delivered++, t);
        } else {
            pull(l, t, order & 4 ? &delivered : NULL);
        }
    }
    while (delivered < COUNT(story)) {
        deliver(l, delivered++, COUNT(story));
    }
    assert_the_end(l);
}

static void test_a_device_that_was_away_ends_equal(void **state)
{
    (void)state;
    struct roam_local *l = open_store();
    unsigned order = 1;
    for (size_t cut = 0; cut <= COUNT(story); cut++) {
        for (back = cut; back <= COUNT(story); back++) {
            be_away(l, cut, order & 0xffffu);
            be_away(l, cut, (order >> 3) & 0xffffu);
            order = order * 1103515245u + 12345u;
        }
    }
    roam_local_close(l);
}

/* ----------------------------------------------------------------- upgrade */

static void run_sql(const char *sql)
{
    sqlite3 *db;
    char *error = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK) {
        fail_msg("%s", error);
    }
    sqlite3_close(db);
}

static void test_a_store_of_format_2_learns_what_it_kept_raw(void **state)
{
    (void)state;
    struct roam_local *l = open_store();
    arrive(l, entry_of(&said, 10));
    arrive(l, entry_of(&said, 12));
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
        l = open_store();
        assert_string_equal(dump(l),
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
                                    .conversation = b("bob"),
                                    .body = entry_of(&recalls, 11).body};
    bool found;
    struct roam_local *l = open_store();
    assert_int_equal(roam_local_outbox_add(l, &m), OK);
    roam_local_close(l);
    l = open_store();
    assert_int_equal(roam_local_outbox_next(l, 0, &m, &found), OK);
    assert_true(found && m.kind == ROAM_KIND_RECALL && m.body.len == 2);
    roam_local_close(l);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_every_order_of_operations_has_the_same_effect),
        T(test_a_recall_takes_messages_only_and_a_delete_any_row),
        T(test_a_broken_body_is_kept_and_does_nothing),
        T(test_unread_are_others_messages_above_the_mark),
        T(test_unread_is_told_up_to_its_bound),
        T(test_above_a_hole_the_server_s_count_goes_on),
        T(test_the_last_name_is_shown),
        T(test_a_role_follows_every_change),
        T(test_an_application_becomes_a_membership_by_what_comes),
        T(test_a_group_that_was_made_here_is_known_by_its_name),
        T(test_a_change_that_changed_nothing_is_looked_for),
        T(test_a_device_that_was_never_away),
        T(test_the_device_that_sent_it_itself),
        T(test_a_device_that_was_away_ends_equal),
        T(test_a_store_of_format_2_learns_what_it_kept_raw),
        T(test_the_outbox_keeps_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
