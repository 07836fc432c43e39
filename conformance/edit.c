/* SPDX-License-Identifier: Apache-2.0 */
/* Named edits: see edit.h; SCENARIOS.md lists them. */
#include "edit.h"

#include <ctype.h>
#include <string.h>

#include "wire.h"

#define MAX_U24 0xffffffu
/* No message of Roam has this field. */
#define UNKNOWN_FIELD 1000u

struct edit_args {
    const char *field;
    const uint8_t *hex;
    size_t hex_len;
    uint64_t number;
};
typedef const char *(*edit_fn)(struct raw_frame *r, const struct edit_args *a);

static void set_length(struct raw_frame *r, size_t length)
{
    r->bytes[1] = (uint8_t)(length >> 16);
    r->bytes[2] = (uint8_t)(length >> 8);
    r->bytes[3] = (uint8_t)length;
}

/* Replaces [at, at + old) of the frame and sets the header's length. */
static void splice(struct raw_frame *r, size_t at, size_t old,
                   const uint8_t *with, size_t len)
{
    uint8_t *bytes = arena_alloc(r->len - old + len);
    memcpy(bytes, r->bytes, at);
    if (len > 0) {
        memcpy(bytes + at, with, len);
    }
    memcpy(bytes + at + len, r->bytes + at + old, r->len - at - old);
    r->bytes = bytes;
    r->len = r->len - old + len;
    set_length(r, r->len - FRAME_HEADER);
}

/* Finds a field in the payload; offsets become the frame's. */
static bool locate(const struct raw_frame *r, const char *name,
                   struct wire_field *out)
{
    const ProtobufCFieldDescriptor *fd = field_find(r->type->desc, name);
    size_t at = 0;
    while (fd && wire_next(r->bytes + FRAME_HEADER, r->len - FRAME_HEADER, &at,
                           out) == WIRE_FIELD) {
        if (out->number == fd->id) {
            out->at += FRAME_HEADER;
            out->value_at += FRAME_HEADER;
            out->end += FRAME_HEADER;
            return true;
        }
    }
    return false;
}

static const char *locate_varint(const struct raw_frame *r, const char *name,
                                 struct wire_field *out)
{
    if (!locate(r, name, out) || out->wire != WIRE_VARINT) {
        return arena_printf("%s is not a varint in this frame", name);
    }
    return NULL;
}

static const char *edit_truncate(struct raw_frame *r, const struct edit_args *a)
{
    if (a->number == 0 || a->number > r->len - FRAME_HEADER) {
        return "the payload is shorter than that";
    }
    splice(r, r->len - (size_t)a->number, (size_t)a->number, NULL, 0);
    return NULL;
}

static const char *edit_length(struct raw_frame *r, const struct edit_args *a)
{
    if (a->number > MAX_U24) {
        return "length has 24 bits";
    }
    set_length(r, (size_t)a->number);
    return NULL;
}

static const char *edit_header_only(struct raw_frame *r,
                                    const struct edit_args *a)
{
    (void)a;
    r->len = FRAME_HEADER;
    return NULL;
}

static const char *edit_type(struct raw_frame *r, const struct edit_args *a)
{
    if (a->number > 0xff) {
        return "type has 8 bits";
    }
    r->bytes[0] = (uint8_t)a->number;
    r->is_foreign = true;
    return NULL;
}

static const char *edit_append(struct raw_frame *r, const struct edit_args *a)
{
    splice(r, r->len, 0, a->hex, a->hex_len);
    return NULL;
}

static const char *edit_flip_bit(struct raw_frame *r, const struct edit_args *a)
{
    if (a->number / 8 >= r->len - FRAME_HEADER) {
        return "the payload has no such bit";
    }
    r->bytes[FRAME_HEADER + a->number / 8] ^= (uint8_t)(1u << a->number % 8);
    return NULL;
}

/* An unknown field of just the size that makes the payload that long. */
static const char *edit_pad_to(struct raw_frame *r, const struct edit_args *a)
{
    uint8_t head[20];
    size_t have = r->len - FRAME_HEADER;
    size_t tag = wire_put_varint(head, UNKNOWN_FIELD << 3 | WIRE_LENGTH);
    for (size_t digits = 1; digits <= 4; digits++) {
        size_t used = have + tag + digits;
        if (a->number < used || a->number > MAX_U24) {
            break;
        }
        uint8_t size[10];
        size_t n = wire_put_varint(size, a->number - used);
        if (n != digits) {
            continue;
        }
        memcpy(head + tag, size, n);
        splice(r, r->len, 0, head, tag + n);
        uint8_t *zeros = arena_alloc((size_t)a->number - used);
        splice(r, r->len, 0, zeros, (size_t)a->number - used);
        return NULL;
    }
    return "cannot be padded to that size";
}

static const char *edit_split(struct raw_frame *r, const struct edit_args *a)
{
    r->split = (size_t)a->number;
    return a->number > 0 ? NULL : "split needs at least 1 byte";
}

/* Every group of seven bits says that another follows, until `bytes`. */
static const char *lengthen(struct raw_frame *r, const char *field,
                            size_t bytes)
{
    struct wire_field w;
    const char *reason = locate_varint(r, field, &w);
    if (reason) {
        return reason;
    }
    uint8_t out[16] = {0};
    size_t n = wire_put_varint(out, w.varint);
    out[n - 1] |= bytes > n ? 0x80 : 0;
    while (n < bytes) {
        out[n] = n + 1 < bytes ? 0x80 : 0;
        n++;
    }
    splice(r, w.value_at, w.value_len, out, n);
    return NULL;
}

