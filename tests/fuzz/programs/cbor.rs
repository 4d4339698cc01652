//! Fuzzes payloads: canonical CBOR, JSON, and the ways between them.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| polyfold_fuzz::cbor::run(data));

#[cfg(not(fuzzing))]
fn main() {
    polyfold_fuzz::replay(polyfold_fuzz::cbor::run);
}
