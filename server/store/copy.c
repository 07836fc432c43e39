/* SPDX-License-Identifier: Apache-2.0 */
/* Backup and restore. See store_file.h.
 *
 * Both make a complete, synced copy beside its place, by SQLite's backup API
 * inside one read transaction, and then move it there: whoever cuts the power
 * finds the old file or the new one.
 *
 * A restore must not leave the log of the old store beside the new file,
 * which would take it for its own. So the old file goes first, then its log,
 * and the new one comes last; in between there is no store at the path, and
 * the same command again goes on from there. */
#include "store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db.h"

#define COPY_PATH_MAX 4096

const char roam_store_kept_suffix[] = ".before-restore";

/* ----------------------------------------------------------------- helpers */

static bool complain(char *error, size_t cap, const char *path,
                     const char *reason)
{
    snprintf(error, cap, "%s: %s", path, reason);
    return false;
}

static bool join(char out[COPY_PATH_MAX], const char *path, const char *a,
                 const char *b, char *error, size_t cap)
{
    int len = snprintf(out, COPY_PATH_MAX, "%s%s%s", path, a, b);

    if (len < 0 || len >= COPY_PATH_MAX) {
        return complain(error, cap, path, "the path is too long");
    }
    return true;
}

/* A file's new name is only kept once its directory is. */
static bool sync_directory_of(const char *path)
{
    char dir[COPY_PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);

    if (len >= sizeof(dir)) {
        return false;
    }
    memcpy(dir, path, len);
    dir[len] = '\0';
    int fd = open(slash == NULL ? "."
                  : len == 0    ? "/"
                                : dir,
                  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

static bool move(const char *from, const char *to, char *error, size_t cap)
{
    if (rename(from, to) != 0) {
        return complain(error, cap, to, strerror(errno));
    }
    return true;
}

/* ---------------------------------------------------------------- the copy */

static bool copy_pages(sqlite3 *from, sqlite3 *to)
{
    sqlite3_backup *job = sqlite3_backup_init(to, "main", from, "main");

    if (job == NULL) {
        return false;
    }
    sqlite3_backup_step(job, -1); /* all, so that it is one state */
    return sqlite3_backup_finish(job) == SQLITE_OK;
}

/* A store that has a log says so in its first page. The copy is one file. */
static bool fill(sqlite3 *from, const char *path, char *error, size_t cap)
{
    sqlite3 *to = NULL;
    bool ok =
        sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        roam_db_exec(to, "PRAGMA synchronous=FULL") == SQLITE_OK &&
        copy_pages(from, to) &&
        roam_db_exec(to, "PRAGMA journal_mode=DELETE") == SQLITE_OK;

    if (!ok) {
        complain(error, cap, path,
                 to == NULL ? "out of memory" : sqlite3_errmsg(to));
    }
    roam_db_close(to);
    return ok;
}

/* fd: of the file at `path`, empty until now. */
static bool make_copy(const char *from, int fd, const char *path, char *error,
                      size_t cap)
{
    sqlite3 *db = roam_db_open_read(from, error, cap);
    bool ok = db != NULL && fill(db, path, error, cap);

    roam_db_close(db);
    if (ok && fsync(fd) != 0) {
        ok = complain(error, cap, path, strerror(errno));
    }
    return ok;
}

/* ------------------------------------------------------------------ backup */

/* Does the file say of itself that it is a backup: a store without a log?
 * One of any version is, also of another machine. A store that a server has
 * opened is none, and so no server's store is ever replaced. */
static bool is_backup(const char *path, bool *yes)
{
    enum {
        MODE = 18,
        WITHOUT_LOG = 1,
        APPLICATION = 68,
        HEADER = 72
    };
    static const uint8_t magic[] = "SQLite format 3";
    const uint32_t id = ROAM_DB_APPLICATION_ID;
    uint8_t h[HEADER] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, h, sizeof(h));

    if (fd >= 0) {
        close(fd);
    }
    uint32_t found = (uint32_t)h[APPLICATION] << 24 |
                     (uint32_t)h[APPLICATION + 1] << 16 |
                     (uint32_t)h[APPLICATION + 2] << 8 | h[APPLICATION + 3];
    *yes = memcmp(h, magic, sizeof(magic)) == 0 && h[MODE] == WITHOUT_LOG &&
           found == id;
    return got >= 0;
}

/* May `to` be replaced? An older backup may, and an empty file, which a script
 * made to have a name; what is anything else was named by mistake. */
static bool may_replace(const char *path, const char *to, char *error,
                        size_t cap)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    char own[COPY_PATH_MAX];
    struct stat st;
    struct stat st_own;

    if (stat(to, &st) != 0) {
        return errno == ENOENT || complain(error, cap, to, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return complain(error, cap, to, "not a regular file");
    }
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (!join(own, path, suffixes[i], "", error, cap)) {
            return false;
        }
        if (stat(own, &st_own) == 0 && st.st_ino == st_own.st_ino &&
            st.st_dev == st_own.st_dev) {
            return complain(error, cap, to, "that is the store itself");
        }
    }
    if (st.st_size == 0) {
        return true;
    }
    bool yes;
    if (!is_backup(to, &yes)) {
        return complain(error, cap, to, strerror(errno));
    }
    return yes || complain(error, cap, to,
                           "there is a file which is no backup; it stays");
}

