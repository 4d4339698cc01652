//! Plugins made of WAT, each wrong in one way.

mod prices;

use super::component as component_of;
use super::*;
use crate::event::Digest;

fn sandbox() -> Sandbox {
    Sandbox::new(None).unwrap()
}

/// Wraps, inspects, and loads what inspection lets through; the answer is the text a person sees.
fn refusal(bytes: &[u8]) -> String {
    let sandbox = sandbox();
    let bytes = match component_of(bytes) {
        Ok(component) => &*component.into_owned(),
        Err(refused) => return refused.to_string(),
    };
    if let Err(refused) = inspect(bytes) {
        return refused.to_string();
    }
    let limits = Limits { fuel_per_event: 1_000_000, memory_bytes: 10 << 20, ..Limits::default() };
    sandbox.load(Digest::of(bytes), bytes, &limits).unwrap_err().to_string()
}

fn check(wat: &str, expected: expect_test::Expect) {
    expected.assert_eq(&refusal(&wat::parse_str(wat).unwrap()));
}

/// A component with an empty instance under each of these names, and these further parts.
fn component(exports: &[&str], parts: &str) -> String {
    let exports: String = exports.iter().map(|name| format!("(export \"{name}\" (instance $empty))")).collect();
    format!("(component {parts} (component $c) (instance $empty (instantiate $c)) {exports})")
}

const PROJECTION: &str = "polyfold:plugin/projection@0.1.0";
const UPCASTER: &str = "polyfold:plugin/upcaster@0.1.0";

#[test]
fn what_is_no_component_is_refused() {
    assert!(refusal(b"MZ\x90\0not wasm at all").starts_with("it is not a WebAssembly component: "));
    assert!(refusal(b"").starts_with("it is not a WebAssembly component: "));
    let whole = wat::parse_str(component(&[PROJECTION], "")).unwrap();
    for end in 8..whole.len() {
        // Whatever a cut leaves, it is an answer and no panic.
        assert!(!refusal(&whole[..end]).is_empty());
    }
}

#[test]
fn what_exports_no_plugin_is_refused() {
    check(
        "(component)",
        expect_test::expect![
            "it exports no interface that this host knows: it exports nothing; known are polyfold:plugin/projection@0.1.0, polyfold:plugin/upcaster@0.1.0: build it against one of these, as the kits of guest-sdk do"
        ],
    );
    check(
        &component(&["polyfold:plugin/projection@0.9.0", "a:b/c"], ""),
        expect_test::expect![
            "it exports no interface that this host knows: it exports polyfold:plugin/projection@0.9.0, a:b/c; known are polyfold:plugin/projection@0.1.0, polyfold:plugin/upcaster@0.1.0: build it against one of these, as the kits of guest-sdk do"
        ],
    );
    check(
        &component(&[PROJECTION, UPCASTER], ""),
        expect_test::expect![
            "it exports both polyfold:plugin/projection@0.1.0 and polyfold:plugin/upcaster@0.1.0: make two plugins of it"
        ],
    );
    check(
        &component(&[PROJECTION], ""),
        expect_test::expect![
            "it does not compile or link: instance export `polyfold:plugin/projection@0.1.0` does not have export `describe`"
        ],
    );
}

#[test]
fn every_refused_import_is_named_with_what_to_change() {
    let imports = r#"
        (import "wasi:http/types@0.2.0" (instance))
        (import "wasi:clocks/wall-clock@0.3.0" (instance))
        (import "wasi:clocks/monotonic-clock@0.2.9" (instance))
        (import "polyfold:plugin/state@0.1.3" (instance))
        (import "polyfold:plugin/state@0.2.0" (instance))
        (import "acme:db/sql" (instance))
        (import "now" (func))
    "#;
    check(
        &component(&[PROJECTION], imports),
        expect_test::expect![
            "it imports what this host does not offer: wasi:http/types@0.2.0 (plugins have no network: for JavaScript rebuild with `--disable http fetch-event`), wasi:clocks/wall-clock@0.3.0 (this host offers WASI 0.2: build for wasm32-wasip2), polyfold:plugin/state@0.2.0 (this host offers version 0.1.0 to a plugin that exports it), acme:db/sql (not known here: satisfy it inside the component, with `wac plug` or `wasm-tools compose`), now (only whole interfaces can be imported: build against the WIT of polyfold:plugin alone)"
        ],
    );
    check(
        &component(&[UPCASTER], "(import \"polyfold:plugin/state@0.1.0\" (instance))"),
        expect_test::expect![
            "it imports what this host does not offer: polyfold:plugin/state@0.1.0 (an upcaster has no state and no context: its answer follows from the event alone)"
        ],
    );
}

/// A core module that exports an upcaster's functions by their names in the ABI, with these further parts.
fn module(parts: &str) -> String {
    format!(
        r#"(module {parts}
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "{UPCASTER}#describe") (result i32) unreachable)
            (func (export "{UPCASTER}#upcast") (param i32 i32) (result i32) unreachable))"#
    )
}

