//! A payload or a state's value on the wire: JSON in JSON, an item of CBOR in CBOR.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType};
use utoipa::openapi::{RefOr, Schema};

use crate::cbor;
use crate::engine::StateEncoding;

#[derive(Clone, Debug)]
pub struct Data(Form);

#[derive(Clone, Debug)]
enum Form {
    /// One item, checked when it was written.
    Cbor(Vec<u8>),
    Json(Box<RawValue>),
    Text(String),
    Bytes(Vec<u8>),
}

impl Data {
    pub fn cbor(item: &[u8]) -> Self {
        Self(Form::Cbor(item.to_vec()))
    }

    /// Parameters and the like, which the engine keeps as JSON.
    pub fn json(text: &str) -> Self {
        match RawValue::from_string(text.to_owned()) {
            Ok(json) => Self(Form::Json(json)),
            Err(_) => Self(Form::Text(text.to_owned())),
        }
    }

    /// A state's value. What is not in the encoding that the manifest says is taken as bytes.
    pub fn value(value: &[u8], encoding: StateEncoding) -> Self {
        let text = || String::from_utf8(value.to_vec()).ok();
        let form = match encoding {
            StateEncoding::Cbor => cbor::to_json(value).ok().map(|_| Form::Cbor(value.to_vec())),
            StateEncoding::Json => text().and_then(|text| RawValue::from_string(text).ok()).map(Form::Json),
            StateEncoding::Text => text().map(Form::Text),
            StateEncoding::Bytes => None,
        };
        Self(form.unwrap_or_else(|| Form::Bytes(value.to_vec())))
    }

    /// The text that people read: JSON as it is, text as text, bytes as base64.
    pub fn text(&self) -> String {
        match &self.0 {
            Form::Cbor(item) => cbor::to_json(item).unwrap_or_else(|_| STANDARD.encode(item)),
            Form::Json(json) => json.get().to_owned(),
            Form::Text(text) => text.clone(),
            Form::Bytes(bytes) => STANDARD.encode(bytes),
        }
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_json = serializer.is_human_readable();
        match &self.0 {
            Form::Cbor(item) if is_json => {
                let json = cbor::to_json(item).map_err(S::Error::custom)?;
                RawValue::from_string(json).map_err(S::Error::custom)?.serialize(serializer)
            }
            Form::Cbor(item) => item_of::<S>(item)?.serialize(serializer),
            Form::Json(json) if is_json => json.serialize(serializer),
            Form::Json(json) => {
                let payload = cbor::from_json(json.get()).map_err(S::Error::custom)?;
                item_of::<S>(payload.as_bytes())?.serialize(serializer)
            }
            Form::Text(text) => serializer.serialize_str(text),
            Form::Bytes(bytes) if is_json => serializer.serialize_str(&STANDARD.encode(bytes)),
            Form::Bytes(bytes) => serializer.serialize_bytes(bytes),
        }
    }
}

fn item_of<S: Serializer>(item: &[u8]) -> Result<ciborium::Value, S::Error> {
    ciborium::from_reader(item).map_err(S::Error::custom)
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Ok(Self(Form::Json(Box::deserialize(deserializer)?)));
        }
        let item = ciborium::Value::deserialize(deserializer)?;
        let mut bytes = Vec::new();
        ciborium::into_writer(&item, &mut bytes).map_err(D::Error::custom)?;
        Ok(Self(Form::Cbor(bytes)))
    }
}

/// Reads a count. In JSON `7.0` is the integer 7.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Whole(u64),
        Float(f64),
    }
    match Option::<Number>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Number::Whole(number)) => Ok(Some(number)),
        Some(Number::Float(float)) if float.fract() == 0.0 && (0.0..=9e15).contains(&float) => Ok(Some(float as u64)),
        Some(Number::Float(float)) => Err(D::Error::custom(format!("{float} is not a whole number from 0 on"))),
    }
}

impl utoipa::PartialSchema for Data {
    fn schema() -> RefOr<Schema> {
        RefOr::T(Schema::Object(ObjectBuilder::new().schema_type(SchemaType::AnyValue).build()))
    }
}

impl utoipa::ToSchema for Data {}
