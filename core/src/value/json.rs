//! Messages as JSON with names, and back.
//!
//! Members stand in the order of the bytes. A field that is not known is called by its number; what
//! JSON has no form for is an object with one member: `@bytes` (base64), `@fixed32`, `@fixed64`.
//! A message written in another way than servers do has `@bytes` as its last member.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

use super::items::{Name, Scalar, unknown_wire, wire_of};
use super::meaning::Meaning;
use super::message::{Decoded, Message, Value};
use super::table::{Cardinality, Field, MessageType, Type};

const BYTES: &str = "@bytes";
const FIXED32: &str = "@fixed32";
const FIXED64: &str = "@fixed64";

impl Serialize for Decoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        put_members(&mut map, &self.message)?;
        if let Some(bytes) = &self.exact {
            map.serialize_entry(BYTES, &BASE64.encode(bytes))?;
        }
        map.end()
    }
}

impl Serialize for Meaning<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Empty => serializer.serialize_unit(),
            Self::Id(_, number) | Self::Number(_, number) => serializer.serialize_u64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Json(_, value) => value.serialize(serializer),
            Self::Permit { id, permits } => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("id", id)?;
                map.serialize_entry("permits", permits)?;
                map.end()
            }
            Self::Message(decoded) => decoded.serialize(serializer),
        }
    }
}

impl Serialize for Message<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        put_members(&mut map, self)?;
        map.end()
    }
}

fn put_members<M: SerializeMap>(map: &mut M, message: &Message<'_>) -> Result<(), M::Error> {
    for (name, value) in &message.members {
        map.serialize_entry(&name.json(), value)?;
    }
    Ok(())
}

impl Name {
    /// The name as a member of JSON: that of the field, or its number.
    pub fn json(&self) -> Cow<'static, str> {
        match self {
            Self::Field(field) => field.name.into(),
            // Both may be there, of different types.
            Self::Former(field, former) if former.name == field.name => field.name.into(),
            Self::Former(_, former) => former.name.into(),
            Self::Unknown(number) => number.to_string().into(),
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Scalar(scalar) => scalar.serialize(serializer),
            Self::Message(message) => message.serialize(serializer),
            Self::List(list) => {
                let mut seq = serializer.serialize_seq(Some(list.len()))?;
                list.iter().try_for_each(|element| seq.serialize_element(element))?;
                seq.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(&key.key_text(), value)?;
                }
                map.end()
            }
        }
    }
}

impl Scalar<'_> {
    /// The scalar as the key of a map.
    pub fn key_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Unsigned(number) => number.to_string().into(),
            Self::Signed(number) => number.to_string().into(),
            Self::Bool(value) => value.to_string().into(),
            // Keys are nothing else.
            _ => Cow::Borrowed(""),
        }
    }
}

impl Serialize for Scalar<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Signed(value) => serializer.serialize_i64(*value),
            // JSON has no other numbers.
            Self::Float(value) if value.is_finite() => serializer.serialize_f32(*value),
            Self::Float(value) => object(serializer, FIXED32, &value.to_bits()),
            Self::Double(value) if value.is_finite() => serializer.serialize_f64(*value),
            Self::Double(value) => object(serializer, FIXED64, &value.to_bits()),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => object(serializer, BYTES, &BASE64.encode(bytes)),
            Self::Enum(of, value) => match of.value_name(*value) {
                Some(name) => serializer.serialize_str(name),
                None => serializer.serialize_i32(*value),
            },
            Self::Fixed32(value) => object(serializer, FIXED32, value),
            Self::Fixed64(value) => object(serializer, FIXED64, value),
        }
    }
}

fn object<S: Serializer>(
    serializer: S,
    name: &str,
    value: &impl Serialize,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(name, value)?;
    map.end()
}

/// Why JSON is not the message that it is read as.
#[derive(Debug, thiserror::Error)]
#[error("{}{reason}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct JsonError {
    /// The member, with the members around it: `schema.fields`.
    path: String,
    reason: String,
}

impl JsonError {
    fn new(reason: impl Into<String>) -> Self {
        Self { path: String::new(), reason: reason.into() }
    }

    fn within(mut self, member: &str) -> Self {
        self.path = match self.path.as_str() {
            "" => member.to_owned(),
            path => format!("{member}.{path}"),
        };
        self
    }
}

