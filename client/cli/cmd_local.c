/* SPDX-License-Identifier: Apache-2.0 */
/* history and status: what is on this device, without the server, also while
 * another command of this device runs. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "commands.h"
#include "show.h"
#include "profile.h"
#include "text.h"

/* NULL: said on standard error already. */
static struct roam_local *open_store(const struct roam_options *o,
                                     struct roam_profile *profile)
{
    char error[ROAM_POSIX_DETAIL_MAX];
    struct roam_local *store = NULL;
    if (!roam_profile_load(profile, o, error)) {
        fprintf(stderr, "roam: %s\n", error);
        return NULL;
    }
    if (access(profile->store, F_OK) != 0 && errno == ENOENT) {
        fprintf(stderr,
                "roam: %s: nothing is stored yet; `roam login` is"
                " first\n",
                profile->directory);
        return NULL;
    }
    enum roam_posix_status status =
        roam_local_open(profile->store, o->user, o->device_type,
                        ROAM_LOCAL_READ, &store, error);
    if (status != ROAM_POSIX_STATUS_OK) {
        fprintf(stderr, "roam: %s: %s\n", roam_posix_status_text(status),
                error);
    }
    return store;
}

static enum roam_exit show_history(struct roam_local *store,
                                   const struct roam_options *o)
{
    struct roam_show show = {.options = o};
    struct roam_local_row row;
    bool found = true;
    enum roam_posix_status status = ROAM_POSIX_STATUS_STORE;
    struct roam_local_history *h = roam_local_history_open(
        store, o->argument_count ? o->arguments[0] : NULL);
    while (h && found) {
        status = roam_local_history_next(h, &row, &found);
        if (found) {
            roam_show_row(&show, &row);
        }
    }
    roam_local_history_close(h);
    if (status != ROAM_POSIX_STATUS_OK) {
        fprintf(stderr, "roam: %s\n", roam_local_error(store));
        return ROAM_EXIT_FAILED;
    }
    return ROAM_EXIT_OK;
}

enum roam_exit roam_command_history(const struct roam_options *o)
{
    struct roam_profile profile;
    struct roam_local *store = open_store(o, &profile);
    if (!store) {
        return ROAM_EXIT_FAILED;
    }
    enum roam_exit code = show_history(store, o);
    roam_local_close(store);
    return code;
}

/* ----------------------------------------------------------------- status */

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
                     "\nholes    %" PRIu64 "\n",
                     s->device.attempt, s->device.cursor, s->counts.messages,
                     s->counts.outbox, s->counts.holes);
}

enum roam_exit roam_command_status(const struct roam_options *o)
{
    struct roam_profile profile;
    struct status s = {.profile = &profile};
    struct roam_text t = {0};
    struct roam_local *store = open_store(o, &profile);
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
    good = good && roam_text_write(&t, STDOUT_FILENO);
    roam_text_free(&t);
    roam_local_close(store);
    return good ? ROAM_EXIT_OK : ROAM_EXIT_FAILED;
}
