#!/usr/bin/env bash
# Downloads the source archives of the original packages from PyPI and unpacks them: fetch.sh [DIR] (default
# $HNX_ORIGINALS, else <repo>/build/originals). What is there already is kept, so a second call is instant.
#
#   DIR/venv                       python with what the packages need to be built
#   DIR/src/hnswlib-0.8.0          and the archive beside it, hnswlib-0.8.0.tar.gz
#   DIR/src/chroma-hnswlib-0.7.1   likewise
#
# Ends with 77 if they cannot be downloaded.
set -euo pipefail
repo=$(cd "$(dirname "$0")/../.." && pwd)
dir=${1:-${HNX_ORIGINALS:-$repo/build/originals}}
mkdir -p "$dir/src"
dir=$(cd "$dir" && pwd)
python=$dir/venv/bin/python

if ! "$python" -c 'import numpy, pybind11, setuptools, wheel' 2>/dev/null; then
    rm -rf "$dir/venv"
    python3 -m venv "$dir/venv"
    "$python" -m pip install -q "numpy>=1.26,<3" "pybind11>=2.13,<4" "setuptools>=69" wheel
fi

fetch() { # package, version
    local name=$1-$2 scratch
    [ ! -e "$dir/src/$name/hnswlib/hnswlib.h" ] || [ ! -e "$dir/src/$name.tar.gz" ] || return 0
    scratch=$(mktemp -d "$dir/src/download.XXXXXX")
    if ! "$python" -m pip download -q --no-deps --no-binary :all: --no-build-isolation -d "$scratch" "$1==$2" \
        >"$dir/$1.download.log" 2>&1; then
        tail -n 5 "$dir/$1.download.log" >&2
        rm -rf "$scratch"
        echo "$name could not be downloaded; the whole log is $dir/$1.download.log" >&2
        return 77
    fi
    # The archive's name has a dash or an underscore, by the age of the tool that made it.
    mv "$scratch"/*.tar.gz "$dir/src/$name.tar.gz"
    mkdir "$scratch/$name"
    tar -xzf "$dir/src/$name.tar.gz" -C "$scratch/$name" --strip-components=1
    rm -rf "${dir:?}/src/$name"
    mv "$scratch/$name" "$dir/src/$name"
    rm -rf "$scratch"
}

fetch hnswlib 0.8.0
fetch chroma-hnswlib 0.7.1
