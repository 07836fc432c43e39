/* SPDX-License-Identifier: Apache-2.0 */
/* The vectors of spec/vectors/, which another codec wrote: what this one
 * makes of them is printed in the vectors' own words and compared. Their
 * format stands in spec/vectors/README.md. To be run from the top folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "batch.h"
#include "wire_writer.h"

enum {
    LINE_BYTES = 8192,
    TEXT_BYTES = 32768,
    NAME_BYTES = 64
};

struct text {
    char s[TEXT_BYTES];
    size_t len;
};

static void clear(struct text *t)
{
    t->len = 0;
    t->s[0] = '\0';
}

static void add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(t->s + t->len, sizeof t->s - t->len, format, args);
    va_end(args);
    assert_true(len >= 0 && (size_t)len < sizeof t->s - t->len);
    t->len += (size_t)len;
}

struct vector {
    char name[NAME_BYTES];
    uint32_t limit;
    uint32_t codecs;
    size_t max_inflated;
    uint32_t max_rows; /* of a page */
    struct wire_out bytes;
    struct wire_out columns;
    struct text fields;
    struct text rows;
    char error[NAME_BYTES];   /* "": none */
    char refused[NAME_BYTES]; /* likewise */
    bool skip;
};

/* What was seen in all files together, for the test of completeness. */
static struct {
    bool types[256];
    unsigned errors;  /* bit n: ErrorCode n */
    unsigned refused; /* bit n: enum roam_batch_error n */
    unsigned skipped;
} seen;

/* ------------------------------------------------- a message in words */

enum value {
    END,
    U32,
    U64,
    BOOL,
    TEXT,
    DEVICE_ID,
    BODY,
    HOLDER
};

struct member {
    const char *name;
    enum value value;
    size_t offset; /* in struct roam_message, or in roam_v1_Holder */
};

