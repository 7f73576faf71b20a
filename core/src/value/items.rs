//! The fields of a message, each as its type says.

use std::borrow::Cow;

use super::table::{Cardinality, EnumType, Field, Former, MessageType, Type};
use super::wire::{Fields, Wire, WireError};
use crate::dump::plural::plural;

/// How deep messages nest; servers refuse to read what is deeper.
pub(super) const MOST_DEPTH: usize = 100;

/// A value without parts.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// JSON's `null`.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number from zero on.
    Unsigned(u64),
    /// A number with a sign.
    Signed(i64),
    /// A number of 32 bits with a fraction.
    Float(f32),
    /// A number of 64 bits with a fraction.
    Double(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// A value of an enum, which may have no name.
    Enum(&'static EnumType, i32),
    /// Four bytes of a field that is not known.
    Fixed32(u32),
    /// Eight bytes of a field that is not known.
    Fixed64(u64),
}

impl PartialEq for EnumType {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Why bytes are not the message that they are expected to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct Misfit {
    /// The field, with the fields around it: `schema.fields`. Empty for the whole.
    pub path: String,
    /// What is wrong there.
    pub reason: Reason,
}

impl Misfit {
    /// The misfit of a field as one of the message around it.
    pub(super) fn within(mut self, field: &str) -> Self {
        self.path = match self.path.as_str() {
            "" => field.to_owned(),
            path => format!("{field}.{path}"),
        };
        self
    }
}

impl From<Reason> for Misfit {
    fn from(reason: Reason) -> Self {
        Self { path: String::new(), reason }
    }
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The bytes are not a message.
    #[error("not a protobuf message: {0}")]
    Wire(#[from] WireError),
    /// A field is written in a way in which its type is not.
    #[error("{found} where {expected} is expected")]
    Form {
        /// How it is written.
        found: &'static str,
        /// The name of the type.
        expected: &'static str,
    },
    /// A number is beyond those of its type.
    #[error("{0} is not a value of {1}")]
    Range(u64, &'static str),
    /// A text is not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// Messages nest too deep.
    #[error("nested deeper than {MOST_DEPTH} levels")]
    Deep,
    /// There is too much to show.
    #[error("more than {0} fields")]
    Large(usize),
    /// JSON is too long to be read.
    #[error("longer than {0} bytes")]
    Long(usize),
    /// A value behind a packing that is not known or broken.
    #[error("{0}")]
    Packing(String),
    /// The value should be a number in decimal.
    #[error("not a decimal number")]
    NotANumber,
    /// The value should be JSON.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// The value should be empty.
    #[error("{} where nothing is expected", plural(*.0 as u64, "byte", "bytes"))]
    NotEmpty(usize),
    /// The value should be the permits of a semaphore.
    #[error("not the permits of a semaphore")]
    NotAPermit,
}

/// A scalar or a message.
#[derive(Debug, Clone)]
pub(super) enum One<'a> {
    Scalar(Scalar<'a>),
    Message(&'static MessageType, &'a [u8]),
}

/// What a field holds.
#[derive(Debug, Clone)]
pub(super) enum Content<'a> {
    One(One<'a>),
    /// Numbers in one field.
    Packed(Type, Fields<'a>),
    /// A key of a map and its value.
    Entry(Scalar<'a>, One<'a>),
}

/// A field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// A field.
    Field(&'static Field),
    /// What the field was before.
    Former(&'static Field, &'static Former),
    /// A number that the table does not know.
    Unknown(u32),
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Field {}

impl PartialEq for Former {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Former {}

/// The fields of a message with what they hold.
#[derive(Debug)]
pub(super) struct Items<'a> {
    of: &'static MessageType,
    fields: Fields<'a>,
}

impl<'a> Items<'a> {
    pub(super) const fn new(of: &'static MessageType, bytes: &'a [u8]) -> Self {
        Self { of, fields: Fields::new(bytes) }
    }

    /// What a field on the wire is.
    pub(super) fn item(
        of: &'static MessageType,
        number: u32,
        wire: Wire<'a>,
    ) -> Result<(Name, Content<'a>), Misfit> {
        let Some(field) = of.field(number) else {
            return Ok((Name::Unknown(number), Content::One(One::Scalar(unknown(wire)))));
        };
        let (former, content) = content(field, wire);
        let name = former.map_or(Name::Field(field), |former| Name::Former(field, former));
        content.map(|content| (name, content)).map_err(|misfit| misfit.within(field.name))
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<(Name, Content<'a>), Misfit>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(match self.fields.next()? {
            Ok((number, wire)) => Self::item(self.of, number, wire),
            Err(error) => Err(Reason::Wire(error).into()),
        })
    }
}

fn content<'a>(
    field: &'static Field,
    wire: Wire<'a>,
) -> (Option<&'static Former>, Result<Content<'a>, Misfit>) {
    let content = match (field.cardinality, wire) {
        (Cardinality::Map(key), Wire::Bytes(bytes)) => entry(key, field.of, bytes),
        (Cardinality::Map(_), wire) => Err(form(wire, "a map's entry").into()),
        (Cardinality::Repeated, Wire::Bytes(bytes)) if field.of.is_number() => {
            Ok(Content::Packed(field.of, Fields::new(bytes)))
        }
        (_, wire) => one(field.of, wire).map(Content::One).map_err(Misfit::from),
    };
    let Err(misfit) = content else { return (None, content) };
    let mut formers = field.former.iter();
    let former = formers.find_map(|former| Some((former, one(former.of, wire).ok()?)));
    match former {
        Some((former, one)) => (Some(former), Ok(Content::One(one))),
        None => (None, Err(misfit)),
    }
}

/// An entry of a map; what it leaves out is the default.
fn entry<'a>(key: Type, value: Type, bytes: &'a [u8]) -> Result<Content<'a>, Misfit> {
    let (mut found_key, mut found_value) = (None, None);
    for field in Fields::new(bytes) {
        match field.map_err(Reason::Wire)? {
            (1, wire) => found_key = Some(one(key, wire)?),
            (2, wire) => found_value = Some(one(value, wire)?),
            _ => {}
        }
    }
    let key = match found_key.unwrap_or_else(|| default(key)) {
        One::Scalar(key) => key,
        One::Message(..) => return Err(Reason::Form { found: "a message", expected: "key" }.into()),
    };
    Ok(Content::Entry(key, found_value.unwrap_or_else(|| default(value))))
}

impl Type {
    /// Protobuf's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Sint32 => "sint32",
            Self::Sint64 => "sint64",
            Self::Fixed32 => "fixed32",
            Self::Fixed64 => "fixed64",
            Self::Float => "float",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Enum(of) => of.name,
            Self::Message(of) => of.name,
        }
    }

    /// Whether a list of it is written in one field.
    pub(super) const fn is_number(self) -> bool {
        !matches!(self, Self::String | Self::Bytes | Self::Message(_))
    }
}

