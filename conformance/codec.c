/* SPDX-License-Identifier: Apache-2.0 */
/* Frames, messages and named fields: see codec.h. */
#include "codec.h"

#include <string.h>

static const struct frame_type types[] = {
    {F_LOGIN, "LOGIN", &roam__v1__login__descriptor, false},
    {F_LOGOUT, "LOGOUT", &roam__v1__logout__descriptor, false},
    {F_SYNC, "SYNC", &roam__v1__sync__descriptor, false},
    {F_ACK, "ACK", &roam__v1__ack__descriptor, false},
    {F_SEND, "SEND", &roam__v1__send__descriptor, false},
    {F_PING, "PING", &roam__v1__ping__descriptor, false},
    {F_HISTORY, "HISTORY", &roam__v1__history__descriptor, false},
    {F_CONVERSATIONS, "CONVERSATIONS", &roam__v1__conversations__descriptor,
     false},
    {F_MEMBERS, "MEMBERS", &roam__v1__members__descriptor, false},
    {F_SESSIONS, "SESSIONS", &roam__v1__sessions__descriptor, false},
    {F_END_SESSION, "END_SESSION", &roam__v1__end_session__descriptor, false},
    {F_LOGIN_OK, "LOGIN_OK", &roam__v1__login_ok__descriptor, true},
    {F_REFUSED, "REFUSED", &roam__v1__refused__descriptor, true},
    {F_KICK, "KICK", &roam__v1__kick__descriptor, true},
    {F_SYNC_OK, "SYNC_OK", &roam__v1__sync_ok__descriptor, true},
    {F_PUSH, "PUSH", &roam__v1__push__descriptor, true},
    {F_BATCH, "BATCH", &roam__v1__batch__descriptor, true},
    {F_SEND_OK, "SEND_OK", &roam__v1__send_ok__descriptor, true},
    {F_PONG, "PONG", &roam__v1__pong__descriptor, true},
    {F_ERROR, "ERROR", &roam__v1__error__descriptor, true},
    {F_HISTORY_PAGE, "HISTORY_PAGE", &roam__v1__history_page__descriptor, true},
    {F_CONVERSATION_PAGE, "CONVERSATION_PAGE",
     &roam__v1__conversation_page__descriptor, true},
    {F_MEMBER_PAGE, "MEMBER_PAGE", &roam__v1__member_page__descriptor, true},
    {F_SESSION_LIST, "SESSION_LIST", &roam__v1__session_list__descriptor, true},
    {F_SESSION_ENDED, "SESSION_ENDED", &roam__v1__session_ended__descriptor,
     true},
};
#define TYPE_COUNT (sizeof types / sizeof types[0])

