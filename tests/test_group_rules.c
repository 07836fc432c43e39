/* SPDX-License-Identifier: Apache-2.0 */
/* Every action of a group by every role on every role, in every mode, against
 * tables written from the spec alone. Spec: section 7.2, [GRP-*].
 *
 * A table has a line for the actor's role and a letter for the target's, both
 * in the order stranger, applicant, member, admin, owner:
 * n NO_SUCH_CONVERSATION, u NO_SUCH_USER, f FORBIDDEN, d duplicate,
 * + granted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "group_id.h"
#include "group_rules.h"
#include "roam.pb.h"
#include "roam_limits.h"

#define CREATE roam_v1_GroupAction_CREATE
#define INVITE roam_v1_GroupAction_INVITE
#define JOIN roam_v1_GroupAction_JOIN
#define APPROVE roam_v1_GroupAction_APPROVE
#define DENY roam_v1_GroupAction_DENY
#define LEAVE roam_v1_GroupAction_LEAVE
#define REMOVE roam_v1_GroupAction_REMOVE
#define RENAME roam_v1_GroupAction_RENAME
#define SET_ADMIN roam_v1_GroupAction_SET_ADMIN
#define UNSET_ADMIN roam_v1_GroupAction_UNSET_ADMIN
#define MUTE roam_v1_GroupAction_MUTE
#define UNMUTE roam_v1_GroupAction_UNMUTE
#define SET_JOIN roam_v1_GroupAction_SET_JOIN
#define TRANSFER roam_v1_GroupAction_TRANSFER
#define DISSOLVE roam_v1_GroupAction_DISSOLVE

#define NONE roam_v1_Role_ROLE_NONE
#define APPLICANT roam_v1_Role_APPLICANT
#define MEMBER roam_v1_Role_MEMBER
#define ADMIN roam_v1_Role_ADMIN
#define OWNER roam_v1_Role_OWNER
#define ROLES 5u

#define OPEN roam_v1_JoinMode_JOIN_OPEN
#define APPROVAL roam_v1_JoinMode_JOIN_APPROVAL
#define CLOSED roam_v1_JoinMode_JOIN_CLOSED

#define MAX 200u

static struct roam_group_state group_of(uint32_t join)
{
    struct roam_group_state g = {.join = join, .members = 10, .applicants = 3};
    return g;
}

static char letter_of(const struct roam_group_verdict *v)
{
    switch (v->error) {
    case roam_v1_ErrorCode_NO_SUCH_CONVERSATION:
        return 'n';
    case roam_v1_ErrorCode_NO_SUCH_USER:
        return 'u';
    case roam_v1_ErrorCode_FORBIDDEN:
        return 'f';
    case roam_v1_ErrorCode_POLICY:
        return 'p';
    case roam_v1_ErrorCode_GROUP_FULL:
        return 'g';
    case 0:
        return v->duplicate ? 'd' : '+';
    default:
        return '?';
    }
}

/* What is not granted leaves all as it was. */
static void assert_untouched(const struct roam_group_verdict *v,
                             const struct roam_group_state *g,
                             const struct roam_group_part *actor,
                             const struct roam_group_part *target)
{
    assert_int_equal(v->state.join, g->join);
    assert_int_equal(v->state.muted, g->muted);
    assert_int_equal(v->state.members, g->members);
    assert_int_equal(v->state.applicants, g->applicants);
    assert_int_equal(v->actor.role, actor->role);
    assert_int_equal(v->actor.muted, actor->muted);
    assert_int_equal(v->target.role, target->role);
    assert_int_equal(v->target.muted, target->muted);
    assert_false(v->dissolved);
}

static char ask(const struct roam_group_state *g, uint32_t role,
                const struct roam_group_change *change)
{
    struct roam_group_part actor = {.role = role};
    struct roam_group_verdict v = roam_group_decide(g, &actor, change, MAX);
    char letter = letter_of(&v);
    if (letter != '+') {
        assert_untouched(&v, g, &actor, &change->target);
    }
    return letter;
}

/* ----------------------------------------------------------- with a target */

struct target_case {
    uint32_t action;
    bool muted; /* the target is */
    const char *letters[ROLES];
};

