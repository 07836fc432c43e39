/* SPDX-License-Identifier: Apache-2.0 */
/* Batches. The input is a header that makes up the fields of BATCH and what
 * SYNC said, then the payload. A batch that opens must give all its rows, each
 * within the rules; packed again and unpacked, they must be the same.
 *
 *   0     codec of the batch, modulo 3
 *   1     codecs offered; bit 7: packed again within narrow limits
 *   2-3   max_inflated, low byte first, like all numbers here
 *   4     prev_version
 *   5-8   last_version - prev_version - 1
 *   9-10  count - 1
 *   11-12 inflated_size; with codec NONE it is that of the payload */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"

enum {
    HEADER_BYTES = 13
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool truth)
{
    if (!truth) {
        abort();
    }
}

static uint32_t number_at(const uint8_t *data, unsigned bytes)
{
    uint32_t value = 0;
    while (bytes-- != 0) {
        value = value << 8 | data[bytes];
    }
    return value;
}

static bool same_slice(struct roam_slice a, struct roam_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static void expect_same(const struct roam_entry *a, const struct roam_entry *b)
{
    expect(a->version == b->version && a->prev_version == b->prev_version &&
           a->msg_id == b->msg_id && a->client_msg_id == b->client_msg_id &&
           a->kind == b->kind && a->cut_size == b->cut_size);
    expect(same_slice(a->conversation, b->conversation) &&
           same_slice(a->sender, b->sender) &&
           same_slice(a->content_type, b->content_type) &&
           same_slice(a->body, b->body));
}

static void expect_rules(const struct roam_entry *e)
{
    expect(e->version > e->prev_version && e->version <= ROAM_VERSION_MAX &&
           e->msg_id <= ROAM_VERSION_MAX);
    expect(e->conversation.len <= ROAM_CONVERSATION_MAX &&
           e->sender.len <= ROAM_USER_MAX &&
           e->content_type.len <= ROAM_CONTENT_TYPE_MAX);
    expect(e->cut_size == 0 || e->body.len == 0);
    if (e->kind == roam_v1_Kind_MESSAGE) {
        expect(e->msg_id != 0 && e->conversation.len != 0 &&
               e->sender.len != 0);
    }
    if (e->kind == roam_v1_Kind_NOOP) {
        expect(e->msg_id == 0 && e->conversation.len == 0 &&
               e->sender.len == 0 && e->content_type.len == 0 &&
               e->body.len == 0 && e->cut_size == 0 && e->client_msg_id == 0);
    }
}

/* What the packer may be given: a kind that Roam 1 does not know may come
 * without texts, but is never sent so. */
static bool can_be_packed(const struct roam_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (entries[i].kind != roam_v1_Kind_NOOP &&
            (entries[i].conversation.len == 0 || entries[i].sender.len == 0)) {
            return false;
        }
    }
    return true;
}

/* The widest limits; or, with bit 7 of the codecs, the narrowest that these
 * bodies fit. */
static struct roam_pack_limits choose_limits(const struct roam_entry *entries,
                                             size_t count, uint32_t codecs)
{
    struct roam_pack_limits limits = {ROAM_FRAME_MAX, ROAM_INFLATED_MAX,
                                      codecs};
    uint32_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].body.len > longest) {
            longest = (uint32_t)entries[i].body.len;
        }
    }
    if ((codecs & 0x80) != 0) {
        limits.max_frame = ROAM_FRAME_MIN + longest;
        limits.max_inflated = ROAM_INFLATED_MIN + 4 * longest;
    }
    return limits;
}

static void pack_again(const struct roam_entry *entries, size_t count,
                       uint32_t codecs)
{
    static struct roam_packer *packer;
    const struct roam_pack_limits limits =
        choose_limits(entries, count, codecs);
    packer = packer == NULL ? roam_packer_new() : packer;
    expect(packer != NULL);
    while (count != 0) {
        struct roam_message m;
        struct roam_unpack u;
        struct roam_entry e;
        size_t packed = roam_batch_pack(packer, entries, count, &limits, &m);
        expect(packed != 0 && packed <= count);
        expect(roam_message_size(&m) <=
               limits.max_frame + (size_t)ROAM_FRAME_HEADER_BYTES);
        expect(m.u.batch.inflated_size <= limits.max_inflated);
        uint8_t *buf = malloc(m.u.batch.inflated_size);
        expect(buf != NULL);
        expect(roam_unpack_open(&u, &m, codecs, buf, m.u.batch.inflated_size) ==
               ROAM_BATCH_OK);
        for (size_t i = 0; i < packed; i++) {
            expect(roam_unpack_next(&u, &e));
            expect_same(&e, &entries[i]);
        }
        expect(!roam_unpack_next(&u, &e));
        free(buf);
        entries += packed;
        count -= packed;
    }
}

static void unpack(const struct roam_message *m, uint32_t codecs, uint8_t *buf,
                   size_t cap)
{
    struct roam_unpack u;
    if (roam_unpack_open(&u, m, codecs, buf, cap) != ROAM_BATCH_OK) {
        return;
    }
    size_t count = m->u.batch.count;
    uint64_t version = m->u.batch.prev_version;
    struct roam_entry *entries = malloc(count * sizeof *entries);
    expect(entries != NULL);
    for (size_t i = 0; i < count; i++) {
        expect(roam_unpack_next(&u, &entries[i]));
        expect(entries[i].prev_version == version);
        expect_rules(&entries[i]);
        version = entries[i].version;
    }
    struct roam_entry none;
    expect(!roam_unpack_next(&u, &none));
    expect(version == m->u.batch.last_version);
    if (can_be_packed(entries, count)) {
        pack_again(entries, count, codecs);
    }
    free(entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= HEADER_BYTES) {
        return 0;
    }
    struct roam_message m;
    size_t cap = number_at(data + 2, 2);
    roam_message_init(&m, ROAM_BATCH);
    m.u.batch.codec = (roam_v1_Codec)(data[0] % 3);
    m.u.batch.prev_version = data[4];
    m.u.batch.last_version = data[4] + 1ull + number_at(data + 5, 4);
    m.u.batch.count = number_at(data + 9, 2) + 1;
    m.body.len = size - HEADER_BYTES;
    m.u.batch.inflated_size = m.u.batch.codec == roam_v1_Codec_CODEC_NONE
                                  ? (uint32_t)m.body.len
                                  : number_at(data + 11, 2);
    uint8_t *payload = malloc(m.body.len);
    uint8_t *buf = malloc(cap == 0 ? 1 : cap);
    expect(payload != NULL && buf != NULL);
    memcpy(payload, data + HEADER_BYTES, m.body.len);
    m.body.data = payload;
    unpack(&m, data[1], buf, cap);
    free(buf);
    free(payload);
    return 0;
}
