//! What can be asked of an event.

use crate::{Error, Event, Payload, cbor};
use serde::{Deserialize, Serialize};

impl Event {
    /// Reads the payload. Text may be borrowed from the event (`&str` fields), whole numbers fit float fields, and
    /// fields that the type does not name are passed over. An error names the event's type, its schema version and
    /// the field.
    #[inline]
    pub fn payload<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        match &self.payload {
            Payload::Cbor(bytes) => cbor::from_slice(bytes).map_err(|error| self.unreadable(&error)),
            Payload::Json(_) => Err(self.fault("the payload is JSON, as the manifest asks: read it with Event::json")),
        }
    }

    /// Returns the payload as text, if the manifest asks for JSON.
    pub fn json(&self) -> Option<&str> {
        match &self.payload {
            Payload::Json(text) => Some(text),
            Payload::Cbor(_) => None,
        }
    }

    /// The part of the stream's name before the first `/`.
    pub fn category(&self) -> &str {
        self.stream.split_once('/').map_or(&self.stream, |(category, _)| category)
    }

    /// The part of the stream's name behind the first `/`.
    pub fn stream_name(&self) -> &str {
        self.stream.split_once('/').map_or("", |(_, name)| name)
    }

    /// Refuses an event of another schema version, telling `way_out`, for example which upcaster to install.
    #[inline]
    pub fn expect_schema_version(&self, version: u32, way_out: &str) -> Result<(), Error> {
        if self.schema_version == version {
            return Ok(());
        }
        Err(self.fault(&format!("expected schema version {version}: {way_out}")))
    }

    /// Makes an error about this event: its type and schema version, then `message`.
    #[cold]
    pub fn fault(&self, message: &str) -> Error {
        Error::new(format!("{}, schema version {}: {message}", self.event_type, self.schema_version))
    }

    #[cold]
    pub(crate) fn unreadable(&self, error: &cbor::Error) -> Error {
        self.fault(&format!("cannot read the payload: {error}"))
    }
}

impl Payload {
    /// Makes a payload from a value. The host puts it into canonical form.
    pub fn cbor<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        Ok(Self::Cbor(cbor::to_vec(value)?))
    }
}