impl Decoded<'static> {
    /// Reads the JSON that a message is written as.
    ///
    /// ```
    /// use metadump::value::{Decoded, MessageType};
    ///
    /// let of = MessageType::named("TIdent").unwrap();
    /// let message = Decoded::from_json(of, r#"{"tenant":"a","name":"b"}"#).unwrap();
    /// assert_eq!(message.write(), b"\x0a\x01a\x12\x01b");
    /// let error = Decoded::from_json(of, r#"{"name":1}"#).unwrap_err();
    /// assert_eq!(error.to_string(), "name: 1 is not a string");
    /// ```
    pub fn from_json(of: &'static MessageType, json: &str) -> Result<Self, JsonError> {
        let json = serde_json::from_slice(json.as_bytes())
            .map_err(|error| JsonError::new(error.to_string()))?;
        let Value::Map(mut members) = json else {
            return Err(JsonError::new(format!("not an object with the fields of {}", of.name)));
        };
        let is_exact = |(key, _): &mut (Scalar<'_>, _)| key.key_text() == BYTES;
        let exact = members.pop_if(is_exact).map(|(_, bytes)| bytes_of(&bytes)).transpose()?;
        Ok(Self { message: message(of, members)?, exact: exact.map(Cow::Owned) })
    }
}

type Entries = Vec<(Scalar<'static>, Value<'static>)>;

fn message(of: &'static MessageType, json: Entries) -> Result<Message<'static>, JsonError> {
    let members = json.into_iter().map(|(key, value)| {
        let name = key.key_text();
        member(of, &name, value).map_err(|error| error.within(&name))
    });
    Ok(Message { of, members: members.collect::<Result<_, _>>()? })
}

fn member(
    of: &'static MessageType,
    name: &str,
    json: Value<'static>,
) -> Result<(Name, Value<'static>), JsonError> {
    if let Ok(number) = name.parse() {
        return Ok((Name::Unknown(number), unknown(json)?));
    }
    let field = of.field_named(name);
    let field = field.ok_or_else(|| JsonError::new(format!("not a field of {}", of.name)))?;
    let today = (name == field.name).then(|| typed(field, json.clone()));
    let error = match today {
        Some(Ok(value)) => return Ok((Name::Field(field), value)),
        Some(Err(error)) => Some(error),
        None => None,
    };
    let formers = field.former.iter().filter(|former| former.name == name);
    for former in formers {
        if let Ok(value) = single(former.of, json.clone()) {
            return Ok((Name::Former(field, former), value));
        }
    }
    Err(error.unwrap_or_else(|| JsonError::new("not a value of the field")))
}

fn typed(field: &'static Field, json: Value<'static>) -> Result<Value<'static>, JsonError> {
    match (field.cardinality, json) {
        (Cardinality::Map(key), Value::Map(entries)) => {
            let entries = entries.into_iter().map(|(of, value)| {
                let text = of.key_text().into_owned();
                let value = single(field.of, value).map_err(|error| error.within(&text))?;
                Ok((map_key(key, text)?, value))
            });
            Ok(Value::Map(entries.collect::<Result<_, _>>()?))
        }
        (Cardinality::Map(_), _) => Err(JsonError::new("not an object")),
        (_, json) => single(field.of, json),
    }
}

fn map_key(of: Type, text: String) -> Result<Scalar<'static>, JsonError> {
    let key = match of {
        Type::String => return Ok(Scalar::Text(text.into())),
        Type::Bool => text.parse().ok().map(Scalar::Bool),
        Type::Uint32 | Type::Uint64 | Type::Fixed32 | Type::Fixed64 => {
            text.parse().ok().map(Scalar::Unsigned)
        }
        _ => text.parse().ok().map(Scalar::Signed),
    };
    key.ok_or_else(|| JsonError::new(format!("{text:?} is not a key of type {}", of.name())))
}

