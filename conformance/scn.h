/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario files: read and checked before anything runs. The language is
 * described in SCENARIOS.md; the parser here knows its shape, the names of
 * devices, frames, fields and verbs, but no values: these are expressions
 * whose text the executor evaluates step by step. */
#ifndef CONFORM_SCN_H
#define CONFORM_SCN_H

#include <stdbool.h>
#include <stddef.h>

#include "codec.h"

enum op {
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE
};

/* `name op expression`: a field to be set or matched, or, with an
 * expression on both sides, a comparison. */
struct term {
    const char *left;
    enum op op;
    const char *right;
};
struct terms {
    struct term *at;
    size_t count, cap;
};

/* Who is judged. An arrow is the frame's way on the wire in every role, so
 * what the role server sends the role client expects, and the other way round;
 * the role pair expects both. */
enum role {
    ROLE_SERVER = 1,
    ROLE_CLIENT = 2,
    ROLE_PAIR = 4
};
/* "server", "client" or "pair". */
const char *role_name(enum role role);

enum step_kind {
    STEP_SEND,       /* dev> TYPE field=... [edit ...]; client role: dev< */
    STEP_EXPECT,     /* dev< TYPE field=... [where ...]; client role: dev> */
    STEP_ABSENT,     /* dev! TYPE field=... */
    STEP_VERB,       /* dev verb field=... */
    STEP_LET,        /* let $x = expression */
    STEP_CHECK,      /* check $a > $b */
    STEP_CHECKPOINT, /* checkpoint user.* */
    STEP_SERVER,     /* server ACT [OPERAND]; see scn_server.h */
    STEP_PROVISION,  /* provision name|block|unblock USER TEXT|USER, or
                        provision revoke DEVICE */
    STEP_REPEAT,     /* repeat n ... end */
    STEP_ANY_OF,     /* any-of ... or ... end */
    STEP_EVENT,      /* dev: EVENT field=...; client and pair */
    STEP_ADVANCE     /* advance MS; client and pair */
};

/* What an expectation is about. */
enum subject {
    ABOUT_FRAME,
    ABOUT_ENTRY,
    ABOUT_MEMBER, /* of the MEMBER_PAGE that a step took last */
    ABOUT_ROW,    /* of the page that a step took last */
    ABOUT_CLOSED
};

enum verb {
    VERB_LOGIN,
    VERB_SYNC,
    VERB_START,
    VERB_SEND,
    VERB_LOGOUT,
    VERB_ACK,
    VERB_FENCE,
    VERB_DRAIN,
    VERB_CONNECT,
    VERB_CLOSE,
    VERB_CUT,
    VERB_HALF_OPEN,
    VERB_STALL,
    VERB_RESUME,
    VERB_GATHER,
    VERB_FLUSH,
    VERB_PULL,
    VERB_GREETS,
    VERB_GREETS_IN_VAIN,
    VERB_BY_TICKET,
    VERB_RENEGOTIATES,
    VERB_ELSEWHERE,
    VERB_CLIENT /* of client and pair: `act` says which, see client_scn.h */
};

struct step;
struct steps {
    struct step *at;
    size_t count, cap;
};

struct step {
    enum step_kind kind;
    int line;
    const char *text; /* the line as written */
    const char *rule; /* from a closing [RULE]; NULL: the scenario's rules */
    size_t device;    /* index, where the kind has a device */
    enum subject subject;
    const struct frame_type *type; /* of ABOUT_FRAME and STEP_SEND */
    enum verb verb;
    int act;             /* of VERB_CLIENT, or enum server_act */
    bool lie;            /* what is sent breaks a rule on purpose */
    bool to_client;      /* pair: ABOUT_CLOSED, the server ends it */
    bool is_whole;       /* pair: a verb with its answer, as in server */
    const char *word;    /* user of a checkpoint or of what is provisioned,
                            act of a server, variable */
    const char *operand; /* count of a repeat, expression of a let, what is
                            provisioned */
    const char *command; /* of STEP_PROVISION */
    bool peek;           /* BATCH: leave its rows unread */
    struct terms fields;
    struct terms where;
    struct terms edits;   /* left is the edit, right its argument or NULL */
    struct steps *bodies; /* one for repeat, one a branch for any-of */
    size_t body_count, body_cap;
};

/* key=value pairs of a header line. */
struct token_decl {
    const char *name, *user, *type, *expires;
};
struct device_decl {
    const char *name, *user;
    const char *type;  /* DeviceType by name */
    const char *id;    /* device whose installation it shares, or NULL */
    const char *token; /* `$t` of a token line; NULL: its own */
    const char *from;  /* IPv4 address to connect from; NULL: any */
    const char *max_frame, *max_unacked, *max_inflated, *max_entries, *codecs;
    bool manual_ack;
};

struct scenario {
    const char *path;  /* as opened */
    const char *id;    /* area/behaviour, without .scn */
    const char *title; /* the first comment line */
    enum role role;    /* that the steps are read for */
    enum role wanted;  /* by whoever reads; 0: the first one named */
    unsigned roles;    /* of enum role: all that the file names */
    const char *needs; /* capabilities of an adapter or a server, with spaces
                          between */
    const char **rules;
    size_t rule_count, rule_cap;
    bool is_should;       /* `level should`: a failure is a warning */
    bool is_private;      /* has a server of its own */
    const char *settings; /* "name=value name=value", "" for defaults */
    const char **users;
    size_t user_count, user_cap;
    struct token_decl *tokens;
    size_t token_count, token_cap;
    struct device_decl *devices;
    size_t device_count, device_cap;
    struct steps steps;
    int last_line;
};

/* Does its line `needs` have that word? */
bool scenario_needs(const struct scenario *s, const char *need);
/* What a server has to have: in the role pair that is what no adapter can. */
const char *scenario_server_needs(const struct scenario *s);

/* Reads one file for one of its roles; 0: for the first that it names.
 * NULL with "path:line: reason" in *error. */
struct scenario *scenario_load(const char *path, const char *id, enum role role,
                               const char **error);

/* The same from memory. */
struct scenario *scenario_parse(const char *text, const char *path,
                                const char *id, enum role role,
                                const char **error);

struct scenarios {
    struct scenario **at;
    size_t count, cap;
};
/* All *.scn below a directory in the order of their names, once for each role
 * that a file names. */
bool scenarios_load(const char *dir, struct scenarios *out, const char **error);

/* The files below a directory that end so, as paths relative to it, in the
 * order of their names. False: it cannot be read. */
struct names {
    const char **at;
    size_t count, cap;
};
bool names_load(const char *dir, const char *end, struct names *out);

const char *op_text(enum op op);

#endif
