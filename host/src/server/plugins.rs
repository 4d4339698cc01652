//! `/plugins`: what is installed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::Host;
use super::accept::{Form, LongForm};
use super::answer::{blocking, must_be, read_body};
use super::model::{Compiling, Installed, Plugin, PluginDetails, Step, View};
use super::origin::{Origin, shown_signature, shown_source};
use super::params::{NoParams, Params};
use super::problem::Problem;
use super::sse;
use crate::engine::{self, Engine, InstalledPlugin, PLUGIN_BYTES_MAX, PluginKind, ProjectionManifest, StateEncoding};

/// The types that a component comes as: its own, and the one of a client that knows none.
pub(super) const COMPONENT: [&str; 2] = ["application/wasm", "application/octet-stream"];

type Answered = Result<Response, Problem>;

/// Checks a WebAssembly component and installs it.
///
/// A core module is wrapped as a component first. An upcaster changes what projections are given, so those that it
/// concerns are built anew beside themselves. With `Accept: text/event-stream` events `progress` count the functions that
/// are compiled, then comes `result` or `error`.
///
/// A signature is checked against the trusted publishers' keys before anything else of the plugin is looked at. One that
/// does not hold is refused, and so is, where a signature is required, whatever no trusted publisher signed.
#[utoipa::path(post, path = "/plugins", tag = "plugins", operation_id = "install_plugin",
    params(("require_signature" = Option<bool>, Query, description = "Refuse it unless a trusted publisher signed it"),
        ("polyfold-signature" = Option<String>, Header, description = "The text of a minisign signature of the body, in base64"),
        ("polyfold-source" = Option<String>, Header, description = "Where it was got from: `oci://HOST/REPOSITORY:TAG@sha256:DIGEST`")),
    request_body(description = "The component, 64 MiB at most",
        content((Vec<u8> = "application/wasm"), (Vec<u8> = "application/octet-stream"))),
    responses((status = 201, description = "It is new", body = Installed),
        (status = 200, description = "It was there and in force before, or the installation is followed",
            content((Installed = "application/json"), (Installed = "application/cbor"), ("text/event-stream"))),
        (status = 422, description = "It is no plugin that this host can run, or not signed as it must be")))]
pub(super) async fn install(
    State(host): State<Arc<Host>>,
    form: LongForm,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    must_be(&headers, &COMPONENT)?;
    let origin = Origin::of(&headers, &params)?;
    let bytes = read_body(body, PLUGIN_BYTES_MAX).await?;
    let LongForm::Whole(form) = form else {
        return Ok(sse::long(host, form, move |engine, watch| installed(engine, &origin, &bytes, watch)).await);
    };
    let installed = blocking(&host, move |engine| installed(engine, &origin, &bytes, &mut |_| {})).await?;
    let status = if installed.known { StatusCode::OK } else { StatusCode::CREATED };
    Ok(form.answer(status, &installed))
}

fn installed(
    engine: &Engine,
    origin: &Origin,
    bytes: &[u8],
    watch: &mut (dyn FnMut(Compiling) + Send),
) -> Result<Installed, Problem> {
    let mut watch = |now: engine::Compiling| {
        watch(Compiling { functions: now.functions, functions_total: now.functions_total });
    };
    let engine::Installed { plugin, known, rebuilt } = engine.install_offered(&origin.offer(bytes), &mut watch)?;
    Ok(Installed { plugin: shown(engine, &plugin), known, rebuilt })
}

/// Lists installed plugins.
#[utoipa::path(get, path = "/plugins", tag = "plugins", operation_id = "list_plugins",
    responses((status = 200, description = "All plugins", body = Vec<Plugin>)))]
pub(super) async fn list(State(host): State<Arc<Host>>, form: Form, _: NoParams) -> Answered {
    let plugins = blocking(&host, |engine| {
        Ok(engine.installed_plugins().iter().map(|plugin| shown(engine, plugin)).collect::<Vec<_>>())
    });
    Ok(form.answer(StatusCode::OK, &plugins.await?))
}

/// All that a plugin says of itself.
#[utoipa::path(get, path = "/plugins/{reference}", tag = "plugins", operation_id = "show_plugin",
    params(("reference" = String, Path, description = "Name, `name@version`, or the start of the digest")),
    responses((status = 200, description = "The plugin", body = PluginDetails), (status = 404),
        (status = 409, description = "Several plugins could be meant")))]
pub(super) async fn inspect(
    State(host): State<Arc<Host>>,
    form: Form,
    _: NoParams,
    Path(reference): Path<String>,
) -> Answered {
    let details = blocking(&host, move |engine| {
        let plugin = engine.find_plugin(&reference)?;
        let digest = plugin.digest();
        let details = details(&engine.plugin_bytes(digest)?, &engine.load_plugin(digest)?)?;
        let (signature, source) = (shown_signature(engine, &plugin), shown_source(&plugin));
        Ok(PluginDetails { signature, source, ..details })
    });
    Ok(form.answer(StatusCode::OK, &details.await?))
}

