//! Plugins that take memory: by pages, at once, in tables, by the number of their instances, and down the stack.

use expect_test::expect;

use super::binary::with_instances;
use super::case::{Case, guest, made, wat};
use super::run::check;
use super::wat::{HONEST, Parts, projection};

pub(super) fn cases() -> Vec<Case> {
    vec![
        guest("eats_memory", expect![[r#"
            halted at 3 of 2006: at sequence 4 (order.placed): out-of-memory: it needs more than its 268435456 bytes of memory
            type/order.paid = 1
            type/order.placed = 2
            fault at 4: out-of-memory: "it needs more than its 268435456 bytes of memory"
        "#]]),
        guest("takes_memory_by_pages", expect![[r#"
            halted at 3 of 2006: at sequence 4 (order.placed): out-of-memory: it needs more than its 268435456 bytes of memory
            type/order.paid = 1
            type/order.placed = 2
            fault at 4: out-of-memory: "it needs more than its 268435456 bytes of memory"
        "#]]),
        guest("takes_memory_at_once", expect![[r#"
            halted at 3 of 2006: at sequence 4 (order.placed): out-of-memory: it needs more than its 268435456 bytes of memory
            type/order.paid = 1
            type/order.placed = 2
            fault at 4: out-of-memory: "it needs more than its 268435456 bytes of memory"
        "#]]),
        guest("fills_memory", expect![[r#"
            halted at 3 of 2006: at sequence 4 (order.placed): out-of-memory: it needs more than its 268435456 bytes of memory
            type/order.paid = 1
            type/order.placed = 2
            fault at 4: out-of-memory: "it needs more than its 268435456 bytes of memory"
        "#]]).with_all_fuel(),
        wat("begins_with_too_much_memory", begins_with_too_much, expect![[r#"
            refused: 422: the plugin cannot describe itself: it needs more than its 268435456 bytes of memory
        "#]]),
        made("takes_memory_by_instances", by_instances, expect![[r#"
            refused: 422: the plugin cannot describe itself: it needs more than its 268435456 bytes of memory
        "#]]),
        made("has_too_many_memories", too_many_memories, expect![[r#"
            refused: 422: the plugin cannot describe itself: the host failed: cannot make an instance: resource limit exceeded: memory count too high at 65
        "#]]),
        made("has_too_many_instances", too_many_instances, expect![[r#"
            refused: 422: the plugin cannot describe itself: the host failed: cannot make an instance: resource limit exceeded: instance count too high at 257
        "#]]),
        wat("grows_a_table", grows_a_table, expect![[r#"
            halted at 0 of 2006: at sequence 1 (order.placed): out-of-memory: it needs more than its 268435456 bytes of memory
            fault at 1: out-of-memory: "it needs more than its 268435456 bytes of memory"
        "#]]),
        wat("begins_with_a_huge_table", huge_table, expect![[r#"
            refused: 422: the plugin cannot describe itself: it needs more than its 268435456 bytes of memory
        "#]]),
        guest("overflows_stack", expect![[r#"
            paused at 3 of 2006: it recursed too deeply: the call stack is exhausted
            type/order.paid = 1
            type/order.placed = 2
        "#]]),
        guest("leaks_resources", expect![[r#"
            halted at 3 of 2006: at sequence 4 (order.placed): trap: it trapped: resource table has no free keys
            type/order.paid = 1
            type/order.placed = 2
            fault at 4: trap: "it trapped: resource table has no free keys"
        "#]]),
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
