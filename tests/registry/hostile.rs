//! A registry whose repositories each get another thing wrong, by their names.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, LOCATION, WWW_AUTHENTICATE};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

use crate::provenance::ACME;

/// What `ada` and `secret` make.
const LOGIN: &str = "Basic YWRhOnNlY3JldA==";

pub(super) struct Registry {
    pub(super) address: SocketAddr,
    shop: Arc<Shop>,
    _runtime: Runtime,
}

/// What the registry has, and what it was asked.
struct Shop {
    address: SocketAddr,
    /// Where blobs lie that are not here: another registry to a client, since its port is another.
    elsewhere: SocketAddr,
    plugin: Vec<u8>,
    requests: AtomicU64,
    logins_elsewhere: AtomicU64,
    endless_bytes: AtomicU64,
}

impl Registry {
    pub(super) fn start(plugin: Vec<u8>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let bind = || runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let (here, elsewhere) = (bind(), bind());
        let address = here.local_addr().unwrap();
        let shop = Arc::new(Shop {
            address,
            elsewhere: elsewhere.local_addr().unwrap(),
            plugin,
            requests: AtomicU64::new(0),
            logins_elsewhere: AtomicU64::new(0),
            endless_bytes: AtomicU64::new(0),
        });
        let serve = |listener, router: Router| runtime.spawn(async { axum::serve(listener, router).await.unwrap() });
        serve(here, Router::new().fallback(answer).with_state(Arc::clone(&shop)));
        serve(elsewhere, Router::new().fallback(stored_elsewhere).with_state(Arc::clone(&shop)));
        Self { address, shop, _runtime: runtime }
    }

    pub(super) fn manifest_digest(&self, name: &str) -> String {
        sha256(&manifest(&self.shop, name))
    }

    pub(super) fn requests(&self) -> u64 {
        self.shop.requests.load(Ordering::Relaxed)
    }

    pub(super) fn logins_elsewhere(&self) -> u64 {
        self.shop.logins_elsewhere.load(Ordering::Relaxed)
    }

    pub(super) fn endless_bytes(&self) -> u64 {
        self.shop.endless_bytes.load(Ordering::Relaxed)
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

async fn answer(State(shop): State<Arc<Shop>>, request: Request) -> Response {
    shop.requests.fetch_add(1, Ordering::Relaxed);
    let path = request.uri().path().to_owned();
    let login = request.headers().get(AUTHORIZATION).map(|login| login.to_str().unwrap().to_owned());
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["", "token"] => token(login.as_deref()),
        ["", "endless-token"] => endless(&shop, 200),
        ["", "v2", name, "manifests", _] => match refusal(&shop, name, login.as_deref()) {
            Some(refusal) => refusal,
            None => send_manifest(&shop, name),
        },
        ["", "v2", name, "blobs", _] => match refusal(&shop, name, login.as_deref()) {
            Some(refusal) => refusal,
            None => send_blob(&shop, name).await,
        },
        _ => empty(404),
    }
}

async fn stored_elsewhere(State(shop): State<Arc<Shop>>, request: Request) -> Response {
    if request.headers().contains_key(AUTHORIZATION) {
        shop.logins_elsewhere.fetch_add(1, Ordering::Relaxed);
    }
    shop.plugin.clone().into_response()
}

/// Asks for a login where the repository wants one, and there is none or a wrong one.
fn refusal(shop: &Shop, name: &str, login: Option<&str>) -> Option<Response> {
    let address = shop.address;
    let (wanted, challenge) = match name {
        "basic" | "blob-elsewhere" => (LOGIN, "Basic realm=\"here\"".to_owned()),
        "token" => ("Bearer t0ken", format!("Bearer realm=\"http://{address}/token\",service=\"here\"")),
        "token-in-the-clear" => ("-", "Bearer realm=\"http://registry.example/token\"".to_owned()),
        "endless-token" => ("-", format!("Bearer realm=\"http://{address}/endless-token\"")),
        _ => return None,
    };
    (login != Some(wanted)).then(|| (status(401), [(WWW_AUTHENTICATE, challenge)]).into_response())
}

fn token(login: Option<&str>) -> Response {
    if login == Some(LOGIN) { axum::Json(json!({ "token": "t0ken" })).into_response() } else { empty(401) }
}

fn send_manifest(shop: &Arc<Shop>, name: &str) -> Response {
    match name {
        "missing" => empty(404),
        "broken" => (status(500), "\u{1b}[2Jout of order").into_response(),
        "endless-error" => endless(shop, 500),
        "endless-manifest" => endless(shop, 200),
        "manifest-elsewhere" => redirect(&format!("http://{}/manifest", shop.elsewhere)),
        "silent" => Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>()).into_response(),
        "lying-header" => ([("docker-content-digest", sha256(b"other"))], manifest(shop, name)).into_response(),
        _ => manifest(shop, name).into_response(),
    }
}

