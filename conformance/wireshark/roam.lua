-- SPDX-License-Identifier: Apache-2.0
--
-- Wireshark dissector of Roam 1 on TCP, for Wireshark and tshark from 3.6 on.
--
-- Put this file into the folder of personal Lua plugins (Help > About >
-- Folders), or give it by `-X lua_script:roam.lua`. Port 7626 is Roam; for
-- another one use "Decode As", or the preference `roam.port`. Inside TLS it is
-- found by its ALPN, `roam/1`, once Wireshark has the keys.
--
-- Every field has a filter of its own: `roam.login.user`, `roam.kick.reason`.
-- `roam.type` is the frame's type, `_ws.expert` finds what is wrong.

-- tables: begin, written by make_tables.py
local FRAMES = {
    [0x01] = {"LOGIN", "Login"},
    [0x02] = {"LOGOUT", "Logout"},
    [0x03] = {"SYNC", "Sync"},
    [0x04] = {"ACK", "Ack"},
    [0x05] = {"SEND", "Send"},
    [0x06] = {"PING", "Ping"},
    [0x07] = {"HISTORY", "History"},
    [0x08] = {"CONVERSATIONS", "Conversations"},
    [0x09] = {"MEMBERS", "Members"},
    [0x0a] = {"SESSIONS", "Sessions"},
    [0x0b] = {"END_SESSION", "EndSession"},
    [0x41] = {"LOGIN_OK", "LoginOk"},
    [0x42] = {"REFUSED", "Refused"},
    [0x43] = {"KICK", "Kick"},
    [0x44] = {"SYNC_OK", "SyncOk"},
    [0x45] = {"PUSH", "Push"},
    [0x46] = {"BATCH", "Batch"},
    [0x47] = {"SEND_OK", "SendOk"},
    [0x48] = {"PONG", "Pong"},
    [0x49] = {"ERROR", "Error"},
    [0x4a] = {"HISTORY_PAGE", "HistoryPage"},
    [0x4b] = {"CONVERSATION_PAGE", "ConversationPage"},
    [0x4c] = {"MEMBER_PAGE", "MemberPage"},
    [0x4d] = {"SESSION_LIST", "SessionList"},
    [0x4e] = {"SESSION_ENDED", "SessionEnded"},
}
local MESSAGES = {
    Login = {
        [1] = {"protocol", "uint32"},
        [2] = {"user", "string"},
        [3] = {"token", "string"},
        [4] = {"device_id", "bytes"},
        [5] = {"device_type", "DeviceType"},
        [6] = {"device_name", "string"},
        [7] = {"software", "string"},
        [8] = {"attempt", "uint64"},
        [9] = {"take_over", "uint64"},
        [10] = {"max_frame", "uint32"},
        [11] = {"protocol_min", "uint32"},
        [12] = {"capabilities", "uint64"},
    },
    Logout = {
    },
    Sync = {
        [1] = {"cursor", "uint64"},
        [2] = {"max_entries", "uint32"},
        [3] = {"max_unacked", "uint32"},
        [4] = {"max_inflated", "uint32"},
        [5] = {"codecs", "uint32"},
    },
    Ack = {
        [1] = {"version", "uint64"},
    },
    Send = {
        [1] = {"client_msg_id", "fixed64"},
        [2] = {"conversation", "string"},
        [3] = {"kind", "Kind"},
        [4] = {"content_type", "string"},
        [5] = {"body", "bytes"},
    },
    Ping = {
        [1] = {"id", "uint64"},
    },
    History = {
        [1] = {"ref", "fixed64"},
        [2] = {"conversation", "string"},
        [3] = {"before", "uint64"},
        [4] = {"after", "uint64"},
        [5] = {"max_rows", "uint32"},
        [6] = {"max_inflated", "uint32"},
        [7] = {"codecs", "uint32"},
        [8] = {"operations_only", "bool"},
    },
    Conversations = {
        [1] = {"ref", "fixed64"},
        [2] = {"before", "uint64"},
        [3] = {"conversation", "string"},
        [4] = {"max_rows", "uint32"},
        [5] = {"max_inflated", "uint32"},
        [6] = {"codecs", "uint32"},
    },
    Members = {
        [1] = {"ref", "fixed64"},
        [2] = {"conversation", "string"},
        [3] = {"after", "string"},
        [4] = {"max_rows", "uint32"},
    },
    Sessions = {
        [1] = {"ref", "fixed64"},
        [2] = {"after", "DeviceType"},
    },
    EndSession = {
        [1] = {"ref", "fixed64"},
        [2] = {"device_type", "DeviceType"},
        [3] = {"generation", "uint64"},
    },
    Holder = {
        [1] = {"device_type", "DeviceType"},
        [2] = {"device_name", "string"},
        [3] = {"since", "uint64"},
    },
    LoginOk = {
        [1] = {"generation", "uint64"},
        [2] = {"head", "uint64"},
        [3] = {"floor", "uint64"},
        [4] = {"max_frame", "uint32"},
        [5] = {"max_body", "uint32"},
        [6] = {"max_commands", "uint32"},
        [7] = {"heartbeat_ms", "uint32"},
        [8] = {"dedup_ms", "uint64"},
        [9] = {"protocol", "uint32"},
        [10] = {"capabilities", "uint64"},
        [11] = {"timeline_ms", "uint64"},
        [12] = {"timeline_entries", "uint32"},
        [13] = {"history_ms", "uint64"},
        [14] = {"recall_ms", "uint64"},
        [15] = {"max_members", "uint32"},
    },
    Refused = {
        [1] = {"reason", "RefusedReason"},
        [2] = {"retry", "Retry"},
        [3] = {"generation", "uint64"},
        [4] = {"holder", "Holder"},
        [5] = {"protocol_min", "uint32"},
        [6] = {"protocol_max", "uint32"},
        [7] = {"retry_after_ms", "uint32"},
    },
    Kick = {
        [1] = {"reason", "KickReason"},
        [2] = {"retry", "Retry"},
        [3] = {"retry_after_ms", "uint32"},
        [4] = {"generation", "uint64"},
        [5] = {"holder", "Holder"},
        [6] = {"error", "ErrorCode"},
        [7] = {"detail", "string"},
    },
    SyncOk = {
        [1] = {"result", "SyncResult"},
        [2] = {"head", "uint64"},
        [3] = {"floor", "uint64"},
        [4] = {"reason", "ResetReason"},
        [5] = {"max_unacked", "uint32"},
    },
    Push = {
        [1] = {"version", "uint64"},
        [2] = {"prev_version", "uint64"},
        [3] = {"kind", "Kind"},
        [4] = {"msg_id", "uint64"},
        [5] = {"conversation", "string"},
        [6] = {"sender", "string"},
        [7] = {"content_type", "string"},
        [8] = {"cut_size", "uint32"},
        [9] = {"client_msg_id", "fixed64"},
        [10] = {"body", "bytes"},
        [11] = {"recalled", "bool"},
        [12] = {"conversation_name", "string"},
        [13] = {"sender_name", "string"},
    },
    Batch = {
        [1] = {"prev_version", "uint64"},
        [2] = {"last_version", "uint64"},
        [3] = {"count", "uint32"},
        [4] = {"codec", "Codec"},
        [5] = {"inflated_size", "uint32"},
        [6] = {"payload", "bytes"},
    },
    SendOk = {
        [1] = {"client_msg_id", "fixed64"},
        [2] = {"msg_id", "uint64"},
        [3] = {"duplicate", "bool"},
        [4] = {"conversation", "string"},
    },
    Pong = {
        [1] = {"id", "uint64"},
        [2] = {"head", "uint64"},
    },
    Error = {
        [1] = {"code", "ErrorCode"},
        [2] = {"retry", "Retry"},
        [3] = {"ref", "fixed64"},
        [4] = {"detail", "string"},
        [5] = {"retry_after_ms", "uint32"},
    },
    HistoryPage = {
        [1] = {"ref", "fixed64"},
        [2] = {"more", "bool"},
        [3] = {"count", "uint32"},
        [4] = {"codec", "Codec"},
        [5] = {"inflated_size", "uint32"},
        [6] = {"payload", "bytes"},
    },
    ConversationPage = {
        [1] = {"ref", "fixed64"},
        [2] = {"more", "bool"},
        [3] = {"count", "uint32"},
        [4] = {"codec", "Codec"},
        [5] = {"inflated_size", "uint32"},
        [6] = {"payload", "bytes"},
        [7] = {"as_of", "uint64"},
    },
    MemberPage = {
        [1] = {"ref", "fixed64"},
        [2] = {"more", "bool"},
        [3] = {"count", "uint32"},
        [4] = {"as_of", "uint64"},
        [5] = {"name", "string"},
        [6] = {"join", "JoinMode"},
        [7] = {"muted", "bool"},
        [8] = {"member_count", "uint32"},
        [9] = {"rows", "bytes"},
    },
    SessionList = {
        [1] = {"ref", "fixed64"},
        [2] = {"more", "bool"},
        [3] = {"count", "uint32"},
        [4] = {"rows", "bytes"},
    },
    SessionEnded = {
        [1] = {"ref", "fixed64"},
    },
    MemberRows = {
        [1] = {"rows", "MemberRow", true},
    },
    MemberRow = {
        [1] = {"user", "string"},
        [2] = {"name", "string"},
        [3] = {"role", "Role"},
        [4] = {"muted", "bool"},
        [5] = {"since", "uint64"},
    },
    SessionRows = {
        [1] = {"rows", "SessionRow", true},
    },
    SessionRow = {
        [1] = {"device_type", "DeviceType"},
        [2] = {"device_name", "string"},
        [3] = {"software", "string"},
        [4] = {"since", "uint64"},
        [5] = {"last_seen", "uint64"},
        [6] = {"online", "bool"},
        [7] = {"generation", "uint64"},
        [8] = {"self", "bool"},
    },
    Target = {
        [1] = {"msg_id", "uint64"},
    },
    App = {
        [1] = {"users", "string", true},
        [2] = {"data", "bytes"},
    },
    GroupChange = {
        [1] = {"action", "GroupAction"},
        [2] = {"users", "string", true},
        [3] = {"name", "string"},
        [4] = {"join", "JoinMode"},
        [5] = {"text", "string"},
    },
    DeviceChange = {
        [1] = {"device_type", "DeviceType"},
        [2] = {"device_name", "string"},
        [3] = {"since", "uint64"},
    },
    Attachment = {
        [1] = {"sha256", "bytes"},
        [2] = {"size", "uint64"},
        [3] = {"content_type", "string"},
        [4] = {"name", "string"},
        [5] = {"url", "string"},
        [6] = {"thumbnail", "bytes"},
    },
    Columns = {
        [1] = {"conversations", "string", true},
        [2] = {"senders", "string", true},
        [3] = {"content_types", "string", true},
        [4] = {"version_gap", "uint64", true},
        [5] = {"time_delta", "sint64", true},
        [6] = {"id_rest", "uint32", true},
        [7] = {"conversation", "uint32", true},
        [8] = {"sender", "uint32", true},
        [9] = {"kind", "Kind", true},
        [10] = {"content_type", "uint32", true},
        [11] = {"body_length", "uint32", true},
        [12] = {"own_row", "uint32", true},
        [13] = {"own_client_msg_id", "fixed64", true},
        [14] = {"cut_row", "uint32", true},
        [15] = {"cut_size", "uint32", true},
        [16] = {"bodies", "bytes"},
        [17] = {"recalled_row", "uint32", true},
        [18] = {"conversation_names", "string", true},
        [19] = {"sender_names", "string", true},
        [20] = {"read_mark", "uint64", true},
        [21] = {"unread", "uint32", true},
        [22] = {"role", "Role", true},
    },
}
local ENUMS = {
    DeviceType = {
        [0] = "DEVICE_TYPE_UNSPECIFIED",
        [1] = "PHONE",
        [2] = "TABLET",
        [3] = "DESKTOP",
        [4] = "WEB",
        [5] = "WATCH",
        [6] = "EMBEDDED",
    },
    RefusedReason = {
        [0] = "REFUSED_UNSPECIFIED",
        [1] = "OCCUPIED",
        [2] = "KICKED",
        [3] = "FREE",
        [4] = "STALE",
        [5] = "CREDENTIAL",
        [6] = "TOKEN_EXPIRED",
        [7] = "TYPE_FORBIDDEN",
        [8] = "PROTOCOL_VERSION",
        [9] = "TOKEN_BOUND",
        [10] = "THROTTLED",
    },
    KickReason = {
        [0] = "KICK_UNSPECIFIED",
        [1] = "TAKEN_OVER",
        [2] = "SUPERSEDED",
        [3] = "LOGGED_OUT",
        [4] = "GOING_AWAY",
        [5] = "TOO_SLOW",
        [6] = "PROTOCOL_ERROR",
        [7] = "IDLE",
        [8] = "LOGIN_TIMEOUT",
        [9] = "OVERLOADED",
        [10] = "REVOKED",
        [11] = "EXPIRED",
        [12] = "RESYNC",
        [13] = "TOO_FAST",
    },
    Retry = {
        [0] = "RETRY_UNSPECIFIED",
        [1] = "NOW",
        [2] = "AFTER",
        [3] = "REAUTHENTICATE",
        [4] = "NEVER",
    },
    ErrorCode = {
        [0] = "ERROR_UNSPECIFIED",
        [1] = "FRAME_TOO_LONG",
        [2] = "FRAME_UNKNOWN",
        [3] = "FRAME_UNEXPECTED",
        [4] = "MALFORMED",
        [5] = "FIELD_RANGE",
        [6] = "INVALID_UTF8",
        [7] = "ACK_AHEAD",
        [8] = "TOO_MANY_COMMANDS",
        [9] = "SYNC_BUSY",
        [32] = "NO_SUCH_CONVERSATION",
        [33] = "BODY_TOO_LONG",
        [34] = "ID_REUSED",
        [35] = "KIND_UNKNOWN",
        [36] = "NO_SUCH_MESSAGE",
        [37] = "FORBIDDEN",
        [38] = "TOO_LATE",
        [39] = "GROUP_FULL",
        [40] = "MUTED",
        [41] = "NO_SUCH_USER",
        [42] = "BODY_INVALID",
        [43] = "POLICY",
        [44] = "RATE_LIMITED",
        [45] = "NO_SUCH_DEVICE",
    },
    SyncResult = {
        [0] = "SYNC_UNSPECIFIED",
        [1] = "UP_TO_DATE",
        [2] = "DELTA",
        [3] = "RESET",
    },
    ResetReason = {
        [0] = "RESET_UNSPECIFIED",
        [1] = "NOT_A_LINK",
        [2] = "AHEAD",
        [3] = "TOO_MANY",
    },
    Kind = {
        [0] = "MESSAGE",
        [1] = "NOOP",
        [2] = "RECALL",
        [3] = "DELETE",
        [4] = "READ",
        [5] = "APP",
        [6] = "GROUP",
        [7] = "DEVICE",
    },
    GroupAction = {
        [0] = "GROUP_ACTION_UNSPECIFIED",
        [1] = "CREATE",
        [2] = "INVITE",
        [3] = "JOIN",
        [4] = "APPROVE",
        [5] = "DENY",
        [6] = "LEAVE",
        [7] = "REMOVE",
        [8] = "RENAME",
        [9] = "SET_ADMIN",
        [10] = "UNSET_ADMIN",
        [11] = "MUTE",
        [12] = "UNMUTE",
        [13] = "SET_JOIN",
        [14] = "TRANSFER",
        [15] = "DISSOLVE",
    },
    JoinMode = {
        [0] = "JOIN_UNSPECIFIED",
        [1] = "JOIN_OPEN",
        [2] = "JOIN_APPROVAL",
        [3] = "JOIN_CLOSED",
    },
    Role = {
        [0] = "ROLE_NONE",
        [1] = "APPLICANT",
        [2] = "MEMBER",
        [3] = "ADMIN",
        [4] = "OWNER",
    },
    Codec = {
        [0] = "CODEC_NONE",
        [1] = "CODEC_DEFLATE",
    },
}
-- tables: end

