/* SPDX-License-Identifier: Apache-2.0 */
/* What the claims about stores are written with: one request after another,
 * each made, submitted, and waited for. Only for the files of the store
 * suite; the store under test is probe_suite->store. */
#ifndef ROAM_TEST_STORE_PROBE_H
#define ROAM_TEST_STORE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store_suite.h"

#define PHONE ((uint32_t)roam_v1_DeviceType_PHONE)
#define DESKTOP ((uint32_t)roam_v1_DeviceType_DESKTOP)
/* A time in 2026, in milliseconds since 2020: that of all requests whose
 * maker names no other. */
#define NOW_MS 190000000000ull
#define WEEK_MS (7ull * 86400 * 1000)

extern struct store_suite *probe_suite; /* of the run under way */

/* Each with a fresh store that has the users alice and bob, with a token for
 * each of PROBE_DEVICES: "alice-token" for device 1, "alice-token-2"... */
#define PROBE_DEVICES 20u
#define PROBE_CLAIM(test)                                                      \
    cmocka_unit_test_setup_teardown(test, probe_fresh, probe_done)
int probe_fresh(void **state);
int probe_done(void **state);
int store_suite_login(void);
int store_suite_send(void);
int store_suite_read(void);
int store_suite_pages(void);
int store_suite_operations(void);
int store_suite_names(void);
int store_suite_groups(void);
int store_suite_spans(void);
int store_suite_walk(void);
int store_suite_keep(void);
int store_suite_devices(void);
int store_suite_news(void);

/* ---------------------------------------------------------------- requests */

/* Every request that is made here is the caller's to free, when answered. */
struct roam_store_request *probe_make(enum roam_store_kind kind, size_t extra);
/* *done counts answers; the request's tag becomes its place among them. */
void probe_submit(struct roam_store_request *req, unsigned *done);
/* Polls until that many answers came. */
void probe_wait(const unsigned *done, unsigned count);
/* Submits and waits. */
void probe_answer(struct roam_store_request *req);

struct probe_login {
    const char *user;
    const char *token; /* NULL: the device's */
    uint8_t device;
    uint32_t type;
    uint64_t attempt, take_over;
    uint64_t now_ms; /* 0: NOW_MS */
};
struct roam_store_request *probe_make_login(const struct probe_login *in);
struct roam_store_login probe_login(const struct probe_login *in);
/* Logs in where that must be granted. */
struct roam_identity probe_enter(const char *user, uint8_t device,
                                 uint32_t type, uint64_t attempt,
                                 uint64_t take_over);
/* False: fenced. */
bool probe_logout(const struct roam_identity *who, uint64_t *generation);
/* The holder told must be this device, a phone. */
void probe_check_holder(const struct roam_store_login *l, uint8_t device,
                        uint64_t since_ms);

struct roam_store_request *probe_make_send_of(const struct roam_identity *who,
                                              uint64_t id, const char *to,
                                              struct roam_slice type,
                                              struct roam_slice body);
/* The same with "text/plain" and a text. */
struct roam_store_request *probe_make_send(const struct roam_identity *who,
                                           uint64_t id, const char *to,
                                           const char *body);
struct probe_sent {
    enum roam_send_result result;
    uint32_t error; /* with REFUSED */
    uint64_t msg_id;
    size_t count; /* of deliveries */
};
struct probe_sent probe_send_at(const struct roam_identity *who, uint64_t id,
                                const char *to, const char *body,
                                uint64_t now_ms);
struct probe_sent probe_send(const struct roam_identity *who, uint64_t id,
                             const char *to, const char *body);
/* Sends what must be stored; returns its msg_id. */
uint64_t probe_must_send(const struct roam_identity *who, uint64_t id,
                         const char *to, const char *body);

/* An operation as the core hands it to a store; it names these users. */
struct roam_store_request *probe_make_naming(const struct roam_identity *who,
                                             uint64_t id, const char *to,
                                             const struct roam_operation *op,
                                             const char *const *users,
                                             size_t count);
/* The same that names nobody. */
struct roam_store_request *probe_make_operation(
    const struct roam_identity *who, uint64_t id, const char *to,
    const struct roam_operation *op);
struct probe_sent probe_operate_at(const struct roam_identity *who, uint64_t id,
                                   const char *to,
                                   const struct roam_operation *op,
                                   uint64_t now_ms);
/* RECALL, DELETE or READ of a target. */
struct probe_sent probe_aim(const struct roam_identity *who, uint64_t id,
                            const char *to, uint32_t kind, uint64_t target);
/* The same where it must be stored; returns its msg_id. */
uint64_t probe_must_aim(const struct roam_identity *who, uint64_t id,
                        const char *to, uint32_t kind, uint64_t target);

/* The whole history, or the whole list, answered. */
struct roam_store_request *probe_history(const struct roam_identity *who,
                                         const char *conversation,
                                         bool operations_only);
struct roam_store_request *probe_conversations(const struct roam_identity *who);

struct roam_store_sync probe_sync(const struct roam_identity *who,
                                  uint64_t cursor, uint64_t head,
                                  uint32_t max_entries);
/* With bounds that nothing in the suite reaches. */
struct roam_store_request *probe_make_read(const struct roam_identity *who,
                                           uint64_t after, uint64_t upto);
/* All retained entries, answered. */
struct roam_store_request *probe_read_all(const struct roam_identity *who);
uint64_t probe_head(const struct roam_identity *who);

/* With bounds that nothing in the suite reaches. */
struct roam_store_request *probe_make_history(const struct roam_identity *who,
                                              const char *conversation,
                                              uint64_t before, uint64_t after);
struct roam_store_request *probe_make_list(const struct roam_identity *who,
                                           uint64_t before,
                                           const char *conversation);

struct roam_slice probe_text(const char *s);
void probe_assert_slice(struct roam_slice got, const char *want);

#endif
