//! `include/hnx.json`: the C ABI as data, for programs that make or check the declarations of other languages. It
//! comes from the same files as the header: names, types and layouts from the Rust, rules from its docs (`rules`).
//! `ctests/bindings.py` compares the declarations in examples/ with it.

mod check;
mod rules;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{json, Value};

use super::support::{declarations, header_code, root, run, statuses};
use source::{layout, Api, Function};

fn parameter(function: &Function, api: &Api, name: &str, kind: &str) -> Value {
    let mut entry = json!({ "name": name, "type": kind });
    if kind.contains('*') {
        entry["direction"] = rules::direction(name, kind, api).into();
        entry["null"] = rules::null(function, name, kind, api).into();
        entry["ownership"] = rules::ownership(function, name, kind, api).into();
    }
    entry
}

/// All of it, from the files that make the header.
fn describe(sources: &[PathBuf]) -> Value {
    let api = Api::read(sources);
    let constants =
        api.constants.iter().map(|c| json!({ "name": c.name, "type": c.kind, "value": c.value, "doc": c.doc }));
    let handles =
        api.handles.iter().map(|(name, doc)| json!({ "name": name, "freed_by": rules::freed_by(name), "doc": doc }));
    let callbacks = api.callbacks.iter().map(|c| {
        let parameters = c.parameters.iter().map(|(name, kind)| json!({ "name": name, "type": kind }));
        json!({ "name": c.name, "returns": c.returns, "parameters": parameters.collect::<Vec<_>>(), "doc": c.doc })
    });
    let structs = api.structs.iter().map(|s| {
        let (size, align, places) = layout(s, &api);
        let fields = s.fields.iter().zip(places).map(|(f, (offset, size))| {
            let mut field = json!({ "name": f.name, "type": f.kind, "offset": offset, "size": size });
            rules::field(s, f, &api, &mut field);
            field["doc"] = f.doc.clone().into();
            field
        });
        json!({ "name": s.name, "size": size, "align": align, "fields": fields.collect::<Vec<_>>(), "doc": s.doc })
    });
    let functions = api.functions.iter().map(|f| {
        let parameters = f.parameters.iter().map(|(name, kind)| parameter(f, &api, name, kind));
        let mut entry = json!({ "name": f.name, "returns": f.returns, "parameters": parameters.collect::<Vec<_>>() });
        if f.returns.contains('*') {
            entry["returns_ownership"] = rules::returned(f).into();
        }
        let (rule, text) = rules::threads(f, &api);
        entry["threads"] = json!({ "rule": rule, "text": text });
        entry["doc"] = f.doc.clone().into();
        entry
    });
    let statuses = api.statuses.iter().map(|c| json!({ "name": c.name, "value": c.value, "doc": c.doc }));
    json!({
        "library": { "name": "hnx", "version": env!("CARGO_PKG_VERSION"), "soname": rules::soname() },
        "data_model": "LP64",
        "terms": rules::terms(),
        "constants": constants.collect::<Vec<_>>(),
        "enums": [{ "name": "hnx_status", "type": "int32_t", "members": statuses.collect::<Vec<_>>() }],
        "handles": handles.collect::<Vec<_>>(),
        "callbacks": callbacks.collect::<Vec<_>>(),
        "structs": structs.collect::<Vec<_>>(),
        "functions": functions.collect::<Vec<_>>(),
    })
}

/// Indented, but what holds plain values only is one line.
fn write(value: &Value, indent: usize, out: &mut String) {
    let flat = |v: &Value| !v.is_array() && !v.is_object();
    let line = |out: &mut String, first: bool| {
        out.push_str(if first { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(indent + 1));
    };
    match value {
        Value::Object(map) if map.values().all(flat) && indent > 1 => {
            let items: Vec<_> = map.iter().map(|(k, v)| format!("{}: {v}", json!(k))).collect();
            out.push_str(&format!("{{ {} }}", items.join(", ")));
        }
        Value::Object(map) => {
            out.push('{');
            for (i, (key, item)) in map.iter().enumerate() {
                line(out, i == 0);
                out.push_str(&format!("{}: ", json!(key)));
                write(item, indent + 1, out);
            }
            out.push_str(&format!("\n{}}}", "  ".repeat(indent)));
        }
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                line(out, i == 0);
                write(item, indent + 1, out);
            }
            out.push_str(&format!("\n{}]", "  ".repeat(indent)));
        }
        plain => out.push_str(&plain.to_string()),
    }
}

