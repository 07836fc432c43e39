/* SPDX-License-Identifier: Apache-2.0 */
/* What any adapter in C does for ADAPTER.md, whatever SDK it stands on: lines,
 * values, verbs, virtual time, the fence, the loop. It needs POSIX and jansson,
 * and nothing else of this project:
 *
 *     cc -o my-adapter my_adapter.c kit.c -ljansson
 *
 * my_adapter.c has a struct handle, a struct kit_adapter with what stands on
 * your SDK, and a main() that gives it to kit_run(). adapter_libroam.c is one.
 *
 * The SDK has to take kit_now_ms for the time, and to do its work when it is
 * called, on one socket a device that poll(2) can wait for. One with threads
 * or a clock of its own needs a loop of its own, with "clock":"real".
 *
 * All runs in one thread, from kit_run(). What the kit gives is yours until
 * you return; what you give is copied before the kit returns. */
#ifndef KIT_H
#define KIT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Yours: what one store keeps, and the SDK on it while it is open. There are
 * at most 16; a store stays until the adapter ends. */
struct handle;

struct kit_state { /* as the verb `state` has it */
    uint64_t cursor, attempt, connections, unsent;
    uint64_t received, sent; /* bytes of frames on the present connection */
    uint64_t next_ms;        /* from now; UINT64_MAX: never */
    bool connected;
};

struct kit_verb {
    const char *name;
    /* Does it, with the members of the request, see kit_text(), and adds to
     * the answer, see kit_put(). NULL: ok; else the `code` of an error. */
    const char *(*act)(struct handle *h);
};

/* A member of a struct that is told: a line of the table `fields`. */
struct kit_field {
    unsigned of;             /* your number for that struct: kit_tell() */
    const char *event, *key; /* its names in JSON; key NULL: the end */
    enum {
        KIT_U64,
        KIT_U32,
        KIT_FLAG, /* bool */
        KIT_TEXT, /* a struct kit_slice */
        KIT_HEX   /* the same, told as hexadecimal text */
    } as;
    size_t at; /* offsetof() */
};
struct kit_slice {
    const uint8_t *data;
    size_t len; /* bytes */
};
/* KIT_FIELD(GRANTED, "granted", "head", U64, struct my_grant, head) */
/* clang-format off */
#define KIT_FIELD(of, event, key, as, type, member) \
    {of, event, key, KIT_##as, offsetof(type, member)}
/* clang-format on */

struct kit_adapter {
    const char *name, *capabilities; /* with blanks in between */
    /* The verb `open`; nothing is sent yet. h: that of this store, closed
     * before; NULL: the store is new. Returns it; NULL: it cannot be. */
    struct handle *(*open)(struct handle *h);
    void (*close)(struct handle *h); /* the connection ends, the store stays */
    /* Reads, writes and does all that can be now, at kit_now_ms, without
     * waiting, and tells it. Sets fd->fd (-1: no connection) and fd->events.
     * Returns in how many ms of kit_now_ms there is more, -1: only when the
     * socket has something; 0 never, as it would have been done. */
    int (*work)(struct handle *h, struct pollfd *fd);
    void (*state)(struct handle *h, struct kit_state *state); /* fills all */
    /* "login", "send" and what else you can; the last one has no name. One
     * named "logout" is for `close` with "logout":true. The kit does open,
     * state, advance, close, quit, and `drop`, which shuts the socket down;
     * whatever is not here is `unsupported`. */
    const struct kit_verb *verbs;
    const struct kit_field *fields;
};

/* Serves standard input to its end, or to `quit`; returns main()'s status. */
int kit_run(const struct kit_adapter *adapter);
/* Since the start: `advance` alone moves it. */
extern uint64_t kit_now_ms;

/* Members of the request, by their names in ADAPTER.md; "", 0, false if they
 * are absent. kit_text() of a number, as of "port", is its decimal text. Texts
 * of `open` are kept until that store is opened again. */
const char *kit_text(const char *key);
uint64_t kit_number(const char *key);
bool kit_flag(const char *key);
uint8_t *kit_bytes(const char *key, size_t *len); /* free() it */
uint32_t kit_device_type(void);                   /* as in roam.proto */

/* Adds a number to the answer. */
void kit_put(const char *key, uint64_t n);
/* Tells an event with all fields that have this `of`, out of *thing; without
 * any, nothing. event NULL: as the fields name it. */
void kit_tell(const struct handle *h, const char *event, unsigned of,
              const void *thing);
/* Tells `closed`. returns: by itself. detail: what the server did wrong; "". */
void kit_closed(const struct handle *h, bool returns, const char *detail);

#endif