static const struct target_case target_cases[] = {
    {APPROVE, false, {"nnnnn", "nnnnn", "uuuuu", "u+uuu", "u+uuu"}},
    {DENY, false, {"nnnnn", "nnnnn", "uuuuu", "u+uuu", "u+uuu"}},
    {REMOVE, false, {"nnnnn", "nnnnn", "uufff", "uu+ff", "uu++f"}},
    {REMOVE, true, {"nnnnn", "nnnnn", "uufff", "uu+ff", "uu++f"}},
    {SET_ADMIN, false, {"nnnnn", "nnnnn", "uufff", "uufff", "uu+df"}},
    {UNSET_ADMIN, false, {"nnnnn", "nnnnn", "uufff", "uufff", "uud+f"}},
    {MUTE, false, {"nnnnn", "nnnnn", "uufff", "uu+ff", "uu++f"}},
    {MUTE, true, {"nnnnn", "nnnnn", "uufff", "uudff", "uuddf"}},
    {UNMUTE, false, {"nnnnn", "nnnnn", "uufff", "uudff", "uuddf"}},
    {UNMUTE, true, {"nnnnn", "nnnnn", "uufff", "uu+ff", "uu++f"}},
    {TRANSFER, false, {"nnnnn", "nnnnn", "uufff", "uufff", "uu++d"}},
};

static void test_every_role_acts_on_every_role_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof target_cases / sizeof *target_cases; i++) {
        const struct target_case *c = &target_cases[i];
        for (uint32_t at = 0; at < 3 * ROLES * ROLES; at++) {
            uint32_t actor = at / ROLES % ROLES;
            uint32_t target = at % ROLES;
            struct roam_group_state g = group_of(OPEN + at / ROLES / ROLES);
            struct roam_group_change change = {
                .action = c->action,
                .has_target = true,
                .target = {.role = target, .muted = c->muted}};
            char got = ask(&g, actor, &change);
            if (got != c->letters[actor][target]) {
                fail_msg("case %zu: role %u on role %u is %c", i, actor, target,
                         got);
            }
        }
    }
}

/* -------------------------------------------------------- without a target */

struct lone_case {
    struct roam_group_change change;
    uint32_t join; /* 0: in every mode */
    bool muted;    /* the group is */
    const char *letters;
};

static const struct lone_case lone_cases[] = {
    {{.action = INVITE, .newcomers = 2}, OPEN, false, "nn+++"},
    {{.action = INVITE, .newcomers = 2}, APPROVAL, false, "nn+++"},
    {{.action = INVITE, .newcomers = 2}, CLOSED, false, "nnf++"},
    {{.action = INVITE}, OPEN, false, "nnddd"},
    {{.action = INVITE}, CLOSED, false, "nnfdd"},
    {{.action = JOIN}, OPEN, false, "++ddd"},
    {{.action = JOIN}, APPROVAL, false, "+dddd"},
    {{.action = JOIN}, CLOSED, false, "nnddd"},
    {{.action = LEAVE}, 0, false, "nn++f"},
    {{.action = RENAME}, 0, false, "nnf++"},
    {{.action = RENAME, .same_name = true}, 0, false, "nnfdd"},
    {{.action = MUTE}, 0, false, "nnf++"},
    {{.action = MUTE}, 0, true, "nnfdd"},
    {{.action = UNMUTE}, 0, false, "nnfdd"},
    {{.action = UNMUTE}, 0, true, "nnf++"},
    {{.action = SET_JOIN, .join = CLOSED}, OPEN, false, "nnf++"},
    {{.action = SET_JOIN, .join = CLOSED}, APPROVAL, false, "nnf++"},
    {{.action = SET_JOIN, .join = CLOSED}, CLOSED, false, "nnfdd"},
    {{.action = DISSOLVE}, 0, false, "nnff+"},
};

static void test_every_role_acts_alone_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lone_cases / sizeof *lone_cases; i++) {
        const struct lone_case *c = &lone_cases[i];
        for (uint32_t at = 0; at < 3 * ROLES; at++) {
            struct roam_group_state g = group_of(OPEN + at / ROLES);
            uint32_t role = at % ROLES;
            g.muted = c->muted;
            if (c->join != 0 && c->join != g.join) {
                continue;
            }
            char got = ask(&g, role, &c->change);
            if (got != c->letters[role]) {
                fail_msg("case %zu: role %u is %c", i, role, got);
            }
        }
    }
}

/* ----------------------------------------------------------------- effects */

static struct roam_group_verdict grant(const struct roam_group_state *g,
                                       uint32_t role,
                                       const struct roam_group_change *change)
{
    struct roam_group_part actor = {.role = role};
    struct roam_group_verdict v = roam_group_decide(g, &actor, change, MAX);
    assert_int_equal(letter_of(&v), '+');
    return v;
}

