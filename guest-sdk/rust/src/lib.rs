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
//!         let description = "what each country has ordered";
//!         Manifest::new("revenue", env!("CARGO_PKG_VERSION"), description).event_types(["order.placed"])
//!     }
//!
//!     fn payload(event: &Event) -> Result<Order<'_>, Error> {
//!         event.expect_schema_version(1, "update this plugin")?;
//!         event.payload()
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
//! use polyfold_guest::testing::{Harness, event};
//! use serde_json::json;
//!
//! let mut harness = Harness::<Keyed<Revenue>>::new();
//! harness.apply([event("order.placed", json!({"country": "FR", "euros": 10}))]).unwrap();
//! assert_eq!(harness.get::<f64>("country/FR"), Some(10.0));
//! ```
//!
//! An upcaster:
//!
//! ```
//! use polyfold_guest::{Error, Event, Fields, Payload, Upcaster, UpcasterManifest, export_upcaster};
//!
//! struct OrdersV2;
//!
//! impl Upcaster for OrdersV2 {
//!     fn describe() -> UpcasterManifest {
//!         UpcasterManifest::new("orders-v2", env!("CARGO_PKG_VERSION"), "orders: cents in place of euros")
//!             .step("order.placed", 1)
//!     }
//!
//!     fn upcast(event: &Event) -> Result<Payload, Error> {
//!         let mut fields = Fields::of(event)?;
//!         let euros: f64 = fields.take("euros")?;
//!         fields.put("cents", &((euros * 100.0).round() as i64))?;
//!         Ok(fields.into_payload())
//!     }
//! }
//!
//! export_upcaster!(OrdersV2);
//!
//! use polyfold_guest::testing::{Harness, event};
//! use serde_json::json;
//!
//! let old = event("order.placed", json!({"country": "FR", "euros": 9.5}));
//! let new = Harness::<OrdersV2>::new().upcast(old).unwrap();
//! assert_eq!(new.payload_json(), json!({"country": "FR", "cents": 950}));
//! assert_eq!(new.schema_version, 2);
//! ```
//!
//! # Which version of an event a plugin gets
//!
//! Always the newest that the installed upcasters make, whatever is stored. So a projection that does not ask goes on
//! when an upcaster is installed, and reads the new shape as if it were the old one: no fault, a wrong state. Call
//! [`Event::expect_schema_version`] wherever a payload is read, as the example does.
//!
//! # Building
//!
//! `Cargo.toml` says `[lib] crate-type = ["cdylib"]` (an rlib is not needed for tests) and names `polyfold-guest` by its
//! path, `serde` (with `derive`) and, for tests, `serde_json`. Then `rustup target add wasm32-wasip2` once, and
//!
//! ```text
//! cargo build --target wasm32-wasip2 --release
//! ```
//!
//! makes `target/wasm32-wasip2/release/<name>.wasm` (`-` becomes `_`), a component ready for `polyfold plugin install`.
//! `lto = true`, `codegen-units = 1`, `panic = "abort"` and `strip = "debuginfo"` in the profile make it smaller and
//! faster; `strip = true` would also take the functions' names, and a fault's backtrace would be numbers.
//!
//! What follows, and a complete `Cargo.toml`, stands in the crate's README.
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
//! Hosts may set others; these are the defaults.
//!
//! | what | limit |
//! |---|---|
//! | a call | 8,192 events or 4 MiB of payloads as stored |
//! | its fuel, whatever the number of events | 1,000,000,000, about one for each instruction |
//! | its memory | 256 MiB, and 1 MiB of call stack |
//! | its time | 10 seconds; what takes longer is tried again and is never a fault |
//! | a key, a value | 1 to 1,024 bytes, 1 MiB |
//! | all keys and values that a call writes | 128 MiB, overwritten ones included |
//! | the values of one [`state::get_many`] | 64 MiB |
//! | a page of [`state::scan`] | 1,000 entries or 4 MiB; only an empty page is the last |
//! | a payload, read or made | 1 MiB, nested at most 128 levels deep, as is a value that is read |
//! | a log message | 4 KiB, and 100 of them in a call |
//! | standard output, standard error | 64 KiB each |

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

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// What the export macros expand to.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings::projection::export_projection_world;
    pub use crate::bindings::upcaster::export_upcaster_world;
    pub use crate::bindings::{projection, upcaster};
    pub use crate::projection::Exported;
}
