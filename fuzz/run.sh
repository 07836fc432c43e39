#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs every fuzz target for SECONDS, starting from its corpus. What a target
# finds new stays in DIR/corpus/; an input that fails stays in
# DIR/artifacts/, and the line that repeats it is printed. The last line is
# `N passed, N failed`, one per target.
#
# usage: fuzz/run.sh DIR SECONDS (from the top folder, through make)
set -u

dir=$1
seconds=$2
passed=0
failed=0
mkdir -p "$dir/artifacts"

for program in "$dir"/fuzz_*; do
    target=$(basename "$program")
    target=${target#fuzz_}
    found=$dir/corpus/$target
    mkdir -p "$found"
    set -- "$program" "$found"
    if [ -d "fuzz/corpus/$target" ]; then
        set -- "$@" "fuzz/corpus/$target"
    fi
    for dictionary in "fuzz/$target.dict" fuzz/roam.dict; do
        if [ -f "$dictionary" ]; then
            set -- "$@" "-dict=$dictionary"
            break
        fi
    done
    if "$@" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -use_value_profile=1 -print_final_stats=1 \
        -artifact_prefix="$dir/artifacts/$target-" >"$dir/$target.log" 2>&1
    then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        tail -n 40 "$dir/$target.log"
        echo "fuzz: $program $dir/artifacts/$target-* repeats it"
    fi
    printf '%-20s %s, %s\n' "$target" "$(
        sed -n 's/^stat::number_of_executed_units: *\(.*\)/\1 runs/p' \
            "$dir/$target.log"
    )" "$(grep -o 'cov: [0-9]*' "$dir/$target.log" | tail -n 1)"
done

echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
