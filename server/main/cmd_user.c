/* SPDX-License-Identifier: Apache-2.0 */
/* roamd user, token: provisioning, also while a server runs on the same
 * directory. The parts that list are in cmd_list.c. */
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

static int add_user(const char *dir, int argc, char **argv)
{
    char error[ROAMD_ERROR_MAX];
    bool marked = argc == 3 && strcmp(argv[1], "--") == 0;

    if (argc != 2 && !marked) {
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

int roamd_user(const char *dir, int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "add") == 0) {
        return add_user(dir, argc - 1, argv + 1);
    }
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        return roamd_user_list(dir);
    }
    return roamd_misused("it is `user add NAME` or `user list`");
}

/* ------------------------------------------------------------ token issue */

struct issue {
    const char *user;
    uint32_t device_type; /* 0: any */
    uint64_t expires_ms;  /* 0: never */
};

/* By the numbers of DeviceType. */
static const char *const types[] = {"any", "phone", "tablet",  "desktop",
                                    "web", "watch", "embedded"};
#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

const char *roamd_device_type(uint32_t type)
{
    return type < TYPE_COUNT ? types[type] : NULL;
}

static bool parse_type(const char *text, uint32_t *type)
{
    for (uint32_t i = 0; i < TYPE_COUNT; i++) {
        if (strcmp(text, types[i]) == 0) {
            *type = i;
            return true;
        }
    }
    return false;
}

/* A token that is over before it is used is a slip of the keyboard, unless
 * a test wants to see it refused. */
static int check_expiry(const struct issue *issue, bool allow_past)
{
    if (issue->expires_ms != 0 && issue->expires_ms <= roamd_now_ms() &&
        !allow_past) {
        return roamd_failed("token issue: that time is over;"
                            " --allow-past says that you mean it");
    }
    return ROAMD_OK;
}

static int parse_issue(int argc, char **argv, struct issue *issue)
{
    static const struct option options[] = {
        {"type", required_argument, NULL, 't'},
        {"expires", required_argument, NULL, 'e'},
        {"allow-past", no_argument, NULL, 'p'},
        {NULL, 0, NULL, 0}};
    bool allow_past = false;
    int c;

    optind = 0; /* glibc: start anew */
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        allow_past = allow_past || c == 'p';
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
    return check_expiry(issue, allow_past);
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

/* The token itself, or its id. */
static int revoke(const char *dir, const char *token, const char *id)
{
    char error[ROAMD_ERROR_MAX];
    struct roam_admin *admin = open_store(dir);

    if (admin == NULL) {
        return ROAMD_FAILED;
    }
    bool ok = id != NULL
                  ? roam_admin_revoke_token_id(admin, id, error, sizeof(error))
                  : roam_admin_revoke_token(admin, token, error, sizeof(error));
    roam_admin_close(admin);
    return ok ? ROAMD_OK : roamd_failed("token revoke: %s", error);
}

static int revoke_token(const char *dir, int argc, char **argv)
{
    char token[ROAM_TOKEN_MAX + 2];

    if (argc == 3 && strcmp(argv[1], "--id") == 0) {
        return revoke(dir, NULL, argv[2]);
    }
    if (argc != 2 || strcmp(argv[1], "--id") == 0) {
        return roamd_misused("it is `token revoke TOKEN`, `-` to read it, or"
                             " `--id ID`");
    }
    if (strcmp(argv[1], "-") != 0) {
        return revoke(dir, argv[1], NULL);
    }
    if (!read_token(token, sizeof(token))) {
        return roamd_failed("token revoke: there is no token on the input");
    }
    return revoke(dir, token, NULL);
}

int roamd_token(const char *dir, int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "issue") == 0) {
        return issue_token(dir, argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "revoke") == 0) {
        return revoke_token(dir, argc - 1, argv + 1);
    }
    if (argc >= 2 && argc <= 3 && strcmp(argv[1], "list") == 0) {
        return roamd_token_list(dir, argc == 3 ? argv[2] : NULL);
    }
    return roamd_misused("it is `token issue`, `token list` or"
                         " `token revoke`");
}
