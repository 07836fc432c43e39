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
    *known = false;
    return EXPR_BAD;
}
