#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# All roles of the suite against what was built here: the server, each client,
# and both clients mixed with the server. The last line has the time of all.
#
# usage: conformance/conform.sh BUILD ADAPTER (from the top folder)
set -u

build=$1
adapter=$2
python='conformance/adapters/adapter_python.py build'
status=0
start=$(date +%s)

judge()
{
    "$build/roam-conform" "$@" || status=1
}

judge server --roamd "$build/roamd"
# What only a server with a control channel can be asked.
judge server --roamd "$build/roamd-faulty" --case 3
judge client -- "$adapter"
# shellcheck disable=SC2086 # words
judge client -- $python
judge pair --roamd "$build/roamd" --sibling "$python" -- "$adapter"
echo "all roles: $(($(date +%s) - start)) s" >&2
exit $status
