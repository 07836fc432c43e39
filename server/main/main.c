/* SPDX-License-Identifier: Apache-2.0 */
/* roamd: a Roam server for one machine. Here is only which command runs. */
#include "commands.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_DIR "/var/lib/roamd"

static const char help[] =
    "usage: roamd [-d DIR] COMMAND\n"
    "\n"
    "DIR holds settings, certificate and store; the default is $ROAMD_DIR,\n"
    "or " DEFAULT_DIR ".\n"
    "\n"
    "  init                    makes DIR, with a certificate for localhost\n"
    "  user add NAME           a new user; UTF-8, 1 to 64 bytes, not #...\n"
    "    --name TEXT           before NAME: what people read, up to 48 bytes\n"
    "  user name NAME TEXT     changes that\n"
    "  user block NAME OTHER   NAME gets nothing from OTHER any more\n"
    "  user unblock NAME OTHER\n"
    "  user list               prints the names of all users\n"
    "  token issue NAME        prints a new token, the only time it is shown\n"
    "    --type TYPE           good for phone, tablet, desktop, web, watch or\n"
    "                          embedded only\n"
    "    --expires WHEN        90s, 15m, 12h, 30d, 2027-01-31T12:00:00Z or\n"
    "                          never (default)\n"
    "    --allow-past          WHEN may be over, for tests\n"
    "  token list [NAME]       prints id, state, type, expiry, device, creation\n"
    "                          and user of all tokens, or of those of NAME\n"
    "  token revoke TOKEN      no login with it any more; - reads it from\n"
    "                          the input, where ps does not show it\n"
    "    --id ID               the token that `token list` shows so\n"
    "  session list USER       where USER is logged in: device, type,\n"
    "                          generation, since, last seen, name, software\n"
    "  session end USER DEVICE logs that device out for good: its tokens are\n"
    "                          revoked, its slots are free\n"
    "  stats [--json]          prints how much is stored\n"
    "  check [FILE]            is all well with the store, or with a backup?\n"
    "  backup FILE             copies the store to FILE\n"
    "  restore FILE            puts a backup in the store's place; the server\n"
    "                          must be stopped\n"
    "  group list              the groups: id, members, applicants, who may\n"
    "                          join, muted or not, name; - for none\n"
    "  group show ID           one of them, then its members: user, role,\n"
    "                          muted or not, since when, name\n"
    "  config [OPTIONS]        prints the settings that `run` would have\n"
    "  run [OPTIONS]           serves until SIGTERM or SIGINT\n"
    "    --port N              port for TLS (7626); 0: any free one\n"
    "    --listen ADDRESS      address for TLS (0.0.0.0)\n"
    "    --plain-port N        port for TCP without TLS (off). With --port or\n"
    "                          --plain-port, only the ports named are open\n"
    "    --plain-listen ADDR   address for TCP without TLS (127.0.0.1)\n"
    "    --allow-plaintext     that address may be other than loopback\n"
    "    --log-level LEVEL     error, warn, info or debug\n"
    "    --port-file FILE      writes `PORT tls|plain|metrics ADDRESS` for\n"
    "                          each port once it is open\n"
    "    --set NAME=VALUE      any setting of DIR/roamd.conf\n"
    "\n"
    "All but restore can be done while the server runs.\n"
    "\n"
    "exit status: 0 done; 1 refused or not possible; 2 usage; 3 the store\n"
    "failed, and what was not answered may or may not be stored: start\n"
    "again, clients find out by themselves.\n";

static const struct {
    const char *name;
    int (*run)(const char *dir, int argc, char **argv);
} commands[] = {{"init", roamd_init},     {"user", roamd_user},
                {"token", roamd_token},   {"session", roamd_session},
                {"stats", roamd_stats},   {"check", roamd_check},
                {"backup", roamd_backup}, {"restore", roamd_restore},
                {"group", roamd_group},   {"config", roamd_config_command},
                {"run", roamd_run}};

static int run_command(const char *dir, int argc, char **argv)
{
    if (argc == 0) {
        return roamd_misused("a command is missing");
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, argv[0]) == 0) {
            return commands[i].run(dir, argc, argv);
        }
    }
    return roamd_misused("there is no command \"%s\"", argv[0]);
}

/* Success is only what has been printed whole. */
static int end_output(int status)
{
    bool bad = fflush(stdout) != 0 || ferror(stdout) != 0;

    return bad && status == ROAMD_OK ? roamd_failed("cannot write the output")
                                     : status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    const char *dir = getenv("ROAMD_DIR");
    int c;

    if (dir == NULL || dir[0] == '\0') {
        dir = DEFAULT_DIR;
    }
    opterr = 0;
    /* +: the command's own options are not for here. */
    while ((c = getopt_long(argc, argv, "+:d:h", options, NULL)) != -1) {
        switch (c) {
        case 'd':
            dir = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            return end_output(ROAMD_OK);
        case 'v':
            printf("roamd %s\n", roamd_version);
            return end_output(ROAMD_OK);
        case ':':
            return roamd_misused("%s needs a value", argv[optind - 1]);
        default:
            return roamd_misused("\"%s\" is not understood", argv[optind - 1]);
        }
    }
    return end_output(run_command(dir, argc - optind, argv + optind));
}
