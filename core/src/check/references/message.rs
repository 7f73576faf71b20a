//! The bytes of a message, of which only some fields are looked at.

use crate::value::{Fields, Holds, MessageType, Type, Wire, put_varint};

/// The bytes of a message, of which only some fields are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) of: &'static MessageType,
    pub(super) bytes: &'a [u8],
    /// Whether it is of an object that is dropped.
    pub(super) is_dropped: bool,
    pub(super) seen: SeenFields,
}

/// Which fields a message may have: of those below 128 a bit, so that what is not there is not looked
/// for.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeenFields(u128);

impl SeenFields {
    /// Nothing was looked at.
    pub(super) const ANY: Self = Self(u128::MAX);
    pub(super) const NONE: Self = Self(0);

    pub(super) fn insert(&mut self, number: u32) {
        self.0 |= 1_u128.checked_shl(number).unwrap_or_default();
    }

    fn has(self, number: u32) -> bool {
        self.0.checked_shr(number).is_none_or(|seen| seen & 1 == 1)
    }
}

impl<'a> Message<'a> {
    pub(super) const fn of(of: &'static MessageType, bytes: &'a [u8]) -> Self {
        Self { of, bytes, is_dropped: false, seen: SeenFields::ANY }
    }

    pub(super) fn field(self, name: &str) -> Option<u32> {
        Some(self.of.field_named(name)?.number)
    }

    /// What is written in a field.
    fn fields(self, name: &str) -> impl Iterator<Item = Wire<'a>> + use<'a> {
        let number = self.field(name).filter(|number| self.seen.has(*number));
        let bytes = if number.is_some() { self.bytes } else { &[] };
        let fields = Fields::new(bytes).filter_map(Result::ok);
        fields.filter(move |(of, _)| Some(*of) == number).map(|(_, wire)| wire)
    }

    pub(super) fn number(self, field: u32) -> Option<u64> {
        let fields = Fields::new(self.bytes).filter_map(Result::ok);
        let numbers = fields.filter_map(|of| match of {
            (number, Wire::Varint(value)) if number == field => Some(value),
            _ => None,
        });
        numbers.last()
    }

    /// The numbers of a list, packed.
    pub(super) fn numbers(self, name: &str) -> Box<[u8]> {
        let mut numbers = Vec::new();
        for wire in self.fields(name) {
            match wire {
                Wire::Varint(number) => put_varint(&mut numbers, number),
                Wire::Bytes(packed) => numbers.extend_from_slice(packed),
                _ => {}
            }
        }
        numbers.into()
    }

    pub(super) fn texts(self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.fields(name).filter_map(|wire| match wire {
            Wire::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        })
    }

    pub(super) fn messages(self, name: &str) -> impl Iterator<Item = Message<'a>> + use<'a> {
        let of = self.message_of(name);
        self.fields(name).filter_map(move |wire| match wire {
            Wire::Bytes(bytes) => Some(Self::of(of?, bytes)),
            _ => None,
        })
    }

    /// The keys of a map that are texts.
    pub(super) fn keys(self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.fields(name).filter_map(|wire| {
            let Wire::Bytes(entry) = wire else { return None };
            match Fields::new(entry).find_map(|field| field.ok().filter(|(of, _)| *of == 1))? {
                (_, Wire::Bytes(key)) => std::str::from_utf8(key).ok(),
                _ => None,
            }
        })
    }

    /// The values of a map that are messages.
    pub(super) fn values(self, name: &str) -> impl Iterator<Item = Message<'a>> + use<'a> {
        let of = self.message_of(name);
        self.fields(name).filter_map(move |wire| {
            let Wire::Bytes(entry) = wire else { return None };
            match Fields::new(entry).find_map(|field| field.ok().filter(|(of, _)| *of == 2))? {
                (_, Wire::Bytes(bytes)) => Some(Self::of(of?, bytes)),
                _ => None,
            }
        })
    }

    /// The message that a field has.
    fn message_of(self, name: &str) -> Option<&'static MessageType> {
        match self.of.field_named(name)?.of {
            Type::Message(of) => Some(of),
            _ => None,
        }
    }

    /// The field that says when the object was dropped.
    pub(super) fn dropped_on(self) -> Option<u32> {
        let field = self.of.fields.iter().find(|field| {
            field.holds == Holds::Time && matches!(field.name, "drop_on" | "dropped_on")
        })?;
        Some(field.number)
    }
}
