#!/usr/bin/env bash
# Builds programs against an installed tree as somebody would who has the tree and the README, with the README's lines.
#
#   consumers.sh PREFIX LIBDIR FOLDER [cmake]
#
# LIBDIR is below PREFIX; FOLDER is made anew for what is built. With cmake: only what CMake's package finds.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
prefix=$(cd "$1" && pwd) libdir=$(cd "$2" && pwd) only=${4:-}
rm -rf "$3" && mkdir -p "$3" && cd "$3"
top=$PWD
export CMAKE_PREFIX_PATH=$prefix PKG_CONFIG_PATH=$libdir/pkgconfig
version=$(pkg-config --modversion hnx)
abi=$(cut -d. -f1-2 <<<"$version")
# The folder of hnx.h, as CMake's package has it.
echo 'include(hnxConfig.cmake)
get_target_property(folder hnx::hnx INTERFACE_INCLUDE_DIRECTORIES)
message("${folder}")' >"$top/where.cmake"
headers=$(cd "$libdir/cmake/hnx" && cmake -P "$top/where.cmake" 2>&1 || true)
[ -d "$headers" ] || headers=$(pkg-config --variable=includedir hnx)

readme() { python3 "$here/../readme.py" "$@"; }

# project NAME EXTENSION: a folder with a program in it, which is then the current one. NAME-bare: it includes "hnswlib.h".
project() {
    echo "-- $1"
    mkdir -p "$top/$1" && cd "$top/$1"
    if [ "$2" = c ]; then cp "$here/app.c" .; else readme cpp '#include <hnswlib/hnswlib.h>' >app.cpp; fi
    [[ $1 != *-bare ]] || sed -i 's|<hnswlib/hnswlib.h>|"hnswlib.h"|' app.cpp
}

# starts PROGRAM shared|static: it runs, and it needs libhnx.so exactly when it should.
starts() {
    local needs=static
    LD_LIBRARY_PATH=$libdir "$1"
    ! objdump -p "$1" | grep "NEEDED  *libhnx.so.$abi\$" >/dev/null || needs=shared
    [ $needs = "$2" ] || { echo "$1 is $needs, not $2" && return 1; }
}

# with_cmake NAME EXTENSION KIND LINES: a project whose CMakeLists.txt ends with LINES.
with_cmake() {
    project "$1" "$2"
    printf '%s\n' 'cmake_minimum_required(VERSION 3.16)' 'project(app C CXX)' "add_executable(app app.$2)" "$4" >CMakeLists.txt
    cmake -B build >configure.txt 2>&1 || { cat configure.txt && return 1; }
    cmake --build build >build.txt 2>&1 || { cat build.txt && return 1; }
    starts build/app "$3"
}

programs_of_cmake() {
    local lines
    lines=$(readme cmake hnx::hnx)
    with_cmake cmake-shared c shared "$lines"
    with_cmake cmake-static c static "${lines//hnx::hnx/hnx::hnx_static}"
    echo "-- a version that is not there"
    if (with_cmake cmake-version c shared "${lines//find_package(hnx 0.1/find_package(hnx 0.2}") >version.txt 2>&1; then
        echo "find_package(hnx 0.2) found $version"
        return 1
    fi
    grep -q 'with requested version "0.2"' version.txt || { cat version.txt && return 1; }
}

# Where the system does not search: the README's lines, nothing else.
programs_of_a_prefix() {
    local lines
    project prefix c
    lines=$(readme sh 'export PKG_CONFIG_PATH')
    echo "$lines"
    env -u CMAKE_PREFIX_PATH -u PKG_CONFIG_PATH -u LD_LIBRARY_PATH PREFIX="$prefix" bash -euc "$lines"
}

# Each line that the README shows for C.
programs_of_compilers() {
    local line count=0
    project make c
    readme make app.c >Makefile
    make -s
    starts ./app shared
    while read -r line; do
        count=$((count + 1))
        project "cc-$count" c
        echo "$line"
        eval "$line"
        if [[ $line == *static* ]]; then starts ./a.out static; else starts ./a.out shared; fi
    done < <(readme sh 'cc app.c')
    [ "$count" = 3 ]
    echo "-- dlopen, dlclose"
    cc -std=c99 -D_XOPEN_SOURCE=700 -I"$headers" "$here/../c/dlopen.c" -o "$top/dlopen" -ldl -lpthread
    "$top/dlopen" "$libdir/libhnx.so.$abi"
    if [ -e "$headers/hnx.hpp" ]; then
        project hpp c
        printf '%s\n' '#include <hnx.hpp>' 'int main() { return hnx_version()[0] == 0; }' >app.cpp
        # shellcheck disable=SC2046
        c++ -std=c++17 app.cpp $(pkg-config --cflags --libs hnx) -o app
        starts ./app shared
    fi
}

# The names of hnswlib's headers without a folder before them are nobody else's.
names_collide_with_nothing() {
    local header
    echo "-- names of headers"
    for header in "$headers"/hnx/hnswlib/*.h; do
        header=${header##*/}
        ! echo "#include <$header>" | c++ -E -x c++ - >/dev/null 2>&1 || { echo "the system has a $header, too" && return 1; }
    done
}

# Hosts of hnswlib's classes; the last one as it was written for hnswlib, CMakeLists.txt included.
hosts_of_hnswlib() {
    local lines name
    lines=$(readme cmake hnswlib::hnswlib)
    with_cmake hnswlib-cmake cpp shared "$lines"
    with_cmake hnswlib-cmake-static cpp static "${lines//hnswlib::hnswlib/hnswlib::hnswlib_static}"
    with_cmake hnswlib-cmake-bare cpp shared "$lines"
    project hnswlib-unchanged cpp
    printf '%s\n' 'cmake_minimum_required(VERSION 3.16)' 'project(app CXX)' 'find_package(hnswlib REQUIRED)' \
        'add_executable(app app.cpp)' 'target_link_libraries(app PRIVATE hnswlib::hnswlib)' >CMakeLists.txt
    eval "$(readme sh hnswlib_DIR)" >configure.txt
    cmake --build build >build.txt
    starts build/app shared
    if [ "$only" != cmake ]; then
        for name in hnswlib-cc hnswlib-cc-bare; do
            project "$name" cpp
            eval "$(readme sh 'c++ app.cpp')"
            starts ./a.out shared
        done
    fi
    names_collide_with_nothing
}

programs_of_cmake
if [ "$only" != cmake ]; then
    programs_of_a_prefix
    programs_of_compilers
fi
if [ -e "$headers/hnx/hnswlib/hnswlib.h" ]; then
    hosts_of_hnswlib
else
    echo "hnswlib's classes are not installed: no host of them to build"
fi
