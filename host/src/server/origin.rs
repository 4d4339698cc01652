//! What goes with a plugin's file beside its bytes: its signature and its source, in headers, and both as they are shown.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::model::{self, Signature};
use super::params::{Params, invalid};
use super::problem::Problem;
use crate::engine::{self, Engine, InstalledPlugin, Offer, SIGNATURE_BYTES_MAX, Standing};
use crate::event::Timestamp;

/// The text of a minisign signature, in base64 because a header is one line.
pub const SIGNATURE: &str = "polyfold-signature";
/// `oci://HOST/REPOSITORY:TAG@sha256:DIGEST`.
pub const SOURCE: &str = "polyfold-source";

/// The longest host, repository, tag and digest that there can be have some 700 bytes.
const SOURCE_BYTES_MAX: usize = 1 << 10;

/// What came with a plugin's bytes.
#[derive(Debug)]
pub(super) struct Origin {
    signature: Option<String>,
    source: Option<engine::Source>,
    require_signature: bool,
}

impl Origin {
    pub(super) fn of(headers: &HeaderMap, params: &Params) -> Result<Self, Problem> {
        params.only(&["require_signature"])?;
        Ok(Self {
            signature: signature(headers)?,
            source: source(headers)?,
            require_signature: params.flag("require_signature", false)?,
        })
    }

    pub(super) fn offer<'a>(&'a self, bytes: &'a [u8]) -> Offer<'a> {
        Offer {
            bytes,
            signature: self.signature.as_deref(),
            source: self.source.clone(),
            require_signature: self.require_signature,
            now: Timestamp::now(),
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let text = headers.get(name).map(|value| value.to_str());
    text.transpose().map_err(|_| invalid(format!("{name}: it must be plain text")))
}

fn signature(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(packed) = header(headers, SIGNATURE)? else { return Ok(None) };
    let wrong = |what: &str| invalid(format!("{SIGNATURE}: {what}; it must be a minisign signature in base64"));
    if packed.len() > SIGNATURE_BYTES_MAX.div_ceil(3) * 4 {
        return Err(wrong("it is too long"));
    }
    let text = STANDARD.decode(packed.trim()).map_err(|error| wrong(&error.to_string()))?;
    String::from_utf8(text).map(Some).map_err(|error| wrong(&error.to_string()))
}

fn source(headers: &HeaderMap) -> Result<Option<engine::Source>, Problem> {
    let Some(text) = header(headers, SOURCE)? else { return Ok(None) };
    let is_digest = |digest: &str| {
        let hex = digest.strip_prefix("sha256:").unwrap_or_default();
        hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    match text.rsplit_once('@') {
        Some((reference, digest))
            if text.len() <= SOURCE_BYTES_MAX && reference.starts_with("oci://") && is_digest(digest) =>
        {
            Ok(Some(engine::Source { reference: reference.to_owned(), digest: digest.to_owned() }))
        }
        Some(_) | None => {
            Err(invalid(format!("{SOURCE}: it must be oci://HOST/REPOSITORY:TAG@sha256:DIGEST, 1 KiB at most")))
        }
    }
}

/// A plugin's signature as it is shown; none if it is not signed.
pub(super) fn shown_signature(engine: &Engine, plugin: &InstalledPlugin) -> Option<Signature> {
    let signature = plugin.signature.as_ref()?;
    let standing = match engine.standing(plugin) {
        Standing::Trusted => model::Standing::Trusted,
        Standing::UnknownKey | Standing::Unsigned => model::Standing::UnknownKey,
        Standing::OtherPlugin => model::Standing::OtherPlugin,
        Standing::Expired => model::Standing::Expired,
        Standing::NoLongerTrusted => model::Standing::NoLongerTrusted,
    };
    let signer = signature.signer.as_ref();
    Some(Signature {
        standing,
        key_id: signature.key_id.clone(),
        signer: signer.map(|signer| signer.name.clone()),
        trusted_comment: signer.map(|signer| signer.trusted_comment.clone()),
        verified_at: signer.map(|signer| signer.verified_at.clone()),
    })
}

pub(super) fn shown_source(plugin: &InstalledPlugin) -> Option<model::Source> {
    let engine::Source { reference, digest } = plugin.source.clone()?;
    Some(model::Source { reference, digest })
}
