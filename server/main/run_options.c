/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of `run` and `config`: the defaults, the file over them, the
 * command line over that. Also for a server that reads them again. */
#include "run.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

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
static int apply_option(struct roamd_run *r, int option, bool *ports_named)
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

static int parse_options(struct roamd_run *r, int argc, char **argv)
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

int roamd_run_read(struct roamd_run *r, char *error, size_t cap)
{
    char path[ROAMD_PATH_MAX];

    error[0] = '\0';
    roamd_config_default(&r->config);
    if (!roamd_is_home(r->dir) ||
        !roamd_path(path, r->dir, ROAMD_CONFIG_FILE)) {
        return ROAMD_FAILED;
    }
    if (!roamd_config_read(&r->config, path, error, cap)) {
        return ROAMD_FAILED;
    }
    int status = parse_options(r, r->argc, r->argv);
    if (status != ROAMD_OK) {
        return status;
    }
    return roamd_config_check(&r->config, error, cap) ? ROAMD_OK : ROAMD_FAILED;
}