static const char *edit_overlong(struct raw_frame *r, const struct edit_args *a)
{
    return lengthen(r, a->field, 11);
}

static const char *edit_padded(struct raw_frame *r, const struct edit_args *a)
{
    return lengthen(r, a->field, 10);
}

/* One bit more than the field can hold. */
static const char *edit_wide(struct raw_frame *r, const struct edit_args *a)
{
    struct wire_field w;
    const char *reason = locate_varint(r, a->field, &w);
    if (reason) {
        return reason;
    }
    const ProtobufCFieldDescriptor *fd = field_find(r->type->desc, a->field);
    uint8_t out[16];
    size_t n;
    if (fd->type == PROTOBUF_C_TYPE_UINT64) {
        n = wire_put_varint(out, UINT64_MAX);
        out[n - 1] = 0x03; /* bit 64 */
    } else {
        n = wire_put_varint(out, w.varint | (uint64_t)1 << 32);
    }
    splice(r, w.value_at, w.value_len, out, n);
    return NULL;
}

static const char *edit_text(struct raw_frame *r, const struct edit_args *a)
{
    struct wire_field w;
    if (!locate(r, a->field, &w) || w.wire != WIRE_LENGTH) {
        return arena_printf("%s is not text in this frame", a->field);
    }
    uint8_t size[10];
    size_t n = wire_put_varint(size, a->hex_len);
    size_t size_at = w.at;
    uint64_t tag;
    wire_varint(r->bytes, r->len, &size_at, &tag);
    uint8_t *with = arena_alloc(n + a->hex_len);
    memcpy(with, size, n);
    memcpy(with + n, a->hex, a->hex_len);
    splice(r, size_at, w.end - size_at, with, n + a->hex_len);
    return NULL;
}

static const struct {
    const char *name;
    enum edit_argument argument;
    edit_fn apply;
} edits[] = {
    {"truncate", EDIT_TAKES_NUMBER, edit_truncate},
    {"length", EDIT_TAKES_NUMBER, edit_length},
    {"header-only", EDIT_TAKES_NOTHING, edit_header_only},
    {"type", EDIT_TAKES_NUMBER, edit_type},
    {"append", EDIT_TAKES_HEX, edit_append},
    {"flip-bit", EDIT_TAKES_NUMBER, edit_flip_bit},
    {"pad-to", EDIT_TAKES_NUMBER, edit_pad_to},
    {"split", EDIT_TAKES_NUMBER, edit_split},
    {"varint-overlong", EDIT_TAKES_FIELD, edit_overlong},
    {"varint-padded", EDIT_TAKES_FIELD, edit_padded},
    {"wide", EDIT_TAKES_FIELD, edit_wide},
    {"text", EDIT_TAKES_FIELD_HEX, edit_text},
};
#define EDIT_COUNT (sizeof edits / sizeof edits[0])

static size_t find(const char *name)
{
    size_t i = 0;
    while (i < EDIT_COUNT && strcmp(edits[i].name, name) != 0) {
        i++;
    }
    return i;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_hex(const char *s, struct edit_args *out)
{
    size_t n = strlen(s);
    uint8_t *bytes = arena_alloc(n / 2);
    for (size_t i = 0; i + 1 < n; i += 2) {
        if (digit(s[i]) < 0 || digit(s[i + 1]) < 0) {
            return false;
        }
        bytes[i / 2] = (uint8_t)(digit(s[i]) << 4 | digit(s[i + 1]));
    }
    out->hex = bytes;
    out->hex_len = n / 2;
    return n % 2 == 0 && n > 0;
}

static const char *parse_args(size_t i, const char *argument,
                              struct edit_args *out)
{
    enum edit_argument takes = edits[i].argument;
    if ((takes == EDIT_TAKES_NOTHING) != (argument == NULL)) {
        return arena_printf("edit %s with%s argument", edits[i].name,
                            argument ? " an" : "out");
    }
    if (takes == EDIT_TAKES_FIELD) {
        out->field = argument;
    } else if (takes == EDIT_TAKES_HEX) {
        return parse_hex(argument, out) ? NULL : "not hexadecimal";
    } else if (takes == EDIT_TAKES_FIELD_HEX) {
        const char *colon = strchr(argument, ':');
        if (!colon || !parse_hex(colon + 1, out)) {
            return "expected FIELD:HEX";
        }
        out->field = arena_copy(argument, (size_t)(colon - argument));
    }
    return NULL;
}

const char *edit_check(const char *name, const char *argument)
{
    size_t i = find(name);
    struct edit_args args;
    return i == EDIT_COUNT ? arena_printf("no edit %s", name)
                           : parse_args(i, argument, &args);
}

enum edit_argument edit_argument(const char *name)
{
    size_t i = find(name);
    return i == EDIT_COUNT ? EDIT_TAKES_NOTHING : edits[i].argument;
}

const char *edit_apply(struct raw_frame *r, const char *name,
                       const char *argument, uint64_t number)
{
    struct edit_args args = {.number = number};
    size_t i = find(name);
    const char *reason = parse_args(i, argument, &args);
    return reason ? reason : edits[i].apply(r, &args);
}
