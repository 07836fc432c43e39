/* SPDX-License-Identifier: Apache-2.0 */
/* A serial line, for an adapter on a device. */
#ifndef CONFORM_SERIAL_H
#define CONFORM_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

#define SERIAL_BAUD 115200u

bool serial_baud_known(uint32_t baud);
/* Opens the line raw: 8 bits, no parity, one stop bit, no flow control, no
 * byte changed or held back; what waited on it is dropped. -1 with a reason.
 * baud: one that is known. */
int serial_open(const char *path, uint32_t baud, const char **reason);

#endif
