//! polyfold: a host for projections that runs plugins compiled to WebAssembly.
//!
//! ```text
//! append ─► log ─► read ─► upcast ─► apply (Wasm) ─► commit state + checkpoint ─► query, follow
//!           redb    blocks   Wasm      overlay over state      one redb transaction
//! ```
//! Control goes down by calls, data comes up by return values; nothing calls upward. A worker is woken by the log's new
//! head, not by a callback into the engine.
//!
//! | floor | holds | imports |
//! |---|---|---|
//! | [`event`] | values only: no I/O, no serde formats, no wasmtime | nothing |
//! | [`cbor`] | canonical CBOR to and from JSON | event |
//! | [`log`] | the only room that knows the log's tables | event, cbor |
//! | [`state`] | the only room that knows a projection's tables | event |
//! | [`plugin`] | the only room that knows wasmtime | event, cbor |
//! | [`engine`] | joins log, plugin and state: the whole program | all of the above |
//! | [`server`] | HTTP over an engine; the only async room | event, cbor, engine |
//! | [`cli`] | words, exit codes, progress bars; each command is a request to the server's routes | event, cbor, engine, server |
//!
//! A plugin adapter can never reach the disk, and the log never hears of Wasm: the engine hands one to the other. A test
//! holds the table.

pub mod cbor;
pub mod cli;
#[cfg(test)]
mod crash;
pub mod engine;
pub mod event;
pub mod log;
pub mod plugin;
pub mod server;
pub mod state;
