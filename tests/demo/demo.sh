#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: demo.sh BUILD_DIR
#
# Plays conversation.txt between real processes: one roamd with TLS, alice on
# a phone and a desktop, bob on a phone, in a browser ("web") and on a tablet.
# Each line goes out from the device that it names and is waited for on every
# other device that is online. On the way the tablet goes offline, bob's
# browser is killed twice, and alice's phone is taken over by a new one.
#
# At the end the history of every device is compared with the file: the same
# messages in the same order, nothing lost, nothing twice. The exit status is
# 0 only if all of that holds.
#
# How it works: all processes write to one pipe, one JSON object a line, and
# this script reads it; whatever it waits for is an event that it reads. The
# only clock is a watchdog that ends a demo that hangs, as failed.
#
# Directions in the file:
#   @ scene TITLE              a heading
#   @ offline USER/DEVICE      that device leaves
#   @ burst N kill DEVICE after M
#                              the next N lines are sent without waiting, and
#                              DEVICE is killed when M of them are there
#   @ return DEVICE            it comes back
#   @ limbo DEVICE             the next line is DEVICE's; the server is frozen
#                              and DEVICE is killed before it has an answer
#   @ takeback DEVICE: TEXT    DEVICE sends this and takes it back
#   @ read DEVICE              DEVICE reads up to the newest message
#   @ group DEVICE NAME: TEXT  DEVICE makes a group of both and says this there
#   @ newphone                 alice's phone slot is taken over
#   @ newcomer DEVICE          a device that was never there wants no backlog,
#                              and fetches the history
#   @ catchup DEVICE           an offline device comes back, and leaves

set -u
LC_ALL=C.UTF-8
export LC_ALL
WATCHDOG_S=60

build=${1:?usage: demo.sh BUILD_DIR}
here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=$(cd "$build" && pwd) || exit 1
roam=$build/roam
roamd=$build/roamd
script=$here/conversation.txt
tmp=$(mktemp -d "${TMPDIR:-/tmp}/roam-demo.XXXXXX") || exit 1

# ------------------------------------------------------------------- output

if [ -t 1 ]; then
    bold=$(printf '[1m') dim=$(printf '[2m') plain=$(printf '[0m')
    cyan=$(printf '[36m') yellow=$(printf '[33m')
else
    bold='' dim='' plain='' cyan='' yellow=''
fi

say() {
    printf '%s\n' "$*"
}

note() {
    printf '%s     %s%s\n' "$dim" "$*" "$plain"
}

# ------------------------------------------------------------------ cleanup

