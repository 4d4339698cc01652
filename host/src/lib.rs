//! polyfold: a host for projections that runs plugins compiled to WebAssembly.

pub mod cbor;
pub mod event;
pub mod state;
pub mod plugin;
