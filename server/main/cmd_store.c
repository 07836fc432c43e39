/* SPDX-License-Identifier: Apache-2.0 */
/* roamd stats, check, backup, restore: the store as a file. All but restore
 * also while a server runs on the same directory. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "../store/store_file.h"

static void say_line(void *ctx, const char *line)
{
    (void)ctx;
    puts(line);
}

/* The one argument of a command that has one; NULL, and said so. */
static const char *file_argument(int argc, char **argv)
{
    bool marked = argc == 3 && strcmp(argv[1], "--") == 0;

    if (argc != 2 && !marked) {
        roamd_misused("it is `%s FILE`", argv[0]);
        return NULL;
    }
    if (argv[argc - 1][0] == '-' && !marked) {
        roamd_misused("%s: \"%s\" is not understood", argv[0], argv[argc - 1]);
        return NULL;
    }
    return argv[argc - 1];
}

/* ------------------------------------------------------------------- stats */

static void print_count(void *ctx, const char *name, const char *meaning,
                        uint64_t count)
{
    (void)ctx;
    printf("%-13s %12llu  %s\n", name, (unsigned long long)count, meaning);
}

static void print_json(void *ctx, const char *name, const char *meaning,
                       uint64_t count)
{
    bool *first = ctx;

    (void)meaning;
    printf("%s\"%s\":%llu", *first ? "{" : ",", name,
           (unsigned long long)count);
    *first = false;
}

int roamd_stats(const char *dir, int argc, char **argv)
{
    char path[ROAMD_PATH_MAX];
    char error[ROAMD_ERROR_MAX];
    bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
    bool first = true;

    if (argc != 1 && !json) {
        return roamd_misused("it is `stats` or `stats --json`");
    }
    if (!roamd_is_home(dir) || !roamd_path(path, dir, ROAMD_STORE_FILE)) {
        return ROAMD_FAILED;
    }
    if (!roam_store_count(path, roamd_now_ms(), json ? print_json : print_count,
                          &first, error, sizeof(error))) {
        return roamd_failed("stats: %s", error);
    }
    if (json) {
        puts("}");
    }
    return ROAMD_OK;
}

/* ------------------------------------------------------------------- check */

int roamd_check(const char *dir, int argc, char **argv)
{
    char path[ROAMD_PATH_MAX];
    char error[ROAMD_ERROR_MAX];
    const char *file = path;
    size_t bad;

    if (argc > 1) {
        file = file_argument(argc, argv);
        if (file == NULL) {
            return ROAMD_USAGE;
        }
    } else if (!roamd_is_home(dir) ||
               !roamd_path(path, dir, ROAMD_STORE_FILE)) {
        return ROAMD_FAILED;
    }
    if (!roam_store_check(file, say_line, NULL, &bad, error, sizeof(error))) {
        return roamd_failed("check: %s", error);
    }
    if (bad > 0) {
        return roamd_failed("check: %s: %zu invariants do not hold", file, bad);
    }
    puts("ok");
    return ROAMD_OK;
}

/* ------------------------------------------------------ backup and restore */

int roamd_backup(const char *dir, int argc, char **argv)
{
    char path[ROAMD_PATH_MAX];
    char error[ROAMD_ERROR_MAX];
    const char *file = file_argument(argc, argv);

    if (file == NULL) {
        return ROAMD_USAGE;
    }
    if (!roamd_is_home(dir) || !roamd_path(path, dir, ROAMD_STORE_FILE)) {
        return ROAMD_FAILED;
    }
    return roam_store_backup(path, file, error, sizeof(error))
               ? ROAMD_OK
               : roamd_failed("backup: %s", error);
}

/* The directory may be without a store: that is when it is needed most. */
int roamd_restore(const char *dir, int argc, char **argv)
{
    char path[ROAMD_PATH_MAX];
    char error[ROAMD_ERROR_MAX];
    const char *file = file_argument(argc, argv);

    if (file == NULL) {
        return ROAMD_USAGE;
    }
    if (!roamd_path(path, dir, ROAMD_STORE_FILE)) {
        return ROAMD_FAILED;
    }
    return roam_store_restore(file, path, say_line, NULL, error, sizeof(error))
               ? ROAMD_OK
               : roamd_failed("restore: %s", error);
}