cleanup() {
    status=$?
    trap '' EXIT INT TERM HUP
    for file in "$tmp"/*.pid; do
        if [ -s "$file" ]; then
            kill -CONT "$(cat "$file")" 2>/dev/null
            kill -KILL "$(cat "$file")" 2>/dev/null
        fi
    done
    wait
    rm -rf "$tmp"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fail() {
    say "DEMO FAILED: $*" >&2
    for file in "$tmp"/*.err; do
        if [ -s "$file" ]; then
            say "--- $(basename "$file")" >&2
            tail -n 5 "$file" >&2
        fi
    done
    exit 1
}

# ---------------------------------------------------------------- processes

# run NAME COMMAND...: in the background, with its input from descriptor 4.
# Its pid is in NAME.pid from before it starts until it has ended, and its end
# is an event. (A command in the background loses an input that it merely
# inherits, hence the 4.)
run() {
    name=$1
    shift
    (
        # shellcheck disable=SC2016
        sh -c 'echo $$ >"$0"; exec "$@" 0<&4' "$tmp/$name.pid" "$@"
        code=$?
        rm -f "$tmp/$name.pid"
        printf '{"device_name":"%s","event":"exit","code":"%s"}\n' \
            "$name" "$code" >&3
    ) 2>>"$tmp/$name.err" &
}

# token NAME: that device's own, issued when it is first asked for.
token() {
    [ -f "$tmp/$1.token" ] || "$roamd" -d "$tmp/server" token issue \
        "${1%%_*}" >"$tmp/$1.token" || exit 1
    cat "$tmp/$1.token"
}

# client NAME COMMAND [OPTION]...: roam as that device, in the foreground.
client() {
    name=$1
    user=${name%%_*}
    type=${name##*_}
    command=$2
    shift 2
    ROAM_TOKEN=$(token "$name") "$roam" "$command" \
        --user "$user" --type "$type" --state "$tmp/$name" \
        --device-name "$name" --server "localhost:$port" \
        --ca "$tmp/server/cert.pem" "$@"
}

# history and status need no server.
stored() {
    name=$1
    command=$2
    shift 2
    "$roam" "$command" --user "${name%%_*}" --type "${name##*_}" \
        --state "$tmp/$name" "$@"
}

# start NAME [OPTION]...: a chat that stays, with the input from NAME.in. It
# holds that pipe open itself, so that lines can come one by one.
start() {
    name=$1
    user=${name%%_*}
    case $user in alice) peer=bob ;; *) peer=alice ;; esac
    shift
    [ -p "$tmp/$name.in" ] || mkfifo "$tmp/$name.in"
    ROAM_TOKEN=$(token "$name")
    export ROAM_TOKEN
    run "$name" "$roam" chat "$peer" --json --stats --user "$user" \
        --type "${name##*_}" --state "$tmp/$name" --device-name "$name" \
        --server "localhost:$port" --ca "$tmp/server/cert.pem" "$@" \
        4<>"$tmp/$name.in" 1>&3
    unset ROAM_TOKEN
}

# The pipe is opened for reading as well, so that this does not wait for a
# reader: a device that is gone shows by its end.
type_line() {
    case $2 in
    /quit) printf '/quit\n' ;;
    /*) printf '/%s\n' "$2" ;; # a message that begins with a slash
    *) printf '%s\n' "$2" ;;
    esac 1<>"$tmp/$1.in"
}

# ------------------------------------------------------------------- events

# get LINE-FIELD: the value of a member of $line, "" if it is not there.
get() {
    case $line in
    *"\"$1\":\""*)
        value=${line#*\""$1"\":\"}
        value=${value%%\"*}
        ;;
    *) value='' ;;
    esac
}

# The next event: $line, $device, $event.
next_event() {
    while IFS= read -r line <&3; do
        case $line in
        '{'*) ;;
        *)
            printf '%s\n' "$line" >>"$tmp/roamd.log"
            device=roamd event=log
            return
            ;;
        esac
        get device_name
        device=$value
        get event
        event=$value
        case $event in
        timeout) fail "nothing happened for too long" ;;
        exit) return ;;
        send_failed | reset | new_device) fail "$line" ;;
        esac
        return
    done
    fail "the event pipe broke"
}

# wait_for NAME EVENT: skips what others say, but not their end.
wait_for() {
    while :; do
        next_event
        if [ "$device" = "$1" ] && [ "$event" = "$2" ]; then
            return
        fi
        case $event in
        exit) fail "$device ended while waiting for $2 of $1: $line" ;;
        esac
    done
}

# expect NAME N: that device is to show N messages (or N times "sent").
expect() {
    eval "left_$1=\$((\${left_$1:-0} + $2))"
    left=$((left + $2))
}

# $device shows one of them. One too many is a message that came twice.
arrived() {
    mine=0
    eval "mine=\${left_$device:-0}"
    [ "$mine" -gt 0 ] ||
        fail "$device shows a message once too often: $line"
    eval "left_$device=\$((mine - 1))"
    left=$((left - 1))
}

# Takes events until all that is expected was seen, and the end of a device
# that was killed on the way. What that one still has in the pipe is nobody's
# business: its history tells in the end.
settle() {
    while [ "$left" -gt 0 ] || [ -n "$dead" ]; do
        next_event
        case $device/$event in
        "$dead/exit") dead='' ;;
        "$dead/"*) ;;
        */sent | */message | */recall | */read | */group)
            arrived
            if [ "$device" = "$victim" ] && [ "$mine" -le "$kill_at" ]; then
                murder
            fi
            ;;
        */exit) fail "$device ended: $line" ;;
        esac
    done
}

left=0
victim='' # to be killed when it expects no more than $kill_at messages
kill_at=0
dead=''   # killed, and its end not seen yet

# ------------------------------------------------------------------ devices

online=''

name_of() {
    case $1 in
    alice/phone) name=$alice_phone ;;
    *) name=${1%%/*}_${1##*/} ;;
    esac
}
alice_phone=alice_phone

leave() {
    rest=''
    for one in $online; do
        [ "$one" = "$1" ] || rest="$rest $one"
    done
    online=$rest
}

