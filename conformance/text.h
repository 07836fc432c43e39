/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and text for the harness: an arena, growing text, random numbers.
 *
 * Nothing that comes from the arena is freed before the process ends. Each
 * case runs in a process of its own and ends within seconds, so that is the
 * one place where memory goes back; nothing can be used after it was freed,
 * and no failing path has to clean up. Libraries that allocate are given the
 * arena: what a leak checker finds is memory that goes past it. */
#ifndef CONFORM_TEXT_H
#define CONFORM_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed memory. Ends the process with EXIT_HARNESS when there is none. */
void *arena_alloc(size_t bytes);
/* A free() for libraries: all stays until arena_close(). */
void arena_keep(void *p);
/* Frees all that there is: the last thing that a program does. */
void arena_close(void);
char *arena_copy(const char *s, size_t len); /* adds a NUL */
char *arena_string(const char *s);
char *arena_printf(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
/* Room for one more element of `size` bytes in *array (count used, *cap
 * there); grows by doubling. */
void arena_grow(void **array, size_t count, size_t *cap, size_t size);

/* Text that grows; all zero is the empty text. */
struct text {
    char *s; /* NUL-terminated; NULL while empty */
    size_t len;
    size_t cap;
};
void text_add(struct text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void text_add_bytes(struct text *t, const void *data, size_t len);
/* Adds `s` with `prefix` before each of its lines, each ended by newline. */
void text_add_indented(struct text *t, const char *prefix, const char *s);
/* Never NULL. */
const char *text_str(const struct text *t);
/* A word as a shell reads it back: in quotes where it needs them. */
const char *shell_word(const char *word);

/* A whole file, NUL-terminated; NULL when it cannot be read. */
char *file_read(const char *path, size_t *len);

/* Random numbers whose whole sequence follows from the seed. */
struct prng {
    uint64_t state;
};
void prng_seed(struct prng *p, uint64_t seed, const char *name);
uint64_t prng_next(struct prng *p);

uint64_t now_ms(void); /* monotonic */

/* Why the program ends; the numbers are part of its interface. */
enum exit_code {
    EXIT_AS_EXPECTED = 0,
    EXIT_UNEXPECTED = 1, /* a case failed */
    EXIT_USAGE = 2,      /* bad options or scenarios, or nothing selected */
    EXIT_HARNESS = 3,    /* self-check failed, or the harness itself */
    EXIT_INCOMPLETE = 4  /* interrupted before the last case */
};

#endif
