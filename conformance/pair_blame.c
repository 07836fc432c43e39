/* SPDX-License-Identifier: Apache-2.0 */
/* Whose doing is it that something did not come? First everybody is asked
 * for what is due: a server that keeps back what PONG tells of, and a client
 * that keeps back what it was sent, are found so, with the rule. If all of
 * them are right, it is whoever has the next move. */
#include <string.h>

#include "expect.h"
#include "pair_case.h"

/* Whoever has kept silent for a whole step gets no second one, but this part
 * of it. */
#define LAST_CHANCE_DIVISOR 4u

/* The frame that makes a client tell an event; entries have judges. */
static uint8_t frame_of(const char *event)
{
    static const struct {
        const char *event;
        uint8_t number;
    } frames[] = {{"granted", F_LOGIN_OK}, {"refused", F_REFUSED},
                  {"reset", F_SYNC_OK},    {"sent", F_SEND_OK},
                  {"failed", F_ERROR},     {"kicked", F_KICK}};
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        if (strcmp(frames[i].event, event) == 0) {
            return frames[i].number;
        }
    }
    return 0;
}

/* The newest frame of that type that has passed to the client. */
static const struct frame *last_passed(const struct sut *s, uint8_t number)
{
    const struct relay *r = s->conn ? s->conn->relay : NULL;
    const struct frame *last = NULL;
    for (size_t i = 0; r && i < r->down_at; i++) {
        if (r->down[i].frame->number == number) {
            last = r->down[i].frame;
        }
    }
    return last;
}

static bool is_entry(const char *event)
{
    return strcmp(event, "message") == 0 || strcmp(event, "operation") == 0;
}

const struct sut *pair_liar(struct stage *g, struct sut *s,
                            const struct step *step)
{
    const struct frame *f = last_passed(s, frame_of(step->word));
    if (is_entry(step->word)) {
        return NULL; /* told as it was served: client_event.c */
    }
    if (!f) {
        return s; /* what it says of itself */
    }
    size_t vars = g->world.var_count;
    struct step fields = *step;
    struct expect_outcome o = expect_message(&g->world, f->msg, &fields, NULL);
    g->world.var_count = vars;
    return o.result == EXPECT_MATCH ? s : NULL;
}

/* A client with a session that keeps back what its program said. */
static const struct sut *keeps_back(const struct stage *g)
{
    for (size_t i = 0; i < g->world.s->device_count; i++) {
        const struct sut *s = &g->suts[i];
        if (s->conn && s->conn->state == CONN_SESSION && view_unsent(s)) {
            return s;
        }
    }
    return NULL;
}

static const struct sut *next_move(struct stage *g, struct sut *s,
                                   const struct step *step)
{
    if (step->kind == STEP_EVENT) {
        return last_passed(s, frame_of(step->word)) ? s : keeps_back(g);
    }
    bool of_client = step->subject == ABOUT_CLOSED
                         ? !step->to_client
                         : step->type && !step->type->from_server;
    return of_client ? s : keeps_back(g);
}

void pair_blame(struct world *w, const struct step *step)
{
    struct stage *g = (struct stage *)(void *)w;
    uint64_t timeout = w->timeout_ms;
    w->timeout_ms = timeout / LAST_CHANCE_DIVISOR;
    bool quiet = pair_quiet(g);
    w->timeout_ms = timeout;
    if (quiet) {
        relay_accuse(g, next_move(g, &g->suts[step->device], step));
    }
}
