/* SPDX-License-Identifier: Apache-2.0 */
/* Packing: what goes in comes out the same, and never a byte above a limit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "batch.h"
#include "entry_rig.h"

#define DEFLATE_BIT (1u << roam_v1_Codec_CODEC_DEFLATE)

/* Decodes the frame that m encodes to, opens it in a buffer of exactly
 * max_inflated bytes, and compares every row. */
static void assert_unpacks_to(const struct roam_message *m,
                              const struct roam_entry *entries, size_t count,
                              const struct roam_pack_limits *limits)
{
    size_t size = roam_message_size(m);
    assert_true(size != 0 &&
                size - ROAM_FRAME_HEADER_BYTES <= limits->max_frame);
    assert_true(m->u.batch.inflated_size <= limits->max_inflated);
    uint8_t *frame = malloc(size);
    uint8_t *buf = malloc(limits->max_inflated);
    assert_non_null(frame);
    assert_non_null(buf);
    assert_int_equal(roam_message_encode(m, frame, size), size);
    struct roam_slice payload = {frame + ROAM_FRAME_HEADER_BYTES,
                                 size - ROAM_FRAME_HEADER_BYTES};
    struct roam_message got;
    assert_int_equal(roam_message_decode(ROAM_BATCH, payload, &got), 0);
    struct roam_unpack u;
    struct roam_entry e;
    assert_int_equal(
        roam_unpack_open(&u, &got, limits->codecs, buf, limits->max_inflated),
        ROAM_BATCH_OK);
    for (size_t i = 0; i < count; i++) {
        assert_true(roam_unpack_next(&u, &e));
        rig_assert_same_entry(&e, &entries[i]);
    }
    assert_false(roam_unpack_next(&u, &e));
    free(buf);
    free(frame);
}

/* Packs all entries, batch after batch; returns the number of batches. */
static size_t pack_all(struct roam_packer *p, const struct roam_entry *entries,
                       size_t count, const struct roam_pack_limits *limits)
{
    size_t batches = 0;
    for (size_t at = 0; at < count; batches++) {
        struct roam_message m;
        size_t packed =
            roam_batch_pack(p, entries + at, count - at, limits, &m);
        assert_true(packed >= 1 && packed <= count - at);
        assert_true(m.u.batch.prev_version == entries[at].prev_version);
        assert_true(m.u.batch.last_version == entries[at + packed - 1].version);
        assert_int_equal(m.u.batch.count, packed);
        assert_unpacks_to(&m, entries + at, packed, limits);
        at += packed;
    }
    return batches;
}

/* A small random generator with a seed, so that a failure can be repeated. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t below(uint64_t *state, uint64_t n)
{
    return next_random(state) % n;
}

enum {
    NAMES = 2000,
    ENTRIES = 3000,
    POOL = 1 << 16
};

struct world {
    struct roam_packer *packer;
    char names[NAMES][ROAM_USER_MAX + 1];
    uint8_t pool[POOL]; /* bodies are pieces of it */
    struct roam_entry entries[ENTRIES];
};

static int make_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    *state = w;
    if (w == NULL) {
        return -1;
    }
    w->packer = roam_packer_new();
    return w->packer == NULL ? -1 : 0;
}

static int free_world(void **state)
{
    struct world *w = *state;
    roam_packer_free(w->packer);
    free(w);
    return 0;
}

static void make_names(struct world *w, uint64_t *seed)
{
    for (size_t i = 0; i < NAMES; i++) {
        int len = snprintf(w->names[i], sizeof w->names[i], "%zu-", i);
        size_t end = (size_t)len + (size_t)below(seed, ROAM_USER_MAX + 1 - 5);
        for (size_t n = (size_t)len; n < end; n++) {
            w->names[i][n] = (char)('a' + below(seed, 26));
        }
        w->names[i][end] = '\0';
    }
    for (size_t i = 0; i < POOL; i++) {
        /* Half words, half noise: both codecs get their turn. */
        w->pool[i] = i < POOL / 2 ? (uint8_t)("the quick brown fox "[i % 20])
                                  : (uint8_t)next_random(seed);
    }
}

/* Every third has a name: the end of its id. */
static struct roam_slice name_of(struct roam_slice id)
{
    struct roam_slice name = {id.data + id.len, 0};
    if (id.data[0] % 3 == 0) {
        name.len = id.len < ROAM_NAME_MAX ? id.len : ROAM_NAME_MAX;
        name.data -= name.len;
    }
    return name;
}

