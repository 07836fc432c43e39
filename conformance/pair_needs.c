/* SPDX-License-Identifier: Apache-2.0 */
/* Which adapter stands behind which device. They take turns, so that a case
 * mixes two implementations; a device whose steps need what one of them has
 * not is the other's. */
#include <string.h>

#include "client_scn.h"
#include "pair_case.h"
#include "scn_lex.h"

/* The capability that a verb of a device needs; NULL: none. */
static const char *need_of(const struct step *step)
{
    switch (step->act) {
    case ACT_ACK:
        return "ack";
    case ACT_SYNC:
        return step->is_whole ? NULL : "sync";
    case ACT_HISTORY:
    case ACT_CONVERSATIONS:
    case ACT_PULL:
        return "history";
    case ACT_DROP:
        return "drop";
    case ACT_RESTART:
        return "restart";
    case ACT_RETURN:
        return "clock";
    case ACT_SEND:
        for (size_t i = 0; i < step->fields.count; i++) {
            if (strcmp(step->fields.at[i].left, "kind") == 0) {
                return "operations";
            }
        }
        return NULL;
    default:
        return NULL;
    }
}

/* What a lacks of what the device needs here; NULL: nothing. Recursion as
 * deep as the file's blocks, which the parser bounds. */
static const char *lacks(const struct adapter *a, const struct steps *steps,
                         size_t device)
{
    for (size_t i = 0; i < steps->count; i++) {
        const struct step *step = &steps->at[i];
        const char *need = step->kind == STEP_VERB && step->device == device
                               ? need_of(step)
                               : NULL;
        /* Time is everybody's. */
        need = step->kind == STEP_ADVANCE ? "clock" : need;
        if (need && !adapter_meets(a, need)) {
            return need;
        }
        for (size_t k = 0; k < step->body_count; k++) {
            const char *inside = lacks(a, &step->bodies[k], device);
            if (inside) {
                return inside;
            }
        }
    }
    return NULL;
}

static const char *lacks_named(const struct adapter *a, const char *needs)
{
    struct words w;
    words_split(needs, &w);
    for (size_t i = 0; i < w.count; i++) {
        if (client_capability_known(w.at[i]) && !adapter_meets(a, w.at[i])) {
            return w.at[i];
        }
    }
    return NULL;
}

static const char *lacks_option(const struct adapter *a,
                                const struct device_decl *d)
{
    bool limits = d->max_frame || d->max_unacked || d->max_inflated ||
                  d->max_entries || d->codecs;
    return limits && !adapter_can(a, "limits")       ? "limits"
           : d->manual_ack && !adapter_can(a, "ack") ? "ack"
                                                     : NULL;
}

static const char *lacks_for(const struct stage *g, const struct adapter *a,
                             size_t device)
{
    const struct scenario *s = g->world.s;
    const char *need = lacks_named(a, s->needs);
    need = need ? need : lacks_option(a, &s->devices[device]);
    return need ? need : lacks(a, &s->steps, device);
}

bool pair_assign(struct stage *g)
{
    for (size_t i = 0; i < g->world.s->device_count; i++) {
        const char *need = NULL;
        struct adapter *chosen = NULL;
        for (size_t k = 0; k < g->adapter_count && !chosen; k++) {
            struct adapter *a = &g->adapters[(i + k) % g->adapter_count];
            need = lacks_for(g, a, i);
            chosen = need ? NULL : a;
        }
        if (!chosen) {
            g->unsupported =
                arena_printf("no adapter has the capability %s", need);
            return false;
        }
        g->suts[i].adapter = chosen;
    }
    return true;
}
