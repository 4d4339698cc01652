//! What surrounds the call in hand.

use crate::Error;
use serde::de::DeserializeOwned;

#[cfg(target_arch = "wasm32")]
use crate::bindings::projection::polyfold::plugin::context as imports;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::imports;

pub use crate::bindings::projection::polyfold::plugin::context::Envelope;

/// Returns the rest of an event of this call (id, actor, causes, metadata, tags); none for any other sequence.
pub fn envelope(sequence: u64) -> Option<Envelope> {
    imports::envelope_of(sequence)
}

/// Returns the projection's parameters, as its owner gave them.
///
/// A projection created without any has `{}`, so fields with `#[serde(default)]` are optional.
pub fn parameters<T: DeserializeOwned>() -> Result<T, Error> {
    serde_json::from_str(&parameters_json()).map_err(|e| Error::new(format!("cannot read the parameters: {e}")))
}

/// Returns the projection's parameters as JSON text, `{}` if none were given.
pub fn parameters_json() -> String {
    imports::parameters()
}
