//! Installed plugins.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Signature, Source};

/// A plugin in the store.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Plugin {
    pub digest: String,
    /// `projection` or `upcaster`.
    pub kind: String,
    pub name: String,
    pub version: String,
    pub description: String,
    pub abi: String,
    pub bytes: u64,
    /// Absent if it came without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// Absent if it came as a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// What an installation or a removal did.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Installed {
    #[serde(flatten)]
    pub plugin: Plugin,
    /// Whether the very same plugin was there and in force before.
    pub known: bool,
    /// The projections whose events it changes; they are built anew.
    pub rebuilt: Vec<String>,
}

/// All that a plugin says of itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PluginDetails {
    pub kind: String,
    pub name: String,
    pub version: String,
    pub description: String,
    pub digest: String,
    pub abi: String,
    pub export: String,
    pub imports: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<View>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Absent if it is not installed, or came without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// A name for the keys with a prefix.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct View {
    pub name: String,
    pub prefix: String,
    pub description: String,
}

/// A step of an upcaster.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Step {
    pub event_type: String,
    pub from: u32,
    pub to: u32,
    pub new_event_type: Option<String>,
}
