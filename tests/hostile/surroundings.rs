//! Plugins that reach for the machine around them.

use expect_test::expect;

use super::case::{Case, guest, wat};
use super::run::check;
use super::wat::{HONEST, PROJECTION, Parts, component, projection};

pub(super) fn cases() -> Vec<Case> {
    vec![
        guest(
            "asks_the_system",
            expect![[r#"
            live at 2006 of 2006
            asked/arguments = "0"
            asked/connect = "permission denied"
            asked/environment = "0"
            asked/input = "0"
            asked/list files = "entity not found"
            asked/listen = "permission denied"
            asked/look a name up = "uncategorized error"
            asked/read a file = "entity not found"
            asked/seconds since 1970 = "0"
            asked/send = "permission denied"
            asked/thread = "unsupported"
            asked/working directory = "yes"
            asked/write a file = "entity not found"
            type/order.other = 2000
            type/order.paid = 2
            type/order.placed = 4
        "#]],
        ),
        guest(
            "imports_refused",
            expect![[r#"
            refused: 422: it imports what this host does not offer: test:outside/network@0.1.0 (not known here: satisfy it inside the component, with `wac plug` or `wasm-tools compose`)
        "#]],
        ),
        wat(
            "imports_http",
            || importing("wasi:http/outgoing-handler@0.2.0"),
            expect![[r#"
            refused: 422: it imports what this host does not offer: wasi:http/outgoing-handler@0.2.0 (plugins have no network: for JavaScript rebuild with `--disable http fetch-event`)
        "#]],
        ),
        wat(
            "imports_a_later_wasi",
            || importing("wasi:filesystem/types@0.3.0"),
            expect![[r#"
            refused: 422: it imports what this host does not offer: wasi:filesystem/types@0.3.0 (this host offers WASI 0.2: build for wasm32-wasip2)
        "#]],
        ),
        wat(
            "imports_keys_and_values",
            || importing("wasi:keyvalue/store@0.2.0"),
            expect![[r#"
            refused: 422: it imports what this host does not offer: wasi:keyvalue/store@0.2.0 (not offered: leave out what needs it, or build for plain WASI 0.2)
        "#]],
        ),
        wat(
            "imports_a_function",
            || component(&[PROJECTION], "(import \"now\" (func))"),
            expect![[r#"
            refused: 422: it imports what this host does not offer: now (only whole interfaces can be imported: build against the WIT of polyfold:plugin alone)
        "#]],
        ),
        wat(
            "imports_of_a_browser",
            of_a_browser,
            expect![[r#"
            refused: 422: it imports what this host does not offer: wbg.fetch (built for JavaScript: leave out wasm-bindgen)
        "#]],
        ),
    ]
}

fn importing(interface: &str) -> String {
    component(&[PROJECTION], &format!("(import \"{interface}\" (instance))"))
}

fn of_a_browser() -> String {
    projection(&Parts { top: "(import \"wbg\" \"fetch\" (func))", ..HONEST })
}

#[test]
fn what_reaches_for_the_machine_gets_hold_of_nothing() {
    check(cases());
    assert!(!std::path::Path::new("/left-behind").exists());
}