static void make_entry(struct world *w, struct roam_entry *e,
                       uint64_t prev_version, uint64_t names, uint64_t body,
                       uint64_t *seed)
{
    memset(e, 0, sizeof *e);
    e->prev_version = prev_version;
    e->version =
        prev_version + 1 + (below(seed, 4) ? 0 : below(seed, 1u << 30));
    if (below(seed, 5) == 0) {
        e->kind = roam_v1_Kind_NOOP;
        return;
    }
    e->kind = below(seed, 50) == 0 ? (uint32_t)next_random(seed) | 2 : 0;
    e->recalled = e->kind == 0 && below(seed, 20) == 0;
    e->msg_id = 1 + below(seed, ROAM_VERSION_MAX);
    e->client_msg_id = below(seed, 6) == 0 ? next_random(seed) | 1 : 0;
    e->conversation = rig_text(w->names[below(seed, names)]);
    e->sender = rig_text(w->names[below(seed, names)]);
    e->conversation_name = name_of(e->conversation);
    e->sender_name = name_of(e->sender);
    if (e->recalled) {
        return;
    }
    e->content_type =
        rig_text(below(seed, 3) == 0 ? w->names[below(seed, names)] : "");
    if (below(seed, 8) == 0) {
        e->cut_size = 1 + (uint32_t)below(seed, UINT32_MAX);
    } else {
        size_t len = (size_t)below(seed, body + 1);
        e->body.data = w->pool + below(seed, POOL - len);
        e->body.len = len;
    }
}

static void test_random_entries_come_out_as_they_went_in(void **state)
{
    struct world *w = *state;
    struct roam_packer *p = w->packer;
    static const struct roam_pack_limits limits[] = {
        {ROAM_FRAME_MIN, ROAM_INFLATED_MIN, 0},
        {ROAM_FRAME_MIN, ROAM_INFLATED_MIN, DEFLATE_BIT},
        {4096, 8192, DEFLATE_BIT},
        {4096, 1024, DEFLATE_BIT},
        {65536, 65536, 0},
        {65536, 262144, DEFLATE_BIT},
        {1u << 20, 1u << 20, DEFLATE_BIT | 1u << 7},
        {ROAM_FRAME_MAX, ROAM_INFLATED_MAX, DEFLATE_BIT},
    };
    for (uint64_t round = 1; round <= 40; round++) {
        uint64_t seed = round * 0x9e3779b97f4a7c15ull;
        make_names(w, &seed);
        const struct roam_pack_limits *l =
            &limits[round % (sizeof limits / sizeof limits[0])];
        uint64_t body = roam_body_limit(l->max_frame, l->max_inflated);
        body = body < 700 ? body : 700;
        uint64_t names = 1 + below(&seed, round % 3 == 0 ? NAMES : 20);
        uint64_t version = below(&seed, 3) * below(&seed, 1ull << 40);
        size_t count = 1 + (size_t)below(&seed, 600);
        for (size_t i = 0; i < count; i++) {
            make_entry(w, &w->entries[i], version, names, body, &seed);
            version = w->entries[i].version;
        }
        print_message("# seed %llu, %zu entries\n", (unsigned long long)round,
                      count);
        pack_all(p, w->entries, count, l);
    }
}

/* As many small messages of one conversation as one likes. */
static void make_chat(struct world *w, size_t count)
{
    uint64_t seed = 7;
    make_names(w, &seed);
    for (size_t i = 0; i < count; i++) {
        struct roam_entry *e = &w->entries[i];
        memset(e, 0, sizeof *e);
        e->prev_version = i;
        e->version = i + 1;
        e->msg_id = (uint64_t)(1000 + i) << ROAM_MSG_ID_TIME_SHIFT | 1;
        e->conversation = rig_text("bob");
        e->sender = rig_text(i % 2 == 0 ? "bob" : "alice");
        e->body.data = w->pool + below(&seed, POOL / 2 - 40);
        e->body.len = 20 + (size_t)below(&seed, 20);
    }
}

static void test_a_buffer_of_one_kib_takes_a_whole_backlog(void **state)
{
    struct world *w = *state;
    struct roam_packer *p = w->packer;
    make_chat(w, ENTRIES);
    struct roam_pack_limits limits = {ROAM_FRAME_MIN, ROAM_INFLATED_MIN,
                                      DEFLATE_BIT};
    size_t packed = pack_all(p, w->entries, ENTRIES, &limits);
    limits.codecs = 0;
    size_t plain = pack_all(p, w->entries, ENTRIES, &limits);
    assert_true(packed < plain);
    assert_true(packed <= ENTRIES / 15);
}

