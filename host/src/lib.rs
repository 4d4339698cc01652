//! polyfold: a host for projections that runs plugins compiled to WebAssembly.

pub mod cbor;
pub mod cli;
pub mod engine;
pub mod event;
pub mod log;
pub mod plugin;
pub mod state;
