/* SPDX-License-Identifier: Apache-2.0 */
/* What breaks, and how often. */
#include "device.h"
#include "net.h"
#include "oracle.h"
#include "server.h"
#include "store_mem.h"

#define STRIKE_MS_MAX 16000u
#define STALL_MS_MAX 90000u
#define CLOCK_MS_MAX 3600000

void sim_faults_draw(struct sim_world *w)
{
    uint32_t all = (1u << SIM_FAULT_COUNT) - 1;
    uint32_t dice = sim_rng_below(&w->rng, 16);
    w->faults = (uint32_t)sim_rng_next(&w->rng) & all;
    if (dice == 0) {
        w->faults = 0; /* a good day */
    } else if (dice < 4) {
        w->faults = all;
    }
}

static struct sim_device *any_on(struct sim_world *w)
{
    struct sim_device *d = &w->devices[sim_rng_below(&w->rng, SIM_DEVICES)];
    return d->exists && d->on ? d : NULL;
}

static void strike_link(struct sim_world *w, enum sim_fault fault)
{
    struct sim_link *l = sim_link_any(w);
    if (l == NULL) {
        return;
    }
    sim_fault_happened(w, fault);
    sim_step(w, SIM_STEP_FAULT, (uint64_t)fault, l->number, 0);
    if (fault == SIM_FAULT_CUT) {
        sim_link_break(w, l, true, true);
    } else if (fault == SIM_FAULT_HALF_OPEN) {
        uint32_t who = sim_rng_below(&w->rng, 3);
        sim_link_break(w, l, who == 0, who == 1);
    } else {
        uint64_t until =
            w->now_ms + sim_rng_between(&w->rng, 1000, STALL_MS_MAX);
        sim_link_stall(l, sim_rng_chance(&w->rng, 500), until);
    }
}

static void strike_device(struct sim_world *w, enum sim_fault fault)
{
    struct sim_device *d = any_on(w);
    if (d == NULL) {
        return;
    }
    if (fault == SIM_FAULT_LATE) {
        d->late_next = true; /* happens with its next connection */
        return;
    }
    if (fault == SIM_FAULT_CLONE) {
        if (w->devices[SIM_CLONE].exists || d->disk.attempt == 0) {
            return;
        }
        sim_fault_happened(w, fault);
        sim_device_clone(w, d);
        return;
    }
    sim_fault_happened(w, fault);
    sim_device_crash(w, d);
}

/* The operator takes a token back. Its device may be anywhere. */
static void revoke(struct sim_world *w)
{
    const struct sim_device *d =
        &w->devices[sim_rng_below(&w->rng, SIM_DEVICES)];
    if (d->exists && !d->disk.token->revoked && !d->disk.token->lost) {
        sim_fault_happened(w, SIM_FAULT_REVOKE);
        sim_oracle_revoke(w, d->disk.token);
    }
}

static void block(struct sim_world *w)
{
    uint32_t user = sim_rng_below(&w->rng, SIM_USERS);
    uint32_t other = sim_rng_below(&w->rng, SIM_USERS - 1);
    bool blocked = sim_rng_chance(&w->rng, 500);
    other += other < user ? 0 : 1;
    sim_fault_happened(w, SIM_FAULT_BLOCK);
    sim_step(w, SIM_STEP_BLOCKS, user, other, blocked);
    sim_oracle_block(w, user, other, blocked);
}

static void name_somebody(struct sim_world *w)
{
    static const char *const names[] = {"", "Kim", "Dr. Q", "J\xc3\xbcrgen"};
    uint32_t user = sim_rng_below(&w->rng, SIM_USERS);
    sim_fault_happened(w, SIM_FAULT_RENAME);
    sim_step(w, SIM_STEP_RENAMED, user, 0, 0);
    sim_oracle_name_user(w, user, names[sim_rng_below(&w->rng, 4)]);
}

static void strike_server(struct sim_world *w, enum sim_fault fault)
{
    struct sim_server *s = w->server;
    if (!s->up || s->draining) {
        return;
    }
    if (fault == SIM_FAULT_RESTART) {
        sim_fault_happened(w, fault);
        sim_server_die(w, sim_rng_chance(&w->rng, 500));
    } else if (fault == SIM_FAULT_DRAIN) {
        sim_fault_happened(w, fault);
        sim_server_drain(w);
    } else {
        s->gate.fail_next = true; /* happens with the next write */
        s->gate.fail_committed = sim_rng_chance(&w->rng, 500);
    }
}

static void trim(struct sim_world *w)
{
    uint32_t user = sim_rng_below(&w->rng, SIM_USERS);
    size_t count = sim_oracle_count(w, user);
    size_t floor = sim_oracle_floor(w, user);
    if (count < floor + 2) {
        return;
    }
    sim_fault_happened(w, SIM_FAULT_TRIM);
    size_t number = (size_t)sim_rng_between(&w->rng, floor + 1, count - 1);
    uint64_t version = sim_oracle_line(w, user, number)->version;
    sim_step(w, SIM_STEP_TRIMMED, user, version, 0);
    roam_store_mem_trim(sim_server_store(w), sim_oracle_user_name(user),
                        version);
    const struct sim_deed deed = {
        .kind = SIM_DEED_TRIM, .user = user, .number = version};
    sim_backup_note(w, &deed);
    sim_oracle_trim(w, user, version);
    sim_oracle_scan(w, true);
}

/* The wall clock is set, forwards or back, but stays near the truth. */
static void set_clock(struct sim_world *w)
{
    sim_fault_happened(w, SIM_FAULT_CLOCK);
    uint64_t ahead = sim_rng_below(&w->rng, CLOCK_MS_MAX);
    /* Who puts an older store back sees to it that the clock is not behind
     * what was lost. */
    bool back = ahead < w->clock_ms;
    w->clock_ms =
        back && sim_fault_on(w, SIM_FAULT_RESTORE) ? w->clock_ms : ahead;
    sim_step(w, SIM_STEP_CLOCK, sim_wall_ms(w), 0, 0);
}

static void strike(struct sim_world *w, enum sim_fault fault)
{
    switch (fault) {
    case SIM_FAULT_CUT:
    case SIM_FAULT_HALF_OPEN:
    case SIM_FAULT_STALL:
        strike_link(w, fault);
        return;
    case SIM_FAULT_LATE:
    case SIM_FAULT_CRASH:
    case SIM_FAULT_CLONE:
        strike_device(w, fault);
        return;
    case SIM_FAULT_RESTART:
    case SIM_FAULT_DRAIN:
    case SIM_FAULT_COMMIT:
        strike_server(w, fault);
        return;
    case SIM_FAULT_TRIM:
        trim(w);
        return;
    case SIM_FAULT_CLOCK:
        set_clock(w);
        return;
    case SIM_FAULT_BLOCK:
        block(w);
        return;
    case SIM_FAULT_RENAME:
        name_somebody(w);
        return;
    case SIM_FAULT_REVOKE:
        revoke(w);
        return;
    default:
        return; /* the others happen where they belong */
    }
}

void sim_faults_strike(struct sim_world *w)
{
    if (w->calm) {
        return;
    }
    enum sim_fault fault =
        (enum sim_fault)sim_rng_below(&w->rng, SIM_FAULT_COUNT);
    if (sim_fault_on(w, fault)) {
        strike(w, fault);
    }
    sim_queue_push(&w->queue,
                   w->now_ms + sim_rng_between(&w->rng, 1, STRIKE_MS_MAX),
                   SIM_EV_FAULT, 0, 0);
}
