/* SPDX-License-Identifier: Apache-2.0 */
/* What any adapter in C does for ADAPTER.md, whatever SDK it stands on: lines,
 * values, verbs, virtual time, the fence, the loop. With jansson. */
#ifndef KIT_H
#define KIT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct handle; /* yours: a store, and the program on it while one runs */

struct kit_state { /* see the verb `state` */
    uint64_t cursor, attempt, connections, received, sent, unsent;
    uint64_t next_ms; /* UINT64_MAX: never */
    bool connected;
};

struct kit_verb {
    const char *name;
    const char *(*act)(struct handle *h); /* the code of an error, or NULL */
};

/* A member of a struct that is told. */
struct kit_field {
    unsigned of;             /* of which: see kit_tell() */
    const char *event, *key; /* key NULL: behind the last one */
    enum {
        KIT_U64,
        KIT_U32,
        KIT_FLAG,
        KIT_TEXT, /* a struct kit_slice, as KIT_HEX */
        KIT_HEX
    } as;
    size_t at; /* offsetof() */
};
struct kit_slice {
    const uint8_t *data;
    size_t len; /* bytes */
};
/* clang-format off */
#define KIT_FIELD(of, event, key, as, type, member) \
    {of, event, key, KIT_##as, offsetof(type, member)}
/* clang-format on */

struct kit_adapter {
    const char *name, *capabilities; /* with blanks in between */
    /* NULL: it cannot be. h: that of this store; NULL: there is none yet. */
    struct handle *(*open)(struct handle *h);
    void (*close)(struct handle *h); /* the store stays */
    /* Does and tells all that can be now. Fills *fd with what to wait for
     * then, and returns for how long, as poll(2) takes it. */
    int (*work)(struct handle *h, struct pollfd *fd);
    void (*state)(struct handle *h, struct kit_state *state);
    /* The others, "logout" for such a `close`; the last one has no name.
     * `drop` shuts *fd down. */
    const struct kit_verb *verbs;
    const struct kit_field *fields;
};

/* Serves standard input to its end, or to `quit`; returns main()'s status. */
int kit_run(const struct kit_adapter *adapter);
extern uint64_t kit_now_ms; /* since the start: `advance` alone moves it */

/* Members of the request, also of a number; "", 0, false if absent. Texts of
 * `open` are kept until the handle's store is opened again. */
const char *kit_text(const char *key);
uint64_t kit_number(const char *key);
bool kit_flag(const char *key);
uint8_t *kit_bytes(const char *key, size_t *len); /* to be freed */
uint32_t kit_device_type(void);                   /* as in roam.proto */

/* Adds a number to the answer. */
void kit_put(const char *key, uint64_t n);
/* Tells an event with all fields of that kind, out of *thing; none: nothing.
 * event NULL: as the fields have it. */
void kit_tell(const struct handle *h, const char *event, unsigned of,
              const void *thing);
/* Tells `closed`. returns: by itself. */
void kit_closed(const struct handle *h, bool returns, const char *detail);

#endif
