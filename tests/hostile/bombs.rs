//! Plugins that are small to send and large to compile: functions, types and components by the thousand.

use std::fmt::Write as _;

use expect_test::expect;

use super::case::{Case, made, wat};
use super::run::check;
use super::wat::{HONEST, PROJECTION, component, projection};

pub(super) fn cases() -> Vec<Case> {
    vec![
        made("has_100_000_functions", || functions(100_000), expect![[""]]),
        made("has_too_many_functions", || functions(300_000), expect![[""]]),
        made("has_a_function_of_4_mib", || one_function(&nops(4 << 20)), expect![[""]]),
        made("nests_loops_around_locals", || one_function(&loops_around_locals(5_000, 5_000)), expect![[""]]),
        made("branches_to_a_table_of_places", || one_function(&branches(100_000, 1_000)), expect![[""]]),
        wat("nests_types_deeply", deep_types, expect![[""]]),
        wat("nests_components_deeply", deep_components, expect![[""]]),
        wat("doubles_its_instances_at_each_level", doubling, expect![[""]]),
    ]
}

/// An honest projection with these functions beside its own.
fn with(top: &str) -> Vec<u8> {
    let text = projection(&HONEST).replacen("(memory", &format!("{top} (memory"), 1);
    wat::parse_str(text).unwrap()
}

fn functions(count: usize) -> Vec<u8> {
    with(&"(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))".repeat(count))
}

fn one_function(body: &str) -> Vec<u8> {
    with(&format!("(func (param i32) {body})"))
}

fn nops(bytes: usize) -> String {
    "(drop (i32.const 1))".repeat(bytes / 3)
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

fn deep_components() -> String {
    let depth = 20_000;
    component(&[PROJECTION], &format!("{}{}", "(component ".repeat(depth), ")".repeat(depth)))
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