local HEADER = 4
local DEFAULT_PORT = 7626
local IGNORABLE, FROM_SERVER = 0x80, 0x40
-- Values of one packed column that get a line each.
local VALUES_SHOWN = 200
-- What stands in a field of bytes: message, field, and what it holds.
local INSIDE = {
    Batch = {payload = "Columns"},
    HistoryPage = {payload = "Columns"},
    ConversationPage = {payload = "Columns"},
    MemberPage = {rows = "MemberRows"},
    SessionList = {rows = "SessionRows"},
}
local VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5

local roam = Proto("roam", "Roam 1")

-- ------------------------------------------------------------------ fields

local frame_names = {}
for number, frame in pairs(FRAMES) do
    frame_names[number] = frame[1]
end

local f = {
    type = ProtoField.uint8("roam.type", "Type", base.HEX, frame_names),
    length = ProtoField.uint24("roam.length", "Payload length", base.DEC),
    unknown = ProtoField.bytes("roam.unknown", "Unknown field"),
    column = ProtoField.none("roam.column", "Column"),
    inflated = ProtoField.bytes("roam.inflated", "Inflated"),
}

-- LoginOk -> login_ok
local function snake(name)
    return (name:gsub("(%l)(%u)", "%1_%2"):lower())
end

local function make_field(abbreviation, name, kind)
    if ENUMS[kind] then
        return ProtoField.uint32(abbreviation, name, base.DEC, ENUMS[kind])
    elseif MESSAGES[kind] then
        return ProtoField.none(abbreviation, name)
    elseif kind == "string" then
        return ProtoField.string(abbreviation, name, base.UNICODE)
    elseif kind == "bytes" then
        return ProtoField.bytes(abbreviation, name)
    elseif kind == "bool" then
        return ProtoField.bool(abbreviation, name)
    elseif kind == "sint64" or kind == "sint32" then
        return ProtoField.int64(abbreviation, name)
    elseif kind == "fixed64" or kind == "fixed32" then
        return ProtoField.uint64(abbreviation, name, base.HEX)
    end
    return ProtoField.uint64(abbreviation, name)
