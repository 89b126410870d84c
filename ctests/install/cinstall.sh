#!/usr/bin/env bash
# Installs with `cargo cinstall` (cargo-c) below FOLDER/root, out of a copy of what the crate is made of.
#
#   cinstall.sh FOLDER TARGET-FOLDER
#
# Debian's cargo-c is built on a cargo of 2022, so the copy has no lock file (its format is newer), no tests (so is their
# edition), an older word for the debugging information, and its dependencies beside it: that cargo knows the registry's
# former address only. A cargo-c of today needs none of this.
set -euo pipefail
cd "$(dirname "$0")/../.."
crate=$1/crate root=$1/root target=$(realpath -m "$2")
rm -rf "$crate" "$root" && mkdir -p "$crate/.cargo"
cp -R Cargo.toml build.rs src include "$crate"
cp Cargo.lock "$crate/Cargo.lock"
sed -i -e '/^\[dev-dependencies\]/,/^$/d' -e '/^\[\[test\]\]/,/^$/d' -e 's/^debug = "line-tables-only"/debug = 1/' "$crate/Cargo.toml"
(cd "$crate" && cargo vendor -q vendor && rm Cargo.lock)
printf '%s\n' '[source.crates-io]' 'replace-with = "vendored"' '[source.vendored]' 'directory = "vendor"' >"$crate/.cargo/config.toml"
cd "$crate"
# What is installed where is looked at, not how fast it is.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
cargo cinstall --offline --release --target-dir "$target" --prefix="$root" --libdir="$root/lib"
