/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands share: messages, paths, random numbers, time, the log. */
#include "commands.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "roam_limits.h"

/* What getentropy() gives at once. */
#define ENTROPY_MAX ((size_t)256)
#define TOKEN_BYTES 32
#define LOG_LINE_MAX 2048

int roamd_failed(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("roamd: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return ROAMD_FAILED;
}

int roamd_misused(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("roamd: ", stderr);
    vfprintf(stderr, format, args);
    fputs("; see roamd --help\n", stderr);
    va_end(args);
    return ROAMD_USAGE;
}

bool roamd_path(char out[ROAMD_PATH_MAX], const char *dir, const char *name)
{
    int len = name[0] == '/'
                  ? snprintf(out, ROAMD_PATH_MAX, "%s", name)
                  : snprintf(out, ROAMD_PATH_MAX, "%s/%s", dir, name);

    if (len < 0 || len >= ROAMD_PATH_MAX) {
        roamd_failed("%s: the path is too long", dir);
        return false;
    }
    return true;
}

static bool is_there(const char *path, const char *dir)
{
    struct stat st;

    if (stat(path, &st) == 0) {
        return true;
    }
    if (errno == ENOENT) {
        roamd_failed("%s: %s; `roamd -d %s init` makes it", path,
                     strerror(errno), dir);
    } else { /* somebody else's, say: there is nothing to make */
        roamd_failed("%s: %s", path, strerror(errno));
    }
    return false;
}

bool roamd_is_home(const char *dir)
{
    char path[ROAMD_PATH_MAX];

    return is_there(dir, dir) && roamd_path(path, dir, ROAMD_STORE_FILE) &&
           is_there(path, dir);
}

void roamd_random(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    while (len > 0) {
        size_t n = len < ENTROPY_MAX ? len : ENTROPY_MAX;
        if (getentropy(out, n) != 0) {
            perror("roamd: no random numbers");
            abort(); /* there is no safe way on */
        }
        out += n;
        len -= n;
    }
}

void roamd_draw_token(char out[ROAMD_TOKEN_CHARS + 1])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bytes[TOKEN_BYTES + 1] = {0}; /* and two bits to fill up */
    unsigned bit = 0;

    roamd_random(NULL, bytes, TOKEN_BYTES);
    for (size_t i = 0; i < ROAMD_TOKEN_CHARS; i++, bit += 6) {
        unsigned pair = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];
        out[i] = digits[pair >> (10 - bit % 8) & 63];
    }
    out[ROAMD_TOKEN_CHARS] = '\0';
}

uint64_t roamd_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
    return ms > ROAM_EPOCH_UNIX_MS ? ms - ROAM_EPOCH_UNIX_MS : 0;
}

/* -------------------------------------------------------------- the expiry */

static bool parse_span(const char *text, uint64_t *ms)
{
    static const struct {
        char unit;
        uint64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    const unsigned long long most = 100000; /* some 270 years of days */
    char *end;

    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (end[0] == units[i].unit && end[1] == '\0') {
            *ms = n * units[i].ms;
            return errno == 0 && n <= most;
        }
    }
    return false;
}

static bool parse_time(const char *text, uint64_t *ms)
{
    struct tm tm = {0};
    char again[sizeof("YYYY-MM-DDThh:mm:ssZ")];
    struct tm check;

    if (strlen(text) != sizeof(again) - 1 ||
        sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ", &tm.tm_year, &tm.tm_mon,
               &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6) {
        return false;
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    time_t t = timegm(&tm);
    /* The 31st of June is the 1st of July to timegm(). */
    if (gmtime_r(&t, &check) == NULL ||
        strftime(again, sizeof(again), "%Y-%m-%dT%H:%M:%SZ", &check) == 0 ||
        strcmp(again, text) != 0 || t <= (time_t)(ROAM_EPOCH_UNIX_MS / 1000)) {
        return false;
    }
    *ms = (uint64_t)t * 1000 - ROAM_EPOCH_UNIX_MS;
    return true;
}

bool roamd_parse_expiry(const char *text, uint64_t now_ms, uint64_t *out)
{
    if (strcmp(text, "never") == 0) {
        *out = 0;
        return true;
    }
    if (parse_span(text, out)) {
        *out += now_ms;
        return *out > 0;
    }
    return parse_time(text, out);
}

/* ----------------------------------------------------------------- the log */

/* What a peer named must not break the line, nor steer a terminal. */
static size_t put_escaped(char *out, size_t cap, const char *s)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;

    for (; *s != '\0' && n + 5 < cap; s++) {
        unsigned char c = (unsigned char)*s;
        if (c >= 0x20 && c != 0x7f) {
            out[n++] = (char)c;
        } else {
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        }
    }
    return n;
}

void roamd_log(void *ctx, int level, const char *line)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    char text[LOG_LINE_MAX];
    struct timespec t;
    struct tm tm;

    if (level > *(const int *)ctx) {
        return;
    }
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &tm);
    size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(text + n, sizeof(text) - n, ".%03ldZ %s ",
                          t.tv_nsec / 1000000, names[level & 3]);
    n += put_escaped(text + n, sizeof(text) - n - 1, line);
    text[n++] = '\n';
    fwrite(text, 1, n, stderr); /* unbuffered: one write, one line */
}
