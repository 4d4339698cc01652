//! Where plugins come from, as it goes over the wire: signatures, sources, and whom to trust.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A plugin's signature, as it was found when the plugin was installed, and what it is worth now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Signature {
    pub standing: Standing,
    /// The key that the signature names, as minisign writes it.
    pub key_id: String,
    /// The publisher whose key verified it; absent if the key was unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// What the signer wrote beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_comment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<String>,
}

/// What a signature is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// A trusted publisher's.
    Trusted,
    /// No publisher with that key is known, so that nobody knows whether it holds.
    UnknownKey,
    /// The signer is trusted for other plugins only.
    OtherPlugin,
    /// It was checked when the signer's key did not count any more.
    Expired,
    /// The signer was trusted when it was checked, and is not any more.
    NoLongerTrusted,
}

/// Where a plugin was got from, as whoever installed it said.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// `oci://HOST/REPOSITORY:TAG`.
    pub reference: String,
    /// The digest of the manifest that the reference stood for, `sha256:…`.
    pub digest: String,
}

/// Whose plugins are trusted, and what follows from it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Trust {
    /// Whether only plugins that a trusted publisher signed may be installed and run.
    pub require_signature: bool,
    /// Whether the host was started so, whatever the trust file says.
    pub is_forced: bool,
    pub publishers: Vec<Publisher>,
}

/// A publisher whose plugins are trusted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Publisher {
    pub name: String,
    pub key_id: String,
    /// A minisign public key, one line of base64.
    pub key: String,
    /// Signatures that are checked later do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The only plugins for which the key counts; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A publisher who is to be trusted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPublisher {
    #[schema(pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+$", min_length = 1, max_length = 64)]
    pub name: String,
    /// A minisign public key: one line of base64, or the whole file.
    #[schema(max_length = 1024)]
    pub key: String,
    /// An RFC 3339 time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub comment: Option<String>,
}

/// What is to be required of plugins.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    pub require_signature: bool,
}
