#!/usr/bin/env bash
# Builds real hosts of hnswlib, unchanged, against include/hnswlib and libhnx: build.sh [PART ...], all parts by default.
#
#   hnswlib        hnswlib 0.8.0's Python module           build/hosts/hnswlib
#   chroma         chroma-hnswlib 0.7.1's Python module    build/hosts/chroma
#   node           hnswlib-node 3.0.0                      build/hosts/node/libhnx
#   node-original  the same with its own copy of hnswlib   build/hosts/node/original
#
# Each is its published archive with one folder exchanged: the hnswlib headers it brings become a link to include/hnswlib.
# Its own build description then compiles it with its own flags; LDFLAGS name the library. What is up to date is kept.
# HNX_LIB names the library (default target/release/libhnx.so), HNX_INCLUDE the folder of hnx.h and hnswlib/, HNX_ORIGINALS
# and HNX_HOSTS the folders of the originals (ctests/python/originals.sh) and of the results. Ends with 77 and the reason
# if a part cannot be built on this machine.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
originals=${HNX_ORIGINALS:-$repo/build/originals}
hosts=${HNX_HOSTS:-$repo/build/hosts}
library=${HNX_LIB:-$repo/target/release/libhnx.so}
[ $# -gt 0 ] || set -- hnswlib chroma node node-original
mkdir -p "$hosts" "$originals/src"
hosts=$(cd "$hosts" && pwd)
originals=$(cd "$originals" && pwd)
include=$(cd "${HNX_INCLUDE:-$repo/include}" && pwd)
python=$originals/venv/bin/python

not_built() {
    echo "$*" >&2
    exit 77
}

failed() { # what, log
    tail -n 30 "$2" >&2
    echo "build.sh: $1 did not build; the whole log is $2" >&2
    exit 1
}

not_downloaded() { # what, log
    tail -n 5 "$2" >&2
    not_built "$1 could not be downloaded; the whole log is $2"
}

# What a build depends on. A native build is good for the CPU it was made on only.
cpu=$(grep -m1 -E '^(flags|Features)' /proc/cpuinfo 2>/dev/null | cksum | cut -d' ' -f1 || true)
compiler=$(${CXX:-c++} --version | head -n 1)

# Sets lib, headers and link for the parts that are built with include/hnswlib.
ours() {
    [ -e "$library" ] || { echo "build.sh: $library is not there: make shared, or set HNX_LIB" >&2; exit 1; }
    [ -e "$include/hnswlib/hnswlib.h" ] || { echo "build.sh: $include/hnswlib/hnswlib.h is not there" >&2; exit 1; }
    lib=$(cd "$(dirname "$library")" && pwd)
    link="-L$lib -Wl,--no-as-needed -lhnx -Wl,-rpath,$lib"
    headers=$(find "$include/hnx.h" "$include/hnswlib/" "$0" -type f | LC_ALL=C sort | xargs cat | cksum | cut -d' ' -f1)
}

source_of() { # package-version: its unpacked archive in $originals/src
    [ -e "$originals/src/$1/python_bindings/bindings.cpp" ] ||
        "$repo/ctests/conformance/fetch.sh" "$originals" >"$hosts/download.log" 2>&1 || not_downloaded "$1" "$hosts/download.log"
}

build_python() { # folder, package-version
    local target=$hosts/$1 source=$hosts/src/$2 log=$hosts/$1.log
    ours
    local want="$2 headers:$headers cpu:$cpu $lib $("$python" -VV | tr '\n' ' ') $compiler"
    [ "$(cat "$target/.made" 2>/dev/null)" = "$want" ] && return
    source_of "$2"
    echo "building $2's Python module with include/hnswlib"
    rm -rf "$target" "$source"
    mkdir -p "$hosts/src"
    cp -r "$originals/src/$2" "$source"
    rm -rf "$source/hnswlib" "$source/build"
    ln -s "$include/hnswlib" "$source/hnswlib"
    env -u CFLAGS -u CXXFLAGS -u HNSWLIB_NO_NATIVE LDFLAGS="$link" "$python" -m pip install -v --no-deps --no-build-isolation \
        --target "$target" "$source" >"$log" 2>&1 || failed "$2" "$log"
    ls "$target"/hnswlib*.so >/dev/null
    echo "$want" >"$target/.made"
}

# Where node-gyp finds the headers of this very Node; empty if they are not installed.
node_headers() {
    local folder
    for folder in "$(node -p 'path.dirname(path.dirname(fs.realpathSync(process.execPath)))')" /usr /usr/include/nodejs; do
        if [ -e "$folder/include/node/node_api.h" ] || [ -e "$folder/node_api.h" ] || [ -e "$folder/src/node_api.h" ]; then
            echo "$folder"
            return
        fi
    done
}

# node-gyp, which comes with npm.
node_gyp() {
    local root tool
    root=$(npm root -g 2>/dev/null)
    for tool in "$(command -v node-gyp)" {"$root/npm/node_modules","$root",/usr/share/nodejs}/node-gyp/bin/node-gyp.js; do
        if [ -x "$tool" ]; then
            echo "$tool"
            return
        fi
    done
}

# The published package and what it needs, beside each other, for both builds.
node_packages() {
    local log=$hosts/npm.log folder=$hosts/node
    [ -e "$folder/node_modules/node-addon-api/package.json" ] && [ -e "$folder/node_modules/bindings/package.json" ] &&
        [ -e "$folder/package/binding.gyp" ] && return
    mkdir -p "$folder"
    echo '{"private": true, "dependencies": {"bindings": "^1.5.0", "node-addon-api": "^8.0.0"}}' >"$folder/package.json"
    (cd "$folder" && npm install --ignore-scripts --no-audit --no-fund --no-package-lock &&
        npm pack hnswlib-node@3.0.0 --silent && tar -xzf hnswlib-node-3.0.0.tgz) >"$log" 2>&1 || not_downloaded hnswlib-node "$log"
}

build_node() { # folder
    local target=$hosts/node/$1 log=$hosts/node-$1.log tool nodedir gyp
    for tool in node npm make; do
        command -v "$tool" >/dev/null || not_built "$tool is missing: apt-get install ${tool/#node/nodejs}"
    done
    nodedir=$(node_headers)
    [ -n "$nodedir" ] || not_built "the headers of Node $(node --version) are missing: apt-get install libnode-dev"
    gyp=$(node_gyp)
    [ -n "$gyp" ] || not_built "node-gyp is missing: apt-get install node-gyp"
    lib='' headers='' link=''
    [ "$1" = original ] || ours
    local want="hnswlib-node 3.0.0 headers:$headers $lib node $(node --version) $compiler"
    [ "$(cat "$target/.made" 2>/dev/null)" = "$want" ] && return
    node_packages
    echo "building hnswlib-node 3.0.0 ($1)"
    rm -rf "$target"
    cp -r "$hosts/node/package" "$target"
    if [ "$1" != original ]; then
        rm -rf "$target/src/hnswlib"
        ln -s "$include/hnswlib" "$target/src/hnswlib"
    fi
    (cd "$target" && env -u CFLAGS -u CXXFLAGS LDFLAGS="$link" "$gyp" rebuild --nodedir="$nodedir") >"$log" 2>&1 ||
        failed "hnswlib-node ($1)" "$log"
    [ -e "$target/build/Release/addon.node" ]
    echo "$want" >"$target/.made"
}

for part; do
    case $part in
        hnswlib) build_python hnswlib hnswlib-0.8.0 ;;
        chroma) build_python chroma chroma-hnswlib-0.7.1 ;;
        node) build_node libhnx ;;
        node-original) build_node original ;;
        *) echo "build.sh: no such part: $part" >&2; exit 1 ;;
    esac
done
