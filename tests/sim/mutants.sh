#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Proves that the simulator can fail: a roam-sim built with -DROAM_FAULTS is
# run once for each fault that it must notice, and must end with a failed
# check. Without a fault it must find nothing in SEEDS seeds.
#
# usage: tests/sim/mutants.sh build/roam-sim-faulty [SEEDS]
set -u

if [ $# -lt 1 ] || [ ! -x "$1" ]; then
    echo "usage: tests/sim/mutants.sh ROAM_SIM_FAULTY [SEEDS]" >&2
    exit 2
fi
sim=$1
seeds=${2:-600}
# Most faults are found in the first hundred; the rarest needs some hundreds.
rare_seeds=3000
passed=0
failed=0

# What a server does wrong. Left out are the faults that only a peer which
# breaks the protocol can see (ack-ahead-accepted, dedup-content-ignored,
# frame-limit-ignored, second-login-accepted, commands-unlimited):
# every client here keeps to it, and the conformance suite is there for the
# others.
server_faults='no-kick kick-wrong-type kick-not-last command-after-kick
    stale-attempt-granted stale-takeover-granted generation-kept-on-takeover
    version-reused prev-wrong lost-in-batch noop-forgotten echo-to-sender
    client-msg-id-leaked push-beyond-window sync-reset-as-up-to-date
    dedup-forgotten commit-late pong-head-zero history-unordered
    history-more-wrong history-foreign-conversation history-loses-row
    conversations-loses-row as-of-ahead limit-resets limited-without-time
    limit-lets-overtake recall-by-anybody recall-any-time recall-twice
    recall-keeps-body delete-for-all read-for-all old-read-stays
    mark-goes-back group-admin-removes-admin group-authority-ignored
    group-loses-member group-open-to-strangers group-span-stays-open
    group-without-limit removed-is-not-told mute-ignored members-loses-row
    members-more-wrong members-keep-their-place applicants-shown-to-members
    app-to-all-members ended-goes-on expired-goes-on end-any-generation
    sessions-from-the-first token-unbound start-without-skip
    block-ignored strangers-write names-forgotten device-misnamed
    device-untold first-device-told application-to-all
    blocked-are-invited creator-is-member former-are-strangers
    revoked-goes-on holder-needs-take-over idle-early login-time-for-ever
    operation-without-id refused-sync-ends'
# What a store does that forgets to answer.
store_faults='store-loses-send-answer store-loses-read-answer'
# What an app around the client engine does wrong.
app_faults='app-acks-first app-cursor-first app-forgets-attempt
    app-forgets-outbox app-takes-over-by-itself app-keeps-rows-twice
    app-trusts-pages app-ignores-as-of app-forgets-changes
    app-keeps-its-token app-trusts-lost-pages app-trusts-lost-errors'

out=$(ROAM_FAULT='' "$sim" --seeds "$seeds" --stop)
if [ $? -eq 0 ]; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
    printf '%s\n' "$out" | tail -n 40
    echo 'mutants: fails without a fault'
fi

# A crash is no check that noticed something, so only FAIL counts.
for fault in $server_faults $store_faults $app_faults; do
    out=$(ROAM_FAULT=$fault "$sim" --seeds $rare_seeds --stop)
    status=$?
    found=$(printf '%s\n' "$out" | grep '^FAIL ')
    if [ "$status" -eq 1 ] && [ -n "$found" ]; then
        passed=$((passed + 1))
        printf '%s: %s\n' "$fault" "$found"
    else
        failed=$((failed + 1))
        echo "$fault: not found in $rare_seeds seeds (exit status $status)"
    fi
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
