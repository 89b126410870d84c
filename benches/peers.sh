#!/usr/bin/env bash
# The environment of bench.py, with the other libraries from their packages: peers.sh [DIR] (default <repo>/build/bench).
# What is there already is kept, so a second call is instant; what could not be installed is tried again.
#
#   DIR/venv             python with numpy, h5py, matplotlib and the peers
#   DIR/missing/PACKAGE  why a peer is not there
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
dir=${1:-$repo/build/bench}
python=$dir/venv/bin/python
mkdir -p "$dir/missing"

has() { "$python" -c "import importlib.metadata as m; m.version('$1')" 2>/dev/null; }
install() { "$python" -m pip install -q --disable-pip-version-check "$@"; }

[ -x "$python" ] || python3 -m venv "$dir/venv"
for package in numpy h5py matplotlib; do
    has $package || { echo "installing $package" && install $package; }
done
"$python" -c 'import numpy; print("numpy==" + numpy.__version__)' >"$dir/constraints.txt"
for package in faiss-cpu usearch pyglass-portable scalable-vs pyvsag; do
    has $package || {
        echo "installing $package"
        install -c "$dir/constraints.txt" --only-binary :all: $package >"$dir/missing/$package" 2>&1 || {
            tail -n 1 "$dir/missing/$package" >&2
            continue
        }
    }
    rm -f "$dir/missing/$package"
done