/* clang-format off */
#define M(message, field, value) \
    {#field, value, offsetof(struct roam_message, u.message.field)}
#define B(name) {#name, BODY, offsetof(struct roam_message, body)}
#define LAST {NULL, END, 0}
/* clang-format on */

static const struct member holder[] = {
    {"device_type", U32, offsetof(roam_v1_Holder, device_type)},
    {"device_name", TEXT, offsetof(roam_v1_Holder, device_name)},
    {"since", U64, offsetof(roam_v1_Holder, since)},
    LAST};

static const struct member login[] = {M(login, protocol, U32),
                                      M(login, user, TEXT),
                                      M(login, token, TEXT),
                                      M(login, device_id, DEVICE_ID),
                                      M(login, device_type, U32),
                                      M(login, device_name, TEXT),
                                      M(login, software, TEXT),
                                      M(login, attempt, U64),
                                      M(login, take_over, U64),
                                      M(login, max_frame, U32),
                                      M(login, protocol_min, U32),
                                      M(login, capabilities, U64),
                                      LAST};
static const struct member logout[] = {LAST};
static const struct member sync_[] = {
    M(sync, cursor, U64),      M(sync, max_entries, U32),
    M(sync, max_unacked, U32), M(sync, max_inflated, U32),
    M(sync, codecs, U32),      LAST};
static const struct member ack[] = {M(ack, version, U64), LAST};
static const struct member send_[] = {M(send, client_msg_id, U64),
                                      M(send, conversation, TEXT),
                                      M(send, kind, U32),
                                      M(send, content_type, TEXT),
                                      B(body),
                                      LAST};
static const struct member ping[] = {M(ping, id, U64), LAST};
static const struct member login_ok[] = {
    M(login_ok, generation, U64),   M(login_ok, head, U64),
    M(login_ok, floor, U64),        M(login_ok, max_frame, U32),
    M(login_ok, max_body, U32),     M(login_ok, max_commands, U32),
    M(login_ok, heartbeat_ms, U32), M(login_ok, dedup_ms, U64),
    M(login_ok, protocol, U32),     M(login_ok, capabilities, U64),
    M(login_ok, timeline_ms, U64),  M(login_ok, timeline_entries, U32),
    M(login_ok, history_ms, U64),   M(login_ok, recall_ms, U64),
    M(login_ok, max_members, U32),  LAST};
static const struct member refused[] = {
    M(refused, reason, U32),         M(refused, retry, U32),
    M(refused, generation, U64),     M(refused, holder, HOLDER),
    M(refused, protocol_min, U32),   M(refused, protocol_max, U32),
    M(refused, retry_after_ms, U32), LAST};
static const struct member kick[] = {
    M(kick, reason, U32),         M(kick, retry, U32),
    M(kick, retry_after_ms, U32), M(kick, generation, U64),
    M(kick, holder, HOLDER),      M(kick, error, U32),
    M(kick, detail, TEXT),        LAST};
static const struct member sync_ok[] = {
    M(sync_ok, result, U32),      M(sync_ok, head, U64),
    M(sync_ok, floor, U64),       M(sync_ok, reason, U32),
    M(sync_ok, max_unacked, U32), LAST};
static const struct member push[] = {
    M(push, version, U64),       M(push, prev_version, U64),
    M(push, kind, U32),          M(push, msg_id, U64),
    M(push, conversation, TEXT), M(push, sender, TEXT),
    M(push, content_type, TEXT), M(push, cut_size, U32),
    M(push, client_msg_id, U64), B(body),
    M(push, recalled, BOOL),     M(push, conversation_name, TEXT),
    M(push, sender_name, TEXT),  LAST};
static const struct member batch[] = {M(batch, prev_version, U64),
                                      M(batch, last_version, U64),
                                      M(batch, count, U32),
                                      M(batch, codec, U32),
                                      M(batch, inflated_size, U32),
                                      B(payload),
                                      LAST};
static const struct member send_ok[] = {
    M(send_ok, client_msg_id, U64), M(send_ok, msg_id, U64),
    M(send_ok, duplicate, BOOL), M(send_ok, conversation, TEXT), LAST};
static const struct member pong[] = {M(pong, id, U64), M(pong, head, U64),
                                     LAST};
static const struct member error_[] = {
    M(error, code, U32),    M(error, retry, U32),          M(error, ref, U64),
    M(error, detail, TEXT), M(error, retry_after_ms, U32), LAST};

static const struct member history[] = {M(history, ref, U64),
                                        M(history, conversation, TEXT),
                                        M(history, before, U64),
                                        M(history, after, U64),
                                        M(history, max_rows, U32),
                                        M(history, max_inflated, U32),
                                        M(history, codecs, U32),
                                        M(history, operations_only, BOOL),
                                        LAST};
static const struct member conversations[] = {
    M(conversations, ref, U64),
    M(conversations, before, U64),
    M(conversations, conversation, TEXT),
    M(conversations, max_rows, U32),
    M(conversations, max_inflated, U32),
    M(conversations, codecs, U32),
    LAST};
static const struct member history_page[] = {
    M(history_page, ref, U64),
    M(history_page, more, BOOL),
    M(history_page, count, U32),
    M(history_page, codec, U32),
    M(history_page, inflated_size, U32),
    B(payload),
    LAST};
static const struct member conversation_page[] = {
    M(conversation_page, ref, U64),           M(conversation_page, more, BOOL),
    M(conversation_page, count, U32),         M(conversation_page, codec, U32),
    M(conversation_page, inflated_size, U32), B(payload),
    M(conversation_page, as_of, U64),         LAST};

static const struct member members[] = {
    M(members, ref, U64), M(members, conversation, TEXT),
    M(members, after, TEXT), M(members, max_rows, U32), LAST};
static const struct member sessions[] = {M(sessions, ref, U64),
                                         M(sessions, after, U32), LAST};
static const struct member end_session[] = {
    M(end_session, ref, U64), M(end_session, device_type, U32),
    M(end_session, generation, U64), LAST};
static const struct member member_page[] = {M(member_page, ref, U64),
                                            M(member_page, more, BOOL),
                                            M(member_page, count, U32),
                                            M(member_page, as_of, U64),
                                            M(member_page, name, TEXT),
                                            M(member_page, join, U32),
                                            M(member_page, muted, BOOL),
                                            M(member_page, member_count, U32),
                                            B(rows),
                                            LAST};
static const struct member session_list[] = {
    M(session_list, ref, U64), M(session_list, more, BOOL),
    M(session_list, count, U32), B(rows), LAST};
static const struct member session_ended[] = {M(session_ended, ref, U64), LAST};

static const struct member *members_of(uint8_t type)
{
    switch (type) {
    case ROAM_HISTORY:
        return history;
    case ROAM_CONVERSATIONS:
        return conversations;
    case ROAM_HISTORY_PAGE:
        return history_page;
    case ROAM_CONVERSATION_PAGE:
        return conversation_page;
    case ROAM_MEMBERS:
        return members;
    case ROAM_SESSIONS:
        return sessions;
    case ROAM_END_SESSION:
        return end_session;
    case ROAM_MEMBER_PAGE:
        return member_page;
    case ROAM_SESSION_LIST:
        return session_list;
    case ROAM_SESSION_ENDED:
        return session_ended;
    case ROAM_LOGIN:
        return login;
    case ROAM_LOGOUT:
        return logout;
    case ROAM_SYNC:
        return sync_;
    case ROAM_ACK:
        return ack;
    case ROAM_SEND:
        return send_;
    case ROAM_PING:
        return ping;
    case ROAM_LOGIN_OK:
        return login_ok;
    case ROAM_REFUSED:
        return refused;
    case ROAM_KICK:
        return kick;
    case ROAM_SYNC_OK:
        return sync_ok;
    case ROAM_PUSH:
        return push;
    case ROAM_BATCH:
        return batch;
    case ROAM_SEND_OK:
        return send_ok;
    case ROAM_PONG:
        return pong;
    case ROAM_ERROR:
        return error_;
    default:
        fail_msg("type 0x%02x", type);
        return NULL;
    }
}

static void add_hex(struct text *t, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        add(t, "%02x", data[i]);
    }
}

