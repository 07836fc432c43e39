/* SPDX-License-Identifier: Apache-2.0 */
/* The remembered settings. */
#include "profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool complain(char *error, const char *what, const char *which)
{
    snprintf(error, ROAM_PROFILE_ERROR_MAX, "%.160s: %.80s", which, what);
    return false;
}

/* ------------------------------------------------------------------ paths */

static bool is_plain_byte(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c != '\0' && strchr("._-@+", c));
}

void roam_profile_directory_name(const struct roam_options *o, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    char *at = out;
    for (const char *c = o->user; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        if (is_plain_byte(byte) && !(byte == '.' && c == o->user)) {
            *at++ = *c;
        } else {
            *at++ = '%';
            *at++ = digits[byte >> 4];
            *at++ = digits[byte & 15];
        }
    }
    sprintf(at, "-%s", roam_device_type_name(o->device_type));
}

static bool find_directory(struct roam_profile *p, const struct roam_options *o,
                           char *error)
{
    char name[3 * 64 + 16];
    const char *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    int n = 0;
    roam_profile_directory_name(o, name);
    if (o->state) {
        n = snprintf(p->directory, sizeof p->directory, "%s", o->state);
    } else if (data && data[0] == '/') { /* others are to be ignored */
        n = snprintf(p->directory, sizeof p->directory, "%s/roam/%s", data,
                     name);
    } else if (home && *home) {
        n = snprintf(p->directory, sizeof p->directory,
                     "%s/.local/share/roam/%s", home, name);
    } else {
        return complain(error, "not set; use --state", "$HOME");
    }
    if (n < 1 || (size_t)n >= sizeof p->directory - 32) {
        return complain(error, "bad path", "state directory");
    }
    memcpy(p->store, p->directory, (size_t)n);
    strcpy(p->store + n, "/messages.db");
    return true;
}

/* The path of a file in the directory. */
static void path_of(const struct roam_profile *p, const char *file, char *out)
{
    size_t n = strlen(p->directory);
    memcpy(out, p->directory, n);
    out[n] = '/';
    strcpy(out + n + 1, file);
}

/* ---------------------------------------------------------------- reading */

static bool set(char *out, size_t cap, const char *value)
{
    int n = snprintf(out, cap, "%s", value);
    return n >= 0 && (size_t)n < cap;
}

static bool take_line(struct roam_profile *p, const char *name,
                      const char *value)
{
    if (strcmp(name, "server") == 0) {
        return set(p->server, sizeof p->server, value);
    }
    if (strcmp(name, "ca") == 0) {
        return set(p->ca, sizeof p->ca, value);
    }
    if (strcmp(name, "plain") == 0) {
        p->plain = strcmp(value, "yes") == 0;
        return p->plain || strcmp(value, "no") == 0;
    }
    if (strcmp(name, "device-name") == 0) {
        return set(p->device_name, sizeof p->device_name, value);
    }
    return false;
}

static bool read_profile(struct roam_profile *p, char *error)
{
    char path[ROAM_PROFILE_PATH_MAX], line[ROAM_PROFILE_LINE_MAX];
    path_of(p, "profile", path);
    FILE *f = fopen(path, "r");
    if (!f) {
        return errno == ENOENT ? true : complain(error, strerror(errno), path);
    }
    bool good = true;
    while (good && fgets(line, sizeof line, f)) {
        char *equals = strchr(line, '=');
        line[strcspn(line, "\n")] = '\0';
        good = equals != NULL;
        if (good) {
            *equals = '\0';
            good = take_line(p, line, equals + 1);
        }
    }
    good = good && !ferror(f);
    fclose(f);
    return good ? true : complain(error, "cannot be understood", path);
}

/* The first line of a file, without white space around it. */
static bool read_token(const char *path, char *token, size_t cap, char *error)
{
    char line[ROAM_PROFILE_LINE_MAX] = "";
    FILE *f = fopen(path, "r");
    if (!f) {
        return complain(error, strerror(errno), path);
    }
    if (!fgets(line, sizeof line, f)) {
        line[0] = '\0';
    }
    fclose(f);
    char *start = line + strspn(line, " \t");
    start[strcspn(start, " \t\r\n")] = '\0';
    if (!*start || !set(token, cap, start)) {
        return complain(error, "does not hold a token of 1 to 128 bytes", path);
    }
    return true;
}