const struct frame_type *frame_type_named(const char *name)
{
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (strcmp(types[i].name, name) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

const struct frame_type *frame_type_numbered(uint8_t number)
{
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (types[i].number == number) {
            return &types[i];
        }
    }
    return NULL;
}

/* What protobuf-c allocates goes the way of everything else. */
static void *from_arena(void *unused, size_t bytes)
{
    (void)unused;
    return arena_alloc(bytes);
}

static void to_nowhere(void *unused, void *p)
{
    (void)unused;
    (void)p;
}

ProtobufCMessage *message_decode(const ProtobufCMessageDescriptor *desc,
                                 const uint8_t *payload, size_t len)
{
    static ProtobufCAllocator allocator = {from_arena, to_nowhere, NULL};
    return protobuf_c_message_unpack(desc, &allocator, len, payload);
}

struct frame *frame_decode(uint8_t number, const uint8_t *payload, size_t len)
{
    struct frame *f = arena_alloc(sizeof *f);
    f->number = number;
    f->type = frame_type_numbered(number);
    f->payload = (uint8_t *)arena_copy((const char *)payload, len);
    f->len = len;
    if (f->type) {
        f->msg = message_decode(f->type->desc, f->payload, len);
    }
    return f;
}

ProtobufCMessage *message_new(const ProtobufCMessageDescriptor *desc)
{
    ProtobufCMessage *m = arena_alloc(desc->sizeof_message);
    protobuf_c_message_init(desc, m);
    return m;
}

size_t frame_encode(const struct frame_type *type, const ProtobufCMessage *m,
                    uint8_t **out)
{
    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = arena_alloc(FRAME_HEADER + len);
    bytes[0] = type->number;
    bytes[1] = (uint8_t)(len >> 16);
    bytes[2] = (uint8_t)(len >> 8);
    bytes[3] = (uint8_t)len;
    protobuf_c_message_pack(m, bytes + FRAME_HEADER);
    *out = bytes;
    return FRAME_HEADER + len;
}

/* ----------------------------------------------------------------- values */

struct value value_number(uint64_t n)
{
    return (struct value){.kind = VALUE_NUMBER, .number = n};
}

struct value value_text(const char *s)
{
    return (struct value){
        .kind = VALUE_BYTES, .data = (const uint8_t *)s, .len = strlen(s)};
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    if (a->kind == VALUE_NUMBER) {
        return a->number == b->number;
    }
    return a->len == b->len &&
           (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static const ProtobufCFieldDescriptor *find_direct(
    const ProtobufCMessageDescriptor *desc, const char *path, const char **rest)
{
    size_t len = strcspn(path, ".");
    *rest = path[len] == '.' ? path + len + 1 : NULL;
    for (unsigned i = 0; i < desc->n_fields; i++) {
        const ProtobufCFieldDescriptor *fd = &desc->fields[i];
        if (strlen(fd->name) == len && memcmp(fd->name, path, len) == 0) {
            return fd;
        }
    }
    return NULL;
}

const ProtobufCFieldDescriptor *field_find(
    const ProtobufCMessageDescriptor *desc, const char *path)
{
    for (;;) {
        const char *rest;
        const ProtobufCFieldDescriptor *fd = find_direct(desc, path, &rest);
        if (!fd || !rest) {
            return fd;
        }
        if (fd->type != PROTOBUF_C_TYPE_MESSAGE) {
            return NULL;
        }
        desc = fd->descriptor;
        path = rest;
    }
}

static const void *member(const ProtobufCMessage *m,
                          const ProtobufCFieldDescriptor *fd)
{
    return (const uint8_t *)m + fd->offset;
}

static void *member_out(ProtobufCMessage *m, const ProtobufCFieldDescriptor *fd)
{
    return (uint8_t *)m + fd->offset;
}

static struct value scalar_get(const ProtobufCMessage *m,
                               const ProtobufCFieldDescriptor *fd)
{
    const void *p = member(m, fd);
    switch (fd->type) {
    case PROTOBUF_C_TYPE_STRING: {
        const char *s = *(const char *const *)p;
        return value_text(s ? s : "");
    }
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *b = p;
        return (struct value){
            .kind = VALUE_BYTES, .data = b->data, .len = b->len};
    }
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return value_number(*(const uint64_t *)p);
    case PROTOBUF_C_TYPE_BOOL:
        return value_number(*(const protobuf_c_boolean *)p != 0);
    case PROTOBUF_C_TYPE_ENUM:
        return value_number((uint64_t)(int64_t)(*(const int32_t *)p));
    case PROTOBUF_C_TYPE_UINT32:
        return value_number(*(const uint32_t *)p);
    default:
        return (struct value){.kind = VALUE_ABSENT};
    }
}

bool field_get(const ProtobufCMessage *m, const char *path, struct value *out)
{
    for (;;) {
        const char *rest;
        const ProtobufCFieldDescriptor *fd =
            find_direct(m->descriptor, path, &rest);
        if (!fd) {
            return false;
        }
        if (fd->type != PROTOBUF_C_TYPE_MESSAGE) {
            *out = scalar_get(m, fd);
            return rest == NULL;
        }
        const ProtobufCMessage *inner =
            *(const ProtobufCMessage *const *)member(m, fd);
        if (!rest) {
            *out =
                inner ? value_number(1) : (struct value){.kind = VALUE_ABSENT};
            return true;
        }
        if (!inner) {
            *out = (struct value){.kind = VALUE_ABSENT};
            return field_find(fd->descriptor, rest) != NULL;
        }
        m = inner;
        path = rest;
    }
}

static bool number_set(void *p, ProtobufCType type, uint64_t n)
{
    switch (type) {
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        *(uint64_t *)p = n;
        return true;
    case PROTOBUF_C_TYPE_UINT32:
        *(uint32_t *)p = (uint32_t)n;
        return n <= UINT32_MAX;
    case PROTOBUF_C_TYPE_ENUM:
        *(int32_t *)p = (int32_t)n;
        return n <= INT32_MAX;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)p = n != 0;
        return n <= 1;
    default:
        return false;
    }
}

static bool bytes_set(void *p, ProtobufCType type, const struct value *v)
{
    char *copy = arena_copy((const char *)v->data, v->len);
    if (type == PROTOBUF_C_TYPE_STRING) {
        *(char **)p = copy;
        return memchr(copy, 0, v->len) == NULL;
    }
    if (type != PROTOBUF_C_TYPE_BYTES) {
        return false;
    }
    ((ProtobufCBinaryData *)p)->data = (uint8_t *)copy;
    ((ProtobufCBinaryData *)p)->len = v->len;
    return true;
}

bool field_set(ProtobufCMessage *m, const char *path, const struct value *v,
               const char **reason)
{
    const char *rest;
    const ProtobufCFieldDescriptor *fd =
        find_direct(m->descriptor, path, &rest);
    while (fd && rest && fd->type == PROTOBUF_C_TYPE_MESSAGE) {
        ProtobufCMessage **inner = member_out(m, fd);
        if (!*inner) {
            *inner = message_new(fd->descriptor);
        }
        m = *inner;
        fd = find_direct(m->descriptor, rest, &rest);
    }
    if (!fd || rest) {
        *reason = arena_printf("no field %s", path);
        return false;
    }
    void *p = member_out(m, fd);
    if (v->kind == VALUE_NUMBER ? number_set(p, fd->type, v->number)
                                : bytes_set(p, fd->type, v)) {
        return true;
    }
    *reason = arena_printf("%s cannot have this value", path);
    return false;
}

bool field_enum(const ProtobufCFieldDescriptor *fd, const char *word,
                uint64_t *number)
{
    if (!fd || fd->type != PROTOBUF_C_TYPE_ENUM) {
        return false;
    }
    const ProtobufCEnumDescriptor *e = fd->descriptor;
    size_t len = strlen(word);
    for (unsigned i = 0; i < e->n_values; i++) {
        const char *name = e->values[i].name;
        size_t n = strlen(name);
        bool tail = n > len && name[n - len - 1] == '_' &&
                    strcmp(name + n - len, word) == 0;
        if (strcmp(name, word) == 0 || tail) {
            *number = (uint64_t)e->values[i].value;
            return true;
        }
    }
    return false;
}
