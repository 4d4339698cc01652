//! Putting a plugin into a registry, as others' tools expect to find it there.

use std::collections::BTreeMap;

use axum::http::HeaderValue;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use serde::Serialize;

use super::{CONFIG, Credentials, Descriptor, Error, LAYER, Login, MANIFEST, MINISIG, Manifest, Reference};
use super::{block_on, install_provider, sha256};
use crate::engine::{self, Contents};

/// What an artifact's config says: the CNCF's layout.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    created: &'static str,
    architecture: &'static str,
    os: &'static str,
    layer_digests: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<Component>,
}

#[derive(Serialize)]
struct Component {
    exports: Vec<String>,
    imports: Vec<String>,
}

/// A plugin as it lies in a registry now.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Pushed {
    pub(in crate::cli) reference: String,
    /// Of the manifest: what pins it.
    pub(in crate::cli) digest: String,
    pub(in crate::cli) bytes: u64,
    pub(in crate::cli) signed: bool,
}

/// Pushes a file under a tag. The same file with the same signature has the same digest wherever it is pushed.
pub(in crate::cli) fn push(
    reference: &Reference,
    login: &Login,
    bytes: Vec<u8>,
    signature: Option<String>,
) -> Result<Pushed, Error> {
    if reference.inner.digest().is_some() {
        return Err(Error::Usage(format!("{reference}: a digest is what a push makes; name a tag")));
    }
    let contents = engine::contents(&bytes).map_err(|error| Error::Refused(error.to_string()))?;
    let (size, signed) = (bytes.len() as u64, signature.is_some());
    let layer = Descriptor { media_type: LAYER.to_owned(), digest: sha256(&bytes), size };
    let config = json(&config(contents, &layer));
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST.to_owned()),
        artifact_type: None,
        config: Descriptor { media_type: CONFIG.to_owned(), digest: sha256(&config), size: config.len() as u64 },
        annotations: signature.map(|text| (MINISIG.to_owned(), text)).into_iter().collect::<BTreeMap<_, _>>(),
        layers: vec![layer],
    };
    let body = json(&manifest);
    let digest = sha256(&body);
    let credentials = login.credentials()?;
    block_on(async {
        let client = client(reference, login)?;
        let failed = |error| failed(reference, credentials.as_ref(), error);
        client.store_auth_if_needed(reference.host(), &auth(credentials.clone())).await;
        let [layer] = manifest.layers.as_slice() else { unreachable!("it was made with one") };
        client.push_blob(&reference.inner, bytes, &layer.digest).await.map_err(failed)?;
        client.push_blob(&reference.inner, config, &manifest.config.digest).await.map_err(failed)?;
        let media_type = HeaderValue::from_static(MANIFEST);
        client.push_manifest_raw(&reference.inner, body, media_type).await.map_err(failed)?;
        Ok(())
    })?;
    Ok(Pushed { reference: reference.to_string(), digest, bytes: size, signed })
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("it is plain data")
}

fn config(contents: Contents, layer: &Descriptor) -> Config {
    Config {
        // Not the time of day, which would give the same file another digest every time.
        created: "1970-01-01T00:00:00Z",
        architecture: "wasm",
        os: if contents.is_component { "wasip2" } else { "wasip1" },
        layer_digests: vec![layer.digest.clone()],
        component: contents.is_component.then(|| Component {
            exports: contents.exports,
            imports: contents.imports.into_iter().map(|import| import.name).collect(),
        }),
    }
}

fn client(reference: &Reference, login: &Login) -> Result<Client, Error> {
    install_provider();
    let config = ClientConfig {
        protocol: if reference.is_loopback() { ClientProtocol::Http } else { ClientProtocol::Https },
        connect_timeout: Some(std::time::Duration::from_secs(10)),
        read_timeout: Some(login.patience()),
        ..ClientConfig::default()
    };
    Client::try_from(config).map_err(|error| Error::Incomplete(format!("no connection can be made: {error}")))
}

fn auth(credentials: Option<Credentials>) -> RegistryAuth {
    credentials
        .map_or(RegistryAuth::Anonymous, |Credentials { username, password }| RegistryAuth::Basic(username, password))
}

fn failed(reference: &Reference, credentials: Option<&Credentials>, error: OciDistributionError) -> Error {
    use OciDistributionError as E;
    let host = reference.host();
    let is_login = match &error {
        E::AuthenticationFailure(_) | E::UnauthorizedError { .. } => true,
        E::ServerError { code, .. } => matches!(code, 401 | 403),
        _ => false,
    };
    match (is_login, credentials) {
        (true, Some(_)) => Error::Refused(format!("{host} does not let that user push to {reference}")),
        (true, None) => Error::Refused(format!("{host} wants to know who pushes: give --username and --password-file")),
        (false, _) => {
            let text = error.to_string();
            Error::Incomplete(format!("{reference} was not pushed: {}", text.escape_debug()))
        }
    }
}
