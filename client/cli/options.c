/* SPDX-License-Identifier: Apache-2.0 */
/* The command line as a table: which option, with a value or without, for
 * which commands. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIT(command) (1u << ROAM_COMMAND_##command)
#define FETCHING (BIT(HISTORY) | BIT(CONVERSATIONS))
#define ONE_SHOT                                                               \
    (BIT(SEND) | BIT(RECALL) | BIT(DELETE) | BIT(READ) | BIT(APP) |            \
     BIT(GROUP) | BIT(SESSIONS))
#define ONLINE                                                                 \
    (BIT(LOGIN) | BIT(LOGOUT) | BIT(CHAT) | ONE_SHOT | BIT(TAIL) | FETCHING)
#define ANY (ONLINE | BIT(STATUS))

#define OPTION_LIST(X)                                                         \
    X(USER, "user", "NAME", ANY, "whose device this is (required)")            \
    X(TYPE, "type", "TYPE", ANY,                                               \
      "phone, tablet, desktop, web, watch, embedded (desktop)")                \
    X(STATE, "state", "DIR", ANY,                                              \
      "where the device keeps its messages\n"                                  \
      "                     ($XDG_DATA_HOME/roam/NAME-TYPE)")                  \
    X(SERVER, "server", "HOST:PORT", ONLINE, "remembered by login")            \
    X(CA, "ca", "FILE", ONLINE,                                                \
      "certificates to trust, PEM (the system's); remembered")                 \
    X(PLAIN, "plain", NULL, ONLINE,                                            \
      "TCP without TLS, to a loopback address only; remembered")               \
    X(TOKEN_FILE, "token-file", "FILE", ONLINE,                                \
      "holds the token; $ROAM_TOKEN works, too; remembered")                   \
    X(DEVICE_NAME, "device-name", "TEXT", ONLINE,                              \
      "shown to people (the host's name); remembered")                         \
    X(TAKE_OVER, "take-over", NULL, ONLINE,                                    \
      "use this device, even if another one is in use:\n"                      \
      "                     that one is logged out")                           \
    X(TIMEOUT, "timeout", "SECONDS", ONLINE,                                   \
      "give up after this time (30; chat, tail and what\n"                     \
      "                     fetches: never)")                                  \
    X(ATTACH, "attach", "FILE", BIT(SEND),                                     \
      "send a description of this file, which is at --url:\n"                  \
      "                     its SHA-256, size and name")                       \
    X(URL, "url", "URL", BIT(SEND), "where the attached file can be had")      \
    X(CONTENT_TYPE, "content-type", "TYPE", BIT(SEND),                         \
      "of the text, or of the attached file")                                  \
    X(TO, "to", "USER", BIT(APP),                                              \
      "in a group: for this member alone; may be repeated")                    \
    X(NAME, "name", "TEXT", BIT(GROUP), "of the group that create makes")      \
    X(JOIN, "join", "MODE", BIT(GROUP),                                        \
      "of the group that create makes: open, approval,\n"                      \
      "                     closed (closed)")                                  \
    X(OFF, "off", NULL, BIT(GROUP), "with admin and mute: no more")            \
    X(FETCH, "fetch", NULL, FETCHING,                                          \
      "first get what is missing here from the server")                        \
    X(EVERY, "all", NULL, BIT(HISTORY),                                        \
      "with --fetch and PEER: of all conversations, not\n"                     \
      "                     only this one")                                    \
    X(FROM_NOW, "from-now", NULL,                                              \
      BIT(LOGIN) | BIT(CHAT) | BIT(TAIL) | FETCHING,                           \
      "a new device: what was before is not delivered;\n"                      \
      "                     chat, tail and --fetch get it as history")         \
    X(JSON, "json", NULL, ANY & ~(BIT(LOGIN) | BIT(LOGOUT)),                   \
      "one JSON object a line")                                                \
    X(IDS, "ids", NULL, BIT(HISTORY) | BIT(TAIL),                              \
      "with the MSG_IDs that recall, delete and read want")                    \
    X(STATS, "stats", NULL, BIT(CHAT) | BIT(TAIL),                             \
      "at the end, an event with what was received")                           \
    X(EXIT_WHEN_SYNCED, "exit-when-synced", NULL, BIT(TAIL),                   \
      "end when all that was stored at login is here")                         \
    X(EXIT_AT, "exit-at", "VERSION", BIT(TAIL),                                \
      "end when the cursor is there")                                          \
    X(UNTIL_COUNT, "until-count", "N", BIT(TAIL), "end after N messages")      \
    X(HELP, "help", NULL, ANY, "this text")                                    \
    X(VERSION, "version", NULL, ANY, "the version")

enum option {
#define OPTION_ENUM(id, name, value, commands, help) OPTION_##id,
    OPTION_LIST(OPTION_ENUM)
#undef OPTION_ENUM
    OPTION_COUNT
};

static const struct option_rule {
    const char *name;
    const char *value; /* NULL: takes none */
    unsigned commands;
    const char *help;
} rules[] = {
#define OPTION_RULE(id, name, value, commands, help)                           \
    {name, value, commands, help},
    OPTION_LIST(OPTION_RULE)
#undef OPTION_RULE
};

