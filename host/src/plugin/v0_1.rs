//! The ABI of wit/v0.1: translation only.

use wasmtime::component::{HasSelf, InstancePre, Linker};

use self::bindings::exports::polyfold::plugin::{projection, upcaster};
use self::bindings::polyfold::plugin::{context, logging, state, types};
use super::abi::{Abi, FedPayload, Feed, Lifted, ProjectionExports, Running, UpcasterExports};
use super::host::Host;
use super::manifest::{About, RawProjection, RawStep, RawUpcaster};
use super::{Kind, LogLevel, PayloadEncoding, StateEncoding, View};

/// The version of this ABI; every 0.1.x works.
pub const VERSION: &str = "0.1.0";

mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit/v0.1",
        // Both worlds at once, so that they share their types.
        inline: "
            package polyfold:host;
            world every-interface {
                import polyfold:plugin/state@0.1.0;
                import polyfold:plugin/context@0.1.0;
                import polyfold:plugin/logging@0.1.0;
                export polyfold:plugin/projection@0.1.0;
                export polyfold:plugin/upcaster@0.1.0;
            }
        ",
        world: "polyfold:host/every-interface",
        // Events are lowered from where the log's buffers are: no string is allocated for one.
        ownership: Borrowing { duplicate_if_necessary: true },
        imports: { default: trappable },
    });
}

pub(super) struct V0_1;

impl Abi for V0_1 {
    fn version(&self) -> &'static str {
        VERSION
    }

    fn export(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Projection => "polyfold:plugin/projection@0.1.0",
            Kind::Upcaster => "polyfold:plugin/upcaster@0.1.0",
        }
    }

    fn wit(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("types.wit", include_str!("../../../wit/v0.1/types.wit")),
            ("state.wit", include_str!("../../../wit/v0.1/state.wit")),
            ("context.wit", include_str!("../../../wit/v0.1/context.wit")),
            ("logging.wit", include_str!("../../../wit/v0.1/logging.wit")),
            ("projection.wit", include_str!("../../../wit/v0.1/projection.wit")),
            ("upcaster.wit", include_str!("../../../wit/v0.1/upcaster.wit")),
        ]
    }

    fn world(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Projection => "projection-plugin",
            Kind::Upcaster => "upcaster-plugin",
        }
    }

    fn imports(&self, kind: Kind) -> &'static [&'static str] {
        match kind {
            Kind::Projection => &[
                "polyfold:plugin/types",
                "polyfold:plugin/state",
                "polyfold:plugin/context",
                "polyfold:plugin/logging",
            ],
            Kind::Upcaster => &["polyfold:plugin/types", "polyfold:plugin/logging"],
        }
    }

    fn link(&self, kind: Kind, linker: &mut Linker<Host>) -> wasmtime::Result<()> {
        types::add_to_linker::<_, HasSelf<Host>>(linker, Host::called)?;
        logging::add_to_linker::<_, HasSelf<Host>>(linker, Host::called)?;
        match kind {
            Kind::Projection => {
                state::add_to_linker::<_, HasSelf<Host>>(linker, Host::called)?;
                context::add_to_linker::<_, HasSelf<Host>>(linker, Host::called)
            }
            Kind::Upcaster => Ok(()),
        }
    }

    fn projection(&self, plugin: &InstancePre<Host>) -> wasmtime::Result<Box<dyn ProjectionExports>> {
        Ok(Box::new(projection::GuestIndices::new(plugin)?))
    }

    fn upcaster(&self, plugin: &InstancePre<Host>) -> wasmtime::Result<Box<dyn UpcasterExports>> {
        Ok(Box::new(upcaster::GuestIndices::new(plugin)?))
    }
}

impl ProjectionExports for projection::GuestIndices {
    fn describe(&self, call: &mut Running<'_>) -> wasmtime::Result<RawProjection> {
        let guest = self.load(&mut *call.store, call.instance)?;
        let manifest = guest.call_describe(&mut *call.store)?;
        let views = manifest.views.into_iter();
        Ok(RawProjection {
            about: About { name: manifest.name, version: manifest.version, description: manifest.description },
            event_types: manifest.event_types,
            categories: manifest.categories,
            payload_encoding: manifest.payload_encoding.into(),
            state_encoding: match manifest.state_encoding {
                projection::StateEncoding::Cbor => StateEncoding::Cbor,
                projection::StateEncoding::Json => StateEncoding::Json,
                projection::StateEncoding::Text => StateEncoding::Text,
                projection::StateEncoding::Bytes => StateEncoding::Bytes,
            },
            views: views
                .map(|view| View { name: view.name, prefix: view.prefix, description: view.description })
                .collect(),
        })
    }

    fn apply(&self, call: &mut Running<'_>, feed: &Feed<'_>) -> wasmtime::Result<Result<(), String>> {
        let guest = self.load(&mut *call.store, call.instance)?;
        guest.call_apply(&mut *call.store, &events(feed))
    }
}

