/* SPDX-License-Identifier: Apache-2.0 */
/* The adapter in front of a client under test: a process on two pipes, a TCP
 * connection or a serial line, JSON lines both ways. ADAPTER.md is the
 * contract; here is the harness's end of it, which knows lines, requests,
 * answers and events and nothing of Roam.
 *
 * Words: a *request* has an id and a verb; an *answer* has the request's id;
 * an *event* comes by itself and names a handle. */
#ifndef CONFORM_ADAPTER_H
#define CONFORM_ADAPTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "text.h"

/* Version of the adapter protocol that this harness speaks. */
#define ADAPTER_VERSION 1
/* A longer line is a mistake of the adapter: the longest legal one tells a
 * body of 64 KiB in hexadecimal. */
#define ADAPTER_LINE_MAX ((size_t)1 << 20)

struct adapter_target {
    char **argv;        /* NULL at the end; NULL: it runs elsewhere */
    const char *serial; /* the device of a serial line; NULL: over TCP */
    uint32_t baud;
    const char *host;
    uint16_t port;
    uint64_t patience_ms; /* when somebody debugs it; 0: as usual */
};

struct adapter_line {
    json_t *json;
    bool taken;
};

struct adapter {
    const struct adapter_target *target;
    const char *name; /* what faults call it */
    pid_t pid;        /* 0: not ours */
    int in, out;      /* to it and from it; -1: not open */
    int errors;       /* a file with its standard error; -1 */
    bool may_end;     /* `quit` was said: its end is no fault */
    bool ended;       /* nothing will come any more */
    uint8_t *line;
    size_t have, cap;
    struct adapter_line *answers, *events;
    size_t answer_count, answer_cap, event_count, event_cap;
    size_t judged; /* events before this one have been looked at */
    uint64_t last_id;
    json_t *hello;
    bool is_virtual;   /* its time stands still unless told to advance */
    bool keeps_time;   /* section 9 is the SDK's, not left to its program */
    const char *fault; /* what it did against ADAPTER.md; NULL: nothing */
};

/* Our IPv4 address as its machine sees it; that of the loopback interface for
 * one that is ours, or on a serial line, or not to be found. */
const char *adapter_faces(const struct adapter_target *target);
/* Starts it. False with a reason. The hello has not come yet. */
bool adapter_open(struct adapter *a, const struct adapter_target *target,
                  const char **reason);
/* The same with a socket that is there already, and is taken over. */
void adapter_attach(struct adapter *a, int fd);
/* Reads what is there; never waits. False: it broke the protocol or went. */
bool adapter_read(struct adapter *a);
/* Checks the hello once it has come; false: not there yet, or a fault. */
bool adapter_greeted(struct adapter *a);
bool adapter_can(const struct adapter *a, const char *capability);
/* What a scenario needs: a capability, or `clock`, time that the SDK keeps and
 * that can be advanced. */
bool adapter_meets(const struct adapter *a, const char *need);
/* Adds id and verb and writes the request. Returns the id; 0: it is gone. */
uint64_t adapter_request(struct adapter *a, const char *verb, json_t *request);
/* The answer to a request, once; NULL: not there yet. */
json_t *adapter_answer(struct adapter *a, uint64_t id);
/* "ok", "error" or "unsupported"; NULL is none of them. */
const char *adapter_result(const json_t *answer);
/* Closes its input and kills it if it does not end by itself; returns its
 * status as waitpid() has it, -1 if it is not ours. */
int adapter_close(struct adapter *a, uint64_t patience_ms);
/* The last lines of its standard error, for a diagnosis; may be "". */
const char *adapter_errors(const struct adapter *a);

/* A text field; NULL: absent or another type. */
const char *json_text(const json_t *object, const char *key);
/* A number told as a decimal string. */
bool json_u64(const json_t *object, const char *key, uint64_t *out);
/* Sets a number as a decimal string. */
void json_set_u64(json_t *object, const char *key, uint64_t value);

#endif
