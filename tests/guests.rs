//! Plugins for the tests: built once a run from plugins/ and tests/guests, and handed out by name.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The real plugins that tests use; the others are examples of tests/guests.
const PLUGINS: [&str; 6] = ["aircraft", "conformance", "conformance-v2", "event-counts", "flights-v2", "on-time"];

const TARGET: &str = "wasm32-wasip2";

/// The file of a plugin, by its package's or its example's name.
pub(crate) fn path(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(build);
    let folder = if PLUGINS.contains(&name) { built.clone() } else { built.join("examples") };
    folder.join(format!("{}.wasm", name.replace('-', "_")))
}

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    let path = path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compiled code that all tests share, so that each plugin is compiled once: a host's directory `cache`.
pub(crate) fn shared_cache() -> PathBuf {
    let cache = folder().join("code");
    std::fs::create_dir_all(&cache).unwrap();
    cache
}

/// A target directory of its own: the cargo that runs the tests may hold the lock of the usual one.
pub(crate) fn folder() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.ancestors().nth(3).expect("they lie in target/debug/deps").join("guests")
}

fn build() -> PathBuf {
    if !has_target() {
        run(Command::new("rustup").args(["target", "add", TARGET]));
    }
    let folder = folder();
    let cargo = || {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
        cargo.args(["build", "--locked", "--quiet", "--profile", "plugin", "--target", TARGET, "--target-dir"]);
        cargo.arg(&folder);
        cargo
    };
    run(cargo().args(PLUGINS.iter().flat_map(|plugin| ["--package", plugin])));
    // In a call of their own: cargo builds no library of a package whose examples it is asked for.
    run(cargo().args(["--package", "polyfold-test-guests", "--examples"]));
    folder.join(TARGET).join("plugin")
}

fn has_target() -> bool {
    let asked = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    asked.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}
