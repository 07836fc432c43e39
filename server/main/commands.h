/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of roamd, one file each, and what they share. A command
 * returns the exit status. */
#ifndef ROAMD_COMMANDS_H
#define ROAMD_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum roamd_exit {
    ROAMD_OK = 0,
    ROAMD_FAILED = 1, /* refused, or not possible; nothing was changed */
    ROAMD_USAGE = 2,
    ROAMD_STORE_FAILED = 3 /* whether a commit is durable is unknown */
};

#define ROAMD_PATH_MAX 1024
#define ROAMD_ERROR_MAX 1536

/* 32 random bytes in base64url, without padding. */
#define ROAMD_TOKEN_CHARS 43

/* argv: the command's own arguments, argv[0] its name. dir: of the server. */
int roamd_init(const char *dir, int argc, char **argv);
int roamd_user(const char *dir, int argc, char **argv);
int roamd_token(const char *dir, int argc, char **argv);
int roamd_session(const char *dir, int argc, char **argv);
int roamd_stats(const char *dir, int argc, char **argv);
int roamd_check(const char *dir, int argc, char **argv);
int roamd_backup(const char *dir, int argc, char **argv);
int roamd_restore(const char *dir, int argc, char **argv);
int roamd_group(const char *dir, int argc, char **argv);
int roamd_config_command(const char *dir, int argc, char **argv);
int roamd_run(const char *dir, int argc, char **argv);

/* The parts of `user`, `token` and `session` that print. user NULL: of all. */
int roamd_user_list(const char *dir);
int roamd_token_list(const char *dir, const char *user);
int roamd_session_list(const char *dir, const char *user);

/* The name of a DeviceType as commands spell it; 0: "any". NULL: none. */
const char *roamd_device_type(uint32_t type);

/* Prints `roamd: ...` to stderr and returns ROAMD_FAILED or ROAMD_USAGE. */
int roamd_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
int roamd_misused(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* dir/name, or name if that is absolute. False, and said so, when it does
 * not fit ROAMD_PATH_MAX. */
bool roamd_path(char out[ROAMD_PATH_MAX], const char *dir, const char *name);

/* Does the directory hold a server? False, and said so, if not. */
bool roamd_is_home(const char *dir);

/* Fills out with random bytes from the system; never returns without. The
 * roam_random_fn of the server; any thread. */
void roamd_random(void *ctx, uint8_t *out, size_t len);
void roamd_draw_token(char out[ROAMD_TOKEN_CHARS + 1]);

/* Milliseconds since 2020-01-01 UTC. */
uint64_t roamd_now_ms(void);

/* When a token ends: "never" (0), a span from now (90s, 15m, 12h, 30d), or a
 * time (2027-01-31T12:00:00Z). In milliseconds since 2020-01-01 UTC. False
 * when it is none of these. */
bool roamd_parse_expiry(const char *text, uint64_t now_ms, uint64_t *out);

/* The log of a running server: one line each to stderr. roam_log_fn; ctx is
 * the highest level wanted, an int. */
void roamd_log(void *ctx, int level, const char *line);

extern const char roamd_version[];

#define ROAMD_CONFIG_FILE "roamd.conf"
#define ROAMD_STORE_FILE "roamd.db"

#endif