static void add_value(struct text *t, const char *prefix, const char *name,
                      enum value value, const void *at)
{
    const struct roam_slice *slice = at;
    const roam_v1_Login_device_id_t *id = at;
    uint64_t number = value == U64   ? *(const uint64_t *)at
                      : value == U32 ? *(const uint32_t *)at
                                     : 0;
    if ((value == U64 || value == U32) && number != 0) {
        add(t, "%s%s %llu\n", prefix, name, (unsigned long long)number);
    } else if (value == BOOL && *(const bool *)at) {
        add(t, "%s%s true\n", prefix, name);
    } else if (value == TEXT && *(const char *)at != '\0') {
        add(t, "%s%s \"%s\"\n", prefix, name, (const char *)at);
    } else if (value == DEVICE_ID && id->size != 0) {
        add(t, "%s%s ", prefix, name);
        add_hex(t, id->bytes, id->size);
        add(t, "\n");
    } else if (value == BODY && slice->len != 0) {
        add(t, "%s%s ", prefix, name);
        add_hex(t, slice->data, slice->len);
        add(t, "\n");
    }
}

static void add_holder(struct text *t, const struct roam_message *m)
{
    bool there =
        m->type == ROAM_KICK ? m->u.kick.has_holder : m->u.refused.has_holder;
    const roam_v1_Holder *h =
        m->type == ROAM_KICK ? &m->u.kick.holder : &m->u.refused.holder;
    if (there) {
        add(t, "holder\n");
        for (const struct member *f = holder; f->value != END; f++) {
            add_value(t, "holder.", f->name, f->value,
                      (const uint8_t *)h + f->offset);
        }
    }
}

static void add_message(struct text *t, const struct roam_message *m)
{
    for (const struct member *f = members_of(m->type); f->value != END; f++) {
        if (f->value == HOLDER) {
            add_holder(t, m);
        } else {
            add_value(t, "", f->name, f->value, (const uint8_t *)m + f->offset);
        }
    }
}

static void add_text(struct text *t, const char *name, struct roam_slice s)
{
    if (s.len != 0) {
        add(t, " %s \"%.*s\"", name, (int)s.len, (const char *)s.data);
    }
}

static void add_number(struct text *t, const char *name, uint64_t value)
{
    if (value != 0) {
        add(t, " %s %llu", name, (unsigned long long)value);
    }
}

static void add_row(struct text *t, const struct roam_entry *e)
{
    if (e->version != 0) { /* in a page there is none */
        add(t, "version %llu prev_version %llu ",
            (unsigned long long)e->version,
            (unsigned long long)e->prev_version);
    }
    add(t, "kind %u", (unsigned)e->kind);
    add_number(t, "msg_id", e->msg_id);
    add_text(t, "conversation", e->conversation);
    add_text(t, "sender", e->sender);
    add_text(t, "content_type", e->content_type);
    add_number(t, "cut_size", e->cut_size);
    add_number(t, "client_msg_id", e->client_msg_id);
    if (e->body.len != 0) {
        add(t, " body ");
        add_hex(t, e->body.data, e->body.len);
    }
    add(t, "%s", e->recalled ? " recalled true" : "");
    add_text(t, "conversation_name", e->conversation_name);
    add_text(t, "sender_name", e->sender_name);
    add_number(t, "read_mark", e->read_mark);
    add_number(t, "unread", e->unread);
    add_number(t, "role", e->role);
    add(t, "\n");
}

