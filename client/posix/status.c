/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of enum roam_posix_status. */
#include "roam_posix_status.h"

const char *roam_posix_status_text(enum roam_posix_status status)
{
    switch (status) {
#define STATUS_CASE(name, value, text)                                         \
    case ROAM_POSIX_STATUS_##name:                                             \
        return text;
        ROAM_POSIX_STATUS_LIST(STATUS_CASE)
#undef STATUS_CASE
    }
    return "unknown status";
}
