/* SPDX-License-Identifier: Apache-2.0 */
/* roam: the command line client. */
#include <stdio.h>

#include "commands.h"

/* Text that is for people, and on the standard output. */
static enum roam_exit end_of_text(void)
{
    bool bad = fflush(stdout) != 0 || ferror(stdout) != 0;
    if (bad) {
        perror("roam: standard output");
    }
    return bad ? ROAM_EXIT_FAILED : ROAM_EXIT_OK;
}

int main(int argc, char **argv)
{
    char error[ROAM_OPTIONS_ERROR_MAX];
    struct roam_options o;
    if (!roam_options_parse(&o, argc, argv, error)) {
        fprintf(stderr, "roam: %s\n", error);
        return ROAM_EXIT_USAGE;
    }
    if (o.help) {
        roam_options_print_help();
        return (int)end_of_text();
    }
    if (o.version) {
        puts("roam " ROAM_VERSION_STRING);
        return (int)end_of_text();
    }
    switch (o.command) {
    case ROAM_COMMAND_LOGIN:
        return (int)roam_command_login(&o);
    case ROAM_COMMAND_LOGOUT:
        return (int)roam_command_logout(&o);
    case ROAM_COMMAND_CHAT:
        return (int)roam_command_chat(&o);
    case ROAM_COMMAND_SEND:
        return (int)roam_command_send(&o);
    case ROAM_COMMAND_RECALL:
    case ROAM_COMMAND_DELETE:
    case ROAM_COMMAND_READ:
    case ROAM_COMMAND_APP:
        return (int)roam_command_operation(&o);
    case ROAM_COMMAND_GROUP:
        return (int)roam_command_group(&o);
    case ROAM_COMMAND_SESSIONS:
        return (int)roam_command_sessions(&o);
    case ROAM_COMMAND_TAIL:
        return (int)roam_command_tail(&o);
    case ROAM_COMMAND_HISTORY:
        return (int)roam_command_history(&o);
    case ROAM_COMMAND_CONVERSATIONS:
        return (int)roam_command_conversations(&o);
    case ROAM_COMMAND_STATUS:
        return (int)roam_command_status(&o);
    case ROAM_COMMAND_NONE:
        break;
    }
    return ROAM_EXIT_USAGE;
}
