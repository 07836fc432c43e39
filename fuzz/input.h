/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzzer's input as a stream of operands. */
#ifndef ROAM_FUZZ_INPUT_H
#define ROAM_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

/* What is left of it. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

/* The next byte; 0 behind the last. */
uint8_t fuzz_take(struct fuzz_input *in);

#endif
