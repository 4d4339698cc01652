//! Plugins that take memory: by pages, at once, in tables, by the number of their instances, and down the stack.

use expect_test::expect;

use super::binary::with_instances;
use super::case::{Case, guest, made, wat};
use super::run::check;
use super::wat::{HONEST, Parts, projection};

pub(super) fn cases() -> Vec<Case> {
    vec![
        guest("eats_memory", expect![[""]]),
        guest("takes_memory_by_pages", expect![[""]]),
        guest("takes_memory_at_once", expect![[""]]),
        guest("fills_memory", expect![[""]]),
        wat("begins_with_too_much_memory", begins_with_too_much, expect![[""]]),
        made("takes_memory_by_instances", by_instances, expect![[""]]),
        made("has_too_many_memories", too_many_memories, expect![[""]]),
        made("has_too_many_instances", too_many_instances, expect![[""]]),
        wat("grows_a_table", grows_a_table, expect![[""]]),
        wat("begins_with_a_huge_table", huge_table, expect![[""]]),
        guest("overflows_stack", expect![[""]]),
        guest("leaks_resources", expect![[""]]),
    ]
}

/// 257 MiB.
fn begins_with_too_much() -> String {
    projection(&Parts { pages: 4_112, ..HONEST })
}

/// 17 memories of 16 MiB.
fn by_instances() -> Vec<u8> {
    with_instances("(module (memory 256))", 17)
}

/// Each reserves 4 GiB of addresses.
fn too_many_memories() -> Vec<u8> {
    with_instances("(module (memory 0))", 80)
}

fn too_many_instances() -> Vec<u8> {
    with_instances("(module)", 300)
}

fn grows_a_table() -> String {
    let top = "(table $t 1 funcref)";
    let apply = "
        (loop (br_if 0 (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
        (unreachable)";
    projection(&Parts { top, apply, ..HONEST })
}

fn huge_table() -> String {
    projection(&Parts { top: "(table 300000 funcref)", ..HONEST })
}

#[test]
fn what_takes_memory_gets_so_much_and_no_more() {
    check(cases());
}
