/* SPDX-License-Identifier: Apache-2.0 */
/* The HTML report: html/page.html with its parts put in and the run's data
 * behind, so that one file is all there is. A line of the page that is
 * `@NAME@` stands for the file NAME beside it; `@data@` for the data.
 *
 * The data is what a peer sent, among others: no byte of it may end the
 * element that it stands in. JSON has `<` in strings only, where it can be
 * written as an escape. */
#include <errno.h>
#include <string.h>

#include "report_model.h"
#include "report_text.h"

static const char *data_json(const struct report_run *run)
{
    json_t *j = report_model(run, true);
    json_object_set_new(j, "schema", report_schema());
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(j, "cases"), i, item)
    {
        const char *source =
            file_read(json_string_value(json_object_get(item, "file")), NULL);
        json_object_set_new(item, "source", json_clean(source));
        /* The page shows all of it from `failure`. */
        if (json_object_get(item, "failure")) {
            json_object_del(item, "detail");
        }
    }
    struct text t = {0};
    for (const char *p = json_dumps(j, JSON_COMPACT); *p; p++) {
        if (*p == '<') {
            text_add(&t, "\\u003c");
        } else {
            text_add_bytes(&t, p, 1);
        }
    }
    return text_str(&t);
}

/* NAME of a line `@NAME@`; NULL: another line. */
static const char *part_name(const char *line, size_t len)
{
    return len > 2 && line[0] == '@' && line[len - 1] == '@'
               ? arena_copy(line + 1, len - 2)
               : NULL;
}

const char *report_html(const struct report_run *run, const char *dir,
                        const char **reason)
{
    struct text t = {0};
    const char *path = arena_printf("%s/page.html", dir);
    const char *page = file_read(path, NULL);
    for (; page && *page; page += strcspn(page, "\n") + 1) {
        size_t len = strcspn(page, "\n");
        const char *name = part_name(page, len);
        if (!name) {
            text_add_bytes(&t, page, len + 1);
            continue;
        }
        path = arena_printf("%s/%s", dir, name);
        const char *part =
            strcmp(name, "data") == 0 ? data_json(run) : file_read(path, NULL);
        if (!part) {
            page = NULL;
            break;
        }
        text_add(&t, "%s\n", part);
    }
    if (!page) {
        *reason = arena_printf("%s: %s", path, strerror(errno));
        return NULL;
    }
    return text_str(&t);
}