# arrive NAME: waits until a started device has all that it missed; $missed
# is how many messages that were.
arrive() {
    missed=0
    while :; do
        next_event
        if [ "$device" = "$1" ]; then
            case $event in
            message) missed=$((missed + 1)) ;;
            synced) break ;;
            exit) fail "$1 ended: $line" ;;
            esac
        fi
    done
    online="$online $1"
}

# The victim of a burst: dead without a word, in the middle of it.
murder() {
    kill -KILL "$(cat "$tmp/$victim.pid")" || fail "cannot kill $victim"
    eval "left=\$((left - left_$victim)); left_$victim=0"
    leave "$victim"
    dead=$victim
    note "$victim is killed in the middle of the list (SIGKILL)"
    victim=''
}

# ------------------------------------------------------------------ the play

played=0
burst=0
limbo=''

show() {
    case $1 in alice/*) colour=$cyan ;; *) colour=$yellow ;; esac
    printf '%s%-13s%s %s\n' "$colour" "$1" "$plain" "$2"
}

expect_everywhere() {
    for one in $online; do
        expect "$one" 1
    done
}

# Message $2 is in the outbox of device $1, and on the wire or not, when the
# device is killed. Its next run has to bring it to everybody exactly once.
play_limbo() {
    note "the server is frozen; $1 is killed before it has an answer"
    kill -STOP "$(cat "$tmp/roamd.pid")" || fail "cannot stop roamd"
    type_line "$1" "$2"
    tries=0
    while :; do
        line=$(stored "$1" status --json) || fail "no status of $1"
        get outbox
        [ "$value" = 1 ] && break
        tries=$((tries + 1))
        [ "$tries" -lt 5000 ] || fail "$1 does not store what it is told"
    done
    kill -KILL "$(cat "$tmp/$1.pid")" || fail "cannot kill $1"
    wait_for "$1" exit
    leave "$1"
    kill -CONT "$(cat "$tmp/roamd.pid")"
    expect_everywhere
    expect "$1" 1
    start "$1"
    synced=''
    while [ "$left" -gt 0 ] || [ -z "$synced" ]; do
        next_event
        case $device/$event in
        "$1/message") ;; # its own, out of the timeline: that is no second one
        "$1/sent")
            arrived
            how='the server had not got it'
            case $line in
            *'"duplicate":true'*) how='the server had it already' ;;
            esac
            ;;
        "$1/synced") synced=yes ;;
        */sent | */message) arrived ;;
        */exit) fail "$device ended: $line" ;;
        esac
    done
    online="$online $1"
    note "$1 is back and sends it again: $how; everybody has it once"
    limbo=''
}

play_message() {
    name_of "$1"
    show "$1" "$2"
    played=$((played + 1))
    if [ -n "$limbo" ]; then
        play_limbo "$name" "$2"
        return
    fi
    case " $online " in
    *" $name "*) ;;
    *) fail "line $played: $name is not online" ;;
    esac
    expect_everywhere
    type_line "$name" "$2"
    if [ "$burst" -gt 1 ]; then
        burst=$((burst - 1))
        return
    fi
    burst=0
    settle
    [ -z "$victim" ] || fail "$victim survived the burst"
}

# alone NAME: its chat ends, so that other commands can have its store.
alone() {
    type_line "$1" /quit
    wait_for "$1" exit
    leave "$1"
    case $1 in alice_*) peer=bob ;; *) peer=alice ;; esac
}

# back NAME: its chat goes on, and nothing was missed.
back() {
    start "$1"
    arrive "$1"
    [ "$missed" = 0 ] || fail "$1 got $missed messages that it had"
}

# takeback NAME TEXT: everybody sees it, and everybody sees it go. Whoever is
# offline now never gets the text.
play_takeback() {
    alone "$1"
    played=$((played + 1))
    expect_everywhere
    id=$(client "$1" send "$peer" "$2") || fail "$1 cannot send"
    settle
    expect_everywhere
    client "$1" recall "$peer" "$id" >"$tmp/try" || fail "$1 cannot recall"
    settle
    back "$1"
    note "$1 took that back: no history shows it any more"
}

# read NAME: the mark comes to that user's other devices, and to nobody else.
play_read() {
    for one in $online; do
        case $one in "${1%%_*}"_*) expect "$one" 1 ;; esac
    done
    printf '/read\n' 1<>"$tmp/$1.in"
    settle
    note "$1 has read all; so have the other devices of ${1%%_*}"
    reader=${1%%_*}
}

