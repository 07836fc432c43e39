/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator: one process, one thread, no socket, no clock. The server's
 * core and the client's engine are the real ones; the network, the disks, the
 * persons and the time are made of one seed, so that a seed is a story that
 * can be told again to the byte.
 *
 * Words: a *world* is one run of a seed. A *step* is one line of its story.
 * A *fault* is a kind of trouble; each seed turns a random subset of them
 * off. *Calm* is the end of a run: no more faults, no more persons, and
 * everything must come to rest.
 *
 * The parts: people.c acts, device.c is an app with a disk around the client
 * engine, pull.c fetches the history that it missed, net.c carries bytes,
 * server.c is a process around the core and gate.c its slow store, backup.c
 * puts an older state of it back, faults.c breaks things. oracle.c is a second
 * server without storage that says what must be; watch.c reads every frame on
 * its way and compares; calm.c asks whether all came to rest. */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "roam_limits.h"
#include "queue.h"
#include "rng.h"

#define SIM_USERS 4u
/* Groups that are made in a seed, at most. */
#define SIM_GROUPS 10u
/* Of these persons make so many; one that is lost may be made again. */
#define SIM_GROUPS_MADE 5u
/* Whom a user can talk to, by number: the users, and behind them the groups.
 * SIM_PARTIES itself stands for nobody. */
#define SIM_PARTIES (SIM_USERS + SIM_GROUPS)
/* The devices of all users, and one place for a clone. */
#define SIM_DEVICES 9u
#define SIM_CLONE 8u
/* 2026-01-01 UTC, in Unix time; the wall clock starts here. */
#define SIM_WALL_START_MS 1767225600000u
/* Faults and persons act for about this long. */
#define SIM_ACTIVE_MS_MIN 240000u
#define SIM_ACTIVE_MS_MAX 600000u
/* Then everything must be at rest after this: the longest chain of timers is
 * two half-open connections, a stuck output and a back-off of a minute. */
#define SIM_CALM_MS 600000u
/* More events than any healthy seed has by an order of magnitude. */
#define SIM_EVENTS_MAX 500000u
/* The same within one millisecond: somebody's timer runs in circles. */
#define SIM_EVENTS_PER_MS_MAX 20000u
#define SIM_STEPS_KEPT 200u

#define SIM_FAULT_LIST(X)                                                      \
    X(FRAGMENT, "fragment")                                                    \
    X(LATENCY, "latency")                                                      \
    X(CUT, "cut")                                                              \
    X(HALF_OPEN, "half-open")                                                  \
    X(STALL, "stall")                                                          \
    X(LATE, "late")                                                            \
    X(CRASH, "crash")                                                          \
    X(CLONE, "clone")                                                          \
    X(SLOW_APP, "slow-app")                                                    \
    X(RESTART, "restart")                                                      \
    X(DRAIN, "drain")                                                          \
    X(COMMIT, "commit")                                                        \
    X(SLOW_STORE, "slow-store")                                                \
    X(TRIM, "trim")                                                            \
    X(CLOCK, "clock")                                                          \
    X(SMALL, "small")                                                          \
    X(CROWD, "crowd")                                                          \
    X(FEW, "few-places")                                                       \
    X(TYPO, "typo")                                                            \
    X(FOREIGN, "foreign")                                                      \
    X(LIMITS, "limits")                                                        \
    X(REVOKE, "revoke")                                                        \
    X(EXPIRE, "expire")                                                        \
    X(END_SESSION, "end-session")                                              \
    X(RESTORE, "restore")                                                      \
    X(BLOCK, "block")                                                          \
    X(RENAME, "rename")

enum sim_fault {
#define SIM_FAULT_ENUM(name, text) SIM_FAULT_##name,
    SIM_FAULT_LIST(SIM_FAULT_ENUM)
#undef SIM_FAULT_ENUM
    SIM_FAULT_COUNT
};
const char *sim_fault_name(enum sim_fault fault);

/* What a step says. In the text, each {} takes the next number: {d} names a
 * device, {l} a link, {f} a frame type, {u} a fault, {n} is the number, {x}
 * the same in hexadecimal. */
