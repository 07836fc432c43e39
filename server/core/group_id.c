/* SPDX-License-Identifier: Apache-2.0 */
/* See group_id.h. */
#include "group_id.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Six bits a character, the first bits first; the last character has two. */
void roam_group_id_write(const uint8_t random[ROAM_GROUP_ID_RANDOM_BYTES],
                         char *out)
{
    uint32_t bits = 0;
    unsigned held = 0;
    *out++ = '#';
    for (size_t i = 0; i < ROAM_GROUP_ID_RANDOM_BYTES; i++) {
        bits = bits << 8 | random[i];
        held += 8;
        while (held >= 6) {
            held -= 6;
            *out++ = alphabet[bits >> held & 63];
        }
    }
    *out = alphabet[bits << (6 - held) & 63];
}

bool roam_group_id_looks_like(struct roam_slice conversation)
{
    return conversation.len > 0 && conversation.data[0] == '#';
}

bool roam_group_id_is_new(struct roam_slice conversation)
{
    return conversation.len == 1 && conversation.data[0] == '#';
}