#[test]
fn a_core_module_is_wrapped_by_the_names_of_its_exports() {
    let wasi = r#"(import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))"#;
    for (parts, imports) in [("", 0), (wasi, 1)] {
        let module = wat::parse_str(module(parts)).unwrap();
        let component = component_of(&module).unwrap().into_owned();
        let inspection = inspect(&component).unwrap();
        assert_eq!((inspection.kind, inspection.export.as_str()), (Kind::Upcaster, UPCASTER));
        let has_wasi = inspection.imports.iter().any(|name| name.starts_with("wasi:random/random@0.2."));
        assert_eq!(usize::from(has_wasi), imports, "{:?}", inspection.imports);
        assert!(matches!(component_of(&component).unwrap(), std::borrow::Cow::Borrowed(_)));
    }
    // It runs: what the module does is what describing it ends with.
    check(
        &module(""),
        expect_test::expect!["the plugin cannot describe itself: it trapped: wasm `unreachable` instruction executed"],
    );
}

#[test]
fn a_core_module_that_is_no_plugin_is_told_why() {
    check(
        "(module)",
        expect_test::expect![
            "it is a core WebAssembly module that does not say which plugin it is: it exports nothing; build it with a kit of guest-sdk (`polyfold plugin new` writes a project), or with a generator of component bindings"
        ],
    );
    check(
        r#"(module (memory (export "memory") 1) (func (export "_start")))"#,
        expect_test::expect![[
            r#"it is a core WebAssembly module that does not say which plugin it is: it exports memory, _start; it is a program with `_start`; build a library: `-buildmode=c-shared` in Go, `-mexec-model=reactor` in C, `crate-type = ["cdylib"]` in Rust"#
        ]],
    );
    let old = UPCASTER.replace("0.1.0", "0.0.9");
    check(
        &module("").replace(UPCASTER, &old),
        expect_test::expect![
            "it is a core WebAssembly module that does not say which plugin it is: it exports memory, cabi_realloc, polyfold:plugin/upcaster@0.0.9#describe, polyfold:plugin/upcaster@0.0.9#upcast; polyfold:plugin/upcaster@0.0.9#describe is of an ABI that this host does not speak: build against 0.1.0"
        ],
    );
    check(
        &module(r#"(import "env" "abort" (func (param i32 i32 i32 i32)))"#),
        expect_test::expect![
            "it imports what this host does not offer: env.abort (AssemblyScript's runtime: build with `--use abort=` or with an own `abort`)"
        ],
    );
    check(
        &module(r#"(import "wasi_unstable" "fd_write" (func))"#),
        expect_test::expect![
            "it imports what this host does not offer: wasi_unstable.fd_write (an old WASI: build with a newer compiler, for wasm32-wasip1 or wasm32-wasip2)"
        ],
    );
    check(
        &module(r#"(import "polyfold:plugin/state@0.1.0" "get" (func))"#),
        expect_test::expect![
            "it imports what this host does not offer: polyfold:plugin/state@0.1.0 (an upcaster has no state and no context: its answer follows from the event alone)"
        ],
    );
    check(
        &module(r#"(import "wasi_snapshot_preview1" "fly" (func))"#),
        expect_test::expect![
            "it is a core WebAssembly module that makes no component: failed to validate the imports of the adapter module `wasi_snapshot_preview1`: adapter module did not export `fly`"
        ],
    );
    check(
        &module("").replace("(param i32 i32) (result i32)", "(param i64)"),
        expect_test::expect![
            "it is a core WebAssembly module that makes no component: failed to classify export `polyfold:plugin/upcaster@0.1.0#upcast`: failed to validate export for `polyfold:plugin/upcaster@0.1.0`: type mismatch for function `upcast`: expected `[I32, I32] -> [I32]` but found `[I64] -> []`"
        ],
    );
    check(
        &module("").replace("#upcast", "#upkast"),
        expect_test::expect![
            "it is a core WebAssembly module that makes no component: failed to find export of interface `polyfold:plugin/upcaster@0.1.0` function `upcast`"
        ],
    );
}

#[test]
fn a_damaged_core_module_is_an_answer_and_no_panic() {
    let module = wat::parse_str(module("")).unwrap();
    for end in 8..module.len() {
        assert!(!refusal(&module[..end]).is_empty());
    }
}

/// Reading another's types could end anywhere: deep ones overflow the stack of who decodes them.
#[test]
fn the_component_type_that_a_module_carries_is_not_read() {
    let module = wat::parse_str(module("")).unwrap();
    let mut typed = module.clone();
    typed.extend(b"\0\x13\x0ecomponent-typejunk");
    assert_eq!(component_of(&typed).unwrap(), component_of(&module).unwrap());
}
