/* SPDX-License-Identifier: Apache-2.0 */
/* roamd user add, token issue, token revoke: provisioning, also while a
 * server runs on the same directory. */
#include "commands.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "../store/store_sqlite.h"
#include "roam_limits.h"

/* NULL, and said why. */
static struct roam_admin *open_store(const char *dir)
{
    char path[ROAMD_PATH_MAX];
    char error[ROAMD_ERROR_MAX];

    if (!roamd_is_home(dir) || !roamd_path(path, dir, ROAMD_STORE_FILE)) {
        return NULL;
    }
    struct roam_admin *admin =
        roam_admin_open(path, false, error, sizeof(error));
    if (admin == NULL) {
        roamd_failed("%s", error);
    }
    return admin;
}

int roamd_user(const char *dir, int argc, char **argv)
{
    char error[ROAMD_ERROR_MAX];
    bool marked = argc == 4 && strcmp(argv[2], "--") == 0;

    if ((argc != 3 && !marked) || strcmp(argv[1], "add") != 0) {
        return roamd_misused("it is `user add NAME`");
    }
    const char *name = argv[argc - 1];
    if (name[0] == '-' && !marked) { /* a user stays for ever */
        return roamd_misused("it is `user add -- %s`, if %s is the name", name,
                             name);
    }
    struct roam_admin *admin = open_store(dir);
    if (admin == NULL) {
        return ROAMD_FAILED;
    }
    bool ok = roam_admin_add_user(admin, name, error, sizeof(error));
    roam_admin_close(admin);
    return ok ? ROAMD_OK : roamd_failed("user add: %s", error);
}

/* ------------------------------------------------------------ token issue */

struct issue {
    const char *user;
    uint32_t device_type; /* 0: any */
    uint64_t expires_ms;  /* 0: never */
};

/* The numbers of DeviceType. */
static bool parse_type(const char *text, uint32_t *type)
{
    static const char *const names[] = {"any", "phone", "tablet",  "desktop",
                                        "web", "watch", "embedded"};

    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *type = i;
            return true;
        }
    }
    return false;
}

static int parse_issue(int argc, char **argv, struct issue *issue)
{
    static const struct option options[] = {
        {"type", required_argument, NULL, 't'},
        {"expires", required_argument, NULL, 'e'},
        {NULL, 0, NULL, 0}};
    int c;

    optind = 0; /* glibc: start anew */
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (c == 't' && !parse_type(optarg, &issue->device_type)) {
            return roamd_misused("\"%s\" is no device type", optarg);
        }
        if (c == 'e' &&
            !roamd_parse_expiry(optarg, roamd_now_ms(), &issue->expires_ms)) {
            return roamd_misused("\"%s\" is no time for a token to end",
                                 optarg);
        }
        if (c == ':') {
            return roamd_misused("token issue: %s needs a value",
                                 argv[optind - 1]);
        }
        if (c == '?') {
            return roamd_misused("token issue: \"%s\" is not understood",
                                 argv[optind - 1]);
        }
    }
    if (argc - optind != 1) {
        return roamd_misused(
            "it is `token issue NAME [--type TYPE] [--expires WHEN]`");
    }
    issue->user = argv[optind];
    return ROAMD_OK;
}

static int issue_token(const char *dir, int argc, char **argv)
{
    char token[ROAMD_TOKEN_CHARS + 1];
    char error[ROAMD_ERROR_MAX];
    struct issue issue = {0};
    int status = parse_issue(argc, argv, &issue);

    if (status != ROAMD_OK) {
        return status;
    }
    struct roam_admin *admin = open_store(dir);
    if (admin == NULL) {
        return ROAMD_FAILED;
    }
    roamd_draw_token(token);
    bool ok = roam_admin_add_token(admin, issue.user, token, issue.device_type,
                                   issue.expires_ms, error, sizeof(error));
    roam_admin_close(admin);
    if (!ok) {
        return roamd_failed("token issue: %s", error);
    }
    if (printf("%s\n", token) < 0 || fflush(stdout) != 0) {
        return roamd_failed("token issue: cannot print the token");
    }
    return ROAMD_OK;
}

/* ----------------------------------------------------------- token revoke */

/* A token on the command line is seen by everybody on the machine. */
static bool read_token(char *out, size_t cap)
{
    if (fgets(out, (int)cap, stdin) == NULL) {
        return false;
    }
    size_t len = strcspn(out, "\r\n");
    bool whole = out[len] != '\0' || len + 1 < cap;
    out[len] = '\0';
    return whole && len > 0;
}

static int revoke_token(const char *dir, int argc, char **argv)
{
    char token[ROAM_TOKEN_MAX + 2];
    char error[ROAMD_ERROR_MAX];
    const char *given = token;

    if (argc != 2) {
        return roamd_misused("it is `token revoke TOKEN`, or `-` to read it");
    }
    if (strcmp(argv[1], "-") != 0) {
        given = argv[1];
    } else if (!read_token(token, sizeof(token))) {
        return roamd_failed("token revoke: there is no token on the input");
    }
    struct roam_admin *admin = open_store(dir);
    if (admin == NULL) {
        return ROAMD_FAILED;
    }
    bool ok = roam_admin_revoke_token(admin, given, error, sizeof(error));
    roam_admin_close(admin);
    return ok ? ROAMD_OK : roamd_failed("token revoke: %s", error);
}

int roamd_token(const char *dir, int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "issue") == 0) {
        return issue_token(dir, argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "revoke") == 0) {
        return revoke_token(dir, argc - 1, argv + 1);
    }
    return roamd_misused("it is `token issue` or `token revoke`");
}
