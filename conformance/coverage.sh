#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Puts what `--coverage` wrote for each role together, as coverage.tsv has it.
#
# A few rules are about which of two things comes first, and their cases take
# either: what they show differs from run to run, and is written as "varies".
#
# usage: coverage.sh SERVER CLIENT
set -eu
varies='server:SYNC-7 server:SEND-11 client:SYNC-8'

echo '# SPDX-License-Identifier: Apache-2.0'
head -n 1 "$1"
[ "$(wc -l <"$1")" -gt 1 ]
[ "$(wc -l <"$2")" -gt 1 ]
for file in "$1" "$2"; do
    tail -n +2 "$file"
done | awk -v varies=" $varies " 'BEGIN { FS = OFS = "\t" }
    index(varies, " " $1 ":" $2 " ") { $5 = $6 = "varies" }
    { print }'
