//! Integration tests: the engine with real plugins, the real program, and the shape of the source.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers are tests too, but clippy knows only functions")]

mod guests;
mod host;
mod program;

mod bindings;
mod cli;
mod conformance;
mod crash;
mod damage;
mod determinism;
mod example;
mod full_disk;
mod hostile;
mod misbehaving;
mod model;
mod projects;
mod served;
mod service;
mod tidy;
mod traces;
mod upcasting;
mod upgrading;
