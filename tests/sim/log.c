/* SPDX-License-Identifier: Apache-2.0 */
/* The story of a run: a digest of every step, the last of them for who asks
 * why a seed failed, and all of them as text when somebody reads along. */
#include "sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "device.h"
#include "frame.h"

const char *sim_fault_name(enum sim_fault fault)
{
    static const char *const names[] = {
#define SIM_FAULT_TEXT(name, text) text,
        SIM_FAULT_LIST(SIM_FAULT_TEXT)
#undef SIM_FAULT_TEXT
    };
    return names[fault];
}

static const char *step_text(enum sim_step step)
{
    static const char *const texts[] = {
#define SIM_STEP_TEXT(name, text) text,
        SIM_STEP_LIST(SIM_STEP_TEXT)
#undef SIM_STEP_TEXT
    };
    return texts[step];
}

static void print_number(const struct sim_world *w, char how, uint64_t number,
                         FILE *out)
{
    const char *name = NULL;
    switch (how) {
    case 'd':
        fputs(w->devices[number].name, out);
        return;
    case 'l':
        fprintf(out, "#%" PRIu64, number);
        return;
    case 'f':
        name = roam_frame_name((uint8_t)number);
        fputs(name == NULL ? "?" : name, out);
        return;
    case 'u':
        fputs(sim_fault_name((enum sim_fault)number), out);
        return;
    case 'x':
        fprintf(out, "%" PRIx64, number);
        return;
    default:
        fprintf(out, "%" PRIu64, number);
    }
}

static void print_step(const struct sim_world *w,
                       const struct sim_step_record *r, FILE *out)
{
    const uint64_t numbers[3] = {r->a, r->b, r->c};
    size_t next = 0;
    fprintf(out, "%9" PRIu64 ".%03" PRIu64 "  ", r->at_ms / 1000,
            r->at_ms % 1000);
    for (const char *p = step_text(r->step); *p != '\0'; p++) {
        if (p[0] == '{' && p[1] != '\0' && p[2] == '}') {
            print_number(w, p[1], numbers[next++ % 3], out);
            p += 2;
        } else {
            fputc(*p, out);
        }
    }
    fputc('\n', out);
}

void sim_step(struct sim_world *w, enum sim_step step, uint64_t a, uint64_t b,
              uint64_t c)
{
    struct sim_step_record *r = &w->steps[w->step_count % SIM_STEPS_KEPT];
    *r = (struct sim_step_record){w->now_ms, step, a, b, c};
    w->step_count++;
    const uint64_t words[5] = {w->now_ms, (uint64_t)step, a, b, c};
    w->digest = sim_hash(w->digest, words, sizeof words);
    if (w->trace != NULL) {
        print_step(w, r, w->trace);
    }
}

void sim_world_print_steps(const struct sim_world *w, FILE *out)
{
    uint64_t first =
        w->step_count > SIM_STEPS_KEPT ? w->step_count - SIM_STEPS_KEPT : 0;
    for (uint64_t i = first; i < w->step_count; i++) {
        print_step(w, &w->steps[i % SIM_STEPS_KEPT], out);
    }
}

void sim_fail(struct sim_world *w, const char *rule, const char *format, ...)
{
    if (w->failed) {
        return;
    }
    w->failed = true;
    int n = snprintf(w->failure, sizeof w->failure,
                     "%" PRIu64 ".%03" PRIu64 " [%s] ", w->now_ms / 1000,
                     w->now_ms % 1000, rule);
    va_list args;
    va_start(args, format);
    vsnprintf(w->failure + n, sizeof w->failure - (size_t)n, format, args);
    va_end(args);
    if (w->trace != NULL) {
        fprintf(w->trace, "FAILED %s\n", w->failure);
    }
}
