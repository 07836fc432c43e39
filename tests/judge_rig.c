/* SPDX-License-Identifier: Apache-2.0 */
/* See judge_rig.h. */
#include "judge_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exec.h"
#include "scn_lex.h"
#include "world.h"

static void add_varint(struct text *out, uint64_t n)
{
    do {
        uint8_t byte = (uint8_t)((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
        text_add_bytes(out, &byte, 1);
        n >>= 7;
    } while (n > 0);
}

static void add_packed(struct text *out, const char *list)
{
    char *end;
    do {
        add_varint(out, strtoull(list, &end, 0));
        list = end + 1;
    } while (*end == ',');
}

static void add_fixed(struct text *out, const char *list)
{
    char *end;
    do {
        uint64_t n = strtoull(list, &end, 0);
        for (unsigned i = 0; i < 64; i += 8) {
            uint8_t byte = (uint8_t)(n >> i);
            text_add_bytes(out, &byte, 1);
        }
        list = end + 1;
    } while (*end == ',');
}

static void add_hex(struct text *out, const char *digits)
{
    for (; *digits; digits += 2) {
        uint8_t byte = (uint8_t)strtoul(arena_copy(digits, 2), NULL, 16);
        text_add_bytes(out, &byte, 1);
    }
}

/* The fields up to the end or a closing parenthesis, where it stops. */
static const char *add_fields(struct text *out, const char *s)
{
    while (*s && *s != ')') {
        char *at;
        uint64_t number = strtoull(s, &at, 10);
        char form = *at++;
        struct text value = {0};
        const char *word = arena_copy(at, strcspn(at, " )"));
        s = at + strlen(word);
        if (form == '#' || form == '!') {
            add_varint(out, number << 3);
            (form == '#' ? add_packed : add_hex)(out, word);
        } else {
            if (form == '(') {
                s = add_fields(&value, at) + 1;
            } else if (form == '=' || form == '~') {
                (form == '=' ? add_packed : add_fixed)(&value, word);
            } else {
                text_add(&value, "%s", word);
            }
            add_varint(out, number << 3 | 2);
            if (form == ';') {
                const uint8_t padded[] = {(uint8_t)(value.len | 0x80), 0};
                text_add_bytes(out, padded, sizeof padded);
            } else {
                add_varint(out, value.len);
            }
            text_add_bytes(out, value.s, value.len);
        }
        s += *s == ' ';
    }
    return s;
}

struct text rig_bytes(const char *fields)
{
    struct text out = {0};
    add_fields(&out, fields);
    return out;
}

/* `rows={...}` becomes hex. */
static const char *with_rows(const char *line)
{
    const char *open = strchr(line, '{');
    struct text out = {0};
    if (!open) {
        return line;
    }
    struct text rows = rig_bytes(arena_copy(open + 1, strcspn(open + 1, "}")));
    text_add(&out, "%shex(", arena_copy(line, (size_t)(open - line)));
    for (size_t i = 0; i < rows.len; i++) {
        text_add(&out, "%02x", (unsigned)(uint8_t)rows.s[i]);
    }
    text_add(&out, ")");
    return text_str(&out);
}

struct frame *rig_frame(const char *line)
{
    struct world w = {0};
    struct words words;
    struct terms fields = {0};
    words_split(with_rows(line), &words);
    const struct frame_type *type = frame_type_named(words.at[0]);
    assert_non_null(type);
    fields.at = arena_alloc(words.count * sizeof *fields.at);
    for (size_t i = 1; i < words.count; i++) {
        assert_true(term_split(words.at[i], &fields.at[fields.count++]));
    }
    ProtobufCMessage *m = exec_build(&w, NULL, type, &fields);
    if (!m) {
        fail_msg("%s: %s", line, w.failure.what);
    }
    uint8_t *bytes;
    size_t len = frame_encode(type, m, &bytes);
    return frame_decode(type->number, bytes + FRAME_HEADER, len - FRAME_HEADER);
}

void rig_expect(const char *about, bool is_good, const char *rule,
                const char *what, const char *want)
{
    const char *got = is_good ? "" : arena_printf("%s: %s", rule, what);
    if (strcmp(got, want) != 0) {
        fail_msg("%s\n  got:      %s\n  expected: %s", about, got, want);
    }
}
