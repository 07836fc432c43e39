/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: see options.h. */
#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "peers.h"
#include "scn_lex.h"
#include "serial.h"

#define DEFAULT_TIMEOUT_MS 10000u
#define DEFAULT_JOBS 4u
#define MAX_JOBS 64u
#define MAX_ROUNDS 100000u
#define UNTIL_FAILURE_ROUNDS 1000u
/* A day: whoever looks at a stopped program must not be hurried. */
#define ATTACH_TIMEOUT_MS 86400000u

const char options_usage[] =
    "usage: roam-conform COMMAND [option...]\n"
    "\n"
    "  server        judge a server\n"
    "  client        judge a client: client [option...] -- ADAPTER [arg...]\n"
    "  pair          judge both: pair --roamd PATH [option...] -- ADAPTER...\n"
    "  explain ID    a rule, and what checks it; the rules of an area; a case\n"
    "  coverage      rules that bind a server and have no scenario\n"
    "  broken        prove that the suite catches broken servers\n"
    "  broken --client -- ADAPTER...   or broken clients\n"
    "  broken --pair --roamd PATH -- ADAPTER...   or either, together\n"
    "  null-server MODE   be one: close, silent, echo, garbage\n"
    "  null-adapter MODE  be one: exit, silent, echo, ok, garbage\n"
    "  selftest      test the harness itself\n"
    "\n"
    "  --roamd PATH         start this roamd\n"
    "  --at HOST:PORT       or use a server that runs there\n"
    "  --control CMD        or servers that this program runs, see CONTROL.md\n"
    "  --provision CMD      makes users and tokens for --at and --control\n"
    "  --tls                server, client: all cases over TLS\n"
    "  --ca FILE            PEM; whom to trust then, unless it is --roamd\n"
    "  --adapter tcp:HOST:PORT   client: an adapter that runs there\n"
    "  --adapter serial:DEVICE[,BAUD]   the same, on a serial line (115200)\n"
    "  --sibling 'ADAPTER...'    pair: another one, behind every other device\n"
    "  --listen ADDRESS     client, pair: where the adapter's SDK finds us\n"
    "  --list               names and titles of the cases, nothing is run\n"
    "  --case PREFIX        only cases whose name starts so\n"
    "  --seed N             of all that is random (default: drawn, printed)\n"
    "  -j N                 cases at a time (4)\n"
    "  --timeout MS         for each step (10000); for a start 10000 at least\n"
    "  --repeat N           all cases N times, with seeds from --seed on\n"
    "  --until-failure      repeat (1000 times, or --repeat) until one fails\n"
    "  --attach             no time limits, and a stop before each start for\n"
    "                       your debugger\n"
    "  --trace              every frame of every device, and every line of\n"
    "                       the adapter, on stderr\n"
    "  --trace-dir DIR      each case's trace there, as text and as pcapng\n"
    "  --junit FILE         reports beside the TAP on stdout, see REPORTS.md\n"
    "  --json FILE\n"
    "  --html FILE\n"
    "  --coverage FILE      which rules were tested\n"
    "  --expectations FILE  what the peer is known to fail\n"
    "  --update-expectations   writes that file anew, behind a full run\n"
    "  --dump-seeds DIR     writes there what went over the wire\n"
    "  --scenarios DIR      instead of conformance/scenarios\n"
    "  --spec FILE          instead of spec/roam-1.md\n"
    "  --fault NAME         broken: only this one; server: with this one\n"
    "  --faults FILE        broken: instead of conformance/broken/faults\n"
    "  --full               broken: the whole suite for each fault\n"
    "  --update             selftest: write the golden files\n"
    "\n"
    "exit status: 0 as expected, 1 a case failed, 2 usage or nothing to run,\n"
    "3 the harness is at fault, 4 interrupted\n";

static bool is_root(const char *path)
{
    return access(arena_printf("%s/spec/roam-1.md", path), R_OK) == 0;
}

/* Spec and scenarios are found from where we are, or from where the program
 * is: in a build directory of the project, or installed with share/roam. */
static const char *find_root(void)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    if (is_root(".")) {
        return ".";
    }
    for (char *slash; (slash = strrchr(path, '/')) != NULL;) {
        *slash = '\0';
        const char *share = arena_printf("%s/share/roam", path);
        if (is_root(path) || is_root(share)) {
            return is_root(path) ? arena_string(path) : share;
        }
    }
    return ".";
}

