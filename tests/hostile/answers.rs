//! Plugins that lie where host and plugin hand each other texts and lists.

use expect_test::expect;

use super::case::{Case, guest, wat};
use super::run::check;
use super::wat::{HONEST, Parts, projection};

pub(super) fn cases() -> Vec<Case> {
    vec![
        wat(
            "says_a_list_is_longer_than_its_memory",
            longer_than_memory,
            expect![[r#"
            halted at 0 of 2006: at sequence 1 (order.placed): trap: it trapped: list pointer/length out of bounds of memory
            fault at 1: trap: "it trapped: list pointer/length out of bounds of memory"
        "#]],
        ),
        wat(
            "says_a_text_lies_outside_of_its_memory",
            outside_of_memory,
            expect![[r#"
            halted at 0 of 2006: at sequence 1 (order.placed): trap: it trapped: list pointer/length out of bounds of memory
            fault at 1: trap: "it trapped: list pointer/length out of bounds of memory"
        "#]],
        ),
        wat(
            "repeats_one_value_in_a_list",
            repeats_one_value,
            expect![[r#"
            halted at 0 of 2006: at sequence 1 (order.placed): trap: it trapped: too much data is being copied between the host and the guest: fuel allocated for hostcalls has been exhausted
            fault at 1: trap: "it trapped: too much data is being copied between the host and the guest: fuel allocated for hostcalls has been exhausted"
        "#]],
        ),
        wat(
            "asks_for_one_key_many_times",
            asks_many_times,
            expect![[r#"
            halted at 0 of 2006: at sequence 1 (order.placed): out-of-fuel: it used up its fuel of 50000000
            fault at 1: out-of-fuel: "it used up its fuel of 50000000"
        "#]],
        ),
        wat(
            "answers_with_a_text_without_end",
            text_without_end,
            expect![[r#"
            halted at 0 of 2006: at sequence 1 (order.placed): trap: it trapped: string pointer/length out of bounds of memory
            fault at 1: trap: "it trapped: string pointer/length out of bounds of memory"
        "#]],
        ),
        wat(
            "answers_with_what_is_no_answer",
            no_answer,
            expect![[r#"
            halted at 0 of 2006: at sequence 1 (order.placed): trap: it trapped: invalid expected discriminant
            fault at 1: trap: "it trapped: invalid expected discriminant"
        "#]],
        ),
        wat(
            "gives_room_that_it_does_not_have",
            no_room,
            expect![[r#"
            halted at 0 of 2006: at sequence 1 (order.placed): trap: it trapped: realloc return: beyond end of memory
            fault at 1: trap: "it trapped: realloc return: beyond end of memory"
        "#]],
        ),
        wat(
            "gives_room_in_the_same_place",
            same_place,
            expect![[r#"
            live at 2006 of 2006
        "#]],
        ),
        wat(
            "calls_the_host_while_it_gives_room",
            calls_while_asked,
            expect![[r#"
            halted at 0 of 2006: at sequence 1 (order.placed): trap: it trapped: cannot leave component instance
            fault at 1: trap: "it trapped: cannot leave component instance"
        "#]],
        ),
        guest(
            "returns_error",
            expect![[r#"
            halted at 3 of 2006: at sequence 4 (order.placed): error: it says: order.placed, schema version 1: the payload says that it is bad
            type/order.paid = 1
            type/order.placed = 2
            fault at 4: error: "it says: order.placed, schema version 1: the payload says that it is bad"
        "#]],
        ),
        guest(
            "exits",
            expect![[r#"
            halted at 3 of 2006: at sequence 4 (order.placed): trap: it trapped: it called exit with success, a plugin must return
            type/order.paid = 1
            type/order.placed = 2
            fault at 4: trap: "it trapped: it called exit with success, a plugin must return"
        "#]],
        ),
    ]
}

const STATE: &str = r#"
    (import "polyfold:plugin/state@0.1.0" "put" (func $put (param i32 i32 i32 i32)))
    (import "polyfold:plugin/state@0.1.0" "write" (func $write (param i32 i32)))
    (import "polyfold:plugin/state@0.1.0" "get-many" (func $get_many (param i32 i32 i32)))
    (data (i32.const 512) "key")"#;

/// Four thousand million changes.
fn longer_than_memory() -> String {
    projection(&Parts { top: STATE, apply: "(call $write (i32.const 1024) (i32.const -1)) (i32.const 32)", ..HONEST })
}

fn outside_of_memory() -> String {
    let apply = "(call $put (i32.const 512) (i32.const 3) (i32.const -16) (i32.const 1024)) (i32.const 32)";
    projection(&Parts { top: STATE, apply, ..HONEST })
}

/// 100,000 changes, all with the same MiB as their value: 95 GiB, if the host copied them.
fn repeats_one_value() -> String {
    let apply = "
        (local $at i32)
        (local.set $at (i32.const 1048576))
        (loop
            (i32.store (local.get $at) (i32.const 512))
            (i32.store offset=4 (local.get $at) (i32.const 3))
            (i32.store offset=8 (local.get $at) (i32.const 1))
            (i32.store offset=12 (local.get $at) (i32.const 0))
            (i32.store offset=16 (local.get $at) (i32.const 1048576))
            (local.set $at (i32.add (local.get $at) (i32.const 20)))
            (br_if 0 (i32.lt_u (local.get $at) (i32.const 3048576))))
        (call $write (i32.const 1048576) (i32.const 100000))
        (i32.const 32)";
    projection(&Parts { top: STATE, apply, ..HONEST })
}

/// Puts a MiB, and asks for it 100,000 times in one call.
fn asks_many_times() -> String {
    let apply = "
        (local $at i32)
        (call $put (i32.const 512) (i32.const 3) (i32.const 1048576) (i32.const 1048576))
        (local.set $at (i32.const 1048576))
        (loop
            (i32.store (local.get $at) (i32.const 512))
            (i32.store offset=4 (local.get $at) (i32.const 3))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if 0 (i32.lt_u (local.get $at) (i32.const 1848576))))
        (call $get_many (i32.const 1048576) (i32.const 100000) (i32.const 1024))
        (i32.const 32)";
    projection(&Parts { top: STATE, apply, ..HONEST })
}

/// An error whose message has four thousand million bytes.
fn text_without_end() -> String {
    let apply = "
        (i32.store8 (i32.const 32) (i32.const 1))
        (i32.store (i32.const 36) (i32.const 512))
        (i32.store (i32.const 40) (i32.const -1))
        (i32.const 32)";
    projection(&Parts { apply, ..HONEST })
}

/// Neither a result nor an error.
fn no_answer() -> String {
    projection(&Parts { apply: "(i32.store8 (i32.const 32) (i32.const 7)) (i32.const 32)", ..HONEST })
}

fn no_room() -> String {
    projection(&Parts { realloc: "(i32.const -8)", ..HONEST })
}

/// All events lie over each other; what it reads of them is its own affair.
fn same_place() -> String {
    projection(&Parts { realloc: "(i32.const 65536)", ..HONEST })
}

fn calls_while_asked() -> String {
    let realloc = "
        (call $put (i32.const 512) (i32.const 3) (i32.const 512) (i32.const 3))
        (i32.const 65536)";
    projection(&Parts { top: STATE, realloc, ..HONEST })
}

#[test]
fn what_lies_about_its_memory_traps() {
    check(cases());
}