/* With DEFLATE and a wide max_inflated, a frame holds more than fits it
 * uncompressed, and is well filled. */
static void test_a_compressed_frame_is_filled(void **state)
{
    struct world *w = *state;
    struct roam_packer *p = w->packer;
    make_chat(w, ENTRIES);
    struct roam_pack_limits limits = {4096, 1u << 20, DEFLATE_BIT};
    struct roam_message m;
    size_t with = roam_batch_pack(p, w->entries, ENTRIES, &limits, &m);
    assert_true(with < ENTRIES);
    assert_unpacks_to(&m, w->entries, with, &limits);
    assert_in_range(roam_message_size(&m), 4096 * 7 / 8, 4096 + 4);
    limits.codecs = 0;
    size_t without = roam_batch_pack(p, w->entries, ENTRIES, &limits, &m);
    assert_true(with > 2 * without);
}

/* Exact limits: what was packed fits them, and not a byte less. */
static void test_the_limits_are_exact(void **state)
{
    struct world *w = *state;
    struct roam_packer *p = w->packer;
    uint64_t seed = 99;
    make_names(w, &seed);
    uint64_t version = 0;
    for (size_t i = 0; i < 300; i++) {
        make_entry(w, &w->entries[i], version, 30, 60, &seed);
        version = w->entries[i].version;
    }
    for (size_t count = 1; count <= 300; count += 13) {
        struct roam_pack_limits limits = {1u << 20, 1u << 20, 0};
        struct roam_message m;
        assert_int_equal(roam_batch_pack(p, w->entries, count, &limits, &m),
                         count);
        uint32_t inflated = m.u.batch.inflated_size;
        uint32_t frame =
            (uint32_t)roam_message_size(&m) - ROAM_FRAME_HEADER_BYTES;
        if (inflated < 2 * ROAM_ENTRY_OVERHEAD) {
            continue;
        }
        limits.max_inflated = inflated;
        limits.max_frame = frame;
        assert_int_equal(roam_batch_pack(p, w->entries, count, &limits, &m),
                         count);
        assert_unpacks_to(&m, w->entries, count, &limits);
        limits.max_inflated = inflated - 1;
        assert_int_equal(roam_batch_pack(p, w->entries, count, &limits, &m),
                         count - 1);
        limits.max_inflated = inflated;
        limits.max_frame = frame - 1;
        assert_int_equal(roam_batch_pack(p, w->entries, count, &limits, &m),
                         count - 1);
    }
}

static void test_a_table_takes_1024_texts_and_no_more(void **state)
{
    struct world *w = *state;
    struct roam_packer *p = w->packer;
    assert_int_equal(ROAM_BATCH_TABLE_MAX, 1024);
    make_chat(w, 1100);
    const struct roam_pack_limits limits = {1u << 20, 1u << 20, 0};
    for (size_t table = 0; table < 3; table++) {
        make_chat(w, 1100);
        for (size_t i = 0; i < 1100; i++) {
            struct roam_entry *e = &w->entries[i];
            struct roam_slice *t = table == 0   ? &e->conversation
                                   : table == 1 ? &e->sender
                                                : &e->content_type;
            *t = rig_text(w->names[i]);
        }
        struct roam_message m;
        assert_int_equal(roam_batch_pack(p, w->entries, 1100, &limits, &m),
                         1024);
        assert_unpacks_to(&m, w->entries, 1024, &limits);
    }
}

/* So short and so many that some of them meet in the packer's hash table. */
static void test_texts_of_one_letter_are_told_apart(void **state)
{
    struct world *w = *state;
    static const struct roam_pack_limits limits = {65536, 65536, 0};
    static uint8_t letters[127];
    make_chat(w, sizeof letters);
    for (size_t i = 0; i < sizeof letters; i++) {
        letters[i] = (uint8_t)(i + 1);
        w->entries[i].conversation.data = &letters[i];
        w->entries[i].conversation.len = 1;
        w->entries[i].sender = w->entries[sizeof letters - 1 - i].conversation;
    }
    assert_int_equal(pack_all(w->packer, w->entries, sizeof letters, &limits),
                     1);
}

