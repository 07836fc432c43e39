/* SPDX-License-Identifier: Apache-2.0 */
/* The rules, read from the spec itself: an id in bold brackets at the start
 * of a paragraph, and the sentence behind it. */
#ifndef CONFORM_RULES_H
#define CONFORM_RULES_H

#include <stdbool.h>
#include <stddef.h>

struct rule {
    const char *id;
    const char *text;    /* lines as in the spec, without the id */
    bool binds_server;   /* it begins with a server or a peer as its subject */
    bool binds_client;   /* likewise */
    const char *level;   /* MUST, SHOULD or MAY */
    int line;            /* of the spec, where it stands */
    const char *section; /* the heading above it, without marks; or "" */
};
struct rules {
    struct rule *at;
    size_t count, cap;
};

bool rules_load(const char *path, struct rules *out, const char **error);
/* NULL: no such rule. */
const struct rule *rules_find(const struct rules *rules, const char *id);
/* Is it one of these ids with spaces between? */
bool rules_named(const char *ids, const char *id);

#endif
