//! Getting a plugin from a registry: its manifest, then its only layer, both verified.

use std::fmt::Display;

use super::http::{Size, Way};
use super::{CONFIG, Descriptor, Error, LAYER, Login, MANIFEST, MINISIG, Manifest, Reference, block_on, sha256};
use crate::engine::{PLUGIN_BYTES_MAX, SIGNATURE_BYTES_MAX};

/// An index of several images: what `docker buildx` makes, and no plugin.
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// One layer, one config, and annotations: 1 MiB is far more than that.
const MANIFEST_BYTES_MAX: usize = 1 << 20;
/// What a registry says of the content that it sends.
const DIGEST_HEADER: &str = "docker-content-digest";

/// A plugin's file with what the registry keeps beside it.
pub(in crate::cli) struct Pulled {
    pub(in crate::cli) bytes: Vec<u8>,
    /// The text of a minisign signature.
    pub(in crate::cli) signature: Option<String>,
    /// The reference and the digest of the manifest that it stood for.
    pub(in crate::cli) source: String,
}

/// Gets a plugin. What comes is verified against the digests that name it, of which the first may be in the reference.
pub(in crate::cli) fn pull(reference: &Reference, login: &Login) -> Result<Pulled, Error> {
    let mut way = Way::open(reference, login.credentials()?, login.patience())?;
    block_on(async {
        let (manifest, digest) = manifest(&mut way, reference).await?;
        let layer = only_layer(reference, &manifest)?;
        let bytes = blob(&mut way, reference, layer).await?;
        let signature = manifest.annotations.get(MINISIG).cloned();
        if signature.as_ref().is_some_and(|text| text.len() > SIGNATURE_BYTES_MAX) {
            let why = format!("its signature is larger than the {SIGNATURE_BYTES_MAX} bytes that one may have");
            return Err(Error::Refused(format!("{reference}: {why}")));
        }
        Ok(Pulled { bytes, signature, source: format!("{}@{digest}", reference.without_digest()) })
    })
}

/// The manifest that a reference stands for, and its digest.
async fn manifest(way: &mut Way<'_>, reference: &Reference) -> Result<(Manifest, String), Error> {
    let pinned = reference.inner.digest();
    let name = pinned.or(reference.inner.tag()).unwrap_or("latest");
    let accept = format!("{MANIFEST}, {INDEX}");
    let response = way.get(&format!("manifests/{name}"), &accept, Size::Small).await?;
    let said = response.headers().get(DIGEST_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = way.read(response, MANIFEST_BYTES_MAX, "the manifest").await?;
    let digest = sha256(&body);
    let expected = pinned.or(said.as_deref().filter(|said| said.starts_with("sha256:")));
    if let Some(expected) = expected.filter(|expected| **expected != digest) {
        return Err(other_content(reference, "the manifest", expected, &digest));
    }
    let refused = |why: &dyn Display| Error::Refused(format!("{reference} is no plugin: {why}"));
    let shape: Shape = serde_json::from_slice(&body).map_err(|error| refused(&error))?;
    if shape.manifests.is_some() {
        return Err(refused(&"it is an index of several images, of which none is named"));
    }
    let manifest: Manifest = serde_json::from_slice(&body).map_err(|error| refused(&error))?;
    if let Some(media_type) = manifest.media_type.as_ref().filter(|media_type| *media_type != MANIFEST) {
        return Err(refused(&format!("it says of itself that it is {:?}, not {MANIFEST}", shown(media_type))));
    }
    if manifest.schema_version != 2 {
        return Err(refused(&format!("its manifest is of version {}, and 2 is known", manifest.schema_version)));
    }
    Ok((manifest, digest))
}

#[derive(serde::Deserialize)]
struct Shape {
    manifests: Option<serde::de::IgnoredAny>,
}

/// The layer that is the plugin.
fn only_layer<'a>(reference: &Reference, manifest: &'a Manifest) -> Result<&'a Descriptor, Error> {
    let refused = |why: String| Err(Error::Refused(format!("{reference} is no WebAssembly artifact: {why}")));
    let config = &manifest.config.media_type;
    if config != CONFIG {
        return refused(format!("its config is of type {:?}, not {CONFIG}", shown(config)));
    }
    let [layer] = manifest.layers.as_slice() else {
        return refused(format!("it has {} layers, and a plugin is one", manifest.layers.len()));
    };
    if layer.media_type != LAYER {
        return refused(format!("its layer is of type {:?}, not {LAYER}", shown(&layer.media_type)));
    }
    let hex = layer.digest.strip_prefix("sha256:").unwrap_or_default();
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()) {
        return refused(format!("its layer has the digest {:?}, which is no sha256", shown(&layer.digest)));
    }
    if layer.size > PLUGIN_BYTES_MAX as u64 {
        return refused(format!("its layer has {} bytes, and a plugin {PLUGIN_BYTES_MAX} at most", layer.size));
    }
    Ok(layer)
}

/// As much of a foreign text as a message should have.
fn shown(text: &str) -> &str {
    &text[..text.floor_char_boundary(100)]
}

async fn blob(way: &mut Way<'_>, reference: &Reference, layer: &Descriptor) -> Result<Vec<u8>, Error> {
    let size = usize::try_from(layer.size).unwrap_or(PLUGIN_BYTES_MAX);
    let response = way.get(&format!("blobs/{}", layer.digest), "*/*", Size::Large).await?;
    let bytes = way.read(response, size, "the layer").await?;
    let found = sha256(&bytes);
    if found != layer.digest {
        return Err(other_content(reference, "the layer", &layer.digest, &found));
    }
    Ok(bytes)
}

fn other_content(reference: &Reference, what: &str, expected: &str, found: &str) -> Error {
    Error::Refused(format!(
        "{reference}: {what} that the registry sends is not the one that was named: {} was expected, and {found} came",
        shown(expected)
    ))
}
