//! Who may import whom, read from the sources: imports go down the tiers, never up. Also that the C ABI stays in
//! one folder, and that files stay readable.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests end at the first surprise")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

mod support;

/// Rooms from the top down; rooms of one tier may import each other. `error`, `params`, `platform` and `sync` have
/// no room above them that they need.
const TIERS: [&[&str]; 6] = [
    &["ffi"],
    &["index", "persist"],
    &["graph", "search"],
    &["store", "codes"],
    &["distance"],
    &["error", "params", "platform", "sync"],
];

/// Lines of a file, tests aside.
const LONGEST: usize = 500;

fn tier(room: &str) -> Option<usize> {
    TIERS.iter().position(|rooms| rooms.contains(&room))
}

/// A source file: its path below src, and its text without comments and without tests.
struct Source {
    path: String,
    code: String,
    lines: usize,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let shipped = without_tests(text);
        Self { path: path.to_owned(), code: without_comments(&shipped), lines: shipped.lines().count() }
    }

    /// First part of the path: `store` of `store/arena.rs`, `error` of `error.rs`.
    fn room(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap()
    }
}

/// Cuts `#[cfg(test)] mod x { .. }` at the start of a line, as rustfmt leaves it.
fn without_tests(text: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let module =
            line == "#[cfg(test)]" && lines.peek().is_some_and(|next| next.contains("mod ") && next.ends_with('{'));
        if module {
            lines.by_ref().find(|line| *line == "}");
        } else {
            kept.push(line);
        }
    }
    kept.join("\n")
}

/// Blanks comments; strings and characters are kept, and keep what looks like a comment in them.
fn without_comments(text: &str) -> String {
    let (mut code, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let len = if rest.starts_with("//") {
            let len = rest.find('\n').unwrap_or(rest.len());
            rest = &rest[len..];
            continue;
        } else if rest.starts_with("/*") {
            let mut depth = 0usize;
            let mut at = 0;
            loop {
                match &rest.as_bytes()[at..] {
                    [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
                    [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
                    [_, ..] => at += 1,
                    [] => break,
                }
                if depth == 0 {
                    break;
                }
            }
            rest = &rest[at..];
            continue;
        } else if first == '"' {
            let mut escaped = false;
            1 + rest[1..]
                .find(|c| {
                    let end = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    end
                })
                .map_or(rest.len() - 1, |at| at + 1)
        } else if rest.starts_with("'\"'") {
            3
        } else if let Some(text) = rest.strip_prefix("r#\"") {
            text.find("\"#").map_or(rest.len(), |at| at + 5)
        } else {
            first.len_utf8()
        };
        code.push_str(&rest[..len]);
        rest = &rest[len..];
    }
    code
}

/// Names that follow `crate::`, also those of `crate::{a::b, c}`.
fn crate_paths(code: &str) -> Vec<String> {
    let name = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push(name(rest));
            continue;
        };
        let mut depth = 0;
        let mut item = String::new();
        for c in group.chars() {
            match c {
                '}' if depth == 0 => break,
                ',' if depth == 0 => found.push(name(std::mem::take(&mut item).trim())),
                _ => {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    item.push(c);
                }
            }
        }
        found.push(name(item.trim()));
    }
    found.retain(|name| !name.is_empty());
    found
}

/// Rooms reached by `super::` from where it means the crate: a file in src, or the `mod.rs` of a room, has one level
/// to go; any other file of a room has two.
fn super_paths(source: &Source) -> Vec<String> {
    let top = !source.path.contains('/') || source.path.ends_with("/mod.rs");
    let prefix = if top { "super::" } else { "super::super::" };
    let rooms = TIERS.iter().flat_map(|rooms| rooms.iter());
    rooms
        .filter(|room| **room != source.room())
        .filter(|room| {
            let path = format!("{prefix}{room}");
            source.code.match_indices(&path).any(|(at, _)| {
                let after = source.code[at + path.len()..].chars().next();
                !source.code[..at].ends_with("super::") && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
            })
        })
        .map(|room| (*room).to_owned())
        .collect()
}

/// What lib.rs re-exports, by name: `use crate::Index` is an import from the room that `Index` lives in.
fn reexports(lib: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for item in without_comments(lib).split(';') {
        let Some((room, names)) = item.trim().strip_prefix("pub use ").and_then(|path| path.split_once("::")) else {
            continue;
        };
        for name in names.trim_matches(['{', '}']).split(',') {
            let name = name.rsplit([' ', ':']).next().unwrap_or("").trim();
            found.insert(name.to_owned(), room.to_owned());
        }
    }
    found
}