static const struct command_rule {
    const char *name, *arguments, *help;
} commands[] = {{"", "", ""},
#define COMMAND_RULE(id, name, arguments, help) {name, arguments, help},
                ROAM_COMMAND_LIST(COMMAND_RULE)
#undef COMMAND_RULE
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static bool complain(char *error, const char *what, const char *which)
{
    snprintf(error, ROAM_OPTIONS_ERROR_MAX, "%s: %.100s", what, which);
    return false;
}

bool roam_device_type_parse(const char *text, enum roam_device_type *type)
{
    for (int t = ROAM_PHONE; t <= ROAM_EMBEDDED; t++) {
        const enum roam_device_type of = (enum roam_device_type)t;
        if (strcmp(text, roam_device_type_name(of)) == 0) {
            *type = of;
            return true;
        }
    }
    return false;
}

bool roam_number_parse(const char *text, uint64_t max, uint64_t *number)
{
    uint64_t n = 0;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || n > (max - (uint64_t)(*c - '0')) / 10) {
            return false;
        }
        n = n * 10 + (uint64_t)(*c - '0');
    }
    *number = n;
    return n > 0;
}

static bool add_to(struct roam_options *o, const char *user)
{
    if (o->to_count == sizeof o->to / sizeof o->to[0]) {
        return false;
    }
    o->to[o->to_count++] = user;
    return *user != '\0';
}

#define AT(member) offsetof(struct roam_options, member)
/* clang-format off */
#define FLAG(member) {FIELD_FLAG, AT(member), 0, 0}
#define TEXT(member, least, most) {FIELD_TEXT, AT(member), least, most}
#define NUMBER(member, most) {FIELD_NUMBER, AT(member), 1, most}
#define OTHER {FIELD_OTHER, 0, 0, 0}
/* clang-format on */
/* Where an option's value goes, and what it may be. */
static const struct option_field {
    enum {
        FIELD_FLAG,
        FIELD_TEXT,
        FIELD_NUMBER,
        FIELD_OTHER
    } kind;
    size_t at;
    uint64_t least, most; /* bytes of a text, or the number */
} fields[OPTION_COUNT] = {
    [OPTION_USER] = TEXT(user, 1, 64),
    [OPTION_TYPE] = OTHER,
    [OPTION_STATE] = TEXT(state, 0, SIZE_MAX),
    [OPTION_SERVER] = TEXT(server, 0, SIZE_MAX),
    [OPTION_CA] = TEXT(ca, 0, SIZE_MAX),
    [OPTION_PLAIN] = FLAG(plain),
    [OPTION_TOKEN_FILE] = TEXT(token_file, 0, SIZE_MAX),
    [OPTION_DEVICE_NAME] = TEXT(device_name, 0, 64),
    [OPTION_TAKE_OVER] = FLAG(take_over),
    [OPTION_TIMEOUT] = NUMBER(timeout_s, 1000000),
    [OPTION_ATTACH] = TEXT(attach, 0, SIZE_MAX),
    [OPTION_URL] = TEXT(url, 1, SIZE_MAX),
    [OPTION_CONTENT_TYPE] = TEXT(content_type, 1, SIZE_MAX),
    [OPTION_TO] = OTHER,
    [OPTION_NAME] = TEXT(name, 0, SIZE_MAX),
    [OPTION_JOIN] = TEXT(join, 0, SIZE_MAX),
    [OPTION_OFF] = FLAG(off),
    [OPTION_FETCH] = FLAG(fetch),
    [OPTION_EVERY] = FLAG(all),
    [OPTION_FROM_NOW] = FLAG(from_now),
    [OPTION_JSON] = FLAG(json),
    [OPTION_IDS] = FLAG(ids),
    [OPTION_STATS] = FLAG(stats),
    [OPTION_EXIT_WHEN_SYNCED] = FLAG(exit_when_synced),
    [OPTION_EXIT_AT] = NUMBER(exit_at, INT64_MAX),
    [OPTION_UNTIL_COUNT] = NUMBER(until_count, INT64_MAX),
    [OPTION_HELP] = FLAG(help),
    [OPTION_VERSION] = FLAG(version),
#undef AT
#undef FLAG
#undef TEXT
#undef NUMBER
#undef OTHER
};

