//! Compiles components on threads of their own, one component at a time, and counts functions on the way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use cranelift_codegen::timing::{Pass, Profiler, set_thread_profiler};
use wasmparser::{Parser, Payload};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::Refused;
use super::background::lower_priority;
use super::sandbox::invalid;

/// How far a compilation is. The compiler adds functions of its own to those of the plugin, and they count as the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compiling {
    pub functions: u64,
    pub functions_total: u64,
}

/// Between two reports: a bar moves, and nobody waits for it.
const REPORT_EVERY: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Compiler {
    threads: OnceLock<Option<rayon::ThreadPool>>,
    /// Functions compiled since the present component was begun.
    functions: Arc<AtomicU64>,
    /// Held while a component is compiled: it takes all processors anyway, and the count is of one component.
    turn: Mutex<()>,
}

impl Compiler {
    /// Compiles a component; blocks for seconds where it is large.
    pub(super) fn compile(
        &self,
        engine: &Engine,
        bytes: &[u8],
        watch: &mut (dyn FnMut(Compiling) + Send),
    ) -> Result<Component, Refused> {
        // What a panic in another's compilation leaves behind is a count, which starts anew here.
        let _turn = self.turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let compile = || Component::from_binary(engine, bytes).map_err(invalid);
        let Some(threads) = self.threads.get_or_init(|| start_threads(&self.functions)) else { return compile() };
        self.functions.store(0, Ordering::Relaxed);
        let functions_total = functions_of(bytes);
        threads.in_place_scope(|scope| {
            let (done, waiting) = channel();
            scope.spawn(move |_| drop(done.send(compile())));
            loop {
                match waiting.recv_timeout(REPORT_EVERY) {
                    Ok(compiled) => return compiled,
                    Err(RecvTimeoutError::Timeout) => {
                        let functions = self.functions.load(Ordering::Relaxed).min(functions_total);
                        watch(Compiling { functions, functions_total });
                    }
                    // The scope ends with the compiler's panic.
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(Refused::Invalid { message: "the compiler failed on it".to_owned() });
                    }
                }
            }
        })
    }
}

/// As many threads as there are processors. Without them the caller's compiles by itself.
fn start_threads(functions: &Arc<AtomicU64>) -> Option<rayon::ThreadPool> {
    let functions = Arc::clone(functions);
    let named = |index| format!("compiler-{index}");
    let begin = move |_| {
        lower_priority();
        drop(set_thread_profiler(Box::new(Counter(Arc::clone(&functions)))));
    };
    let threads = rayon::ThreadPoolBuilder::new().thread_name(named).start_handler(begin).build();
    threads.inspect_err(|error| tracing::warn!("plugins are compiled by one thread: {error}")).ok()
}

/// The functions of all modules in a component; 0 if it cannot be read, which compiling it will say.
fn functions_of(bytes: &[u8]) -> u64 {
    let counts = Parser::new(0).parse_all(bytes).map_while(Result::ok).map(|payload| match payload {
        Payload::CodeSectionStart { count, .. } => u64::from(count),
        _ => 0,
    });
    counts.sum()
}

/// Counts where the compiler would measure time.
struct Counter(Arc<AtomicU64>);

impl Profiler for Counter {
    fn start_pass(&self, pass: Pass) -> Box<dyn std::any::Any> {
        if pass == Pass::compile {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        Box::new(())
    }
}
