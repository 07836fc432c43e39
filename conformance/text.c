/* SPDX-License-Identifier: Apache-2.0 */
/* Arena, text, random numbers: see text.h. */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Chained, so that they can be freed. */
struct block {
    struct block *next;
    max_align_t memory[];
};
static struct block *blocks;

void *arena_alloc(size_t bytes)
{
    struct block *b = calloc(1, sizeof *b + (bytes ? bytes : 1));
    if (!b) {
        fputs("roam-conform: out of memory\n", stderr);
        exit(EXIT_HARNESS);
    }
    b->next = blocks;
    blocks = b;
    return b->memory;
}

void arena_keep(void *p)
{
    (void)p;
}

void arena_close(void)
{
    while (blocks) {
        struct block *b = blocks;
        blocks = b->next;
        free(b);
    }
}

char *arena_copy(const char *s, size_t len)
{
    char *copy = arena_alloc(len + 1);
    if (len > 0) {
        memcpy(copy, s, len);
    }
    return copy;
}

char *arena_string(const char *s)
{
    return arena_copy(s, strlen(s));
}

char *arena_printf(const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *s = arena_alloc((size_t)len + 1);
    vsnprintf(s, (size_t)len + 1, format, again);
    va_end(again);
    return s;
}

void arena_grow(void **array, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) {
        return;
    }
    size_t larger = *cap ? *cap * 2 : 8;
    void *copy = arena_alloc(larger * size);
    if (count > 0) {
        memcpy(copy, *array, count * size);
    }
    *array = copy;
    *cap = larger;
}

static void text_reserve(struct text *t, size_t more)
{
    if (t->len + more + 1 <= t->cap) {
        return;
    }
    size_t cap = (t->len + more + 1) * 2;
    char *s = arena_alloc(cap);
    if (t->len > 0) {
        memcpy(s, t->s, t->len);
    }
    t->s = s;
    t->cap = cap;
}

void text_add(struct text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    text_reserve(t, (size_t)len);
    vsnprintf(t->s + t->len, (size_t)len + 1, format, again);
    va_end(again);
    t->len += (size_t)len;
}

void text_add_bytes(struct text *t, const void *data, size_t len)
{
    text_reserve(t, len);
    if (len > 0) {
        memcpy(t->s + t->len, data, len);
    }
    t->len += len;
    t->s[t->len] = '\0';
}

void text_add_indented(struct text *t, const char *prefix, const char *s)
{
    while (*s) {
        size_t len = strcspn(s, "\n");
        text_add(t, "%s%.*s\n", prefix, (int)len, s);
        s += len;
        if (*s == '\n') {
            s++;
        }
    }
}

const char *text_str(const struct text *t)
{
    return t->s ? t->s : "";
}

const char *shell_word(const char *word)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz"
                                "0123456789_-+=:,./@%";
    struct text t = {0};
    if (*word && word[strspn(word, plain)] == '\0') {
        return word;
    }
    text_add(&t, "'");
    for (; *word; word++) {
        text_add(&t, *word == '\'' ? "'\\''" : "%c", *word);
    }
    text_add(&t, "'");
    return text_str(&t);
}

char *file_read(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        return NULL;
    }
    struct text t = {0};
    char buf[4096];
    size_t n;
    while ((n = fread(buf, 1, sizeof buf, f)) > 0) {
        text_add_bytes(&t, buf, n);
    }
    bool bad = ferror(f) != 0;
    fclose(f);
    if (bad) {
        return NULL;
    }
    text_reserve(&t, 0);
    t.s[t.len] = '\0';
    if (len) {
        *len = t.len;
    }
    return t.s;
}

/* FNV-1a, so that cases with one seed still have different sequences. */
void prng_seed(struct prng *p, uint64_t seed, const char *name)
{
    uint64_t h = 0xcbf29ce484222325u ^ seed;
    for (; *name; name++) {
        h = (h ^ (uint8_t)*name) * 0x100000001b3u;
    }
    p->state = h;
}

/* SplitMix64: every 64-bit state is a good one. */
uint64_t prng_next(struct prng *p)
{
    uint64_t z = (p->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}
