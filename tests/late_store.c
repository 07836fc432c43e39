/* SPDX-License-Identifier: Apache-2.0 */
/* See late_store.h. */
#include "late_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A request knows its owner in the core, and nothing of the stores. */
static struct late_store *the_late;

static void keep(struct roam_store_request *req)
{
    assert_null(the_late->kept);
    the_late->kept = req;
}

static void late_submit(struct roam_store *self, struct roam_store_request *req)
{
    struct late_store *late = (struct late_store *)self;
    if (late->is_late != NULL && late->is_late(req)) {
        late->done = req->done;
        late->reads++;
        req->done = keep;
    }
    late->real->ops->submit(late->real, req);
}

static enum roam_store_status late_poll(struct roam_store *self)
{
    struct late_store *late = (struct late_store *)self;
    return late->real->ops->poll(late->real);
}

static void late_close(struct roam_store *self)
{
    struct late_store *late = (struct late_store *)self;
    late->real->ops->close(late->real);
}

void late_store_open(struct late_store *late, struct roam_store *real,
                     bool (*is_late)(const struct roam_store_request *req))
{
    static const struct roam_store_ops ops = {late_submit, late_poll,
                                              late_close};
    *late = (struct late_store){{&ops}, real, is_late, NULL, NULL, 0};
    the_late = late;
}

void late_store_release(struct late_store *late)
{
    struct roam_store_request *req = late->kept;
    assert_non_null(req);
    late->kept = NULL;
    late->done(req);
}
