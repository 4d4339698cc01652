//! What a plugin says of itself.

use crate::bindings::projection::exports::polyfold::plugin::projection as wit;
use crate::bindings::upcaster::exports::polyfold::plugin::upcaster as wit_upcaster;

/// How people and exports should read a state's values.
pub use wit::StateEncoding;

/// How payloads reach the plugin.
pub use crate::bindings::projection::polyfold::plugin::types::PayloadEncoding;

/// What a projection says of itself: a name, a version and a sentence, and what it wants to see.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest(pub(crate) wit::Manifest);

impl Manifest {
    /// Says the least: this projection wants every event. `name` is 1 to 64 of `a`-`z`, `0`-`9` and `-`, starting with
    /// a letter; `version` is best `env!("CARGO_PKG_VERSION")`; `description` says in a sentence what it makes.
    pub fn new(name: &str, version: &str, description: &str) -> Self {
        Self(wit::Manifest {
            name: name.into(),
            version: version.into(),
            description: description.into(),
            event_types: Vec::new(),
            categories: Vec::new(),
            payload_encoding: PayloadEncoding::Cbor,
            state_encoding: StateEncoding::Cbor,
            views: Vec::new(),
        })
    }

    /// Asks for these event types only, as upcasters leave them.
    #[must_use]
    pub fn event_types<'a>(mut self, types: impl IntoIterator<Item = &'a str>) -> Self {
        self.0.event_types.extend(types.into_iter().map(String::from));
        self
    }

    /// Asks for events of these categories only.
    #[must_use]
    pub fn categories<'a>(mut self, categories: impl IntoIterator<Item = &'a str>) -> Self {
        self.0.categories.extend(categories.into_iter().map(String::from));
        self
    }

    /// Names the entries whose key starts with `prefix`, for people and exports.
    #[must_use]
    pub fn view(mut self, name: &str, prefix: &str, description: &str) -> Self {
        self.0.views.push(wit::View { name: name.into(), prefix: prefix.into(), description: description.into() });
        self
    }

    /// Asks for payloads in another encoding than CBOR, which typed payloads need.
    #[must_use]
    pub fn payload_encoding(mut self, encoding: PayloadEncoding) -> Self {
        self.0.payload_encoding = encoding;
        self
    }

    /// Says that values are written in another encoding than CBOR, which typed values use.
    #[must_use]
    pub fn state_encoding(mut self, encoding: StateEncoding) -> Self {
        self.0.state_encoding = encoding;
        self
    }
}

/// What an upcaster says of itself: a name, a version and a sentence, and the steps that it makes.
#[derive(Debug, Clone, PartialEq)]
pub struct UpcasterManifest(pub(crate) wit_upcaster::Manifest);

impl UpcasterManifest {
    /// Says the least, to which at least one step must be added. See [`Manifest::new`].
    pub fn new(name: &str, version: &str, description: &str) -> Self {
        Self(wit_upcaster::Manifest {
            name: name.into(),
            version: version.into(),
            description: description.into(),
            steps: Vec::new(),
            payload_encoding: PayloadEncoding::Cbor,
        })
    }

    /// Adds the step that lifts an event type from a schema version to the next.
    #[must_use]
    pub fn step(self, event_type: &str, schema_version: u32) -> Self {
        self.any_step(event_type, schema_version, None)
    }

    /// Adds a step that also gives the events a new type.
    #[must_use]
    pub fn renaming_step(self, event_type: &str, schema_version: u32, new_event_type: &str) -> Self {
        self.any_step(event_type, schema_version, Some(new_event_type))
    }

    fn any_step(mut self, event_type: &str, schema_version: u32, new_event_type: Option<&str>) -> Self {
        let event_type = event_type.into();
        let new_event_type = new_event_type.map(String::from);
        self.0.steps.push(wit_upcaster::Step { event_type, schema_version, new_event_type });
        self
    }
}

impl From<Manifest> for wit::Manifest {
    fn from(manifest: Manifest) -> Self {
        manifest.0
    }
}

impl From<UpcasterManifest> for wit_upcaster::Manifest {
    fn from(manifest: UpcasterManifest) -> Self {
        manifest.0
    }
}
