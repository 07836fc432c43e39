/* SPDX-License-Identifier: Apache-2.0 */
/* A case's traces in files of their own: AREA-NAME.txt for people, and
 * AREA-NAME.pcapng for Wireshark, whose dissector is in wireshark/. */
#ifndef CONFORM_TRACE_H
#define CONFORM_TRACE_H

#include "report.h"
#include "world.h"

/* AREA/NAME as a file's name. */
const char *trace_flat_name(const char *id);
/* Writes both into the directory; `name`: AREA/NAME, and what tells one run of
 * the case from another. False with a reason. */
bool trace_write(const char *dir, const char *name, const struct world *w,
                 const struct result *r, const char **reason);
/* What stands in the text file. */
const char *trace_text(const struct world *w, const struct result *r);

#endif
