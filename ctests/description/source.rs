//! The C ABI as `src/ffi` has it, with C's names for types.

use std::fs;
use std::path::PathBuf;

use syn::{Expr, Fields, FnArg, Item, Lit, Meta, Pat, ReturnType, Type};

pub(super) struct Constant {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) value: i64,
    pub(super) doc: String,
}

pub(super) struct Function {
    pub(super) name: String,
    pub(super) returns: String,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) doc: String,
}

pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) doc: String,
}

pub(super) struct Struct {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
    pub(super) doc: String,
}

/// Everything that C sees, in the order of the header.
#[derive(Default)]
pub(super) struct Api {
    pub(super) constants: Vec<Constant>,
    pub(super) statuses: Vec<Constant>,
    pub(super) handles: Vec<(String, String)>,
    pub(super) callbacks: Vec<Function>,
    pub(super) structs: Vec<Struct>,
    pub(super) functions: Vec<Function>,
}

/// Doc comments; paragraphs stay paragraphs, lines do not stay lines.
fn doc(attributes: &[syn::Attribute]) -> String {
    let lines = attributes.iter().filter(|a| a.path().is_ident("doc")).filter_map(|a| match &a.meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}

fn plain(name: &str) -> String {
    match name {
        "usize" => "size_t",
        "u8" => "uint8_t",
        "u16" => "uint16_t",
        "u32" => "uint32_t",
        "u64" => "uint64_t",
        "i32" => "int32_t",
        "i64" => "int64_t",
        "f32" => "float",
        "f64" => "double",
        "c_char" => "char",
        "c_void" => "void",
        other => other,
    }
    .to_owned()
}

/// C's name for a type: `const float *`, `hnx_index **`, `int32_t (*)(void *, uint64_t)`.
fn c_type(kind: &Type) -> String {
    match kind {
        Type::Path(path) => {
            let last = path.path.segments.last().expect("a name");
            match &last.arguments {
                syn::PathArguments::AngleBracketed(inner) if last.ident == "Option" => match &inner.args[0] {
                    syn::GenericArgument::Type(Type::BareFn(function)) => {
                        let (returns, parameters) = callback(function);
                        let kinds: Vec<_> = parameters.into_iter().map(|(_, kind)| kind).collect();
                        format!("{returns} (*)({})", kinds.join(", "))
                    }
                    _ => panic!("an Option that is no function"),
                },
                _ => plain(&last.ident.to_string()),
            }
        }
        Type::Ptr(pointer) => {
            let inner = c_type(&pointer.elem);
            let constant = pointer.mutability.is_none();
            match (inner.ends_with('*'), constant) {
                (true, true) => format!("{inner}const *"),
                (true, false) => format!("{inner}*"),
                (false, true) => format!("const {inner} *"),
                (false, false) => format!("{inner} *"),
            }
        }
        _ => panic!("a type that C does not have"),
    }
}

fn returned(output: &ReturnType) -> String {
    match output {
        ReturnType::Default => "void".to_owned(),
        ReturnType::Type(_, kind) => c_type(kind),
    }
}

fn callback(function: &syn::TypeBareFn) -> (String, Vec<(String, String)>) {
    let name = |argument: &syn::BareFnArg| argument.name.as_ref().expect("a name").0.to_string();
    (returned(&function.output), function.inputs.iter().map(|a| (name(a), c_type(&a.ty))).collect())
}

fn number(value: &Expr) -> i64 {
    match value {
        Expr::Lit(syn::ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().expect("a number"),
        Expr::Unary(syn::ExprUnary { op: syn::UnOp::Neg(_), expr, .. }) => -number(expr),
        Expr::Path(path) => {
            match &*path.path.segments.iter().map(|s| s.ident.to_string()).collect::<Vec<_>>().join("::") {
                "u32::MAX" => u32::MAX.into(),
                other => panic!("a constant that is not understood: {other}"),
            }
        }
        _ => panic!("a constant that is not understood"),
    }
}

fn is_c(signature: &syn::Signature) -> bool {
    signature.abi.as_ref().and_then(|abi| abi.name.as_ref()).is_some_and(|name| name.value() == "C")
}

impl Api {
    pub(super) fn read(sources: &[PathBuf]) -> Self {
        let mut api = Self::default();
        for path in sources {
            let text = fs::read_to_string(path).expect("a source");
            for item in syn::parse_file(&text).expect("Rust").items {
                api.take(item);
            }
        }
        api
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Const(c) if c.ident.to_string().starts_with("HNX_") => self.constants.push(Constant {
                name: c.ident.to_string(),
                kind: c_type(&c.ty),
                value: number(&c.expr),
                doc: doc(&c.attrs),
            }),
            Item::Enum(e) if e.ident == "hnx_status" => {
                self.statuses.extend(e.variants.iter().map(|v| Constant {
                    name: v.ident.to_string(),
                    kind: "int32_t".to_owned(),
                    value: number(&v.discriminant.as_ref().expect("a number").1),
                    doc: doc(&v.attrs),
                }));
            }
            Item::Type(t) if t.ident.to_string().starts_with("hnx_") => {
                let Type::Path(path) = &*t.ty else { panic!("{}: a function", t.ident) };
                let Some(segment) = path.path.segments.last() else { panic!("{}: a name", t.ident) };
                let syn::PathArguments::AngleBracketed(inner) = &segment.arguments else {
                    panic!("{}: an Option", t.ident)
                };
                let syn::GenericArgument::Type(Type::BareFn(function)) = &inner.args[0] else { panic!("{}", t.ident) };
                let (returns, parameters) = callback(function);
                self.callbacks.push(Function { name: t.ident.to_string(), returns, parameters, doc: doc(&t.attrs) });
            }
            Item::Struct(s) if s.ident.to_string().starts_with("hnx_") => match &s.fields {
                Fields::Named(fields) => self.structs.push(Struct {
                    name: s.ident.to_string(),
                    fields: fields
                        .named
                        .iter()
                        .map(|f| Field {
                            name: f.ident.as_ref().expect("a name").to_string(),
                            kind: c_type(&f.ty),
                            doc: doc(&f.attrs),
                        })
                        .collect(),
                    doc: doc(&s.attrs),
                }),
                _ => self.handles.push((s.ident.to_string(), doc(&s.attrs))),
            },
            Item::Fn(f) if is_c(&f.sig) => {
                let parameters = f.sig.inputs.iter().map(|input| match input {
                    FnArg::Typed(argument) => match &*argument.pat {
                        Pat::Ident(name) => (name.ident.to_string(), c_type(&argument.ty)),
                        _ => panic!("{}: a parameter without a name", f.sig.ident),
                    },
                    FnArg::Receiver(_) => panic!("{}: self", f.sig.ident),
                });
                self.functions.push(Function {
                    name: f.sig.ident.to_string(),
                    returns: returned(&f.sig.output),
                    parameters: parameters.collect(),
                    doc: doc(&f.attrs),
                });
            }
            _ => {}
        }
    }
}

fn size_of(kind: &str, api: &Api) -> usize {
    match kind {
        "uint8_t" | "char" => 1,
        "uint16_t" => 2,
        "uint32_t" | "int32_t" | "float" => 4,
        "size_t" | "uint64_t" | "int64_t" | "double" => 8,
        pointer if pointer.contains('*') || api.callbacks.iter().any(|c| c.name == pointer) => 8,
        other => panic!("the size of {other} is not known"),
    }
}

/// Size, alignment, and offset and size of each field, as C lays them out on LP64.
pub(super) fn layout(structure: &Struct, api: &Api) -> (usize, usize, Vec<(usize, usize)>) {
    let (mut end, mut align, mut places) = (0usize, 1, Vec::new());
    for field in &structure.fields {
        let size = size_of(&field.kind, api); // plain values: aligned to their size
        let offset = end.next_multiple_of(size);
        places.push((offset, size));
        (end, align) = (offset + size, align.max(size));
    }
    (end.next_multiple_of(align), align, places)
}
