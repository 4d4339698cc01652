//! Fuzzes host calls: any program of them, against a model.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| polyfold_fuzz::calls::run(data));

#[cfg(not(fuzzing))]
fn main() {
    polyfold_fuzz::replay(polyfold_fuzz::calls::run);
}