end

-- of[message][number]
local of = {}
for message, fields in pairs(MESSAGES) do
    of[message] = {}
    for number, field in pairs(fields) do
        local abbreviation = "roam." .. snake(message) .. "." .. field[1]
        local made = make_field(abbreviation, field[1], field[2])
        of[message][number] = made
        f[abbreviation] = made
    end
end
roam.fields = f

local function expert_info(name, text, group, severity)
    return ProtoExpert.new("roam.expert." .. name, text, group, severity)
end

local e = {
    unknown_frame = expert_info("unknown_frame", "Unknown type of frame",
        expert.group.PROTOCOL, expert.severity.ERROR),
    ignorable = expert_info("ignorable", "Unknown frame, to be ignored",
        expert.group.PROTOCOL, expert.severity.NOTE),
    direction = expert_info("direction", "Frame goes the wrong way",
        expert.group.PROTOCOL, expert.severity.ERROR),
    cut = expert_info("cut", "The capture has no more of this frame",
        expert.group.UNDECODED, expert.severity.NOTE),
    malformed = expert_info("malformed", "No protobuf field from here on",
        expert.group.MALFORMED, expert.severity.ERROR),
    wire_type = expert_info("wire_type", "Field has the wrong wire type",
        expert.group.MALFORMED, expert.severity.ERROR),
    unknown_field = expert_info("unknown_field", "Field is not in roam.proto",
        expert.group.PROTOCOL, expert.severity.NOTE),
    unknown_value = expert_info("unknown_value", "Value is not in roam.proto",
        expert.group.PROTOCOL, expert.severity.WARN),
    utf8 = expert_info("utf8", "Text is not UTF-8", expert.group.MALFORMED,
        expert.severity.ERROR),
    deflate = expert_info("deflate", "Payload does not inflate, or this " ..
        "Wireshark has no raw inflate", expert.group.UNDECODED,
        expert.severity.WARN),
    inflated_size = expert_info("inflated_size", "Inflated size is not what " ..
        "the frame says", expert.group.PROTOCOL, expert.severity.ERROR),
    kick = expert_info("kick", "Session ends", expert.group.RESPONSE_CODE,
        expert.severity.NOTE),
    refused = expert_info("refused", "Login refused",
        expert.group.RESPONSE_CODE, expert.severity.NOTE),
    error = expert_info("error", "Command not carried out",
        expert.group.RESPONSE_CODE, expert.severity.NOTE),
}
roam.experts = e
roam.prefs.port = Pref.uint("TCP port", DEFAULT_PORT, "Port of the server")