/// A scalar or a message, or a list of them.
fn single(of: Type, json: Value<'static>) -> Result<Value<'static>, JsonError> {
    match (of, json) {
        (_, Value::List(list)) => {
            let list = list.into_iter().map(|element| single(of, element));
            Ok(Value::List(list.collect::<Result<_, _>>()?))
        }
        (Type::Message(of), Value::Map(members)) => message(of, members).map(Value::Message),
        (Type::Float | Type::Double, Value::Map(entries)) => {
            let bits = fixed(&entries).and_then(|bits| convert(of, bits));
            let error = || JsonError::new(format!("not of type {}", of.name()));
            bits.map(Value::Scalar).ok_or_else(error)
        }
        (Type::Bytes, json) => Ok(Value::Scalar(Scalar::Bytes(bytes_of(&json)?.into()))),
        (of, Value::Scalar(scalar)) => {
            let shown = serde_json::to_string(&scalar).unwrap_or_default();
            let converted = convert(of, scalar).filter(|scalar| wire_of(of, scalar).is_some());
            let article = if of.name().starts_with('i') { "an" } else { "a" };
            let error = || JsonError::new(format!("{shown} is not {article} {}", of.name()));
            converted.map(Value::Scalar).ok_or_else(error)
        }
        (of, _) => Err(JsonError::new(format!("not of type {}", of.name()))),
    }
}

/// JSON's scalar as one of a type.
fn convert(of: Type, scalar: Scalar<'static>) -> Option<Scalar<'static>> {
    Some(match (of, scalar) {
        (Type::Enum(of), Scalar::Text(name)) => Scalar::Enum(of, of.number(&name)?),
        (Type::Enum(of), Scalar::Unsigned(value)) => Scalar::Enum(of, value.try_into().ok()?),
        (Type::Enum(of), Scalar::Signed(value)) => Scalar::Enum(of, value.try_into().ok()?),
        (Type::Int32 | Type::Int64 | Type::Sint32 | Type::Sint64, Scalar::Unsigned(value)) => {
            Scalar::Signed(value.try_into().ok()?)
        }
        (Type::Float, Scalar::Double(value)) => Scalar::Float(value as f32),
        (Type::Float, Scalar::Fixed32(bits)) => Scalar::Float(f32::from_bits(bits)),
        (Type::Double, Scalar::Fixed64(bits)) => Scalar::Double(f64::from_bits(bits)),
        (_, scalar) => scalar,
    })
}

/// The bytes of `{"@bytes": "…"}`, or of its text alone.
fn bytes_of(json: &Value<'_>) -> Result<Vec<u8>, JsonError> {
    let text = match json {
        Value::Scalar(Scalar::Text(text)) => Some(text),
        Value::Map(entries) => match entries.as_slice() {
            [(key, Value::Scalar(Scalar::Text(text)))] if key.key_text() == BYTES => Some(text),
            _ => None,
        },
        _ => None,
    };
    let bytes = text.and_then(|text| BASE64.decode(text.as_bytes()).ok());
    bytes.ok_or_else(|| JsonError::new("not bytes in base64"))
}

/// The bits of `{"@fixed32": 1}` or `{"@fixed64": 1}`.
fn fixed(entries: &Entries) -> Option<Scalar<'static>> {
    let [(key, Value::Scalar(Scalar::Unsigned(value)))] = entries.as_slice() else { return None };
    match &*key.key_text() {
        FIXED32 => u32::try_from(*value).ok().map(Scalar::Fixed32),
        FIXED64 => Some(Scalar::Fixed64(*value)),
        _ => None,
    }
}

/// A field that is not known.
fn unknown(json: Value<'static>) -> Result<Value<'static>, JsonError> {
    match json {
        Value::List(list) => {
            let list = list.into_iter().map(unknown);
            Ok(Value::List(list.collect::<Result<_, _>>()?))
        }
        Value::Map(entries) => {
            let fixed = fixed(&entries);
            let bytes = || bytes_of(&Value::Map(entries)).map(|bytes| Scalar::Bytes(bytes.into()));
            fixed.map_or_else(bytes, Ok).map(Value::Scalar)
        }
        Value::Scalar(scalar) if unknown_wire(&scalar).is_some() => Ok(Value::Scalar(scalar)),
        _ => Err(JsonError::new("not the value of an unknown field")),
    }
}

/// Any JSON, in its order; numbers are as exact as they can be.
impl<'de> Deserialize<'de> for Value<'static> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Value<'static>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Scalar(Scalar::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Scalar(Scalar::Bool(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Value::Scalar(Scalar::Unsigned(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Scalar(Scalar::Signed(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Value::Scalar(Scalar::Double(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Value::Scalar(Scalar::Text(value.to_owned().into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = seq.next_element()? {
            list.push(element);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, _>()? {
            entries.push((Scalar::Text(key.into()), value));
        }
        Ok(Value::Map(entries))
    }
}
