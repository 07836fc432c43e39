/* SPDX-License-Identifier: Apache-2.0 */
/* What can go wrong outside the protocol: network, certificates, disk. */
#ifndef ROAM_POSIX_STATUS_H
#define ROAM_POSIX_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* -1.. the caller's mistake; -20.. the network's or the peer's;
 * -40.. this machine's. */
#define ROAM_POSIX_STATUS_LIST(X)                                              \
    X(OK, 0, "no error")                                                       \
    X(BAD_ARGUMENT, -1, "argument out of its range")                           \
    X(BAD_STATE, -2, "call not allowed in this state")                         \
    X(PLAIN_REMOTE, -3, "plain TCP is for loopback addresses only")            \
    X(RESOLVE, -20, "host name not found")                                     \
    X(CONNECT, -21, "no connection to the server")                             \
    X(TIMEOUT, -22, "connecting took too long")                                \
    X(TLS, -23, "TLS handshake or record failed")                              \
    X(UNTRUSTED, -24, "certificate not trusted, or not for this host")         \
    X(ALPN, -25, "server does not offer roam/1")                               \
    X(LOST, -26, "connection lost")                                            \
    X(PROTOCOL, -27, "server broke the protocol")                              \
    X(MEMORY, -40, "out of memory")                                            \
    X(STORE, -41, "message store cannot be read or written")                   \
    X(STORE_IN_USE, -42, "message store is in use by another process")         \
    X(STORE_OTHER, -43, "message store is another user's or device type's")    \
    X(STORE_VERSION, -44, "message store is of a later version")               \
    X(CA_FILE, -45, "CA file cannot be used")                                  \
    X(RANDOM, -46, "no random numbers")

enum roam_posix_status {
#define ROAM_POSIX_STATUS_ENUM(name, value, text)                              \
    ROAM_POSIX_STATUS_##name = value,
    ROAM_POSIX_STATUS_LIST(ROAM_POSIX_STATUS_ENUM)
#undef ROAM_POSIX_STATUS_ENUM
};

/* The text of the list; "unknown status" for a value that is not in it. */
const char *roam_posix_status_text(enum roam_posix_status status);

/* Room for a sentence that says more than the status: host, file, cause. */
#define ROAM_POSIX_DETAIL_MAX 256u

#ifdef __cplusplus
}
#endif

#endif
