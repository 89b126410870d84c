#!/usr/bin/env bash
# The recorded ABI, ctests/abi/<soname>.abi, made and compared with libabigail.
#
#   abi.sh record     writes it anew
#   abi.sh compare    fails when the header's ABI is another one, and says what is different
#
# What a release has is never changed and never removed under its soname: record additions, and for anything else raise
# the version that the soname has.
set -euo pipefail
cd "$(dirname "$0")/../.."
soname=$(sed -n 's/.*"soname": "\([^"]*\)".*/\1/p' include/hnx.json)
recorded=ctests/abi/$soname.abi
mkdir -p build/abi
python3 ctests/abi/stub.py >build/abi/stub.c
gcc -g -O0 -w -fno-eliminate-unused-debug-types -shared -fPIC -Iinclude -Wl,-soname,"$soname" build/abi/stub.c -o build/abi/stub.so

case ${1:-} in
record)
    abidw --type-id-style hash --no-architecture --no-show-locs --no-corpus-path --no-comp-dir-path build/abi/stub.so >"$recorded"
    echo "$recorded"
    ;;
compare)
    [ -e "$recorded" ] || { echo "$recorded is missing: make abi" && exit 1; }
    status=0
    abidiff --no-architecture --harmless --no-default-suppression "$recorded" build/abi/stub.so || status=$?
    if [ $((status & 8)) != 0 ]; then
        echo "hosts that were built with the recorded $soname would break"
    elif [ $status != 0 ]; then
        echo "the ABI is not the recorded one; when it has only grown: make abi"
    fi
    exit $status
    ;;
*)
    sed -n '2,5s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
