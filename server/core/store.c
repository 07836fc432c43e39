/* SPDX-License-Identifier: Apache-2.0 */
/* What all stores share: the life of a request. */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "fault.h"
#include "roam.pb.h"

struct roam_store_request *roam_store_request_new(enum roam_store_kind kind,
                                                  size_t extra)
{
    struct roam_store_request *req = roam__alloc(sizeof *req);
    if (req == NULL) {
        return NULL;
    }
    req->kind = kind;
    if (extra > 0) {
        req->memory = roam__alloc(extra);
        if (req->memory == NULL) {
            free(req);
            return NULL;
        }
    }
    return req;
}

void roam_store_request_free(struct roam_store_request *req)
{
    if (req == NULL) {
        return;
    }
    if (req->kind == ROAM_STORE_SEND) {
        free(req->u.send.deliveries);
    } else if (req->kind == ROAM_STORE_LOGIN) {
        free(req->u.login.news.deliveries);
    } else if (req->kind == ROAM_STORE_READ) {
        free(req->u.read.entries);
    } else if (req->kind == ROAM_STORE_HISTORY) {
        free(req->u.history.rows);
    } else if (req->kind == ROAM_STORE_CONVERSATIONS) {
        free(req->u.conversations.rows);
    } else if (req->kind == ROAM_STORE_MEMBERS) {
        free(req->u.members.rows);
    } else if (req->kind == ROAM_STORE_SESSIONS) {
        free(req->u.sessions.rows);
    }
    free(req->results);
    free(req->memory);
    free(req);
}

bool roam_store_send_reserve(struct roam_store_send *send, size_t count)
{
    size_t need = send->delivery_count + count;
    if (need <= send->delivery_room) {
        return true;
    }
    struct roam_delivery *deliveries =
        roam__resize(send->deliveries, need * sizeof *deliveries);
    if (deliveries == NULL) {
        return false;
    }
    send->deliveries = deliveries;
    send->delivery_room = need;
    return true;
}

struct roam_delivery *roam_store_send_deliver(struct roam_store_send *send)
{
    if (send->delivery_count == send->delivery_room &&
        !roam_store_send_reserve(send, 1)) {
        return NULL;
    }
    struct roam_delivery *d = &send->deliveries[send->delivery_count++];
    memset(d, 0, sizeof *d);
    return d;
}

void roam_store_login_announce(struct roam_store_login *login, int64_t user)
{
    const struct roam_operation op = {
        .kind = roam_v1_Kind_DEVICE,
        .name = {(const uint8_t *)login->device_name,
                 strlen(login->device_name)},
        .device_type = ROAM_FAULT("device-misnamed") ? roam_v1_DeviceType_PHONE
                                                     : login->device_type,
        .since_ms = login->now_ms};
    size_t len = roam_operation_encode(&op, NULL, 0, login->news_body,
                                       sizeof login->news_body);
    login->news = (struct roam_store_send){
        .identity = {.user = user},
        .kind = op.kind,
        .conversation = {(const uint8_t *)login->user, strlen(login->user)},
        .body = {login->news_body, len},
        .now_ms = login->now_ms};
}
