/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of operations: entries that are no messages. A body is one
 * protobuf message, whose form its kind gives. Both sides use this: a server
 * before it stores one, a client when one came.
 *
 * No heap, no recursion. Spec: section 4.3. */
#ifndef ROAM_OPERATION_H
#define ROAM_OPERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

/* The longest body of an operation other than APP, in bytes: a GROUP with
 * every user it may name. */
#define ROAM_OPERATION_BYTES_MAX 4096u

/* The users that a body names; a copy is a walk from its start. */
struct roam_user_list {
    struct roam_slice rest;
    uint32_t number; /* of the field */
    uint32_t count;  /* of all */
};

/* One decoded body; the slices point into it. What the kind has not is 0 or
 * empty. */
struct roam_operation {
    uint32_t kind;               /* roam_v1_Kind, but MESSAGE and NOOP */
    uint64_t msg_id;             /* RECALL, DELETE, READ: the target */
    uint32_t action;             /* GROUP: roam_v1_GroupAction */
    uint32_t join;               /* GROUP: roam_v1_JoinMode */
    struct roam_slice name;      /* GROUP; DEVICE: the device's */
    struct roam_slice text;      /* GROUP, JOIN: why */
    struct roam_slice data;      /* APP */
    struct roam_user_list users; /* GROUP, APP */
    uint32_t device_type;        /* DEVICE: roam_v1_DeviceType */
    uint64_t since_ms;           /* DEVICE: since 2020-01-01 UTC */
};

/* True for the kinds that have a body of this form: RECALL to DEVICE. */
bool roam_kind_is_operation(uint32_t kind);

/* Decodes and checks one body, borrowed.
 *
 * False: it is no good message of this kind, has a field that its action does
 * not use, lacks one that it does, or is out of bounds. */
bool roam_operation_decode(uint32_t kind, struct roam_slice body,
                           struct roam_operation *op);

/* Takes the next user off the list. False: that was the last one. */
bool roam_user_list_next(struct roam_user_list *users, struct roam_slice *user);

/* Writes a body.
 *
 * op     its `users` are not looked at.
 * users  borrowed, `count` of them.
 *
 * Returns the bytes written; 0 when cap is too small. Bounds are not checked:
 * what roam_operation_decode() refuses comes back from the server. */
size_t roam_operation_encode(const struct roam_operation *op,
                             const struct roam_slice *users, size_t count,
                             uint8_t *out, size_t cap);

#endif