/* Compression must never cost bytes. */
static void test_deflate_is_used_only_when_it_is_smaller(void **state)
{
    struct world *w = *state;
    struct roam_packer *p = w->packer;
    make_chat(w, 200);
    const struct roam_pack_limits offered = {65536, 65536, DEFLATE_BIT};
    const struct roam_pack_limits not_offered = {65536, 65536, ~DEFLATE_BIT};
    struct roam_message m;
    assert_int_equal(roam_batch_pack(p, w->entries, 200, &offered, &m), 200);
    assert_int_equal(m.u.batch.codec, roam_v1_Codec_CODEC_DEFLATE);
    assert_true(m.body.len < m.u.batch.inflated_size / 2);
    assert_int_equal(roam_batch_pack(p, w->entries, 200, &not_offered, &m),
                     200);
    assert_int_equal(m.u.batch.codec, roam_v1_Codec_CODEC_NONE);
    assert_int_equal(m.body.len, m.u.batch.inflated_size);

    for (size_t i = 0; i < 200; i++) { /* noise */
        w->entries[i].body.data = w->pool + POOL / 2 + 40 * i;
        w->entries[i].body.len = 40;
    }
    const size_t counts[] = {1, 2, 3, 200};
    for (size_t i = 0; i < 4; i++) {
        size_t n = counts[i];
        assert_int_equal(roam_batch_pack(p, w->entries, n, &not_offered, &m),
                         n);
        size_t plain = roam_message_size(&m);
        assert_int_equal(roam_batch_pack(p, w->entries, n, &offered, &m), n);
        assert_true(roam_message_size(&m) <= plain);
    }
}

/* The nth allocation fails, for every n there is. */

static unsigned allocations_left;

static bool refuse_when_none_left(void)
{
    return allocations_left == 0 || --allocations_left == 0;
}

static void test_a_packer_without_memory_says_so_and_goes_on(void **state)
{
    struct world *w = *state;
    const struct roam_pack_limits limits = {4096, 1u << 20, DEFLATE_BIT};
    make_chat(w, ENTRIES);
    size_t want = 0;
    unsigned failures = 0;
    for (unsigned n = 1; want == 0; n++) {
        allocations_left = n;
        roam__packer_refuse = refuse_when_none_left;
        struct roam_packer *p = roam_packer_new();
        struct roam_message m;
        size_t packed = 0;
        if (p != NULL) {
            packed = roam_batch_pack(p, w->entries, ENTRIES, &limits, &m);
        }
        roam__packer_refuse = NULL;
        if (allocations_left != 0) {
            assert_true(packed != 0);
            want = packed;
        } else {
            assert_int_equal(packed, 0);
            failures++;
        }
        if (p != NULL) { /* with memory again, the same packer works */
            packed = roam_batch_pack(p, w->entries, ENTRIES, &limits, &m);
            assert_true(packed != 0);
            assert_unpacks_to(&m, w->entries, packed, &limits);
        }
        roam_packer_free(p);
    }
    assert_true(failures >= 8);
}

/* A device with small frames costs many calls, so one call must not look at
 * the whole backlog. Rows are kept in an array that doubles, so the number of
 * allocations tells how many were made. */

static unsigned allocations;

static bool count_allocation(void)
{
    allocations++;
    return false;
}

static void test_rows_that_no_frame_can_hold_are_not_made(void **state)
{
    struct world *w = *state;
    static const struct {
        struct roam_pack_limits limits;
        unsigned rows; /* times that their array may be allocated */
    } cases[] = {
        {{ROAM_FRAME_MIN, 1u << 18, 0}, 1},           /* up to 64 rows */
        {{ROAM_FRAME_MIN, 1u << 18, DEFLATE_BIT}, 2}, /* up to 128 */
    };
    make_chat(w, ENTRIES);
    for (size_t i = 0; i < ENTRIES; i++) { /* noise */
        w->entries[i].body.data = w->pool + POOL / 2 + i % 270 * 120;
        w->entries[i].body.len = 120;
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct roam_packer *p = roam_packer_new();
        assert_non_null(p);
        struct roam_message m;
        allocations = 0;
        roam__packer_refuse = count_allocation;
        size_t packed =
            roam_batch_pack(p, w->entries, ENTRIES, &cases[i].limits, &m);
        roam__packer_refuse = NULL;
        assert_unpacks_to(&m, w->entries, packed, &cases[i].limits);
        /* One more for the columns, one for what they deflate to. */
        bool deflates = cases[i].limits.codecs != 0;
        assert_true(allocations <= cases[i].rows + (deflates ? 2 : 1));
        roam_packer_free(p);
    }
}

/* ------------------------------------------------------ the longest entry */

static char long_id[3][ROAM_USER_MAX + 1];

