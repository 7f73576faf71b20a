//! A message as a tree of named members, read and written.

use super::items::{
    Content, Items, MOST_DEPTH, Misfit, Name, One, Reason, Scalar, default, packed, unknown_wire,
    wire_of,
};
use super::table::{Cardinality, Field, MessageType, Type};
use super::wire::{Wire, put, put_varint};

/// How many members, elements and entries a value may have.
const MOST_ITEMS: usize = 1_000_000;

/// How many different members a message may have.
const MOST_MEMBERS: usize = 256;

/// A value: a scalar, or what is made of values.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// A value without parts.
    Scalar(Scalar<'a>),
    /// A message.
    Message(Message<'a>),
    /// A list; of a field that should occur once, its occurrences.
    List(Vec<Value<'a>>),
    /// A map, or an object of JSON, in its order.
    Map(Vec<(Scalar<'a>, Value<'a>)>),
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message<'a> {
    /// Which message it is.
    pub of: &'static MessageType,
    /// Its fields in the order of the bytes; one that is left out is not among them.
    pub members: Vec<(Name, Value<'a>)>,
}

impl PartialEq for MessageType {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// A message with what its bytes have besides.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<'a> {
    /// The message.
    pub message: Message<'a>,
    /// The bytes, when the message is written in another way than servers do.
    pub exact: Option<std::borrow::Cow<'a, [u8]>>,
}

impl<'a> Decoded<'a> {
    /// Reads a message. Fields that are not known stay, by number.
    ///
    /// ```
    /// use metadump::value::{Decoded, MessageType};
    ///
    /// let of = MessageType::named("DbIdList").unwrap();
    /// let decoded = Decoded::read(of, &[0x0a, 1, 42, 0xa0, 6, 24]).unwrap();
    /// assert_eq!(serde_json::to_string(&decoded).unwrap(), r#"{"ids":[42],"ver":24}"#);
    /// assert_eq!(decoded.write(), [0x0a, 1, 42, 0xa0, 6, 24]);
    /// ```
    pub fn read(of: &'static MessageType, bytes: &'a [u8]) -> Result<Self, Misfit> {
        let message = Message::read(of, bytes, MOST_DEPTH, &mut { MOST_ITEMS })?;
        let same = message.write() == bytes;
        Ok(Self { message, exact: (!same).then_some(bytes.into()) })
    }

    /// The bytes that were read.
    pub fn write(&self) -> Vec<u8> {
        self.exact.as_ref().map_or_else(|| self.message.write(), |bytes| bytes.to_vec())
    }
}

/// Calls `each` with the scalars that stand once in a message, not with those of messages in it, and
/// with the last number of each list.
pub fn single_scalars(
    of: &'static MessageType,
    bytes: &[u8],
    mut each: impl FnMut(&'static Field, &Scalar<'_>),
) -> Result<(), Misfit> {
    for item in Items::new(of, bytes) {
        match item? {
            (Name::Field(field), Content::One(One::Scalar(scalar))) => each(field, &scalar),
            (Name::Field(field), Content::Packed(of, numbers)) => {
                if let Some(last) = packed(of, numbers).last() {
                    each(field, &last?);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn take(left: &mut usize) -> Result<(), Reason> {
    *left = left.checked_sub(1).ok_or(Reason::Large(MOST_ITEMS))?;
    Ok(())
}

impl<'a> Message<'a> {
    fn read(
        of: &'static MessageType,
        bytes: &'a [u8],
        depth: usize,
        left: &mut usize,
    ) -> Result<Self, Misfit> {
        let depth = depth.checked_sub(1).ok_or(Reason::Deep)?;
        let mut members: Vec<(Name, Value<'a>)> = Vec::new();
        for item in Items::new(of, bytes) {
            take(left)?;
            let (name, content) = item?;
            let read = || match content {
                Content::One(one) => Value::read(one, depth, left).map(Part::One),
                Content::Entry(key, one) => Ok(Part::Entry(key, Value::read(one, depth, left)?)),
                Content::Packed(of, numbers) => {
                    let mut list = Vec::new();
                    for number in packed(of, numbers) {
                        take(left)?;
                        list.push(Value::Scalar(number?));
                    }
                    Ok(Part::Packed(list))
                }
            };
            let part = read().map_err(|misfit| match name {
                Name::Field(field) | Name::Former(field, _) => misfit.within(field.name),
                Name::Unknown(_) => misfit,
            })?;
            add(&mut members, name, part);
            if members.len() > MOST_MEMBERS {
                return Err(Reason::Large(MOST_MEMBERS).into());
            }
        }
        members.shrink_to_fit();
        Ok(Self { of, members })
    }

    /// The bytes as servers write them, in the order of the members.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, value) in &self.members {
            match name {
                Name::Field(field) => write_field(&mut bytes, field, value),
                Name::Former(field, former) => {
                    write_single(&mut bytes, field.number, former.of, value);
                }
                Name::Unknown(number) => write_unknown(&mut bytes, *number, value),
            }
        }
        bytes
    }

    /// The member of a field, by its name.
    pub fn get(&self, field: &str) -> Option<&Value<'a>> {
        let is = |name: &Name| matches!(name, Name::Field(known) if known.name == field);
        self.members.iter().find(|(name, _)| is(name)).map(|(_, value)| value)
    }

    /// The text of a field.
    pub fn text(&self, field: &str) -> Option<&str> {
        match self.get(field)? {
            Value::Scalar(Scalar::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The number of a field; that of one that is left out is zero.
    pub fn number(&self, field: &str) -> u64 {
        match self.get(field) {
            Some(Value::Scalar(Scalar::Unsigned(number))) => *number,
            _ => 0,
        }
    }
}

impl<'a> Value<'a> {
    fn read(one: One<'a>, depth: usize, left: &mut usize) -> Result<Self, Misfit> {
        match one {
            One::Scalar(scalar) => Ok(Self::Scalar(scalar)),
            One::Message(of, bytes) => Message::read(of, bytes, depth, left).map(Self::Message),
        }
    }
}

/// What one field on the wire adds to a member.
enum Part<'a> {
    One(Value<'a>),
    Packed(Vec<Value<'a>>),
    Entry(Scalar<'a>, Value<'a>),
}

/// Adds to the member of the name, which may be new.
fn add<'a>(members: &mut Vec<(Name, Value<'a>)>, name: Name, part: Part<'a>) {
    let is_list = matches!(name, Name::Field(Field { cardinality: Cardinality::Repeated, .. }));
    let member = members.iter_mut().rev().find(|(other, _)| *other == name);
    match (member.map(|(_, value)| value), part) {
        (None, Part::One(value)) if is_list => members.push((name, Value::List(vec![value]))),
        (None, Part::One(value)) => members.push((name, value)),
        (None, Part::Packed(list)) => members.push((name, Value::List(list))),
        (None, Part::Entry(key, value)) => members.push((name, Value::Map(vec![(key, value)]))),
        (Some(Value::Map(entries)), Part::Entry(key, value)) => entries.push((key, value)),
        (Some(Value::List(list)), Part::One(value)) => list.push(value),
        (Some(Value::List(list)), Part::Packed(more)) => list.extend(more),
        (Some(other), Part::One(value)) => {
            let first = std::mem::replace(other, Value::List(Vec::new()));
            *other = Value::List(vec![first, value]);
        }
        // A field has one cardinality.
        (Some(_), Part::Packed(_) | Part::Entry(..)) => {}
    }
}

fn write_field(bytes: &mut Vec<u8>, field: &Field, value: &Value<'_>) {
    match (field.cardinality, value) {
        (Cardinality::Map(key), Value::Map(entries)) => {
            for (of, value) in entries {
                let mut entry = Vec::new();
                write_in_entry(&mut entry, 1, key, &Value::Scalar(of.clone()));
                write_in_entry(&mut entry, 2, field.of, value);
                put(bytes, field.number, Wire::Bytes(&entry));
            }
        }
        (Cardinality::Repeated, Value::List(list)) if field.of.is_number() => {
            let mut packed = Vec::new();
            for element in list {
                let Value::Scalar(scalar) = element else { continue };
                match wire_of(field.of, scalar) {
                    Some(Wire::Varint(value)) => put_varint(&mut packed, value),
                    Some(Wire::Fixed32(value)) => packed.extend(value.to_le_bytes()),
                    Some(Wire::Fixed64(value)) => packed.extend(value.to_le_bytes()),
                    Some(Wire::Bytes(_)) | None => {}
                }
            }
            put(bytes, field.number, Wire::Bytes(&packed));
        }
        (_, value) => write_single(bytes, field.number, field.of, value),
    }
}

/// Writes a scalar or a message, or each of a list.
fn write_single(bytes: &mut Vec<u8>, number: u32, of: Type, value: &Value<'_>) {
    match value {
        Value::Message(message) => put(bytes, number, Wire::Bytes(&message.write())),
        Value::Scalar(scalar) => {
            if let Some(wire) = wire_of(of, scalar) {
                put(bytes, number, wire);
            }
        }
        Value::List(list) => {
            list.iter().for_each(|element| write_single(bytes, number, of, element));
        }
        Value::Map(_) => {}
    }
}

/// Writes a part of a map's entry, unless it is the default.
fn write_in_entry(bytes: &mut Vec<u8>, number: u32, of: Type, value: &Value<'_>) {
    let is_default = match (value, default(of)) {
        (Value::Scalar(scalar), One::Scalar(default)) => *scalar == default,
        (Value::Message(message), _) => message.members.is_empty(),
        _ => false,
    };
    if !is_default {
        write_single(bytes, number, of, value);
    }
}

fn write_unknown(bytes: &mut Vec<u8>, number: u32, value: &Value<'_>) {
    match value {
        Value::Scalar(scalar) => {
            if let Some(wire) = unknown_wire(scalar) {
                put(bytes, number, wire);
            }
        }
        Value::List(list) => {
            list.iter().for_each(|element| write_unknown(bytes, number, element));
        }
        Value::Message(_) | Value::Map(_) => {}
    }
}