# group NAME TITLE TEXT: all devices of both learn of it by what comes.
play_group() {
    alone "$1"
    expect_everywhere
    group=$(client "$1" group create "$peer" --name "$2") ||
        fail "$1 cannot make a group"
    settle
    expect_everywhere
    client "$1" send "$group" "$3" >"$tmp/try" || fail "$1 cannot send"
    settle
    back "$1"
    note "$1 has made the group \"$2\" ($group)"
}

# check_group NAME: it knows the group, its own role, and what was said.
check_group() {
    case $1 in alice_*) role=owner ;; *) role=member ;; esac
    stored "$1" conversations --json >"$tmp/try"
    line=$(grep -F "\"conversation\":\"$group\"" "$tmp/try")
    get role
    [ "$value" = "$role" ] || fail "$1 is no $role of the group: $line"
    stored "$1" history "$group" >"$tmp/try"
    [ "$(wc -l <"$tmp/try")" -eq 2 ] ||
        fail "$1 does not know what was said in the group"
}

# How the takeover looked, with what the devices really said.
chart() {
    cat <<END

  old phone               server               new phone
      |                     |                      |
      |                     |     LOGIN attempt=1  |
      |                     |<---------------------|
      |                     |  REFUSED $(printf '%-10s' "$refused_reason")  |
      |                     |  generation=$(printf '%-9s' "$refused_generation")|
      |                     |--------------------->|  "use it here?"
      |                     |     LOGIN attempt=2  |
      |                     |     take_over=$(printf '%-7s' "$refused_generation")|  --take-over
      |  KICK $(printf '%-13s' "$kick_reason") |<---------------------|
      |<--------------------|  LOGIN_OK            |
      X  exit status $exit_code      |  generation=$(printf '%-9s' "$granted_generation")|
      .                     |--------------------->|
      .                     |  BATCH               |
      .                     |--------------------->|  $missed messages
      .                     |                      |
  started by hand:          |                      |
      |  LOGIN              |                      |
      |-------------------->|                      |
      |  REFUSED $(printf '%-10s' "$again_reason") |                      |
      |<--------------------|                      |
      X  exit status 4      |                      |

END
}

play_newphone() {
    old=alice_phone
    new=alice_new_phone
    client "$new" tail --json --exit-when-synced >"$tmp/try" 2>"$tmp/try.err"
    code=$?
    line=$(grep '"event":"refused"' "$tmp/try")
    get reason
    refused_reason=$value
    get generation
    refused_generation=$value
    if [ "$code" != 3 ] || [ "$refused_reason" != OCCUPIED ]; then
        fail "the new phone was not asked: exit $code, $line"
    fi

    start "$new" --take-over
    kick_reason='' exit_code='' synced='' missed=0
    while [ -z "$kick_reason" ] || [ -z "$exit_code" ] || [ -z "$synced" ]; do
        next_event
        case $device/$event in
        "$old/kicked")
            get reason
            kick_reason=$value
            case $line in
            *'"device_name":"'"$new"'"'*) ;;
            *) fail "the kick does not say who: $line" ;;
            esac
            ;;
        "$old/exit")
            get code
            exit_code=$value
            ;;
        "$new/logged_in")
            get generation
            granted_generation=$value
            ;;
        "$new/message") missed=$((missed + 1)) ;;
        "$new/synced") synced=yes ;;
        */exit) fail "$device ended: $line" ;;
        esac
    done
    [ "$kick_reason" = TAKEN_OVER ] || fail "kicked as $kick_reason"
    [ "$exit_code" = 4 ] || fail "the old phone ended with $exit_code, not 4"
    [ "$missed" = "$played" ] ||
        fail "the new phone got $missed of $played messages"

    # By itself it stays away; and when somebody starts it, it may not.
    client "$old" tail --json --exit-when-synced >"$tmp/try" 2>"$tmp/try.err"
    code=$?
    line=$(grep '"event":"refused"' "$tmp/try")
    get reason
    again_reason=$value
    if [ "$code" != 4 ] || [ "$again_reason" != KICKED ]; then
        fail "the old phone was let in again: exit $code, $line"
    fi
    leave "$old"
    online="$online $new"
    alice_phone=$new
    old_phone_knows=$played
    chart
}

