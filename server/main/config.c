/* SPDX-License-Identifier: Apache-2.0 */
/* See config.h. One table has every setting: its name, where it is kept, its
 * range, and what it means. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../net/net.h"
#include "roam_limits.h"

#define LINE_MAX_BYTES 1024
/* A change that lets somebody in looks at as many. */
#define GROUPS_MAX 10000
#define YEAR_MS (UINT64_C(365) * 24 * 60 * 60 * 1000)

enum kind {
    U32,
    U64,
    SIZE,
    RATE,
    PORT,
    YES_NO,
    STRANGERS,
    LEVEL,
    TEXT,
    ADDRESS,
    ENDPOINT
};

struct setting {
    const char *name;
    enum kind kind;
    size_t offset;
    uint64_t min;
    uint64_t max;
    const char *meaning;
};

#define OWN(field) offsetof(struct roamd_config, field)
#define CORE(field)                                                            \
    (offsetof(struct roamd_config, core) +                                     \
     offsetof(struct roam_core_config, field))

#define USER(rate) RATE, CORE(user_rates[rate]), 0, 0
#define FROM(rate) RATE, CORE(address_rates[rate]), 0, 0

static const struct setting settings[] = {
    {"listen", ADDRESS, OWN(listen), 0, 0, "address for TLS"},
    {"port", PORT, OWN(port), 0, 65535,
     "port for TLS; 0: any free one; off: no TLS"},
    {"certificate", TEXT, OWN(certificate), 0, 0,
     "PEM file, own certificate first, then its issuers"},
    {"key", TEXT, OWN(key), 0, 0, "PEM file"},
    {"plain_listen", ADDRESS, OWN(plain_listen), 0, 0,
     "address for TCP without TLS"},
    {"plain_port", PORT, OWN(plain_port), 0, 65535,
     "port for TCP without TLS; 0: any free one; off: none"},
    {"allow_plaintext", YES_NO, OWN(allow_plaintext), 0, 0,
     "yes: plain_listen may be an address that is not loopback"},
    {"log_level", LEVEL, OWN(log_level), 0, 0, "error, warn, info or debug"},
    {"metrics", ENDPOINT, OWN(metrics), 0, 0,
     "loopback address:port for Prometheus; port 0: any free one; or off"},
    {"backlog", U32, OWN(backlog), 1, 65535,
     "connections that wait to be accepted"},
    {"max_sessions", U32, CORE(max_sessions), 1, 1000000,
     "connections; the next one is told OVERLOADED"},
    {"max_frame", U32, CORE(max_frame), ROAM_FRAME_MIN, ROAM_FRAME_MAX,
     "longest payload accepted from a session, bytes"},
    {"max_body", U32, CORE(max_body), 1, ROAM_FRAME_MAX - ROAM_ENTRY_OVERHEAD,
     "longest body of a message, bytes; at least 448 below max_frame"},
    {"max_commands", U32, CORE(max_commands), 1, 10000,
     "unanswered messages of a session"},
    {"max_unacked", U32, CORE(max_unacked), ROAM_UNACKED_MIN, ROAM_UNACKED_MAX,
     "entries in flight to a session, at most"},
    {"max_inflated", U32, CORE(max_inflated), ROAM_INFLATED_MIN,
     ROAM_INFLATED_MAX,
     "inflated batch, at most; bytes, at least 448 above max_body"},
    {"output_max_bytes", SIZE, CORE(output_max_bytes), 1024, UINT64_C(1) << 30,
     "output that waits for a session; delivery stops above it"},
    {"output_total_bytes", SIZE, CORE(output_total_bytes), 2048,
     UINT64_C(1) << 40,
     "output that waits for all sessions; above it the slowest reader goes"},
    {"user_logins", USER(ROAM_RATE_LOGINS),
     "logins of a user: so many at once / and again in so many ms; or off"},
    {"user_syncs", USER(ROAM_RATE_SYNCS), "deliveries started for a user"},
    {"user_sends", USER(ROAM_RATE_SENDS), "messages of a user"},
    {"user_send_bytes", USER(ROAM_RATE_SEND_BYTES), "bodies of a user, bytes"},
    {"user_deliveries", USER(ROAM_RATE_DELIVERIES),
     "entries that messages of a user make for all who get them"},
    {"user_pages", USER(ROAM_RATE_PAGES),
     "pages and other questions; one for which much is looked at counts as"
     " several"},
    {"user_backlog_bytes", USER(ROAM_RATE_BACKLOG_BYTES),
     "read from the log for a user; above it deliveries pause, pages wait"},
    {"address_connections", FROM(ROAM_RATE_CONNECTIONS),
     "connections from one address, or one /64 network of IPv6"},
    {"address_logins", FROM(ROAM_RATE_ADDRESS_LOGINS),
     "logins from one address, good or not"},
    {"login_failures", RATE, CORE(login_failures), 0, 0,
     "failed logins as one user from one address"},
    {"session_cost", RATE, CORE(session_cost), 0, 0,
     "frames and tiny reads of a connection"},
    {"max_strangers", U32, CORE(max_strangers), 1, 1000000,
     "connections that have not logged in yet"},
    {"max_strangers_address", U32, CORE(max_strangers_address), 1, 1000000,
     "of these, from one address"},
    {"limit_loopback", YES_NO, OWN(limit_loopback), 0, 0,
     "yes: limits for addresses are for loopback too"},
    {"heartbeat_ms", U32, CORE(heartbeat_ms), 1000, 3600000,
     "a session is silent this long at most; ended after 2.5 times"},
    {"handshake_timeout_ms", U32, OWN(handshake_timeout_ms), 100, 600000,
     "from accept to the end of the TLS handshake"},
    {"login_timeout_ms", U32, CORE(login_timeout_ms), 100, 600000,
     "from accept to a good credential"},
    {"decision_timeout_ms", U32, CORE(decision_timeout_ms), 100, 3600000,
     "from then to a session: a person decides"},
    {"write_timeout_ms", U32, CORE(write_timeout_ms), 100, 600000,
     "output stuck this long ends a session"},
    {"linger_ms", U32, OWN(linger_ms), 0, 60000,
     "for a peer to read its last frame and close"},
    {"drain_ms", U32, CORE(drain_ms), 0, 600000,
     "for all sessions to be told when the server stops"},
    {"retry_window_ms", U32, CORE(retry_window_ms), 0, 3600000,
     "clients that were sent away come back spread over this time"},
    {"dedup_ms", U64, CORE(dedup_ms), 1, 100 * YEAR_MS,
     "clients may repeat a message this long; it is kept longer"},
    {"timeline_ms", U64, CORE(timeline_ms), 0, 100 * YEAR_MS,
     "entries for devices that were away are kept this long; 0: for ever"},
    {"timeline_entries", U32, CORE(timeline_entries), 0, UINT32_MAX,
     "... and at most so many of a user; 0: any number"},
    {"history_ms", U64, CORE(history_ms), 0, 100 * YEAR_MS,
     "messages can be read back this long, then they are erased; 0: for ever"},
    {"watch_ms", U32, CORE(watch_ms), 0, 3600000,
     "between two looks for revoked tokens; their sessions end; 0: never"},
    {"trim_ms", U32, CORE(trim_ms), 0, 86400000,
     "from one round of erasing what is too old to the next; 0: none"},
    {"recall_ms", U64, CORE(store_settings.recall_ms), 0, 100 * YEAR_MS,
     "a message can be recalled this long; 0: for ever"},
    {"max_members", U32, CORE(store_settings.max_members), 2, ROAM_MEMBERS_MAX,
     "members that a group may have"},
    {"max_groups", U32, CORE(store_settings.max_groups), 1, GROUPS_MAX,
     "groups that a user may be in, or have been in within history_ms"},
    {"strangers", STRANGERS, CORE(store_settings.strangers_ask), 0, 0,
     "allow, or requests: who was never written to gets no messages"},
    {"announce_devices", YES_NO, CORE(store_settings.announce_devices), 0, 0,
     "yes: a user's devices are told when another one logs in first"},
};
#define SETTING_COUNT (sizeof(settings) / sizeof(settings[0]))

