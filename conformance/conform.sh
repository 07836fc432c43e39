#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# All roles of the suite against what was built here: the server, each client,
# and both clients mixed with the server. The last line has the sum of all.
#
# A pair passes frames one at a time, and waits more than it works; so it runs
# beside the others, and is shown when they are through. The Python client is
# loaded once, and served over TCP.
#
# usage: conformance/conform.sh BUILD ADAPTER [OPTION...] (from the top folder)
set -u

build=$1
adapter=$2
shift 2
options=$*
start=$(date +%s)
dir=$(mktemp -d)
served='' other=''
trap 'kill $served $other 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 4' INT TERM

# judge ROLE WORD...: the options stand before the words of an adapter.
judge()
{
    role=$1
    shift
    # shellcheck disable=SC2086 # words
    { "$build/roam-conform" "$role" -j 8 $options "$@" ||
        echo "$role" >>"$dir/red"; } | tee -a "$dir/tap"
}

# A pipe's name: reading waits until the port is there.
mkfifo "$dir/port"
conformance/adapters/adapter_served.py build >"$dir/port" &
served=$!
read -r port <"$dir/port" || exit 3
python=tcp:127.0.0.1:$port

# shellcheck disable=SC2086 # words
"$build/roam-conform" pair -j 8 $options --roamd "$build/roamd" \
    --sibling "$python" -- "$adapter" >"$dir/pair" 2>"$dir/pair.told" &
other=$!
judge server --roamd "$build/roamd"
# What only a server with a control channel can be asked.
judge server --roamd "$build/roamd-faulty" --case 3
judge client -- "$adapter"
judge client --adapter "$python"
wait "$other" || echo pair >>"$dir/red"
other=''
cat "$dir/pair.told" >&2
tee -a "$dir/tap" <"$dir/pair"
awk -v seconds=$(($(date +%s) - start)) '
    /^ok / { if (/# SKIP/) skipped++; else passed++ }
    /^not ok / { failed++ }
    END { printf "all roles: %d unsupported, %d passed, %d failed, in %d s\n",
        skipped, passed, failed, seconds }' "$dir/tap" >&2
[ ! -e "$dir/red" ]