bool roam_store_backup(const char *path, const char *to, char *error,
                       size_t cap)
{
    char beside[COPY_PATH_MAX];

    if (!may_replace(path, to, error, cap) ||
        !join(beside, to, ".XXXXXX", "", error, cap)) {
        return false;
    }
    int fd = mkostemp(beside, O_CLOEXEC); /* mode 0600 */
    if (fd < 0) {
        return complain(error, cap, to, strerror(errno));
    }
    bool ok =
        make_copy(path, fd, beside, error, cap) && move(beside, to, error, cap);
    close(fd);
    if (!ok) {
        unlink(beside);
        return false;
    }
    return sync_directory_of(to) || complain(error, cap, to, strerror(errno));
}

/* ----------------------------------------------------------------- restore */

static bool check_copy(const char *from, const char *copy, roam_line_fn fn,
                       void *ctx, char *error, size_t cap)
{
    size_t bad;

    if (!roam_store_check(copy, fn, ctx, &bad, error, cap)) {
        return false;
    }
    if (bad > 0) {
        snprintf(error, cap, "%s: damaged, nothing was restored", from);
    }
    return bad == 0;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* Moves the store and its log out of the way. What was kept before goes only
 * when there is something to keep in its place: not when this was cut short
 * behind the first step. */
static bool set_aside(const char *path, char *error, size_t cap)
{
    char kept[COPY_PATH_MAX], kept_log[COPY_PATH_MAX];
    char log[COPY_PATH_MAX], shared[COPY_PATH_MAX];
    const char *suffix = roam_store_kept_suffix;

    if (!join(kept, path, suffix, "", error, cap) ||
        !join(kept_log, path, suffix, "-wal", error, cap) ||
        !join(log, path, "-wal", "", error, cap) ||
        !join(shared, path, "-shm", "", error, cap)) {
        return false;
    }
    if (exists(path)) {
        unlink(kept_log);
        if (!move(path, kept, error, cap)) {
            return false;
        }
    }
    if (exists(log) && !move(log, kept_log, error, cap)) {
        return false;
    }
    unlink(shared); /* SQLite makes it anew from the log */
    return true;
}

static bool put_in_place(const char *copy, const char *path, char *error,
                         size_t cap)
{
    if (!set_aside(path, error, cap)) {
        return false;
    }
    if (!sync_directory_of(path)) {
        return complain(error, cap, path, strerror(errno));
    }
    if (!move(copy, path, error, cap)) {
        return false;
    }
    return sync_directory_of(path) ||
           complain(error, cap, path, strerror(errno));
}

static bool restore_locked(const char *from, const char *path, roam_line_fn fn,
                           void *ctx, char *error, size_t cap)
{
    char copy[COPY_PATH_MAX];

    if (!join(copy, path, ".restoring", "", error, cap)) {
        return false;
    }
    unlink(copy); /* of a restore that was cut short */
    int fd = open(copy, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return complain(error, cap, copy, strerror(errno));
    }
    bool ok = roam_store_give_away(fd, path) ||
              complain(error, cap, copy, strerror(errno));
    ok = ok && make_copy(from, fd, copy, error, cap) &&
         check_copy(from, copy, fn, ctx, error, cap) &&
         put_in_place(copy, path, error, cap);
    close(fd);
    unlink(copy);
    return ok;
}

bool roam_store_restore(const char *from, const char *path, roam_line_fn fn,
                        void *ctx, char *error, size_t cap)
{
    int lock = roam_store_lock(path, error, cap);

    if (lock < 0) {
        return false;
    }
    bool ok = restore_locked(from, path, fn, ctx, error, cap);
    close(lock);
    return ok;
}
