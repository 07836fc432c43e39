/* SPDX-License-Identifier: Apache-2.0 */
/* See scn_server.h. */
#include "scn_server.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct server_step steps[] = {
    {"kill", SERVER_KILL, NULL, NULL, true},
    {"terminate", SERVER_TERMINATE, NULL, NULL, true},
    {"start", SERVER_START, NULL, NULL, true},
    {"restart", SERVER_RESTART, NULL, NULL, true},
    {"drain", SERVER_DRAIN, NULL, NULL, false},
    {"ended", SERVER_ENDED, NULL, NULL, true},
    {"advance", SERVER_ADVANCE, "clock", "TIME", false},
    {"set-back", SERVER_SET_BACK, "clock", "TIME", false},
    {"trim", SERVER_TRIM, "trim", NULL, false},
    {"fail-write", SERVER_FAIL_WRITE, "fail-write", "lost|stored", true},
    {"hold-store", SERVER_HOLD_STORE, "hold-store", NULL, false},
    {"free-store", SERVER_FREE_STORE, "hold-store", NULL, false},
    {"backup", SERVER_BACKUP, "backup", NULL, false},
    {"restore", SERVER_RESTORE, "backup", NULL, false},
    {"secrets", SERVER_SECRETS, "files", NULL, false},
    {"note", SERVER_NOTE, "files", NULL, false},
    {"unwritten", SERVER_UNWRITTEN, "files", NULL, false},
    {"written", SERVER_WRITTEN, "files", NULL, false},
    {"grown-less", SERVER_GROWN_LESS, "memory", "BYTES", false},
};

const struct server_step *server_step_find(const char *name)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (strcmp(steps[i].name, name) == 0) {
            return &steps[i];
        }
    }
    return NULL;
}

bool duration_parse(const char *text, uint64_t *ms)
{
    static const struct {
        char unit;
        uint64_t ms;
    } units[] = {{'d', 86400000}, {'h', 3600000}, {'m', 60000}, {'s', 1000}};
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    *ms = strtoull(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (end[0] == units[i].unit && end[1] == '\0') {
            *ms *= units[i].ms;
            return true;
        }
    }
    return *end == '\0';
}
