/* SPDX-License-Identifier: Apache-2.0 */
/* Setting a client up: every limit, and what LOGIN makes of it. */
#include <string.h>

#include "client_rig.h"

/* ------------------------------------------------------------------- config */

typedef void (*tune_fn)(struct rig *r);

static enum roam_status init_with(tune_fn tune)
{
    static struct rig r;
    rig_prepare_minimal(&r);
    tune(&r);
    return roam_client_init(&r.client, &r.config);
}

static char text[256];

static const char *text_of(size_t len)
{
    memset(text, 'x', sizeof text);
    text[len] = '\0';
    return text;
}

#define TUNE(name, change)                                                     \
    static void name(struct rig *r)                                            \
    {                                                                          \
        r->config.change;                                                      \
    }

TUNE(as_it_is, user = "alice")
TUNE(user_0, user = "")
TUNE(user_null, user = NULL)
TUNE(user_64, user = text_of(64))
TUNE(user_65, user = text_of(65))
TUNE(user_bad, user = "\xff")
TUNE(token_0, token = "")
TUNE(token_128, token = text_of(128))
TUNE(token_129, token = text_of(129))
TUNE(name_64, device_name = text_of(64))
TUNE(name_65, device_name = text_of(65))
TUNE(software_64, software = text_of(64))
TUNE(software_65, software = text_of(65))
TUNE(type_0, device_type = (enum roam_device_type)0)
TUNE(type_1, device_type = ROAM_PHONE)
TUNE(type_7, device_type = (enum roam_device_type)7)
TUNE(cursor_max, cursor = ROAM_VERSION_MAX)
TUNE(cursor_over, cursor = ROAM_VERSION_MAX + 1)
TUNE(unacked_3, max_unacked = ROAM_UNACKED_MIN - 1)
TUNE(unacked_max, max_unacked = ROAM_UNACKED_MAX)
TUNE(unacked_over, max_unacked = ROAM_UNACKED_MAX + 1)
TUNE(rx_515, rx_bytes = ROAM_RX_BYTES_MIN - 1)
TUNE(rx_null, rx = NULL)
TUNE(tx_511, tx_bytes = ROAM_TX_BYTES_MIN - 1)
TUNE(tx_null, tx = NULL)
TUNE(inflated_1023, inflated_bytes = ROAM_INFLATED_BYTES_MIN - 1)
TUNE(inflated_null, inflated = NULL)
TUNE(outbox_null, outbox = NULL)
TUNE(first_500, backoff_first_ms = 500)
TUNE(first_501, backoff_first_ms = 501)
TUNE(max_60000, backoff_max_ms = 60000)
TUNE(max_60001, backoff_max_ms = 60001)
TUNE(max_below_first, backoff_max_ms = 499)
TUNE(max_is_first, backoff_max_ms = 500)

static void no_outbox(struct rig *r)
{
    r->config.outbox = NULL;
    r->config.outbox_count = 0;
}

static void test_every_limit_of_the_config_is_checked(void **unused)
{
    (void)unused;
    static const struct {
        tune_fn tune;
        enum roam_status status;
    } cases[] = {
        {as_it_is, ROAM_STATUS_OK},
        {user_0, ROAM_STATUS_BAD_ARGUMENT},
        {user_null, ROAM_STATUS_BAD_ARGUMENT},
        {user_64, ROAM_STATUS_OK},
        {user_65, ROAM_STATUS_BAD_ARGUMENT},
        {user_bad, ROAM_STATUS_BAD_ARGUMENT},
        {token_0, ROAM_STATUS_BAD_ARGUMENT},
        {token_128, ROAM_STATUS_OK},
        {token_129, ROAM_STATUS_BAD_ARGUMENT},
        {name_64, ROAM_STATUS_OK},
        {name_65, ROAM_STATUS_BAD_ARGUMENT},
        {software_64, ROAM_STATUS_OK},
        {software_65, ROAM_STATUS_BAD_ARGUMENT},
        {type_0, ROAM_STATUS_BAD_ARGUMENT},
        {type_1, ROAM_STATUS_OK},
        {type_7, ROAM_STATUS_BAD_ARGUMENT},
        {cursor_max, ROAM_STATUS_OK},
        {cursor_over, ROAM_STATUS_BAD_ARGUMENT},
        {unacked_3, ROAM_STATUS_BAD_ARGUMENT},
        {unacked_max, ROAM_STATUS_OK},
        {unacked_over, ROAM_STATUS_BAD_ARGUMENT},
        {rx_515, ROAM_STATUS_BUFFER_SIZE},
        {rx_null, ROAM_STATUS_BAD_ARGUMENT},
        {tx_511, ROAM_STATUS_BUFFER_SIZE},
        {tx_null, ROAM_STATUS_BAD_ARGUMENT},
        {inflated_1023, ROAM_STATUS_BUFFER_SIZE},
        {inflated_null, ROAM_STATUS_BAD_ARGUMENT},
        {outbox_null, ROAM_STATUS_BAD_ARGUMENT},
        {no_outbox, ROAM_STATUS_OK},
        {first_500, ROAM_STATUS_OK},
        {first_501, ROAM_STATUS_BAD_ARGUMENT},
        {max_60000, ROAM_STATUS_OK},
        {max_60001, ROAM_STATUS_BAD_ARGUMENT},
        {max_below_first, ROAM_STATUS_BAD_ARGUMENT},
        {max_is_first, ROAM_STATUS_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum roam_status got = init_with(cases[i].tune);
        if (got != cases[i].status) {
            fail_msg("case %u: %s", (unsigned)i, roam_status_text(got));
        }
    }
}

static void test_every_status_has_a_text_of_its_own(void **unused)
{
    (void)unused;
    static const int all[] = {
#define VALUE(name, value, text) value,
        ROAM_STATUS_LIST(VALUE)
#undef VALUE
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const char *a = roam_status_text((enum roam_status)all[i]);
        assert_string_not_equal(a, "unknown status");
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(a,
                                    roam_status_text((enum roam_status)all[j]));
        }
    }
    assert_string_equal(roam_status_text((enum roam_status) - 99),
                        "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_limit_of_the_config_is_checked),
        cmocka_unit_test(test_every_status_has_a_text_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
