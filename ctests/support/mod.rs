//! What the tests of the header and of the shared library need: both of them, found and parsed.
#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn header() -> String {
    fs::read_to_string(root().join("include/hnx.h")).expect("include/hnx.h")
}

/// The header without comments: they mention functions, too.
pub(crate) fn header_code() -> String {
    let header = header();
    let mut code = String::new();
    let mut rest = header.as_str();
    while let Some(start) = rest.find("/*") {
        code.push_str(&rest[..start]);
        rest = rest[start..].split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    code.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

pub(crate) struct Function {
    pub(crate) name: String,
    /// Names of the parameters that are pointers.
    pub(crate) pointers: Vec<String>,
}

/// The functions the header declares.
pub(crate) fn declarations() -> Vec<Function> {
    let code = header_code();
    let mut found = Vec::new();
    for chunk in code.split("HNX_API").skip(1) {
        let Some((head, tail)) = chunk.split_once('(') else { continue };
        let Some((parameters, _)) = tail.split_once(");") else { continue };
        let name = head.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned();
        if !name.starts_with("hnx_") {
            continue; // the definition of HNX_API
        }
        let pointers = parameters
            .split(',')
            .filter(|p| p.contains('*'))
            .filter_map(|p| p.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next())
            .map(str::to_owned)
            .collect();
        found.push(Function { name, pointers });
    }
    found
}

/// Fields of the public structs, as `(struct, fields)`.
pub(crate) fn structs() -> Vec<(String, Vec<String>)> {
    let code = header_code();
    let mut found = Vec::new();
    for chunk in code.split("typedef struct ").skip(1) {
        let Some((head, tail)) = chunk.split_once('{') else { continue };
        if head.contains(';') {
            continue; // an opaque type: the brace belongs to something else
        }
        let body = tail.split_once('}').expect("a struct ends").0;
        let fields = body.split(';').map(member_name).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        found.push((head.trim().to_owned(), fields));
    }
    found
}

/// The name that a member of a struct declares: `int32_t (*name)(...)`, or the last word.
fn member_name(member: &str) -> &str {
    match member.split_once("(*") {
        Some((_, function)) => function.split(')').next().unwrap_or("").trim(),
        None => member.trim().rsplit([' ', '*']).next().unwrap_or(""),
    }
}

/// The members of `enum hnx_status`.
pub(crate) fn statuses() -> Vec<(String, i32)> {
    let code = header_code();
    let members = code.lines().filter_map(|line| line.trim().strip_suffix(',')?.split_once(" = "));
    members
        .filter(|(name, _)| name.starts_with("HNX_"))
        .map(|(name, value)| (name.to_owned(), value.parse().expect("a number")))
        .collect()
}

/// The shared library built with this test: cargo puts it beside the test binary.
pub(crate) fn shared_library() -> PathBuf {
    let test = std::env::current_exe().expect("path of the test");
    let deps = test.parent().expect("folder of the test");
    let name = format!("{}hnx{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let path = deps.join(name);
    assert!(path.exists(), "{} is missing: run the tests with `cargo test`, which builds it", path.display());
    path
}

/// Runs a command to its end; its output, or a panic with all it said.
pub(crate) fn run(command: &mut Command) -> String {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{command:?} cannot be run: {error}"),
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}
