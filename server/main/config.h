/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of roamd: defaults, the file, the command line. A setting has
 * one name everywhere: `name = value` in the file, `--set name=value`. */
#ifndef ROAMD_CONFIG_H
#define ROAMD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../core/core.h"

#define ROAMD_DEFAULT_PORT 7626
#define ROAMD_PORT_OFF (-1)
#define ROAMD_TEXT_MAX 256

struct roamd_config {
    struct roam_core_config core; /* numbers only; no store, no functions */
    char listen[ROAMD_TEXT_MAX];
    int32_t port; /* ROAMD_PORT_OFF: no TLS; 0: any */
    char plain_listen[ROAMD_TEXT_MAX];
    int32_t plain_port;
    bool allow_plaintext;
    char certificate[ROAMD_TEXT_MAX]; /* relative to the directory */
    char key[ROAMD_TEXT_MAX];
    uint32_t backlog;
    bool limit_loopback;
    uint32_t handshake_timeout_ms;
    uint32_t linger_ms;
    int log_level;                /* as in core.h */
    char metrics[ROAMD_TEXT_MAX]; /* address:port, or "off" */
};

void roamd_config_default(struct roamd_config *config);

/* Sets one setting from text. False with a reason in error (cap bytes): no
 * such name, not a value of its kind, out of range. */
bool roamd_config_set(struct roamd_config *config, const char *name,
                      const char *value, char *error, size_t cap);

/* Reads a file of settings. False with `path:line: reason` in error. */
bool roamd_config_read(struct roamd_config *config, const char *path,
                       char *error, size_t cap);

/* Do the settings fit each other? False with a reason in error. */
bool roamd_config_check(const struct roamd_config *config, char *error,
                        size_t cap);

/* Tells fn the name of each setting that is not the same in both. */
typedef void (*roamd_setting_fn)(void *ctx, const char *name);
void roamd_config_compare(const struct roamd_config *a,
                          const struct roamd_config *b, roamd_setting_fn fn,
                          void *ctx);
/* Copies one setting; there is one of that name. */
void roamd_config_copy(struct roamd_config *to, const struct roamd_config *from,
                       const char *name);

/* Writes all settings as a file would have them. commented: with what each
 * means, and the line itself behind a '#'. */
void roamd_config_print(const struct roamd_config *config, FILE *out,
                        bool commented);

/* Takes an `address:port` apart, `[address]:port` for IPv6. False when it is
 * none. */
bool roamd_parse_endpoint(const char *text, char address[ROAMD_TEXT_MAX],
                          uint16_t *port);

/* What the file may spell "info": its number; -1: none. */
int roamd_log_level(const char *name);

#endif
