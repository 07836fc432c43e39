/* SPDX-License-Identifier: Apache-2.0 */
/* roamd run: puts the parts together, in this order, and takes them apart in
 * the other one: settings, certificate, loop, store, core, listeners. Nobody
 * can connect before the store has opened. */
#include "commands.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../net/net.h"
#include "../store/store_sqlite.h"
#include "config.h"

struct run {
    const char *dir;
    const char *port_file; /* NULL: none */
    struct roamd_config config;
    struct roam_tls_server *tls;
    struct roam_net *net;
    struct roam_store *store;
    struct roam_core *core;
    uint16_t tls_port;
    uint16_t plain_port;
};

/* ------------------------------------------------------- the command line */

enum option_id {
    OPTION_PORT = 1000,
    OPTION_LISTEN,
    OPTION_PLAIN_PORT,
    OPTION_PLAIN_LISTEN,
    OPTION_ALLOW_PLAINTEXT,
    OPTION_LOG_LEVEL,
    OPTION_PORT_FILE,
    OPTION_SET
};

static const struct option options[] = {
    {"port", required_argument, NULL, OPTION_PORT},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"plain-port", required_argument, NULL, OPTION_PLAIN_PORT},
    {"plain-listen", required_argument, NULL, OPTION_PLAIN_LISTEN},
    {"allow-plaintext", no_argument, NULL, OPTION_ALLOW_PLAINTEXT},
    {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
    {"port-file", required_argument, NULL, OPTION_PORT_FILE},
    {"set", required_argument, NULL, OPTION_SET},
    {NULL, 0, NULL, 0}};

/* The setting that an option is short for; NULL: none. */
static const char *setting_of(int option)
{
    switch (option) {
    case OPTION_PORT:
        return "port";
    case OPTION_LISTEN:
        return "listen";
    case OPTION_PLAIN_PORT:
        return "plain_port";
    case OPTION_PLAIN_LISTEN:
        return "plain_listen";
    case OPTION_ALLOW_PLAINTEXT:
        return "allow_plaintext";
    case OPTION_LOG_LEVEL:
        return "log_level";
    default:
        return NULL;
    }
}

static int set(struct roamd_config *config, const char *name, const char *value)
{
    char error[ROAMD_ERROR_MAX];

    if (!roamd_config_set(config, name, value, error, sizeof(error))) {
        return roamd_misused("%s", error);
    }
    return ROAMD_OK;
}

static int set_pair(struct roamd_config *config, char *pair)
{
    char *value = strchr(pair, '=');

    if (value == NULL) {
        return roamd_misused("--set %s: not name=value", pair);
    }
    *value = '\0';
    int status = set(config, pair, value + 1);
    *value = '=';
    return status;
}

/* Whoever names ports on the command line names all of them. */
static int apply_option(struct run *r, int option, bool *ports_named)
{
    const char *name = setting_of(option);

    if (option == OPTION_PORT_FILE) {
        r->port_file = optarg;
        return ROAMD_OK;
    }
    if (option == OPTION_SET) {
        return set_pair(&r->config, optarg);
    }
    if ((option == OPTION_PORT || option == OPTION_PLAIN_PORT) &&
        !*ports_named) {
        *ports_named = true;
        r->config.port = ROAMD_PORT_OFF;
        r->config.plain_port = ROAMD_PORT_OFF;
    }
    return set(&r->config, name, optarg != NULL ? optarg : "yes");
}

static int parse_options(struct run *r, int argc, char **argv)
{
    bool ports_named = false;
    int c;

    optind = 0; /* glibc: start anew */
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (c == ':') {
            return roamd_misused("%s: %s needs a value", argv[0],
                                 argv[optind - 1]);
        }
        if (c == '?') {
            return roamd_misused("%s: \"%s\" is not understood", argv[0],
                                 argv[optind - 1]);
        }
        int status = apply_option(r, c, &ports_named);
        if (status != ROAMD_OK) {
            return status;
        }
    }
    if (optind != argc) {
        return roamd_misused("%s takes no \"%s\"", argv[0], argv[optind]);
    }
    return ROAMD_OK;
}

static int read_settings(struct run *r, int argc, char **argv)
{
    char path[ROAMD_PATH_MAX];
    char error[ROAMD_ERROR_MAX];

    roamd_config_default(&r->config);
    if (!roamd_is_home(r->dir) ||
        !roamd_path(path, r->dir, ROAMD_CONFIG_FILE)) {
        return ROAMD_FAILED;
    }
    if (!roamd_config_read(&r->config, path, error, sizeof(error))) {
        return roamd_failed("%s", error);
    }
    int status = parse_options(r, argc, argv);
    if (status != ROAMD_OK) {
        return status;
    }
    if (!roamd_config_check(&r->config, error, sizeof(error))) {
        return roamd_failed("%s", error);
    }
    return ROAMD_OK;
}

int roamd_config_command(const char *dir, int argc, char **argv)
{
    struct run r = {.dir = dir};
    int status = read_settings(&r, argc, argv);

    if (status == ROAMD_OK) {
        roamd_config_print(&r.config, stdout, false);
    }
    return status;
}

