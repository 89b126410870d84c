#!/usr/bin/env bash
# Builds the original packages, the oracles of these tests, from their source archives: originals.sh [DIR] (default
# $HNX_ORIGINALS, else <repo>/build/originals). What is there already is kept, so a second call is instant.
#
#   DIR/venv, DIR/src  python with numpy, and the archives (ctests/conformance/fetch.sh)
#   DIR/hnswlib        hnswlib 0.8.0, -march=native (what pip builds)
#   DIR/hnswlib-sse    hnswlib 0.8.0, HNSWLIB_NO_NATIVE=1 (SSE, no FMA)
#   DIR/chroma         chroma-hnswlib 0.7.1, -march=native
#
# All three name their module hnswlib, hence the folders; original_worker.py runs one of them per process.
# Tried with Python 3.11 and: numpy 2.4.6 + pybind11 3.1.0 + setuptools 84; numpy 1.26.4 + pybind11 2.13.6 + setuptools 69.
set -euo pipefail
repo=$(cd "$(dirname "$0")/../.." && pwd)
dir=${1:-${HNX_ORIGINALS:-$repo/build/originals}}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
python=$dir/venv/bin/python

# A native build is good for the CPU it was made on only.
cpu=$(grep -m1 -E '^(flags|Features)' /proc/cpuinfo 2>/dev/null | cksum | cut -d' ' -f1 || true)

"$repo/ctests/conformance/fetch.sh" "$dir"

build() { # folder, requirement, environment setting
    local target=$dir/$1 want="$2 $3 cpu:$cpu $("$python" -VV | tr '\n' ' ')" log=$dir/$1.log
    [ "$(cat "$target/.made" 2>/dev/null)" = "$want" ] && return
    echo "building $1 ($2 $3)"
    rm -rf "$target"
    if ! env -u CFLAGS -u CXXFLAGS ${3:+"$3"} "$python" -m pip install -q --no-deps --no-cache-dir --no-binary :all: \
        --no-build-isolation --target "$target" "$dir/src/$2.tar.gz" >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        echo "originals.sh: $1 did not build; the whole log is $log" >&2
        return 1
    fi
    echo "$want" >"$target/.made"
}

build hnswlib hnswlib-0.8.0 "" &
first=$!
build chroma chroma-hnswlib-0.7.1 "" &
second=$!
wait $first
build hnswlib-sse hnswlib-0.8.0 HNSWLIB_NO_NATIVE=1
wait $second
