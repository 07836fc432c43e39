/* SPDX-License-Identifier: Apache-2.0 */
/* A device that was away, got RESET and filled everything is equal to one that
 * was never away, and to the one that did it all: messages, recalls, marks,
 * memberships, names and unread counts. It is cut off at every point of a
 * story and comes back at every later one, while the story goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "local_rig.h"
#include "roam_limits.h"

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
    struct roam_entry_event e = local_rig_entry(&story[i], ID(i));
    e.conversation_name = local_rig_text(name_at(story[i].conversation, t));
    e.sender_name = local_rig_text(name_at(story[i].sender, t));
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
        local_rig_page_row(l, row_at(i, t));
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
        local_rig_arrive(l, row_at((*overtaken_by)++, t));
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
    local_rig_arrive(l, row_at(i, t));
}

static void assert_the_end(struct roam_local *l)
{
    while (pull(l, COUNT(story), NULL)) {
    }
    assert_string_equal(local_rig_dump(l), the_end);
    roam_local_rollback(l);
}

static void test_a_device_that_was_never_away(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
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
        struct roam_local *l = local_rig_store();
        for (size_t i = 0; i < COUNT(story); i++) {
            if (!same(story[i].sender, "alice")) {
                deliver(l, i, i + 1);
                continue;
            }
            if (answer_first) {
                local_rig_answer(l, &story[i], ID(i), false);
            }
            local_rig_arrive_noop(l);
            if (!answer_first) {
                local_rig_answer(l, &story[i], ID(i), false);
            }
        }
        assert_the_end(l);
        roam_local_close(l);
        unlink(local_path);
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
    struct roam_local *l = local_rig_store();
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

/* The same for the device that does what alice does: what it sent before the
 * RESET is answered behind it, as a second time perhaps; what it sends later,
 * before or behind the NOOP in the chain. */
static bool is_mine(size_t i)
{
    return same(story[i].sender, "alice");
}

static size_t next_mine(size_t i)
{
    while (i < COUNT(story) && !is_mine(i)) {
        i++;
    }
    return i;
}

static void send_again(struct roam_local *l, size_t i, unsigned order)
{
    local_rig_sent(l, &story[i], ID(i), i < back && (order & 8));
}

static void pass_on(struct roam_local *l, size_t i, size_t t)
{
    if (is_mine(i)) {
        local_rig_arrive_noop(l);
    } else {
        deliver(l, i, t);
    }
}

static void be_away_and_send(size_t cut, unsigned order)
{
    struct roam_local *l = local_rig_store();
    size_t t = back, delivered = back, answered = next_mine(cut);
    for (size_t i = 0; i < cut; i++) {
        pass_on(l, i, i + 1);
        if (is_mine(i)) {
            local_rig_answer(l, &story[i], ID(i), false);
        }
    }
    for (size_t i = answered; i < COUNT(story); i = next_mine(i + 1)) {
        local_rig_post(l, &story[i], ID(i));
    }
    assert_int_equal(roam_local_add_reset(l, RESET_HEAD, 1), OK);
    for (int step = 0; step < 200; step++, order = order >> 1 | order << 15) {
        bool calm = step > 60;
        if ((calm || (order & 1)) && t < COUNT(story)) {
            t++;
        } else if ((calm || (order & 2)) && delivered < t) {
            pass_on(l, delivered, t);
            delivered++;
        } else if ((calm || (order & 4)) && answered < t) {
            send_again(l, answered, order);
            answered = next_mine(answered + 1);
        } else {
            pull(l, t, NULL);
        }
    }
    assert_the_end(l);
    roam_local_close(l);
    unlink(local_path);
}

static void test_a_device_that_sends_while_it_is_away_ends_equal(void **state)
{
    (void)state;
    unsigned order = 1;
    for (size_t cut = 0; cut <= COUNT(story); cut += 3) {
        for (back = cut; back <= COUNT(story); back += 2) {
            be_away_and_send(cut, order & 0xffffu);
            order = order * 1103515245u + 12345u;
        }
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, local_rig_open, local_rig_close)
    const struct CMUnitTest tests[] = {
        T(test_a_device_that_was_never_away),
        T(test_the_device_that_sent_it_itself),
        T(test_a_device_that_was_away_ends_equal),
        T(test_a_device_that_sends_while_it_is_away_ends_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