/* ------------------------------------------------------------ the server */

/* Each connection is a descriptor. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool open_tls(struct run *r, char *error, size_t cap)
{
    char cert[ROAMD_PATH_MAX];
    char key[ROAMD_PATH_MAX];

    if (r->config.port == ROAMD_PORT_OFF) {
        return true;
    }
    if (!roamd_path(cert, r->dir, r->config.certificate) ||
        !roamd_path(key, r->dir, r->config.key)) {
        snprintf(error, cap, "cannot use TLS");
        return false;
    }
    r->tls = roam_tls_server_new(cert, key, error, cap);
    return r->tls != NULL;
}

/* Whoever shakes hands has no credential yet, and no more time than others
 * who have none. [TIME-4] */
static uint32_t handshake_ms(const struct roamd_config *config)
{
    return config->handshake_timeout_ms < config->core.login_timeout_ms
               ? config->handshake_timeout_ms
               : config->core.login_timeout_ms;
}

static bool open_net(struct run *r, char *error, size_t cap)
{
    struct roam_net_config config = {.tls = r->tls,
                                     .log = roamd_log,
                                     .log_ctx = &r->config.log_level,
                                     .backlog = r->config.backlog,
                                     .limit_loopback = r->config.limit_loopback,
                                     .handshake_ms = handshake_ms(&r->config),
                                     .linger_ms = r->config.linger_ms};

    r->net = roam_net_new(&config, error, cap);
    return r->net != NULL;
}

static bool open_store(struct run *r, char *error, size_t cap)
{
    char path[ROAMD_PATH_MAX];
    struct roam_store_sqlite_config config = {.path = path,
                                              .random = roamd_random,
                                              .settings =
                                                  r->config.core.store_settings,
                                              .wake = roam_net_wake,
                                              .wake_ctx = r->net};

    if (!roamd_path(path, r->dir, ROAMD_STORE_FILE)) {
        snprintf(error, cap, "cannot open the store");
        return false;
    }
    r->store = roam_store_sqlite_open(&config, error, cap);
    return r->store != NULL;
}

static bool open_core(struct run *r, char *error, size_t cap)
{
    struct roam_core_config config = r->config.core;

    config.store = r->store;
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

static void say(struct run *r, int level, const char *line)
{
    roamd_log(&r->config.log_level, level, line);
}

static bool listen_on(struct run *r, bool tls, const char *address,
                      int32_t port, uint16_t *actual, char *error, size_t cap)
{
    char line[ROAMD_TEXT_MAX + 64];

    if (port == ROAMD_PORT_OFF) {
        return true;
    }
    if (!roam_net_listen(r->net, address, (uint16_t)port, tls, actual, error,
                         cap)) {
        return false;
    }
    snprintf(line, sizeof(line), "listening transport=%s address=%s port=%u",
             tls ? "tls" : "plain", address, *actual);
    say(r, 2, line);
    return true;
}

/* One line for each listener, TLS first. The file appears complete: it is
 * written beside its place and moved there. */
static bool write_port_file(const struct run *r, char *error, size_t cap)
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
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad || rename(path, r->port_file) != 0) {
        snprintf(error, cap, "%s: %s", r->port_file, strerror(errno));
        return false;
    }
    return true;
}

static bool open_all(struct run *r, char *error, size_t cap)
{
    return open_tls(r, error, cap) && open_net(r, error, cap) &&
           open_store(r, error, cap) && open_core(r, error, cap) &&
           listen_on(r, true, r->config.listen, r->config.port, &r->tls_port,
                     error, cap) &&
           listen_on(r, false, r->config.plain_listen, r->config.plain_port,
                     &r->plain_port, error, cap) &&
           write_port_file(r, error, cap);
}

/* The store wakes the loop, and the core uses the store. */
static void close_all(struct run *r)
{
    roam_core_free(r->core);
    if (r->store != NULL) {
        r->store->ops->close(r->store);
    }
    roam_net_free(r->net);
    roam_tls_server_free(r->tls);
}

static int serve(struct run *r)
{
    char line[ROAMD_ERROR_MAX];

    switch (roam_net_run(r->net, r->core)) {
    case ROAM_NET_DRAINED:
        say(r, 2, "stopped");
        return ROAMD_OK;
    case ROAM_NET_INTERRUPTED:
        say(r, 1, "interrupted");
        return ROAMD_FAILED;
    case ROAM_NET_STORE_FAILED:
        break;
    }
    snprintf(line, sizeof(line), "store-failed reason=\"%s\"",
             roam_store_sqlite_error(r->store));
    say(r, 0, line);
    return ROAMD_STORE_FAILED;
}

int roamd_run(const char *dir, int argc, char **argv)
{
    char error[ROAMD_ERROR_MAX];
    struct run r = {.dir = dir};
    int status = read_settings(&r, argc, argv);

    if (status != ROAMD_OK) {
        return status;
    }
    raise_file_limit();
    status = open_all(&r, error, sizeof(error)) ? serve(&r)
                                                : roamd_failed("%s", error);
    close_all(&r);
    return status;
}
