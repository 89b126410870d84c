//! The boundary as a C program meets it: layouts, NULL for every pointer, struct sizes, status names, error texts.
//! The C side is in `probes/`; each file is compiled, linked with the shared library and run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests end at the first surprise")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hnx::ffi;
use support::{declarations, root, run, shared_library, statuses, structs};

/// An empty folder of this test in this process: another `cargo test` may be running.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("probes-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Compiles one C file against header and shared library, runs it in an empty folder, returns what it printed.
fn probe(name: &str, source: &Path) -> String {
    let folder = folder(name);
    // The program looks for the soname, cargo names the file without version.
    std::os::unix::fs::symlink(shared_library(), folder.join("libhnx.so.0.1")).unwrap();
    let compiler = cc::Build::new()
        .cargo_metadata(false)
        .opt_level(1)
        .debug(true)
        .target(&format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
        .host(&format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
        .try_get_compiler()
        .expect("a C compiler (cc, or the one CC names)");
    let program = folder.join("program");
    run(compiler
        .to_command()
        .args(["-std=c99", "-D_XOPEN_SOURCE=700", "-Wall", "-Wextra", "-pedantic", "-Werror"])
        .arg(format!("-I{}", root().join("include").display()))
        .arg(format!("-I{}", root().join("ctests/c").display()))
        .arg(source)
        .arg(folder.join("libhnx.so.0.1"))
        .arg(format!("-Wl,-rpath,{}", folder.display()))
        .args(["-lpthread", "-lm", "-o"])
        .arg(&program));
    let printed = run(Command::new(&program).current_dir(&folder));
    let _ = fs::remove_dir_all(&folder); // kept after a failure
    printed
}

fn probe_file(name: &str) -> String {
    probe(name, &root().join(format!("ctests/probes/{name}.c")))
}

macro_rules! layout {
    ($($type:ident { $($field:ident),* $(,)? })*) => {{
        let mut layout = BTreeMap::new();
        $(
            layout.insert(stringify!($type).to_owned(), (0, size_of::<ffi::$type>()));
            $(
                // The value is not read: only the type of the field tells its size.
                let size = |s: &ffi::$type| size_of_val(&s.$field);
                // SAFETY: plain numbers and pointers, for which zero is a value.
                let zero: ffi::$type = unsafe { std::mem::zeroed() };
                let place = (core::mem::offset_of!(ffi::$type, $field), size(&zero));
                layout.insert(concat!(stringify!($type), ".", stringify!($field)).to_owned(), place);
            )*
        )*
        layout
    }};
}

fn layout_in_rust() -> BTreeMap<String, (usize, usize)> {
    layout! {
        hnx_options {
            struct_size, metric, flags, dim, max_elements, m, ef_construction, random_seed, persist_path,
        }
        hnx_load_options { struct_size, metric, flags, dim, max_elements, check, reserved }
        hnx_add_options { struct_size, threads, flags }
        hnx_query_options { struct_size, ef, threads, exactness, filter }
        hnx_persist_options { struct_size, flags, reserved }
        hnx_persist_info { struct_size, generation, records_written, bytes_written }
        hnx_verify_info { struct_size, records, checked, damaged, first_record, first_offset, first_file }
        hnx_salvage_options { struct_size, metric, flags, dim, m, ef_construction, threads, reserved }
        hnx_salvage_info {
            struct_size, damage, reserved, stated, records, kept, deleted, missing, unwritten, unreadable, not_finite,
            implausible, duplicates, lengths_lost, mismatched,
        }
        hnx_stats_info {
            struct_size, metric, flags, dim, count, deleted, capacity, m, ef_construction, ef, max_level, exactness,
            record_bytes, other_bytes, dirty_records, code_bytes, vector_bytes, link_bytes, label_bytes,
        }
        hnx_filter { struct_size, accept, context, labels, label_count, flags, reserved }
        hnx_stop { struct_size, context, add, remove, should_stop, should_consider, should_remove }
        hnx_hit { label, key, id, reserved }
        hnx_graph_options {
            struct_size, distance, flags, dim, data_size, max_elements, m, measure, max_key, count, entry,
        }
        hnx_graph_memory {
            struct_size, records, stride, data_offset, label_offset, lists, list_size, levels, lengths,
        }
        hnx_graph_header { struct_size, max_elements, m, ef_construction, mult, format, reserved }
        hnx_graph_point {
            struct_size, data, label, length, level, ef, max_elements, flags, probability, draw, context,
        }
        hnx_graph_query {
            struct_size, query, k, ef, flags, start, level, reserved, filter, stop, emit, context, out_hops,
            out_distances,
        }
        hnx_graph_buffers {
            struct_size, header, header_size, records, records_size, lengths, lengths_size, lists, lists_size,
        }
    }
}

/// A C program that prints offset and size of every field the header declares.
fn layout_source() -> String {
    let mut source = String::from("#include <stdio.h>\n#include \"hnx.h\"\nint main(void)\n{\n");
    for (name, fields) in structs() {
        let _ = writeln!(source, "    printf(\"{name} 0 %zu\\n\", sizeof({name}));");
        for field in fields {
            let _ = writeln!(
                source,
                "    printf(\"{name}.{field} %zu %zu\\n\", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));"
            );
        }
    }
    source + "    return 0;\n}\n"
}

#[test]
fn structs_are_laid_out_as_c_sees_them() {
    let sources = folder("layout_source");
    fs::write(sources.join("layout.c"), layout_source()).unwrap();
    let printed = probe("layout", &sources.join("layout.c"));
    let _ = fs::remove_dir_all(&sources);
    let in_c: BTreeMap<String, (usize, usize)> = printed
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            let mut next = || words.next().unwrap();
            (next().to_owned(), (next().parse().unwrap(), next().parse().unwrap()))
        })
        .collect();
    assert_eq!(in_c, layout_in_rust(), "C (left), Rust (right)");
}

