//! `/plugins/contents`: what is in a plugin's file, without compiling or running any of it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::Host;
use super::accept::Form;
use super::answer::{blocking, must_be, read_body};
use super::model::{Contents, CustomSections, Dependency, Extent, Import, Module, Producer};
use super::params::NoParams;
use super::plugins::{COMPONENT, kind};
use super::problem::Problem;
use crate::engine::{self, MEMORY_BYTES_MAX, PLUGIN_BYTES_MAX};

/// Lists what is in a file, without compiling or running any of it.
///
/// That works for files too that this host could not install; then it says why.
#[utoipa::path(post, path = "/plugins/contents", tag = "plugins", operation_id = "list_contents",
    request_body(description = "A component or a core module, 64 MiB at most",
        content((Vec<u8> = "application/wasm"), (Vec<u8> = "application/octet-stream"))),
    responses((status = 200, description = "What is in it", body = Contents),
        (status = 422, description = "It is no WebAssembly")))]
pub(super) async fn of_file(
    State(host): State<Arc<Host>>,
    form: Form,
    _: NoParams,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    must_be(&headers, &COMPONENT)?;
    let bytes = read_body(body, PLUGIN_BYTES_MAX).await?;
    let contents = blocking(&host, move |_| Ok(shown(engine::contents(&bytes)?)));
    Ok(form.answer(StatusCode::OK, &contents.await?))
}

/// Lists what is in the file of an installed plugin.
#[utoipa::path(get, path = "/plugins/{reference}/contents", tag = "plugins", operation_id = "list_plugin_contents",
    params(("reference" = String, Path, description = "Name, `name@version`, or the start of the digest")),
    responses((status = 200, description = "What is in it", body = Contents), (status = 404),
        (status = 409, description = "Several plugins could be meant")))]
pub(super) async fn of_plugin(
    State(host): State<Arc<Host>>,
    form: Form,
    _: NoParams,
    Path(reference): Path<String>,
) -> Result<Response, Problem> {
    let contents = blocking(&host, move |engine| {
        let digest = engine.find_plugin(&reference)?.digest();
        Ok(shown(engine::contents(&engine.plugin_bytes(digest)?)?))
    });
    Ok(form.answer(StatusCode::OK, &contents.await?))
}

fn shown(contents: engine::Contents) -> Contents {
    let sum = |of: fn(&engine::Module) -> u64| contents.modules.iter().map(of).fold(0, u64::saturating_add);
    let memory =
        |module: &engine::Module| module.memories.iter().map(|memory| memory.minimum).fold(0, u64::saturating_add);
    let (found, refused) = match contents.plugin {
        Ok(ref inspection) => (Some(inspection), None),
        Err(ref refused) => (None, Some(refused.to_string())),
    };
    Contents {
        form: if contents.is_component { "component" } else { "module" }.to_owned(),
        bytes: contents.bytes,
        digest: contents.digest.to_string(),
        kind: found.map(|found| kind(found.kind.into())),
        abi: found.map(|found| found.abi.to_owned()),
        refused,
        functions: sum(|module| module.functions),
        code_bytes: sum(|module| module.code_bytes),
        data_bytes: sum(|module| module.data_bytes),
        memory_bytes_minimum: sum(memory),
        memory_bytes_allowed: MEMORY_BYTES_MAX as u64,
        imports: contents.imports.into_iter().map(import).collect(),
        exports: contents.exports,
        modules: contents.modules.into_iter().map(module).collect(),
        components: contents.components,
        custom_sections: contents.custom_sections.into_iter().map(custom).collect(),
        producers: contents.producers.into_iter().map(producer).collect(),
        about: contents.about,
        dependencies: contents.dependencies.into_iter().map(dependency).collect(),
        left_out: contents.left_out,
    }
}

fn import(engine::Import { name, given, is_offered }: engine::Import) -> Import {
    Import { name, given, is_offered }
}

fn module(module: engine::Module) -> Module {
    let extents = |extents: Vec<engine::Extent>| {
        extents.into_iter().map(|engine::Extent { minimum, maximum }| Extent { minimum, maximum }).collect()
    };
    Module {
        name: module.name,
        functions: module.functions,
        code_bytes: module.code_bytes,
        data_bytes: module.data_bytes,
        memories: extents(module.memories),
        tables: extents(module.tables),
    }
}

fn custom((name, engine::Sections { count, bytes }): (String, engine::Sections)) -> CustomSections {
    CustomSections { name, count, bytes }
}

fn producer(engine::Producer { field, name, version }: engine::Producer) -> Producer {
    Producer { field, name, version }
}

fn dependency(engine::Dependency { name, version, source }: engine::Dependency) -> Dependency {
    Dependency { name, version, source }
}
