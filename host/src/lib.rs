//! polyfold: a host for projections that runs plugins compiled to WebAssembly.

pub mod event;
pub mod log;
