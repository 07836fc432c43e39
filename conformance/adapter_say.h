/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of an adapter that does not keep to ADAPTER.md: what had to
 * come, and what came instead. */
#ifndef CONFORM_ADAPTER_SAY_H
#define CONFORM_ADAPTER_SAY_H

#include "adapter.h"

/* Of a member of a line, as ADAPTER.md has values. */
enum member_kind {
    MEMBER_NUMBER,
    MEMBER_ENUM,
    MEMBER_TEXT,
    MEMBER_HEX,
    MEMBER_BOOL
};

/* "`KEY` must be a number as decimal text, and is 17". */
const char *adapter_say_member(const json_t *line, const char *key,
                               enum member_kind kind);
/* What is wrong with the answer to `state`; NULL: nothing. */
const char *adapter_say_state(const json_t *state);
/* The first answer that nobody asked for, or not yet, for a diagnosis; NULL:
 * there is none. To be called when every request has been answered but `id`. */
const char *adapter_say_stray(const struct adapter *a, uint64_t id);
/* Its fault; of an end that nobody asked for, how it ended, too. Once. */
const char *adapter_say_fault(struct adapter *a);
/* A line as JSON, for a trace: its beginning, if it is long. */
const char *adapter_say_line(const json_t *line);
/* "with status 7", "by signal 11"; status: as waitpid() has it. */
const char *adapter_say_status(int status);

#endif