static void test_create_makes_an_owner_and_members(void **state)
{
    (void)state;
    struct roam_group_state none = {0};
    struct roam_group_change change = {
        .action = CREATE, .join = APPROVAL, .newcomers = 4};
    struct roam_group_verdict v = grant(&none, NONE, &change);
    assert_int_equal(v.actor.role, OWNER);
    assert_int_equal(v.state.join, APPROVAL);
    assert_int_equal(v.state.members, 5);
    assert_int_equal(v.audience, ROAM_GROUP_MEMBERS);
}

static void test_invite_counts_newcomers_and_takes_applicants_in(void **state)
{
    (void)state;
    struct roam_group_state g = group_of(APPROVAL);
    struct roam_group_change change = {
        .action = INVITE, .newcomers = 3, .applied = 2};
    struct roam_group_verdict v = grant(&g, MEMBER, &change);
    assert_int_equal(v.state.members, 13);
    assert_int_equal(v.state.applicants, 1);
}

static void test_join_makes_a_member_or_an_applicant(void **state)
{
    (void)state;
    struct roam_group_state g = group_of(OPEN);
    struct roam_group_change change = {.action = JOIN};
    struct roam_group_verdict v = grant(&g, NONE, &change);
    assert_int_equal(v.actor.role, MEMBER);
    assert_int_equal(v.state.members, 11);
    assert_int_equal(v.audience, ROAM_GROUP_MEMBERS);

    v = grant(&g, APPLICANT, &change);
    assert_int_equal(v.actor.role, MEMBER);
    assert_int_equal(v.state.members, 11);
    assert_int_equal(v.state.applicants, 2);

    g.join = APPROVAL;
    v = grant(&g, NONE, &change);
    assert_int_equal(v.actor.role, APPLICANT);
    assert_int_equal(v.state.members, 10);
    assert_int_equal(v.state.applicants, 4);
    assert_int_equal(v.audience, ROAM_GROUP_ADMINS);
}

struct effect_case {
    uint32_t action, actor, target;
    uint32_t actor_after, target_after;
    int members, applicants; /* by how much they change */
    enum roam_group_audience audience;
};

static const struct effect_case effect_cases[] = {
    {APPROVE, ADMIN, APPLICANT, ADMIN, MEMBER, 1, -1, ROAM_GROUP_MEMBERS},
    {DENY, ADMIN, APPLICANT, ADMIN, NONE, 0, -1, ROAM_GROUP_ADMINS},
    {REMOVE, ADMIN, MEMBER, ADMIN, NONE, -1, 0, ROAM_GROUP_MEMBERS},
    {REMOVE, OWNER, ADMIN, OWNER, NONE, -1, 0, ROAM_GROUP_MEMBERS},
    {SET_ADMIN, OWNER, MEMBER, OWNER, ADMIN, 0, 0, ROAM_GROUP_MEMBERS},
    {UNSET_ADMIN, OWNER, ADMIN, OWNER, MEMBER, 0, 0, ROAM_GROUP_MEMBERS},
    {TRANSFER, OWNER, MEMBER, ADMIN, OWNER, 0, 0, ROAM_GROUP_MEMBERS},
    {TRANSFER, OWNER, ADMIN, ADMIN, OWNER, 0, 0, ROAM_GROUP_MEMBERS},
};

static void test_a_change_moves_roles_and_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof effect_cases / sizeof *effect_cases; i++) {
        const struct effect_case *c = &effect_cases[i];
        struct roam_group_state g = group_of(APPROVAL);
        struct roam_group_change change = {.action = c->action,
                                           .has_target = true,
                                           .target = {.role = c->target}};
        struct roam_group_verdict v = grant(&g, c->actor, &change);
        assert_int_equal(v.actor.role, c->actor_after);
        assert_int_equal(v.target.role, c->target_after);
        assert_int_equal((int)v.state.members - 10, c->members);
        assert_int_equal((int)v.state.applicants - 3, c->applicants);
        assert_int_equal(v.audience, c->audience);
    }
}

static void test_leaving_ends_the_part_and_dissolving_all(void **state)
{
    (void)state;
    struct roam_group_state g = group_of(OPEN);
    struct roam_group_change leave = {.action = LEAVE};
    struct roam_group_verdict v = grant(&g, ADMIN, &leave);
    assert_int_equal(v.actor.role, NONE);
    assert_int_equal(v.state.members, 9);
    assert_false(v.dissolved);

    struct roam_group_change dissolve = {.action = DISSOLVE};
    v = grant(&g, OWNER, &dissolve);
    assert_true(v.dissolved);
    assert_int_equal(v.state.join, CLOSED); /* to be found by nobody */
    assert_int_equal(v.state.members, 0);
    assert_int_equal(v.state.applicants, 0);
}