#define SIM_STEP_LIST(X)                                                       \
    X(CONNECT, "{d} connects: {l}")                                            \
    X(CONNECT_FAILS, "{d} cannot connect")                                     \
    X(CLIENT_OUT, "{l} client sends {f} {x}")                                  \
    X(SERVER_IN, "{l} server gets {f} {x}")                                    \
    X(SERVER_OUT, "{l} server sends {f} {x}")                                  \
    X(TO_SERVER, "{l} {n} bytes reach the server {x}")                         \
    X(TO_CLIENT, "{l} {n} bytes reach the client {x}")                         \
    X(CLIENT_CLOSES, "{l} client closes")                                      \
    X(SERVER_CLOSES, "{l} server closes")                                      \
    X(CLIENT_NOTICES, "{l} client sees the end of the connection")             \
    X(SERVER_NOTICES, "{l} server sees the end of the connection")             \
    X(LOGS_IN, "{d} logs in: attempt {n}, take_over {n}")                      \
    X(LOGGED_IN, "{d} is logged in: generation {n}")                           \
    X(REFUSED, "{d} is refused: reason {n}, generation {n}")                   \
    X(KICKED, "{d} is kicked: reason {n}")                                     \
    X(CLOSE, "{d} closes: status -{n}, comes back {n}")                        \
    X(RESET, "{d} starts anew behind {n}: reason {n}")                         \
    X(ENTRY, "{d} gets entry {n} behind {n}")                                  \
    X(STORED, "{d} has stored up to {n}")                                      \
    X(ASKS_LIST, "{d} asks for conversations before {n}, {n} rows")            \
    X(ASKS_PAGE, "{d} asks for messages above {n} below {n}")                  \
    X(ASKS_MEMBERS, "{d} asks for members of group {n}, {n} rows")             \
    X(PAGE, "{d} has a page of {n} rows, more {n}")                            \
    X(PAGE_FAILED, "{d} gets no page: code {n}")                               \
    X(SYNCED, "{d} is synced at {n}")                                          \
    X(SENT, "{d} is told that {x} is stored as {n}")                           \
    X(SEND_FAILED, "{d} is told that {x} failed: code {n}")                    \
    X(WRITES, "{d} writes message {x}, {n} bytes")                             \
    X(TAKES_OVER, "{d}: its person takes generation {n} over")                 \
    X(LEAVES_IT, "{d}: its person leaves it")                                  \
    X(OPENS, "{d}: its person opens the app")                                  \
    X(PUTS_AWAY, "{d}: its person puts it away")                               \
    X(LOGS_OUT, "{d}: its person logs out")                                    \
    X(NEW_ID, "{d} draws a new device_id")                                     \
    X(GRANTED, "{d} is given token {n}, good until {n}")                       \
    X(REVOKED, "token {n} is revoked")                                         \
    X(ASKS_SESSIONS, "{d} asks for sessions behind type {n}")                  \
    X(ENDS_SESSION, "{d} ends the session of type {n}, generation {n}")        \
    X(BOOTS, "{d} starts")                                                     \
    X(FAULT, "fault {u}")                                                      \
    X(CRASHES, "{d} crashes")                                                  \
    X(CLONED, "{d} gets a copy of the state of {d}")                           \
    X(STORE_RUNS, "store runs request {n} kind {n}")                           \
    X(STORE_ANSWERS, "store answers request {n}")                              \
    X(STORE_FAILS, "store fails at request {n}, committed {n}")                \
    X(SERVER_DIES, "server dies, {n} requests, committed {n}")                 \
    X(SERVER_STARTS, "server starts")                                          \
    X(SERVER_DRAINS, "server drains")                                          \
    X(TRIMMED, "timeline of user {n} is trimmed up to {n}")                    \
    X(BLOCKS, "user {n} blocks user {n}: {n}")                                 \
    X(RENAMED, "user {n} has another name")                                    \
    X(BACKED_UP, "backup of the store, {n} deeds")                             \
    X(RESTORED, "backup of {n} deeds is put back, {n} were done")              \
    X(CLOCK, "wall clock is now {n}")                                          \
    X(CALM, "calm")                                                            \
    X(AT_REST, "all at rest")

