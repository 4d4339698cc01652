//! Fuzzes HTTP requests, without a socket.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(init: polyfold_fuzz::libraries_may_panic(), |data: &[u8]| polyfold_fuzz::requests::run(data));

#[cfg(not(fuzzing))]
fn main() {
    polyfold_fuzz::replay(polyfold_fuzz::requests::run);
}