/// What a scalar or message is when it is left out.
pub(super) const fn default(of: Type) -> One<'static> {
    One::Scalar(match of {
        Type::Bool => Scalar::Bool(false),
        Type::Int32 | Type::Int64 | Type::Sint32 | Type::Sint64 => Scalar::Signed(0),
        Type::Uint32 | Type::Uint64 | Type::Fixed32 | Type::Fixed64 => Scalar::Unsigned(0),
        Type::Float => Scalar::Float(0.0),
        Type::Double => Scalar::Double(0.0),
        Type::String => Scalar::Text(Cow::Borrowed("")),
        Type::Bytes => Scalar::Bytes(Cow::Borrowed(&[])),
        Type::Enum(of) => Scalar::Enum(of, 0),
        Type::Message(of) => return One::Message(of, &[]),
    })
}

fn unknown(wire: Wire<'_>) -> Scalar<'_> {
    match wire {
        Wire::Varint(value) => Scalar::Unsigned(value),
        Wire::Fixed64(value) => Scalar::Fixed64(value),
        Wire::Fixed32(value) => Scalar::Fixed32(value),
        Wire::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.chars().any(char::is_control) => Scalar::Text(text.into()),
            _ => Scalar::Bytes(bytes.into()),
        },
    }
}

fn form(wire: Wire<'_>, expected: &'static str) -> Reason {
    Reason::Form { found: wire.name(), expected }
}

/// What is written in a field of a type.
pub(super) fn one(of: Type, wire: Wire<'_>) -> Result<One<'_>, Reason> {
    let range = |value| Reason::Range(value, of.name());
    let scalar = match (of, wire) {
        (Type::Message(of), Wire::Bytes(bytes)) => return Ok(One::Message(of, bytes)),
        (Type::Bool, Wire::Varint(value @ 0..=1)) => Scalar::Bool(value == 1),
        (Type::Bool, Wire::Varint(value)) => return Err(range(value)),
        (Type::Int32, Wire::Varint(value)) => Scalar::Signed(int32(value).ok_or(range(value))?),
        (Type::Int64, Wire::Varint(value)) => Scalar::Signed(value.cast_signed()),
        (Type::Uint32, Wire::Varint(value)) => {
            Scalar::Unsigned(u32::try_from(value).map_err(|_| range(value))?.into())
        }
        (Type::Uint64, Wire::Varint(value)) => Scalar::Unsigned(value),
        (Type::Sint32, Wire::Varint(value)) => {
            u32::try_from(value).map_err(|_| range(value))?;
            Scalar::Signed(zigzag(value))
        }
        (Type::Sint64, Wire::Varint(value)) => Scalar::Signed(zigzag(value)),
        (Type::Enum(of), Wire::Varint(value)) => {
            let number = int32(value).and_then(|number| i32::try_from(number).ok());
            Scalar::Enum(of, number.ok_or(range(value))?)
        }
        (Type::Fixed32, Wire::Fixed32(value)) => Scalar::Unsigned(value.into()),
        (Type::Fixed64, Wire::Fixed64(value)) => Scalar::Unsigned(value),
        (Type::Float, Wire::Fixed32(value)) => Scalar::Float(f32::from_bits(value)),
        (Type::Double, Wire::Fixed64(value)) => Scalar::Double(f64::from_bits(value)),
        (Type::String, Wire::Bytes(bytes)) => {
            Scalar::Text(std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8)?.into())
        }
        (Type::Bytes, Wire::Bytes(bytes)) => Scalar::Bytes(bytes.into()),
        (of, wire) => return Err(form(wire, of.name())),
    };
    Ok(One::Scalar(scalar))
}

