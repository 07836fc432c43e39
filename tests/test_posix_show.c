/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line client shows, line by line, for people and as JSON:
 * every kind of entry, row and answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "attach.h"
#include "attachment.h"
#include "frame.h"
#include "operation.h"
#include "roam_limits.h"
#include "show.h"

#define GROUP(action) roam_v1_GroupAction_##action

static struct roam_options options;
static const struct roam_show out = {&options, NULL, false};

static struct roam_bytes b(const char *text)
{
    struct roam_bytes bytes = {(const uint8_t *)text, strlen(text)};
    return bytes;
}

static struct roam_slice slice(const char *text)
{
    struct roam_slice s = {(const uint8_t *)text, strlen(text)};
    return s;
}

/* Runs with standard output and error in one file; returns what it says. */
static const char *said_by(void (*show)(const void *), const void *what)
{
    static char text[4096];
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stdout);
    int keep_out = dup(STDOUT_FILENO), keep_err = dup(STDERR_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    show(what);
    fflush(stdout);
    dup2(keep_out, STDOUT_FILENO);
    dup2(keep_err, STDERR_FILENO);
    close(keep_out);
    close(keep_err);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void show_event(const void *event)
{
    roam_show_event(&out, event);
}

static void show_row(const void *row)
{
    roam_show_row(&out, row);
}

static void show_conversation(const void *row)
{
    roam_show_conversation(&out, row);
}

/* The JSON form begins with the device; `members` is the rest of it. */
static void is_shown(void (*show)(const void *), const void *what,
                     const char *text, const char *members)
{
    static const char head[] = "{\"device\":\"alice/phone\",\"event\":";
    options.json = false;
    assert_string_equal(said_by(show, what), text);
    options.json = true;
    const char *json = said_by(show, what);
    assert_memory_equal(json, head, strlen(head));
    assert_string_equal(json + strlen(head), members);
}

static int set_up(void **state)
{
    (void)state;
    memset(&options, 0, sizeof options);
    options.user = "alice";
    options.device_type = ROAM_PHONE;
    setenv("TZ", "UTC", 1);
    return 0;
}

/* ------------------------------------------------------------------ entries */

static struct roam_posix_event entry(uint32_t kind, const char *conversation,
                                     const char *sender, struct roam_bytes body)
{
    struct roam_posix_event e;
    memset(&e, 0, sizeof e);
    e.type = ROAM_POSIX_PROTOCOL;
    e.u.engine.type = ROAM_EVENT_ENTRY;
    e.u.engine.u.entry.version = 7;
    e.u.engine.u.entry.prev_version = 5;
    e.u.engine.u.entry.msg_id = 9;
    e.u.engine.u.entry.time_ms = 1;
    e.u.engine.u.entry.kind = kind;
    e.u.engine.u.entry.conversation = b(conversation);
    e.u.engine.u.entry.sender = b(sender);
    e.u.engine.u.entry.body = body;
    return e;
}

#define CHAIN "\"version\":\"7\",\"prev_version\":\"5\",\"batched\":false"
#define ID ",\"msg_id\":\"9\",\"time_ms\":\"1\""
#define BOB ",\"conversation\":\"bob\",\"sender\":\"bob\""
#define WALKS ",\"conversation\":\"#w\",\"sender\":\"bob\""

static struct roam_bytes encode(const struct roam_operation *op,
                                const char *user, const char *other)
{
    static uint8_t body[512];
    const struct roam_slice users[] = {slice(user ? user : ""),
                                       slice(other ? other : "")};
    size_t count = user ? (other ? 2 : 1) : 0;
    struct roam_bytes b = {
        body, roam_operation_encode(op, users, count, body, sizeof body)};
    assert_true(b.len > 0);
    return b;
}

static void operation_is_shown(const struct roam_operation *op,
                               const char *user, const char *other,
                               const char *conversation, const char *text,
                               const char *members)
{
    struct roam_posix_event e =
        entry(op->kind, conversation, "bob", encode(op, user, other));
    is_shown(show_event, &e, text, members);
}

static void test_a_message_is_shown_with_names_where_there_are_some(
    void **state)
{
    (void)state;
    struct roam_posix_event e =
        entry(ROAM_KIND_MESSAGE, "bob", "bob", b("hello"));
    is_shown(show_event, &e, "bob: hello\n",
             "\"message\"," CHAIN ID BOB ",\"body\":\"hello\"}\n");
    struct roam_entry_event *n = &e.u.engine.u.entry;
    n->conversation_name = n->sender_name = b("Bob");
    is_shown(show_event, &e, "Bob <bob>: hello\n",
             "\"message\"," CHAIN ID
             ",\"conversation\":\"bob\",\"conversation_name\":\"Bob\""
             ",\"sender\":\"bob\",\"sender_name\":\"Bob\""
             ",\"body\":\"hello\"}\n");
    n->conversation = b("#w");
    n->conversation_name = b("Walks");
    is_shown(show_event, &e, "Bob <bob> in Walks <#w>: hello\n",
             "\"message\"," CHAIN ID
             ",\"conversation\":\"#w\",\"conversation_name\":\"Walks\""
             ",\"sender\":\"bob\",\"sender_name\":\"Bob\""
             ",\"body\":\"hello\"}\n");
    n->sender = b("alice");
    n->sender_name = b("");
    is_shown(show_event, &e, "me -> Walks <#w>: hello\n",
             "\"message\"," CHAIN ID
             ",\"conversation\":\"#w\",\"conversation_name\":\"Walks\""
             ",\"sender\":\"alice\",\"body\":\"hello\"}\n");
}

static void test_what_is_no_text_is_named(void **state)
{
    (void)state;
    struct roam_posix_event e = entry(ROAM_KIND_MESSAGE, "bob", "bob", b("x"));
    e.u.engine.u.entry.content_type = b("image/png");
    is_shown(show_event, &e, "bob: [image/png 1 bytes]\n",
             "\"message\"," CHAIN ID BOB ",\"content_type\":\"image/png\""
             ",\"body\":\"x\"}\n");
    e.u.engine.u.entry.content_type = b("text/markdown");
    e.u.engine.u.entry.body.len = 0;
    e.u.engine.u.entry.cut_size = 70000;
    is_shown(show_event, &e,
             "bob: [text/markdown 70000 bytes, too long for this device]\n",
             "\"message\"," CHAIN ID BOB ",\"content_type\":\"text/markdown\""
             ",\"cut_size\":70000,\"body\":\"\"}\n");
}

static void test_what_was_taken_back_has_no_body(void **state)
{
    (void)state;
    struct roam_posix_event e = entry(ROAM_KIND_MESSAGE, "bob", "bob", b(""));
    e.u.engine.u.entry.recalled = true;
    is_shown(show_event, &e, "bob: [taken back]\n",
             "\"message\"," CHAIN ID BOB ",\"recalled\":true}\n");
}

static void test_an_operation_on_a_message_names_it(void **state)
{
    (void)state;
    struct roam_operation op = {.kind = ROAM_KIND_RECALL, .msg_id = 8};
    operation_is_shown(&op, NULL, NULL, "bob", "bob: [took back 8]\n",
                       "\"recall\"," CHAIN ID BOB ",\"target\":\"8\"}\n");
    op.kind = ROAM_KIND_DELETE;
    operation_is_shown(&op, NULL, NULL, "bob",
                       "bob: [deleted 8, for this user]\n",
                       "\"delete\"," CHAIN ID BOB ",\"target\":\"8\"}\n");
    op.kind = ROAM_KIND_READ;
    operation_is_shown(&op, NULL, NULL, "bob", "bob: [read up to 8]\n",
                       "\"read\"," CHAIN ID BOB ",\"target\":\"8\"}\n");
}

static void test_an_app_s_data_is_shown_as_it_is_safe(void **state)
{
    (void)state;
    struct roam_operation op = {.kind = ROAM_KIND_APP, .data = slice("a\x1b")};
    operation_is_shown(&op, NULL, NULL, "#w", "bob in #w: [app: a\\x1b]\n",
                       "\"app\"," CHAIN ID WALKS ",\"data\":\"a\\u001b\"}\n");
    op.data = slice("\xff");
    operation_is_shown(
        &op, "carol", "dave", "#w", "bob in #w: [app to carol, dave: \\xff]\n",
        "\"app\"," CHAIN ID WALKS ",\"users\":[\"carol\",\"dave\"]"
        ",\"data_base64\":\"/w==\"}\n");
}

static void test_every_change_of_a_group_has_its_words(void **state)
{
    static const struct {
        uint32_t action;
        const char *user, *other, *name;
        uint32_t join;
        const char *reason, *text, *members;
    } changes[] = {
        {GROUP(CREATE), "carol", "dave", "Walks", 2, "",
         "made the group \"Walks\" with carol, dave",
         "\"CREATE\",\"users\":[\"carol\",\"dave\"],\"name\":\"Walks\""
         ",\"join\":\"approval\""},
        {GROUP(CREATE), NULL, NULL, "", 1, "", "made the group",
         "\"CREATE\",\"join\":\"open\""},
        {GROUP(INVITE), "carol", "dave", "", 0, "", "invited carol, dave",
         "\"INVITE\",\"users\":[\"carol\",\"dave\"]"},
        {GROUP(JOIN), NULL, NULL, "", 0, "me too", "joins, or asks to: me too",
         "\"JOIN\",\"text\":\"me too\""},
        {GROUP(APPROVE), "carol", NULL, "", 0, "", "let in carol",
         "\"APPROVE\",\"users\":[\"carol\"]"},
        {GROUP(DENY), "carol", NULL, "", 0, "", "did not let in carol",
         "\"DENY\",\"users\":[\"carol\"]"},
        {GROUP(LEAVE), NULL, NULL, "", 0, "", "left", "\"LEAVE\""},
        {GROUP(REMOVE), "carol", NULL, "", 0, "", "removed carol",
         "\"REMOVE\",\"users\":[\"carol\"]"},
        {GROUP(RENAME), NULL, NULL, "Hills", 0, "", "called it \"Hills\"",
         "\"RENAME\",\"name\":\"Hills\""},
        {GROUP(SET_ADMIN), "carol", NULL, "", 0, "", "made an admin: carol",
         "\"SET_ADMIN\",\"users\":[\"carol\"]"},
        {GROUP(UNSET_ADMIN), "carol", NULL, "", 0, "",
         "no more an admin: carol", "\"UNSET_ADMIN\",\"users\":[\"carol\"]"},
        {GROUP(MUTE), "carol", NULL, "", 0, "", "muted carol",
         "\"MUTE\",\"users\":[\"carol\"]"},
        {GROUP(MUTE), NULL, NULL, "", 0, "", "muted all", "\"MUTE\""},
        {GROUP(UNMUTE), NULL, NULL, "", 0, "", "lets speak all", "\"UNMUTE\""},
        {GROUP(SET_JOIN), NULL, NULL, "", 3, "", "changed who may join: closed",
         "\"SET_JOIN\",\"join\":\"closed\""},
        {GROUP(TRANSFER), "carol", NULL, "", 0, "", "gave it to carol",
         "\"TRANSFER\",\"users\":[\"carol\"]"},
        {GROUP(DISSOLVE), NULL, NULL, "", 0, "", "dissolved the group",
         "\"DISSOLVE\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct roam_operation op = {.kind = ROAM_KIND_GROUP,
                                    .action = changes[i].action,
                                    .join = changes[i].join,
                                    .name = slice(changes[i].name),
                                    .text = slice(changes[i].reason)};
        char text[128], members[256];
        snprintf(text, sizeof text, "bob in #w: [%s]\n", changes[i].text);
        snprintf(members, sizeof members,
                 "\"group\"," CHAIN ID WALKS ",\"action\":%s}\n",
                 changes[i].members);
        operation_is_shown(&op, changes[i].user, changes[i].other, "#w", text,
                           members);
    }
}

static void test_a_new_device_is_announced(void **state)
{
    (void)state;
    struct roam_operation op = {.kind = ROAM_KIND_DEVICE,
                                .device_type = ROAM_TABLET,
                                .name = slice("Ann's"),
                                .since_ms = 4};
    operation_is_shown(&op, NULL, NULL, "bob",
                       "[new device: tablet \"Ann's\"]\n",
                       "\"device\"," CHAIN ID BOB ",\"device_type\":\"tablet\""
                       ",\"device_name\":\"Ann's\""
                       ",\"since_ms\":\"1577836800004\"}\n");
}

static void test_a_broken_operation_is_no_message(void **state)
{
    (void)state;
    struct roam_posix_event e = entry(ROAM_KIND_RECALL, "bob", "bob", b("x"));
    is_shown(show_event, &e, "bob: [ 1 bytes]\n",
             "\"recall\"," CHAIN ID BOB ",\"body\":\"x\"}\n");
}

static void test_what_later_versions_send_is_for_programs(void **state)
{
    (void)state;
    struct roam_posix_event e = entry(99, "bob", "bob", b("x"));
    is_shown(show_event, &e, "",
             "\"unknown\"," CHAIN ",\"kind\":99" ID BOB ",\"body\":\"x\"}\n");
    e.u.engine.u.entry.kind = ROAM_KIND_NOOP;
    is_shown(show_event, &e, "", "\"noop\"," CHAIN "}\n");
}

static void test_ids_are_shown_to_who_wants_them(void **state)
{
    (void)state;
    struct roam_posix_event e = entry(ROAM_KIND_MESSAGE, "bob", "bob", b("x"));
    struct roam_local_row row;
    memset(&row, 0, sizeof row);
    row.msg_id = 9;
    row.conversation = row.sender = b("bob");
    options.ids = true;
    assert_string_equal(said_by(show_event, &e), "9 bob: x\n");
    assert_string_equal(said_by(show_row, &row),
                        "1970-01-01 00:00:00 9 bob: \n");
}

/* -------------------------------------------------------------- attachments */

static void test_a_file_is_described_and_shown(void **state)
{
    (void)state;
    char path[] = "/tmp/roam-show-XXXXXX", error[ROAM_ATTACH_ERROR_MAX];
    static uint8_t body[ROAM_ATTACH_BODY_MAX];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abc", 3), 3);
    close(fd);
    options.attach = path;
    options.url = "https://example.org/f";
    options.content_type = "image/png";
    size_t len = roam_attach_describe(&options, body, error);
    assert_true(len > 0);
    struct roam_bytes bytes = {body, len};
    struct roam_posix_event e = entry(ROAM_KIND_MESSAGE, "bob", "bob", bytes);
    e.u.engine.u.entry.content_type = b(ROAM_ATTACHMENT_TYPE);
    char text[256], members[512];
    snprintf(text, sizeof text,
             "bob: [attachment %s, image/png, 3 bytes: "
             "https://example.org/f]\n",
             path + strlen("/tmp/"));
    snprintf(members, sizeof members,
             "\"message\"," CHAIN ID BOB ",\"attachment\":{\"sha256\":"
             "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f2001"
             "5ad\",\"size\":\"3\",\"content_type\":\"image/png\","
             "\"name\":\"%s\",\"url\":\"https://example.org/f\","
             "\"thumbnail_bytes\":0}}\n",
             path + strlen("/tmp/"));
    is_shown(show_event, &e, text, members);
    unlink(path);
    assert_int_equal(roam_attach_describe(&options, body, error), 0);
    assert_non_null(strstr(error, path));
}

static void test_a_url_has_its_bound(void **state)
{
    (void)state;
    static char url[ROAM_URL_MAX + 2];
    static uint8_t body[ROAM_ATTACH_BODY_MAX];
    char error[ROAM_ATTACH_ERROR_MAX];
    memset(url, 'u', ROAM_URL_MAX);
    options.attach = "/dev/null";
    options.url = url;
    assert_true(roam_attach_describe(&options, body, error) > 0);
    url[ROAM_URL_MAX] = 'u';
    assert_int_equal(roam_attach_describe(&options, body, error), 0);
    assert_non_null(strstr(error, "too long"));
}

/* ------------------------------------------------------------------ answers */

static struct roam_posix_event engine_event(enum roam_event_type type)
{
    struct roam_posix_event e;
    memset(&e, 0, sizeof e);
    e.type = ROAM_POSIX_PROTOCOL;
    e.u.engine.type = type;
    return e;
}

static void test_members_are_listed_with_their_roles(void **state)
{
    (void)state;
    struct roam_posix_event e = engine_event(ROAM_EVENT_MEMBER);
    e.u.engine.u.member.user = b("bob");
    e.u.engine.u.member.role = ROAM_ROLE_OWNER;
    e.u.engine.u.member.since_msg_id = 4;
    is_shown(show_event, &e, "bob: owner\n",
             "\"member\",\"user\":\"bob\",\"role\":\"owner\",\"muted\":false"
             ",\"since_msg_id\":\"4\"}\n");
    e.u.engine.u.member.name = b("Bob");
    e.u.engine.u.member.muted = true;
    e.u.engine.u.member.role = ROAM_ROLE_MEMBER;
    is_shown(show_event, &e, "Bob <bob>: member, muted\n",
             "\"member\",\"user\":\"bob\",\"name\":\"Bob\",\"role\":\"member\""
             ",\"muted\":true,\"since_msg_id\":\"4\"}\n");
    e = engine_event(ROAM_EVENT_PAGE_END);
    e.u.engine.u.page_end.name = b("Walks");
    e.u.engine.u.page_end.join = ROAM_JOIN_APPROVAL;
    e.u.engine.u.page_end.muted = true;
    e.u.engine.u.page_end.member_count = 3;
    e.u.engine.u.page_end.as_of = 8;
    is_shown(show_event, &e, "-- \"Walks\": 3 members, join: approval, muted\n",
             "\"group_state\",\"name\":\"Walks\",\"join\":\"approval\""
             ",\"muted\":true,\"members\":3,\"as_of\":\"8\"}\n");
}

static void test_sessions_are_listed(void **state)
{
    (void)state;
    struct roam_posix_event e = engine_event(ROAM_EVENT_SESSION);
    e.u.engine.u.session.device_type = ROAM_WATCH;
    e.u.engine.u.session.device_name = b("Ann's");
    e.u.engine.u.session.software = b("x 1");
    e.u.engine.u.session.since_ms = 1000;
    e.u.engine.u.session.last_seen_ms = 61000;
    e.u.engine.u.session.generation = 6;
    is_shown(show_event, &e,
             "watch \"Ann's\", x 1, generation 6, since 1970-01-01 00:00:01, "
             "last seen 1970-01-01 00:01:01\n",
             "\"session\",\"device_type\":\"watch\",\"device_name\":\"Ann's\""
             ",\"software\":\"x 1\",\"since_ms\":\"1000\""
             ",\"last_seen_ms\":\"61000\",\"online\":false,\"self\":false"
             ",\"generation\":\"6\"}\n");
    e.u.engine.u.session.online = true;
    options.json = false;
    assert_string_equal(said_by(show_event, &e),
                        "watch \"Ann's\", x 1, generation 6, since 1970-01-01 "
                        "00:00:01, online\n");
    e.u.engine.u.session.self = true;
    assert_string_equal(said_by(show_event, &e),
                        "watch \"Ann's\", x 1, generation 6, since 1970-01-01 "
                        "00:00:01, this one\n");
    e = engine_event(ROAM_EVENT_PAGE_END);
    is_shown(show_event, &e, "", "\"done\"}\n");
}

static void test_a_no_has_its_reason(void **state)
{
    (void)state;
    struct roam_posix_event e = engine_event(ROAM_EVENT_PAGE_FAILED);
    e.u.engine.u.page_failed.code = roam_v1_ErrorCode_NO_SUCH_DEVICE;
    is_shown(show_event, &e, "-- the server says no: NO_SUCH_DEVICE\n",
             "\"failed\",\"error\":\"NO_SUCH_DEVICE\"}\n");
    const struct roam_operation op = {.kind = ROAM_KIND_RECALL, .msg_id = 8};
    e = engine_event(ROAM_EVENT_SEND_FAILED);
    e.u.engine.u.send_failed.code = roam_v1_ErrorCode_TOO_LATE;
    e.message.client_msg_id = 1;
    e.message.kind = ROAM_KIND_RECALL;
    e.message.conversation = b("bob");
    e.message.body = encode(&op, NULL, NULL);
    is_shown(show_event, &e, "-- not sent to bob (TOO_LATE): [took back 8]\n",
             "\"send_failed\",\"client_msg_id\":\"0000000000000001\""
             ",\"error\":\"TOO_LATE\",\"kind\":\"recall\""
             ",\"conversation\":\"bob\",\"target\":\"8\"}\n");
}

/* -------------------------------------------------------------------- stored
 */

static void test_a_row_of_history_shows_what_its_entry_did(void **state)
{
    (void)state;
    const struct roam_operation op = {.kind = ROAM_KIND_RECALL, .msg_id = 8};
    struct roam_local_row row;
    memset(&row, 0, sizeof row);
    row.msg_id = 9;
    row.time_ms = 1000;
    row.conversation = row.sender = b("bob");
    row.sender_name = b("Bob");
    row.body = b("hello");
    is_shown(show_row, &row, "1970-01-01 00:00:01 Bob <bob>: hello\n",
             "\"message\",\"msg_id\":\"9\",\"time_ms\":\"1000\""
             ",\"conversation\":\"bob\",\"sender\":\"bob\""
             ",\"sender_name\":\"Bob\",\"body\":\"hello\"}\n");
    row.recalled = true;
    is_shown(show_row, &row, "1970-01-01 00:00:01 Bob <bob>: [taken back]\n",
             "\"message\",\"msg_id\":\"9\",\"time_ms\":\"1000\""
             ",\"conversation\":\"bob\",\"sender\":\"bob\""
             ",\"sender_name\":\"Bob\",\"recalled\":true}\n");
    row.kind = ROAM_KIND_RECALL;
    row.recalled = false;
    row.body = encode(&op, NULL, NULL);
    is_shown(show_row, &row, "1970-01-01 00:00:01 Bob <bob>: [took back 8]\n",
             "\"recall\",\"msg_id\":\"9\",\"time_ms\":\"1000\""
             ",\"conversation\":\"bob\",\"sender\":\"bob\""
             ",\"sender_name\":\"Bob\",\"target\":\"8\"}\n");
    memset(&row, 0, sizeof row);
    row.hole = true;
    row.conversation = b("bob");
    is_shown(show_row, &row, "-- messages may be missing here with bob --\n",
             "\"hole\",\"conversation\":\"bob\",\"time_ms\":\"0\"}\n");
}

static void test_a_conversation_shows_mark_unread_and_role(void **state)
{
    (void)state;
    struct roam_local_row row;
    memset(&row, 0, sizeof row);
    row.msg_id = 9;
    row.time_ms = 1000;
    row.conversation = row.sender = b("bob");
    row.body = b("hello");
    is_shown(show_conversation, &row, "1970-01-01 00:00:01 bob: hello\n",
             "\"conversation\",\"hole\":false,\"newest\":\"message\""
             ",\"msg_id\":\"9\",\"time_ms\":\"1000\"" BOB
             ",\"body\":\"hello\",\"read_mark\":\"0\",\"unread\":0"
             ",\"unread_open\":false}\n");
    row.conversation = b("#w");
    row.conversation_name = b("Walks");
    row.read_mark = 3;
    row.unread = 2;
    row.role = ROAM_ROLE_ADMIN;
    is_shown(show_conversation, &row,
             "1970-01-01 00:00:01 bob in Walks <#w>: hello (2 unread) "
             "(admin)\n",
             "\"conversation\",\"hole\":false,\"newest\":\"message\""
             ",\"msg_id\":\"9\",\"time_ms\":\"1000\",\"conversation\":\"#w\""
             ",\"conversation_name\":\"Walks\",\"sender\":\"bob\""
             ",\"body\":\"hello\",\"read_mark\":\"3\",\"unread\":2"
             ",\"unread_open\":false,\"role\":\"admin\"}\n");
    options.json = false;
    row.unread_open = row.hole = true;
    row.role = ROAM_ROLE_NONE;
    assert_string_equal(said_by(show_conversation, &row),
                        "1970-01-01 00:00:01 bob in Walks <#w>: hello (2 or "
                        "more unread) (not a member) (older messages are "
                        "missing)\n");
    row.unread_open = false;
    row.unread = ROAM_UNREAD_MAX - 1;
    assert_null(strstr(said_by(show_conversation, &row), "or more"));
    row.unread = ROAM_UNREAD_MAX;
    assert_non_null(strstr(said_by(show_conversation, &row), "or more"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, set_up)
    const struct CMUnitTest tests[] = {
        T(test_a_message_is_shown_with_names_where_there_are_some),
        T(test_what_is_no_text_is_named),
        T(test_what_was_taken_back_has_no_body),
        T(test_an_operation_on_a_message_names_it),
        T(test_an_app_s_data_is_shown_as_it_is_safe),
        T(test_every_change_of_a_group_has_its_words),
        T(test_a_new_device_is_announced),
        T(test_a_broken_operation_is_no_message),
        T(test_what_later_versions_send_is_for_programs),
        T(test_ids_are_shown_to_who_wants_them),
        T(test_a_file_is_described_and_shown),
        T(test_a_url_has_its_bound),
        T(test_members_are_listed_with_their_roles),
        T(test_sessions_are_listed),
        T(test_a_no_has_its_reason),
        T(test_a_row_of_history_shows_what_its_entry_did),
        T(test_a_conversation_shows_mark_unread_and_role),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
