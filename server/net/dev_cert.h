/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate to develop with: self-signed, for localhost alone. */
#ifndef ROAM_NET_DEV_CERT_H
#define ROAM_NET_DEV_CERT_H

#include <stdbool.h>
#include <stddef.h>

/* Draws a P-256 key and writes it and its certificate, both PEM, into new
 * files; the key's is for its owner only. The certificate is good for
 * localhost, 127.0.0.1 and ::1. False with one line of reason in error. */
bool roam_dev_cert_write(const char *cert_path, const char *key_path,
                         char *error, size_t cap);

#endif
