//! Plugins at the limits of what a state takes, and one beyond.

use expect_test::expect;

use super::case::{Case, guest, wat};
use super::run::check;
use super::wat::{HONEST, Parts, projection};

pub(super) fn cases() -> Vec<Case> {
    vec![
        guest("writes_up_to_the_limits", expect![[r#"
            live at 2006 of 2006
            type/order.other = 2000
            type/order.paid = 2
            type/order.placed = 4
        "#]]),
        guest("writes_too_long_key", expect![[r#"
            halted at 3 of 2006: at sequence 4 (order.placed): limit: key "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"… has 1,025 bytes, at most 1,024 are allowed
            type/order.paid = 1
            type/order.placed = 2
            fault at 4: limit: "key \"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\"… has 1,025 bytes, at most 1,024 are allowed"
        "#]]),
        guest("writes_an_empty_key", expect![[r#"
            halted at 3 of 2006: at sequence 4 (order.placed): limit: a key is empty, it must have at least 1 byte
            type/order.paid = 1
            type/order.placed = 2
            fault at 4: limit: "a key is empty, it must have at least 1 byte"
        "#]]),
        guest("writes_too_large_value", expect![[r#"
            halted at 3 of 2006: at sequence 4 (order.placed): limit: the value of key "large" has 1,048,577 bytes, at most 1,048,576 are allowed
            type/order.paid = 1
            type/order.placed = 2
            fault at 4: limit: "the value of key \"large\" has 1,048,577 bytes, at most 1,048,576 are allowed"
        "#]]),
        guest("writes_too_much_at_once", expect![[r#"
            halted at 3 of 2006: at sequence 4 (order.placed): limit: all changes of one call have 134,218,368 bytes, at most 134,217,728 are allowed
            type/order.paid = 1
            type/order.placed = 2
            fault at 4: limit: "all changes of one call have 134,218,368 bytes, at most 134,217,728 are allowed"
        "#]]).with_all_fuel(),
        guest("logs_a_lot", expect![[r#"
            live at 2006 of 2006
            type/order.other = 2000
            type/order.paid = 2
            type/order.placed = 4
        "#]]),
        guest("traps_after_writing", expect![[r#"
            halted at 3 of 2006: at sequence 4 (order.placed): trap: it trapped: wasm `unreachable` instruction executed
            type/order.paid = 1
            type/order.placed = 2
            fault at 4: trap: "it trapped: wasm `unreachable` instruction executed"
        "#]]),
        wat("writes_a_key_that_is_no_text", no_text, expect![[r#"
            halted at 0 of 2006: at sequence 1 (order.placed): trap: it trapped: invalid utf-8 sequence of 1 bytes from index 2
            fault at 1: trap: "it trapped: invalid utf-8 sequence of 1 bytes from index 2"
        "#]]),
    ]
}

/// What hangs on the price of a call.
pub(super) fn priced() -> Vec<Case> {
    vec![guest(
        "writes_a_million_keys",
        expect![[r#"
        halted at 3 of 2006: at sequence 4 (order.placed): out-of-fuel: it used up its fuel of 50000000
        type/order.paid = 1
        type/order.placed = 2
        fault at 4: out-of-fuel: "it used up its fuel of 50000000"
    "#]],
    )]
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