static bool find_token(struct roam_profile *p, const struct roam_options *o,
                       char *error)
{
    const char *environment = getenv("ROAM_TOKEN");
    char path[ROAM_PROFILE_PATH_MAX];
    if (o->token_file) {
        return read_token(o->token_file, p->token, sizeof p->token, error);
    }
    if (environment && *environment) {
        return set(p->token, sizeof p->token, environment)
                   ? true
                   : complain(error, "longer than 128 bytes", "$ROAM_TOKEN");
    }
    path_of(p, "token", path);
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return true;
    }
    return read_token(path, p->token, sizeof p->token, error);
}

/* ca is remembered as an absolute path: later commands run elsewhere. */
static bool take_options(struct roam_profile *p, const struct roam_options *o,
                         char *error)
{
    if (o->server && !set(p->server, sizeof p->server, o->server)) {
        return complain(error, "too long", "--server");
    }
    if (o->device_name) {
        set(p->device_name, sizeof p->device_name, o->device_name);
    }
    if (o->plain) {
        p->plain = true;
        p->ca[0] = '\0';
    }
    if (o->ca) {
        char *absolute = realpath(o->ca, NULL);
        bool good = absolute && set(p->ca, sizeof p->ca, absolute);
        free(absolute);
        p->plain = false;
        if (!good) {
            return complain(error, strerror(errno), o->ca);
        }
    }
    return true;
}

bool roam_profile_load(struct roam_profile *p, const struct roam_options *o,
                       char *error)
{
    memset(p, 0, sizeof *p);
    if (!find_directory(p, o, error) || !read_profile(p, error) ||
        !take_options(p, o, error) || !find_token(p, o, error)) {
        return false;
    }
    if (!p->device_name[0]) {
        gethostname(p->device_name, sizeof p->device_name - 1);
    }
    return true;
}

/* ---------------------------------------------------------------- writing */

bool roam_profile_make_directory(const struct roam_profile *p, char *error)
{
    char path[ROAM_PROFILE_PATH_MAX];
    strcpy(path, p->directory);
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash) {
            *slash = '\0';
        }
        if (mkdir(path, 0700) != 0 && errno != EEXIST) {
            return complain(error, strerror(errno), path);
        }
        if (!slash) {
            return true;
        }
        *slash = '/';
    }
}

/* All of it; a disk may take some. */
static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Beside it first, then in its place: a crash leaves the old or the new. */
static bool write_file(const struct roam_profile *p, const char *name,
                       const char *text, char *error)
{
    char path[ROAM_PROFILE_PATH_MAX], fresh[ROAM_PROFILE_PATH_MAX + 8];
    path_of(p, name, path);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return complain(error, strerror(errno), fresh);
    }
    bool good = fchmod(fd, 0600) == 0 && write_all(fd, text, strlen(text)) &&
                fsync(fd) == 0;
    int cause = errno;
    if (close(fd) != 0 && good) {
        good = false;
        cause = errno;
    }
    if (good && rename(fresh, path) != 0) {
        good = false;
        cause = errno;
    }
    if (!good) {
        unlink(fresh);
        return complain(error, strerror(cause), path);
    }
    return true;
}

bool roam_profile_save(const struct roam_profile *p, char *error)
{
    char text[3 * ROAM_PROFILE_LINE_MAX];
    if (strpbrk(p->server, "\n") || strpbrk(p->ca, "\n") ||
        strpbrk(p->device_name, "\n")) {
        return complain(error, "contains a line break", "a setting");
    }
    snprintf(text, sizeof text, "server=%s\nca=%s\nplain=%s\ndevice-name=%s\n",
             p->server, p->ca, p->plain ? "yes" : "no", p->device_name);
    if (!write_file(p, "profile", text, error)) {
        return false;
    }
    snprintf(text, sizeof text, "%s\n", p->token);
    return write_file(p, "token", text, error);
}
