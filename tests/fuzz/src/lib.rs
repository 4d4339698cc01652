//! Fuzz targets: each takes any bytes and panics when what must hold of them does not.
//!
//! Not only "no panic": where there are two ways to one answer, a target goes both and compares.

mod bend;
#[cfg(fuzzing)]
pub mod blocks;
pub mod calls;
pub mod cbor;
pub mod components;
pub mod lines;
pub mod proofs;
pub mod receipts;
pub mod requests;

use std::path::PathBuf;

/// Runs a target over the files that the command line names; for builds without a fuzzer.
///
/// # Panics
/// If a file cannot be read, or as the target does.
pub fn replay(target: fn(&[u8])) {
    for file in std::env::args_os().skip(1) {
        let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        target(&bytes);
    }
}

/// What wraps core modules is expected to panic on some, and that is caught: such a panic is no finding. Any other ends
/// the process, in whichever thread it is.
pub fn libraries_may_panic() {
    const CAUGHT: [&str; 4] = ["/wasm-encoder-", "/wasmparser-", "/wit-component-", "/wit-parser-"];
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let file = panic.location().map_or("", |location| location.file());
        if !CAUGHT.iter().any(|library| file.contains(library)) {
            default(panic);
        }
    }));
}

/// Where the tests' plugins are built: beside this program, or above it.
fn guests() -> PathBuf {
    folder().join("wasm32-wasip2/plugin")
}

/// Compiled code that the tests keep, so that no fuzzer begins with a compiler.
fn code() -> PathBuf {
    folder().join("code")
}

fn folder() -> PathBuf {
    let program = std::env::current_exe().expect("a program has a file");
    let mut above = program.ancestors().map(|folder| folder.join("guests"));
    above.find(|folder| folder.is_dir()).expect("target/guests is there: `tests/fuzz/run.sh` builds it")
}
