/* SPDX-License-Identifier: Apache-2.0 */
/* See exec_tls.h. */
#include "exec_tls.h"

#include <unistd.h>

#include "link.h"
#include "tls.h"

static bool judge_answer(struct world *w, enum tls_answer answer, bool in_vain,
                         const char *what)
{
    bool taken = answer == TLS_TAKEN;
    return taken != in_vain ||
           world_fail(w, NULL,
                      arena_printf("the handshake %s: %s",
                                   taken ? "goes on" : "does not go on", what),
                      taken ? "an alert, or the end of the connection"
                            : "a handshake that goes on",
                      NULL);
}

bool exec_greets(struct world *w, struct device *d, const struct step *step,
                 bool in_vain)
{
    struct tls_hello h = {.version = "1.2", .alpn = "roam/1", .suites = "good"};
    for (size_t i = 0; i < step->fields.count; i++) {
        const struct term *t = &step->fields.at[i];
        if (!tls_hello_set(&h, t->left, t->right)) {
            return world_mistake(w, arena_printf("%s=%s", t->left, t->right));
        }
    }
    enum tls_answer answer = TLS_TAKEN;
    const char *what, *wrong, *rule;
    if (!link_open_plain(w, d)) {
        return false;
    }
    bool is_tls = tls_hello(d->link->fd, &h, now_ms() + w->timeout_ms, &answer,
                            &what, &wrong, &rule);
    world_event(w, d, "~", arena_printf("greets TLS, and gets %s", what));
    link_end(w, d, true);
    if (!is_tls) {
        return world_fail(w, NULL, what, "an answer of TLS", NULL);
    }
    if (wrong) {
        return world_fail(w, rule, what, wrong, NULL);
    }
    return judge_answer(w, answer, in_vain, what);
}

bool exec_by_ticket(struct world *w, struct device *d)
{
    if (!d->link || !d->link->tls) {
        return world_mistake(w, "a ticket comes from a connection with TLS");
    }
    d->ticket = tls_take_ticket(d->link->tls);
    if (!d->ticket) {
        return world_fail(w, NULL, "the server gave no ticket", "a ticket",
                          NULL);
    }
    bool ok = link_open(w, d);
    d->ticket = NULL;
    return ok &&
           (tls_is_resumed(d->link->tls) ||
            world_fail(w, NULL, "a full handshake, although there is a ticket",
                       "a handshake that goes on from the ticket", NULL));
}

bool exec_renegotiates(struct world *w, struct device *d)
{
    if (!d->link || !d->link->tls) {
        return world_mistake(w, "there is no connection with TLS");
    }
    bool taken = tls_renegotiate(d->link->tls, now_ms() + w->timeout_ms);
    world_event(w, d, "~", "asks for another handshake");
    link_end(w, d, true);
    return !taken ||
           world_fail(w, NULL, "the server shook hands again",
                      "an alert, no answer, or the end of the connection",
                      NULL);
}

bool exec_elsewhere(struct world *w)
{
    const char *address = server_far_address();
    const char *reason = "";
    if (!address) {
        return world_mistake(w, "this machine has no address but loopback");
    }
    world_event(w, NULL, "-",
                arena_printf("connects to %s:%u", address,
                             (unsigned)w->server->plain_port));
    int fd = link_connect(address, w->server->plain_port, NULL, &reason);
    if (fd < 0) {
        return true;
    }
    close(fd);
    return world_fail(w, NULL,
                      arena_printf("it listens without TLS on %s", address),
                      "only on loopback", NULL);
}
