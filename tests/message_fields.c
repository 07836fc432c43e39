/* SPDX-License-Identifier: Apache-2.0 */
#include "message_fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define V INT64_MAX
#define U32 UINT32_MAX
#define U64 UINT64_MAX

/* Section 4 of the spec. */
const struct field spec_fields[SPEC_FIELDS] = {
    {ROAM_LOGIN, 1, NUM, 1, U32, U32, 1},
    {ROAM_LOGIN, 2, TXT, 1, 64, 0, 5},
    {ROAM_LOGIN, 3, TXT, 1, 128, 0, 32},
    {ROAM_LOGIN, 4, BYT, 16, 16, 0, 16},
    {ROAM_LOGIN, 5, NUM, 1, 6, U32, 1},
    {ROAM_LOGIN, 6, TXT, 0, 64, 0, 10},
    {ROAM_LOGIN, 7, TXT, 0, 64, 0, 10},
    {ROAM_LOGIN, 8, NUM, 1, V, U64, 7},
    {ROAM_LOGIN, 9, NUM, 0, V, U64, 3},
    {ROAM_LOGIN, 10, NUM, 512, 16777215, U32, 4096},
    {ROAM_LOGIN, 11, NUM, 0, U32, U32, 1},
    {ROAM_LOGIN, 12, NUM, 0, U64, U64, 3},
    {ROAM_SYNC, 1, NUM, 0, V, U64, 5},
    {ROAM_SYNC, 2, NUM, 0, U32, U32, 100},
    {ROAM_SYNC, 3, NUM, 4, 100000, U32, 32},
    {ROAM_SYNC, 4, NUM, 1024, 16777215, U32, 4096},
    {ROAM_SYNC, 5, NUM, 0, U32, U32, 2},
    {ROAM_ACK, 1, NUM, 1, V, U64, 9},
    {ROAM_SEND, 1, FIX, 1, U64, 0, 77},
    {ROAM_SEND, 2, TXT, 1, 64, 0, 3},
    {ROAM_SEND, 3, NUM, 0, U32, U32, 0},
    {ROAM_SEND, 4, TXT, 0, 64, 0, 10},
    {ROAM_SEND, 5, BOD, 0, 5000, 0, 20},
    {ROAM_PING, 1, NUM, 0, U64, U64, 5},
    {ROAM_HISTORY, 1, FIX, 1, U64, 0, 77},
    {ROAM_HISTORY, 2, TXT, 1, 64, 0, 3},
    {ROAM_HISTORY, 3, NUM, 0, V, U64, 1 << 22},
    {ROAM_HISTORY, 4, NUM, 0, V, U64, 0},
    {ROAM_HISTORY, 5, NUM, 1, 1000, U32, 50},
    {ROAM_HISTORY, 6, NUM, 1024, 16777215, U32, 4096},
    {ROAM_HISTORY, 7, NUM, 0, U32, U32, 2},
    {ROAM_HISTORY, 8, NUM, 0, U32, U32, 1},
    {ROAM_CONVERSATIONS, 1, FIX, 1, U64, 0, 77},
    {ROAM_CONVERSATIONS, 2, NUM, 0, V, U64, 1 << 22},
    {ROAM_CONVERSATIONS, 3, TXT, 0, 64, 0, 3},
    {ROAM_CONVERSATIONS, 4, NUM, 1, 1000, U32, 50},
    {ROAM_CONVERSATIONS, 5, NUM, 1024, 16777215, U32, 4096},
    {ROAM_CONVERSATIONS, 6, NUM, 0, U32, U32, 2},
    {ROAM_MEMBERS, 1, FIX, 1, U64, 0, 77},
    {ROAM_MEMBERS, 2, TXT, 1, 64, 0, 23},
    {ROAM_MEMBERS, 3, TXT, 0, 64, 0, 3},
    {ROAM_MEMBERS, 4, NUM, 1, 1000, U32, 50},
    {ROAM_SESSIONS, 1, FIX, 1, U64, 0, 77},
    {ROAM_SESSIONS, 2, NUM, 0, 6, U32, 1},
    {ROAM_END_SESSION, 1, FIX, 1, U64, 0, 77},
    {ROAM_END_SESSION, 2, NUM, 1, 6, U32, 2},
    {ROAM_END_SESSION, 3, NUM, 1, V, U64, 7},
    {ROAM_LOGIN_OK, 1, NUM, 1, V, U64, 4},
    {ROAM_LOGIN_OK, 2, NUM, 0, V, U64, 20},
    {ROAM_LOGIN_OK, 3, NUM, 0, V, U64, 10},
    {ROAM_LOGIN_OK, 4, NUM, 512, U32, U32, 65536},
    {ROAM_LOGIN_OK, 5, NUM, 1, U32, U32, 65536},
    {ROAM_LOGIN_OK, 6, NUM, 1, U32, U32, 32},
    {ROAM_LOGIN_OK, 7, NUM, 1000, U32, U32, 30000},
    {ROAM_LOGIN_OK, 8, NUM, 1, U64, U64, 604800000},
    {ROAM_LOGIN_OK, 9, NUM, 0, U32, U32, 1},
    {ROAM_LOGIN_OK, 10, NUM, 0, U64, U64, 3},
    {ROAM_LOGIN_OK, 11, NUM, 0, U64, U64, 604800000},
    {ROAM_LOGIN_OK, 12, NUM, 0, U32, U32, 10000},
    {ROAM_LOGIN_OK, 13, NUM, 0, U64, U64, 604800000},
    {ROAM_LOGIN_OK, 14, NUM, 0, U64, U64, 86400000},
    {ROAM_LOGIN_OK, 15, NUM, 0, U32, U32, 200},
    {ROAM_REFUSED, 1, NUM, 1, U32, U32, 1},
    {ROAM_REFUSED, 2, NUM, 1, U32, U32, 4},
    {ROAM_REFUSED, 3, NUM, 0, V, U64, 6},
    {ROAM_REFUSED, 4, HOL, 0, 0, 0, 1},
    {ROAM_REFUSED, 5, NUM, 0, U32, U32, 1},
    {ROAM_REFUSED, 6, NUM, 0, U32, U32, 1},
    {ROAM_REFUSED, 7, NUM, 0, U32, U32, 5000},
    {ROAM_KICK, 1, NUM, 1, U32, U32, 1},
    {ROAM_KICK, 2, NUM, 1, U32, U32, 4},
    {ROAM_KICK, 3, NUM, 0, U32, U32, 5000},
    {ROAM_KICK, 4, NUM, 0, V, U64, 6},
    {ROAM_KICK, 5, HOL, 0, 0, 0, 1},
    {ROAM_KICK, 6, NUM, 0, U32, U32, 5},
    {ROAM_KICK, 7, TXT, 0, 128, 0, 12},
    {ROAM_SYNC_OK, 1, NUM, 1, 3, U32, 2},
    {ROAM_SYNC_OK, 2, NUM, 0, V, U64, 20},
    {ROAM_SYNC_OK, 3, NUM, 0, V, U64, 10},
    {ROAM_SYNC_OK, 4, NUM, 0, 0, U32, 0},
    {ROAM_SYNC_OK, 5, NUM, 0, 100000, U32, 0},
    {ROAM_PUSH, 1, NUM, 1, V, U64, V},
    {ROAM_PUSH, 2, NUM, 0, V - 1, U64, 0},
    {ROAM_PUSH, 3, NUM, 0, U32, U32, 0},
    {ROAM_PUSH, 4, NUM, 1, V, U64, 1 << 22},
    {ROAM_PUSH, 5, TXT, 1, 64, 0, 3},
    {ROAM_PUSH, 6, TXT, 1, 64, 0, 5},
    {ROAM_PUSH, 7, TXT, 0, 64, 0, 10},
    {ROAM_PUSH, 8, NUM, 0, U32, U32, 0},
    {ROAM_PUSH, 9, FIX, 0, U64, 0, 77},
    {ROAM_PUSH, 10, BOD, 0, 5000, 0, 20},
    {ROAM_PUSH, 11, NUM, 0, U32, U32, 0},
    {ROAM_PUSH, 12, TXT, 0, 48, 0, 10},
    {ROAM_PUSH, 13, TXT, 0, 48, 0, 10},
    {ROAM_BATCH, 1, NUM, 0, V - 1, U64, 0},
    {ROAM_BATCH, 2, NUM, 1, V, U64, V},
    {ROAM_BATCH, 3, NUM, 1, U32, U32, 3},
    {ROAM_BATCH, 4, NUM, 0, U32, U32, 1},
    {ROAM_BATCH, 5, NUM, 1, U32, U32, 90},
    {ROAM_BATCH, 6, BOD, 1, 5000, 0, 60},
    {ROAM_SEND_OK, 1, FIX, 1, U64, 0, 77},
    {ROAM_SEND_OK, 2, NUM, 1, V, U64, 1 << 22},
    {ROAM_SEND_OK, 3, NUM, 0, U32, U32, 1},
    {ROAM_SEND_OK, 4, TXT, 0, 64, 0, 23},
    {ROAM_PONG, 1, NUM, 0, U64, U64, 5},
    {ROAM_PONG, 2, NUM, 0, V, U64, 20},
    {ROAM_ERROR, 1, NUM, 1, U32, U32, 33},
    {ROAM_ERROR, 2, NUM, 1, U32, U32, 4},
    {ROAM_ERROR, 3, FIX, 1, U64, 0, 77},
    {ROAM_ERROR, 4, TXT, 0, 128, 0, 12},
    {ROAM_ERROR, 5, NUM, 0, U32, U32, 5000},
    {ROAM_HISTORY_PAGE, 1, FIX, 1, U64, 0, 77},
    {ROAM_HISTORY_PAGE, 2, NUM, 0, U32, U32, 1},
    {ROAM_HISTORY_PAGE, 3, NUM, 0, 1000, U32, 3},
    {ROAM_HISTORY_PAGE, 4, NUM, 0, U32, U32, 1},
    {ROAM_HISTORY_PAGE, 5, NUM, 0, U32, U32, 90},
    {ROAM_HISTORY_PAGE, 6, BOD, 0, 5000, 0, 60},
    {ROAM_CONVERSATION_PAGE, 1, FIX, 1, U64, 0, 77},
    {ROAM_CONVERSATION_PAGE, 2, NUM, 0, U32, U32, 1},
    {ROAM_CONVERSATION_PAGE, 3, NUM, 0, 1000, U32, 3},
    {ROAM_CONVERSATION_PAGE, 4, NUM, 0, U32, U32, 1},
    {ROAM_CONVERSATION_PAGE, 5, NUM, 0, U32, U32, 90},
    {ROAM_CONVERSATION_PAGE, 6, BOD, 0, 5000, 0, 60},
    {ROAM_CONVERSATION_PAGE, 7, NUM, 0, V, U64, 20},
    {ROAM_MEMBER_PAGE, 1, FIX, 1, U64, 0, 77},
    {ROAM_MEMBER_PAGE, 2, NUM, 0, U32, U32, 1},
    {ROAM_MEMBER_PAGE, 3, NUM, 0, 1000, U32, 3},
    {ROAM_MEMBER_PAGE, 4, NUM, 0, V, U64, 20},
    {ROAM_MEMBER_PAGE, 5, TXT, 0, 48, 0, 8},
    {ROAM_MEMBER_PAGE, 6, NUM, 0, U32, U32, 1},
    {ROAM_MEMBER_PAGE, 7, NUM, 0, U32, U32, 1},
    {ROAM_MEMBER_PAGE, 8, NUM, 0, U32, U32, 3},
    {ROAM_MEMBER_PAGE, 9, BOD, 0, 5000, 0, 60},
    {ROAM_SESSION_LIST, 1, FIX, 1, U64, 0, 77},
    {ROAM_SESSION_LIST, 2, NUM, 0, U32, U32, 1},
    {ROAM_SESSION_LIST, 3, NUM, 0, 6, U32, 2},
    {ROAM_SESSION_LIST, 4, BOD, 0, 5000, 0, 60},
    {ROAM_SESSION_ENDED, 1, FIX, 1, U64, 0, 77},
    {0, 1, NUM, 0, U32, U32, 2},
    {0, 2, TXT, 0, 64, 0, 10},
    {0, 3, NUM, 0, V, U64, 1000},
};

