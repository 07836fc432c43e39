#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Puts what `--coverage` wrote for each role together, as coverage.tsv has it.
#
# usage: coverage.sh SERVER CLIENT
set -eu

echo '# SPDX-License-Identifier: Apache-2.0'
head -n 1 "$1"
for file in "$1" "$2"; do
    [ "$(wc -l <"$file")" -gt 1 ]
    tail -n +2 "$file"
done
