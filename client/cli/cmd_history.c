/* SPDX-License-Identifier: Apache-2.0 */
/* history and conversations: what is on this device, without the server and
 * also while another command of this device runs; with --fetch, what the
 * server has comes first. */
#include <stdio.h>

#include "commands.h"
#include "online.h"
#include "show.h"
#include "store.h"

/* ---------------------------------------------------------------- fetching */

struct fetch {
    struct roam_online session;
    bool synced;
    bool refused; /* the server does not give it */
};

static void take_event(struct fetch *f, const struct roam_posix_event *e)
{
    if (e->type == ROAM_POSIX_PROTOCOL &&
        e->u.engine.type == ROAM_EVENT_SYNCED) {
        f->synced = true;
    } else if (e->type == ROAM_POSIX_FILLED && e->u.filled.code) {
        f->refused = true;
    } else if (e->type == ROAM_POSIX_DISCONNECTED) {
        f->synced = false;
    }
}

/* Does the store still say that something wanted is missing? */
static bool is_left(struct fetch *f, const char *peer)
{
    struct roam_local *store = roam_posix_store(f->session.posix);
    struct roam_local_survey survey;
    struct roam_local_hole hole;
    bool survey_due = true, found = true;
    (void)roam_local_survey(store, &survey, &survey_due);
    (void)roam_local_hole(store, peer, &hole, &found);
    bool want_holes = f->session.options->command == ROAM_COMMAND_HISTORY;
    return survey_due || (want_holes && found);
}

static enum roam_exit run_fetch(struct fetch *f, const char *peer)
{
    struct roam_posix_event e;
    while (roam_online_next(&f->session, false, &e) != ROAM_ONLINE_OVER) {
        take_event(f, &e);
        if (f->synced && !f->session.finishing &&
            !roam_posix_fetching(f->session.posix)) {
            bool whole = !f->refused && !is_left(f, peer);
            if (!whole) {
                fputs("roam: the server does not give all that is missing\n",
                      stderr);
            }
            roam_online_finish(&f->session,
                               whole ? ROAM_EXIT_OK : ROAM_EXIT_FAILED);
        }
    }
    return roam_online_close(&f->session);
}

static enum roam_exit fetch(const struct roam_options *o, const char *peer)
{
    static struct fetch f;
    enum roam_exit code = roam_online_open(&f.session, o, true, 0);
    if (code != ROAM_EXIT_OK) {
        return code;
    }
    if (o->command == ROAM_COMMAND_HISTORY &&
        roam_posix_fetch(f.session.posix, peer) != ROAM_POSIX_STATUS_OK) {
        fputs("roam: a name has 1 to 64 bytes\n", stderr);
        f.session.exit_code = ROAM_EXIT_USAGE;
        return roam_online_close(&f.session);
    }
    return run_fetch(&f, peer);
}

/* ------------------------------------------------------------------ showing */

/* The list ends with a hole when the survey may find more. */
static enum roam_posix_status show_survey(struct roam_local *store,
                                          const struct roam_show *show)
{
    struct roam_local_survey survey;
    struct roam_local_row row = {.hole = true};
    bool due = false;
    enum roam_posix_status status = roam_local_survey(store, &survey, &due);
    if (due) {
        roam_show_row(show, &row);
    }
    return status;
}

static enum roam_exit show_rows(struct roam_local *store,
                                const struct roam_options *o)
{
    struct roam_show show = {.options = o};
    struct roam_local_row row;
    bool list = o->command == ROAM_COMMAND_CONVERSATIONS;
    bool found = true;
    enum roam_posix_status status = ROAM_POSIX_STATUS_STORE;
    struct roam_local_history *h =
        list ? roam_local_conversations_open(store)
             : roam_local_history_open(
                   store, o->argument_count ? o->arguments[0] : NULL);
    while (h && found) {
        status = roam_local_history_next(h, &row, &found);
        if (found && list) {
            roam_show_conversation(&show, &row);
        } else if (found) {
            roam_show_row(&show, &row);
        }
    }
    roam_local_history_close(h);
    if (status == ROAM_POSIX_STATUS_OK && list) {
        status = show_survey(store, &show);
    }
    if (status != ROAM_POSIX_STATUS_OK) {
        fprintf(stderr, "roam: %s\n", roam_local_error(store));
        return ROAM_EXIT_FAILED;
    }
    return ROAM_EXIT_OK;
}

/* What is here is shown even if not all that is missing could be had. */
static enum roam_exit fetch_and_show(const struct roam_options *o,
                                     const char *peer)
{
    struct roam_profile profile;
    enum roam_exit code = ROAM_EXIT_OK;
    if (o->fetch) {
        code = fetch(o, peer);
        if (code != ROAM_EXIT_OK && code != ROAM_EXIT_FAILED) {
            return code;
        }
    }
    struct roam_local *store = roam_open_store(o, &profile);
    if (!store) {
        return ROAM_EXIT_FAILED;
    }
    enum roam_exit shown = show_rows(store, o);
    roam_local_close(store);
    return code != ROAM_EXIT_OK ? code : shown;
}

enum roam_exit roam_command_history(const struct roam_options *o)
{
    bool one = o->argument_count > 0 && !o->all;
    return fetch_and_show(o, one ? o->arguments[0] : NULL);
}

enum roam_exit roam_command_conversations(const struct roam_options *o)
{
    return fetch_and_show(o, NULL);
}
