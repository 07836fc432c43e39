/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROAM_UTF8_H
#define ROAM_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* True when the len bytes at s (borrowed) are UTF-8 as RFC 3629 defines it:
 * no overlong form, no surrogate, nothing above U+10FFFF; and no NUL. */
bool roam_utf8_valid(const char *s, size_t len);

#endif