const char *in_root(const struct options *o, const char *path)
{
    return strcmp(o->root, ".") == 0 ? path
                                     : arena_printf("%s/%s", o->root, path);
}

static bool parse_number(const char *text, uint64_t most, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 0);
    return *text != '\0' && *text != '-' && *end == '\0' && *out <= most;
}

static bool parse_address(const char *text, struct run_options *o)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (!colon || !parse_number(colon + 1, UINT16_MAX, &port) || port == 0) {
        return false;
    }
    o->host = arena_copy(text, (size_t)(colon - text));
    o->port = (uint16_t)port;
    return true;
}

/* DEVICE[,BAUD] */
static bool parse_serial(const char *text, struct adapter_target *out)
{
    const char *comma = strrchr(text, ',');
    size_t len = comma ? (size_t)(comma - text) : strlen(text);
    uint64_t baud = SERIAL_BAUD;
    if (len == 0 || (comma && !parse_number(comma + 1, UINT32_MAX, &baud)) ||
        !serial_baud_known((uint32_t)baud)) {
        return false;
    }
    *out = (struct adapter_target){.serial = arena_copy(text, len),
                                   .baud = (uint32_t)baud};
    return true;
}

/* tcp:HOST:PORT, or serial:DEVICE[,BAUD] */
static bool parse_adapter(const char *text, struct adapter_target *out)
{
    struct run_options at = {.host = NULL};
    if (strncmp(text, "serial:", 7) == 0) {
        return parse_serial(text + 7, out);
    }
    if (strncmp(text, "tcp:", 4) != 0 || !parse_address(text + 4, &at)) {
        return false;
    }
    *out = (struct adapter_target){.host = at.host, .port = at.port};
    return true;
}

/* As of --adapter, or a command line in words. */
static bool parse_sibling(const char *text, struct options *o)
{
    o->sibling = text;
    if (parse_adapter(text, &o->sibling_target)) {
        return true;
    }
    o->sibling_target.argv = command_words(text);
    return *o->sibling_target.argv != NULL;
}

enum {
    OPT_ROAMD = 256,
    OPT_AT,
    OPT_PROVISION,
    OPT_CONTROL,
    OPT_TLS,
    OPT_CA,
    OPT_LIST,
    OPT_CASE,
    OPT_SEED,
    OPT_TIMEOUT,
    OPT_TRACE,
    OPT_DUMP_SEEDS,
    OPT_SCENARIOS,
    OPT_SPEC,
    OPT_FAULT,
    OPT_FAULTS,
    OPT_FULL,
    OPT_UPDATE,
    OPT_ADAPTER,
    OPT_SIBLING,
    OPT_LISTEN,
    OPT_CLIENT,
    OPT_PAIR,
    OPT_REPEAT,
    OPT_UNTIL_FAILURE,
    OPT_ATTACH,
    OPT_TRACE_DIR,
    OPT_JUNIT,
    OPT_JSON,
    OPT_HTML,
    OPT_COVERAGE,
    OPT_EXPECTATIONS,
    OPT_UPDATE_EXPECTATIONS
};