static bool set_other(struct roam_options *o, enum option id, const char *value)
{
    return id == OPTION_TYPE ? roam_device_type_parse(value, &o->device_type)
                             : add_to(o, value);
}

static bool set_field(struct roam_options *o, enum option id, const char *value)
{
    const struct option_field *f = &fields[id];
    void *field = (char *)o + f->at;
    switch (f->kind) {
    case FIELD_FLAG:
        *(bool *)field = true;
        return true;
    case FIELD_TEXT:
        *(const char **)field = value;
        return strlen(value) >= f->least && strlen(value) <= f->most;
    case FIELD_NUMBER:
        return roam_number_parse(value, f->most, field);
    case FIELD_OTHER:
        break;
    }
    return set_other(o, id, value);
}

static bool set_option(struct roam_options *o, enum option id,
                       const char *value, char *error)
{
    if (set_field(o, id, value)) {
        return true;
    }
    snprintf(error, ROAM_OPTIONS_ERROR_MAX, "--%s: bad value: %.80s",
             rules[id].name, value);
    return false;
}

static enum option find_option(const char *name, size_t len)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (strlen(rules[i].name) == len &&
            memcmp(rules[i].name, name, len) == 0) {
            return (enum option)i;
        }
    }
    return OPTION_COUNT;
}

/* One option at argv[*at]; moves *at to its last word. */
static bool parse_option(struct roam_options *o, int argc, char **argv, int *at,
                         unsigned *given, char *error)
{
    const char *word = argv[*at] + 2;
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    enum option id = find_option(word, len);
    if (id == OPTION_COUNT) {
        return complain(error, "unknown option", argv[*at]);
    }
    *given |= 1u << id;
    if (!rules[id].value) {
        return equals ? complain(error, "option takes no value", argv[*at])
                      : set_option(o, id, "", error);
    }
    if (equals) {
        return set_option(o, id, equals + 1, error);
    }
    if (*at + 1 >= argc) {
        return complain(error, "option needs a value", argv[*at]);
    }
    (*at)++;
    return set_option(o, id, argv[*at], error);
}

static bool parse_command(struct roam_options *o, const char *word, char *error)
{
    for (size_t i = 1; i < COMMAND_COUNT; i++) {
        if (strcmp(word, commands[i].name) == 0) {
            o->command = (enum roam_command)i;
            return true;
        }
    }
    return complain(error, "unknown command", word);
}

/* The options with which history and conversations go online. */
static unsigned needs_fetch(void)
{
    unsigned set = 1u << OPTION_EVERY;
    for (int i = 0; i < OPTION_COUNT; i++) {
        if ((rules[i].commands & BIT(LOGIN)) != 0 &&
            (rules[i].commands & BIT(STATUS)) == 0) {
            set |= 1u << i;
        }
    }
    return set;
}

/* How many arguments; a group's actions look at theirs. */
static const struct {
    int least, most;
} argument_counts[] = {
    [ROAM_COMMAND_CHAT] = {0, 1},          [ROAM_COMMAND_SEND] = {1, 2},
    [ROAM_COMMAND_RECALL] = {2, 2},        [ROAM_COMMAND_DELETE] = {2, 2},
    [ROAM_COMMAND_READ] = {2, 2},          [ROAM_COMMAND_APP] = {1, 2},
    [ROAM_COMMAND_GROUP] = {1, 64},        [ROAM_COMMAND_SESSIONS] = {0, 3},
    [ROAM_COMMAND_TAIL] = {0, 0},          [ROAM_COMMAND_HISTORY] = {0, 1},
    [ROAM_COMMAND_CONVERSATIONS] = {0, 0}, [ROAM_COMMAND_STATUS] = {0, 0},
};

static bool check_count(const struct roam_options *o, char *error)
{
    int most = argument_counts[o->command].most;
    if (o->argument_count < argument_counts[o->command].least) {
        return complain(error, "argument is missing",
                        commands[o->command].arguments);
    }
    if (o->argument_count > most) {
        return complain(error, "unexpected argument", o->arguments[most]);
    }
    return true;
}

