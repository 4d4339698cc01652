//! Plugins for polyfold, a host that folds an append-only event log into state. A plugin is a WebAssembly component:
//! a *projection* makes state from events, an *upcaster* lifts old events into a newer shape.
//!
//! A complete projection, with a test:
//!
//! ```
//! use polyfold_guest::{Error, Event, Keyed, KeyedFold, Keys, Manifest, export_projection};
//!
//! struct Revenue;
//!
//! #[derive(serde::Deserialize)]
//! struct Order<'a> {
//!     country: &'a str,
//!     euros: f64,
//! }
//!
//! impl KeyedFold for Revenue {
//!     type Payload<'a> = Order<'a>;
//!     type Value = f64;
//!
//!     fn describe() -> Manifest {
//!         Manifest::new("revenue", "1.0.0", "what each country has ordered").event_types(["order.placed"])
//!     }
//!
//!     fn keys(_: &Event, order: &Order, keys: &mut Keys) -> Result<(), Error> {
//!         Ok(keys.push_parts(["country/", order.country]))
//!     }
//!
//!     fn fold(total: &mut f64, _: &Event, order: &Order, _key: &str) -> Result<(), Error> {
//!         Ok(*total += order.euros)
//!     }
//! }
//!
//! export_projection!(Keyed<Revenue>);
//!
//! # use polyfold_guest::testing::{Harness, event};
//! # use serde_json::json;
//! let mut harness = Harness::<Keyed<Revenue>>::new();
//! harness.apply([event("order.placed", json!({"country": "FR", "euros": 10}))]).unwrap();
//! assert_eq!(harness.get::<f64>("country/FR"), Some(10.0));
//! ```
//!
//! # Building
//!
//! `Cargo.toml` says `[lib] crate-type = ["cdylib"]` and names `polyfold-guest` and `serde` (with `derive`). Then
//! `rustup target add wasm32-wasip2` once, and
//!
//! ```text
//! cargo build --target wasm32-wasip2 --release
//! ```
//!
//! makes `target/wasm32-wasip2/release/<name>.wasm`, a component ready to install. `lto = true`, `codegen-units = 1`,
//! `panic = "abort"` and `strip = true` in the profile make it smaller and faster.
//!
//! # What to write
//!
//! | for | implement | export |
//! |---|---|---|
//! | values by key, each folded from the events that belong to it | [`KeyedFold`] | `export_projection!(Keyed<T>)` |
//! | anything else that makes state | [`Projection`] with [`state`] | `export_projection!(T)` |
//! | a newer shape of old events | [`Upcaster`], mostly with [`Fields`] | `export_upcaster!(T)` |
//!
//! [`testing`] runs all of them natively, so that `cargo test` needs no Wasm.
//!
//! # What a plugin can rely on, and what it must not do
//!
//! The same log gives the same state, byte for byte, on any machine:
//!
//! - Each call runs in an instance made for it: a `static` is fresh in every call. What must last goes into [`state`].
//! - How many events come in one call is the host's choice. What a plugin makes must not depend on it.
//! - Clocks stand still at 1970, random numbers come from a fixed seed: time arrives inside events. A `HashMap`
//!   therefore iterates in the same order in every run, and what is written here orders maps by their keys anyway.
//! - There are no files, no environment, no arguments and no network; a plugin that imports `wasi:http` or anything else
//!   beyond the ABI and WASI's basics is refused when it is installed.
//! - An error or a panic drops all changes of the call. The host tries fewer events at once until the one that fails
//!   stands alone, and records it as the projection's fault, with the message.
//!
//! # Limits
//!
//! Hosts may set others; these are the defaults. A call takes up to 8,192 events or 4 MiB of payloads, with fuel for
//! 1,000,000,000 instructions and 256 MiB of memory, whatever the number of events. A key has 1 to 1,024 bytes, a value
//! at most 1 MiB, a page of a scan 1,000 entries, a log message 4 KiB, and a call logs 100 of them.

mod bindings;

pub mod cbor;
pub mod context;
mod error;
mod event;
mod fields;
mod keyed;
pub mod log;
mod manifest;
mod projection;
pub mod state;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use bindings::projection::polyfold::plugin::types::{Event, Payload};
pub use error::Error;
pub use fields::Fields;
pub use keyed::{Keyed, KeyedFold, Keys};
pub use manifest::{Manifest, PayloadEncoding, StateEncoding, UpcasterManifest};
pub use projection::{Projection, Upcaster};

/// A payload that nobody reads: for [`KeyedFold`]s to which the event alone says enough.
pub use serde::de::IgnoredAny as Ignored;

/// What the export macros expand to.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings::projection::export_projection_world;
    pub use crate::bindings::upcaster::export_upcaster_world;
    pub use crate::bindings::{projection, upcaster};
    pub use crate::projection::Exported;
}
