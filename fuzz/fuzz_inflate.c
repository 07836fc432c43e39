/* SPDX-License-Identifier: Apache-2.0 */
/* Inflate, against zlib's: of every stream both must say the same, and give
 * the same bytes. The input is the output's length in two bytes, low byte
 * first, then the stream. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "inflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int truth)
{
    if (!truth) {
        abort();
    }
}

/* zlib's verdict in our words; *made is what it wrote. */
static enum roam_inflate_result judge(const uint8_t *in, size_t in_len,
                                      uint8_t *out, size_t out_len,
                                      size_t *made)
{
    z_stream z;
    memset(&z, 0, sizeof z);
    expect(inflateInit2(&z, -MAX_WBITS) == Z_OK);
    z.next_in = (Bytef *)(uintptr_t)in;
    z.avail_in = (uInt)in_len;
    z.next_out = out;
    z.avail_out = (uInt)out_len;
    int result = inflate(&z, Z_FINISH);
    *made = z.total_out;
    enum roam_inflate_result verdict = result != Z_STREAM_END
                                           ? ROAM_INFLATE_BROKEN
                                       : z.avail_in != 0 ? ROAM_INFLATE_TRAILING
                                       : z.avail_out != 0 ? ROAM_INFLATE_SIZE
                                                          : ROAM_INFLATE_OK;
    expect(inflateEnd(&z) == Z_OK);
    return verdict;
}

static void compare(const uint8_t *in, size_t in_len, size_t out_len)
{
    uint8_t *ours = malloc(out_len + 1);
    uint8_t *theirs = malloc(out_len + 1);
    size_t made;
    expect(ours != NULL && theirs != NULL);
    enum roam_inflate_result verdict =
        judge(in, in_len, theirs, out_len, &made);
    uint8_t *exact = realloc(ours, out_len == 0 ? 1 : out_len);
    expect(exact != NULL);
    enum roam_inflate_result result = roam_inflate(in, in_len, exact, out_len);
    expect((result == ROAM_INFLATE_OK) == (verdict == ROAM_INFLATE_OK));
    expect((result == ROAM_INFLATE_TRAILING) ==
           (verdict == ROAM_INFLATE_TRAILING));
    if (result == ROAM_INFLATE_OK) {
        expect(memcmp(exact, theirs, out_len) == 0);
    }
    free(exact);
    free(theirs);
    /* A good stream of another length is good with that length. */
    if (verdict == ROAM_INFLATE_SIZE && made < out_len) {
        compare(in, in_len, made);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    size_t in_len = size - 2;
    uint8_t *in = malloc(in_len == 0 ? 1 : in_len);
    expect(in != NULL);
    memcpy(in, data + 2, in_len);
    compare(in, in_len, (size_t)data[0] | (size_t)data[1] << 8);
    free(in);
    return 0;
}
