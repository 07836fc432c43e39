/* SPDX-License-Identifier: Apache-2.0 */
/* PATH.lock: who has it is the one server of this store. The file stays, an
 * empty one does no harm, and taking it away would let a second one in. */
#include "store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_PATH_MAX 4096

bool roam_store_give_away(int fd, const char *path)
{
    char dir[LOCK_PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    struct stat st;

    if (geteuid() != 0) {
        return true;
    }
    if (len + 1 >= sizeof(dir)) {
        return false;
    }
    memcpy(dir, path, len);
    memcpy(dir + len, ".", sizeof("."));
    return stat(dir, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) == 0;
}

int roam_store_lock(const char *path, char *error, size_t cap)
{
    char lock_path[LOCK_PATH_MAX];
    int len = snprintf(lock_path, sizeof(lock_path), "%s.lock", path);

    if (len < 0 || (size_t)len >= sizeof(lock_path)) {
        snprintf(error, cap, "the path of the store is too long");
        return -1;
    }
    int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(error, cap, "%s: %s", lock_path, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && roam_store_give_away(fd, path)) {
        return fd;
    }
    if (errno == EWOULDBLOCK) {
        snprintf(error, cap, "%s: in use by another server", path);
    } else {
        snprintf(error, cap, "%s: %s", lock_path, strerror(errno));
    }
    close(fd);
    return -1;
}
