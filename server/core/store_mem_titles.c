/* SPDX-License-Identifier: Apache-2.0 */
/* The memory store: the names that people read, of users and groups. A read
 * whose answer is under way shows the one of its time. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "fault.h"
#include "store_mem_tables.h"

struct roam_slice roam__mem_title(const struct roam__mem_user *user)
{
    if (user->title == NULL || ROAM_FAULT("names-forgotten")) {
        return (struct roam_slice){NULL, 0};
    }
    return (struct roam_slice){(const uint8_t *)user->title->text,
                               strlen(user->title->text)};
}

struct roam__mem_title *roam__mem_title_new(struct roam_slice text)
{
    struct roam__mem_title *title = roam__alloc(sizeof *title);
    if (title != NULL && text.len != 0) {
        memcpy(title->text, text.data, text.len);
    }
    return title;
}

void roam__mem_title_set(struct roam__mem_user *user,
                         struct roam__mem_title *title)
{
    if (title != NULL) {
        title->before = user->title;
        user->title = title;
    }
}

void roam__mem_titles_free(struct roam__mem_user *user)
{
    while (user->title != NULL) {
        struct roam__mem_title *title = user->title;
        user->title = title->before;
        free(title);
    }
}
