/* SPDX-License-Identifier: Apache-2.0 */
/* Frames for the tests of the judges, written as a scenario writes them, with
 * the messages inside of one as fields of the wire format in braces:
 *
 *   3:text     3=1,2,3 (packed)     3~1,2 (packed, of 64 bits)     3#7 (one)
 *   3;text (a length in two bytes)  3!ffff (one, as bytes)  1(...) (a message)
 */
#ifndef TESTS_JUDGE_RIG_H
#define TESTS_JUDGE_RIG_H

#include "codec.h"

/* What many bounds are about: names for people, ids, numbers of 63 bits. */
#define NAME48 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
#define NAME64 NAME48 "nnnnnnnnnnnnnnnn"
#define MOST "0x7fffffffffffffff"
#define ABOVE "0x8000000000000000"

/* `TYPE field=value... rows={fields}`, encoded and decoded again. */
struct frame *rig_frame(const char *line);
/* The fields alone, as bytes. */
struct text rig_bytes(const char *fields);
/* What a judge says: nothing of what is good, else `RULE: what`. */
void rig_expect(const char *about, bool is_good, const char *rule,
                const char *what, const char *want);

#endif
