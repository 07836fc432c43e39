/* SPDX-License-Identifier: Apache-2.0 */
/* roamd group list, group show: for an operator who is asked about one. They
 * tell what is in the store, also while a server runs on it; only members
 * change a group. One line each, words apart by a space, so names are shown
 * with everything but graphic ASCII as \xNN. */
#include "commands.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../core/session.h"
#include "../store/store_sqlite.h"

static const char *join_name(uint32_t join)
{
    static const char *const names[] = {"-", "open", "approval", "closed"};

    return join < sizeof(names) / sizeof(names[0]) ? names[join] : "-";
}

static const char *role_name(uint32_t role)
{
    static const char *const names[] = {"-", "applicant", "member", "admin",
                                        "owner"};

    return role < sizeof(names) / sizeof(names[0]) ? names[role] : "-";
}

/* Never empty: the line stays as many words. */
static const char *word(char out[ROAM__LOG_TEXT_MAX], const char *text)
{
    return text[0] == '\0' ? "-" : roam__log_text(out, text);
}

static void print_group(void *ctx, const struct roam_admin_group *g)
{
    char name[ROAM__LOG_TEXT_MAX];

    (void)ctx;
    printf("%s %u %u %s %s %s\n", g->id, (unsigned)g->members,
           (unsigned)g->applicants, join_name(g->join),
           g->muted ? "muted" : "-", word(name, g->name));
}

static void print_member(void *ctx, const struct roam_admin_member *m)
{
    char user[ROAM__LOG_TEXT_MAX];
    char name[ROAM__LOG_TEXT_MAX];
    char since[32] = "-";
    time_t at = (time_t)((m->since_ms + ROAM_EPOCH_UNIX_MS) / 1000);
    struct tm utc;

    (void)ctx;
    if (gmtime_r(&at, &utc) != NULL) {
        strftime(since, sizeof(since), "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    printf("%s %s %s %s %s\n", word(user, m->user), role_name(m->role),
           m->muted ? "muted" : "-", since, word(name, m->name));
}

int roamd_group(const char *dir, int argc, char **argv)
{
    const struct roam_admin_look look = {print_group, print_member, NULL};
    char path[ROAMD_PATH_MAX];
    char error[ROAMD_ERROR_MAX];
    bool list = argc == 2 && strcmp(argv[1], "list") == 0;
    bool show = argc == 3 && strcmp(argv[1], "show") == 0;

    if (!list && !show) {
        return roamd_misused("it is `group list` or `group show ID`");
    }
    if (show && argv[2][0] != '#') { /* an empty one would mean all */
        return roamd_failed("group: there is no such group");
    }
    if (!roamd_is_home(dir) || !roamd_path(path, dir, ROAMD_STORE_FILE)) {
        return ROAMD_FAILED;
    }
    return roam_admin_look_at_groups(path, show ? argv[2] : "", &look, error,
                                     sizeof(error))
               ? ROAMD_OK
               : roamd_failed("group: %s", error);
}
