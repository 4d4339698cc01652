//! Fuzzes proofs of a state's entries: any bytes, and real proofs that were bent.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| polyfold_fuzz::proofs::run(data));

#[cfg(not(fuzzing))]
fn main() {
    polyfold_fuzz::replay(polyfold_fuzz::proofs::run);
}
