//! Plugins: WebAssembly components that fold or lift events. The only room that knows wasmtime.
//!
//! [`Store`] keeps their files, [`Sandbox`] compiles and runs them, [`Projection`] and [`Upcaster`] are what comes out.
//! Each call runs in an instance of its own, made for it and dropped after it, under [`Limits`]; what a plugin does
//! wrong comes back as a [`Failure`], which is data and not an error of the host.
//!
//! An ABI is one file here (`v0_1`) that translates between generated bindings and the types of this floor; the rest
//! knows only the traits in `abi`.

use std::borrow::Cow;

mod abi;
mod background;
mod bill;
mod bulk;
mod cache;
mod call;
mod compiler;
mod contents;
mod expansion;
mod failure;
mod host;
mod inspect;
mod limits;
mod manifest;
mod meter;
mod output;
mod price;
mod sandbox;
mod settings;
mod store;
mod v0_1;
mod wasi;
mod wrap;

#[cfg(test)]
mod tests;

/// Makes a component of what a compiler made: a component stays as it is, a core module is wrapped.
pub fn component(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Refused> {
    wrap::component(bytes)
}

/// Says what a plugin is, by its imports and exports alone: nothing is compiled or run.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, Refused> {
    inspect::inspect(&component(bytes)?).map(|(inspection, _)| inspection)
}

/// Lists what is in a file: nothing is compiled or run.
pub fn contents(bytes: &[u8]) -> Result<Contents, Refused> {
    contents::read(bytes, inspect(bytes))
}

pub use background::lower_priority;
pub use call::{Call, Outcome, Projection, StateAccess, StateError, Upcaster, Usage};
pub use compiler::Compiling;
pub use contents::{Contents, Dependency, Extent, Import, Module, Producer, Sections};
pub use failure::{Failure, LoadError, Mishap, Verdict, VerdictKind};
pub use inspect::{Inspection, Kind, Refused, RefusedImport};
pub use limits::{HOST_CALL_PRICES, Limits};
pub use manifest::{InvalidManifest, PayloadEncoding, ProjectionManifest, StateEncoding, Step, UpcasterManifest, View};
pub use output::{LogLevel, LogMessage, Output};
pub use price::Prices;
pub use sandbox::{Plugin, Sandbox};
pub use store::{Error, Store};
pub use v0_1::VERSION as ABI_V0_1;
