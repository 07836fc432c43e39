/* SPDX-License-Identifier: Apache-2.0 */
/* A server that runs, between the files of `roamd run` only. */
#ifndef ROAMD_RUN_H
#define ROAMD_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../net/net.h"
#include "config.h"

struct roamd_run {
    const char *dir;
    int argc; /* the command's own words */
    char **argv;
    const char *port_file; /* NULL: none */
    struct roamd_config config;
    struct roam_tls_server *tls;
    struct roam_net *net;
    struct roam_store *store;
    struct roam_core *core;
    uint16_t tls_port;
    uint16_t plain_port;
    char metrics_address[ROAMD_TEXT_MAX];
    uint16_t metrics_port; /* 0: none */
    uint64_t started_ms;   /* Unix time */
};

/* Reads the settings of r->dir and of the command line into r. Returns a
 * status; when that is not ROAMD_OK, the reason is in error (cap bytes), or
 * error is empty and it was said already. */
int roamd_run_read(struct roamd_run *r, char *error, size_t cap);

/* NULL with a reason in error: certificate or key are not good. */
struct roam_tls_server *roamd_run_tls(const struct roamd_run *r, char *error,
                                      size_t cap);

/* SIGHUP: what may change under live sessions is taken over from the file,
 * the certificate is read again, and the rest is named. Anything that is not
 * good leaves all as it is. One line in the log says how it went. */
void roamd_run_reload(struct roamd_run *r);

/* One line in the log; as printf. level as in core.h. */
void roamd_run_log(struct roamd_run *r, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Raises the limit on descriptors to what max_sessions needs, and logs it
 * when that is not possible. */
void roamd_run_raise_files(struct roamd_run *r);

/* The text of all metrics, in Prometheus's format. roam_metrics_fn; ctx: a
 * struct roamd_run. */
size_t roamd_run_metrics(void *ctx, char *out, size_t cap);

/* Tells the service manager that started this process, if one did and asked
 * for it: lines of `NAME=value`. */
void roamd_notify(const char *state);

#endif
