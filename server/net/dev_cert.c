/* SPDX-License-Identifier: Apache-2.0 */
/* See dev_cert.h. The two extensions that mbedtls 2.28 cannot write are
 * constants, so they stand here as DER. */
#include "dev_cert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

#define PEM_MAX 4096
#define SERIAL_BYTES 16
#define DAY_S (24 * 60 * 60)
/* The longest that all common TLS stacks accept. */
#define VALID_DAYS 825

/* GeneralNames: dNSName localhost, iPAddress 127.0.0.1, iPAddress ::1. */
static const uint8_t alt_names[] = {
    0x30, 0x23, 0x82, 0x09, 'l', 'o', 'c',  'a',  'l', 'h', 'o', 's', 't',
    0x87, 0x04, 127,  0,    0,   1,   0x87, 0x10, 0,   0,   0,   0,   0,
    0,    0,    0,    0,    0,   0,   0,    0,    0,   0,   1};
/* ExtKeyUsageSyntax: id-kp-serverAuth. */
static const uint8_t key_usage[] = {0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06,
                                    0x01, 0x05, 0x05, 0x07, 0x03, 0x01};

struct maker {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_pk_context key;
    mbedtls_x509write_cert cert;
    uint8_t pem[PEM_MAX];
};

static int make_key(struct maker *m)
{
    int rc = mbedtls_ctr_drbg_seed(&m->random, mbedtls_entropy_func,
                                   &m->entropy, NULL, 0);
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    if (psa_crypto_init() != PSA_SUCCESS) {
        return MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
    }
#endif
    if (rc == 0) {
        rc = mbedtls_pk_setup(&m->key,
                              mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    }
    if (rc == 0) {
        rc =
            mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(m->key),
                                mbedtls_ctr_drbg_random, &m->random);
    }
    return rc;
}

static int set_serial(struct maker *m)
{
    uint8_t serial[SERIAL_BYTES];
    int rc = mbedtls_ctr_drbg_random(&m->random, serial, sizeof(serial));

    if (rc != 0) {
        return rc;
    }
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* above 0 */
#if MBEDTLS_VERSION_NUMBER >= 0x03040000
    return mbedtls_x509write_crt_set_serial_raw(&m->cert, serial,
                                                sizeof(serial));
#else
    mbedtls_mpi number;
    mbedtls_mpi_init(&number);
    rc = mbedtls_mpi_read_binary(&number, serial, sizeof(serial));
    if (rc == 0) {
        rc = mbedtls_x509write_crt_set_serial(&m->cert, &number);
    }
    mbedtls_mpi_free(&number);
    return rc;
#endif
}

static int set_validity(struct maker *m)
{
    time_t from = time(NULL) - DAY_S; /* clocks differ */
    time_t to = from + (time_t)VALID_DAYS * DAY_S;
    struct tm tm;
    char text[2][sizeof("YYYYMMDDhhmmss")];

    gmtime_r(&from, &tm);
    strftime(text[0], sizeof(text[0]), "%Y%m%d%H%M%S", &tm);
    gmtime_r(&to, &tm);
    strftime(text[1], sizeof(text[1]), "%Y%m%d%H%M%S", &tm);
    return mbedtls_x509write_crt_set_validity(&m->cert, text[0], text[1]);
}

static int fill_cert(struct maker *m)
{
    mbedtls_x509write_cert *c = &m->cert;

    mbedtls_x509write_crt_set_version(c, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(c, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(c, &m->key);
    mbedtls_x509write_crt_set_issuer_key(c, &m->key);
    int rc = set_serial(m);
    if (rc == 0) {
        rc = set_validity(m);
    }
    if (rc == 0) {
        rc = mbedtls_x509write_crt_set_subject_name(c, "CN=localhost");
    }
    if (rc == 0) {
        rc = mbedtls_x509write_crt_set_issuer_name(c, "CN=localhost");
    }
    if (rc == 0) {
        rc = mbedtls_x509write_crt_set_basic_constraints(c, 0, -1);
    }
    if (rc == 0) {
        rc = mbedtls_x509write_crt_set_extension(
            c, MBEDTLS_OID_SUBJECT_ALT_NAME,
            MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0, alt_names,
            sizeof(alt_names));
    }
    if (rc == 0) {
        rc = mbedtls_x509write_crt_set_extension(
            c, MBEDTLS_OID_EXTENDED_KEY_USAGE,
            MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0, key_usage,
            sizeof(key_usage));
    }
    return rc;
}

static bool write_file(const char *path, const uint8_t *text, mode_t mode,
                       char *error, size_t cap)
{
    size_t len = strlen((const char *)text);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

    if (fd < 0) {
        snprintf(error, cap, "%s: %s", path, strerror(errno));
        return false;
    }
    ssize_t n = write(fd, text, len);
    int sync = fsync(fd);
    if (close(fd) != 0 || sync != 0 || n != (ssize_t)len) {
        snprintf(error, cap, "%s: cannot write", path);
        return false;
    }
    return true;
}

static bool make(struct maker *m, const char *cert_path, const char *key_path,
                 char *error, size_t cap)
{
    char reason[100];
    int rc = make_key(m);

    if (rc == 0) {
        rc = fill_cert(m);
    }
    if (rc == 0) {
        rc = mbedtls_x509write_crt_pem(&m->cert, m->pem, sizeof(m->pem),
                                       mbedtls_ctr_drbg_random, &m->random);
    }
    if (rc == 0 && !write_file(cert_path, m->pem, 0644, error, cap)) {
        return false;
    }
    if (rc == 0) {
        rc = mbedtls_pk_write_key_pem(&m->key, m->pem, sizeof(m->pem));
    }
    if (rc != 0) {
        mbedtls_strerror(rc, reason, sizeof(reason));
        snprintf(error, cap, "cannot make a certificate: %s", reason);
        return false;
    }
    return write_file(key_path, m->pem, 0600, error, cap);
}

bool roam_dev_cert_write(const char *cert_path, const char *key_path,
                         char *error, size_t cap)
{
    struct maker m;

    mbedtls_entropy_init(&m.entropy);
    mbedtls_ctr_drbg_init(&m.random);
    mbedtls_pk_init(&m.key);
    mbedtls_x509write_crt_init(&m.cert);
    bool ok = make(&m, cert_path, key_path, error, cap);
    mbedtls_x509write_crt_free(&m.cert);
    mbedtls_pk_free(&m.key);
    mbedtls_ctr_drbg_free(&m.random);
    mbedtls_entropy_free(&m.entropy);
    mbedtls_platform_zeroize(m.pem, sizeof(m.pem)); /* the key was there */
    return ok;
}
