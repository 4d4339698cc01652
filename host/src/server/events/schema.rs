//! What `POST /events` reads, for the description: the parser reads raw JSON, so these shapes have no values.

use serde_json::{Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// One event in either form, some of them, or some with expectations.
pub(super) struct Events;

/// An event in this host's own form.
pub(super) struct NewEvent;

/// A CloudEvent 1.0 in its JSON format.
pub(super) struct CloudEvent;

/// CloudEvents 1.0 in the JSON batch format.
pub(super) struct CloudEvents;

/// Any JSON, but for integers that no 64 bits hold.
pub(super) struct Payload;

/// Texts without control characters.
const TEXT: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";
const STREAM: &str = r"^[^/\u0000-\u001f\u007f-\u009f]+/[^\u0000-\u001f\u007f-\u009f]+$";
/// What a CloudEvent's id or source may consist of: their texts are joined by a space.
const SOURCE: &str = r"^[!-~]+$";

type Schemas = Vec<(String, RefOr<Schema>)>;

fn schema(json: Value) -> RefOr<Schema> {
    serde_json::from_value(json).expect("the shapes below are schemas")
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn text(pattern: &str, characters_max: u64) -> Value {
    json!({"type": "string", "pattern": pattern, "minLength": 1, "maxLength": characters_max})
}

impl PartialSchema for Payload {
    fn schema() -> RefOr<Schema> {
        schema(json!({
            "description": "Any JSON of at most 1 MiB; an integer must fit 64 bits.",
            "anyOf": [
                {"type": "null"},
                {"type": "boolean"},
                {"type": "string"},
                {"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX},
                {"type": "array", "items": reference("Payload")},
                {"type": "object", "additionalProperties": reference("Payload")},
            ],
        }))
    }
}

impl PartialSchema for NewEvent {
    fn schema() -> RefOr<Schema> {
        schema(json!({
            "description": "An event in this host's own form. What an export adds may stay and is passed over.",
            "type": "object",
            "required": ["stream", "type"],
            "additionalProperties": false,
            "properties": {
                "stream": text(STREAM, 512),
                "type": text(TEXT, 256),
                "data": reference("Payload"),
                "id": text(TEXT, 256),
                "schema_version": {"type": "integer", "format": "int32", "minimum": 1, "maximum": u32::MAX},
                "occurred_at": {"type": "string", "format": "date-time"},
                "actor": {"type": "string", "maxLength": 256},
                "causation_id": text(TEXT, 256),
                "correlation_id": text(TEXT, 256),
                "metadata": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 64},
                "tags": {"type": "array", "items": {"type": "string", "maxLength": 256}, "maxItems": 64},
                "sequence": {"type": "integer", "format": "int64", "minimum": 0},
                "version": {"type": "integer", "format": "int64", "minimum": 0},
                "recorded_at": {"type": "string"},
            },
        }))
    }
}

impl PartialSchema for CloudEvent {
    fn schema() -> RefOr<Schema> {
        schema(json!({
            "description": "A CloudEvent 1.0. Its stream is the extension `stream`, or else made of `source` and `subject`.",
            "type": "object",
            "required": ["specversion", "id", "source", "type"],
            "properties": {
                "specversion": {"type": "string", "enum": ["1.0"]},
                "id": text(TEXT, 128),
                "source": text(SOURCE, 127),
                "type": text(TEXT, 256),
                "subject": text(TEXT, 128),
                "time": {"type": "string", "format": "date-time"},
                "datacontenttype": {"type": "string"},
                "stream": text(STREAM, 512),
                "schemaversion": {"type": "integer", "format": "int32", "minimum": 1, "maximum": u32::MAX},
                "actor": {"type": "string", "maxLength": 256},
                "causationid": text(TEXT, 256),
                "correlationid": text(TEXT, 256),
                "data": reference("Payload"),
                "data_base64": {"type": "string", "contentEncoding": "base64"},
            },
        }))
    }
}

impl PartialSchema for CloudEvents {
    fn schema() -> RefOr<Schema> {
        schema(json!({"type": "array", "items": reference("CloudEvent"), "maxItems": 10_000}))
    }
}

impl PartialSchema for Events {
    fn schema() -> RefOr<Schema> {
        let one = json!({"anyOf": [reference("NewEvent"), reference("CloudEvent")]});
        let many = json!({"type": "array", "items": one, "maxItems": 10_000});
        let expectation = json!({
            "type": "object",
            "required": ["stream", "version"],
            "properties": {
                "stream": text(STREAM, 512),
                "version": {"description": "`any`, `none` (the stream must not exist), or its version.",
                    "anyOf": [{"type": "string", "enum": ["any", "none"]},
                        {"type": "integer", "format": "int64", "minimum": 0}]},
            },
        });
        let together = json!({
            "type": "object",
            "required": ["events"],
            "additionalProperties": false,
            "properties": {"events": many, "expectations": {"type": "array", "items": expectation}},
        });
        schema(json!({"anyOf": [reference("NewEvent"), reference("CloudEvent"), many, together]}))
    }
}

impl ToSchema for Payload {}

impl ToSchema for NewEvent {
    fn schemas(schemas: &mut Schemas) {
        add::<Payload>(schemas);
    }
}

impl ToSchema for CloudEvent {
    fn schemas(schemas: &mut Schemas) {
        add::<Payload>(schemas);
    }
}

impl ToSchema for CloudEvents {
    fn schemas(schemas: &mut Schemas) {
        add::<CloudEvent>(schemas);
    }
}

impl ToSchema for Events {
    fn schemas(schemas: &mut Schemas) {
        add::<NewEvent>(schemas);
        add::<CloudEvent>(schemas);
    }
}

fn add<T: ToSchema>(schemas: &mut Schemas) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}