static void test_a_new_owner_is_not_muted(void **state)
{
    (void)state;
    struct roam_group_state g = group_of(OPEN);
    struct roam_group_change change = {
        .action = TRANSFER, .has_target = true, .target = {MEMBER, true}};
    assert_false(grant(&g, OWNER, &change).target.muted);
    change.action = SET_ADMIN; /* a promotion unmutes nobody */
    assert_true(grant(&g, OWNER, &change).target.muted);
}

static void test_mute_names_one_or_all(void **state)
{
    (void)state;
    struct roam_group_state g = group_of(OPEN);
    struct roam_group_change change = {
        .action = MUTE, .has_target = true, .target = {.role = MEMBER}};
    struct roam_group_verdict v = grant(&g, ADMIN, &change);
    assert_true(v.target.muted);
    assert_false(v.state.muted);
    change.has_target = false;
    change.target.role = NONE;
    v = grant(&g, ADMIN, &change);
    assert_true(v.state.muted);
}

static void test_set_join_sets_it(void **state)
{
    (void)state;
    struct roam_group_state g = group_of(OPEN);
    struct roam_group_change change = {.action = SET_JOIN, .join = CLOSED};
    assert_int_equal(grant(&g, ADMIN, &change).state.join, CLOSED);
}

/* ------------------------------------------------------------------ limits */

static void test_members_are_limited_at_n_not_below(void **state)
{
    (void)state;
    struct roam_group_state g = group_of(OPEN);
    struct roam_group_change invite = {.action = INVITE, .newcomers = 5};
    struct roam_group_change join = {.action = JOIN};
    g.members = MAX - 5;
    assert_int_equal(ask(&g, MEMBER, &invite), '+');
    invite.newcomers = 6;
    assert_int_equal(ask(&g, MEMBER, &invite), 'g');
    g.members = MAX - 1;
    assert_int_equal(ask(&g, NONE, &join), '+');
    g.members = MAX;
    assert_int_equal(ask(&g, NONE, &join), 'g');

    struct roam_group_state none = {0};
    struct roam_group_change create = {
        .action = CREATE, .join = OPEN, .newcomers = MAX - 1};
    assert_int_equal(ask(&none, NONE, &create), '+');
    create.newcomers = MAX;
    assert_int_equal(ask(&none, NONE, &create), 'g');
}

static void test_approval_waits_for_room_and_applicants_are_limited(
    void **state)
{
    (void)state;
    struct roam_group_state g = group_of(APPROVAL);
    struct roam_group_change approve = {
        .action = APPROVE, .has_target = true, .target = {.role = APPLICANT}};
    struct roam_group_change join = {.action = JOIN};
    g.members = MAX;
    assert_int_equal(ask(&g, NONE, &join), '+'); /* an applicant may wait */
    assert_int_equal(ask(&g, ADMIN, &approve), 'g');
    approve.action = DENY;
    assert_int_equal(ask(&g, ADMIN, &approve), '+');
    g.applicants = ROAM_APPLICANTS_MAX - 1;
    assert_int_equal(ask(&g, NONE, &join), '+');
    g.applicants = ROAM_APPLICANTS_MAX;
    assert_int_equal(ask(&g, NONE, &join), 'g');
    assert_int_equal(ask(&g, APPLICANT, &join), 'd');
}

/* A setting that was lowered takes nobody out, and keeps nobody in. */
static void test_an_overfull_group_can_still_shrink(void **state)
{
    (void)state;
    struct roam_group_state g = group_of(OPEN);
    struct roam_group_change leave = {.action = LEAVE};
    struct roam_group_change rename = {.action = RENAME};
    g.members = MAX + 50;
    assert_int_equal(ask(&g, MEMBER, &leave), '+');
    assert_int_equal(ask(&g, ADMIN, &rename), '+');
}

static void test_faults_are_told_in_the_order_of_the_spec(void **state)
{
    (void)state;
    struct roam_group_state g = group_of(CLOSED);
    struct roam_group_change all = {
        .action = INVITE, .newcomers = MAX, .unknown = true, .refused = true};
    assert_int_equal(ask(&g, NONE, &all), 'n');
    assert_int_equal(ask(&g, MEMBER, &all), 'u');
    all.unknown = false;
    assert_int_equal(ask(&g, MEMBER, &all), 'f');
    assert_int_equal(ask(&g, ADMIN, &all), 'p');
    all.refused = false;
    assert_int_equal(ask(&g, ADMIN, &all), 'g');
    all.newcomers = 1;
    assert_int_equal(ask(&g, ADMIN, &all), '+');
}

/* ----------------------------------------------------------- other entries */

