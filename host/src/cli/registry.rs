//! Plugins in OCI registries: the CNCF's layout of a WebAssembly artifact, pulled and pushed.
//!
//! ```text
//! manifest  application/vnd.oci.image.manifest.v1+json, its sha256 is what @sha256: pins
//! ├── config      application/vnd.wasm.config.v0+json
//! ├── layers[0]   application/wasm, the only one: the plugin's file
//! └── annotations com.polyfold.minisig: the text of the file's minisign signature, if it is signed
//! ```
//! A registry is nobody that has to be trusted: whatever it sends has an end, and what a digest names is verified. The
//! command does this itself and hands the host a file, so that a host that serves never sends requests to others.

mod http;
mod pull;
mod push;
mod reference;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::error::{Error, named};
use super::settings::Seconds;
use crate::engine::{SmallFileError, read_small};
pub(super) use pull::{Pulled, pull};
pub(super) use push::{Pushed, push};
pub(super) use reference::Reference;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";
const MINISIG: &str = "com.polyfold.minisig";

/// A password in a file has a line.
const PASSWORD_BYTES_MAX: usize = 4 << 10;

/// What somebody says to a registry.
#[derive(Clone, Debug, Args)]
pub(super) struct Login {
    /// With oci://: the user at the registry; without one nobody logs in.
    #[arg(long, env = "POLYFOLD_REGISTRY_USERNAME", value_name = "NAME")]
    username: Option<String>,

    /// With --username: the file with the password, or with a token that stands for it [default: the environment's
    /// POLYFOLD_REGISTRY_PASSWORD].
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,

    /// With oci://: how long the registry may be silent [default: 30].
    #[arg(long, value_name = "SECONDS", value_parser = super::settings::seconds)]
    timeout: Option<Seconds>,
}

/// A name and a password, which no message ever shows.
#[derive(Clone)]
struct Credentials {
    username: String,
    password: String,
}

impl Login {
    fn patience(&self) -> Duration {
        self.timeout.map_or(Duration::from_secs(30), |seconds| seconds.0)
    }

    fn credentials(&self) -> Result<Option<Credentials>, Error> {
        let Some(username) = self.username.clone() else { return Ok(None) };
        let password = match &self.password_file {
            Some(path) => {
                let text = read_small(path, PASSWORD_BYTES_MAX as u64 + 2).map_err(|error| match error {
                    SmallFileError::Missing(source) | SmallFileError::Io(source) => {
                        Error::File { path: path.clone(), source }
                    }
                    error @ (SmallFileError::Dangling
                    | SmallFileError::NoFile
                    | SmallFileError::TooLarge(_)
                    | SmallFileError::NotText) => Error::Usage(format!("{} holds no password: {error}", named(path))),
                })?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
            None => std::env::var("POLYFOLD_REGISTRY_PASSWORD").map_err(|_| {
                Error::Usage(
                    "--username needs --password-file, or POLYFOLD_REGISTRY_PASSWORD in the environment".into(),
                )
            })?,
        };
        if password.len() > PASSWORD_BYTES_MAX || password.contains(['\r', '\n']) {
            return Err(Error::Usage("the password must be one line of 4 KiB at most".to_owned()));
        }
        Ok(Some(Credentials { username, password }))
    }
}

/// What ties an artifact together.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    /// Of the config, where it is no WebAssembly's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    annotations: std::collections::BTreeMap<String, String>,
}

/// What names a piece of content.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

/// `sha256:` and the digest in hex, as registries write it.
fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Without it no client can be made. One serves the whole process; who installs it first has done it for all.
fn install_provider() {
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// Registries are talked to from one thread, which waits.
fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .map_err(|error| Error::Incomplete(format!("the operating system gives no runtime: {error}")))?
        .block_on(work)
}
