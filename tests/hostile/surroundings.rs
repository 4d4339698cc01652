//! Plugins that reach for the machine around them.

use expect_test::expect;

use super::case::{Case, guest, wat};
use super::run::check;
use super::wat::{HONEST, PROJECTION, Parts, component, projection};

pub(super) fn cases() -> Vec<Case> {
    vec![
        guest("asks_the_system", expect![[""]]),
        guest("imports_refused", expect![[""]]),
        wat("imports_http", || importing("wasi:http/outgoing-handler@0.2.0"), expect![[""]]),
        wat("imports_a_later_wasi", || importing("wasi:filesystem/types@0.3.0"), expect![[""]]),
        wat("imports_keys_and_values", || importing("wasi:keyvalue/store@0.2.0"), expect![[""]]),
        wat("imports_a_function", || component(&[PROJECTION], "(import \"now\" (func))"), expect![[""]]),
        wat("imports_of_a_browser", of_a_browser, expect![[""]]),
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
