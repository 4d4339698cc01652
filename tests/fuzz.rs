//! What fuzzing starts from and what it found, without a fuzzer: each input goes through its target.
//!
//! The targets are in tests/fuzz, the inputs in tests/fuzz/corpus; those that fuzzing found are named `found-…`. Blocks
//! are the log's own and are tested where it is.

use std::path::Path;

use crate::guests;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        // Shown with a failure.
        println!("{}", file.display());
        run(&std::fs::read(&file).unwrap());
    }
}

#[test]
fn payloads_hold_what_fuzzing_asks() {
    replay("cbor", polyfold_fuzz::cbor::run);
}

#[test]
fn lines_hold_what_fuzzing_asks() {
    replay("lines", polyfold_fuzz::lines::run);
}

#[test]
fn components_hold_what_fuzzing_asks() {
    guests::path("traps");
    replay("components", polyfold_fuzz::components::run);
}

#[test]
fn host_calls_hold_what_fuzzing_asks() {
    guests::path("interpreter");
    guests::shared_cache();
    replay("calls", polyfold_fuzz::calls::run);
}

#[test]
fn requests_and_receipts_hold_what_fuzzing_asks() {
    guests::path("event-counts");
    guests::shared_cache();
    replay("requests", polyfold_fuzz::requests::run);
    replay("receipts", polyfold_fuzz::receipts::run);
    polyfold_fuzz::requests::end();
}

#[test]
fn proofs_hold_what_fuzzing_asks() {
    replay("proofs", polyfold_fuzz::proofs::run);
}
