/* SPDX-License-Identifier: Apache-2.0 */
/* The field tables. Rules about two fields at once are in message.c. A field
 * without a row is unknown and skipped. */
#include "field_rules.h"

#include "frame.h"
#include "roam_limits.h"

#define ANY UINT32_MAX /* no bound of its own */

const struct roam__field_rule roam__field_rules[] = {
    /* message   number                     form   min   max */
    {ROAM_LOGIN, roam_v1_Login_protocol_tag, ROAM__UINT32, 1, ANY},
    {ROAM_LOGIN, roam_v1_Login_user_tag, ROAM__TEXT, 1, ROAM_USER_MAX},
    {ROAM_LOGIN, roam_v1_Login_token_tag, ROAM__TEXT, 1, ROAM_TOKEN_MAX},
    {ROAM_LOGIN, roam_v1_Login_device_id_tag, ROAM__BYTES, ROAM_DEVICE_ID_BYTES,
     ROAM_DEVICE_ID_BYTES},
    {ROAM_LOGIN, roam_v1_Login_device_type_tag, ROAM__UINT32,
     roam_v1_DeviceType_PHONE, roam_v1_DeviceType_EMBEDDED},
    {ROAM_LOGIN, roam_v1_Login_device_name_tag, ROAM__TEXT, 0,
     ROAM_DEVICE_NAME_MAX},
    {ROAM_LOGIN, roam_v1_Login_software_tag, ROAM__TEXT, 0, ROAM_SOFTWARE_MAX},
    {ROAM_LOGIN, roam_v1_Login_attempt_tag, ROAM__VERSION, 1, 0},
    {ROAM_LOGIN, roam_v1_Login_take_over_tag, ROAM__VERSION, 0, 0},
    {ROAM_LOGIN, roam_v1_Login_max_frame_tag, ROAM__UINT32, ROAM_FRAME_MIN,
     ROAM_FRAME_MAX},

    {ROAM_SYNC, roam_v1_Sync_cursor_tag, ROAM__VERSION, 0, 0},
    {ROAM_SYNC, roam_v1_Sync_max_entries_tag, ROAM__UINT32, 0, ANY},
    {ROAM_SYNC, roam_v1_Sync_max_unacked_tag, ROAM__UINT32, ROAM_UNACKED_MIN,
     ROAM_UNACKED_MAX},
    {ROAM_SYNC, roam_v1_Sync_max_inflated_tag, ROAM__UINT32, ROAM_INFLATED_MIN,
     ROAM_INFLATED_MAX},
    {ROAM_SYNC, roam_v1_Sync_codecs_tag, ROAM__UINT32, 0, ANY},

    {ROAM_ACK, roam_v1_Ack_version_tag, ROAM__VERSION, 1, 0},

    {ROAM_SEND, roam_v1_Send_client_msg_id_tag, ROAM__FIXED64, 1, 0},
    {ROAM_SEND, roam_v1_Send_conversation_tag, ROAM__TEXT, 1,
     ROAM_CONVERSATION_MAX},
    {ROAM_SEND, roam_v1_Send_kind_tag, ROAM__UINT32, 0, ANY},
    {ROAM_SEND, roam_v1_Send_content_type_tag, ROAM__TEXT, 0,
     ROAM_CONTENT_TYPE_MAX},
    {ROAM_SEND, roam_v1_Send_body_tag, ROAM__BODY, 0, 0},

    {ROAM_PING, roam_v1_Ping_id_tag, ROAM__UINT64, 0, 0},

    {ROAM_HISTORY, roam_v1_History_ref_tag, ROAM__FIXED64, 1, 0},
    {ROAM_HISTORY, roam_v1_History_conversation_tag, ROAM__TEXT, 1,
     ROAM_CONVERSATION_MAX},
    {ROAM_HISTORY, roam_v1_History_before_tag, ROAM__VERSION, 0, 0},
    {ROAM_HISTORY, roam_v1_History_after_tag, ROAM__VERSION, 0, 0},
    {ROAM_HISTORY, roam_v1_History_max_rows_tag, ROAM__UINT32, 1,
     ROAM_PAGE_ROWS_MAX},
    {ROAM_HISTORY, roam_v1_History_max_inflated_tag, ROAM__UINT32,
     ROAM_INFLATED_MIN, ROAM_INFLATED_MAX},
    {ROAM_HISTORY, roam_v1_History_codecs_tag, ROAM__UINT32, 0, ANY},

    {ROAM_CONVERSATIONS, roam_v1_Conversations_ref_tag, ROAM__FIXED64, 1, 0},
    {ROAM_CONVERSATIONS, roam_v1_Conversations_before_tag, ROAM__VERSION, 0, 0},
    {ROAM_CONVERSATIONS, roam_v1_Conversations_conversation_tag, ROAM__TEXT, 0,
     ROAM_CONVERSATION_MAX},
    {ROAM_CONVERSATIONS, roam_v1_Conversations_max_rows_tag, ROAM__UINT32, 1,
     ROAM_PAGE_ROWS_MAX},
    {ROAM_CONVERSATIONS, roam_v1_Conversations_max_inflated_tag, ROAM__UINT32,
     ROAM_INFLATED_MIN, ROAM_INFLATED_MAX},
    {ROAM_CONVERSATIONS, roam_v1_Conversations_codecs_tag, ROAM__UINT32, 0,
     ANY},

    {ROAM_LOGIN_OK, roam_v1_LoginOk_generation_tag, ROAM__VERSION, 1, 0},
    {ROAM_LOGIN_OK, roam_v1_LoginOk_head_tag, ROAM__VERSION, 0, 0},
    {ROAM_LOGIN_OK, roam_v1_LoginOk_floor_tag, ROAM__VERSION, 0, 0},
    {ROAM_LOGIN_OK, roam_v1_LoginOk_max_frame_tag, ROAM__UINT32, ROAM_FRAME_MIN,
     ANY},
    {ROAM_LOGIN_OK, roam_v1_LoginOk_max_body_tag, ROAM__UINT32, 1, ANY},
    {ROAM_LOGIN_OK, roam_v1_LoginOk_max_commands_tag, ROAM__UINT32, 1, ANY},
    {ROAM_LOGIN_OK, roam_v1_LoginOk_heartbeat_ms_tag, ROAM__UINT32,
     ROAM_HEARTBEAT_MIN_MS, ANY},
    {ROAM_LOGIN_OK, roam_v1_LoginOk_dedup_ms_tag, ROAM__UINT64, 1, 0},

    {ROAM_REFUSED, roam_v1_Refused_reason_tag, ROAM__UINT32, 1, ANY},
    {ROAM_REFUSED, roam_v1_Refused_retry_tag, ROAM__UINT32, 1, ANY},
    {ROAM_REFUSED, roam_v1_Refused_generation_tag, ROAM__VERSION, 0, 0},
    {ROAM_REFUSED, roam_v1_Refused_holder_tag, ROAM__HOLDER, 0, 0},

    {ROAM_KICK, roam_v1_Kick_reason_tag, ROAM__UINT32, 1, ANY},
    {ROAM_KICK, roam_v1_Kick_retry_tag, ROAM__UINT32, 1, ANY},
    {ROAM_KICK, roam_v1_Kick_retry_after_ms_tag, ROAM__UINT32, 0, ANY},
    {ROAM_KICK, roam_v1_Kick_generation_tag, ROAM__VERSION, 0, 0},
    {ROAM_KICK, roam_v1_Kick_holder_tag, ROAM__HOLDER, 0, 0},
    {ROAM_KICK, roam_v1_Kick_error_tag, ROAM__UINT32, 0, ANY},
    {ROAM_KICK, roam_v1_Kick_detail_tag, ROAM__TEXT, 0, ROAM_DETAIL_MAX},

    {ROAM_SYNC_OK, roam_v1_SyncOk_result_tag, ROAM__UINT32,
     roam_v1_SyncResult_UP_TO_DATE, roam_v1_SyncResult_RESET},
    {ROAM_SYNC_OK, roam_v1_SyncOk_head_tag, ROAM__VERSION, 0, 0},
    {ROAM_SYNC_OK, roam_v1_SyncOk_floor_tag, ROAM__VERSION, 0, 0},
    {ROAM_SYNC_OK, roam_v1_SyncOk_reason_tag, ROAM__UINT32, 0, ANY},
    {ROAM_SYNC_OK, roam_v1_SyncOk_max_unacked_tag, ROAM__UINT32, 0,
     ROAM_UNACKED_MAX},

    {ROAM_PUSH, roam_v1_Push_version_tag, ROAM__VERSION, 1, 0},
    {ROAM_PUSH, roam_v1_Push_prev_version_tag, ROAM__VERSION, 0, 0},
    {ROAM_PUSH, roam_v1_Push_kind_tag, ROAM__UINT32, 0, ANY},
    {ROAM_PUSH, roam_v1_Push_msg_id_tag, ROAM__VERSION, 0, 0},
    {ROAM_PUSH, roam_v1_Push_conversation_tag, ROAM__TEXT, 0,
     ROAM_CONVERSATION_MAX},
    {ROAM_PUSH, roam_v1_Push_sender_tag, ROAM__TEXT, 0, ROAM_USER_MAX},
    {ROAM_PUSH, roam_v1_Push_content_type_tag, ROAM__TEXT, 0,
     ROAM_CONTENT_TYPE_MAX},
    {ROAM_PUSH, roam_v1_Push_cut_size_tag, ROAM__UINT32, 0, ANY},
    {ROAM_PUSH, roam_v1_Push_client_msg_id_tag, ROAM__FIXED64, 0, 0},
    {ROAM_PUSH, roam_v1_Push_body_tag, ROAM__BODY, 0, 0},

    {ROAM_BATCH, roam_v1_Batch_prev_version_tag, ROAM__VERSION, 0, 0},
    {ROAM_BATCH, roam_v1_Batch_last_version_tag, ROAM__VERSION, 1, 0},
    {ROAM_BATCH, roam_v1_Batch_count_tag, ROAM__UINT32, 1, ANY},
    {ROAM_BATCH, roam_v1_Batch_codec_tag, ROAM__UINT32, 0, ANY},
    {ROAM_BATCH, roam_v1_Batch_inflated_size_tag, ROAM__UINT32, 1, ANY},
    {ROAM_BATCH, roam_v1_Batch_payload_tag, ROAM__BODY, 1, 0},

    {ROAM_SEND_OK, roam_v1_SendOk_client_msg_id_tag, ROAM__FIXED64, 1, 0},
    {ROAM_SEND_OK, roam_v1_SendOk_msg_id_tag, ROAM__VERSION, 1, 0},
    {ROAM_SEND_OK, roam_v1_SendOk_duplicate_tag, ROAM__UINT32, 0, ANY},

    {ROAM_PONG, roam_v1_Pong_id_tag, ROAM__UINT64, 0, 0},
    {ROAM_PONG, roam_v1_Pong_head_tag, ROAM__VERSION, 0, 0},

    {ROAM_ERROR, roam_v1_Error_code_tag, ROAM__UINT32, 1, ANY},
    {ROAM_ERROR, roam_v1_Error_retry_tag, ROAM__UINT32, 1, ANY},
    {ROAM_ERROR, roam_v1_Error_ref_tag, ROAM__FIXED64, 1, 0},
    {ROAM_ERROR, roam_v1_Error_detail_tag, ROAM__TEXT, 0, ROAM_DETAIL_MAX},

    {ROAM_HISTORY_PAGE, roam_v1_HistoryPage_ref_tag, ROAM__FIXED64, 1, 0},
    {ROAM_HISTORY_PAGE, roam_v1_HistoryPage_more_tag, ROAM__UINT32, 0, ANY},
    {ROAM_HISTORY_PAGE, roam_v1_HistoryPage_count_tag, ROAM__UINT32, 0,
     ROAM_PAGE_ROWS_MAX},
    {ROAM_HISTORY_PAGE, roam_v1_HistoryPage_codec_tag, ROAM__UINT32, 0, ANY},
    {ROAM_HISTORY_PAGE, roam_v1_HistoryPage_inflated_size_tag, ROAM__UINT32, 0,
     ANY},
    {ROAM_HISTORY_PAGE, roam_v1_HistoryPage_payload_tag, ROAM__BODY, 0, 0},

    {ROAM_CONVERSATION_PAGE, roam_v1_ConversationPage_ref_tag, ROAM__FIXED64, 1,
     0},
    {ROAM_CONVERSATION_PAGE, roam_v1_ConversationPage_more_tag, ROAM__UINT32, 0,
     ANY},
    {ROAM_CONVERSATION_PAGE, roam_v1_ConversationPage_count_tag, ROAM__UINT32,
     0, ROAM_PAGE_ROWS_MAX},
    {ROAM_CONVERSATION_PAGE, roam_v1_ConversationPage_codec_tag, ROAM__UINT32,
     0, ANY},
    {ROAM_CONVERSATION_PAGE, roam_v1_ConversationPage_inflated_size_tag,
     ROAM__UINT32, 0, ANY},
    {ROAM_CONVERSATION_PAGE, roam_v1_ConversationPage_payload_tag, ROAM__BODY,
     0, 0},
    {ROAM_CONVERSATION_PAGE, roam_v1_ConversationPage_as_of_tag, ROAM__VERSION,
     0, 0},

    {ROAM__HOLDER_RULES, roam_v1_Holder_device_type_tag, ROAM__UINT32, 0, ANY},
    {ROAM__HOLDER_RULES, roam_v1_Holder_device_name_tag, ROAM__TEXT, 0,
     ROAM_DEVICE_NAME_MAX},
    {ROAM__HOLDER_RULES, roam_v1_Holder_since_tag, ROAM__VERSION, 0, 0},
};
const size_t roam__field_rule_count =
    sizeof roam__field_rules / sizeof roam__field_rules[0];