static const char *error_name(roam_v1_ErrorCode code)
{
    switch (code) {
    case roam_v1_ErrorCode_MALFORMED:
        return "MALFORMED";
    case roam_v1_ErrorCode_FIELD_RANGE:
        return "FIELD_RANGE";
    case roam_v1_ErrorCode_INVALID_UTF8:
        return "INVALID_UTF8";
    case roam_v1_ErrorCode_FRAME_UNKNOWN:
        return "FRAME_UNKNOWN";
    case roam_v1_ErrorCode_FRAME_TOO_LONG:
        return "FRAME_TOO_LONG";
    default:
        return "";
    }
}

/* ---------------------------------------------------------- one vector */

static void assert_words(const struct vector *v, const char *what,
                         const char *got, const char *want)
{
    if (strcmp(got, want) != 0) {
        fail_msg("%s: %s:\n%s\ninstead of:\n%s", v->name, what, got, want);
    }
}

/* Encoding what was decoded gives the same message; the same bytes, too, if
 * there were no unknown fields. */
static void check_encoding(const struct vector *v, const struct roam_message *m)
{
    static uint8_t frame[WIRE_OUT_BYTES];
    static struct text again;
    struct roam_message back;
    size_t size = roam_message_encode(m, frame, sizeof frame);
    assert_true(size >= ROAM_FRAME_HEADER_BYTES);
    /* as_of stands behind the payload there, before it here; and so do the
     * names and the body of a PUSH. */
    if (size == v->bytes.len && m->type != ROAM_CONVERSATION_PAGE &&
        m->type != ROAM_PUSH) {
        assert_memory_equal(frame, v->bytes.bytes, size);
    }
    struct roam_slice payload = {frame + ROAM_FRAME_HEADER_BYTES,
                                 size - ROAM_FRAME_HEADER_BYTES};
    assert_int_equal(roam_message_decode(m->type, payload, &back), 0);
    clear(&again);
    add_message(&again, &back);
    assert_words(v, "fields, encoded again", again.s, v->fields.s);
}

static bool is_batch(const struct roam_message *m)
{
    return m->type == ROAM_BATCH;
}

static enum roam_batch_error open_rows(const struct vector *v,
                                       const struct roam_message *m,
                                       struct roam_unpack *u, uint8_t *buf,
                                       size_t cap)
{
    return is_batch(m)
               ? roam_unpack_open(u, m, v->codecs, buf, cap)
               : roam_unpack_open_page(u, m, v->max_rows, v->codecs, buf, cap);
}

/* What our packer makes of the rows unpacks to these rows, too. */
static void check_packing(const struct vector *v, const struct roam_message *m,
                          const struct roam_entry *entries, size_t count)
{
    const struct roam_pack_limits limits = {65536, 65536, v->codecs};
    struct roam_packer *p = roam_packer_new();
    struct roam_message ours;
    struct roam_unpack u;
    struct roam_entry e;
    static uint8_t buf[65536];
    static struct text rows;
    assert_non_null(p);
    roam_message_init(&ours, m->type);
    assert_int_equal(is_batch(m)
                         ? roam_batch_pack(p, entries, count, &limits, &ours)
                         : roam_page_pack(p, entries, count, &limits, &ours),
                     count);
    assert_int_equal(open_rows(v, &ours, &u, buf, sizeof buf), ROAM_BATCH_OK);
    clear(&rows);
    while (roam_unpack_next(&u, &e)) {
        add_row(&rows, &e);
    }
    assert_words(v, "rows, packed again", rows.s, v->rows.s);
    if (strcmp(v->name, "batch-example") == 0) {
        assert_int_equal(ours.body.len, m->body.len);
        assert_memory_equal(ours.body.data, m->body.data, m->body.len);
    }
    roam_packer_free(p);
}

