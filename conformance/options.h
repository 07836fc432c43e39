/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of roam-conform. */
#ifndef CONFORM_OPTIONS_H
#define CONFORM_OPTIONS_H

#include "adapter.h"
#include "outputs.h"
#include "runner.h"

struct options {
    struct run_options run;
    struct outputs outputs;
    struct adapter_target adapter; /* host NULL: none was named */
    struct adapter_target sibling_target;
    const char *sibling; /* its words; NULL: none was named */
    const char *root;    /* of the project, where the defaults are */
    const char *program; /* as it was called */
    const char *scenarios, *spec, *fault, *faults;
    bool list, full, update, client, pair;
    bool has_scenarios, has_spec; /* they were given */
};

extern const char options_usage[];
/* argv[0] is the command. False: something is wrong with them. */
bool options_parse(struct options *o, int argc, char **argv);
/* The words that start a run again, up to and with its role. */
const char *options_command(const struct options *o, const char *role);
/* A path of the project, from where we are. */
const char *in_root(const struct options *o, const char *path);

#endif
