//! Integration tests: the engine with real plugins, the real program, and the shape of the source.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers are tests too, but clippy knows only functions")]

mod guests;
mod host;
mod program;

mod backup;
mod bindings;
mod cli;
mod conformance;
mod crash;
mod damage;
mod debugging;
mod determinism;
mod erasure;
mod example;
mod faulty;
mod fuel;
mod full_disk;
mod fuzz;
mod hostile;
mod machine;
mod misbehaving;
mod model;
mod probing;
mod projects;
mod provenance;
mod quarantine;
mod quotas;
mod receipts;
mod registry;
mod retention;
mod served;
mod service;
mod state_tree;
mod tidy;
mod time;
mod traces;
mod upcasting;
mod upgrading;