/* What BATCH and the pages have in common. */
static void look_inside(const struct roam_message *m, uint32_t *count,
                        uint32_t *codec, uint32_t *inflated_size)
{
    if (is_batch(m)) {
        *count = m->u.batch.count;
        *codec = m->u.batch.codec;
        *inflated_size = m->u.batch.inflated_size;
    } else if (m->type == ROAM_HISTORY_PAGE) {
        *count = m->u.history_page.count;
        *codec = m->u.history_page.codec;
        *inflated_size = m->u.history_page.inflated_size;
    } else {
        *count = m->u.conversation_page.count;
        *codec = m->u.conversation_page.codec;
        *inflated_size = m->u.conversation_page.inflated_size;
    }
}

static void check_rows(const struct vector *v, const struct roam_message *m)
{
    static const char *const names[] = {"",        "CODEC", "SIZE",  "INFLATE",
                                        "COLUMNS", "COUNT", "TABLE", "BODIES",
                                        "CHAIN",   "ROW"};
    enum {
        ROWS = 64
    };
    struct roam_entry entries[ROWS];
    struct roam_unpack u;
    size_t count = 0;
    uint8_t *buf = malloc(v->max_inflated);
    assert_non_null(buf);
    enum roam_batch_error error = open_rows(v, m, &u, buf, v->max_inflated);
    assert_words(v, "refused", names[error], v->refused);
    seen.refused |= 1u << error;
    if (error == ROAM_BATCH_OK) {
        static struct text rows;
        uint32_t told, codec, inflated_size;
        look_inside(m, &told, &codec, &inflated_size);
        const uint8_t *columns = codec == 0 ? m->body.data : buf;
        assert_int_equal(inflated_size, v->columns.len);
        if (inflated_size != 0) {
            assert_memory_equal(columns, v->columns.bytes, v->columns.len);
        }
        clear(&rows);
        while (count < ROWS && roam_unpack_next(&u, &entries[count])) {
            add_row(&rows, &entries[count++]);
        }
        assert_int_equal(count, told);
        assert_words(v, "rows", rows.s, v->rows.s);
        check_packing(v, m, entries, count);
    }
    free(buf);
}

static void check_vector(const struct vector *v)
{
    struct roam_reader reader;
    struct roam_message m;
    static struct text fields;
    uint8_t type;
    struct roam_slice payload;
    struct roam_slice in = wire_slice(&v->bytes);
    roam_v1_ErrorCode error = roam_v1_ErrorCode_ERROR_UNSPECIFIED;
    bool skip = false;
    roam_reader_init(&reader, NULL, 0, v->limit);
    enum roam_reader_result result =
        roam_reader_next(&reader, &in, &type, &payload);
    if (result == ROAM_READER_TOO_LONG) {
        error = roam_v1_ErrorCode_FRAME_TOO_LONG;
    } else {
        assert_int_equal(result, ROAM_READER_FRAME);
        assert_int_equal(in.len, 0);
        if (roam_frame_name(type) != NULL) {
            error = roam_message_decode(type, payload, &m);
        } else if ((type & ROAM_FRAME_IGNORABLE) != 0) {
            skip = true;
        } else {
            error = roam_v1_ErrorCode_FRAME_UNKNOWN;
        }
    }
    assert_words(v, "error", error_name(error), v->error);
    assert_int_equal(skip, v->skip);
    seen.errors |= 1u << error;
    seen.skipped += skip ? 1 : 0;
    if (error != roam_v1_ErrorCode_ERROR_UNSPECIFIED || skip) {
        return;
    }
    seen.types[type] = true;
    clear(&fields);
    add_message(&fields, &m);
    assert_words(v, "fields", fields.s, v->fields.s);
    check_encoding(v, &m);
    if (v->max_inflated != 0) {
        check_rows(v, &m);
    }
}

/* ------------------------------------------------------------ the files */

/* A line that starts a section; the indented ones behind it belong there. */
static void read_section(struct vector *v, char *line)
{
    unsigned long max_inflated;
    unsigned max_rows = 0;
    if (sscanf(line, "limit %u", &v->limit) == 1 ||
        sscanf(line, "error %63s", v->error) == 1 ||
        sscanf(line, "refused %63s", v->refused) == 1) {
        return;
    }
    if (sscanf(line, "offer %u %lu %u", &v->codecs, &max_inflated, &max_rows) >=
        2) {
        v->max_inflated = max_inflated;
        v->max_rows = max_rows;
    } else if (strcmp(line, "skip") == 0) {
        v->skip = true;
    } else if (strcmp(line, "bytes") != 0 && strcmp(line, "columns") != 0 &&
               strcmp(line, "fields") != 0 && strcmp(line, "rows") != 0) {
        fail_msg("%s: %s?", v->name, line);
    }
}

