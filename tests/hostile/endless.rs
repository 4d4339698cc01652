//! Plugins that never come back, and those that let the host work without end.

use expect_test::expect;

use super::case::{Case, guest, wat};
use super::run::check;
use super::wat::{HONEST, Parts, projection};

pub(super) fn cases() -> Vec<Case> {
    vec![
        guest(
            "loops_in_apply",
            expect![[r#"
                halted at 3 of 2006: at sequence 4 (order.placed): out-of-fuel: it used up its fuel of 50000000
                type/order.paid = 1
                type/order.placed = 2
                fault at 4: out-of-fuel: "it used up its fuel of 50000000"
            "#]],
        ),
        guest(
            "loops_in_describe",
            expect![[r#"
                refused: 422: the plugin cannot describe itself: it ran longer than 10 seconds
            "#]],
        ),
        wat(
            "loops_in_start_code",
            in_start_code,
            expect![[r#"
                refused: 422: the plugin cannot describe itself: it ran longer than 10 seconds
            "#]],
        ),
        wat(
            "loops_behind_its_answer",
            behind_its_answer,
            expect![[r#"
                halted at 0 of 2006: at sequence 1 (order.placed): out-of-fuel: it used up its fuel of 50000000
                fault at 1: out-of-fuel: "it used up its fuel of 50000000"
            "#]],
        ),
        wat(
            "loops_where_memory_is_asked",
            where_memory_is_asked,
            expect![[r#"
                halted at 0 of 2006: at sequence 1 (order.placed): out-of-fuel: it used up its fuel of 50000000
                fault at 1: out-of-fuel: "it used up its fuel of 50000000"
            "#]],
        ),
        guest(
            "sleeps_for_a_century",
            expect![[r#"
            live at 2006 of 2006
            type/order.other = 2000
            type/order.paid = 2
            type/order.placed = 4
        "#]],
        ),
    ]
}

/// Those that leave all their work to the host: each call has its price.
pub(super) fn priced() -> Vec<Case> {
    vec![
        guest(
            "calls_without_end",
            expect![[r#"
                halted at 3 of 2006: at sequence 4 (order.placed): out-of-fuel: it used up its fuel of 50000000
                type/order.paid = 1
                type/order.placed = 2
                fault at 4: out-of-fuel: "it used up its fuel of 50000000"
            "#]],
        ),
        guest(
            "scans_without_end",
            expect![[r#"
                halted at 3 of 2006: at sequence 4 (order.placed): out-of-fuel: it used up its fuel of 50000000
                type/order.paid = 1
                type/order.placed = 2
                fault at 4: out-of-fuel: "it used up its fuel of 50000000"
            "#]],
        ),
        guest(
            "logs_without_end",
            expect![[r#"
                halted at 3 of 2006: at sequence 4 (order.placed): out-of-fuel: it used up its fuel of 50000000
                type/order.paid = 1
                type/order.placed = 2
                fault at 4: out-of-fuel: "it used up its fuel of 50000000"
            "#]],
        ),
        guest(
            "prints_without_end",
            expect![[r#"
                halted at 3 of 2006: at sequence 4 (order.placed): out-of-fuel: it used up its fuel of 50000000
                type/order.paid = 1
                type/order.placed = 2
                fault at 4: out-of-fuel: "it used up its fuel of 50000000"
            "#]],
        ),
        guest(
            "reads_the_clock_without_end",
            expect![[r#"
                halted at 3 of 2006: at sequence 4 (order.placed): out-of-fuel: it used up its fuel of 50000000
                type/order.paid = 1
                type/order.placed = 2
                fault at 4: out-of-fuel: "it used up its fuel of 50000000"
            "#]],
        ),
    ]
}

fn in_start_code() -> String {
    projection(&Parts { top: "(func $start (loop (br 0))) (start $start)", ..HONEST })
}

/// What the host calls when it has read the answer, so that the plugin may free it.
fn behind_its_answer() -> String {
    let top = r#"(func (export "cabi_post_polyfold:plugin/projection@0.1.0#apply") (param i32) (loop (br 0)))"#;
    projection(&Parts { top, ..HONEST })
}

/// What the host calls for room for the events.
fn where_memory_is_asked() -> String {
    projection(&Parts { realloc: "(loop (br 0)) (unreachable)", ..HONEST })
}

#[test]
fn what_does_not_end_is_ended() {
    check(cases());
}

#[test]
fn what_lets_the_host_work_without_end_pays_for_it() {
    check(priced());
}