-- ---------------------------------------------------------------- protobuf

-- The varint at `at`: low and high half of its value, and what is behind it.
-- nil: none. Lua's numbers may be doubles, so halves are never added up.
local function varint(range, at)
    local low, high = 0, 0
    for i = 0, 9 do
        if at + i >= range:len() then
            return nil
        end
        local byte = range(at + i, 1):uint()
        local bits = byte % 128
        if i < 4 then
            low = low + bits * 2 ^ (7 * i)
        elseif i == 4 then
            low = low + (bits % 16) * 2 ^ 28
            high = math.floor(bits / 16)
        elseif i < 9 then
            high = high + bits * 2 ^ (7 * i - 32)
        else
            high = high + (bits % 2) * 2 ^ 31
        end
        if byte < 128 then
            return math.floor(low), math.floor(high % 2 ^ 32), at + i + 1
        end
    end
    return nil
end

local function zigzag(low, high)
    local negative = low % 2 == 1
    local half = math.floor(low / 2) + (high % 2) * 2 ^ 31
    local top = math.floor(high / 2)
    if negative then
        half, top = 2 ^ 32 - 1 - half, 2 ^ 32 - 1 - top
    end
    return Int64.new(math.floor(half), math.floor(top))
end

-- RFC 3629.
local function is_utf8(text)
    local at, n = 1, #text
    while at <= n do
        local a, b = text:byte(at, at + 1)
        local more
        if a < 0x80 then
            more = 0
        elseif a >= 0xc2 and a < 0xe0 then
            more = 1
        elseif a >= 0xe0 and a < 0xf0 then
            more = 2
        elseif a >= 0xf0 and a < 0xf5 then
            more = 3
        else
            return false
        end
        if at + more > n or (a == 0xe0 and b < 0xa0) or
            (a == 0xed and b > 0x9f) or (a == 0xf0 and b < 0x90) or
            (a == 0xf4 and b > 0x8f) then
            return false
        end
        for i = at + 1, at + more do
            local c = text:byte(i)
            if c < 0x80 or c > 0xbf then
                return false
            end
        end
        at = at + more + 1
    end
    return true
