/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and messages. The input is one byte for the length of the pieces,
 * then a byte stream. The stream must give the same frames whole and in
 * pieces; and a message that is decoded must encode to one that decodes to
 * the same bytes again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"

enum {
    MAX = 65536
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is compared between two readings. */
struct trace {
    uint64_t hash; /* FNV-1a over types, lengths and payloads */
    size_t frames;
    enum roam_reader_result end;
};

static void note_byte(struct trace *t, uint8_t byte)
{
    t->hash = (t->hash ^ byte) * 0x100000001b3ull;
}

static void note_frame(struct trace *t, uint8_t type, struct roam_slice payload)
{
    t->frames++;
    note_byte(t, type);
    for (size_t n = payload.len;; n >>= 8) {
        note_byte(t, (uint8_t)n);
        if (n == 0) {
            break;
        }
    }
    for (size_t i = 0; i < payload.len; i++) {
        note_byte(t, payload.data[i]);
    }
}

static void expect(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void check_message(uint8_t type, struct roam_slice payload)
{
    struct roam_message m;
    struct roam_message again;
    if (roam_frame_name(type) == NULL ||
        roam_message_decode(type, payload, &m) !=
            roam_v1_ErrorCode_ERROR_UNSPECIFIED) {
        return;
    }
    size_t size = roam_message_size(&m);
    expect(size >= ROAM_FRAME_HEADER_BYTES &&
           size <= ROAM_FRAME_HEADER_BYTES + payload.len);
    uint8_t *first = malloc(2 * size);
    expect(first != NULL);
    uint8_t *second = first + size;
    expect(roam_message_encode(&m, first, size - 1) == 0);
    expect(roam_message_encode(&m, first, size) == size);
    struct roam_slice encoded = {first + ROAM_FRAME_HEADER_BYTES,
                                 size - ROAM_FRAME_HEADER_BYTES};
    expect(roam_message_decode(type, encoded, &again) ==
           roam_v1_ErrorCode_ERROR_UNSPECIFIED);
    expect(roam_message_encode(&again, second, size) == size);
    expect(memcmp(first, second, size) == 0);
    free(first);
}

/* Reads the stream in pieces of that length, each in memory of its own. */
static struct trace read_stream(const uint8_t *data, size_t size,
                                size_t piece_len, bool decode)
{
    struct trace t = {0xcbf29ce484222325ull, 0, ROAM_READER_MORE};
    struct roam_reader r;
    roam_reader_init(&r, NULL, 0, MAX);
    for (size_t at = 0; at < size && t.end == ROAM_READER_MORE;) {
        size_t len = size - at < piece_len ? size - at : piece_len;
        uint8_t *piece = malloc(len);
        expect(piece != NULL);
        memcpy(piece, data + at, len);
        struct roam_slice in = {piece, len};
        uint8_t type;
        struct roam_slice payload;
        do {
            t.end = roam_reader_next(&r, &in, &type, &payload);
            if (t.end == ROAM_READER_FRAME) {
                note_frame(&t, type, payload);
                if (decode) {
                    check_message(type, payload);
                }
            } else if (t.end == ROAM_READER_ROOM) {
                r.cap = roam_reader_need(&r);
                expect(r.cap <= ROAM_FRAME_HEADER_BYTES + MAX);
                r.buf = realloc(r.buf, r.cap);
                expect(r.buf != NULL);
            }
        } while (t.end == ROAM_READER_FRAME || t.end == ROAM_READER_ROOM);
        expect(t.end == ROAM_READER_TOO_LONG || in.len == 0);
        free(piece);
        at += len;
    }
    free(r.buf);
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct trace whole = read_stream(data + 1, size - 1, size - 1, true);
    struct trace pieces =
        read_stream(data + 1, size - 1, (size_t)data[0] + 1, false);
    expect(whole.hash == pieces.hash && whole.frames == pieces.frames &&
           whole.end == pieces.end);
    return 0;
}
