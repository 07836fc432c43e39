/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of conformance/ADAPTER.md for an adapter in C: nothing of any
 * client, so that yours can use it too. */
#ifndef ADAPTER_IO_H
#define ADAPTER_IO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The next request; waits for it. NULL: the input has ended. */
json_t *io_request(void);
/* Whether one waits already, read ahead of what poll() sees. */
bool io_ready(void);
/* Writes a line, at once, and frees it. */
void io_say(json_t *line);
json_t *io_answer(const json_t *request, const char *result);
json_t *io_event(const char *handle, const char *name);

/* A text field, "" when it is absent; a number told as a decimal string. */
const char *io_text(const json_t *j, const char *key);
uint64_t io_number(const json_t *j, const char *key, uint64_t otherwise);
/* Bytes told in hexadecimal; the caller frees them. */
uint8_t *io_bytes(const json_t *j, const char *key, size_t *len);

void io_set(json_t *j, const char *key, uint64_t n);
void io_set_text(json_t *j, const char *key, const void *text, size_t len);
void io_set_bytes(json_t *j, const char *key, const void *bytes, size_t len);

#endif