/* What only makes sense together, or not at all. */
static bool check(const struct roam_options *o, unsigned given, char *error)
{
    if (o->help || o->version) {
        return true;
    }
    if (o->command == ROAM_COMMAND_NONE) {
        return complain(error, "no command", "try roam --help");
    }
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (given & 1u << i && !(rules[i].commands & 1u << o->command)) {
            return complain(error, "option is not for this command",
                            rules[i].name);
        }
    }
    if (!o->user) {
        return complain(error, "option is missing", "--user");
    }
    bool reads = (FETCHING & 1u << o->command) != 0;
    if (reads && !o->fetch && (given & needs_fetch()) != 0) {
        return complain(error, "option is missing", "--fetch");
    }
    if (o->plain && o->ca) {
        return complain(error, "contradict each other", "--plain, --ca");
    }
    if ((o->attach != NULL) != (o->url != NULL)) {
        return complain(error, "belong together", "--attach, --url");
    }
    return check_count(o, error);
}

bool roam_options_parse(struct roam_options *o, int argc, char **argv,
                        char *error)
{
    bool only_words = false; /* behind -- */
    unsigned given = 0;
    memset(o, 0, sizeof *o);
    o->device_type = ROAM_DESKTOP;
    o->arguments = argv + 1;
    for (int i = 1; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && strncmp(argv[i], "--", 2) == 0) {
            if (!parse_option(o, argc, argv, &i, &given, error)) {
                return false;
            }
        } else if (o->command == ROAM_COMMAND_NONE) {
            if (!parse_command(o, argv[i], error)) {
                return false;
            }
        } else {
            o->arguments[o->argument_count++] = argv[i];
        }
    }
    return check(o, given, error);
}

bool roam_options_split_server(char *server, char **host, char **port)
{
    char *colon = strrchr(server, ':');
    uint64_t number;
    if (!colon || colon == server ||
        !roam_number_parse(colon + 1, 65535, &number)) {
        return false;
    }
    char *end = colon;
    *host = server;
    if (server[0] == '[') {
        if (colon[-1] != ']' || colon - server < 3) {
            return false;
        }
        end = colon - 1;
        *host = server + 1;
    } else if (strchr(server, ':') != colon) {
        return false; /* an IPv6 address needs its brackets */
    }
    *end = '\0';
    *port = colon + 1;
    return true;
}

void roam_options_print_help(void)
{
    puts("Usage: roam COMMAND --user NAME [OPTION]... [ARGUMENT]...\n\n"
         "A client of the Roam messaging protocol. One user and device type"
         "\nis one device; it keeps its messages in a directory of its own.\n"
         "\nCommands:");
    for (size_t i = 1; i < COMMAND_COUNT; i++) {
        printf("  %-13s %-12s %s\n", commands[i].name, commands[i].arguments,
               commands[i].help);
    }
    puts("\nOptions (--name VALUE or --name=VALUE):");
    for (int i = 0; i < OPTION_COUNT; i++) {
        char word[40];
        snprintf(word, sizeof word, "--%s%s%s", rules[i].name,
                 rules[i].value ? " " : "",
                 rules[i].value ? rules[i].value : "");
        if (strlen(word) > 18) {
            printf("  %s\n%21s%s\n", word, "", rules[i].help);
        } else {
            printf("  %-18s %s\n", word, rules[i].help);
        }
    }
    puts("\nActions of `roam group`; GROUP is what create prints, #...:\n"
         "  create [USER]...          make one, and invite these\n"
         "  invite GROUP USER...      make these members\n"
         "  join GROUP [TEXT]         become a member, or ask to\n"
         "  approve|deny GROUP USER   answer who asked\n"
         "  leave GROUP\n"
         "  remove GROUP USER\n"
         "  rename GROUP NAME\n"
         "  admin GROUP USER          make an admin; --off: no more\n"
         "  mute GROUP [USER]         this member, or all; --off: no more\n"
         "  transfer GROUP USER       make another one the owner\n"
         "  set-join GROUP MODE       open, approval or closed\n"
         "  dissolve GROUP\n"
         "  members GROUP             list them");
    puts("\n`roam sessions end TYPE GENERATION`, as sessions lists them, logs"
         "\nthat device out for good: its token is revoked.");
    puts("\nExit status:\n"
         "  0  done\n"
         "  1  failed: network, store, time limit, or the server said no\n"
         "  2  the command line or the configuration is wrong\n"
         "  3  the server refused the login\n"
         "  4  another device has the slot now");
}
