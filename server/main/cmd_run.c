/* SPDX-License-Identifier: Apache-2.0 */
/* roamd run: puts the parts together, in this order, and takes them apart in
 * the other one: settings, certificate, loop, store, core, listeners. Nobody
 * can connect before the store has opened. */
#include "commands.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../net/control.h"
#include "../store/store_sqlite.h"
#include "run.h"

struct roam_tls_server *roamd_run_tls(const struct roamd_run *r, char *error,
                                      size_t cap)
{
    char cert[ROAMD_PATH_MAX];
    char key[ROAMD_PATH_MAX];

    if (!roamd_path(cert, r->dir, r->config.certificate) ||
        !roamd_path(key, r->dir, r->config.key)) {
        snprintf(error, cap, "cannot use TLS");
        return NULL;
    }
    return roam_tls_server_new(cert, key, error, cap);
}

static bool open_tls(struct roamd_run *r, char *error, size_t cap)
{
    if (r->config.port == ROAMD_PORT_OFF) {
        return true;
    }
    r->tls = roamd_run_tls(r, error, cap);
    return r->tls != NULL;
}

static void on_notice(void *ctx, enum roam_net_notice what)
{
    if (what == ROAM_NET_RELOAD) {
        roamd_run_reload(ctx);
    } else {
        roamd_notify("STOPPING=1");
    }
}

/* Whoever shakes hands has no credential yet, and no more time than others
 * who have none. [TIME-4] */
static uint32_t handshake_ms(const struct roamd_config *config)
{
    return config->handshake_timeout_ms < config->core.login_timeout_ms
               ? config->handshake_timeout_ms
               : config->core.login_timeout_ms;
}

static bool open_net(struct roamd_run *r, char *error, size_t cap)
{
    struct roam_net_config config = {.tls = r->tls,
                                     .log = roamd_log,
                                     .log_ctx = &r->config.log_level,
                                     .notice = on_notice,
                                     .notice_ctx = r,
                                     .backlog = r->config.backlog,
                                     .limit_loopback = r->config.limit_loopback,
                                     .handshake_ms = handshake_ms(&r->config),
                                     .linger_ms = r->config.linger_ms};

    r->net = roam_net_new(&config, error, cap);
    return r->net != NULL;
}

static struct roam_store_keep keep_of(const struct roam_core_config *core)
{
    return (struct roam_store_keep){.timeline_ms = core->timeline_ms,
                                    .timeline_entries = core->timeline_entries,
                                    .history_ms = core->history_ms,
                                    .dedup_ms = core->dedup_ms};
}

static bool open_store(struct roamd_run *r, char *error, size_t cap)
{
    char path[ROAMD_PATH_MAX];
    struct roam_store_sqlite_config config = {.path = path,
                                              .random = roamd_random,
                                              .keep = keep_of(&r->config.core),
                                              .settings =
                                                  r->config.core.store_settings,
                                              .log = roamd_log,
                                              .log_ctx = &r->config.log_level,
                                              .wake = roam_net_wake,
                                              .wake_ctx = r->net};

    if (!roamd_path(path, r->dir, ROAMD_STORE_FILE)) {
        snprintf(error, cap, "cannot open the store");
        return false;
    }
    r->store = roam_store_sqlite_open(&config, error, cap);
    return r->store != NULL;
}

static bool open_core(struct roamd_run *r, char *error, size_t cap)
{
    struct roam_core_config config = r->config.core;

    config.store = roam_control_store(r->store);
    config.log = roamd_log;
    config.log_ctx = &r->config.log_level;
    roamd_random(NULL, config.hash_key, sizeof(config.hash_key));
    r->core = roam_core_new(&config);
    if (r->core == NULL) {
        snprintf(error, cap, "out of memory");
        return false;
    }
    return true;
}

void roamd_run_log(struct roamd_run *r, int level, const char *format, ...)
{
    char line[ROAMD_ERROR_MAX + 64];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    roamd_log(&r->config.log_level, level, line);
}

static bool listen_on(struct roamd_run *r, bool tls, const char *address,
                      int32_t port, uint16_t *actual, char *error, size_t cap)
{
    if (port == ROAMD_PORT_OFF) {
        return true;
    }
    if (!roam_net_listen(r->net, address, (uint16_t)port, tls, actual, error,
                         cap)) {
        return false;
    }
    roamd_run_log(r, 2, "listening transport=%s address=%s port=%u",
                  tls ? "tls" : "plain", address, *actual);
    return true;
}

/* One line for each listener, TLS first. The file appears complete: it is
 * written beside its place and moved there. */
