/* SPDX-License-Identifier: Apache-2.0 */
/* address:port, as people write it. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "../net/net.h"

bool roamd_parse_endpoint(const char *text, char address[ROAMD_TEXT_MAX],
                          uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - text);
    char *end;

    if (len == 0 || len >= ROAMD_TEXT_MAX || colon[1] < '0' || colon[1] > '9') {
        return false;
    }
    bool bracketed = text[0] == '[' && text[len - 1] == ']';
    memcpy(address, text, len);
    address[len] = '\0';
    if (bracketed) {
        memmove(address, address + 1, len);
        address[len - 2] = '\0';
    }
    unsigned long n = strtoul(colon + 1, &end, 10);
    *port = (uint16_t)n;
    return *end == '\0' && n <= 65535 && roam_net_is_address(address) &&
           bracketed == (strchr(address, ':') != NULL);
}