static const struct option long_options[] = {
    {"roamd", required_argument, NULL, OPT_ROAMD},
    {"at", required_argument, NULL, OPT_AT},
    {"provision", required_argument, NULL, OPT_PROVISION},
    {"control", required_argument, NULL, OPT_CONTROL},
    {"tls", no_argument, NULL, OPT_TLS},
    {"ca", required_argument, NULL, OPT_CA},
    {"list", no_argument, NULL, OPT_LIST},
    {"case", required_argument, NULL, OPT_CASE},
    {"seed", required_argument, NULL, OPT_SEED},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"trace", no_argument, NULL, OPT_TRACE},
    {"dump-seeds", required_argument, NULL, OPT_DUMP_SEEDS},
    {"scenarios", required_argument, NULL, OPT_SCENARIOS},
    {"spec", required_argument, NULL, OPT_SPEC},
    {"fault", required_argument, NULL, OPT_FAULT},
    {"faults", required_argument, NULL, OPT_FAULTS},
    {"full", no_argument, NULL, OPT_FULL},
    {"update", no_argument, NULL, OPT_UPDATE},
    {"adapter", required_argument, NULL, OPT_ADAPTER},
    {"sibling", required_argument, NULL, OPT_SIBLING},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"client", no_argument, NULL, OPT_CLIENT},
    {"pair", no_argument, NULL, OPT_PAIR},
    {"repeat", required_argument, NULL, OPT_REPEAT},
    {"until-failure", no_argument, NULL, OPT_UNTIL_FAILURE},
    {"attach", no_argument, NULL, OPT_ATTACH},
    {"trace-dir", required_argument, NULL, OPT_TRACE_DIR},
    {"junit", required_argument, NULL, OPT_JUNIT},
    {"json", required_argument, NULL, OPT_JSON},
    {"html", required_argument, NULL, OPT_HTML},
    {"coverage", required_argument, NULL, OPT_COVERAGE},
    {"expectations", required_argument, NULL, OPT_EXPECTATIONS},
    {"update-expectations", no_argument, NULL, OPT_UPDATE_EXPECTATIONS},
    {NULL, 0, NULL, 0}};

/* clang-format off */
#define FLAG(option, member) {option, true, offsetof(struct options, member)}
#define TEXT(option, member) {option, false, offsetof(struct options, member)}
/* clang-format on */
/* Options whose value is taken as it is. */
static const struct place {
    int option;
    bool is_flag; /* else a text */
    size_t at;
} places[] = {
    TEXT(OPT_ROAMD, run.roamd),
    TEXT(OPT_PROVISION, run.provision),
    TEXT(OPT_CONTROL, run.control),
    FLAG(OPT_TLS, run.tls),
    TEXT(OPT_CA, run.ca),
    FLAG(OPT_LIST, list),
    TEXT(OPT_CASE, run.prefix),
    FLAG(OPT_TRACE, run.trace),
    TEXT(OPT_DUMP_SEEDS, run.dump_seeds),
    TEXT(OPT_SCENARIOS, scenarios),
    TEXT(OPT_SPEC, spec),
    TEXT(OPT_FAULT, fault),
    TEXT(OPT_FAULTS, faults),
    FLAG(OPT_FULL, full),
    FLAG(OPT_UPDATE, update),
    FLAG(OPT_CLIENT, client),
    FLAG(OPT_PAIR, pair),
    FLAG(OPT_UNTIL_FAILURE, run.until_failure),
    FLAG(OPT_ATTACH, run.attach),
    TEXT(OPT_TRACE_DIR, run.trace_dir),
    TEXT(OPT_JUNIT, outputs.junit),
    TEXT(OPT_JSON, outputs.json),
    TEXT(OPT_HTML, outputs.html),
    TEXT(OPT_COVERAGE, outputs.coverage),
    TEXT(OPT_EXPECTATIONS, outputs.expectations),
    FLAG(OPT_UPDATE_EXPECTATIONS, outputs.update),
#undef FLAG
#undef TEXT
};

/* False: it is none of these. */
static bool take_as_it_is(struct options *o, int option, const char *arg)
{
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        void *field = (char *)o + places[i].at;
        if (places[i].option != option) {
            continue;
        }
        if (places[i].is_flag) {
            *(bool *)field = true;
        } else {
            *(const char **)field = arg;
        }
        return true;
    }
    return false;
}

static bool parse_count(const char *arg, uint64_t max, size_t *count)
{
    uint64_t n = 0;
    bool ok = parse_number(arg, max, &n) && n > 0;
    *count = (size_t)n;
    return ok;
}

static bool take_option(struct options *o, int option, const char *arg)
{
    switch (option) {
    case OPT_AT:
        return parse_address(arg, &o->run);
    case OPT_SEED:
        return parse_number(arg, UINT64_MAX, &o->run.seed);
    case 'j':
        return parse_count(arg, MAX_JOBS, &o->run.jobs);
    case OPT_TIMEOUT:
        return parse_number(arg, 3600000, &o->run.timeout_ms);
    case OPT_ADAPTER:
        return parse_adapter(arg, &o->adapter);
    case OPT_SIBLING:
        return parse_sibling(arg, o);
    case OPT_LISTEN:
        o->run.listen = arg;
        return inet_pton(AF_INET, arg, &(struct in_addr){0}) == 1;
    case OPT_REPEAT:
        return parse_count(arg, MAX_ROUNDS, &o->run.rounds);
    default:
        return take_as_it_is(o, option, arg);
    }
}

