/* SPDX-License-Identifier: Apache-2.0 */
/* conformance/ADAPTER.md for any client in C that leaves sockets and time to
 * its caller: lines, handles, sockets, virtual time and the fence. What is
 * left to write is a struct kit_client; adapter_libroam.c is one. */
#ifndef ADAPTER_KIT_H
#define ADAPTER_KIT_H

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIT_NEVER UINT64_MAX

/* The first member of a handle of yours. */
struct kit_handle {
    char *name;
    int fd; /* -1: no connection */
    struct sockaddr_in address;
    uint64_t connect_at; /* when to connect by itself; KIT_NEVER */
    uint64_t connections, received, sent;
};

/* NULL: done; else the code of an error. */
typedef const char *(*kit_verb_fn)(struct kit_handle *h, const json_t *request,
                                   json_t *answer);
struct kit_verb {
    const char *name;
    kit_verb_fn act;
};

struct kit_client {
    const char *name;
    const char *const *capabilities; /* NULL at the end */
    const struct kit_verb *verbs;    /* login, send, close and your optional
                                        ones; name NULL at the end */
    struct kit_handle *(*open)(const json_t *request); /* NULL: it cannot */
    void (*connected)(struct kit_handle *h, bool by_itself);
    /* The transport is gone, or could not be had. */
    void (*lost)(struct kit_handle *h);
    void (*read)(struct kit_handle *h, const uint8_t *bytes, size_t len);
    /* The next bytes to send, 0: none; and that so many were. */
    size_t (*pending)(struct kit_handle *h, const uint8_t **bytes);
    void (*written)(struct kit_handle *h, size_t len);
    void (*tick)(struct kit_handle *h);
    uint64_t (*due)(const struct kit_handle *h); /* while connected */
    void (*state)(const struct kit_handle *h, json_t *answer);
};

extern uint64_t kit_now; /* milliseconds, virtual */

/* Serves until quit or the end of the input. */
int kit_run(const struct kit_client *client);
/* Connects, and tells connected() or lost(). */
bool kit_connect(struct kit_handle *h, bool by_itself);
/* Ends the connection from this side, and tells lost(). */
void kit_disconnect(struct kit_handle *h);
/* The handle is gone; the caller frees it. */
void kit_forget(struct kit_handle *h);

/* Lines: an event goes out by kit_say(), at once, and is freed. */
json_t *kit_event(const struct kit_handle *h, const char *name);
void kit_say(json_t *line);

/* A text field, "" when it is absent; a number told as a decimal string. */
const char *kit_text(const json_t *j, const char *key);
uint64_t kit_number(const json_t *j, const char *key, uint64_t otherwise);
bool kit_true(const json_t *j, const char *key);
/* Bytes told in hexadecimal; the caller frees them. */
uint8_t *kit_bytes(const json_t *j, const char *key, size_t *len);

void kit_set(json_t *j, const char *key, uint64_t n);
void kit_set_bool(json_t *j, const char *key, bool value);
void kit_set_text(json_t *j, const char *key, const void *text, size_t len);
void kit_set_bytes(json_t *j, const char *key, const void *bytes, size_t len);

#endif
