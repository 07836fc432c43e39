/* SPDX-License-Identifier: Apache-2.0 */
/* roamd init: a directory with all that a server needs. */
#include "commands.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../net/dev_cert.h"
#include "../store/store_sqlite.h"
#include "config.h"

static bool is_empty(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    bool empty = d != NULL;

    while (empty && (e = readdir(d)) != NULL) {
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    }
    if (d != NULL) {
        closedir(d);
    }
    return empty;
}

/* *made: the directory was not there before. */
static int make_dir(const char *dir, bool *made)
{
    *made = mkdir(dir, 0700) == 0;
    if (*made) {
        return ROAMD_OK;
    }
    if (errno != EEXIST) {
        return roamd_failed("%s: %s", dir, strerror(errno));
    }
    if (!is_empty(dir)) {
        return roamd_failed("%s: exists, and is not an empty directory", dir);
    }
    return ROAMD_OK;
}

static bool write_config(const char *path, char *error, size_t cap)
{
    struct roamd_config config;
    FILE *file = fopen(path, "wxe");

    if (file == NULL) {
        snprintf(error, cap, "%s: %s", path, strerror(errno));
        return false;
    }
    roamd_config_default(&config);
    fputs("# Settings of this Roam server. All of them are here, with their\n"
          "# defaults. Relative paths start at this directory.\n",
          file);
    roamd_config_print(&config, file, true);
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad) {
        snprintf(error, cap, "%s: cannot write", path);
        return false;
    }
    return true;
}

/* SQLite would make the file readable by all whom the umask lets in; its log
 * gets the mode of the file. */
static bool write_store(const char *path, char *error, size_t cap)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0) {
        snprintf(error, cap, "%s: %s", path, strerror(errno));
        return false;
    }
    close(fd);
    struct roam_admin *admin = roam_admin_open(path, false, error, cap);
    if (admin == NULL) {
        return false;
    }
    roam_admin_close(admin);
    return true;
}

struct paths {
    char cert[ROAMD_PATH_MAX];
    char key[ROAMD_PATH_MAX];
    char store[ROAMD_PATH_MAX];
    char config[ROAMD_PATH_MAX];
};

/* Leaves nothing behind, so that the next try finds an empty place. */
static void undo(const struct paths *p, const char *dir, bool made)
{
    unlink(p->cert);
    unlink(p->key);
    unlink(p->store);
    unlink(p->config);
    if (made) {
        rmdir(dir);
    }
}

int roamd_init(const char *dir, int argc, char **argv)
{
    struct paths p;
    char error[ROAMD_ERROR_MAX];
    bool made;

    if (argc != 1) {
        return roamd_misused("init takes no \"%s\"", argv[1]);
    }
    if (!roamd_path(p.cert, dir, "cert.pem") ||
        !roamd_path(p.key, dir, "key.pem") ||
        !roamd_path(p.store, dir, ROAMD_STORE_FILE) ||
        !roamd_path(p.config, dir, ROAMD_CONFIG_FILE)) {
        return ROAMD_FAILED;
    }
    int status = make_dir(dir, &made);
    if (status != ROAMD_OK) {
        return status;
    }
    if (!roam_dev_cert_write(p.cert, p.key, error, sizeof(error)) ||
        !write_store(p.store, error, sizeof(error)) ||
        !write_config(p.config, error, sizeof(error))) {
        undo(&p, dir, made);
        return roamd_failed("%s", error);
    }
    return ROAMD_OK;
}