/* Said once here, not by every case. */
static bool can_be_run(const char *program)
{
    bool good = program == NULL || strchr(program, '/') == NULL ||
                access(program, X_OK) == 0;
    if (!good) {
        fprintf(stderr, "roam-conform: %s: %s\n", program, strerror(errno));
    }
    return good;
}

static void draw_seed(struct options *o)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    struct prng p;
    prng_seed(&p, (uint64_t)ts.tv_nsec ^ (uint64_t)ts.tv_sec << 20, "seed");
    o->run.seed = prng_next(&p) >> 32;
    o->run.nonce =
        arena_printf("%x%x", (unsigned)ts.tv_sec, (unsigned)getpid());
}

static bool is_elsewhere(const struct adapter_target *t)
{
    return t->host || t->serial;
}

/* Where adapters that run elsewhere see us. */
static const char *address_for_adapters(const struct options *o)
{
    const char *a = adapter_faces(&o->adapter);
    return strcmp(a, PEER_LOOPBACK) == 0 ? adapter_faces(&o->sibling_target)
                                         : a;
}

/* What was not said. */
static void set_defaults(struct options *o)
{
    struct run_options *r = &o->run;
    if (r->until_failure && r->rounds == 0) {
        r->rounds = UNTIL_FAILURE_ROUNDS;
    }
    if (r->attach) {
        r->timeout_ms = ATTACH_TIMEOUT_MS;
        o->adapter.patience_ms = ATTACH_TIMEOUT_MS;
    }
    r->start_ms = r->timeout_ms > RUN_START_MS ? r->timeout_ms : RUN_START_MS;
    bool is_line = o->adapter.serial || o->sibling_target.serial;
    bool is_far = is_elsewhere(&o->adapter) || is_elsewhere(&o->sibling_target);
    if (r->attach || is_line) {
        r->jobs = 1;
    } else if (r->jobs == 0) {
        r->jobs = is_far ? 1 : DEFAULT_JOBS;
    }
    r->listen = r->listen ? r->listen : address_for_adapters(o);
    o->outputs.html_dir = in_root(o, "conformance/html");
    if (!o->scenarios) {
        o->scenarios = in_root(o, "conformance/scenarios");
    }
    if (!o->spec) {
        o->spec = in_root(o, "spec/roam-1.md");
    }
}

static const char *option_words(const char *name, const char *value)
{
    return arena_printf(" %s %s", name, shell_word(value));
}

const char *options_command(const struct options *o, const char *role)
{
    const char *timeout = arena_printf("%" PRIu64, o->run.timeout_ms);
    bool timed = o->run.timeout_ms != DEFAULT_TIMEOUT_MS && !o->run.attach;
    return arena_printf(
        "%s %s%s%s%s", shell_word(o->program), role,
        timed ? option_words("--timeout", timeout) : "",
        o->has_scenarios ? option_words("--scenarios", o->scenarios) : "",
        o->has_spec ? option_words("--spec", o->spec) : "");
}

bool options_parse(struct options *o, int argc, char **argv)
{
    *o = (struct options){
        .run = {.timeout_ms = DEFAULT_TIMEOUT_MS, .command = "", .target = ""}};
    draw_seed(o);
    int option, which = 0;
    while ((option = getopt_long(argc, argv, "j:", long_options, &which)) !=
           -1) {
        if (option == '?') {
            return false; /* getopt has said why */
        }
        if (!take_option(o, option, optarg)) {
            fprintf(stderr, "roam-conform: \"%s\" is no value for %s%s\n",
                    optarg, option == 'j' ? "-" : "--",
                    option == 'j' ? "j" : long_options[which].name);
            return false;
        }
    }
    o->program = argv[0];
    o->has_scenarios = o->scenarios != NULL;
    o->has_spec = o->spec != NULL;
    o->root = find_root();
    set_defaults(o);
    return can_be_run(o->run.roamd);
}