struct send_case {
    uint32_t role;
    bool muted, all_muted, former;
    uint32_t speaking, recall, own; /* errors */
};

#define GONE roam_v1_ErrorCode_NO_SUCH_CONVERSATION
#define MUTED roam_v1_ErrorCode_MUTED

static const struct send_case send_cases[] = {
    {NONE, false, false, false, GONE, GONE, GONE},
    {NONE, false, false, true, GONE, GONE, 0},
    {APPLICANT, false, false, false, GONE, GONE, GONE},
    {APPLICANT, false, false, true, GONE, GONE, 0},
    {MEMBER, false, false, false, 0, 0, 0},
    {MEMBER, true, false, false, MUTED, 0, 0},
    {MEMBER, false, true, false, MUTED, 0, 0},
    {MEMBER, true, true, true, MUTED, 0, 0},
    {ADMIN, false, true, false, 0, 0, 0},
    {ADMIN, true, false, false, MUTED, 0, 0},
    {OWNER, false, true, false, 0, 0, 0},
};

static void test_who_may_send_what(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof send_cases / sizeof *send_cases; i++) {
        const struct send_case *c = &send_cases[i];
        struct roam_group_state g = group_of(OPEN);
        struct roam_group_part actor = {c->role, c->muted};
        const uint32_t expected[][2] = {
            {roam_v1_Kind_MESSAGE, c->speaking},
            {roam_v1_Kind_APP, c->speaking},
            {roam_v1_Kind_RECALL, c->recall},
            {roam_v1_Kind_DELETE, c->own},
            {roam_v1_Kind_READ, c->own},
        };
        g.muted = c->all_muted;
        for (size_t k = 0; k < sizeof expected / sizeof *expected; k++) {
            assert_int_equal(
                roam_group_may_send(&g, &actor, c->former, expected[k][0]),
                expected[k][1]);
        }
    }
}

/* --------------------------------------------------------------------- ids */

static void test_a_group_id_is_16_bytes_in_base64url(void **state)
{
    (void)state;
    static const struct {
        uint8_t first, rest;
        const char *id;
    } cases[] = {
        {0x00, 0x00, "#AAAAAAAAAAAAAAAAAAAAAA"},
        {0xff, 0xff, "#_____________________w"},
        {0x04, 0x00, "#BAAAAAAAAAAAAAAAAAAAAA"},
        {0xf8, 0x00, "#-AAAAAAAAAAAAAAAAAAAAA"},
        {0x00, 0x01, "#AAEBAQEBAQEBAQEBAQEBAQ"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t random[ROAM_GROUP_ID_RANDOM_BYTES];
        char id[ROAM_GROUP_ID_BYTES + 1] = "";
        memset(random, cases[i].rest, sizeof random);
        random[0] = cases[i].first;
        roam_group_id_write(random, id);
        assert_string_equal(id, cases[i].id);
    }
}

static void test_what_begins_with_a_hash_is_no_user(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool group, fresh;
    } cases[] = {
        {"", false, false}, {"bob", false, false}, {"b#", false, false},
        {"#", true, true},  {"##", true, false},   {"#bob", true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].text;
        struct roam_slice s = {(const uint8_t *)text, strlen(text)};
        assert_int_equal(roam_group_id_looks_like(s), cases[i].group);
        assert_int_equal(roam_group_id_is_new(s), cases[i].fresh);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_role_acts_on_every_role_as_the_table_says),
        cmocka_unit_test(test_every_role_acts_alone_as_the_table_says),
        cmocka_unit_test(test_create_makes_an_owner_and_members),
        cmocka_unit_test(test_invite_counts_newcomers_and_takes_applicants_in),
        cmocka_unit_test(test_join_makes_a_member_or_an_applicant),
        cmocka_unit_test(test_a_change_moves_roles_and_counts),
        cmocka_unit_test(test_leaving_ends_the_part_and_dissolving_all),
        cmocka_unit_test(test_a_new_owner_is_not_muted),
        cmocka_unit_test(test_mute_names_one_or_all),
        cmocka_unit_test(test_set_join_sets_it),
        cmocka_unit_test(test_members_are_limited_at_n_not_below),
        cmocka_unit_test(
            test_approval_waits_for_room_and_applicants_are_limited),
        cmocka_unit_test(test_an_overfull_group_can_still_shrink),
        cmocka_unit_test(test_faults_are_told_in_the_order_of_the_spec),
        cmocka_unit_test(test_who_may_send_what),
        cmocka_unit_test(test_a_group_id_is_16_bytes_in_base64url),
        cmocka_unit_test(test_what_begins_with_a_hash_is_no_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
