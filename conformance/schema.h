/* SPDX-License-Identifier: Apache-2.0 */
/* The field tables of section 4.2, and the retry classes of section 12, as
 * data: what every frame from a server must look like by itself. */
#ifndef CONFORM_SCHEMA_H
#define CONFORM_SCHEMA_H

#include "codec.h"

struct schema_fault {
    const char *rule;
    const char *what;
};

/* Checks one decoded frame of a known server type. */
bool schema_check(const struct frame *f, struct schema_fault *fault);
/* The same for an entry, whether PUSH or a row of a BATCH. */
bool schema_check_entry(const Roam__V1__Push *p, struct schema_fault *fault);
/* The same for a row of a page, which is a message without versions. */
bool schema_check_row(const Roam__V1__Push *p, struct schema_fault *fault);

/* The retry class of a reason, by section 12; 0: no such reason. */
unsigned schema_retry(bool is_kick, uint64_t reason);

#endif