end

local function raw(range)
    return range:bytes():raw()
end

local FIXED = {fixed64 = FIXED64, fixed32 = FIXED32}

local function wire_of(kind)
    if FIXED[kind] then
        return FIXED[kind]
    elseif kind == "string" or kind == "bytes" or MESSAGES[kind] then
        return LENGTH
    end
    return VARINT
end

-- One number, at `at` of the range. Adds it to the tree; returns its text and
-- what is behind it, nil if there is none.
local function add_number(tree, field, kind, range, at, shown)
    if FIXED[kind] then
        local size = kind == "fixed64" and 8 or 4
        if at + size > range:len() then
            return nil
        end
        local part = range(at, size)
        local value = size == 8 and part:le_uint64() or
            UInt64.new(part:le_uint(), 0)
        if shown then
            tree:add(field, part, value)
        end
        return "0x" .. value:tohex(16), at + size
    end
    local low, high, behind = varint(range, at)
    if not low then
        return nil
    end
    local part = range(at, behind - at)
    if ENUMS[kind] then
        local name = ENUMS[kind][low]
        if shown then
            local item = tree:add(field, part, low)
            if not name or high ~= 0 then
                item:add_proto_expert_info(e.unknown_value)
            end
        end
        return name or tostring(low), behind
    elseif kind == "bool" then
        if shown then
            tree:add(field, part, low ~= 0)
        end
        return low ~= 0 and "true" or "false", behind
    end
    local value = (kind == "sint64" or kind == "sint32") and
        zigzag(low, high) or UInt64.new(low, high)
    if shown then
        tree:add(field, part, value)
    end
    return tostring(value), behind