enum sim_step {
#define SIM_STEP_ENUM(name, text) SIM_STEP_##name,
    SIM_STEP_LIST(SIM_STEP_ENUM)
#undef SIM_STEP_ENUM
    SIM_STEP_COUNT
};

struct sim_step_record {
    uint64_t at_ms;
    enum sim_step step;
    uint64_t a, b, c;
};

struct sim_oracle;
struct sim_server;
struct sim_device;
struct sim_link;
struct sim_token;
struct sim_memory;

struct sim_world {
    uint64_t seed;
    struct sim_rng rng;
    struct sim_queue queue;
    uint64_t now_ms;
    uint64_t clock_ms; /* the wall clock is ahead of now_ms by this */
    uint32_t faults;   /* bit set: may happen in this seed */
    uint32_t happened; /* bit set: did happen */
    uint32_t heartbeat_ms;
    bool calm;
    bool dooms; /* what is done between backup and return is drawn for it */
    uint64_t calm_at_ms;
    uint64_t rest_since_ms; /* 0: not at rest */
    uint64_t rest_events;   /* event_count then */
    bool over;

    struct sim_oracle *oracle;
    struct sim_server *server;
    struct sim_device *devices; /* SIM_DEVICES */
    struct sim_link **links;    /* all that ever were, by number */
    uint32_t link_count, link_cap;
    uint32_t displaced; /* links that must end now, see watch.h */
    struct sim_memory *memory;

    FILE *trace; /* every step goes here; NULL: none */
    uint64_t digest;
    struct sim_step_record steps[SIM_STEPS_KEPT];
    uint64_t step_count, event_count;
    uint32_t events_now; /* in this millisecond */
    bool failed;
    char failure[512];

    /* For the summary. */
    uint32_t written, takeovers, resets, stale, pages;
    uint32_t made; /* groups that somebody wanted to make */
};

/* Runs the seed. trace: NULL, or where each step goes as text. Returns true
 * when every check held; otherwise w->failure says what did not. */
bool sim_world_run(struct sim_world *w, uint64_t seed, FILE *trace);
/* Prints the seed's options and devices. */
void sim_world_print_options(const struct sim_world *w, FILE *out);
/* Prints the last steps as text. */
void sim_world_print_steps(const struct sim_world *w, FILE *out);
void sim_world_free(struct sim_world *w);

/* --------------------------------------------------- for the parts (log.c) */

void sim_step(struct sim_world *w, enum sim_step step, uint64_t a, uint64_t b,
              uint64_t c);
/* A check did not hold. Only the first one counts; the run ends after the
 * event under way. rule: an id of the spec, or a word. */
void sim_fail(struct sim_world *w, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ------------------------------------------------------------- (world.c) */

/* Zeroed memory that lives as long as the world. */
void *sim_alloc(struct sim_world *w, size_t bytes);
/* Doubles an array from malloc() that is full. */
void *sim_grow(void *array, size_t *cap, size_t count, size_t item_bytes);
/* Unix time in ms as the server's wall clock has it. */
uint64_t sim_wall_ms(const struct sim_world *w);
/* A hash of some bytes, for digests. */
uint64_t sim_hash(uint64_t hash, const void *data, size_t bytes);
bool sim_fault_on(const struct sim_world *w, enum sim_fault fault);
/* The server's settings stay as they are when all is calm. */
bool sim_has_limits(const struct sim_world *w);
/* Something here may take longer than a heartbeat without being broken. */
bool sim_is_slow(const struct sim_world *w);
void sim_fault_happened(struct sim_world *w, enum sim_fault fault);

/* ------------------------------------------------- (faults.c, people.c...) */

void sim_faults_draw(struct sim_world *w);
void sim_faults_strike(struct sim_world *w);
void sim_people_act(struct sim_world *w);
/* A device's person answers question `b`. */
void sim_people_decide(struct sim_world *w, struct sim_device *d, uint64_t b);
/* Until when the next token is good; 0: for ever. */
uint64_t sim_people_expiry(struct sim_world *w);
/* Writes a message to somebody on a device. */
void sim_people_write(struct sim_world *w, struct sim_device *d);
/* Checks that are too slow for every event. */
void sim_sweep(struct sim_world *w);
void sim_calm_begin(struct sim_world *w);

#endif
