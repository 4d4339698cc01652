//! Plugin files: any bytes, and real components that were bent here and there.
//!
//! All that happens at an install before a plugin is asked what it is. Small files are loaded for real, which compiles
//! and runs them; of large ones the compiler alone would take all the time there is.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use polyfold::event::Digest;
use polyfold::plugin::{Limits, LoadError, Refused, Sandbox, component, contents, inspect};

use crate::bend::bent;

/// A byte that says which real component is bent, none for 0; then bends, or the file itself.
pub fn run(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else { return };
    match usize::from(*which).checked_sub(1).and_then(|which| REAL.get(which)) {
        Some(real) => check(&bent(real, rest)),
        None => check(rest),
    }
}

fn check(bytes: &[u8]) {
    // What is in a file can be said of any that is WebAssembly, also of one that is refused.
    match contents(bytes) {
        Ok(contents) => assert_eq!(contents.bytes, bytes.len() as u64),
        Err(refused) => check_refused(&refused),
    }
    let component = match component(bytes) {
        Ok(component) => component,
        Err(refused) => return check_refused(&refused),
    };
    assert!(matches!(polyfold::plugin::component(&component), Ok(Cow::Borrowed(_))), "a component stays as it is");
    match (inspect(&component), inspect(bytes)) {
        (Ok(inspection), Ok(again)) => {
            assert_eq!(inspection, again);
            load(&component);
        }
        (Err(refused), Err(again)) => {
            assert_eq!(refused, again);
            check_refused(&refused);
        }
        (one, other) => panic!("{one:?} of the component and {other:?} of what it was made of"),
    }
}

/// A person reads it in a terminal.
fn check_refused(refused: &Refused) {
    let text = refused.to_string();
    assert!(!text.is_empty() && !text.contains(|c: char| c.is_control()), "{text:?}");
}

/// Larger ones are only looked at.
const LOADED_BYTES_MAX: usize = 8 << 10;

fn load(bytes: &[u8]) {
    if bytes.len() > LOADED_BYTES_MAX {
        return;
    }
    let limits = Limits {
        fuel_per_event: 1_000_000,
        memory_bytes: 4 << 20,
        deadline: Duration::from_secs(60),
        ..Limits::default()
    };
    match SANDBOX.load(Digest::of(bytes), bytes, &limits) {
        Err(LoadError::Host(error)) => panic!("the host is to blame: {error}"),
        Err(LoadError::Refused(refused)) => check_refused(&refused),
        Ok(_) | Err(LoadError::Describe(_) | LoadError::Manifest(_)) => {}
    }
}

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| Sandbox::new(None).expect("an engine starts"));

/// What is bent: core modules and what is made of them, so small that many can be tried, and components of compilers.
static REAL: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    const MODULE: &str = include_str!("components/upcaster.wat");
    const PREVIEW_1: &str = "(import \"wasi_snapshot_preview1\" \"random_get\" (func (param i32 i32) (result i32)))";
    let module = |text: &str| wat::parse_str(text).expect("it is WAT");
    let (pure, with_wasi) = (module(MODULE), module(&MODULE.replace(";;import", PREVIEW_1)));
    let wrapped = component(&pure).expect("it is a plugin").into_owned();
    let built = ["examples/traps.wasm", "examples/renames.wasm", "event_counts.wasm"].map(|name| {
        let file = crate::guests().join(name);
        std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    });
    [pure, with_wasi, wrapped].into_iter().chain(built).collect()
});
