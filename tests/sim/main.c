/* SPDX-License-Identifier: Apache-2.0 */
/* roam-sim: runs seeds, and tells the story of one.
 *
 *   roam-sim --seeds N [--first K] [--twice] [--stop]
 *   roam-sim --seed K [--trace] [--twice]
 *
 * The last line is `N passed, N failed`; the exit status is 0 when none
 * failed, 1 when some did, 2 when the command line was wrong. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"
#include "sim.h"

/* Failures that are told in full; of the others only the first line. */
#define TOLD_MAX 3u
/* Seeds between two lines of progress. */
#define PROGRESS 250u

struct options {
    uint64_t first, count;
    bool trace, twice, stop;
};

struct totals {
    uint64_t passed, failed;
    uint64_t stored, changes, kinds, takeovers, resets, pages, stale, events;
    uint64_t by_fault[SIM_FAULT_COUNT];
    uint64_t digest; /* of every step of every seed */
};

static int usage(void)
{
    fputs("usage: roam-sim --seeds N [--first K] [--twice] [--stop]\n"
          "       roam-sim --seed K [--trace] [--twice]\n"
          "  --seeds N  runs N seeds, from K on (1)\n"
          "  --seed K   runs one seed\n"
          "  --trace    prints every step\n"
          "  --twice    runs each seed twice and compares the two\n"
          "  --stop     ends with the first seed that fails\n",
          stderr);
    return 2;
}

static bool parse_number(const char *text, uint64_t *number)
{
    char *end = NULL;
    errno = 0;
    *number = text == NULL ? 0 : strtoull(text, &end, 10);
    return text != NULL && *text >= '0' && *text <= '9' && *end == '\0' &&
           errno == 0;
}

static bool parse(int argc, char **argv, struct options *o)
{
    *o = (struct options){.first = 1};
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--trace") == 0) {
            o->trace = true;
        } else if (strcmp(argv[i], "--twice") == 0) {
            o->twice = true;
        } else if (strcmp(argv[i], "--stop") == 0) {
            o->stop = true;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            if (!parse_number(next, &o->count)) {
                return false;
            }
            i++;
        } else if (strcmp(argv[i], "--first") == 0 ||
                   strcmp(argv[i], "--seed") == 0) {
            bool one = strcmp(argv[i], "--seed") == 0;
            if (!parse_number(next, &o->first)) {
                return false;
            }
            o->count = one ? 1 : o->count;
            i++;
        } else {
            return false;
        }
    }
    return o->count != 0;
}

/* Runs the seed again; false, and a failure in w, when it was another
 * story. */
static bool same_again(struct sim_world *w)
{
    static struct sim_world again;
    sim_world_run(&again, w->seed, NULL);
    bool same = again.digest == w->digest && again.step_count == w->step_count;
    sim_world_free(&again);
    if (!same) {
        sim_fail(w, "determinism", "the seed's two runs differ");
    }
    return same;
}

static void tell_failure(const struct sim_world *w, uint64_t told)
{
    if (told < TOLD_MAX) {
        sim_world_print_options(w, stdout);
        sim_world_print_steps(w, stdout);
    }
    printf("FAIL seed %" PRIu64 ": %s\n", w->seed, w->failure);
    printf("  replay: roam-sim --seed %" PRIu64 " --trace\n", w->seed);
    fflush(stdout);
}

static void add_up(struct totals *t, const struct sim_world *w)
{
    for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++) {
        t->kinds += w->happened >> i & 1;
        t->by_fault[i] += w->happened >> i & 1;
    }
    t->stored += sim_oracle_stored(w);
    t->takeovers += w->takeovers;
    for (uint32_t g = 0; g < sim_oracle_groups(w); g++) {
        const struct sim_message *change = NULL;
        for (size_t i = 0; sim_oracle_group_was(w, g, i, &change) != NULL;
             i++) {
            t->changes++;
        }
    }
    t->resets += w->resets;
    t->pages += w->pages;
    t->stale += w->stale;
    t->events += w->event_count;
    t->digest = sim_hash(t->digest, &w->digest, sizeof w->digest);
}

static void run_seed(const struct options *o, uint64_t seed, struct totals *t)
{
    static struct sim_world w;
    bool good = sim_world_run(&w, seed, o->trace ? stdout : NULL);
    if (o->twice) {
        good = same_again(&w) && good;
    }
    if (good) {
        t->passed++;
    } else {
        tell_failure(&w, o->trace ? TOLD_MAX : t->failed);
        t->failed++;
    }
    add_up(t, &w);
    sim_world_free(&w);
}

static void summary(const struct totals *t)
{
    double n = (double)(t->passed + t->failed);
    printf("per seed: %.1f messages stored, %.1f of them changes of groups, "
           "%.1f kinds of fault, %.1f "
           "takeovers, %.2f resets, %.1f pages, %.2f stale copies, %.0f "
           "events\n",
           (double)t->stored / n, (double)t->changes / n, (double)t->kinds / n,
           (double)t->takeovers / n, (double)t->resets / n,
           (double)t->pages / n, (double)t->stale / n, (double)t->events / n);
    printf("seeds with");
    for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++) {
        printf(" %s %" PRIu64 "%s", sim_fault_name((enum sim_fault)i),
               t->by_fault[i], i + 1 < SIM_FAULT_COUNT ? "," : "\n");
    }
    printf("digest of all steps: %016" PRIx64 "\n", t->digest);
}

int main(int argc, char **argv)
{
    struct options o;
    if (!parse(argc, argv, &o)) {
        return usage();
    }
    struct totals t = {0};
    for (uint64_t i = 0; i < o.count && !(o.stop && t.failed != 0); i++) {
        run_seed(&o, o.first + i, &t);
        if ((i + 1) % PROGRESS == 0) {
            printf("%" PRIu64 " seeds, %" PRIu64 " failed\n", i + 1, t.failed);
            fflush(stdout);
        }
    }
    summary(&t);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", t.passed, t.failed);
    return t.failed == 0 ? 0 : 1;
}
