/* SPDX-License-Identifier: Apache-2.0 */
/* See secret.h. */
#include "secret.h"

#include <string.h>

void secret_add(struct world *w, const char *token)
{
    arena_grow((void **)&w->secrets, w->secret_count, &w->secret_cap,
               sizeof *w->secrets);
    w->secrets[w->secret_count++] = token;
}

const uint8_t *secret_hide(const struct world *w, const uint8_t *bytes,
                           size_t len)
{
    uint8_t *copy = NULL;
    /* Nothing may have no address. */
    for (size_t i = 0; len > 0 && i < w->secret_count; i++) {
        size_t n = strlen(w->secrets[i]);
        const uint8_t *from = copy ? copy : bytes;
        const uint8_t *at = n > 0 ? memmem(from, len, w->secrets[i], n) : NULL;
        while (at) {
            size_t place = (size_t)(at - from);
            if (!copy) {
                copy = (uint8_t *)arena_copy((const char *)bytes, len);
                from = copy;
            }
            memset(copy + place, '*', n);
            at = memmem(copy, len, w->secrets[i], n);
        }
    }
    return copy ? copy : bytes;
}
