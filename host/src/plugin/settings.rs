//! How wasmtime is set up: each setting with its reason, and all of them as a text.

use std::num::NonZeroUsize;

use wasmtime::{Config, Engine, OptLevel, WasmBacktraceDetails};

use super::Error;

/// Applies settings and writes down each as it stands here, so that the text cannot miss one.
macro_rules! settings {
    ($config:ident, $text:ident; $($name:ident($($value:expr)?);)*) => {
        $($config.$name($($value)?); $text.push_str(concat!(stringify!($name), "(", $(stringify!($value),)? ")\n"));)*
    };
}

/// Makes the engine, and the text of its settings that the names of compiled code are made from.
pub(super) fn engine() -> Result<(Engine, String), Error> {
    let (config, text) = config();
    Ok((start(&config)?, text))
}

/// The same, but the compiler leaves out its optimisations: what a plugin makes may not depend on them.
pub(super) fn unoptimised() -> Result<(Engine, String), Error> {
    let (mut config, mut text) = config();
    settings! { config, text;
        cranelift_opt_level(OptLevel::None);
    }
    Ok((start(&config)?, text))
}

fn start(config: &Config) -> Result<Engine, Error> {
    Engine::new(config).map_err(|error| Error::Engine(format!("{error:#}")))
}

fn config() -> (Config, String) {
    let mut config = Config::new();
    let mut text = String::new();
    settings! { config, text;
        // The same floats on every machine: the bits of a NaN are otherwise the processor's choice.
        cranelift_nan_canonicalization(true);
        // Relaxed SIMD may round as the processor likes; in this form it may not.
        relaxed_simd_deterministic(true);
        // The budget of an event, reproducible to the unit.
        consume_fuel(true);
        // The wall-clock deadline, for what fuel does not see: the time that host calls take, and a slow machine.
        epoch_interruption(true);
        // No component here is async, and a call costs a quarter without it.
        concurrency_support(false);
        // 1 MiB, half of a Rust thread's stack: interpreters recurse deeply, and host calls run on the same stack.
        max_wasm_stack(1 << 20);
        // Compiled once and cached, run for ever.
        cranelift_opt_level(OptLevel::Speed);
        // A trap says where it happened, in 30 frames: the way from the export; deep recursion repeats itself.
        wasm_backtrace_max_frames(NonZeroUsize::new(30));
        // Names come from the plugin's name section; line tables would need DWARF, which doubles a plugin's size.
        wasm_backtrace_details(WasmBacktraceDetails::Disable);
        // No debugger or profiler unwinds through plugins.
        native_unwind_info(cfg!(windows));
        // Where a component is composed of others, the code between two of them reaches the memories of both. A module of
        // a plugin's own has one memory at most: `inspect` sees to that.
        wasm_multi_memory(true);
        // Needed by no guest language and one more way to differ: threads see each other's timing, wider memories
        // outgrow the limits' arithmetic, and the rest is young code in the compiler that guards us.
        wasm_tail_call(false);
        wasm_memory64(false);
        wasm_custom_page_sizes(false);
        wasm_wide_arithmetic(false);
        shared_memory(false);
        wasm_component_model_fixed_length_lists(false);
        wasm_component_model_map(false);
    }
    (config, text)
}
