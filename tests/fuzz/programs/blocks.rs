//! Fuzzes what the log reads from its file.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| polyfold_fuzz::blocks::run(data));

/// What lies in the log's file is the log's alone: there is nothing to call in a build that is not for fuzzing.
#[cfg(not(fuzzing))]
fn main() {}