# catchup NAME: comes back for all that it missed, in batches.
play_catchup() {
    before=$(now)
    client "$1" tail --json --exit-when-synced --stats >"$tmp/catchup" \
        2>"$tmp/$1.err" || fail "$1 did not catch up"
    catchup_ms=$((($(now) - before) / 1000000))
    got=$(grep -c '"event":"message"' "$tmp/catchup")
    batched=$(grep '"event":"message"' "$tmp/catchup" |
        grep -c '"batched":true')
    [ "$got" = $((played - offline_at)) ] ||
        fail "$1 got $got messages, it missed $((played - offline_at))"
    [ "$batched" = "$got" ] || fail "only $batched of $got came in batches"
    line=$(grep '"event":"stats"' "$tmp/catchup")
    get batch_frames
    batch_frames=$value
    get batch_bytes
    batch_bytes=$value
    get batch_as_push_bytes
    push_bytes=$value
    get batch_body_bytes
    body_bytes=$value
    note "$1 is back after $got messages: $batch_frames batch(es)," \
        "$batch_bytes bytes, $catchup_ms ms from start to end"
}

# newcomer NAME: starts from now on, then fetches all that was.
play_newcomer() {
    client "$1" login --from-now 2>"$tmp/$1.err" || fail "$1 cannot log in"
    client "$1" history --fetch >"$tmp/try" 2>"$tmp/$1.err" ||
        fail "$1 cannot fetch the history"
    newcomer_knows=$played
    note "$1 is new and has fetched the history"
}

play_direction() {
    # shellcheck disable=SC2086
    set -- $1
    case $1 in
    scene)
        shift
        printf '\n%s== %s%s\n' "$bold" "$*" "$plain"
        ;;
    offline)
        name_of "$2"
        type_line "$name" /quit
        wait_for "$name" exit
        leave "$name"
        offline_at=$played
        note "$name goes offline"
        ;;
    burst) # N kill DEVICE after M
        burst=$2
        name_of "$4"
        victim=$name
        kill_at=$(($2 - $6 + 1))
        ;;
    return)
        name_of "$2"
        start "$name"
        arrive "$name"
        note "$name is back and fetches the $missed messages that it missed"
        ;;
    takeback)
        name_of "${2%:}"
        text=$*
        show "${2%:}" "${text#*: }"
        play_takeback "$name" "${text#*: }"
        ;;
    read)
        name_of "$2"
        play_read "$name"
        ;;
    group)
        name_of "$2"
        text=$*
        title=${text#group * }
        show "$2" "${title#*: }"
        play_group "$name" "${title%%: *}" "${title#*: }"
        ;;
    limbo) limbo=$2 ;;
    newphone) play_newphone ;;
    newcomer)
        name_of "$2"
        play_newcomer "$name"
        ;;
    catchup)
        name_of "$2"
        play_catchup "$name"
        ;;
    *) fail "unknown direction: $*" ;;
    esac
}

# -------------------------------------------------------------------- clock

# Nanoseconds; only for the figures.
now() {
    at=$(date +%s%N)
    case $at in
    *[!0-9]*) at=$(date +%s)000000000 ;;
    esac
    printf '%s' "$at"
}

# Ends a demo that hangs: by an event, and if nobody reads it, by a signal.
watchdog() {
    for seconds in "$WATCHDOG_S" 5; do
        sleep "$seconds" &
        echo $! >"$tmp/watchdog.pid"
        wait $! || return
        printf '{"event":"timeout"}\n' >&3
    done
    kill -TERM $$
}

# ------------------------------------------------------------------ the end

# expected USER N: the first N messages of the file as that user's history. Of
# what was taken back only that is left.
expected() {
    awk -v user="$1" -v n="$2" '
        /^(@ takeback )?[a-z]+\/[a-z]+: / {
            if (++count > n) {
                exit
            }
            back = sub(/^@ takeback /, "")
            sender = substr($0, 1, index($0, "/") - 1)
            text = back ? "[taken back]" : substr($0, index($0, ": ") + 2)
            peer = user == "alice" ? "bob" : "alice"
            who = sender == user ? "me -> " peer : sender
            print who ": " text
            if (back) {
                print who ": [took back]"
            }
        }' "$script"
}

