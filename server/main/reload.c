/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: the settings and the certificate are read again.
 *
 * What clients were told at login, and what a socket was opened with, cannot
 * change under them: those settings keep their value until a restart, and
 * the log names them. Either all the rest is taken over, or nothing. */
#include "run.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "commands.h"

/* What roam_core_change() takes over, and what is kept here. */
static const char *const changeable[] = {
    "certificate",         "key",
    "log_level",           "max_sessions",
    "output_total_bytes",  "user_logins",
    "user_syncs",          "user_sends",
    "user_send_bytes",     "user_deliveries",
    "user_pages",          "user_backlog_bytes",
    "address_connections", "address_logins",
    "login_failures",      "session_cost",
    "max_strangers",       "max_strangers_address",
    "login_timeout_ms",    "decision_timeout_ms",
    "write_timeout_ms",    "drain_ms",
    "retry_window_ms",
};

struct change {
    struct roamd_run *run;
    const struct roamd_config *next;
    unsigned changed;
};

static bool is_changeable(const char *name)
{
    for (size_t i = 0; i < sizeof(changeable) / sizeof(changeable[0]); i++) {
        if (strcmp(changeable[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void change_one(void *ctx, const char *name)
{
    struct change *c = ctx;

    if (is_changeable(name)) {
        roamd_config_copy(&c->run->config, c->next, name);
        c->changed++;
    } else {
        roamd_run_log(c->run, 1, "setting-kept name=%s until=restart", name);
    }
}

static void apply(struct roamd_run *r, const struct roamd_run *next)
{
    struct change c = {.run = r, .next = &next->config};
    uint32_t sessions = r->config.core.max_sessions;

    if (next->tls != NULL) {
        roam_tls_server_free(roam_net_set_tls(r->net, next->tls));
        r->tls = next->tls;
    }
    roamd_config_compare(&r->config, &next->config, change_one, &c);
    roam_core_change(r->core, &r->config.core, roam_net_now());
    if (r->config.core.max_sessions != sessions) {
        roamd_run_raise_files(r);
    }
    roamd_run_log(r, 2, "reloaded settings=%u certificate=%s", c.changed,
                  next->tls != NULL ? "read" : "none");
}

/* A manager that waits for the end of it is told, also when it failed. */
static void notify_begin(void)
{
    char state[64];
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
    roamd_notify(state);
}

/* A quote would end the value that the text is in the log. */
static const char *unquoted(char *text)
{
    for (char *c = text; (c = strchr(c, '"')) != NULL; c++) {
        *c = '\'';
    }
    return text;
}

void roamd_run_reload(struct roamd_run *r)
{
    char error[ROAMD_ERROR_MAX];
    struct roamd_run next = {.dir = r->dir, .argc = r->argc, .argv = r->argv};

    notify_begin();
    bool ok = roamd_run_read(&next, error, sizeof(error)) == ROAMD_OK;
    if (ok && r->tls != NULL) {
        next.tls = roamd_run_tls(&next, error, sizeof(error));
        ok = next.tls != NULL;
    }
    if (ok) {
        apply(r, &next);
    } else {
        roamd_run_log(r, 0, "reload-failed reason=\"%s\"",
                      error[0] != '\0' ? unquoted(error)
                                       : "see the line above");
    }
    roamd_notify("READY=1");
}