/// All that a component says of itself, without installing it. It is compiled and asked, so where a signature is required
/// that is refused.
#[utoipa::path(post, path = "/plugins/inspect", tag = "plugins", operation_id = "inspect_plugin",
    request_body(description = "The component, 64 MiB at most",
        content((Vec<u8> = "application/wasm"), (Vec<u8> = "application/octet-stream"))),
    responses((status = 200, description = "What it says of itself", body = PluginDetails),
        (status = 422, description = "It is no plugin that this host can run")))]
pub(super) async fn examine(
    State(host): State<Arc<Host>>,
    form: Form,
    _: NoParams,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    must_be(&headers, &COMPONENT)?;
    let bytes = read_body(body, PLUGIN_BYTES_MAX).await?;
    let details = blocking(&host, move |engine| details(&bytes, &engine.examine(&bytes)?));
    Ok(form.answer(StatusCode::OK, &details.await?))
}

/// Removes a plugin that no projection uses.
#[utoipa::path(delete, path = "/plugins/{reference}", tag = "plugins", operation_id = "remove_plugin",
    params(("reference" = String, Path, description = "Name, `name@version`, or the start of the digest")),
    responses((status = 200, description = "What was removed", body = Installed), (status = 404),
        (status = 409, description = "A projection uses it, or several plugins could be meant")))]
pub(super) async fn remove(
    State(host): State<Arc<Host>>,
    form: Form,
    _: NoParams,
    Path(reference): Path<String>,
) -> Answered {
    let removed = blocking(&host, move |engine| {
        let (plugin, rebuilt) = engine.remove_plugin(&reference)?;
        Ok(Installed { plugin: shown(engine, &plugin), known: true, rebuilt })
    });
    Ok(form.answer(StatusCode::OK, &removed.await?))
}

pub(super) fn kind(kind: PluginKind) -> String {
    match kind {
        PluginKind::Projection => "projection".to_owned(),
        PluginKind::Upcaster => "upcaster".to_owned(),
    }
}

fn shown(engine: &Engine, plugin: &InstalledPlugin) -> Plugin {
    Plugin {
        digest: plugin.digest.clone(),
        kind: kind(plugin.kind),
        name: plugin.name.clone(),
        version: plugin.version.clone(),
        description: plugin.description.clone(),
        abi: plugin.abi.clone(),
        bytes: plugin.bytes,
        signature: shown_signature(engine, plugin),
        source: shown_source(plugin),
    }
}

fn details(bytes: &[u8], plugin: &engine::Plugin) -> Result<PluginDetails, Problem> {
    let inspection = engine::inspect(bytes)?;
    let named = |of: PluginKind, name: String, version: &str, description: &str| PluginDetails {
        kind: kind(of),
        name,
        version: version.to_owned(),
        description: description.to_owned(),
        digest: plugin.digest().to_string(),
        abi: plugin.abi().to_owned(),
        export: inspection.export,
        imports: inspection.imports,
        event_types: None,
        categories: None,
        state_encoding: None,
        views: Vec::new(),
        steps: Vec::new(),
        signature: None,
        source: None,
    };
    Ok(match plugin {
        engine::Plugin::Projection(projection) => {
            let manifest = projection.manifest();
            let name = manifest.name.to_string();
            of_projection(named(PluginKind::Projection, name, &manifest.version, &manifest.description), manifest)
        }
        engine::Plugin::Upcaster(upcaster) => {
            let manifest = upcaster.manifest();
            let name = manifest.name.to_string();
            let details = named(PluginKind::Upcaster, name, &manifest.version, &manifest.description);
            PluginDetails { steps: manifest.steps.iter().map(step).collect(), ..details }
        }
    })
}

fn of_projection(details: PluginDetails, manifest: &ProjectionManifest) -> PluginDetails {
    let view = |view: &engine::View| View {
        name: view.name.clone(),
        prefix: view.prefix.clone(),
        description: view.description.clone(),
    };
    let encoding = match manifest.state_encoding {
        StateEncoding::Cbor => "cbor",
        StateEncoding::Json => "json",
        StateEncoding::Text => "text",
        StateEncoding::Bytes => "bytes",
    };
    PluginDetails {
        event_types: Some(manifest.filter.event_types.iter().cloned().collect()),
        categories: Some(manifest.filter.categories.iter().cloned().collect()),
        state_encoding: Some(encoding.to_owned()),
        views: manifest.views.iter().map(view).collect(),
        ..details
    }
}

fn step(step: &engine::Step) -> Step {
    Step {
        event_type: step.event_type.to_string(),
        from: step.from.0,
        to: step.from.0 + 1,
        new_event_type: step.new_event_type.as_ref().map(ToString::to_string),
    }
}
