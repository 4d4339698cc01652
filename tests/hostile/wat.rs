//! Projections written by hand: core modules that keep to the canonical ABI where they have to, and nowhere else.

use std::fmt::Write as _;

/// The parts in which a hand-written projection differs from an honest one.
pub(crate) struct Parts {
    /// What it calls itself.
    pub(crate) name: &'static str,
    /// Imports and anything else that stands at the module's top.
    pub(crate) top: &'static str,
    /// The body of `apply`: the events are 0 and 1, what it leaves is where its answer lies. There are zeros at 32, which
    /// say that all went well.
    pub(crate) apply: &'static str,
    /// The body of what the host calls for memory: 3 is the size; what it leaves is the address.
    pub(crate) realloc: &'static str,
    /// Pages of memory.
    pub(crate) pages: u32,
}

/// Hands out memory from the second page on, and never takes it back.
pub(crate) const BUMP: &str = "
    (global.set $top (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (global.get $top) (local.get 3)))
    (i32.sub (global.get $top) (local.get 3))";

/// One that does nothing.
pub(crate) const HONEST: Parts = Parts { name: "by-hand", top: "", apply: "(i32.const 32)", realloc: BUMP, pages: 64 };

/// The module's text.
pub(crate) fn projection(parts: &Parts) -> String {
    let Parts { name, top, apply, realloc, pages } = parts;
    let manifest = manifest(name);
    format!(
        r#"(module
            {top}
            (memory (export "memory") {pages})
            (global $top (mut i32) (i32.const 65536))
            (data (i32.const 64) "{manifest}")
            (data (i32.const 256) "{name}")
            (data (i32.const 384) "0.1.0")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
            (func (export "polyfold:plugin/projection@0.1.0#describe") (result i32) (i32.const 64))
            (func (export "polyfold:plugin/projection@0.1.0#apply") (param i32 i32) (result i32) {apply}))"#
    )
}

/// The manifest's record as bytes of a data segment: name, version, description, no types, no categories, CBOR, text, no views.
fn manifest(name: &str) -> String {
    let length = u32::try_from(name.len()).unwrap();
    let text_state = 2 << 8;
    let words = [256, length, 384, 5, 256, length, 0, 0, 0, 0, text_state, 0, 0];
    words.iter().flat_map(|word: &u32| word.to_le_bytes()).fold(String::new(), |mut text, byte| {
        write!(text, "\\{byte:02x}").unwrap();
        text
    })
}

/// A component with an empty instance under each of these names, behind these parts.
pub(crate) fn component(exports: &[&str], parts: &str) -> String {
    let exports: String = exports.iter().map(|name| format!("(export \"{name}\" (instance $empty))")).collect();
    format!("(component {parts} (component $c) (instance $empty (instantiate $c)) {exports})")
}

pub(crate) const PROJECTION: &str = "polyfold:plugin/projection@0.1.0";
