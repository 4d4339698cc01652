//! Integration tests: the engine with real plugins, the real program, and the shape of the source.

mod guests;
mod host;
mod program;

mod cli;
mod crash;
mod determinism;
mod example;
mod misbehaving;
mod model;
mod tidy;
mod upcasting;
