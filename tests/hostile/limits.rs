//! Plugins at the limits of what a state takes, and one beyond.

use expect_test::expect;

use super::case::{Case, guest, wat};
use super::run::check;
use super::wat::{HONEST, Parts, projection};

pub(super) fn cases() -> Vec<Case> {
    vec![
        guest("writes_up_to_the_limits", expect![[""]]),
        guest("writes_too_long_key", expect![[""]]),
        guest("writes_an_empty_key", expect![[""]]),
        guest("writes_too_large_value", expect![[""]]),
        guest("writes_too_much_at_once", expect![[""]]),
        guest("logs_a_lot", expect![[""]]),
        guest("traps_after_writing", expect![[""]]),
        wat("writes_a_key_that_is_no_text", no_text, expect![[""]]),
    ]
}

/// What hangs on the price of a call.
pub(super) fn priced() -> Vec<Case> {
    vec![guest("writes_a_million_keys", expect![[""]])]
}

/// `ab\xff`.
fn no_text() -> String {
    let top = r#"
        (import "polyfold:plugin/state@0.1.0" "put" (func $put (param i32 i32 i32 i32)))
        (data (i32.const 512) "ab\ff")"#;
    let apply = "
        (call $put (i32.const 512) (i32.const 2) (i32.const 512) (i32.const 3))
        (call $put (i32.const 512) (i32.const 3) (i32.const 512) (i32.const 3))
        (i32.const 32)";
    projection(&Parts { top, apply, ..HONEST })
}

#[test]
fn what_is_too_much_for_a_state_is_named() {
    check(cases());
}

#[test]
fn a_million_keys_are_paid_for() {
    check(priced());
}