const uint8_t spec_types[SPEC_TYPES] = {ROAM_LOGIN,
                                        ROAM_LOGOUT,
                                        ROAM_SYNC,
                                        ROAM_ACK,
                                        ROAM_SEND,
                                        ROAM_PING,
                                        ROAM_LOGIN_OK,
                                        ROAM_REFUSED,
                                        ROAM_KICK,
                                        ROAM_SYNC_OK,
                                        ROAM_PUSH,
                                        ROAM_BATCH,
                                        ROAM_SEND_OK,
                                        ROAM_PONG,
                                        ROAM_ERROR,
                                        ROAM_HISTORY,
                                        ROAM_CONVERSATIONS,
                                        ROAM_HISTORY_PAGE,
                                        ROAM_CONVERSATION_PAGE,
                                        ROAM_MEMBERS,
                                        ROAM_SESSIONS,
                                        ROAM_END_SESSION,
                                        ROAM_MEMBER_PAGE,
                                        ROAM_SESSION_LIST,
                                        ROAM_SESSION_ENDED};

void spec_put_field(struct wire_out *out, const struct field *f, uint64_t value)
{
    char letters[6000];
    struct wire_out holder = {.len = 0};
    switch (f->form) {
    case NUM:
        wire_put_number(out, f->number, value);
        break;
    case FIX:
        wire_put_fixed64(out, f->number, value);
        break;
    case HOL:
        spec_put_message(&holder, 0, NULL, 0);
        wire_put_bytes(out, f->number, holder.bytes, holder.len);
        break;
    default:
        assert_true(value <= sizeof letters);
        memset(letters, 'x', sizeof letters);
        wire_put_bytes(out, f->number, letters, (size_t)value);
        break;
    }
}