pub(super) fn generate(sources: &[PathBuf]) -> String {
    let mut text = String::new();
    write(&describe(sources), 0, &mut text);
    text + "\n"
}

/// Fresh, not the committed one, which another test compares with it and may be about to write.
fn fresh() -> Value {
    describe(&super::sources())
}

fn names(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

/// The compiler's word: every size, offset, constant and signature of the description, against the header.
#[test]
fn the_description_is_what_the_compiler_sees() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let source = folder.join(format!("description-{}.c", std::process::id()));
    fs::write(&source, check::c_source(&fresh())).unwrap();
    run(Command::new("gcc")
        .args(["-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-pedantic", "-Werror", "-Wno-unused-variable", "-I"])
        .arg(root().join("include"))
        .arg(&source));
    fs::remove_file(source).unwrap(); // kept after a failure
}

/// Nothing of the header is missing in the description.
#[test]
fn the_description_is_complete() {
    let description = fresh();
    let functions: BTreeSet<String> = declarations().into_iter().map(|f| f.name).collect();
    assert_eq!(names(&description["functions"]), functions, "description (left), header (right)");
    let code = header_code();
    let constants: BTreeSet<String> = code
        .lines()
        .filter_map(|line| line.strip_prefix("#define HNX_")?.split_once(' '))
        .map(|(name, _)| format!("HNX_{name}"))
        .filter(|name| name != "HNX_API")
        .collect();
    assert_eq!(names(&description["constants"]), constants, "description (left), header (right)");
    let members: BTreeSet<String> = statuses().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names(&description["enums"][0]["members"]), members, "description (left), header (right)");
    let structs: BTreeSet<String> = code
        .lines()
        .filter_map(|line| line.strip_prefix("typedef struct ")?.strip_suffix(" {"))
        .map(str::to_owned)
        .collect();
    assert_eq!(names(&description["structs"]), structs, "description (left), header (right)");
}

/// What NULL does is tried out by probes/null.c, pointer by pointer; the description has to say the same.
#[test]
fn null_is_what_the_probe_found() {
    let probe = fs::read_to_string(root().join("ctests/probes/null.c")).unwrap();
    let tried = probe.split("CASE(hnx_").skip(1).map(|rest| {
        let words: Vec<_> = rest.splitn(4, ',').map(str::trim).collect();
        (format!("hnx_{}", words[0]), words[1].to_owned(), if words[2] == "HNX_OK" { "allowed" } else { "refused" })
    });
    let others = ["VALUE(hnx_", "NOTHING(hnx_"].iter().flat_map(|kind| probe.split(kind).skip(1)).map(|rest| {
        let words: Vec<_> = rest.splitn(3, ',').map(str::trim).collect();
        (format!("hnx_{}", words[0]), words[1].to_owned(), "allowed")
    });
    let description = fresh();
    let (mut seen, mut wrong) = (0, Vec::new());
    for (function, parameter, found) in tried.chain(others) {
        let entry = description["functions"].as_array().unwrap().iter().find(|f| f["name"] == function.as_str());
        let Some(entry) = entry else { panic!("{function} is not described") };
        let entry = entry["parameters"].as_array().unwrap().iter().find(|p| p["name"] == parameter.as_str());
        let Some(entry) = entry else { panic!("{function}: {parameter} is not described") };
        if entry["null"] != found {
            wrong.push(format!("{function}: NULL for {parameter} is {}, was found to be {found}", entry["null"]));
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 30, "{seen}");
}
