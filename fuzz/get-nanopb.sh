#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Puts the C sources of the installed nanopb into DIR, from the distribution's
# source package: the binary package has a library only, and a fuzzer sees
# nothing of what happens in code that it did not instrument.
#
# Where the source package lies is told by the machine's own apt sources. A
# private apt configuration is used, so nothing of the machine changes and no
# root is needed. Fails, with a line that says why, when it cannot be had.
#
# usage: get-nanopb.sh DIR
set -eu

dir=$1
package=libnanopb-dev

fail()
{
    echo "get-nanopb: $1" >&2
    exit 1
}

for tool in apt-get apt-cache dpkg-query; do
    command -v $tool >/dev/null || fail "there is no $tool"
done
version=$(dpkg-query -W -f '${source:Version}' $package 2>/dev/null) ||
    fail "$package is not installed"
if [ -f "$dir/version" ] && [ "$(cat "$dir/version")" = "$version" ]; then
    exit 0
fi

# "  500 http://host/debian bookworm/main amd64 Packages", the first with a URL
origin=$(apt-cache policy $package |
    sed -nE 's|^ +[0-9]+ ([a-z]+:/[^ ]*) ([^ /]*)/([^ ]*) .*|\1 \2 \3|p' |
    head -n 1)
[ -n "$origin" ] || fail "no apt source has $package"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial" "$tmp/src"
echo "deb-src $origin" >"$tmp/sources.list"

apt()
{
    apt-get -qq -o Dir::Etc::SourceList="$tmp/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$tmp/lists" \
        -o Dir::Cache="$tmp/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}

# The upstream archive is enough: what the distribution changes is how it is
# packaged.
if ! (cd "$tmp/src" && apt update &&
    apt source --download-only --tar-only "nanopb=$version" &&
    tar -xf nanopb_*.orig.tar.*) >"$tmp/log" 2>&1; then
    tail -n 3 "$tmp/log" >&2
    fail "no source package nanopb $version from $origin"
fi
mkdir -p "$dir"
cp "$tmp"/src/*/pb*.[ch] "$dir"
echo "$version" >"$dir/version"
