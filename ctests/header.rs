//! Header, description and shared library say the same: the committed header and `hnx.json` are what the Rust
//! generates, the library exports what the header declares, and the header compiles cleanly in every language version
//! we support.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests end at the first surprise"
)]

mod description;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{declarations, header, root, run, shared_library};

/// In this order the header reads top down. Only these files: cbindgen matches by name alone, so a type of the same
/// name elsewhere in the crate would silently replace the public one.
const SOURCES: [&str; 15] = [
    "types",
    "callbacks",
    "graph_types",
    "status",
    "handle",
    "lifecycle",
    "write",
    "query",
    "persist",
    "salvage",
    "info",
    "distance",
    "graph",
    "graph_search",
    "graph_files",
];

fn sources() -> Vec<PathBuf> {
    SOURCES.iter().map(|name| root().join(format!("src/ffi/{name}.rs"))).collect()
}

fn generate() -> String {
    let config = cbindgen::Config::from_file(root().join("cbindgen.toml")).expect("cbindgen.toml");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for path in sources() {
        builder = builder.with_src(path);
    }
    let mut bytes = Vec::new();
    builder.generate().expect("cbindgen").write(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// Compares a file of include/ with what it should be; writes it when HNX_BLESS is 1.
fn compare(name: &str, fresh: &str) {
    let path = root().join("include").join(name);
    let mut committed = fs::read_to_string(&path).unwrap_or_default();
    if committed != fresh && std::env::var("HNX_BLESS").is_ok_and(|v| v == "1") {
        fs::write(&path, fresh).unwrap();
        committed = fresh.to_owned();
    }
    let (old, new): (Vec<_>, Vec<_>) = (committed.lines().collect(), fresh.lines().collect());
    if let Some(at) = (0..old.len().max(new.len())).find(|&i| old.get(i) != new.get(i)) {
        panic!(
            "include/{name} differs from src/ffi at line {}:\n  committed: {:?}\n  src/ffi: {:?}\n\
             run `HNX_BLESS=1 cargo test --test header` and look at the difference",
            at + 1,
            old.get(at),
            new.get(at)
        );
    }
}

#[test]
fn header_is_what_the_rust_generates() {
    compare("hnx.h", &generate());
}

#[test]
fn description_is_what_the_rust_generates() {
    compare("hnx.json", &description::generate(&sources()));
}

/// A new file in src/ffi with exports would be missing in the header without a word from cbindgen.
#[test]
fn every_export_is_in_a_listed_file() {
    for entry in fs::read_dir(root().join("src/ffi")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let exports = fs::read_to_string(&path).unwrap().contains("no_mangle");
        assert!(!exports || SOURCES.contains(&&*stem), "{} exports functions: add it to SOURCES", path.display());
    }
}

#[test]
fn version_macros_are_the_version_of_the_package() {
    let parts = [
        ("MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("PATCH", env!("CARGO_PKG_VERSION_PATCH")),
    ];
    let header = header();
    for (name, value) in parts {
        let line = format!("#define HNX_VERSION_{name} {value}");
        assert!(header.lines().any(|l| l == line), "include/hnx.h lacks `{line}`");
    }
}

#[test]
fn exports_are_the_declared_functions() {
    let declared: BTreeSet<String> = declarations().into_iter().map(|f| f.name).collect();
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(shared_library()));
    let exported: BTreeSet<String> =
        symbols.lines().filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect();
    assert!(declared.len() > 10, "the header was not understood: {declared:?}");
    assert_eq!(exported, declared, "exported by the library (left), declared in the header (right)");
    assert!(exported.iter().all(|name| name.starts_with("hnx_")), "{exported:?}");
}

fn dynamic_section() -> String {
    run(Command::new("readelf").args(["-d", "-W"]).arg(shared_library()))
}

#[test]
#[cfg(target_os = "linux")]
fn shared_library_is_linked_as_promised() {
    let dynamic = dynamic_section();
    // The number changes with every release that breaks the ABI, and then here.
    assert!(dynamic.contains("soname: [libhnx.so.0.1]"), "{dynamic}");
    // A thread that called the library may exit after the host's dlclose.
    assert!(dynamic.lines().any(|l| l.contains("FLAGS_1") && l.contains("NODELETE")), "{dynamic}");
    // An absolute path of the building machine in the library is of no use to anybody else.
    assert!(!dynamic.contains("RPATH") && !dynamic.contains("RUNPATH"), "{dynamic}");
}

#[test]
#[cfg(target_os = "linux")]
fn shared_library_needs_the_c_runtime_only() {
    let allowed = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];
    let dynamic = dynamic_section();
    let needed: Vec<&str> = dynamic
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split(['[', ']']).nth(1))
        .collect();
    assert!(needed.contains(&"libc.so.6"), "{dynamic}");
    let others: Vec<_> = needed.iter().filter(|name| !allowed.contains(name)).collect();
    assert!(others.is_empty(), "the library also needs {others:?}");
}

/// A host's file: the header twice (guard), every kind of declaration used once.
const HOST: &str = r#"
#include "hnx.h"
#include "hnx.h"
int main(void)
{
    hnx_options options = {sizeof(hnx_options), HNX_METRIC_L2, HNX_ALLOW_REPLACE_DELETED, 4, 0, 0, 0, 0, 0};
    struct hnx_query_options query = {sizeof(query), 0, 1, HNX_EXACTNESS_F32, 0};
    hnx_index *index = 0;
    hnx_status status = hnx_init(&options, &index);
    hnx_free(index);
    return status == HNX_OK && query.ef == HNX_VERSION_MAJOR ? 0 : 1;
}
"#;

fn compiles_with(compiler: &str) {
    let probe = Command::new(compiler).arg("--version").output();
    assert!(probe.is_ok_and(|o| o.status.success()), "`{compiler}` is missing: the header cannot be checked with it");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    for (language, standards) in [("c", ["c99", "c11"]), ("c++", ["c++11", "c++17"])] {
        for standard in standards {
            let source =
                folder.join(format!("host_{}_{standard}.txt", Path::new(compiler).file_name().unwrap().display()));
            fs::write(&source, HOST).unwrap();
            run(Command::new(compiler)
                .args(["-x", language, &format!("-std={standard}"), "-fsyntax-only"])
                .args(["-Wall", "-Wextra", "-pedantic", "-Werror", "-Wconversion", "-Wshadow", "-I"])
                .arg(root().join("include"))
                .arg(&source));
        }
    }
}

#[test]
fn header_compiles_with_gcc() {
    compiles_with("gcc");
}

/// HNX_CLANG names another clang; empty, it waives this test on machines without one.
#[test]
fn header_compiles_with_clang() {
    match std::env::var("HNX_CLANG") {
        Ok(none) if none.is_empty() => eprintln!("skipped: HNX_CLANG is empty"),
        Ok(other) => compiles_with(&other),
        Err(_) => compiles_with("clang"),
    }
}
