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

/* ------------------------------------------------------------------- user */

struct user_command {
    const char *name;
    int arguments;
    const char *usage;
    bool (*run)(struct roam_admin *admin, char **argument, char *error,
                size_t cap);
};

static bool add_user(struct roam_admin *admin, char **argument, char *error,
                     size_t cap)
{
    return roam_admin_add_user(admin, argument[0], error, cap);
}

static bool name_user(struct roam_admin *admin, char **argument, char *error,
                      size_t cap)
{
    return roam_admin_name_user(admin, argument[0], argument[1], error, cap);
}

static bool block_user(struct roam_admin *admin, char **argument, char *error,
                       size_t cap)
{
    return roam_admin_block_user(admin, argument[0], argument[1], true, error,
                                 cap);
}

static bool unblock_user(struct roam_admin *admin, char **argument, char *error,
                         size_t cap)
{
    return roam_admin_block_user(admin, argument[0], argument[1], false, error,
                                 cap);
}

static const struct user_command user_commands[] = {
    {"add", 1, "user add [--name TEXT] NAME", add_user},
    {"name", 2, "user name NAME TEXT", name_user},
    {"block", 2, "user block NAME OTHER", block_user},
    {"unblock", 2, "user unblock NAME OTHER", unblock_user},
};
#define USER_COMMANDS (sizeof(user_commands) / sizeof(user_commands[0]))

/* Takes `--name TEXT` and `--` off the front; a user stays for ever, so no
 * other word with a dash is a name by accident. */
static int parse_user(const struct user_command *command, int *argc,
                      char ***argv, const char **title)
{
    bool marked = false;

    while (*argc > 0 && !marked && (*argv)[0][0] == '-') {
        marked = strcmp((*argv)[0], "--") == 0;
        bool named = command->run == add_user && *argc > 1 &&
                     strcmp((*argv)[0], "--name") == 0;
        if (!marked && !named) {
            return roamd_misused("it is `user %s -- %s`, if %s is the name",
                                 command->name, (*argv)[0], (*argv)[0]);
        }
        *title = named ? (*argv)[1] : *title;
        *argc -= named ? 2 : 1;
        *argv += named ? 2 : 1;
    }
    return *argc == command->arguments
               ? ROAMD_OK
               : roamd_misused("it is `%s`", command->usage);
}

static int run_user(const char *dir, const struct user_command *command,
                    char **argument, const char *title)
{
    char error[ROAMD_ERROR_MAX];
    struct roam_admin *admin;

    if (title != NULL && strlen(title) > ROAM_NAME_MAX) {
        return roamd_misused("what people read is up to %u bytes long",
                             ROAM_NAME_MAX);
    }
    admin = open_store(dir);
    if (admin == NULL) {
        return ROAMD_FAILED;
    }
    bool ok = command->run(admin, argument, error, sizeof(error)) &&
              (title == NULL || roam_admin_name_user(admin, argument[0], title,
                                                     error, sizeof(error)));
    roam_admin_close(admin);
    return ok ? ROAMD_OK : roamd_failed("user %s: %s", command->name, error);
}

int roamd_user(const char *dir, int argc, char **argv)
{
    const char *title = NULL;

    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        return roamd_user_list(dir);
    }
    for (size_t i = 0; argc >= 2 && i < USER_COMMANDS; i++) {
        if (strcmp(argv[1], user_commands[i].name) == 0) {
            argc -= 2;
            argv += 2;
            int status = parse_user(&user_commands[i], &argc, &argv, &title);
            return status == ROAMD_OK
                       ? run_user(dir, &user_commands[i], argv, title)
                       : status;
        }
    }
    return roamd_misused("it is `user add`, `user name`, `user block`, `user"
                         " unblock` or `user list`");
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
