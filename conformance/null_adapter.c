/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters that are none, to test the suite with: whatever one of them
 * passes has tested nothing. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client_role.h"

#define GARBAGE_BYTES 4096u

const char *const null_adapter_modes[] = {"exit", "silent",  "echo",
                                          "ok",   "garbage", NULL};

static const char hello[] =
    "{\"hello\":\"yes-man\",\"adapter\":1,\"protocols\":[1],"
    "\"capabilities\":[\"ack\",\"sync\",\"history\",\"drop\",\"limits\","
    "\"restart\",\"operations\",\"view\",\"survey\",\"tls\"],\"clock\":\"virtual\"}\n";

static void garbage(void)
{
    struct prng random;
    uint8_t noise[GARBAGE_BYTES];
    prng_seed(&random, 1, "garbage");
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t)prng_next(&random);
    }
    fwrite(noise, 1, sizeof noise, stdout);
    fflush(stdout);
}

/* Says ok, with all that an answer may have. */
static void say_ok(const char *line)
{
    const char *id = strstr(line, "\"id\":");
    uint64_t n = 0;
    if (id) {
        sscanf(id, "\"id\":%" SCNu64, &n);
    }
    printf("{\"id\":%" PRIu64 ",\"answer\":\"ok\",\"now\":\"0\","
           "\"client_msg_id\":\"1\",\"ref\":\"1\",\"cursor\":\"0\","
           "\"attempt\":\"1\",\"connections\":\"0\",\"sent\":\"0\","
           "\"unsent\":\"0\",\"connected\":false}\n",
           n);
    fflush(stdout);
}

bool null_adapter(const char *mode)
{
    static char line[ADAPTER_LINE_MAX];
    bool known = false;
    for (size_t i = 0; null_adapter_modes[i]; i++) {
        known = known || strcmp(null_adapter_modes[i], mode) == 0;
    }
    if (!known || strcmp(mode, "exit") == 0) {
        return known;
    }
    bool says_ok = strcmp(mode, "ok") == 0;
    if (says_ok) {
        fputs(hello, stdout);
        fflush(stdout);
    } else if (strcmp(mode, "garbage") == 0) {
        garbage();
    }
    while (fgets(line, sizeof line, stdin)) {
        if (says_ok) {
            say_ok(line);
        } else if (strcmp(mode, "echo") == 0) {
            fputs(line, stdout);
            fflush(stdout);
        }
    }
    return true;
}
