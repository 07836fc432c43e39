/* SPDX-License-Identifier: Apache-2.0 */
/* See expr_body.h. */
#include "expr_body.h"

#include <string.h>

/* More users than any operation may name. */
#define USERS_MAX 64u

static struct value packed(const ProtobufCMessage *m)
{
    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *data = arena_alloc(len + 1);
    protobuf_c_message_pack(m, data);
    return (struct value){.kind = VALUE_BYTES, .data = data, .len = len};
}

/* The next argument, up to a comma outside of quotes; NULL: none is left. */
static const char *next_argument(const char **rest)
{
    const char *s = *rest + strspn(*rest, " ");
    const char *end = s;
    bool quoted = false;
    if (*s == '\0') {
        return NULL;
    }
    for (; *end && (quoted || *end != ','); end++) {
        quoted = quoted != (*end == '"' && (end == s || end[-1] != '\\'));
    }
    size_t len = (size_t)(end - s);
    while (len > 0 && s[len - 1] == ' ') {
        len--;
    }
    *rest = *end == ',' ? end + 1 : end;
    return arena_copy(s, len);
}

static enum expr_result eval_target(struct world *w, const char *arg,
                                    struct value *out, const char **reason)
{
    struct value n;
    enum expr_result r = expr_eval(w, arg, NULL, &n, reason);
    if (r != EXPR_OK || n.kind != VALUE_NUMBER) {
        *reason = arena_printf("target() takes a msg_id, not %s", arg);
        return EXPR_BAD;
    }
    Roam__V1__Target target = ROAM__V1__TARGET__INIT;
    target.msg_id = n.number;
    *out = packed(&target.base);
    return EXPR_OK;
}

/* A bare word is a user of the case. */
static char *user_name(struct world *w, const char *word)
{
    const char *name = *word == '"' ? arena_copy(word + 1, strlen(word) - 2)
                                    : arena_printf("%s-%s", word, w->suffix);
    return (char *)arena_string(name);
}

static enum expr_result eval_app(struct world *w, const char *arg,
                                 struct value *out, const char **reason)
{
    const char *first = next_argument(&arg);
    struct value data = value_text("");
    char *users[USERS_MAX];
    Roam__V1__App app = ROAM__V1__APP__INIT;
    if (first && expr_eval(w, first, NULL, &data, reason) != EXPR_OK) {
        return EXPR_BAD;
    }
    if (data.kind != VALUE_BYTES) {
        *reason = "app() takes data in quotes";
        return EXPR_BAD;
    }
    app.users = users;
    for (const char *word = next_argument(&arg);
         word && app.n_users < USERS_MAX; word = next_argument(&arg)) {
        users[app.n_users++] = user_name(w, word);
    }
    app.data = (ProtobufCBinaryData){data.len, (uint8_t *)data.data};
    *out = packed(&app.base);
    return EXPR_OK;
}

/* An enum's number by the name of its value. */
static bool enum_value(const ProtobufCEnumDescriptor *desc, const char *name,
                       int *out)
{
    const ProtobufCEnumValue *v =
        protobuf_c_enum_descriptor_get_value_by_name(desc, name);
    if (v) {
        *out = v->value;
    }
    return v != NULL;
}

/* One word behind the action: a mode, name= or text= in quotes, or a user. */
static bool add_part(struct world *w, Roam__V1__GroupChange *c, char **users,
                     const char *word)
{
    int value;
    if (enum_value(&roam__v1__join_mode__descriptor, word, &value)) {
        c->join = (Roam__V1__JoinMode)value;
        return true;
    }
    char **text = strncmp(word, "name=", 5) == 0   ? &c->name
                  : strncmp(word, "text=", 5) == 0 ? &c->text
                                                   : NULL;
    if (!text) {
        users[c->n_users++] = user_name(w, word);
        return c->n_users < USERS_MAX;
    }
    const char *reason;
    struct value v;
    bool ok = expr_eval(w, word + 5, NULL, &v, &reason) == EXPR_OK &&
              v.kind == VALUE_BYTES;
    if (ok) {
        *text = (char *)arena_copy((const char *)v.data, v.len);
    }
    return ok;
}

static enum expr_result eval_change(struct world *w, const char *arg,
                                    struct value *out, const char **reason)
{
    const char *action = next_argument(&arg);
    char *users[USERS_MAX];
    int value;
    Roam__V1__GroupChange c = ROAM__V1__GROUP_CHANGE__INIT;
    c.users = users;
    if (!action ||
        !enum_value(&roam__v1__group_action__descriptor, action, &value)) {
        *reason = "change() begins with an action";
        return EXPR_BAD;
    }
    c.action = (Roam__V1__GroupAction)value;
    for (const char *word = next_argument(&arg); word;
         word = next_argument(&arg)) {
        if (!add_part(w, &c, users, word)) {
            *reason = arena_printf("%s means nothing in change()", word);
            return EXPR_BAD;
        }
    }
    *out = packed(&c.base);
    return EXPR_OK;
}

enum expr_result expr_body(struct world *w, const char *name, const char *arg,
                           struct value *out, const char **reason, bool *known)
{
    *known = true;
    if (strcmp(name, "target") == 0) {
        return eval_target(w, arg, out, reason);
    }
    if (strcmp(name, "app") == 0) {
        return eval_app(w, arg, out, reason);
    }
    if (strcmp(name, "change") == 0) {
        return eval_change(w, arg, out, reason);
    }
    *known = false;
    return EXPR_BAD;
}