impl UpcasterExports for upcaster::GuestIndices {
    fn describe(&self, call: &mut Running<'_>) -> wasmtime::Result<RawUpcaster> {
        let guest = self.load(&mut *call.store, call.instance)?;
        let manifest = guest.call_describe(&mut *call.store)?;
        let steps = manifest.steps.into_iter();
        Ok(RawUpcaster {
            about: About { name: manifest.name, version: manifest.version, description: manifest.description },
            steps: steps
                .map(|step| RawStep {
                    event_type: step.event_type,
                    schema_version: step.schema_version,
                    new_event_type: step.new_event_type,
                })
                .collect(),
            payload_encoding: manifest.payload_encoding.into(),
        })
    }

    fn upcast(&self, call: &mut Running<'_>, feed: &Feed<'_>) -> wasmtime::Result<Result<Vec<Lifted>, String>> {
        let guest = self.load(&mut *call.store, call.instance)?;
        let payloads = guest.call_upcast(&mut *call.store, &events(feed))?;
        Ok(payloads.map(|payloads| {
            let payloads = payloads.into_iter();
            payloads
                .map(|payload| match payload {
                    types::PayloadResult::Cbor(bytes) => Lifted::Cbor(bytes),
                    types::PayloadResult::Json(text) => Lifted::Json(text),
                })
                .collect()
        }))
    }
}

fn events<'a>(feed: &'a Feed<'_>) -> Vec<types::Event<'a>> {
    let event = |(event, payload): (crate::event::EventRef<'a>, FedPayload<'a>)| types::Event {
        sequence: event.sequence.0,
        stream: event.stream,
        version: event.version.0,
        event_type: event.event_type,
        schema_version: event.schema_version.0,
        // The log's clock stands after 1970.
        recorded_at: event.recorded_at.micros().max(0).cast_unsigned(),
        payload: match payload {
            FedPayload::Cbor(bytes) => types::PayloadParam::Cbor(bytes),
            FedPayload::Json(text) => types::PayloadParam::Json(text),
        },
    };
    feed.iter().map(event).collect()
}

impl From<types::PayloadEncoding> for PayloadEncoding {
    fn from(encoding: types::PayloadEncoding) -> Self {
        match encoding {
            types::PayloadEncoding::Cbor => Self::Cbor,
            types::PayloadEncoding::Json => Self::Json,
        }
    }
}

impl types::Host for Host {}

impl state::Host for Host {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(Self::get(self, &key)?)
    }

    fn get_many(&mut self, keys: Vec<String>) -> wasmtime::Result<Vec<Option<Vec<u8>>>> {
        Ok(Self::get_many(self, &keys)?)
    }

    fn put(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<()> {
        Ok(Self::put(self, &key, Some(value))?)
    }

    fn delete(&mut self, key: String) -> wasmtime::Result<()> {
        Ok(Self::put(self, &key, None)?)
    }

    fn write(&mut self, changes: Vec<state::Change>) -> wasmtime::Result<()> {
        for change in changes {
            Self::put(self, &change.key, change.value)?;
        }
        Ok(())
    }

    fn scan(&mut self, prefix: String, after: Option<String>, limit: u32) -> wasmtime::Result<Vec<state::Entry>> {
        let page = Self::scan(self, &prefix, after.as_deref(), limit)?;
        Ok(page.into_iter().map(|(key, value)| state::Entry { key, value }).collect())
    }
}

impl context::Host for Host {
    fn envelope_of(&mut self, sequence: u64) -> wasmtime::Result<Option<context::Envelope>> {
        let Some(event) = self.event(sequence)? else { return Ok(None) };
        let envelope = event.envelope().map_err(|error| super::host::Stop::Host(error.to_string()))?;
        let metadata = envelope.metadata.into_iter();
        Ok(Some(context::Envelope {
            id: envelope.id.to_owned(),
            occurred_at: envelope.occurred_at.map(|time| time.micros()),
            actor: envelope.actor.map(str::to_owned),
            causation_id: envelope.causation_id.map(str::to_owned),
            correlation_id: envelope.correlation_id.map(str::to_owned),
            metadata: metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            tags: envelope.tags.into_iter().map(str::to_owned).collect(),
        }))
    }

    fn parameters(&mut self) -> wasmtime::Result<String> {
        Ok(Self::parameters(self)?)
    }
}

impl logging::Host for Host {
    fn log(&mut self, level: logging::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            logging::Level::Trace => LogLevel::Trace,
            logging::Level::Debug => LogLevel::Debug,
            logging::Level::Info => LogLevel::Info,
            logging::Level::Warn => LogLevel::Warn,
            logging::Level::Error => LogLevel::Error,
        };
        Ok(Self::log(self, level, message)?)
    }
}
