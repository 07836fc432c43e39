/* SPDX-License-Identifier: Apache-2.0 */
/* The steps `server ACT [OPERAND]` of scenarios, and times. */
#ifndef CONFORM_SCN_SERVER_H
#define CONFORM_SCN_SERVER_H

#include <stdbool.h>
#include <stdint.h>

enum server_act {
    SERVER_KILL,
    SERVER_TERMINATE,
    SERVER_START,
    SERVER_RESTART,
    SERVER_DRAIN,
    SERVER_ENDED,
    SERVER_ADVANCE,
    SERVER_SET_BACK,
    SERVER_TRIM,
    SERVER_FAIL_WRITE,
    SERVER_HOLD_STORE,
    SERVER_FREE_STORE,
    SERVER_BACKUP,
    SERVER_RESTORE,
    SERVER_SECRETS,
    SERVER_NOTE,
    SERVER_UNWRITTEN,
    SERVER_WRITTEN,
    SERVER_GROWN_LESS
};

struct server_step {
    const char *name;
    enum server_act act;
    const char *need;    /* what the header has to name; NULL: nothing */
    const char *operand; /* what it is; NULL: it takes none */
    bool in_pair;        /* the role pair has it too */
};
/* NULL: there is none of this name. */
const struct server_step *server_step_find(const char *name);

/* `8d`, `12h`, `15m`, `90s`, or `1500`: milliseconds. False: none of these. */
bool duration_parse(const char *text, uint64_t *ms);

#endif
