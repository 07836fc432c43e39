/* SPDX-License-Identifier: Apache-2.0 */
/* roamd user list, token list, session list: one line each, columns separated
 * by tabs, so that other programs can read them. Never a token: its id is the
 * first half of what is stored in its place, and good for `token revoke --id`.
 */
#include "commands.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../store/store_file.h"
#include "roam_limits.h"

/* Bytes at s that would break the line, or steer a terminal: C0 and DEL, C1,
 * and the marks that turn the direction of text around. */
static size_t control_length(const unsigned char *s)
{
    if (s[0] < 0x20 || s[0] == 0x7f) {
        return 1;
    }
    if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0) {
        return 2;
    }
    bool marks = s[0] == 0xe2 && ((s[1] == 0x80 && s[2] >= 0xaa) ||
                                  (s[1] == 0x81 && s[2] >= 0xa6));
    return marks && (s[2] <= (s[1] == 0x80 ? 0xae : 0xa9)) ? 3 : 0;
}

/* A name is UTF-8, chosen by who knows whom. */
static void print_name(const char *name)
{
    const unsigned char *s = (const unsigned char *)name;

    while (*s != '\0') {
        size_t escaped = *s == '\\' ? 1 : control_length(s);
        for (size_t i = 0; i < escaped; i++) {
            printf("\\x%02x", s[i]);
        }
        if (escaped == 0) {
            putchar(*s);
        }
        s += escaped == 0 ? 1 : escaped;
    }
}

static void print_user(void *ctx, const char *name)
{
    (void)ctx;
    print_name(name);
    putchar('\n');
}

static void print_time(uint64_t ms)
{
    char text[sizeof("YYYY-MM-DDThh:mm:ssZ") + 16];
    time_t t = (time_t)((ms + ROAM_EPOCH_UNIX_MS) / 1000);
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL ||
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        strcpy(text, "?");
    }
    fputs(text, stdout);
}

static void print_token(void *ctx, const struct roam_token_row *token)
{
    uint64_t now_ms = *(const uint64_t *)ctx;
    bool over = token->expires_ms != 0 && token->expires_ms <= now_ms;

    printf("%s\t%s\t", token->id,
           token->revoked ? "revoked"
           : over         ? "expired"
                          : "good");
    fputs(roamd_device_type(token->device_type), stdout);
    putchar('\t');
    if (token->expires_ms == 0) {
        fputs("never", stdout);
    } else {
        print_time(token->expires_ms);
    }
    printf("\t%s\t", token->device[0] == '\0' ? "-" : token->device);
    print_time(token->created_ms);
    putchar('\t');
    print_name(token->user);
    putchar('\n');
}

static void print_session(void *ctx, const struct roam_held_slot *session)
{
    (void)ctx;
    printf("%s\t%s\t%llu\t", session->device,
           roamd_device_type(session->device_type),
           (unsigned long long)session->generation);
    print_time(session->since_ms);
    putchar('\t');
    print_time(session->seen_ms);
    putchar('\t');
    print_name(session->name);
    putchar('\t');
    print_name(session->software);
    putchar('\n');
}

static bool store_path(char path[ROAMD_PATH_MAX], const char *dir)
{
    return roamd_is_home(dir) && roamd_path(path, dir, ROAMD_STORE_FILE);
}

int roamd_user_list(const char *dir)
{
    char path[ROAMD_PATH_MAX];
    char error[ROAMD_ERROR_MAX];

    if (!store_path(path, dir)) {
        return ROAMD_FAILED;
    }
    return roam_store_list_users(path, print_user, NULL, error, sizeof(error))
               ? ROAMD_OK
               : roamd_failed("user list: %s", error);
}

int roamd_token_list(const char *dir, const char *user)
{
    char path[ROAMD_PATH_MAX];
    char error[ROAMD_ERROR_MAX];
    uint64_t now_ms = roamd_now_ms();

    if (!store_path(path, dir)) {
        return ROAMD_FAILED;
    }
    return roam_store_list_tokens(path, user, print_token, &now_ms, error,
                                  sizeof(error))
               ? ROAMD_OK
               : roamd_failed("token list: %s", error);
}

int roamd_session_list(const char *dir, const char *user)
{
    char path[ROAMD_PATH_MAX];
    char error[ROAMD_ERROR_MAX];

    if (!store_path(path, dir)) {
        return ROAMD_FAILED;
    }
    return roam_store_list_sessions(path, user, print_session, NULL, error,
                                    sizeof(error))
               ? ROAMD_OK
               : roamd_failed("session list: %s", error);
}
