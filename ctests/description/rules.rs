//! What the docs in `src/ffi` say in fixed words, as values. Where the words are missing the description is not made.
//!
//! * `else as hnx_x()`: what is not said is what that function says.
//! * Threads: each function says `any thread, any time` or `alone on this ..`.
//! * NULL: `name: NULL`, `name may be NULL` or, for fields, a sentence that begins with `NULL`: it means something.
//!   Every other NULL is HNX_ERR_INVALID_ARGUMENT; functions without a status say what they return for it.
//! * Ownership: memory is borrowed for the call. A field whose doc says `until hnx_x_free()` is kept so long; what
//!   hnx_x_free() takes is gone; `T **out` of a handle is given. Returned text is static.

use serde_json::{json, Value};

use super::source::{Api, Field, Function, Struct};

pub(super) fn soname() -> String {
    match (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR")) {
        ("0", minor) => format!("libhnx.so.0.{minor}"),
        (major, _) => format!("libhnx.so.{major}"),
    }
}

/// The values that the description uses.
pub(super) fn terms() -> Value {
    json!({
        "direction": {
            "in": "read",
            "out": "written",
            "inout": "read and written",
            "handle": "an opaque object of the library"
        },
        "null": {
            "allowed": "NULL has a meaning, which doc tells",
            "refused": "NULL is HNX_ERR_INVALID_ARGUMENT (an array may be NULL when its count is 0)"
        },
        "ownership": {
            "borrowed": "the caller's, used until the call returns and no longer",
            "kept": "the caller's, used until the function in `until` is called",
            "given": "the caller's from now on, to be freed by the handle's freed_by",
            "taken": "the library's from now on: gone",
            "library": "the library's, usable until the function in `until` is called",
            "static": "the library's, valid as long as it is loaded"
        },
        "threads": {
            "any": "may be called from any thread, beside any other call",
            "alone": "no other call on the same handle may be running or follow"
        }
    })
}

pub(super) fn freed_by(handle: &str) -> &'static str {
    match handle {
        "hnx_index" => "hnx_free",
        "hnx_graph" => "hnx_graph_free",
        other => panic!("who frees {other}?"),
    }
}

/// The handle that a pointer type points to.
fn handle<'a>(kind: &str, api: &'a Api) -> Option<&'a str> {
    let name = kind.trim_start_matches("const ").trim_end_matches([' ', '*']);
    api.handles.iter().map(|(handle, _)| &**handle).find(|handle| *handle == name)
}

pub(super) fn direction(name: &str, kind: &str, api: &Api) -> &'static str {
    if handle(kind, api).is_some() && !kind.ends_with("**") {
        "handle"
    } else if kind.starts_with("const ") {
        "in"
    } else if name.starts_with("out") || (name == "buffer" && kind == "char *") {
        "out"
    } else {
        "inout"
    }
}

/// Whether a doc gives NULL a meaning for a parameter.
fn means_something(doc: &str, name: &str) -> bool {
    doc.match_indices(name).any(|(at, _)| {
        let word = doc[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let rest = &doc[at + name.len()..];
        word && (rest.starts_with(": NULL") || rest.starts_with(" may be NULL"))
    })
}

/// The function to which a doc leaves what it does not say itself: `else as hnx_x()`.
fn referred<'a>(function: &Function, api: &'a Api) -> Option<&'a Function> {
    let (name, _) = description_of(&function.doc).split("else as ").nth(1)?.split_once("()")?;
    api.functions.iter().find(|f| f.name == name)
}

pub(super) fn null(function: &Function, name: &str, kind: &str, api: &Api) -> &'static str {
    let says = |f: &Function| means_something(description_of(&f.doc), name);
    let documented = says(function) || referred(function, api).is_some_and(says);
    // A context is a number to the library, and what cannot refuse does not.
    let opaque = kind == "void *" && name == "context";
    if documented || opaque || function.returns != "hnx_status" {
        "allowed"
    } else {
        "refused"
    }
}

pub(super) fn ownership(function: &Function, name: &str, kind: &str, api: &Api) -> &'static str {
    match handle(kind, api) {
        Some(_) if kind.ends_with("**") => {
            assert!(name.starts_with("out_"), "{}: {name} receives a handle: call it out_..", function.name);
            "given"
        }
        Some(handle) if function.name == freed_by(handle) => "taken",
        _ => "borrowed",
    }
}

pub(super) fn returned(function: &Function) -> &'static str {
    assert!(function.doc.contains("static"), "{}: the doc does not say that the text is static", function.name);
    "static"
}

/// The part of a doc that is for users of C.
fn description_of(doc: &str) -> &str {
    doc.split("# Safety").next().unwrap_or(doc).trim()
}

/// The rule, and the words from which it comes.
pub(super) fn threads(function: &Function, api: &Api) -> (&'static str, String) {
    let doc = description_of(&function.doc);
    let lower = doc.to_lowercase();
    let found =
        [("any", "any thread, any time"), ("any", "threads: each has its own"), ("alone", "threads: alone on this")]
            .into_iter()
            .find_map(|(rule, words)| lower.find(words).map(|at| (rule, at)));
    if let Some((rule, at)) = found {
        let text = doc[at..].split("\n\n").next().unwrap_or("").trim_start_matches("Threads: ");
        return (rule, text.to_owned());
    }
    if let Some(other) = referred(function, api) {
        return threads(other, api);
    }
    panic!("{}: the doc has no rule for threads", function.name);
}

/// `until hnx_graph_free()` in a doc.
fn until(doc: &str) -> Option<String> {
    let (name, _) = doc.split("until ").nth(1)?.split_once("()")?;
    name.ends_with("_free").then(|| name.to_owned())
}

/// What a pointer in a struct may be, and whose memory it points to.
pub(super) fn field(structure: &Struct, field: &Field, api: &Api, entry: &mut Value) {
    if !field.kind.contains('*') && !api.callbacks.iter().any(|c| c.name == field.kind) {
        return;
    }
    let sentences = field.doc.split(['.', ';']).map(str::trim_start);
    if sentences.into_iter().any(|sentence| sentence.starts_with("NULL")) {
        entry["null"] = "allowed".into();
    }
    let (ownership, end) = match (until(&structure.doc), until(&field.doc)) {
        (Some(end), _) => ("library", Some(end)),
        (None, Some(end)) => ("kept", Some(end)),
        (None, None) => ("borrowed", None),
    };
    entry["ownership"] = ownership.into();
    if let Some(end) = end {
        entry["until"] = end.into();
    }
}
