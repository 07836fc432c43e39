#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Every MUST of a role has a case that accepts, a case that rejects, and a broken
# peer that is caught, but for what `broken/unseen` names with a reason; and
# nothing is named there that is seen. Other rules may be named, and need not.
#
# usage: check_coverage.sh TABLE ROLE [UNSEEN]
#        the table as `broken --coverage` or coverage.sh writes it
set -eu
unseen=${3:-$(dirname "$0")/broken/unseen}

awk -v role="$2" '
    function tell(text) { print text; bad++ }
    FNR == NR {
        if ($0 ~ /^#/ || NF == 0 || $1 != role) {
            next
        }
        if (NF < 4 || $3 !~ /^(all|accepting|rejecting|caught)$/) {
            tell(FILENAME ":" FNR ": ROLE RULE COLUMN REASON")
        }
        count = split($3 == "all" ? "accepting rejecting caught" : $3, cells, " ")
        for (i = 1; i <= count; i++) {
            named[$2 " " cells[i]] = 1
        }
        next
    }
    $1 == "#" {
        for (i = 5; i <= NF; i++) {
            column[i - 1] = $i
        }
        next
    }
    $1 == role {
        rows += $3 == "MUST"
        for (i = 4; i <= 6; i++) {
            key = $2 " " column[i]
            if ($3 != "MUST" && !(key in named)) {
                continue
            }
            if (($i == "yes") == (key in named)) {
                tell(key ($i == "yes" ? ": named as unseen, and is seen" \
                                      : ": nothing, and not named as unseen"))
            } else {
                good++
            }
            delete named[key]
        }
    }
    END {
        for (key in named) {
            tell(key ": no such rule of this role")
        }
        if (rows == 0) {
            tell("the table has no MUST of this role")
        }
        print good + 0 " passed, " bad + 0 " failed"
        exit bad > 0
    }' "$unseen" "$1"