static const char *const levels[] = {"error", "warn", "info", "debug"};

int roamd_log_level(const char *name)
{
    for (int i = 0; i < 4; i++) {
        if (strcmp(levels[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

void roamd_config_default(struct roamd_config *config)
{
    memset(config, 0, sizeof(*config));
    roam_core_config_default(&config->core);
    strcpy(config->listen, "0.0.0.0");
    config->port = ROAMD_DEFAULT_PORT;
    strcpy(config->certificate, "cert.pem");
    strcpy(config->key, "key.pem");
    strcpy(config->plain_listen, "127.0.0.1");
    strcpy(config->metrics, "off");
    config->plain_port = ROAMD_PORT_OFF;
    config->backlog = 1024;
    config->handshake_timeout_ms = 10000;
    config->linger_ms = 1000;
    config->log_level = roamd_log_level("info");
}

/* --------------------------------------------------------------- one value */

static bool parse_number(const struct setting *s, const char *value,
                         uint64_t *out, char *error, size_t cap)
{
    char *end;

    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0') {
        snprintf(error, cap, "%s: \"%s\" is not a number", s->name, value);
        return false;
    }
    if (errno != 0 || n < s->min || n > s->max) {
        snprintf(error, cap, "%s: %s is out of range, %llu to %llu", s->name,
                 value, (unsigned long long)s->min, (unsigned long long)s->max);
        return false;
    }
    *out = n;
    return true;
}

static bool set_number(const struct setting *s, void *field, const char *value,
                       char *error, size_t cap)
{
    uint64_t n;

    if (s->kind == PORT && strcmp(value, "off") == 0) {
        *(int32_t *)field = ROAMD_PORT_OFF;
        return true;
    }
    if (!parse_number(s, value, &n, error, cap)) {
        return false;
    }
    if (s->kind == PORT) {
        *(int32_t *)field = (int32_t)n;
    } else if (s->kind == U32) {
        *(uint32_t *)field = (uint32_t)n;
    } else if (s->kind == SIZE) {
        *(size_t *)field = (size_t)n;
    } else {
        *(uint64_t *)field = n;
    }
    return true;
}

/* "burst/fill_ms", or off. */
static bool set_rate(const struct setting *s, struct roam_rate *rate,
                     const char *value, char *error, size_t cap)
{
    char *slash;
    char *end = NULL;

    if (strcmp(value, "off") == 0) {
        rate->burst = 0;
        return true;
    }
    unsigned long long burst = strtoull(value, &slash, 10);
    unsigned long long fill = *slash == '/' ? strtoull(slash + 1, &end, 10) : 0;
    if (value[0] < '0' || value[0] > '9' || end == NULL || slash[1] < '0' ||
        slash[1] > '9' || *end != '\0') {
        snprintf(error, cap, "%s: \"%s\" is not `number/milliseconds`", s->name,
                 value);
        return false;
    }
    if (burst < 1 || burst > ROAM_RATE_BURST_MAX || fill < 1 ||
        fill > ROAM_RATE_FILL_MAX_MS) {
        snprintf(error, cap, "%s: %s is out of range, 1/1 to %u/%u", s->name,
                 value, ROAM_RATE_BURST_MAX, ROAM_RATE_FILL_MAX_MS);
        return false;
    }
    rate->burst = (uint32_t)burst;
    rate->fill_ms = (uint32_t)fill;
    return true;
}

static bool set_strangers(const struct setting *s, bool *ask, const char *value,
                          char *error, size_t cap)
{
    *ask = strcmp(value, "requests") == 0;
    if (!*ask && strcmp(value, "allow") != 0) {
        snprintf(error, cap, "%s: \"%s\" is neither allow nor requests",
                 s->name, value);
        return false;
    }
    return true;
}

static bool set_yes_no(const struct setting *s, bool *field, const char *value,
                       char *error, size_t cap)
{
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
        snprintf(error, cap, "%s: \"%s\" is neither yes nor no", s->name,
                 value);
        return false;
    }
    *field = strcmp(value, "yes") == 0;
    return true;
}

static bool set_level(const struct setting *s, int *field, const char *value,
                      char *error, size_t cap)
{
    if (roamd_log_level(value) < 0) {
        snprintf(error, cap, "%s: \"%s\" is none of error, warn, info, debug",
                 s->name, value);
        return false;
    }
    *field = roamd_log_level(value);
    return true;
}

static bool check_endpoint(const struct setting *s, const char *value,
                           char *error, size_t cap)
{
    char address[ROAMD_TEXT_MAX];
    uint16_t port;

    if (strcmp(value, "off") == 0) {
        return true;
    }
    if (!roamd_parse_endpoint(value, address, &port)) {
        snprintf(error, cap, "%s: \"%s\" is neither address:port nor off",
                 s->name, value);
        return false;
    }
    if (!roam_net_is_loopback(address)) { /* it has no credential to check */
        snprintf(error, cap, "%s: %s is not loopback", s->name, address);
        return false;
    }
    return true;
}

static bool set_text(const struct setting *s, char *field, const char *value,
                     char *error, size_t cap)
{
    size_t len = strlen(value);

    if (len == 0 || len >= ROAMD_TEXT_MAX) {
        snprintf(error, cap, "%s: 1 to %d bytes, please", s->name,
                 ROAMD_TEXT_MAX - 1);
        return false;
    }
    if (s->kind == ADDRESS && !roam_net_is_address(value)) {
        snprintf(error, cap, "%s: \"%s\" is not an IPv4 or IPv6 address",
                 s->name, value);
        return false;
    }
    if (s->kind == ENDPOINT && !check_endpoint(s, value, error, cap)) {
        return false;
    }
    memcpy(field, value, len + 1);
    return true;
}

static bool set_value(const struct setting *s, struct roamd_config *config,
                      const char *value, char *error, size_t cap)
{
    void *field = (char *)config + s->offset;

    switch (s->kind) {
    case U32:
    case U64:
    case SIZE:
    case PORT:
        return set_number(s, field, value, error, cap);
    case RATE:
        return set_rate(s, field, value, error, cap);
    case YES_NO:
        return set_yes_no(s, field, value, error, cap);
    case STRANGERS:
        return set_strangers(s, field, value, error, cap);
    case LEVEL:
        return set_level(s, field, value, error, cap);
    case TEXT:
    case ADDRESS:
    case ENDPOINT:
        break;
    }
    return set_text(s, field, value, error, cap);
}

static const struct setting *find(const char *name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(settings[i].name, name) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

bool roamd_config_set(struct roamd_config *config, const char *name,
                      const char *value, char *error, size_t cap)
{
    const struct setting *s = find(name);

    if (s == NULL) {
        snprintf(error, cap, "there is no setting \"%s\"", name);
        return false;
    }
    return set_value(s, config, value, error, cap);
}

/* ---------------------------------------------------------------- the file */

/* The line number on which each setting was seen; 0: not yet. */
struct seen {
    unsigned line[SETTING_COUNT];
};

static char *trim(char *s)
{
    size_t len;

    s += strspn(s, " \t\r\n");
    len = strlen(s);
    while (len > 0 && strchr(" \t\r\n", s[len - 1]) != NULL) {
        s[--len] = '\0';
    }
    return s;
}

static bool read_line(struct roamd_config *config, char *text, unsigned line,
                      struct seen *seen, char *error, size_t cap)
{
    char *name = trim(text);

    if (*name == '\0' || *name == '#') {
        return true;
    }
    char *value = strchr(name, '=');
    if (value == NULL) {
        snprintf(error, cap, "\"%s\" is not `name = value`", name);
        return false;
    }
    *value = '\0';
    name = trim(name);
    const struct setting *s = find(name);
    if (s != NULL && seen->line[s - settings] != 0) {
        snprintf(error, cap, "%s is set twice, first in line %u", name,
                 seen->line[s - settings]);
        return false;
    }
    if (!roamd_config_set(config, name, trim(value + 1), error, cap)) {
        return false;
    }
    seen->line[s - settings] = line;
    return true;
}

static bool read_lines(struct roamd_config *config, FILE *file, unsigned *line,
                       char *error, size_t cap)
{
    struct seen seen = {{0}};
    char text[LINE_MAX_BYTES];

    for (*line = 1; fgets(text, sizeof(text), file) != NULL; ++*line) {
        if (strchr(text, '\n') == NULL && !feof(file)) {
            snprintf(error, cap,
                     "the line is longer than %d bytes, or is no text",
                     LINE_MAX_BYTES - 2);
            return false;
        }
        if (!read_line(config, text, *line, &seen, error, cap)) {
            return false;
        }
    }
    if (ferror(file)) {
        snprintf(error, cap, "%s", strerror(errno));
        return false;
    }
    return true;
}

bool roamd_config_read(struct roamd_config *config, const char *path,
                       char *error, size_t cap)
{
    char reason[ROAMD_TEXT_MAX + 128];
    unsigned line = 0;
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        snprintf(error, cap, "%s: %s", path, strerror(errno));
        return false;
    }
    bool ok = read_lines(config, file, &line, reason, sizeof(reason));
    fclose(file);
    if (!ok) {
        snprintf(error, cap, "%s:%u: %s", path, line, reason);
    }
    return ok;
}

/* ------------------------------------------------------------ all together */

bool roamd_config_check(const struct roamd_config *config, char *error,
                        size_t cap)
{
    const struct roam_core_config *core = &config->core;
    uint32_t entry = core->max_body + ROAM_ENTRY_OVERHEAD;

    if (core->max_frame < entry) {
        snprintf(error, cap, "max_frame is %u, but max_body %u needs %u",
                 core->max_frame, core->max_body, entry);
        return false;
    }
    if (core->max_inflated < entry) {
        snprintf(error, cap, "max_inflated is %u, but max_body %u needs %u",
                 core->max_inflated, core->max_body, entry);
        return false;
    }
    if (core->output_max_bytes < 2 * (size_t)entry + 8) {
        snprintf(error, cap,
                 "output_max_bytes is %zu, but max_body %u needs"
                 " %zu",
                 core->output_max_bytes, core->max_body, 2 * (size_t)entry + 8);
        return false;
    }
    if (config->port == ROAMD_PORT_OFF &&
        config->plain_port == ROAMD_PORT_OFF) {
        snprintf(error, cap,
                 "port and plain_port are off: nobody could"
                 " connect");
        return false;
    }
    if (config->plain_port != ROAMD_PORT_OFF && !config->allow_plaintext &&
        !roam_net_is_loopback(config->plain_listen)) { /* [TLS-4] */
        snprintf(error, cap,
                 "plain_listen is %s, which is not loopback;"
                 " allow_plaintext says that you mean it",
                 config->plain_listen);
        return false;
    }
    return true;
}

static void print_rate(const struct roam_rate *rate, FILE *out)
{
    if (rate->burst == 0) {
        fputs("off", out);
    } else {
        fprintf(out, "%u/%u", rate->burst, rate->fill_ms);
    }
}

static void print_value(const struct setting *s, const void *field, FILE *out)
{
    switch (s->kind) {
    case U32:
        fprintf(out, "%u", *(const uint32_t *)field);
        break;
    case U64:
        fprintf(out, "%llu", (unsigned long long)*(const uint64_t *)field);
        break;
    case SIZE:
        fprintf(out, "%zu", *(const size_t *)field);
        break;
    case RATE:
        print_rate(field, out);
        break;
    case PORT:
        if (*(const int32_t *)field == ROAMD_PORT_OFF) {
            fputs("off", out);
        } else {
            fprintf(out, "%d", *(const int32_t *)field);
        }
        break;
    case YES_NO:
        fputs(*(const bool *)field ? "yes" : "no", out);
        break;
    case STRANGERS:
        fputs(*(const bool *)field ? "requests" : "allow", out);
        break;
    case LEVEL:
        fputs(levels[*(const int *)field], out);
        break;
    case TEXT:
    case ADDRESS:
    case ENDPOINT:
        fputs(field, out);
        break;
    }
}

/* --------------------------------------------------------------- two of them
 */

static size_t size_of(const struct setting *s)
{
    switch (s->kind) {
    case U32:
        return sizeof(uint32_t);
    case U64:
        return sizeof(uint64_t);
    case SIZE:
        return sizeof(size_t);
    case RATE:
        return sizeof(struct roam_rate);
    case PORT:
        return sizeof(int32_t);
    case YES_NO:
    case STRANGERS:
        return sizeof(bool);
    case LEVEL:
        return sizeof(int);
    case TEXT:
    case ADDRESS:
    case ENDPOINT:
        break;
    }
    return ROAMD_TEXT_MAX;
}

static bool is_same(const struct setting *s, const void *a, const void *b)
{
    bool is_text = s->kind == TEXT || s->kind == ADDRESS || s->kind == ENDPOINT;

    return is_text ? strcmp(a, b) == 0 : memcmp(a, b, size_of(s)) == 0;
}

void roamd_config_compare(const struct roamd_config *a,
                          const struct roamd_config *b, roamd_setting_fn fn,
                          void *ctx)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *s = &settings[i];
        if (!is_same(s, (const char *)a + s->offset,
                     (const char *)b + s->offset)) {
            fn(ctx, s->name);
        }
    }
}

void roamd_config_copy(struct roamd_config *to, const struct roamd_config *from,
                       const char *name)
{
    const struct setting *s = find(name);

    memcpy((char *)to + s->offset, (const char *)from + s->offset, size_of(s));
}

void roamd_config_print(const struct roamd_config *config, FILE *out,
                        bool commented)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *s = &settings[i];
        if (commented) {
            fprintf(out, "\n# %s\n# ", s->meaning);
        }
        fprintf(out, "%s = ", s->name);
        print_value(s, (const char *)config + s->offset, out);
        fputc('\n', out);
    }
}
