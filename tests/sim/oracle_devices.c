/* SPDX-License-Identifier: Apache-2.0 */
/* What a user hears of new devices: entries that no session sent. [DEV-7],
 * [DEV-8], [DEV-9] */
#include "oracle.h"

#include <string.h>

#include "operation.h"
#include "oracle_state.h"
#include "roam.pb.h"
#include "server.h"

static struct roam_bytes body_of(struct sim_world *w,
                                 const struct roam_store_login *in)
{
    const struct roam_operation op = {
        .kind = roam_v1_Kind_DEVICE,
        .name = {(const uint8_t *)in->device_name, strlen(in->device_name)},
        .device_type = in->device_type,
        .since_ms = in->now_ms};
    size_t room = strlen(in->device_name) + 32;
    uint8_t *body = sim_alloc(w, room);
    size_t len = roam_operation_encode(&op, NULL, 0, body, room);
    return (struct roam_bytes){body, len};
}

void sim_oracle_note_device(struct sim_world *w, uint32_t user,
                            const struct sim_id *device,
                            const struct roam_store_login *in)
{
    static const struct roam_bytes none;
    struct sim_oracle *o = w->oracle;
    bool has_other = false;
    for (size_t i = 0; i < o->known_count; i++) {
        if (o->known[i].user == user &&
            sim_same_id(&o->known[i].device, device)) {
            return;
        }
        has_other = has_other || o->known[i].user == user;
    }
    o->known =
        sim_grow(o->known, &o->known_cap, o->known_count, sizeof *o->known);
    o->known[o->known_count++] = (struct sim_known){user, *device};
    if (!has_other || !w->server->config.store_settings.announce_devices) {
        return;
    }
    struct sim_message *m = sim_oracle_message_new(
        w, user, sim_oracle_party_name(w, user), none, body_of(w, in));
    m->kind = roam_v1_Kind_DEVICE;
    m->stored = true;
    m->order = ++o->stored_count;
    m->stored_ms = in->now_ms;
    m->lines = 1u << user;
    sim_oracle_due(w, m);
}