/* Every field at its widest but the body, which has `body` bytes. */
static struct roam_entry widest_entry(const uint8_t *body, size_t len,
                                      uint32_t kind)
{
    for (size_t i = 0; i < 3; i++) {
        memset(long_id[i], 'a' + (int)i, ROAM_USER_MAX);
    }
    struct roam_entry e = {
        .version = ROAM_VERSION_MAX,
        .prev_version = ROAM_VERSION_MAX / 2,
        .msg_id = ROAM_VERSION_MAX,
        .client_msg_id = UINT64_MAX,
        .kind = kind,
        .conversation = rig_text(long_id[0]),
        .sender = rig_text(long_id[1]),
        .content_type = rig_text(long_id[2]),
        .conversation_name = {(uint8_t *)long_id[0], ROAM_NAME_MAX},
        .sender_name = {(uint8_t *)long_id[1], ROAM_NAME_MAX},
        .body = {body, len}};
    return e;
}

static size_t push_size(const struct roam_entry *e)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_PUSH);
    m.u.push.version = e->version;
    m.u.push.prev_version = e->prev_version;
    m.u.push.kind = (roam_v1_Kind)e->kind;
    m.u.push.msg_id = e->msg_id;
    memcpy(m.u.push.conversation, e->conversation.data, e->conversation.len);
    memcpy(m.u.push.sender, e->sender.data, e->sender.len);
    memcpy(m.u.push.content_type, e->content_type.data, e->content_type.len);
    memcpy(m.u.push.conversation_name, e->conversation_name.data,
           e->conversation_name.len);
    memcpy(m.u.push.sender_name, e->sender_name.data, e->sender_name.len);
    m.u.push.client_msg_id = e->client_msg_id;
    m.u.push.cut_size = e->cut_size;
    m.body = e->body;
    return roam_message_size(&m) - ROAM_FRAME_HEADER_BYTES;
}

static void test_the_widest_entry_fits_its_limits(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {
        {ROAM_FRAME_MIN, ROAM_INFLATED_MIN},
        {2048, 1024},
        {65536, 65536},
        {65536, 1024},
        {2048, 1u << 20},
        {ROAM_FRAME_MAX, ROAM_INFLATED_MAX},
    };
    struct roam_packer *p = roam_packer_new();
    uint8_t *body = malloc(ROAM_FRAME_MAX);
    assert_non_null(p);
    assert_non_null(body);
    memset(body, 'x', ROAM_FRAME_MAX);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct roam_pack_limits limits = {sizes[i][0], sizes[i][1], 0};
        uint32_t smaller =
            sizes[i][0] < sizes[i][1] ? sizes[i][0] : sizes[i][1];
        uint32_t limit = roam_body_limit(sizes[i][0], sizes[i][1]);
        assert_int_equal(limit, smaller - 448);
        /* Whole, of an unknown kind too, and cut. */
        struct roam_entry e[3] = {widest_entry(body, limit, 0),
                                  widest_entry(body, limit, UINT32_MAX),
                                  widest_entry(NULL, 0, UINT32_MAX)};
        e[2].cut_size = UINT32_MAX;
        for (size_t n = 0; n < 3; n++) {
            struct roam_message m;
            assert_true(push_size(&e[n]) <= limits.max_frame);
            assert_int_equal(roam_batch_pack(p, &e[n], 1, &limits, &m), 1);
            assert_unpacks_to(&m, &e[n], 1, &limits);
        }
    }
    assert_int_equal(roam_body_limit(447, 1024), 0);
    assert_int_equal(roam_body_limit(448, 1024), 0);
    assert_int_equal(roam_body_limit(449, 1024), 1);
    free(body);
    roam_packer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_random_entries_come_out_as_they_went_in, make_world,
            free_world),
        cmocka_unit_test_setup_teardown(
            test_a_buffer_of_one_kib_takes_a_whole_backlog, make_world,
            free_world),
        cmocka_unit_test_setup_teardown(test_a_compressed_frame_is_filled,
                                        make_world, free_world),
        cmocka_unit_test_setup_teardown(test_the_limits_are_exact, make_world,
                                        free_world),
        cmocka_unit_test_setup_teardown(
            test_a_table_takes_1024_texts_and_no_more, make_world, free_world),
        cmocka_unit_test_setup_teardown(test_texts_of_one_letter_are_told_apart,
                                        make_world, free_world),
        cmocka_unit_test_setup_teardown(
            test_deflate_is_used_only_when_it_is_smaller, make_world,
            free_world),
        cmocka_unit_test_setup_teardown(
            test_a_packer_without_memory_says_so_and_goes_on, make_world,
            free_world),
        cmocka_unit_test_setup_teardown(
            test_rows_that_no_frame_can_hold_are_not_made, make_world,
            free_world),
        cmocka_unit_test(test_the_widest_entry_fits_its_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
