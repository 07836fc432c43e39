#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Puts what `--coverage` wrote for each role together, as coverage.tsv has it.
#
# Of the clients one has what another has not, so what any of them showed counts.
#
# usage: coverage.sh SERVER CLIENT... PAIR
set -eu

echo '# SPDX-License-Identifier: Apache-2.0'
head -n 1 "$1"
for file in "$@"; do
    [ "$(wc -l <"$file")" -gt 1 ]
    tail -n +2 "$file"
done | awk 'BEGIN { FS = OFS = "\t" }
    !(($1, $2) in row) { row[$1, $2] = ++rows }
    {
        n = row[$1, $2]
        if (line[n]) {
            split(line[n], before)
            for (i = 4; i <= 6; i++) {
                $i = before[i] == "yes" ? "yes" : $i
            }
        }
        line[n] = $0
    }
    END {
        for (n = 1; n <= rows; n++) {
            print line[n]
        }
    }'
