/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest adapter in C: `make check` builds it from what `make install`
 * left, without anything else of this project. It proves that kit.h and kit.c
 * stand alone. There is no SDK on it: it opens devices that never connect. */
#include "kit.h"

#include <stdlib.h>

struct handle {
    uint64_t attempts;
};

static struct handle *open_device(struct handle *h)
{
    return h ? h : calloc(1, sizeof *h);
}

static void close_device(struct handle *h)
{
    (void)h;
}

static int work(struct handle *h, struct pollfd *fd)
{
    (void)h;
    fd->fd = -1;
    return -1;
}

static void state_of(struct handle *h, struct kit_state *state)
{
    *state = (struct kit_state){.attempt = h->attempts, .next_ms = UINT64_MAX};
}

static const char *log_in(struct handle *h)
{
    h->attempts++;
    kit_closed(h, false, "there is no SDK here");
    return NULL;
}

int main(void)
{
    static const struct kit_verb verbs[] = {{"login", log_in}, {NULL, NULL}};
    static const struct kit_field fields[] = {{.key = NULL}};
    static const struct kit_adapter adapter = {.name = "none",
                                               .capabilities = "",
                                               .open = open_device,
                                               .close = close_device,
                                               .work = work,
                                               .state = state_of,
                                               .verbs = verbs,
                                               .fields = fields};
    return kit_run(&adapter);
}
