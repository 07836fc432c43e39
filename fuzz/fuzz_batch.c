/* SPDX-License-Identifier: Apache-2.0 */
/* Batches and pages. The input is a header that makes up the fields of the
 * frame and what the client said, then the payload. What opens must give all
 * its rows, each within the rules; packed again and unpacked, they must be the
 * same.
 *
 *   0     modulo 3: codec; divided by 3, modulo 3: BATCH, HISTORY_PAGE,
 *         CONVERSATION_PAGE
 *   1     codecs offered; bit 7: packed again within narrow limits
 *   2-3   max_inflated, low byte first, like all numbers here
 *   4     prev_version; of a page: max_rows
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
    expect(e->version <= ROAM_VERSION_MAX && e->msg_id <= ROAM_VERSION_MAX);
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

static uint32_t inflated_size(const struct roam_message *m)
{
    return m->type == ROAM_BATCH ? m->u.batch.inflated_size
           : m->type == ROAM_HISTORY_PAGE
               ? m->u.history_page.inflated_size
               : m->u.conversation_page.inflated_size;
}

static enum roam_batch_error open_rows(struct roam_unpack *u,
                                       const struct roam_message *m,
                                       uint32_t max_rows, uint32_t codecs,
                                       uint8_t *buf, size_t cap)
{
    return m->type == ROAM_BATCH
               ? roam_unpack_open(u, m, codecs, buf, cap)
               : roam_unpack_open_page(u, m, max_rows, codecs, buf, cap);
}

static void pack_again(uint8_t type, const struct roam_entry *entries,
                       size_t count, uint32_t codecs)
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
        roam_message_init(&m, type);
        size_t packed =
            type == ROAM_BATCH
                ? roam_batch_pack(packer, entries, count, &limits, &m)
                : roam_page_pack(packer, entries, count, &limits, &m);
        expect(packed != 0 && packed <= count);
        expect(roam_message_size(&m) <=
               limits.max_frame + (size_t)ROAM_FRAME_HEADER_BYTES);
        expect(inflated_size(&m) <= limits.max_inflated);
        uint8_t *buf = malloc(inflated_size(&m));
        expect(buf != NULL);
        expect(open_rows(&u, &m, UINT32_MAX, codecs, buf, inflated_size(&m)) ==
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

/* Is this row of a page where it may be? */
static void expect_order(uint8_t type, const struct roam_entry *before,
                         const struct roam_entry *e)
{
    expect(e->version == 0 && e->prev_version == 0 && e->msg_id != 0 &&
           e->kind != roam_v1_Kind_NOOP);
    if (before != NULL) {
        expect(type == ROAM_HISTORY_PAGE ? e->msg_id > before->msg_id
                                         : e->msg_id <= before->msg_id);
        expect(e->msg_id != before->msg_id ||
               !same_slice(e->conversation, before->conversation));
    }
}

static void unpack_page(const struct roam_message *m, uint32_t count,
                        uint32_t max_rows, uint32_t codecs, uint8_t *buf,
                        size_t cap)
{
    struct roam_unpack u;
    if (open_rows(&u, m, max_rows, codecs, buf, cap) != ROAM_BATCH_OK) {
        return;
    }
    expect(count <= max_rows);
    struct roam_entry *rows = malloc((count + 1) * sizeof *rows);
    expect(rows != NULL);
    for (size_t i = 0; i < count; i++) {
        expect(roam_unpack_next(&u, &rows[i]));
        expect_rules(&rows[i]);
        expect_order(m->type, i == 0 ? NULL : &rows[i - 1], &rows[i]);
    }
    expect(!roam_unpack_next(&u, &rows[count]));
    if (can_be_packed(rows, count)) {
        pack_again(m->type, rows, count, codecs);
    }
    free(rows);
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
        expect(entries[i].version > version);
        expect_rules(&entries[i]);
        version = entries[i].version;
    }
    struct roam_entry none;
    expect(!roam_unpack_next(&u, &none));
    expect(version == m->u.batch.last_version);
    if (can_be_packed(entries, count)) {
        pack_again(ROAM_BATCH, entries, count, codecs);
    }
    free(entries);
}

static void make_frame(const uint8_t *data, struct roam_slice payload,
                       struct roam_message *m)
{
    static const uint8_t types[] = {ROAM_BATCH, ROAM_HISTORY_PAGE,
                                    ROAM_CONVERSATION_PAGE};
    roam_v1_Codec codec = (roam_v1_Codec)(data[0] % 3);
    uint32_t count = number_at(data + 9, 2) + 1;
    uint32_t size = codec == roam_v1_Codec_CODEC_NONE ? (uint32_t)payload.len
                                                      : number_at(data + 11, 2);
    roam_message_init(m, types[data[0] / 3 % 3]);
    m->body = payload;
    if (m->type == ROAM_BATCH) {
        m->u.batch.codec = codec;
        m->u.batch.prev_version = data[4];
        m->u.batch.last_version = data[4] + 1ull + number_at(data + 5, 4);
        m->u.batch.count = count;
        m->u.batch.inflated_size = size;
    } else if (m->type == ROAM_HISTORY_PAGE) {
        m->u.history_page.codec = codec;
        m->u.history_page.count = count;
        m->u.history_page.inflated_size = size;
    } else {
        m->u.conversation_page.codec = codec;
        m->u.conversation_page.count = count;
        m->u.conversation_page.inflated_size = size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= HEADER_BYTES) {
        return 0;
    }
    struct roam_message m;
    size_t cap = number_at(data + 2, 2);
    size_t len = size - HEADER_BYTES;
    uint8_t *payload = malloc(len);
    uint8_t *buf = malloc(cap == 0 ? 1 : cap);
    expect(payload != NULL && buf != NULL);
    memcpy(payload, data + HEADER_BYTES, len);
    make_frame(data, (struct roam_slice){payload, len}, &m);
    if (m.type == ROAM_BATCH) {
        unpack(&m, data[1], buf, cap);
    } else {
        unpack_page(&m, number_at(data + 9, 2) + 1, data[4], data[1], buf, cap);
    }
    free(buf);
    free(payload);
    return 0;
}
