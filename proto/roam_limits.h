/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit of the protocol, by name, with its reason. The table of limits
 * in spec/roam-1.md is the same list. All lengths are in bytes and count a
 * frame's payload, never its 4-byte header. */
#ifndef ROAM_LIMITS_H
#define ROAM_LIMITS_H

#define ROAM_PROTOCOL_VERSION 1u

/* Ids and names: short enough that any entry fits the smallest frame. */
#define ROAM_USER_MAX 64u
#define ROAM_CONVERSATION_MAX 64u
#define ROAM_CONTENT_TYPE_MAX 64u
#define ROAM_DEVICE_NAME_MAX 64u
#define ROAM_SOFTWARE_MAX 64u
#define ROAM_DETAIL_MAX 128u
/* Names that people read, beside an id. Two of them ride on every entry, so
 * they are shorter: the smallest frame still holds one with a body. */
#define ROAM_NAME_MAX 48u
/* A 256-bit secret in any usual text form, twice over. */
#define ROAM_TOKEN_MAX 128u
/* A random UUID's size: no two installations ever draw the same one. */
#define ROAM_DEVICE_ID_BYTES 16u
/* Devices that held a slot before its holder, and are told KICKED: more of one
 * type than a person has had in use. */
#define ROAM_SLOT_DEVICES 16u

/* Before login nobody is known yet, so a frame costs at most this much. */
#define ROAM_PRE_LOGIN_FRAME_MAX 4096u
/* The smallest limits a client may name: any entry still gets through. */
#define ROAM_FRAME_MIN 512u
#define ROAM_INFLATED_MIN 1024u
#define ROAM_UNACKED_MIN 4u
/* The largest: what a 24-bit length holds, and what bounds a server. */
#define ROAM_FRAME_MAX 0xffffffu
#define ROAM_INFLATED_MAX 0xffffffu
#define ROAM_UNACKED_MAX 100000u
/* All of an entry but its body, in a PUSH or alone in a BATCH, at most. */
#define ROAM_ENTRY_OVERHEAD 448u
/* Entries of a batch's table: a client without a heap looks them up by
 * walking, so this bounds its work for a row. */
#define ROAM_BATCH_TABLE_MAX 1024u
/* Rows of a page of history: a screen or two, and a bound on one answer. */
#define ROAM_PAGE_ROWS_MAX 1000u
/* Users named in one operation: a change stays one frame that even a small
 * device can take. */
#define ROAM_APP_USERS_MAX 16u
#define ROAM_CHANGE_USERS_MAX 50u
/* A group: what a person can still look through, and what one message may
 * cost; those who wait to be let in; and what a counter is good for. */
#define ROAM_MEMBERS_MAX 1000u
#define ROAM_APPLICANTS_MAX 100u
#define ROAM_UNREAD_MAX 1000u
/* Why somebody wants to join: a few sentences. */
#define ROAM_JOIN_TEXT_MAX 256u
/* Rows of a list of sessions: one for each device type. */
#define ROAM_SESSION_ROWS_MAX 6u
/* An attachment is described, not carried; its thumbnail is an icon. */
#define ROAM_SHA256_BYTES 32u
#define ROAM_FILE_NAME_MAX 255u
#define ROAM_URL_MAX 1024u
#define ROAM_THUMBNAIL_MAX 4096u
/* How many of the SENDs that were limited a session knows, the first ones: so
 * many may turn out to be stored elsewhere before the wait for them to come
 * again has only time to end it. */
#define ROAM_HELD_SENDS 16u
/* A shorter heartbeat would cost more than it tells. */
#define ROAM_HEARTBEAT_MIN_MS 1000u

/* Versions, generations, attempts and message ids fit a signed 64-bit
 * column of any store. */
#define ROAM_VERSION_MAX 0x7fffffffffffffffull
#define ROAM_MSG_ID_TIME_SHIFT 22
/* Milliseconds from 1970-01-01 to 2020-01-01 UTC, where msg_id starts. */
#define ROAM_EPOCH_UNIX_MS 1577836800000ull
/* A fresh start of the server skips at most this many versions. */
#define ROAM_VERSION_SKIP_MAX 0x100000000ull

#endif