/// Arrows that go up, as sentences.
fn forbidden(source: &Source, reexports: &BTreeMap<String, String>) -> Vec<String> {
    let from = source.room();
    let Some(mine) = tier(from) else {
        return vec![format!("src/{}: `{from}` has no tier: say in this test where it belongs", source.path)];
    };
    let mut complaints = Vec::new();
    for name in crate_paths(&source.code).into_iter().chain(super_paths(source)) {
        let to = reexports.get(&name).unwrap_or(&name);
        match tier(to) {
            Some(theirs) if theirs >= mine => {}
            Some(_) => complaints.push(format!("src/{}: {from} must not import {to}", source.path)),
            None => complaints.push(format!("src/{}: what is `crate::{name}`?", source.path)),
        }
    }
    complaints.dedup();
    complaints
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// All sources but lib.rs and tests.
fn sources() -> Vec<Source> {
    let src = support::root().join("src");
    let mut paths = Vec::new();
    walk(&src, &mut paths);
    paths.sort();
    let below = |path: &Path| path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
    let is_test = |path: &str| path.ends_with("tests.rs") || path.contains("/tests/");
    let named = paths.iter().map(|path| (below(path), path)).filter(|(name, _)| name != "lib.rs" && !is_test(name));
    named.map(|(name, path)| Source::new(&name, &fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn imports_go_down() {
    let lib = fs::read_to_string(support::root().join("src/lib.rs")).unwrap();
    let reexports = reexports(&lib);
    let sources = sources();
    assert!(sources.len() > 10, "src was not read");
    let complaints: Vec<_> = sources.iter().flat_map(|source| forbidden(source, &reexports)).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn the_c_abi_is_one_folder() {
    let outside: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.room() != "ffi")
        // A handler that the C library calls in a child of fork; nobody links to it.
        .filter(|source| source.path != "platform/unix.rs")
        .filter(|s| ["extern \"C\"", "no_mangle", "export_name"].iter().any(|word| s.code.contains(word)))
        .map(|source| source.path)
        .collect();
    assert!(outside.is_empty(), "C ABI outside src/ffi: {outside:?}");
}

#[test]
fn files_stay_short() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.lines > LONGEST)
        .map(|source| format!("src/{}: {} lines", source.path, source.lines))
        .collect();
    assert!(long.is_empty(), "split by job, the limit is {LONGEST} lines: {long:#?}");
}

/// The reader above, on sources made to trip it.
#[test]
fn arrows_that_go_up_are_seen() {
    let lib = "pub use index::{AddMode, Index};\npub use params::{Metric, Params};";
    let complaints = |path: &str, text: &str| forbidden(&Source::new(path, text), &reexports(lib)).len();
    for (path, text, expected) in [
        ("store/arena.rs", "use crate::error::Result;\nuse crate::distance;", 0),
        ("store/arena.rs", "use crate::search::Pool;", 1),
        ("store/arena.rs", "use crate::{error, search::{Pool, Beam}, graph};", 2),
        ("store/arena.rs", "fn f() { crate::index::Index::new() }", 1),
        ("store/arena.rs", "use crate::Index;", 1),
        ("store/arena.rs", "use crate::Params;", 0),
        ("store/arena.rs", "// use crate::search\n/* crate::graph /* crate::ffi */ */ \n", 0),
        ("store/arena.rs", "const S: &str = \"// \\\" /* \"; use crate::search;", 1),
        ("store/arena.rs", "use super::super::graph::links;", 1),
        ("store/arena.rs", "use super::layout;", 0),
        ("store/mod.rs", "use super::search::Beam;", 1),
        ("store/arena.rs", "pub(in crate::store) fn f() {}", 0),
        ("store/arena.rs", "#[cfg(test)]\nmod tests {\n    use crate::index::Index;\n}\n", 0),
        ("store/arena.rs", "#[cfg(test)]\nmod tests {\n}\nuse crate::index::Index;", 1),
        ("graph/links.rs", "use crate::search::beam;", 0),
        ("index/add.rs", "use crate::persist::load;", 0),
        ("index/add.rs", "use crate::ffi::hnx_index;", 1),
        ("distance/avx2.rs", "use crate::store::Arena;", 1),
        ("distance/avx2.rs", "use crate::codes::Code;", 1),
        ("error.rs", "use crate::distance::Level;", 1),
        ("params.rs", "use crate::error::Result;", 0),
        ("cellar/mod.rs", "", 1),
    ] {
        assert_eq!(complaints(path, text), expected, "{path}: {text}");
    }
    let long = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(40), "    fn g() {}\n".repeat(60));
    assert_eq!(Source::new("store/arena.rs", &long).lines, 40);
}
