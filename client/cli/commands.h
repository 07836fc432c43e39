/* SPDX-License-Identifier: Apache-2.0 */
/* One function for each command. They print what they have to say and return
 * how the program ends. */
#ifndef ROAM_CLI_COMMANDS_H
#define ROAM_CLI_COMMANDS_H

#include "exit_codes.h"
#include "options.h"

enum roam_exit roam_command_login(const struct roam_options *o);
enum roam_exit roam_command_logout(const struct roam_options *o);
enum roam_exit roam_command_chat(const struct roam_options *o);
enum roam_exit roam_command_send(const struct roam_options *o);
/* recall, delete, read, app */
enum roam_exit roam_command_operation(const struct roam_options *o);
enum roam_exit roam_command_group(const struct roam_options *o);
enum roam_exit roam_command_sessions(const struct roam_options *o);
enum roam_exit roam_command_tail(const struct roam_options *o);
enum roam_exit roam_command_history(const struct roam_options *o);
enum roam_exit roam_command_conversations(const struct roam_options *o);
enum roam_exit roam_command_status(const struct roam_options *o);

#endif
