//! Fuzzes receipts and proofs as documents: any bytes, and real ones that were bent.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| polyfold_fuzz::receipts::run(data));

#[cfg(not(fuzzing))]
fn main() {
    polyfold_fuzz::replay(polyfold_fuzz::receipts::run);
}
