//! Plugins whose state could hang on more than events: on addresses, orders, clocks, floats, or where batches are cut.
//!
//! The host makes most of that the same everywhere. What it cannot, is where batches are cut, and verification names it.

use expect_test::expect;
use polyfold::engine::{Difference, Phase};

use super::case::{Case, guest};
use super::run::check;
use crate::host::{Dir, Host, projection};

/// What comes out the same however it is cut and compiled.
const HARMLESS: [&str; 4] =
    ["depends_on_code_addresses", "depends_on_nan_bits", "asks_the_system", "sleeps_for_a_century"];

/// What hangs on the cut, and the first key that shows it.
const FOUND: [&str; 7] = [
    "depends_on_batch_cuts",
    "depends_on_map_order",
    "depends_on_random",
    "depends_on_the_clock",
    "depends_on_addresses",
    "depends_on_memory_size",
    "keeps_global",
];

const SIZES: [usize; 4] = [1, 7, 64, 8_192];

/// As cases beside another projection all of them go well: what is wrong with them shows only when they are verified.
pub(super) fn cases() -> Vec<Case> {
    let cases = [
        guest(
            "depends_on_code_addresses",
            expect![[r#"
            live at 2006 of 2006
        "#]],
        ),
        guest(
            "depends_on_nan_bits",
            expect![[r#"
            live at 2006 of 2006
        "#]],
        ),
        guest(
            "depends_on_batch_cuts",
            expect![[r#"
            live at 2006 of 2006
        "#]],
        ),
        guest(
            "depends_on_map_order",
            expect![[r#"
            live at 2006 of 2006
        "#]],
        ),
        guest(
            "depends_on_random",
            expect![[r#"
            live at 2006 of 2006
        "#]],
        ),
        guest(
            "depends_on_the_clock",
            expect![[r#"
            live at 2006 of 2006
        "#]],
        ),
        guest(
            "depends_on_addresses",
            expect![[r#"
            live at 2006 of 2006
        "#]],
        ),
        guest(
            "depends_on_memory_size",
            expect![[r#"
            live at 2006 of 2006
        "#]],
        ),
        guest(
            "keeps_global",
            expect![[r#"
            live at 2006 of 2006
        "#]],
        ),
    ];
    cases.map(Case::without_its_state).into()
}

/// A host whose log has some 300 KiB: what a call brings shows in the size of a memory.
fn filled(dir: &Dir) -> Host {
    let host = dir.open();
    let data = format!("{{\"bad\":true,\"text\":\"{}\"}}", "x".repeat(2_000));
    let events = [("order.placed", data.as_str()); 150];
    host.append_all("order/1", &events);
    host
}

fn run(host: &Host, guest: &str) -> String {
    host.guest(guest);
    let name = guest.replace('_', "-");
    host.create(&projection(&name, &name)).unwrap();
    assert_eq!(host.settle(&name), Phase::Live, "{guest}");
    name
}

/// The different floats that are no numbers in an entry.
fn nans(entry: &str) -> String {
    let numbers = entry.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse::<u64>().ok());
    let bits = numbers.filter(|bits| f64::from_bits(*bits).is_nan() || f32::from_bits(*bits as u32).is_nan());
    let mut bits: Vec<String> = bits.map(|bits| format!("{bits:#x}")).collect();
    bits.dedup();
    bits.join(", ")
}

#[test]
fn what_hangs_on_the_machine_comes_out_the_same() {
    let dir = Dir::new();
    let host = filled(&dir);
    let names = HARMLESS.map(|guest| run(&host, guest));
    let digests = names.each_ref().map(|name| host.digest(name));
    let entries = host.entries("depends-on-nan-bits");
    // Of either size there is one float that is no number.
    let one_nan = "0x7ff8000000000000, 0x7fc00000";
    assert_eq!(nans(entries.lines().next().unwrap()), one_nan);
    drop(host);
    // Compiled once more, into a cache of its own.
    let cache = dir.path().join("cache");
    std::fs::remove_file(&cache).unwrap();
    std::fs::create_dir(&cache).unwrap();
    let host = dir.open();
    for (name, digest) in names.iter().zip(digests) {
        for size in SIZES {
            let verified = host.verify_with(name, &[size], |_| {}).unwrap();
            assert_eq!((verified.difference, verified.rebuilt.to_string()), (None, digest.clone()), "{name} by {size}");
        }
    }
    assert!(std::fs::read_dir(&cache).unwrap().count() >= names.len(), "all were compiled");
}

#[test]
fn what_hangs_on_the_cut_is_named() {
    let dir = Dir::new();
    let host = filled(&dir);
    for guest in FOUND {
        let name = run(&host, guest);
        let found = host.verify(&name, |_| {}).unwrap();
        let Some(Difference::Entry { key, live, rebuilt }) = found.difference else { panic!("{name}: {found:?}") };
        assert!(key.starts_with("seen/"), "{name}: {key}");
        assert_ne!(live, rebuilt, "{name}");
        // With the same cuts it comes to the same: nothing of the machine is in it.
        let one = |host: &Host| host.verify_with(&name, &[7], |_| {}).unwrap().rebuilt;
        assert_eq!(one(&host), one(&host), "{name}");
    }
}

#[test]
fn what_hangs_on_the_cut_goes_well_until_it_is_verified() {
    check(cases());
}
