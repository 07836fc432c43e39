/* SPDX-License-Identifier: Apache-2.0 */
/* status: what is on this device, without the server, also while another
 * command of this device runs. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "commands.h"
#include "profile.h"
#include "store.h"
#include "text.h"

struct status {
    const struct roam_profile *profile;
    struct roam_local_device device;
    struct roam_local_counts counts;
    char device_id[2 * 16 + 1];
};

static void status_as_json(struct roam_text *t, const struct status *s)
{
    roam_text_printf(t, "{");
    roam_text_add_json_text(t, "user", s->device.user);
    roam_text_add_json_text(t, "device_type",
                            roam_device_type_name(s->device.device_type));
    roam_text_add_json_text(t, "device_name", s->profile->device_name);
    roam_text_add_json_text(t, "device_id", s->device_id);
    roam_text_add_json_text(t, "server", s->profile->server);
    roam_text_add_json_text(t, "state", s->profile->directory);
    roam_text_add_json_u64(t, "attempt", s->device.attempt);
    roam_text_add_json_u64(t, "cursor", s->device.cursor);
    roam_text_add_json_u64(t, "messages", s->counts.messages);
    roam_text_add_json_u64(t, "outbox", s->counts.outbox);
    roam_text_add_json_u64(t, "holes", s->counts.holes);
    roam_text_add_json_bool(t, "survey_due", s->counts.survey_due);
    roam_text_add_json_u64(t, "unknown_entries", s->counts.unknown);
    roam_text_printf(t, "}\n");
}

static void status_as_text(struct roam_text *t, const struct status *s)
{
    roam_text_printf(
        t, "user     %s\ndevice   %s \"%s\", id %s\nserver   %s\nstate    %s\n",
        s->device.user, roam_device_type_name(s->device.device_type),
        s->profile->device_name, s->device_id,
        s->profile->server[0] ? s->profile->server : "(not remembered)",
        s->profile->directory);
    roam_text_printf(t,
                     "attempt  %" PRIu64 "\ncursor   %" PRIu64
                     "\nmessages %" PRIu64 "\noutbox   %" PRIu64
                     "\nholes    %" PRIu64 "%s\n",
                     s->device.attempt, s->device.cursor, s->counts.messages,
                     s->counts.outbox, s->counts.holes,
                     s->counts.survey_due ? ", others not known yet" : "");
}

enum roam_exit roam_command_status(const struct roam_options *o)
{
    struct roam_profile profile;
    struct status s = {.profile = &profile};
    struct roam_text t = {0};
    struct roam_local *store = roam_open_store(o, &profile);
    if (!store) {
        return ROAM_EXIT_FAILED;
    }
    roam_local_device(store, &s.device);
    for (size_t i = 0; i < sizeof s.device.device_id; i++) {
        sprintf(s.device_id + 2 * i, "%02x", s.device.device_id[i]);
    }
    bool good = roam_local_count(store, &s.counts) == ROAM_POSIX_STATUS_OK;
    if (!good) {
        fprintf(stderr, "roam: %s\n", roam_local_error(store));
    } else if (o->json) {
        status_as_json(&t, &s);
    } else {
        status_as_text(&t, &s);
    }
    good = good && roam_text_print(&t);
    roam_text_free(&t);
    roam_local_close(store);
    return good ? ROAM_EXIT_OK : ROAM_EXIT_FAILED;
}
