//! The description as a C program that compiles only when the header says the same.

use std::fmt::Write as _;

use serde_json::Value;

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().expect(key).iter()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect(key)
}

fn kinds(function: &Value) -> String {
    let kinds: Vec<_> = list(function, "parameters").map(|p| text(p, "type")).collect();
    if kinds.is_empty() {
        "void".to_owned()
    } else {
        kinds.join(", ")
    }
}

pub(super) fn c_source(description: &Value) -> String {
    let mut out = String::from("#include <hnx.h>\n#define SAME(a, b, what) _Static_assert((a) == (b), what)\n");
    for c in list(description, "constants") {
        let _ = writeln!(out, "SAME({0}, {1}, \"{0}\");", text(c, "name"), c["value"]);
    }
    for e in list(description, "enums") {
        for m in list(e, "members") {
            let _ = writeln!(out, "SAME({0}, {1}, \"{0}\");", text(m, "name"), m["value"]);
        }
        let _ = writeln!(
            out,
            "_Static_assert(_Generic(({})0, {}: 1, default: 0), \"\");",
            text(e, "name"),
            text(e, "type")
        );
    }
    for s in list(description, "structs") {
        let name = text(s, "name");
        let _ = writeln!(out, "SAME(sizeof({name}), {}, \"{name}\");", s["size"]);
        let _ = writeln!(out, "SAME(_Alignof({name}), {}, \"{name}\");", s["align"]);
        for f in list(s, "fields") {
            let (field, kind) = (text(f, "name"), text(f, "type"));
            let what = format!("\"{name}.{field}\"");
            let _ = writeln!(out, "SAME(offsetof({name}, {field}), {}, {what});", f["offset"]);
            let _ = writeln!(out, "SAME(sizeof((({name} *)0)->{field}), {}, {what});", f["size"]);
            let _ = writeln!(out, "_Static_assert(_Generic((({name} *)0)->{field}, {kind}: 1, default: 0), {what});");
        }
    }
    for c in list(description, "callbacks") {
        let (name, signature) = (text(c, "name"), format!("{} (*)({})", text(c, "returns"), kinds(c)));
        let _ = writeln!(out, "_Static_assert(_Generic(({name})0, {signature}: 1, default: 0), \"{name}\");");
    }
    for f in list(description, "functions") {
        let (name, returns) = (text(f, "name"), text(f, "returns"));
        let _ =
            writeln!(out, "_Static_assert(_Generic(&{name}, {returns} (*)({}): 1, default: 0), \"{name}\");", kinds(f));
    }
    out
}