/// A number of 32 bits, which is written with 64 when it is negative.
pub(super) fn int32(value: u64) -> Option<i64> {
    let value = value.cast_signed();
    i32::try_from(value).is_ok().then_some(value)
}

const fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// How a scalar is written in a field of a type; none when it is not of the type.
pub(super) fn wire_of<'a>(of: Type, scalar: &'a Scalar<'_>) -> Option<Wire<'a>> {
    Some(match (of, scalar) {
        (Type::Bool, Scalar::Bool(value)) => Wire::Varint((*value).into()),
        (Type::Int32, Scalar::Signed(value)) => {
            i32::try_from(*value).ok()?;
            Wire::Varint(value.cast_unsigned())
        }
        (Type::Int64, Scalar::Signed(value)) => Wire::Varint(value.cast_unsigned()),
        (Type::Uint32, Scalar::Unsigned(value)) => Wire::Varint(u32::try_from(*value).ok()?.into()),
        (Type::Uint64, Scalar::Unsigned(value)) => Wire::Varint(*value),
        (Type::Sint32, Scalar::Signed(value)) => {
            i32::try_from(*value).ok()?;
            Wire::Varint(((value << 1) ^ (value >> 63)).cast_unsigned())
        }
        (Type::Sint64, Scalar::Signed(value)) => {
            Wire::Varint(((value << 1) ^ (value >> 63)).cast_unsigned())
        }
        (Type::Enum(_), Scalar::Enum(_, value)) => Wire::Varint(i64::from(*value).cast_unsigned()),
        (Type::Fixed32, Scalar::Unsigned(value)) => Wire::Fixed32(u32::try_from(*value).ok()?),
        (Type::Fixed64, Scalar::Unsigned(value)) => Wire::Fixed64(*value),
        (Type::Float, Scalar::Float(value)) => Wire::Fixed32(value.to_bits()),
        (Type::Double, Scalar::Double(value)) => Wire::Fixed64(value.to_bits()),
        (Type::String, Scalar::Text(text)) => Wire::Bytes(text.as_bytes()),
        (Type::Bytes, Scalar::Bytes(bytes)) => Wire::Bytes(bytes),
        _ => return None,
    })
}

/// How a scalar of a field that is not known is written.
pub(super) fn unknown_wire<'a>(scalar: &'a Scalar<'_>) -> Option<Wire<'a>> {
    Some(match scalar {
        Scalar::Unsigned(value) => Wire::Varint(*value),
        Scalar::Fixed32(value) => Wire::Fixed32(*value),
        Scalar::Fixed64(value) => Wire::Fixed64(*value),
        Scalar::Text(text) => Wire::Bytes(text.as_bytes()),
        Scalar::Bytes(bytes) => Wire::Bytes(bytes),
        _ => return None,
    })
}

/// The numbers of a packed list.
pub(super) fn packed(
    of: Type,
    mut fields: Fields<'_>,
) -> impl Iterator<Item = Result<Scalar<'_>, Reason>> {
    std::iter::from_fn(move || (!fields.is_at_end()).then(|| fields.number_of(of))).scan(
        false,
        |failed, number| {
            let ended = std::mem::replace(failed, number.is_err());
            (!ended).then_some(number)
        },
    )
}

impl<'a> Fields<'a> {
    /// The next number of a packed list, as it is written.
    pub(super) fn number(&mut self, of: Type) -> Result<Wire<'a>, WireError> {
        match of {
            Type::Fixed32 | Type::Float => self.fixed32(),
            Type::Fixed64 | Type::Double => self.fixed64(),
            _ => self.varint().map(Wire::Varint),
        }
    }

    fn number_of(&mut self, of: Type) -> Result<Scalar<'a>, Reason> {
        let wire = self.number(of)?;
        match one(of, wire)? {
            One::Scalar(scalar) => Ok(scalar),
            One::Message(..) => Err(form(wire, of.name())),
        }
    }
}