async fn send_blob(shop: &Arc<Shop>, name: &str) -> Response {
    let mut bytes = shop.plugin.clone();
    match name {
        "other-blob" => bytes[100] ^= 1,
        "short-blob" => drop(bytes.pop()),
        "long-blob" => bytes.push(0),
        "endless-blob" => return endless(shop, 200),
        "missing-blob" => return empty(404),
        "silent-blob" => {
            let first = futures_util::stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"\0asm"))]);
            return Body::from_stream(first.chain(futures_util::stream::pending())).into_response();
        }
        "cut-off" => {
            let parts = [Ok(Bytes::from_static(b"\0asm")), Err(std::io::Error::other("the line is dead"))];
            return Body::from_stream(futures_util::stream::iter(parts)).into_response();
        }
        "no-plugin" => bytes = b"nothing".to_vec(),
        "blob-elsewhere" => return redirect(&format!("http://{}/blob", shop.elsewhere)),
        "blob-in-the-clear" => return redirect("http://registry.example/blob"),
        "blob-in-circles" => return redirect(&format!("http://{}/v2/{name}/blobs/again", shop.address)),
        _ => {}
    }
    bytes.into_response()
}

fn manifest(shop: &Shop, name: &str) -> Vec<u8> {
    let (mut config, mut layer) = ("application/vnd.wasm.config.v0+json", "application/wasm");
    let (mut digest, mut size, mut version) = (sha256(&shop.plugin), shop.plugin.len() as u64, 2);
    let mut annotations = json!({});
    match name {
        "wrong-config" => config = "application/vnd.oci.image.config.v1+json",
        "wrong-layer" => layer = "application/vnd.oci.image.layer.v1.tar",
        "odd-digest" => digest = "sha256:../../../other".to_owned(),
        "large-layer" => size = (64 << 20) + 1,
        "old-manifest" => version = 1,
        "no-plugin" => (digest, size) = (sha256(b"nothing"), 7),
        "signed" => annotations = json!({ "com.polyfold.minisig": ACME.sign(&shop.plugin) }),
        "long-signature" => annotations = json!({ "com.polyfold.minisig": "x".repeat(8_193) }),
        "no-json" => return b"<html>".to_vec(),
        "index" => return json!({ "schemaVersion": 2, "manifests": [] }).to_string().into_bytes(),
        _ => {}
    }
    let layer = json!({ "mediaType": layer, "digest": digest, "size": size });
    let layers: Vec<Value> = match name {
        "two-layers" => vec![layer.clone(), layer],
        "no-layers" => Vec::new(),
        _ => vec![layer],
    };
    let config = json!({ "mediaType": config, "digest": sha256(b"{}"), "size": 2 });
    let mut manifest =
        json!({ "schemaVersion": version, "config": config, "layers": layers, "annotations": annotations });
    if name == "says-index" {
        manifest["mediaType"] = json!("application/vnd.oci.image.index.v1+json");
    }
    manifest.to_string().into_bytes()
}

/// An answer that goes on as long as somebody takes it.
fn endless(shop: &Arc<Shop>, code: u16) -> Response {
    const CHUNK: &[u8] = &[b' '; 16 << 10];
    let shop = Arc::clone(shop);
    let chunks = futures_util::stream::repeat_with(move || {
        shop.endless_bytes.fetch_add(CHUNK.len() as u64, Ordering::Relaxed);
        Ok::<_, Infallible>(Bytes::from_static(CHUNK))
    });
    (status(code), Body::from_stream(chunks)).into_response()
}

fn redirect(url: &str) -> Response {
    (status(307), [(LOCATION, url)]).into_response()
}

fn status(code: u16) -> axum::http::StatusCode {
    axum::http::StatusCode::from_u16(code).unwrap()
}

fn empty(code: u16) -> Response {
    status(code).into_response()
}
