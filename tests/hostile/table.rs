//! Holds the table in the documentation to the cases: each has its row, and each row its case.

use std::path::Path;

use super::case::Case;
use super::{answers, bombs, claims, cuts, endless, limits, memory, surroundings};

/// In the order of the table.
fn all() -> Vec<Case> {
    let parts = [
        endless::cases(),
        endless::priced(),
        memory::cases(),
        limits::cases(),
        limits::priced(),
        answers::cases(),
        bombs::cases(),
        claims::cases(),
        surroundings::cases(),
        cuts::cases(),
    ];
    parts.into_iter().flatten().collect()
}

#[test]
fn every_case_has_its_row() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hostile-plugins.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(name, _)| name);
    let names: Vec<String> = all().iter().map(Case::row).collect();
    assert_eq!(rows.collect::<Vec<_>>(), names);
}