static bool write_port_file(const struct roamd_run *r, char *error, size_t cap)
{
    char path[ROAMD_PATH_MAX];
    int len;

    if (r->port_file == NULL) {
        return true;
    }
    len = snprintf(path, sizeof(path), "%s.new", r->port_file);
    FILE *file =
        len > 0 && (size_t)len < sizeof(path) ? fopen(path, "we") : NULL;
    if (file == NULL) {
        snprintf(error, cap, "%s: %s", r->port_file, strerror(errno));
        return false;
    }
    if (r->config.port != ROAMD_PORT_OFF) {
        fprintf(file, "%u tls %s\n", r->tls_port, r->config.listen);
    }
    if (r->config.plain_port != ROAMD_PORT_OFF) {
        fprintf(file, "%u plain %s\n", r->plain_port, r->config.plain_listen);
    }
    if (r->metrics_port != 0) {
        fprintf(file, "%u metrics %s\n", r->metrics_port, r->metrics_address);
    }
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad || rename(path, r->port_file) != 0) {
        snprintf(error, cap, "%s: %s", r->port_file, strerror(errno));
        return false;
    }
    return true;
}

static bool serve_metrics(struct roamd_run *r, char *error, size_t cap)
{
    uint16_t port;

    if (!roamd_parse_endpoint(r->config.metrics, r->metrics_address, &port)) {
        return true; /* off */
    }
    r->started_ms = roam_net_now().wall_ms;
    if (!roam_net_serve_metrics(r->net, r->metrics_address, port,
                                roamd_run_metrics, r, &r->metrics_port, error,
                                cap)) {
        return false;
    }
    roamd_run_log(r, 2, "metrics address=%s port=%u", r->metrics_address,
                  r->metrics_port);
    return true;
}

/* Before the port file: whoever waits for that one has been greeted then. */
static bool open_control(struct roamd_run *r, char *error, size_t cap)
{
    if (!roam_control_open(r->net)) {
        snprintf(error, cap, "cannot use ROAM_CONTROL_FD");
        return false;
    }
    return true;
}

/* Not before the store is open: one that is stuck there has nothing to lose. */
static bool catch_signals(struct roamd_run *r, char *error, size_t cap)
{
    if (!roam_net_catch_signals(r->net)) {
        snprintf(error, cap, "cannot catch signals");
        return false;
    }
    return true;
}

static bool open_all(struct roamd_run *r, char *error, size_t cap)
{
    return open_tls(r, error, cap) && open_net(r, error, cap) &&
           open_store(r, error, cap) && open_core(r, error, cap) &&
           catch_signals(r, error, cap) &&
           listen_on(r, true, r->config.listen, r->config.port, &r->tls_port,
                     error, cap) &&
           listen_on(r, false, r->config.plain_listen, r->config.plain_port,
                     &r->plain_port, error, cap) &&
           serve_metrics(r, error, cap) && open_control(r, error, cap) &&
           write_port_file(r, error, cap);
}

/* The store wakes the loop, and the core uses the store. */
static void close_all(struct roamd_run *r)
{
    roam_core_free(r->core);
    if (r->store != NULL) {
        r->store->ops->close(r->store);
    }
    roam_net_free(r->net);
    roam_tls_server_free(r->tls);
}

static int serve(struct roamd_run *r)
{
    roamd_notify("READY=1");
    switch (roam_net_run(r->net, r->core)) {
    case ROAM_NET_DRAINED:
        roamd_run_log(r, 2, "stopped");
        return ROAMD_OK;
    case ROAM_NET_INTERRUPTED:
        roamd_run_log(r, 1, "interrupted");
        return ROAMD_FAILED;
    case ROAM_NET_STORE_FAILED:
        break;
    }
    roamd_run_log(r, 0, "store-failed reason=\"%s\"",
                  roam_store_sqlite_error(r->store));
    return ROAMD_STORE_FAILED;
}

/* Not ROAMD_OK: said why. */
static int read_settings(struct roamd_run *r)
{
    char error[ROAMD_ERROR_MAX];
    int status = roamd_run_read(r, error, sizeof(error));

    if (status != ROAMD_OK && error[0] != '\0') {
        roamd_failed("%s", error);
    }
    return status;
}

int roamd_config_command(const char *dir, int argc, char **argv)
{
    struct roamd_run r = {.dir = dir, .argc = argc, .argv = argv};
    int status = read_settings(&r);

    if (status == ROAMD_OK) {
        roamd_config_print(&r.config, stdout, false);
    }
    return status;
}

int roamd_run(const char *dir, int argc, char **argv)
{
    char error[ROAMD_ERROR_MAX];
    struct roamd_run r = {.dir = dir, .argc = argc, .argv = argv};
    int status = read_settings(&r);

    if (status != ROAMD_OK) {
        return status;
    }
    roamd_run_raise_files(&r);
    status = open_all(&r, error, sizeof(error)) ? serve(&r)
                                                : roamd_failed("%s", error);
    close_all(&r);
    return status;
}
