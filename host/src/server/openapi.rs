//! The OpenAPI document: what the routes say of themselves, and what is true of all of them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Content, InfoBuilder, LicenseBuilder, OpenApi, Ref, RefOr};
use utoipa::{PartialSchema as _, ToSchema as _};

use super::Host;
use super::accept::{CBOR, EVENT_STREAM, JSON};
use super::params::NoParams;
use super::problem::Problem;

const PROBLEM: &str = "application/problem+json";

const TAGS: [(&str, &str); 10] = [
    ("log", "The event log as a whole."),
    ("events", "Appending events, reading and following them."),
    ("plugins", "WebAssembly components: projections and upcasters."),
    ("projections", "States that plugins fold from events."),
    ("state", "What readers ask of a projection."),
    ("erasure", "Encryption by a key for each stream, and what is to be forgotten."),
    ("receipts", "What the host signs, and anyone can check."),
    ("tokens", "Who may do what."),
    ("operation", "For who runs the host."),
    ("description", "This document."),
];

/// Describes every route (OpenAPI 3.1).
#[utoipa::path(get, path = "/openapi.json", tag = "description", operation_id = "describe",
    responses((status = 200, description = "The OpenAPI document", body = serde_json::Value)))]
pub(super) async fn show(State(host): State<Arc<Host>>, _: NoParams) -> Response {
    (StatusCode::OK, [(CONTENT_TYPE, JSON)], host.document()).into_response()
}

/// Adds what is true of every route.
pub(super) fn complete(mut api: OpenApi) -> OpenApi {
    open_receipts(&mut api);
    let license = LicenseBuilder::new().name("Apache-2.0 OR MIT").identifier(Some(env!("CARGO_PKG_LICENSE"))).build();
    api.info = InfoBuilder::new()
        .title("polyfold")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Keeps events and folds them into states with WebAssembly plugins. Every answer in JSON can be had as CBOR (`Accept: application/cbor`)."))
        .license(Some(license))
        .build();
    let tags = TAGS.map(|(name, what)| TagBuilder::new().name(name).description(Some(what)).build());
    api.tags = Some(tags.into());
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
        "`polyfold token create` makes one. It is needed from other machines; on this one it may be left out, unless the host requires it.",
    ));
    let components = api.components.get_or_insert_default();
    components.security_schemes.insert("token".to_owned(), RefOr::T(SecurityScheme::Http(token.build())));
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    components.schemas.extend(schemas);
    let nothing: [&str; 0] = [];
    api.security = Some(vec![SecurityRequirement::default(), SecurityRequirement::new("token", nothing)]);
    let paths = std::mem::take(&mut api.paths.paths);
    for (path, mut item) in paths {
        operations(&mut item).for_each(fill);
        // The router's mark of a parameter that may have slashes means nothing elsewhere.
        api.paths.paths.insert(path.replace("{*", "{"), item);
    }
    api
}

/// What kind of receipt it is stands beside its fields, in another part of the schema: neither part may say that it is all.
fn open_receipts(api: &mut OpenApi) {
    let schemas = api.components.as_mut().map(|components| &mut components.schemas);
    for (name, schema) in schemas.into_iter().flatten() {
        if let ("StateReceipt" | "LogReceipt", RefOr::T(utoipa::openapi::Schema::Object(object))) =
            (name.as_str(), schema)
        {
            object.additional_properties = None;
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
}

fn fill(operation: &mut Operation) {
    let mut parameters = operation.parameters.take().unwrap_or_default();
    for parameter in &mut parameters {
        if let RefOr::T(parameter) = parameter {
            without_null(parameter);
        }
    }
    let has_path = parameters.iter().any(|it| matches!(it, RefOr::T(it) if it.parameter_in == ParameterIn::Path));
    operation.parameters = (!parameters.is_empty()).then_some(parameters);
    let mut refused = vec![("400", "The request cannot be read: its path, query, headers or body")];
    if operation.security.is_none() {
        refused.push(("401", "A token is needed, or the one shown is none"));
        refused.push(("403", "The token is not for this"));
    }
    if has_path {
        refused.push(("404", "There is no such thing"));
    }
    if operation.request_body.is_some() {
        refused.push(("413", "The body is too large"));
        refused.push(("415", "The body is of a type that is not read here"));
    }
    refused.extend([
        ("406", "The answer cannot be written as the client wants it"),
        ("503", "The host is shutting down, or busy"),
        ("default", "A problem"),
    ]);
    for (status, description) in refused {
        let missing = || RefOr::T(ResponseBuilder::new().description(description).build());
        operation.responses.responses.entry(status.to_owned()).or_insert_with(missing);
    }
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let is_problem = status.as_bytes()[0] != b'2';
        if is_problem && response.content.is_empty() {
            let problem = || Content::new(Some(Ref::from_schema_name("Problem")));
            response.content.insert(PROBLEM.to_owned(), RefOr::T(problem()));
            response.content.insert(CBOR.to_owned(), RefOr::T(problem()));
        }
        // Its events are of several shapes, and no text as a whole.
        if let Some(RefOr::T(events)) = response.content.get_mut(EVENT_STREAM) {
            events.schema = None;
        }
        if response.description.is_empty() {
            status_text(status).clone_into(&mut response.description);
        }
        if let Some(content) =
            response.content.get(JSON).filter(|_| operation.operation_id.as_deref() != Some("describe"))
        {
            let content = content.clone();
            response.content.insert(CBOR.to_owned(), content);
        }
    }
}

fn status_text(status: &str) -> &str {
    StatusCode::from_bytes(status.as_bytes()).ok().and_then(|status| status.canonical_reason()).unwrap_or("A problem")
}

/// What may be left out has no value `null` in a query.
fn without_null(parameter: &mut Parameter) {
    let schema = match &mut parameter.schema {
        Some(RefOr::T(Schema::Object(object))) => {
            // Where nothing else is said a number is a position, which has 64 bits.
            if object.minimum.is_some() && object.maximum.is_none() {
                object.maximum = Some(utoipa::Number::UInt(usize::MAX));
            }
            &mut object.schema_type
        }
        Some(RefOr::T(Schema::Array(array))) => &mut array.schema_type,
        _ => return,
    };
    if let SchemaType::Array(types) = schema {
        types.retain(|it| *it != Type::Null);
        if let [only] = types.as_slice() {
            *schema = SchemaType::Type(only.clone());
        }
    }
}
