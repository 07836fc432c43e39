/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacks a BATCH or a page of history and checks everything that section 8
 * says of its columns. Shares no code with the packer or the unpacker that
 * are judged. */
#ifndef CONFORM_BATCH_CHECK_H
#define CONFORM_BATCH_CHECK_H

#include "codec.h"

/* What a row of a CONVERSATION_PAGE says beside its message. */
struct row_state {
    uint64_t read_mark;
    uint32_t unread;
    Roam__V1__Role role;
};

struct batch_rows {
    Roam__V1__Push **at;      /* the entries, as PUSH would have carried them */
    struct row_state *states; /* all 0 but in a CONVERSATION_PAGE */
    size_t count;
};

struct batch_fault {
    const char *rule;
    const char *what;
};

/* max_inflated, codecs: what SYNC named. False with the rule it breaks. */
bool batch_expand(const Roam__V1__Batch *b, uint32_t max_inflated,
                  uint32_t codecs, struct batch_rows *out,
                  struct batch_fault *fault);

/* A HISTORY_PAGE or CONVERSATION_PAGE; the rows have no versions. */
struct page_head {
    bool of_conversations;
    uint32_t count, inflated_size;
    Roam__V1__Codec codec;
    const ProtobufCBinaryData *payload;
};
/* max_rows, max_inflated, codecs: what the request named. */
bool page_expand(const struct page_head *page, uint32_t max_rows,
                 uint32_t max_inflated, uint32_t codecs, struct batch_rows *out,
                 struct batch_fault *fault);

#endif
