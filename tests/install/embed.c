/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest program around libroam: `make check` builds it from what
 * `make install` left, by pkg-config and nothing else, and runs it. It proves
 * that header, library and libroam.pc go together: a client with the smallest
 * legal buffers, all of them static, starts a login.
 *
 * usage: embed VERSION (what pkg-config says) */
#include <roam.h>

#include <stdio.h>
#include <string.h>

#define LOGIN_FRAME 0x01u

static uint8_t rx[ROAM_RX_BYTES_MIN];
static uint8_t tx[ROAM_TX_BYTES_MIN];
static uint8_t inflated[ROAM_INFLATED_BYTES_MIN];
static struct roam_outbox_item outbox[1];
static struct roam_client client;

static int fail(const char *what)
{
    fprintf(stderr, "embed: %s\n", what);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 2 || strcmp(argv[1], ROAM_VERSION_STRING) != 0) {
        return fail("libroam.pc and roam.h differ in their version");
    }
    struct roam_client_config config = {0};
    config.user = "alice";
    config.token = "secret";
    memset(config.device_id, 7, sizeof config.device_id);
    config.device_type = ROAM_EMBEDDED;
    config.max_unacked = 4;
    config.rx = rx;
    config.rx_bytes = sizeof rx;
    config.tx = tx;
    config.tx_bytes = sizeof tx;
    config.inflated = inflated;
    config.inflated_bytes = sizeof inflated;
    config.outbox = outbox;
    config.outbox_count = 1;
    if (roam_client_init(&client, &config) != ROAM_STATUS_OK ||
        roam_client_open(&client, 0) != ROAM_STATUS_OK ||
        roam_client_login(&client, 1, 0, 0) != ROAM_STATUS_OK) {
        return fail("the client does not start");
    }
    struct roam_bytes out = roam_client_pending(&client);
    if (out.len == 0 || out.data[0] != LOGIN_FRAME) {
        return fail("the client sends no LOGIN");
    }
    return 0;
}