void spec_put_message(struct wire_out *out, uint8_t type,
                      const struct field *other, uint64_t value)
{
    for (size_t i = 0; i < SPEC_FIELDS; i++) {
        if (spec_fields[i].type == type) {
            spec_put_field(out, &spec_fields[i],
                           &spec_fields[i] == other ? value
                                                    : spec_fields[i].base);
        }
    }
}

/* A REFUSED around the fields of a Holder; else the message itself. */
static void put_frame(struct wire_out *out, uint8_t type,
                      const struct wire_out *message)
{
    if (type != 0) {
        wire_put_raw(out, message->bytes, message->len);
        return;
    }
    wire_put_number(out, 1, 1);
    wire_put_number(out, 2, 4);
    wire_put_bytes(out, 4, message->bytes, message->len);
}

roam_v1_ErrorCode spec_decode(uint8_t type, const struct wire_out *message)
{
    struct wire_out out = {.len = 0};
    struct roam_message m;
    put_frame(&out, type, message);
    uint8_t *exact = wire_exact(out.bytes, out.len);
    struct roam_slice payload = {exact, out.len};
    roam_v1_ErrorCode error =
        roam_message_decode(type == 0 ? ROAM_REFUSED : type, payload, &m);
    free(exact);
    return error;
}

void spec_put_without(struct wire_out *out, const struct field *f)
{
    for (size_t i = 0; i < SPEC_FIELDS; i++) {
        if (spec_fields[i].type == f->type && &spec_fields[i] != f) {
            spec_put_field(out, &spec_fields[i], spec_fields[i].base);
        }
    }
}

roam_v1_ErrorCode spec_decode_hex(uint8_t type, const char *hex)
{
    struct wire_out out = {.len = 0};
    wire_put_hex(&out, hex);
    return spec_decode(type, &out);
}