/// Fields are appended, never moved: these are the offsets that compiled hosts contain.
#[test]
fn published_offsets_stay() {
    let layout = layout_in_rust();
    for (name, place) in [
        ("hnx_options.metric", (8, 4)),
        ("hnx_options.flags", (12, 4)),
        ("hnx_options.dim", (16, 8)),
        ("hnx_options.max_elements", (24, 8)),
        ("hnx_options.m", (32, 8)),
        ("hnx_options.ef_construction", (40, 8)),
        ("hnx_options.random_seed", (48, 8)),
        ("hnx_options.persist_path", (56, 8)),
        ("hnx_load_options.dim", (16, 8)),
        ("hnx_load_options.max_elements", (24, 8)),
        ("hnx_load_options.check", (32, 4)),
        ("hnx_load_options.reserved", (36, 4)),
        ("hnx_add_options.threads", (8, 4)),
        ("hnx_add_options.flags", (12, 4)),
        ("hnx_query_options.ef", (8, 8)),
        ("hnx_query_options.threads", (16, 4)),
        ("hnx_query_options.exactness", (20, 4)),
        ("hnx_query_options.filter", (24, 8)),
        ("hnx_persist_info.generation", (8, 8)),
        ("hnx_persist_info.records_written", (16, 8)),
        ("hnx_persist_info.bytes_written", (24, 8)),
        ("hnx_filter.accept", (8, 8)),
        ("hnx_filter.context", (16, 8)),
        ("hnx_hit.label", (0, 8)),
        ("hnx_hit.key", (8, 8)),
        ("hnx_hit.id", (16, 4)),
        ("hnx_salvage_options.dim", (16, 8)),
        ("hnx_salvage_options.threads", (40, 4)),
        ("hnx_salvage_info.damage", (8, 4)),
        ("hnx_salvage_info.kept", (32, 8)),
        ("hnx_salvage_info.lengths_lost", (96, 8)),
        ("hnx_salvage_info.mismatched", (104, 8)),
    ] {
        assert_eq!(layout[name], place, "{name}");
    }
}

#[test]
fn null_is_refused_by_every_function() {
    let source = fs::read_to_string(root().join("ctests/probes/null.c")).unwrap();
    let mut missing = Vec::new();
    for function in declarations() {
        for pointer in &function.pointers {
            if !source.contains(&format!("({}, {pointer},", function.name)) {
                missing.push(format!("{}: {pointer}", function.name));
            }
        }
    }
    assert!(missing.is_empty(), "ctests/probes/null.c passes no NULL for {missing:#?}");
    probe_file("null");
}

#[test]
fn struct_size_rules() {
    probe_file("struct_size");
}

#[test]
fn last_error_rules() {
    probe_file("last_error");
}

#[test]
fn every_status_has_its_name() {
    let declared: BTreeMap<i32, String> = statuses().into_iter().map(|(name, number)| (number, name)).collect();
    assert_eq!(declared.get(&0).map(String::as_str), Some("HNX_OK"));
    assert_eq!(declared.get(&-8).map(String::as_str), Some("HNX_ERR_CORRUPT"));
    let mut unknown = 0;
    for line in probe_file("status").lines() {
        let (number, name) = line.split_once(' ').unwrap();
        match declared.get(&number.parse().unwrap()) {
            Some(expected) => assert_eq!(name, expected, "{number}"),
            None => {
                assert_eq!(name, "unknown status", "{number}");
                unknown += 1;
            }
        }
    }
    assert!(unknown > 0, "the probe asks for unknown numbers, too");
}
