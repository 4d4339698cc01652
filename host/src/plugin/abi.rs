//! What an ABI must be able to do. Each is one file beside this one; adding one edits none of the others.

use std::ops::Range;

use wasmtime::component::{Instance, InstancePre, Linker};

use super::host::Host;
use super::manifest::{RawProjection, RawUpcaster};
use super::{Kind, v0_1};
use crate::event::{Batch, EventRef, Row};

/// Every ABI this host speaks.
pub(super) static ABIS: &[&dyn Abi] = &[&v0_1::V0_1];

/// One version of the ABI.
pub(super) trait Abi: Send + Sync {
    fn version(&self) -> &'static str;

    /// The exported interface that a plugin of this kind is known by, with its version.
    fn export(&self, kind: Kind) -> &'static str;

    /// The files of its WIT: name and text.
    fn wit(&self) -> &'static [(&'static str, &'static str)];

    /// The world of a plugin of this kind in that WIT.
    fn world(&self, kind: Kind) -> &'static str;

    /// The interfaces that a plugin of this kind may import, without their version.
    fn imports(&self, kind: Kind) -> &'static [&'static str];

    /// Adds what a plugin of this kind may import.
    fn link(&self, kind: Kind, linker: &mut Linker<Host>) -> wasmtime::Result<()>;

    /// Finds the exports of a projection and checks their types.
    fn projection(&self, plugin: &InstancePre<Host>) -> wasmtime::Result<Box<dyn ProjectionExports>>;

    /// Finds the exports of an upcaster and checks their types.
    fn upcaster(&self, plugin: &InstancePre<Host>) -> wasmtime::Result<Box<dyn UpcasterExports>>;
}

/// What a projection exports. Outer errors are traps, inner ones the plugin's answer.
pub(super) trait ProjectionExports: Send + Sync {
    fn describe(&self, call: &mut Running<'_>) -> wasmtime::Result<RawProjection>;
    fn apply(&self, call: &mut Running<'_>, feed: &Feed<'_>) -> wasmtime::Result<Result<(), String>>;
}

/// What an upcaster exports. Outer errors are traps, inner ones the plugin's answer.
pub(super) trait UpcasterExports: Send + Sync {
    fn describe(&self, call: &mut Running<'_>) -> wasmtime::Result<RawUpcaster>;
    fn upcast(&self, call: &mut Running<'_>, feed: &Feed<'_>) -> wasmtime::Result<Result<Vec<Lifted>, String>>;
}

/// An instance and the store it lives in.
pub(super) struct Running<'a> {
    pub(super) store: &'a mut wasmtime::Store<Host>,
    pub(super) instance: &'a Instance,
}

/// A payload as an upcaster returned it.
pub(super) enum Lifted {
    Cbor(Vec<u8>),
    Json(String),
}

impl Lifted {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Cbor(bytes) => bytes.len(),
            Self::Json(text) => text.len(),
        }
    }
}

/// The events of one call, with the payloads in the encoding that the plugin wants.
pub(super) struct Feed<'a> {
    pub(super) events: &'a Batch,
    pub(super) rows: Rows<'a>,
    /// A text for each event if the plugin wants JSON.
    pub(super) json: Option<Vec<String>>,
    /// What it costs to hand them in.
    pub(super) fuel: u64,
}

/// Which events of a batch a call is for.
#[derive(Clone)]
pub(super) enum Rows<'a> {
    Range(Range<usize>),
    List(&'a [usize]),
}

impl Rows<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Range(range) => range.len(),
            Self::List(rows) => rows.len(),
        }
    }

    fn row(&self, index: usize) -> usize {
        match self {
            Self::Range(range) => range.start + index,
            Self::List(rows) => rows[index],
        }
    }
}

/// The payload of an event that a plugin is handed, which is never one whose payload was dropped.
pub(super) fn whole<'a>(event: &EventRef<'a>) -> &'a [u8] {
    event.payload().expect("plugins are handed whole events only")
}

/// A payload as a plugin gets it.
pub(super) enum FedPayload<'a> {
    Cbor(&'a [u8]),
    Json(&'a str),
}

impl<'a> Feed<'a> {
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (EventRef<'_>, FedPayload<'_>)> {
        (0..self.rows.len()).map(|index| {
            let event = self.events.event(self.rows.row(index));
            let payload = match &self.json {
                Some(texts) => FedPayload::Json(&texts[index]),
                None => FedPayload::Cbor(whole(&event)),
            };
            (event, payload)
        })
    }

    pub(super) fn rows_of(events: &'a Batch, rows: &Rows<'a>) -> impl Iterator<Item = &'a Row> {
        (0..rows.len()).map(|index| &events.rows()[rows.row(index)])
    }

    pub(super) fn events_of(events: &'a Batch, rows: &Rows<'a>) -> impl Iterator<Item = EventRef<'a>> {
        (0..rows.len()).map(|index| events.event(rows.row(index)))
    }
}
