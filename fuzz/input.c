/* SPDX-License-Identifier: Apache-2.0 */
/* See input.h. */
#include "input.h"

uint8_t fuzz_take(struct fuzz_input *in)
{
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->at++;
}