end

local function add_packed(tree, field, name, kind, range)
    local branch = tree:add(f.column, range)
    local at, count, texts = 0, 0, {}
    while at < range:len() do
        local shown = count < VALUES_SHOWN
        local text, behind = add_number(branch, field, kind, range, at, shown)
        if not text then
            branch:add_proto_expert_info(e.malformed)
            break
        end
        count, at = count + 1, behind
        if count <= 8 then
            texts[#texts + 1] = text
        end
    end
    branch:set_text(string.format("%s: %d values: %s%s", name, count,
        table.concat(texts, ", "), count > 8 and ", ..." or ""))
end

local add_message

local function add_length(tree, message, number, field, range, values)
    local name, kind = field[1], field[2]
    local made = of[message][number]
    if kind == "string" then
        local text = raw(range)
        if is_utf8(text) then
            tree:add_packet_field(made, range, ENC_UTF_8)
            values[name] = text
        else
            tree:add(made, range):add_proto_expert_info(e.utf8)
        end
    elseif kind == "bytes" then
        local item = tree:add(made, range)
        values[name] = {range = range, item = item}
    elseif MESSAGES[kind] then
        local branch = tree:add(made, range)
        add_message(branch, kind, range)
    else
        add_packed(tree, made, name, kind, range)
    end
end

-- One field; returns what is behind it, nil if there is none.
local function add_field(tree, message, range, at, values)
    local tag, high, value_at = varint(range, at)
    if not tag or high ~= 0 then
        return nil
    end
    local wire, number = tag % 8, math.floor(tag / 8)
    local behind, value = nil, nil
    if wire == VARINT then
        local low, _, next_at = varint(range, value_at)
        behind = low and next_at
    elseif wire == FIXED64 then
        behind = value_at + 8
    elseif wire == FIXED32 then
        behind = value_at + 4
    elseif wire == LENGTH then
        local len, len_high, next_at = varint(range, value_at)
        if len and len_high == 0 then
            value_at, behind = next_at, next_at + len
        end
    end
    if not behind or behind > range:len() or number == 0 then
        return nil
    end
    local field = MESSAGES[message][number]
    local whole = range(at, behind - at)
    if not field then
        tree:add(f.unknown, whole):append_text(" (number " .. number .. ")")
            :add_proto_expert_info(e.unknown_field)
        return behind
    end
    local packed = field[3] and wire == LENGTH
    if wire ~= wire_of(field[2]) and not packed then
        tree:add(f.unknown, whole):append_text(" (" .. field[1] .. ")")
            :add_proto_expert_info(e.wire_type)
    elseif wire == LENGTH then
        if behind > value_at then
            add_length(tree, message, number, field,
                range(value_at, behind - value_at), values)
        end
    else
        value = add_number(tree, of[message][number], field[2], range,
            value_at, true)
        values[field[1]] = value
    end
    return behind
end

-- Recursion as deep as roam.proto nests messages. Returns values by name.
-- is_cut: the capture has not all of it.
function add_message(tree, message, range, is_cut)
    local values = {}
    local at = 0
    while at < range:len() do
        local behind = add_field(tree, message, range, at, values)
        if not behind then
            tree:add(f.unknown, range(at))
                :add_proto_expert_info(is_cut and e.cut or e.malformed)
            break
        end
        at = behind
    end
    return values
end

-- ------------------------------------------------------------------ frames

local function inflate(range)
    for _, name in ipairs({"uncompress", "uncompress_zlib"}) do
        local ok, inflated = pcall(function()
            return range[name](range, "Inflated Roam payload")
        end)
        if ok and inflated then
            return inflated
        end
    end
    return nil
end

-- What stands in the frame's field of bytes: columns, or rows.
local function add_inside(message, values)
    for name, kind in pairs(INSIDE[message] or {}) do
        local held = values[name]
        if held and (values.codec or "CODEC_NONE") == "CODEC_NONE" then
            add_message(held.item, kind, held.range)
        elseif held and values.codec == "CODEC_DEFLATE" then
            local inflated = inflate(held.range)
            if inflated then
                local branch = held.item:add(f.inflated, inflated)
                if tostring(inflated:len()) ~= values.inflated_size then
                    branch:add_proto_expert_info(e.inflated_size)
                end
                add_message(branch, kind, inflated)
            else
                held.item:add_proto_expert_info(e.deflate)
            end
        end
    end
end

-- Names of the fields that tell most in one line, where they are there.
local SUMMARY = {"user", "device_type", "result", "reason", "code", "retry",
    "conversation", "kind", "generation", "cursor", "prev_version",
    "first_prev_version", "version", "last_version", "head", "count",
    "msg_id", "id"}

local function summary(values)
    local texts = {}
    for _, name in ipairs(SUMMARY) do
        if type(values[name]) == "string" then
            texts[#texts + 1] = name .. "=" .. values[name]
        end
    end
    return table.concat(texts, " ")
end

local function add_type_faults(item, number, from_server)
    if not FRAMES[number] then
        item:add_proto_expert_info(
            number >= IGNORABLE and e.ignorable or e.unknown_frame)
    elseif (math.floor(number / FROM_SERVER) % 2 == 1) ~= from_server then
        item:add_proto_expert_info(e.direction)
    end
end

local ENDINGS = {KICK = e.kick, REFUSED = e.refused, ERROR = e.error}

-- One whole frame, or what the capture has of it.
local function dissect_frame(tvb, pinfo, tree)
    local is_cut = tvb:len() < tvb:reported_len()
    if tvb:len() < HEADER then
        tree:add(roam, tvb(), "Roam 1, cut")
            :add_proto_expert_info(e.cut)
        return tvb:len()
    end
    local number = tvb(0, 1):uint()
    local frame = FRAMES[number]
    local name = frame and frame[1] or string.format("type 0x%02x", number)
    local branch = tree:add(roam, tvb(), "Roam 1, " .. name)
    local item = branch:add(f.type, tvb(0, 1))
    branch:add(f.length, tvb(1, 3))
    add_type_faults(item, number, pinfo.src_port == roam.prefs.port)
    local text = name
    if frame then
        local values = {}
        if tvb:len() > HEADER then
            values = add_message(branch, frame[2], tvb(HEADER):range(),
                is_cut)
        end
        add_inside(frame[2], values)
        local more = summary(values)
        text = more == "" and name or name .. " " .. more
        if ENDINGS[name] then
            branch:add_proto_expert_info(ENDINGS[name], text)
        end
    elseif tvb:len() > HEADER then
        branch:add(f.unknown, tvb(HEADER))
    end
    branch:set_text("Roam 1, " .. text)
    if is_cut then
        branch:add_proto_expert_info(e.cut)
    end
    if pinfo.columns.info then
        pinfo.columns.info:append(text .. "; ")
    end
    return tvb:len()
end

local function frame_length(tvb, _, offset)
    if offset + HEADER > tvb:len() then
        return tvb:reported_len() - offset -- a capture of short packets
    end
    return HEADER + tvb(offset + 1, 3):uint()
end

function roam.dissector(tvb, pinfo, tree)
    pinfo.columns.protocol = "Roam"
    pinfo.columns.info:clear()
    dissect_tcp_pdus(tvb, tree, HEADER, frame_length, dissect_frame)
    return tvb:len()
end

local tcp_ports = DissectorTable.get("tcp.port")
local port = DEFAULT_PORT
tcp_ports:add(port, roam)

function roam.prefs_changed()
    tcp_ports:remove(port, roam)
    port = roam.prefs.port
    tcp_ports:add(port, roam)
end

-- Wireshark before 4.2 has no table by ALPN for Lua.
pcall(function()
    DissectorTable.get("tls.alpn"):add("roam/1", roam)
end)
