//! Plugins that are small to send and large to compile: functions, types and components by the thousand.

use std::fmt::Write as _;

use expect_test::expect;

use super::binary::section;
use super::case::{Case, made, wat};
use super::run::check;
use super::wat::{HONEST, PROJECTION, component, projection};

pub(super) fn cases() -> Vec<Case> {
    vec![
        made(
            "has_100_000_functions",
            || functions(100_000),
            expect![[r#"
            refused: 422: it is too much to compile: it has 100003 functions, at most 50000 are compiled
        "#]],
        ),
        made(
            "has_a_huge_function",
            || one_function(&constants(1_200_000)),
            expect![[r#"
            refused: 422: it is too much to compile: a function of it has 1199985 bytes, at most 1048576 are compiled
        "#]],
        ),
        made(
            "nests_loops_around_locals",
            || one_function(&loops_around_locals(1_000, 2_000)),
            expect![[r#"
            refused: 422: it is too much to compile: loops in a function of it are nested 1000 deep, at most 64 are compiled
        "#]],
        ),
        made(
            "branches_to_a_table_of_places",
            || one_function(&branches(2_000, 1_000)),
            expect![[r#"
            refused: 422: it is too much to compile: in a function of it places and variables meet 6033015 times, at most 2000000 are compiled
        "#]],
        ),
        wat(
            "nests_types_deeply",
            deep_types,
            expect![[r#"
            refused: 422: it does not compile or link: failed to parse WebAssembly module: type nesting is too deep (at offset 0xf7)
        "#]],
        ),
        made(
            "nests_components_deeply",
            deep_components,
            expect![[r#"
                refused: 422: it is too much to compile: its components are nested 101 deep, at most 100 are compiled
            "#]],
        ),
        wat(
            "doubles_its_instances_at_each_level",
            doubling,
            expect![[r#"
            refused: 422: it is too much to compile: it makes more than 1000 instances of what is in it
        "#]],
        ),
    ]
}

/// An honest projection with these functions beside its own.
fn with(top: &str) -> Vec<u8> {
    let text = projection(&HONEST).replacen("(memory", &format!("{top} (memory"), 1);
    wat::parse_str(text).unwrap()
}

fn functions(count: usize) -> Vec<u8> {
    with(&"(func)".repeat(count))
}

fn one_function(body: &str) -> Vec<u8> {
    with(&format!("(func (param i32) {body})"))
}

/// Constants of 16 bytes, which nobody wants.
fn constants(bytes: usize) -> String {
    "v128.const i64x2 0 0 drop ".repeat(bytes / 19)
}

/// Each loop is a place to which each local may come with another value.
fn loops_around_locals(loops: usize, locals: usize) -> String {
    let mut body = format!("(local {})", "i32 ".repeat(locals));
    body += &"loop ".repeat(loops);
    for local in 1..=locals {
        write!(body, "local.get {local} i32.const 1 i32.add local.set {local} ").unwrap();
    }
    body += &"local.get 0 br_if 0 end ".repeat(loops);
    body
}

/// A table of branches back to one loop, which changes many locals.
fn branches(places: usize, locals: usize) -> String {
    let mut body = format!("(local {}) loop ", "i32 ".repeat(locals));
    for local in 1..=locals {
        write!(body, "local.get {local} i32.const 1 i32.add local.set {local} ").unwrap();
    }
    write!(body, "local.get 0 br_table {} end", "0 ".repeat(places)).unwrap();
    body
}

/// A list of lists of lists.
fn deep_types() -> String {
    let mut parts = "(type $t0 (list u8))".to_owned();
    for depth in 1..20_000 {
        write!(parts, "(type $t{depth} (list $t{}))", depth - 1).unwrap();
    }
    component(&[PROJECTION], &parts)
}

fn deep_components() -> Vec<u8> {
    const COMPONENT: u8 = 4;
    let header = b"\0asm\x0d\0\x01\0";
    let nest = |inner: Vec<u8>| [header.to_vec(), section(COMPONENT, &inner)].concat();
    let deep = (0..2_000).fold(header.to_vec(), |inner, _| nest(inner));
    let mut bytes = wat::parse_str(component(&[PROJECTION], "")).unwrap();
    bytes.extend(section(COMPONENT, &deep));
    bytes
}

/// Thirty levels, each of which makes two of the one below: a thousand million.
fn doubling() -> String {
    let mut parts = "(component $l0 (core module $m) (core instance (instantiate $m)))".to_owned();
    for level in 1..=30 {
        let below = level - 1;
        parts = format!(
            "(component $l{level} {parts} (instance (instantiate $l{below})) (instance (instantiate $l{below})))"
        );
    }
    component(&[PROJECTION], &format!("{parts} (instance (instantiate $l30))"))
}

#[test]
fn what_is_large_to_compile_is_refused_before_it_is() {
    check(cases());
}
