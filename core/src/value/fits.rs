//! Whether bytes are what a key says of them, without making anything of them.

use super::items::{Content, Items, MOST_DEPTH, Misfit, Name, One, Reason, int32, packed};
use super::table::{Cardinality, Field, MessageType, Type};
use super::wire::{Fields, Wire};

/// Whether bytes are a message.
pub fn fits(of: &'static MessageType, bytes: &[u8]) -> Result<(), Misfit> {
    fields_fit(of, bytes, |_, _| {})
}

/// The same; calls `each` with the fields of the message on the way, up to the first that is wrong.
pub(crate) fn fields_fit<'a>(
    of: &'static MessageType,
    bytes: &'a [u8],
    each: impl FnMut(u32, Wire<'a>),
) -> Result<(), Misfit> {
    each_within(of, bytes, MOST_DEPTH, each).map_err(|misfit| *misfit)
}

/// A misfit is rare and large.
type Fit = Result<(), Box<Misfit>>;

fn within(of: &'static MessageType, bytes: &[u8], depth: usize) -> Fit {
    each_within(of, bytes, depth, |_, _| {})
}

fn each_within<'a>(
    of: &'static MessageType,
    bytes: &'a [u8],
    depth: usize,
    mut each: impl FnMut(u32, Wire<'a>),
) -> Fit {
    let depth = depth.checked_sub(1).ok_or_else(|| Misfit::from(Reason::Deep))?;
    for field in Fields::new(bytes) {
        let (number, wire) = field.map_err(|error| Misfit::from(Reason::Wire(error)))?;
        each(number, wire);
        let Some(field) = of.field(number) else { continue };
        match (field.cardinality, field.of, wire) {
            (
                Cardinality::Single | Cardinality::Repeated,
                Type::Message(inner),
                Wire::Bytes(bytes),
            ) => {
                within(inner, bytes, depth).map_err(|misfit| outside(*misfit, field))?;
            }
            (Cardinality::Repeated, of, Wire::Bytes(bytes))
                if of.is_number() && numbers_fit(of, bytes) => {}
            (Cardinality::Map(key), of, Wire::Bytes(bytes)) if entry_fits(key, of, bytes) => {}
            (Cardinality::Single | Cardinality::Repeated, of, wire) if accepts(of, wire) => {}
            _ => slowly(of, number, wire, depth)?,
        }
    }
    Ok(())
}

/// The misfit of a field as one of the message around it.
fn outside(misfit: Misfit, field: &Field) -> Box<Misfit> {
    Box::new(misfit.within(field.name))
}

/// What is not seen to fit at once: a field of a former type, messages in a map, a misfit.
#[cold]
fn slowly(of: &'static MessageType, number: u32, wire: Wire<'_>, depth: usize) -> Fit {
    let (name, content) = Items::item(of, number, wire)?;
    let fit = match content {
        Content::One(One::Message(of, bytes)) | Content::Entry(_, One::Message(of, bytes)) => {
            within(of, bytes, depth)
        }
        Content::Packed(of, numbers) => packed(of, numbers)
            .try_for_each(|number| number.map(drop))
            .map_err(|reason| Box::new(reason.into())),
        Content::One(One::Scalar(_)) | Content::Entry(_, One::Scalar(_)) => Ok(()),
    };
    fit.map_err(|misfit| match name {
        Name::Field(field) | Name::Former(field, _) => outside(*misfit, field),
        Name::Unknown(_) => misfit,
    })
}

/// Whether an entry of a map fits, of which key and value are no messages.
fn entry_fits(key: Type, value: Type, bytes: &[u8]) -> bool {
    Fields::new(bytes).all(|field| match field {
        Ok((1, wire)) => accepts(key, wire),
        Ok((2, wire)) => accepts(value, wire),
        Ok(_) => true,
        Err(_) => false,
    })
}

/// Whether the numbers of a packed list fit.
fn numbers_fit(of: Type, bytes: &[u8]) -> bool {
    let mut fields = Fields::new(bytes);
    while !fields.is_at_end() {
        if !fields.number(of).is_ok_and(|wire| accepts(of, wire)) {
            return false;
        }
    }
    true
}

/// Whether a scalar of a type is written like this.
fn accepts(of: Type, wire: Wire<'_>) -> bool {
    match (of, wire) {
        (Type::Bool, Wire::Varint(value)) => value <= 1,
        (Type::Int32 | Type::Enum(_), Wire::Varint(value)) => int32(value).is_some(),
        (Type::Uint32 | Type::Sint32, Wire::Varint(value)) => u32::try_from(value).is_ok(),
        (Type::String, Wire::Bytes(bytes)) => std::str::from_utf8(bytes).is_ok(),
        (Type::Int64 | Type::Uint64 | Type::Sint64, Wire::Varint(_))
        | (Type::Fixed32 | Type::Float, Wire::Fixed32(_))
        | (Type::Fixed64 | Type::Double, Wire::Fixed64(_))
        | (Type::Bytes, Wire::Bytes(_)) => true,
        _ => false,
    }
}
