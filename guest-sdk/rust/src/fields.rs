//! A payload's fields, to take out, put in and rename: what an upcaster mostly does.

use crate::{Error, Event, Payload, cbor};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A name and the CBOR of its value.
type Field<'a> = (Cow<'a, str>, Cow<'a, [u8]>);

/// The fields of a payload that is a map with text for keys.
///
/// Those that nobody touches stay as they are, bit by bit, also those that the upcaster has never heard of.
#[derive(Debug)]
pub struct Fields<'a> {
    event: &'a Event,
    fields: Vec<Field<'a>>,
}

impl<'a> Fields<'a> {
    /// Reads the fields of an event's payload.
    pub fn of(event: &'a Event) -> Result<Self, Error> {
        let Payload::Cbor(bytes) = &event.payload else { return Err(event.fault("the payload is not CBOR")) };
        let fields = read(bytes).map_err(|error| event.unreadable(&error))?;
        Ok(Self { event, fields })
    }

    /// Takes a field out, which must be there.
    pub fn take<T: for<'de> Deserialize<'de>>(&mut self, name: &str) -> Result<T, Error> {
        match self.take_if_present(name)? {
            Some(value) => Ok(value),
            None => Err(self.event.fault(&format!("missing field \"{name}\""))),
        }
    }

    /// Takes a field out; none if it is absent or null.
    pub fn take_if_present<T: for<'de> Deserialize<'de>>(&mut self, name: &str) -> Result<Option<T>, Error> {
        let Some(index) = self.position(name) else { return Ok(None) };
        let (_, value) = self.fields.swap_remove(index);
        cbor::from_slice(&value).map_err(|error| self.event.fault(&format!("field \"{name}\": {error}")))
    }

    /// Sets a field.
    pub fn put<T: Serialize + ?Sized>(&mut self, name: &'a str, value: &T) -> Result<(), Error> {
        let value = Cow::Owned(cbor::to_vec(value)?);
        match self.position(name) {
            Some(index) => self.fields[index].1 = value,
            None => self.fields.push((name.into(), value)),
        }
        Ok(())
    }

    /// Gives a field another name, if it is there, replacing what had that name.
    pub fn rename(&mut self, name: &str, new_name: &'a str) {
        let Some(index) = self.position(name) else { return };
        let (_, value) = self.fields.swap_remove(index);
        self.fields.retain(|(other, _)| other != new_name);
        self.fields.push((new_name.into(), value));
    }

    /// Makes the payload, its fields in canonical order.
    pub fn into_payload(mut self) -> Payload {
        self.fields.sort_unstable_by(|(a, _), (b, _)| (a.len(), a.as_bytes()).cmp(&(b.len(), b.as_bytes())));
        let mut out = Vec::with_capacity(256);
        cbor::write_map_head(&mut out, self.fields.len());
        for (name, value) in &self.fields {
            cbor::write_text(&mut out, name);
            out.extend_from_slice(value);
        }
        Payload::Cbor(out)
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|(other, _)| other == name)
    }
}

fn read(bytes: &[u8]) -> Result<Vec<Field<'_>>, cbor::Error> {
    let mut decoder = cbor::Decoder::new(bytes);
    let length = decoder.map_length()?;
    let mut fields = Vec::with_capacity((length as usize).min(bytes.len()) + 2);
    for _ in 0..length {
        fields.push((decoder.text()?.into(), decoder.raw()?.into()));
    }
    decoder.finish()?;
    Ok(fields)
}