# compare NAME N: its history is the first N messages, and nothing else. The
# first 20 characters of a line of history are date and time.
compare() {
    user=${1%%_*}
    case $user in alice) peer=bob ;; *) peer=alice ;; esac
    expected "$user" "$2" >"$tmp/want"
    stored "$1" history "$peer" >"$tmp/history" ||
        fail "the history of $1 cannot be read"
    LC_ALL=C cut -c 21- "$tmp/history" |
        sed 's/\[took back [0-9]*]$/[took back]/' >"$tmp/have"
    if ! cmp -s "$tmp/want" "$tmp/have"; then
        diff "$tmp/want" "$tmp/have" | head -n 10 >&2
        fail "the history of $1 is not the conversation"
    fi
    [ "$(grep -cv ': \[took back]$' "$tmp/have")" -eq "$2" ] ||
        fail "the history of $1 has not $2 messages"
    printf '  %-17s %4s of %s messages, in order, none lost, none twice\n' \
        "$1" "$2" "$played"
}

# What the reader has not read, on every device: nothing.
check_unread() {
    for one in "$@"; do
        line=$(stored "$one" conversations --json)
        case $line in
        *'"unread":0,"unread_open":false'*) ;;
        *) fail "$one has not read all: $line" ;;
        esac
    done
}

say_goodbye() {
    for one in $online; do
        type_line "$one" /quit
    done
    for one in $online; do
        while :; do
            next_event
            case $event in
            exit)
                get code
                [ "$value" = 0 ] || fail "$device ended with $value"
                break
                ;;
            message) fail "$device: a message more: $line" ;;
            esac
        done
    done
    kill -TERM "$(cat "$tmp/roamd.pid")" || fail "roamd is gone"
    wait_for roamd exit
    get code
    [ "$value" = 0 ] || fail "roamd ended with $value"
}

# --------------------------------------------------------------------- main

mkfifo "$tmp/events" || exit 1
exec 3<>"$tmp/events"
watchdog 2>/dev/null &

"$roamd" -d "$tmp/server" init >/dev/null || fail "roamd init"
for user in alice bob; do
    "$roamd" -d "$tmp/server" user add "$user" >/dev/null ||
        fail "roamd user add"
done
began=$(now)
# shellcheck disable=SC2016
run roamd sh -c 'exec "$@" 2>&3' sh "$roamd" -d "$tmp/server" run --port 0 \
    --log-level info 4</dev/null
port=''
while [ -z "$port" ]; do
    next_event
    case $device/$line in
    roamd/*' listening '*' port='*)
        port=${line##* port=}
        port=${port%% *}
        ;;
    roamd/*'"exit"'*) fail "roamd ended: $line" ;;
    esac
done
say "roamd listens on port $port, with TLS"
for name in alice_phone alice_desktop bob_phone bob_web bob_tablet; do
    start "$name"
    arrive "$name"
    note "$name is online"
done

while IFS= read -r text; do
    case $text in
    '@ '*) play_direction "${text#@ }" ;;
    [a-z]*/*': '*) play_message "${text%%: *}" "${text#*: }" ;;
    '' | '#'*) ;;
    *) fail "what does this line mean? $text" ;;
    esac
done <"$script"

say_goodbye
total_ms=$((($(now) - began) / 1000000))

printf '\n%s== Every device against the file%s\n' "$bold" "$plain"
for name in alice_new_phone alice_desktop bob_phone bob_web bob_tablet; do
    compare "$name" "$played"
done
compare alice_phone "$old_phone_knows"
[ "$reader" = bob ] || fail "bob was to read it all"
compare bob_desktop "$newcomer_knows"
check_unread bob_phone bob_web bob_tablet bob_desktop
for name in $online; do
    check_group "$name"
done
printf '  the group is known to %s\n' "$(echo $online)"
printf '  nothing is unread on any device of %s\n' "$reader"

printf '\n%s== Figures%s\n' "$bold" "$plain"
say "  $played messages, each on the disk of the server and of every device"
say "  online before the next one: $total_ms ms in all"
say "  The tablet's backlog, $((played - offline_at)) messages:"
say "    as batches      $batch_bytes bytes in $batch_frames frame(s)"
say "    as pushes       $push_bytes bytes"
say "    bodies alone    $body_bytes bytes"
say "    from start of the program to its end in $catchup_ms ms"
say ''
say 'DEMO PASSED'
