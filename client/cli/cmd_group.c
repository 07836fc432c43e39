/* SPDX-License-Identifier: Apache-2.0 */
/* group: make one, change one, see who is in it. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "frame.h"
#include "names.h"
#include "operation.h"
#include "roam_limits.h"
#include "submit.h"

/* What stands behind GROUP. */
enum form {
    NOTHING,
    USER,
    USER_OR_NOT,
    USERS,
    TEXT_OR_NOT,
    NAME,
    MODE
};

static const struct action {
    const char *word;
    uint32_t action, undone; /* by --off; 0: there is no such thing */
    enum form form;
} actions[] = {
    {"create", roam_v1_GroupAction_CREATE, 0, USERS},
    {"invite", roam_v1_GroupAction_INVITE, 0, USERS},
    {"join", roam_v1_GroupAction_JOIN, 0, TEXT_OR_NOT},
    {"approve", roam_v1_GroupAction_APPROVE, 0, USER},
    {"deny", roam_v1_GroupAction_DENY, 0, USER},
    {"leave", roam_v1_GroupAction_LEAVE, 0, NOTHING},
    {"remove", roam_v1_GroupAction_REMOVE, 0, USER},
    {"rename", roam_v1_GroupAction_RENAME, 0, NAME},
    {"admin", roam_v1_GroupAction_SET_ADMIN, roam_v1_GroupAction_UNSET_ADMIN,
     USER},
    {"mute", roam_v1_GroupAction_MUTE, roam_v1_GroupAction_UNMUTE, USER_OR_NOT},
    {"transfer", roam_v1_GroupAction_TRANSFER, 0, USER},
    {"set-join", roam_v1_GroupAction_SET_JOIN, 0, MODE},
    {"dissolve", roam_v1_GroupAction_DISSOLVE, 0, NOTHING},
    {"members", 0, 0, NOTHING},
};

/* A change under way of being put together. */
struct change {
    struct roam_operation op;
    struct roam_slice users[ROAM_CHANGE_USERS_MAX];
    size_t user_count;
    uint8_t body[ROAM_OPERATION_BYTES_MAX];
};

static struct roam_slice slice_of(const char *text)
{
    struct roam_slice s = {(const uint8_t *)text, strlen(text)};
    return s;
}

static bool complain(const char *text, const char *what)
{
    fprintf(stderr, "roam: group %s: %s\n", what, text);
    return false;
}

static const struct action *find_action(const char *word)
{
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(word, actions[i].word) == 0) {
            return &actions[i];
        }
    }
    return NULL;
}

/* The least and most words behind GROUP. */
static bool count_is_good(enum form form, int count)
{
    switch (form) {
    case NOTHING:
        return count == 0;
    case USER_OR_NOT:
    case TEXT_OR_NOT:
        return count <= 1;
    case USERS:
        return count <= (int)ROAM_CHANGE_USERS_MAX;
    case USER:
    case NAME:
    case MODE:
        break;
    }
    return count == 1;
}

/* Fills what the words behind GROUP say. */
static bool take_words(struct change *c, enum form form, char **words,
                       int count)
{
    for (int i = 0; i < count; i++) {
        if (form == TEXT_OR_NOT) {
            c->op.text = slice_of(words[i]);
        } else if (form == NAME) {
            c->op.name = slice_of(words[i]);
        } else if (form != MODE) {
            c->users[c->user_count++] = slice_of(words[i]);
        } else if (!roam_join_parse(words[i], &c->op.join)) {
            return complain("it is open, approval or closed", "set-join");
        }
    }
    return true;
}

static bool take_new(struct change *c, const struct roam_options *o)
{
    c->op.join = ROAM_JOIN_CLOSED;
    if (o->join && !roam_join_parse(o->join, &c->op.join)) {
        return complain("--join is open, approval or closed", "create");
    }
    c->op.name = slice_of(o->name ? o->name : "");
    return true;
}

/* The length of the body; 0: said on standard error already. */
static size_t put_together(struct change *c, const struct action *a,
                           const struct roam_options *o)
{
    bool makes = a->action == roam_v1_GroupAction_CREATE;
    int taken = makes ? 1 : 2;
    int count = o->argument_count - taken;
    struct roam_operation check;
    if (count < 0 || !count_is_good(a->form, count) ||
        (o->off && a->undone == 0) || (!makes && (o->name || o->join))) {
        complain("wrong arguments, see roam --help", a->word);
        return 0;
    }
    c->op.kind = ROAM_KIND_GROUP;
    c->op.action = o->off ? a->undone : a->action;
    if (!take_words(c, a->form, o->arguments + taken, count) ||
        (makes && !take_new(c, o))) {
        return 0;
    }
    size_t len = roam_operation_encode(&c->op, c->users, c->user_count, c->body,
                                       sizeof c->body);
    struct roam_slice body = {c->body, len};
    if (len == 0 || !roam_operation_decode(ROAM_KIND_GROUP, body, &check)) {
        complain("an argument is missing, too long or not UTF-8", a->word);
        return 0;
    }
    return len;
}

/* Opens a session to ask something of the server. */
static enum roam_exit list_members(const struct roam_options *o)
{
    struct roam_online s;
    if (o->argument_count != 2 || o->off || o->name || o->join) {
        complain("wrong arguments, see roam --help", "members");
        return ROAM_EXIT_USAGE;
    }
    enum roam_exit code = roam_online_open(&s, o, true, ROAM_SUBMIT_TIMEOUT_S);
    if (code != ROAM_EXIT_OK) {
        return code;
    }
    if (roam_posix_members(s.posix, o->arguments[1]) != ROAM_POSIX_STATUS_OK) {
        complain("a group has a name of 1 to 64 bytes", "members");
        s.exit_code = ROAM_EXIT_USAGE;
        return roam_online_close(&s);
    }
    (void)roam_await_answer(&s);
    return roam_online_close(&s);
}

enum roam_exit roam_command_group(const struct roam_options *o)
{
    static struct change c;
    const struct action *a = find_action(o->arguments[0]);
    if (!a) {
        complain("there is no such action, see roam --help", o->arguments[0]);
        return ROAM_EXIT_USAGE;
    }
    if (a->action == 0) {
        return list_members(o);
    }
    memset(&c, 0, sizeof c);
    size_t len = put_together(&c, a, o);
    if (len == 0) {
        return ROAM_EXIT_USAGE;
    }
    bool makes = a->action == roam_v1_GroupAction_CREATE;
    const struct roam_submission what = {
        .kind = ROAM_KIND_GROUP,
        .conversation = roam_bytes_of(makes ? "#" : o->arguments[1]),
        .body = {c.body, len},
    };
    return roam_submit_alone(o, &what);
}
