//! Link arguments of the shared library only; nothing is generated here.
//!
//! * a soname, which cargo does not set: `libhnx.so.<MAJOR>`, or `libhnx.so.0.<MINOR>` before 1.0;
//! * `nodelete`: a thread that once called the library may exit after the host's `dlclose`;
//! * symbolic binding: calls inside the library never land in another library's symbols.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let (major, minor) = (var("CARGO_PKG_VERSION_MAJOR"), var("CARGO_PKG_VERSION_MINOR"));
    let abi = if major == "0" { format!("0.{minor}") } else { major };
    let link = |arg: String| println!("cargo::rustc-cdylib-link-arg={arg}");
    match var("CARGO_CFG_TARGET_OS").as_str() {
        "macos" => link(format!("-Wl,-install_name,@rpath/libhnx.{abi}.dylib")),
        "windows" => {}
        _ => {
            link(format!("-Wl,-soname,libhnx.so.{abi}"));
            link("-Wl,-z,nodelete".into());
            link("-Wl,-Bsymbolic-functions".into());
        }
    }
}
