//! Plugins that claim to be what they are not, and files that are no plugins.

use expect_test::expect;

use super::binary::of_size;
use super::case::{Case, guest, made, wat};
use super::run::check;
use super::wat::{HONEST, PROJECTION, component, projection};
use crate::program::Environment;

const PLUGIN_BYTES_MAX: usize = 64 << 20;

pub(super) fn cases() -> Vec<Case> {
    vec![
        guest("claims_another_name", expect![[""]]),
        wat(
            "claims_a_name_that_is_none",
            || projection(&super::wat::Parts { name: "../../log.redb", ..HONEST }),
            expect![[""]],
        ),
        guest("paints_the_terminal", expect![[""]]),
        wat("claims_an_abi_that_it_does_not_keep", || component(&[PROJECTION], ""), expect![[""]]),
        wat("claims_types_that_are_not_the_abis", other_types, expect![[""]]),
        wat(
            "is_built_for_an_abi_that_does_not_exist",
            || component(&["polyfold:plugin/projection@9.0.0"], ""),
            expect![[""]],
        ),
        wat("is_two_plugins", || component(&[PROJECTION, "polyfold:plugin/upcaster@0.1.0"], ""), expect![[""]]),
        wat("is_a_core_module_that_says_nothing", || "(module)".to_owned(), expect![[""]]),
        wat(
            "is_a_program",
            || r#"(module (memory (export "memory") 1) (func (export "_start")))"#.to_owned(),
            expect![[""]],
        ),
        made("has_64_mib", || of_size(PLUGIN_BYTES_MAX), expect![[""]]),
        made("has_a_byte_more_than_64_mib", || of_size(PLUGIN_BYTES_MAX + 1), expect![[""]]),
        made("has_names_without_end", names_without_end, expect![[""]]),
    ]
}

/// `apply` takes a number.
fn other_types() -> String {
    format!(
        r#"(component
            (core module $m (func (export "f") (param i32)))
            (core instance $i (instantiate $m))
            (func $f (param "events" u32) (canon lift (core func $i "f")))
            (component $c
                (import "f" (func $f (param "events" u32)))
                (export "describe" (func $f))
                (export "apply" (func $f)))
            (instance $plugin (instantiate $c (with "f" (func $f))))
            (export "{PROJECTION}" (instance $plugin)))"#
    )
}

/// 20,000 exports of 100 bytes, none of which is known.
fn names_without_end() -> Vec<u8> {
    let name = |number: usize| format!("a{number:05}{}", "-b".repeat(47));
    let names: Vec<String> = (0..20_000).map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    wat::parse_str(component(&names, "")).unwrap()
}

#[test]
fn what_claims_to_be_what_it_is_not_gets_nothing_by_it() {
    check(cases());
}

/// A projection stays with the plugin that it was made with, whatever else has its name.
#[test]
fn a_name_that_is_taken_leads_nobody_to_another_plugin() {
    let environment = Environment::new();
    environment.install(&["event-counts"]);
    environment.ok(&["append", "order/1", "order.placed"]);
    environment.ok(&["projection", "create", "counts", "--plugin", "event-counts"]);
    let honest = environment.ok(&["projection", "get", "counts", "type/order.placed"]);
    environment.install(&["claims_another_name"]);
    environment.ok(&["projection", "rebuild", "counts"]);
    assert_eq!(environment.ok(&["projection", "get", "counts", "type/order.placed"]), honest);
    assert!(environment.ok(&["projection", "verify", "counts"]).contains("is sound"));
}

/// What a plugin says reaches a terminal as text alone.
#[test]
fn no_plugin_speaks_to_the_terminal() {
    let environment = Environment::new();
    environment.install(&["paints_the_terminal"]);
    environment.ok(&["append", "order/1", "order.placed", "{\"bad\":true}"]);
    let name = "paints-the-terminal";
    for arguments in [
        &["plugin", "list"][..],
        &["plugin", "inspect", name],
        &["projection", "create", name],
        &["projection", "list"],
        &["projection", "status", name],
        &["projection", "faults", name],
    ] {
        let output = environment.output(arguments, "");
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("all is well") || said.contains(name), "{arguments:?}: {said}");
        let control = said.chars().find(|c| c.is_control() && *c != '\n' && *c != '\t');
        assert_eq!(control, None, "{arguments:?}: {said:?}");
    }
}