static void read_content(struct vector *v, char section, char *line)
{
    char *content = line + strspn(line, " ");
    if (section == 'f') {
        add(&v->fields, "%s\n", content);
    } else if (section == 'r') {
        add(&v->rows, "%s\n", content);
    } else {
        content[strcspn(content, "#")] = '\0';
        wire_put_hex(section == 'b' ? &v->bytes : &v->columns, content);
    }
}

static void check_file(const char *name)
{
    static struct vector v;
    static char line[LINE_BYTES];
    char section = 0;
    unsigned vectors = 0;
    char path[NAME_BYTES];
    (void)snprintf(path, sizeof path, "spec/vectors/%s", name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("%s cannot be opened; run from the top folder", path);
    }
    while (fgets(line, sizeof line, file) != NULL) {
        size_t len = strcspn(line, "\n");
        assert_true(line[len] == '\n'); /* else it is cut */
        line[len] = '\0';
        if (len == 0 || line[0] == '#') {
            continue;
        }
        if (strncmp(line, "vector ", 7) == 0) {
            if (vectors++ != 0) {
                check_vector(&v);
            }
            memset(&v, 0, sizeof v);
            v.limit = 65536;
            (void)snprintf(v.name, sizeof v.name, "%.63s", line + 7);
        } else if (line[0] == ' ') {
            read_content(&v, section, line);
        } else {
            section = line[0];
            read_section(&v, line);
        }
    }
    (void)fclose(file);
    assert_true(vectors != 0);
    check_vector(&v);
}

static void test_frames_from_clients_are_read(void **state)
{
    (void)state;
    check_file("client.txt");
}

static void test_frames_from_servers_are_read(void **state)
{
    (void)state;
    check_file("server.txt");
}

static void test_bad_frames_are_refused_with_their_codes(void **state)
{
    (void)state;
    check_file("reject.txt");
}

static void test_batches_are_unpacked(void **state)
{
    (void)state;
    check_file("batch.txt");
}

static void test_the_worked_example_is_right_to_the_byte(void **state)
{
    (void)state;
    check_file("batch-example.txt");
}

static void test_bad_batches_are_refused_with_their_reasons(void **state)
{
    (void)state;
    check_file("batch-reject.txt");
}

static void test_pages_are_unpacked(void **state)
{
    (void)state;
    check_file("page.txt");
}

static void test_bad_pages_are_refused_with_their_reasons(void **state)
{
    (void)state;
    check_file("page-reject.txt");
}

/* Runs last. */
static void test_every_type_error_and_reason_has_a_vector(void **state)
{
    (void)state;
    for (unsigned type = 0; type <= 0xff; type++) {
        assert_int_equal(seen.types[type],
                         roam_frame_name((uint8_t)type) != NULL);
    }
    assert_int_equal(seen.errors, 1u << roam_v1_ErrorCode_ERROR_UNSPECIFIED |
                                      1u << roam_v1_ErrorCode_FRAME_TOO_LONG |
                                      1u << roam_v1_ErrorCode_FRAME_UNKNOWN |
                                      1u << roam_v1_ErrorCode_MALFORMED |
                                      1u << roam_v1_ErrorCode_FIELD_RANGE |
                                      1u << roam_v1_ErrorCode_INVALID_UTF8);
    assert_int_equal(seen.refused, (1u << (ROAM_BATCH_ROW + 1)) - 1);
    assert_true(seen.skipped != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_from_clients_are_read),
        cmocka_unit_test(test_frames_from_servers_are_read),
        cmocka_unit_test(test_bad_frames_are_refused_with_their_codes),
        cmocka_unit_test(test_batches_are_unpacked),
        cmocka_unit_test(test_the_worked_example_is_right_to_the_byte),
        cmocka_unit_test(test_bad_batches_are_refused_with_their_reasons),
        cmocka_unit_test(test_pages_are_unpacked),
        cmocka_unit_test(test_bad_pages_are_refused_with_their_reasons),
        cmocka_unit_test(test_every_type_error_and_reason_has_a_vector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
