#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Everything `make check` runs, one line with a count per step, and one line
# `N passed, N failed` at the end that sums them. A step that fails does not
# stop the others. What a step printed stands in build/check/log/, and is
# shown when the step failed.
#
# usage: tests/check.sh (from the top folder, through make)
set -u

unset MAKEFLAGS MFLAGS
make="${MAKE:-make} V=${V:-}"
jobs=$(nproc 2>/dev/null || echo 2)
top=build/check
gcc_dir=$top/gcc
asan_dir=$top/asan
log=$top/log
control=conformance/control/control_roamd.py
passed=0
failed=0
seeds=${SEEDS:-3000}
# Both only end what hangs; a machine that is busy takes its time. The second
# is for each step of a case, in milliseconds.
hang=1800
patient='--timeout 60000'

export PYTHONDONTWRITEBYTECODE=1
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

# result NAME PASSED FAILED [LOG...]: one step has ended.
result()
{
    name=$1 good=$2 bad=$3
    shift 3
    passed=$((passed + good))
    failed=$((failed + bad))
    if [ "$good" -eq 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
        failed=$((failed + 1))
        echo "check: '$name' checked nothing"
    fi
    if [ "$bad" -ne 0 ]; then
        for file in "$@"; do
            printf '%s\n' "--- $file"
            tail -n 60 "$file"
        done
    fi
    printf '%-44s %6d passed, %d failed\n' "$name" "$good" "$bad"
}

# one NAME COMMAND...: a step that is a single check.
one()
{
    name=$1
    file=$log/$(echo "$1" | tr -cs 'A-Za-z0-9\n' '-').log
    shift
    if ("$@") >"$file" 2>&1; then
        result "$name" 1 0
    else
        result "$name" 0 1 "$file"
    fi
}

# counted NAME COMMAND...: a step whose last line ends in its own count; what
# is unsupported stands before it. A command that fails without a failure in
# its count is one.
counted()
{
    name=$1
    file=$log/$(echo "$1" | tr -cs 'A-Za-z0-9\n' '-').log
    shift
    ("$@") >"$file" 2>&1
    status=$?
    line=$(grep -oE '[0-9]+ passed, [0-9]+ failed' "$file" | tail -n 1)
    good=${line%% *}
    bad=${line#*, }
    bad=${bad%% *}
    if [ -z "$line" ] || { [ $status -ne 0 ] && [ "$bad" -eq 0 ]; }; then
        echo "exit status $status" >>"$file"
        good=${good:-0}
        bad=1
    fi
    result "$name" "$good" "$bad" "$file"
}

# ------------------------------------------------------------------- steps

build_gcc()
{
    $make -k -j"$jobs" B=$gcc_dir CC=gcc WERROR=1 all tests sim \
        faulty
}

# One build serves two ends: clang's warnings, and the sanitizers.
build_asan()
{
    $make -k -j"$jobs" B=$asan_dir CC=clang SANITIZE=address,undefined \
        CFLAGS='-O1 -g' WERROR=1 all tests sim replay \
        $asan_dir/roamd-faulty
}

# A device's program brings memory and four functions of string.h; the
# library has no state of its own.
library_needs_nothing()
{
    library=$gcc_dir/libroam.a
    nm -u $library | sed -n 's/^ *U //p' | sort -u >"$log/wanted"
    nm --defined-only $library | sed -n 's/^[0-9a-f]* [A-Z] //p' |
        sort -u >"$log/given"
    others=$(comm -23 "$log/wanted" "$log/given" |
        grep -vE '^(pb_.*|mem(cpy|move|set|cmp|chr)|strlen|strnlen)$' |
        grep -vE '^(__stack_chk_fail|__mem(cpy|move|set)_chk|_GLOBAL_OFFSET_TABLE_)$')
    state=$(size -A $library |
        awk '$1 == ".data" || $1 == ".bss" { sum += $2 } END { print +sum }')
    printf '%s\n' "wants: $others" "keeps: $state bytes of .data and .bss"
    [ -z "$others" ] && [ "$state" -eq 0 ]
}

# Whoever judges with it needs nothing installed: README.md.
harness_needs_libc()
{
    readelf -d $gcc_dir/roam-conform | sed -n 's/.*(NEEDED)[^[]*//p' |
        sort >"$log/needed"
    cat "$log/needed"
    [ -s "$log/needed" ] &&
        ! grep -vE '^\[(libc|ld-linux.*)\.so\.[0-9]+\]$' "$log/needed"
}

# The one public header, by itself, for a C++ program.
header_in_cpp()
{
    echo '#include "roam.h"' >"$log/header.cc"
    clang++ -Wall -Wextra -Werror -fsyntax-only -Iclient/include -Iclient/src \
        -Iproto -Ibuild/gen $(sed -n 's/^NANOPB_INC := //p' build/config.mk) \
        "$log/header.cc"
}

sources()
{
    find proto server client conformance fuzz tests -name '*.[ch]' | sort
}

# See .clang-format: what one version likes and another does not.
no_initializer_as_block()
{
    awk -v file="$1" '
        defines && /^ *[{] *\\$/ {
            print file ":" FNR ": an initializer, to clang-format 14 a block"
            bad = 1
        }
        { defines = /^#define .*\\$/ }
        END { exit bad }' "$1"
}

format()
{
    good=0 bad=0
    for file in $(sources); do
        if clang-format --dry-run -Werror "$file" 2>"$log/format.one" &&
            no_initializer_as_block "$file" >"$log/format.one"; then
            good=$((good + 1))
        else
            head -n 3 "$log/format.one"
            bad=$((bad + 1))
        fi
    done
    echo "$good passed, $bad failed"
    [ $bad -eq 0 ]
}

# Runs one test program; its count goes to stdout. What cmocka calls
# `not ok N # SKIP` is neither good nor bad.
unit_test()
{
    timeout $hang "$1" >"$2" 2>&1
    status=$?
    good=$(grep -c '^ok ' "$2")
    bad=$(grep -c '^not ok [0-9]* - ' "$2")
    if [ $status -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
        echo "exit status $status" >>"$2"
    fi
    if [ "$good" -eq 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
        echo 'no test ran' >>"$2"
    fi
    echo "$good $bad $1" >"$2.count"
}

# Two at a time or as many as there are processors; each counts for itself.
unit_tests()
{
    export CMOCKA_MESSAGE_OUTPUT=TAP
    running=0
    for source in tests/test_*.c; do
        unit=$(basename "$source" .c)
        unit_test $asan_dir/tests/"$unit" "$log/$unit.tap" &
        running=$((running + 1))
        if [ $running -ge "$jobs" ]; then
            wait
            running=0
        fi
    done
    wait
    cat "$log"/test_*.tap.count | awk '{
        good += $1; bad += $2
        if ($2 > 0) { print "failed: " $3 }
    } END { printf "%d passed, %d failed\n", good, bad }' >"$log/units"
    cat "$log/units"
    grep -h -B1 ' # SKIP ' "$log"/test_*.tap
    grep -lE '^not ok [0-9]+ - |^exit status|^no test ran' "$log"/test_*.tap |
        while read -r file; do
            printf '%s\n' "--- $file"
            grep -vE '^ok ' "$file" | head -n 80
        done
    tail -n 1 "$log/units"
    grep -q ', 0 failed$' "$log/units"
}

# Each example ends by itself and exits 0.
examples()
{
    for source in client/examples/*.c; do
        timeout $hang $asan_dir/examples/"$(basename "$source" .c)" || return 1
    done
}

replay()
{
    good=0 bad=0
    for source in fuzz/fuzz_*.c; do
        target=$(basename "$source" .c)
        target=${target#fuzz_}
        set -- fuzz/corpus/"$target"/*
        if [ -f "$1" ] && $asan_dir/fuzz-replay/"$target" "$@"; then
            good=$((good + $#))
        else
            echo "failed: $target"
            bad=$((bad + 1))
        fi
    done
    echo "$good passed, $bad failed"
    [ $bad -eq 0 ]
}

# sanitized NAME COMMAND...: whatever was built with the sanitizers, the judge
# and the judged. What they find in any process is a failure, even when every
# case passed; that a thread ended while the search for leaks began is no find.
sanitized()
{
    found=$PWD/$log/$1
    shift
    export ASAN_OPTIONS="$ASAN_OPTIONS:log_path='$found-asan'"
    export UBSAN_OPTIONS="$UBSAN_OPTIONS:log_path='$found-ubsan'"
    timeout $hang "$@"
    status=$?
    for report in "$found"-*san.*; do
        [ ! -f "$report" ] ||
            ! grep -v 'Unable to get registers from thread' "$report" ||
            status=1
    done
    return $status
}

# All that `make conform` does, three times: neither the seed nor what runs
# beside a case decides a verdict. At one time, so that each is in the others'
# way.
conform_is_stable()
{
    for run in '1 4' '2 8' '3 16'; do
        set -- $run
        sh conformance/conform.sh $gcc_dir $gcc_dir/adapter-libroam \
            --seed "$1" -j "$2" $patient \
            >"$log/stable.$1" 2>"$log/stable.$1.told" &
    done
    wait
    good=0 bad=0
    for run in 1 2 3; do
        grep -E '^(not )?ok ' "$log/stable.$run" >"$log/verdicts.$run"
        red=$(grep -c '^not ok' "$log/verdicts.$run")
        grep '^not ok' "$log/verdicts.$run"
        good=$((good + $(grep '^ok' "$log/verdicts.$run" | grep -vc '# SKIP')))
        if [ -s "$log/verdicts.$run" ] && [ "$red" -eq 0 ] &&
            cmp "$log/verdicts.1" "$log/verdicts.$run"; then
            good=$((good + 1))
        else
            bad=$((bad + red + 1))
        fi
    done
    echo "$good passed, $bad failed"
    [ $bad -eq 0 ]
}

# In tenths, as systemd counts what a service could do that it need not.
unit_exposure()
{
    systemd-analyze security --offline=true --threshold=20 --no-pager \
        server/roamd.service
}

# Which rules were seen in the runs of `broken`, against what was committed;
# `make coverage` writes it anew.
coverage()
{
    sh conformance/coverage.sh "$log/coverage.server" \
        "$log/coverage.client" "$log/coverage.libroam" \
        "$log/coverage.pair" >"$log/coverage.tsv" &&
        diff -u conformance/coverage.tsv "$log/coverage.tsv"
}

# What `install` left does without the source tree: the suite, and a program
# as a packager would build it. DESTDIR has a blank, as a home may.
installed()
{
    here=$PWD
    root="$here/$top/a root"
    share="$root/usr/share/roam"
    rm -rf "$root"
    $make B=$gcc_dir CC=gcc WERROR=1 DESTDIR="$root" PREFIX=/usr install &&
        $make build/gen-python/roam_pb2.py || return 1
    for file in bin/roam share/man/man8/roamd.8 share/man/man1/roam.1 \
        share/man/man1/roam-conform.1 share/roam/proto/roam.proto \
        share/roam/spec/vectors/client.txt; do
        [ -f "$root/usr/$file" ] || return 1
    done
    grep -q '^ExecStart=/usr/bin/roamd ' \
        "$root/usr/lib/systemd/system/roamd.service" || return 1
    cd "$root/usr/bin" || return 1
    ./roam-conform selftest && ./roam-conform explain KICK-1 &&
        ./roam-conform server --roamd ./roamd --case 01 \
            --html "$root/report.html" &&
        ./roam-conform client --case 50 -- /usr/bin/python3 \
            "$share/conformance/adapters/adapter_python.py" "$here/build" &&
        ./roam-conform broken --fault no-kick \
            --roamd "$here/$gcc_dir/roamd-faulty" || return 1
    # Flags that are words: pkg-config quotes no blanks of a prefix.
    cd "$root" || return 1
    export PKG_CONFIG_PATH=usr/lib/pkgconfig
    flags=$(pkg-config --define-variable=prefix=usr --cflags --libs libroam) &&
        gcc -std=c99 -Wall -Wextra -Werror -o embed \
            "$here/tests/install/embed.c" $flags &&
        ./embed "$(pkg-config --modversion libroam)" || return 1
    kit="$share/conformance/adapters"
    gcc -std=gnu11 -Wall -Wextra -Werror -I"$kit" -o adapter \
        "$here/tests/install/adapter.c" "$kit/kit.c" -ljansson || return 1
    # Its hello and its answers are good; then it is missed on the wire.
    usr/bin/roam-conform client --timeout 1000 -- ./adapter 2>&1 |
        grep -q '^step: x start$'
}

# --------------------------------------------------------------------- run

wanted()
{
    case " $steps " in
    *" $1 "*) return 0 ;;
    esac
    return 1
}

# A function, so that the shell has read all of this file before it starts.
main()
{
    rm -rf "$log"
    mkdir -p "$log"
    if [ $# -gt 0 ]; then
        steps=$*
    else
        steps='build rules format units sim replay conform docs install'
    fi

    if wanted build; then
        one 'build: gcc, warnings are errors' build_gcc
        one 'build: clang, warnings are errors, ASan+UBSan' build_asan
        one 'library: no libc, no state' library_needs_nothing
        one 'harness: no library but libc' harness_needs_libc
        one 'header: roam.h in C++' header_in_cpp
    fi
    if wanted rules; then
        counted 'spec: rules' /usr/bin/python3 spec/check_rules.py
        counted 'wireshark: tables of the dissector' \
            /usr/bin/python3 conformance/wireshark/make_tables.py
        counted 'conformance: cases of all frames, states, bounds, codes' \
            /usr/bin/python3 conformance/make_cases.py
        counted 'spec: vectors, by another decoder' \
            /usr/bin/python3 spec/vectors/check.py
        counted 'conformance: a client and an adapter are small' \
            /usr/bin/python3 conformance/adapters/check_sizes.py
    fi
    if wanted format; then
        counted 'format: clang-format' format
    fi
    if wanted units; then
        counted 'unit tests, ASan+UBSan' unit_tests
        one 'examples, ASan+UBSan' examples
    fi
    if wanted sim; then
        counted 'simulator, each seed twice' timeout $hang \
            $gcc_dir/roam-sim --seeds "$seeds" --twice
        counted 'simulator, ASan+UBSan' timeout $hang \
            $asan_dir/roam-sim --seeds 50
        counted 'simulator: planted faults are found' timeout $hang \
            sh tests/sim/mutants.sh $gcc_dir/roam-sim-faulty
    fi
    if wanted replay; then
        counted 'fuzz corpora, ASan+UBSan' replay
    fi
    if wanted conform; then
        counted 'conformance: the harness itself, ASan+UBSan' \
            sanitized selftest $asan_dir/roam-conform selftest
        counted 'conformance: its checks can fail' timeout $hang \
            /usr/bin/python3 conformance/check_checks.py $gcc_dir
        counted 'conformance: its reports, ASan+UBSan' sanitized reports \
            /usr/bin/python3 conformance/check_reports.py $asan_dir
        counted 'conformance: the page, in Chromium' timeout $hang \
            /usr/bin/python3 conformance/html/check_page.py $gcc_dir
        counted 'conformance: the dissector, by tshark' timeout $hang \
            /usr/bin/python3 conformance/wireshark/check_dissector.py $gcc_dir
        counted 'conformance: roamd, ASan+UBSan' sanitized roamd \
            $asan_dir/roam-conform server $patient --roamd $asan_dir/roamd
        counted 'conformance: roamd in time, ASan+UBSan' sanitized in-time \
            $asan_dir/roam-conform server $patient \
            --roamd $asan_dir/roamd-faulty --case 3
        counted 'conformance: the examples of CONTROL.md, ASan+UBSan' \
            sanitized control /usr/bin/python3 \
            conformance/control/check_control.py $asan_dir
        one 'conformance: roam_pb2' $make build/gen-python/roam_pb2.py
        counted 'conformance: all roles, by three seeds and -j' \
            conform_is_stable
        counted 'conformance: an independent client' timeout $hang \
            /usr/bin/python3 conformance/adapters/check_client.py \
            $gcc_dir/roamd $top
        counted 'conformance: the examples of ADAPTER.md' timeout $hang \
            /usr/bin/python3 conformance/adapters/check_adapter.py \
            $gcc_dir/roamd $top
        counted 'conformance: what is said of clients, ASan+UBSan' \
            sanitized golden-client \
            /usr/bin/python3 conformance/golden-client/check.py \
            $asan_dir/roam-conform build
        counted 'conformance: libroam, ASan+UBSan' sanitized libroam \
            $asan_dir/roam-conform client $patient \
            --coverage "$log/coverage.libroam" -- $asan_dir/adapter-libroam
        counted 'conformance: libroam over TLS, ASan+UBSan' \
            sanitized libroam-tls $asan_dir/roam-conform client --tls \
            $patient -- $asan_dir/adapter-libroam
        counted 'conformance: the client of 400 lines, by itself' \
            timeout $hang $gcc_dir/roam-conform client $patient -- \
            conformance/adapters/adapter_core.py build
        counted 'conformance: both together, two clients mixed' \
            sanitized pair $asan_dir/roam-conform pair $patient \
            --roamd $asan_dir/roamd \
            --sibling 'conformance/adapters/adapter_python.py build' \
            -- $asan_dir/adapter-libroam
        counted 'conformance: both together, by a control channel' \
            timeout $hang $gcc_dir/roam-conform pair $patient --case 73 \
            --control "$control $gcc_dir/roamd-faulty" \
            --provision "$control $gcc_dir/roamd-faulty" \
            -- $gcc_dir/adapter-libroam
        counted 'conformance: broken clients are caught' timeout $hang \
            env ROAM_ADAPTER=$gcc_dir/adapter-libroam \
            $gcc_dir/roam-conform broken --client $patient \
            --coverage "$log/coverage.client" -- \
            conformance/broken/broken_sdk.py build
        counted 'conformance: who is to blame in a pair' timeout $hang \
            env ROAM_ADAPTER=$gcc_dir/adapter-libroam \
            $gcc_dir/roam-conform broken --pair $patient \
            --roamd $gcc_dir/roamd-faulty --coverage "$log/coverage.pair" -- \
            conformance/broken/broken_sdk.py build
        counted 'conformance: broken servers are caught' timeout $hang \
            $gcc_dir/roam-conform broken $patient \
            --roamd $gcc_dir/roamd-faulty --coverage "$log/coverage.server"
        one 'conformance: coverage is the committed one' coverage
        for role in server client; do
            counted "conformance: each visible MUST of a $role is covered" \
                sh conformance/check_coverage.sh "$log/coverage.tsv" $role
        done
    fi
    if wanted docs; then
        counted 'man pages: lint, and --help' \
            /usr/bin/python3 tests/check_man.py $gcc_dir
        counted 'guide: its commands' \
            /usr/bin/python3 tests/check_guide.py $gcc_dir
        if command -v systemd-analyze >/dev/null; then
            one 'unit: exposure at most 2.0' unit_exposure
        fi
    fi
    if wanted install; then
        one 'install: the suite, and embedding by pkg-config' installed
    fi

    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ]
}

main "$@"
exit
