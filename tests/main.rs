//! Integration tests: the engine with real plugins, the real program, and the shape of the source.

mod guests;
mod host;

mod misbehaving;
mod tidy;
