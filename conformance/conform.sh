#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# All roles of the suite against what was built here: the server, each client,
# and both clients mixed with the server. The last line has the time of all.
#
# A pair passes frames one at a time, and waits more than it works; so it runs
# beside the others, and is shown when they are through.
#
# usage: conformance/conform.sh BUILD ADAPTER (from the top folder)
set -u

build=$1
adapter=$2
python='conformance/adapters/adapter_python.py build'
status=0
start=$(date +%s)
pair=$(mktemp)
other=
trap '[ -z "$other" ] || kill "$other" 2>/dev/null; rm -f "$pair"' EXIT
trap 'exit 4' INT TERM

judge()
{
    "$build/roam-conform" "$@" || status=1
}

"$build/roam-conform" pair --roamd "$build/roamd" --sibling "$python" \
    -- "$adapter" >"$pair" 2>&1 &
other=$!
judge server --roamd "$build/roamd" -j 8
# What only a server with a control channel can be asked.
judge server --roamd "$build/roamd-faulty" --case 3 -j 8
judge client -- "$adapter"
# shellcheck disable=SC2086 # words
judge client -- $python
wait "$other" || status=1
other=
cat "$pair"
echo "all roles: $(($(date +%s) - start)) s" >&2
exit $status
