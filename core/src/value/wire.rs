//! The wire form of protobuf messages: numbered fields, without a schema.

/// A field as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire<'a> {
    /// A number in as many bytes as it takes.
    Varint(u64),
    /// Eight bytes, little endian.
    Fixed64(u64),
    /// Bytes with their length in front.
    Bytes(&'a [u8]),
    /// Four bytes, little endian.
    Fixed32(u32),
}

impl Wire<'_> {
    /// What the form is called in a message for people.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Varint(_) => "a varint",
            Self::Fixed64(_) => "eight bytes",
            Self::Bytes(_) => "bytes with a length",
            Self::Fixed32(_) => "four bytes",
        }
    }
}

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// They end within a field.
    #[error("the bytes end within a field")]
    Short,
    /// A number has more than 64 bits.
    #[error("a number has more than 64 bits")]
    Long,
    /// No field has this number.
    #[error("{0} is not the number of a field")]
    Number(u64),
    /// No field is written in this way; groups are not used.
    #[error("no field has wire type {0}")]
    Type(u64),
}

/// The fields of a message, in order.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of a message.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn field(&mut self) -> Result<(u32, Wire<'a>), WireError> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| (1..1 << 29).contains(number));
        let number = number.ok_or(WireError::Number(tag >> 3))?;
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => self.fixed64()?,
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| WireError::Short)?;
                let (bytes, rest) = self.rest.split_at_checked(len).ok_or(WireError::Short)?;
                self.rest = rest;
                Wire::Bytes(bytes)
            }
            5 => self.fixed32()?,
            other => return Err(WireError::Type(other)),
        };
        Ok((number, wire))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(WireError::Short)?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(super) fn fixed32(&mut self) -> Result<Wire<'a>, WireError> {
        Ok(Wire::Fixed32(u32::from_le_bytes(self.array()?)))
    }

    pub(super) fn fixed64(&mut self) -> Result<Wire<'a>, WireError> {
        Ok(Wire::Fixed64(u64::from_le_bytes(self.array()?)))
    }

    /// The next number, as in a packed list.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, WireError> {
        // Most have one byte, or two.
        match *self.rest {
            [byte @ ..0x80, ref rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            [low, high @ ..0x80, ref rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for (at, byte) in self.rest.iter().take(10).enumerate() {
            let shift = 7 * at as u32;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(WireError::Long);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                self.rest = self.rest.get(at + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { WireError::Short } else { WireError::Long })
    }

    /// The numbers of a packed list, up to the first that is none.
    pub(crate) fn numbers(mut self) -> impl Iterator<Item = u64> + use<'a> {
        std::iter::from_fn(move || self.varint().ok())
    }

    /// How many bytes follow.
    pub(super) const fn left(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing follows.
    pub(super) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Wire<'a>), WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_at_end() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Appends a number.
pub(crate) fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Appends a field.
pub(super) fn put(bytes: &mut Vec<u8>, number: u32, wire: Wire<'_>) {
    let tag = u64::from(number) << 3;
    match wire {
        Wire::Varint(value) => {
            put_varint(bytes, tag);
            put_varint(bytes, value);
        }
        Wire::Fixed64(value) => {
            put_varint(bytes, tag | 1);
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        Wire::Bytes(value) => {
            put_varint(bytes, tag | 2);
            put_varint(bytes, value.len() as u64);
            bytes.extend_from_slice(value);
        }
        Wire::Fixed32(value) => {
            put_varint(bytes, tag | 5);
            bytes.extend_from_slice(&value.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<(u32, Wire<'_>)>, WireError> {
        Fields::new(bytes).collect()
    }

    #[test]
    fn what_is_no_message() {
        assert_eq!(all(&[0x08]), Err(WireError::Short));
        assert_eq!(all(&[0x0a, 2, b'x']), Err(WireError::Short));
        assert_eq!(all(&[0x0a, 0xff, 0xff]), Err(WireError::Short));
        assert_eq!(all(&[0x00, 0]), Err(WireError::Number(0)));
        assert_eq!(all(&[0x0b]), Err(WireError::Type(3)));
        assert_eq!(all(&[[0x08].as_slice(), &[0xff; 11]].concat()), Err(WireError::Long));
        let two_to_the_64 = [[0x08].as_slice(), &[0x80; 9], &[2]].concat();
        assert_eq!(all(&two_to_the_64), Err(WireError::Long));
    }

    proptest! {
        #[test]
        fn fields_are_read_as_written(
            fields in proptest::collection::vec((1_u32..1 << 29, any::<u64>(), 0..4_u8), 0..20)
        ) {
            let text: Vec<u8> = (0..200).collect();
            let fields: Vec<(u32, Wire<'_>)> = fields
                .into_iter()
                .map(|(number, value, form)| (number, match form {
                    0 => Wire::Varint(value),
                    1 => Wire::Fixed64(value),
                    2 => Wire::Bytes(&text[..(value % 200) as usize]),
                    _ => Wire::Fixed32(value as u32),
                }))
                .collect();
            let mut bytes = Vec::new();
            fields.iter().for_each(|(number, wire)| put(&mut bytes, *number, *wire));
            prop_assert_eq!(all(&bytes), Ok(fields));
        }

        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = all(&bytes);
        }
    }
}
