//! Threads that step back: work that has time, beside work that somebody waits for.

use rustix::process::{getpriority_process, setpriority_process};

/// Ten steps behind: a tenth of the processor where others want it, all of it where nobody does.
const STEPS_BACK: i32 = 10;

/// Lets the calling thread step back behind others. Without the right to, it stays where it is.
pub fn lower_priority() {
    // On Linux a priority belongs to a thread; elsewhere it is the whole process's and better left alone.
    if cfg!(target_os = "linux") {
        let thread = Some(rustix::thread::gettid());
        let lowered = getpriority_process(thread).and_then(|now| setpriority_process(thread, now + STEPS_BACK));
        if let Err(error) = lowered {
            tracing::debug!("a background thread keeps its priority: {error}");
        }
    }
}
