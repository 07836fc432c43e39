/* SPDX-License-Identifier: Apache-2.0 */
/* A roamd of its own for each benchmark, and what it costs. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "store_sqlite.h"

/* The server that runs now; a run that dies takes it along. */
static pid_t running;

static void kill_running(void)
{
    if (running != 0) {
        kill(running, SIGKILL);
    }
}

static void run(char *const argv[])
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        execv(argv[0], argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        bench_die("%s failed", argv[0]);
    }
}

static void read_port(struct bench_server *s, const char *path)
{
    for (int i = 0; i < 3000; i++) {
        FILE *f = fopen(path, "r");
        unsigned plain = 0;
        unsigned tls = 0;
        char name[16];
        unsigned port;

        while (f != NULL && fscanf(f, "%u %15s %*s", &port, name) == 2) {
            *(strcmp(name, "plain") == 0 ? &plain : &tls) = port;
        }
        if (f != NULL) {
            fclose(f);
        }
        if (plain != 0) {
            s->port = (uint16_t)plain;
            s->tls_port = (uint16_t)tls;
            return;
        }
        usleep(10000);
    }
    bench_die("roamd did not say its port");
}

/* Of roamd, settings included. Peers count entries: none tells of devices. */
#define ARGS_MAX 64

static void serve(struct bench_server *s)
{
    char data[80];
    char path[96];
    char *argv[ARGS_MAX] = {(char *)s->roamd,
                            "-d",
                            data,
                            "run",
                            "--port",
                            "0",
                            "--plain-port",
                            "0",
                            "--port-file",
                            path,
                            "--log-level",
                            "error",
                            "--set",
                            "announce_devices=no"};
    size_t n = 14;

    snprintf(data, sizeof(data), "%s/data", s->dir);
    snprintf(path, sizeof(path), "%s/port", s->dir);
    for (const char *const *set = s->settings; set != NULL && *set != NULL;
         set++) {
        argv[n++] = "--set";
        argv[n++] = (char *)*set;
    }
    unlink(path);
    s->pid = fork();
    if (running == 0) {
        atexit(kill_running);
    }
    running = s->pid;
    if (s->pid == 0) {
        execv(argv[0], argv);
        _exit(127);
    }
    read_port(s, path);
}

void bench_server_start(struct bench_server *s, const char *roamd,
                        const char *const *settings)
{
    char data[80];
    char *init[] = {(char *)roamd, "-d", data, "init", NULL};

    s->roamd = roamd;
    s->settings = settings;
    snprintf(s->dir, sizeof(s->dir), "/tmp/roam-bench-XXXXXX");
    if (mkdtemp(s->dir) == NULL) {
        bench_die("mkdtemp: %s", strerror(errno));
    }
    snprintf(data, sizeof(data), "%s/data", s->dir);
    run(init);
    serve(s);
}

static void end(struct bench_server *s)
{
    int status;

    running = 0;
    kill(s->pid, SIGTERM);
    if (waitpid(s->pid, &status, 0) != s->pid || status != 0) {
        bench_die("roamd ended with status %d", status);
    }
}

void bench_server_restart(struct bench_server *s)
{
    end(s);
    serve(s);
}

void bench_server_stop(struct bench_server *s)
{
    char *clean[] = {"/bin/rm", "-rf", s->dir, NULL};

    end(s);
    run(clean);
}

size_t bench_server_log_bytes(const struct bench_server *s)
{
    char path[96];
    struct stat st;

    snprintf(path, sizeof(path), "%s/data/roamd.db-wal", s->dir);
    return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

/* Device types count from 1. */
#define TYPES 6

void bench_server_add_users(struct bench_server *s, const char *prefix,
                            int count)
{
    char path[96];
    char error[256] = "";
    char user[32];

    snprintf(path, sizeof(path), "%s/data/roamd.db", s->dir);
    struct roam_admin *admin =
        roam_admin_open(path, false, error, sizeof(error));
    for (int i = 0; admin != NULL && i < count && error[0] == 0; i++) {
        snprintf(user, sizeof(user), "%s%d", prefix, i);
        if (!roam_admin_add_user(admin, user, error, sizeof(error))) {
            break;
        }
        for (int type = 1; type <= TYPES && error[0] == 0; type++) {
            char token[48];
            snprintf(token, sizeof(token), "%s-%d", user, type);
            roam_admin_add_token(admin, user, token, 0, 0, error,
                                 sizeof(error));
        }
    }
    if (admin == NULL || error[0] != 0) {
        bench_die("users: %s", error);
    }
    roam_admin_close(admin);
}

double bench_server_cpu(const struct bench_server *s)
{
    char path[64];
    unsigned long user = 0;
    unsigned long system = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)s->pid);
    FILE *f = fopen(path, "r");
    if (f == NULL ||
        fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
               &user, &system) != 2) {
        bench_die("%s cannot be read", path);
    }
    fclose(f);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

size_t bench_server_memory(const struct bench_server *s)
{
    char path[64];
    size_t pages = 0;

    snprintf(path, sizeof(path), "/proc/%d/statm", (int)s->pid);
    FILE *f = fopen(path, "r");
    if (f == NULL || fscanf(f, "%*u %zu", &pages) != 1) {
        bench_die("%s cannot be read", path);
    }
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}
