//! The bytes of a value, which a dump spells as an array of decimal numbers.

use std::borrow::Cow;
use std::fmt;

use crate::dump::decimal;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Value bytes, either still in the text of the dump or decoded.
///
/// A line that only passes through is never decoded: the scanner keeps the text, which it has
/// checked to be an array of numbers up to 255.
#[derive(Clone)]
pub enum Bytes<'a> {
    /// The JSON array as it stands in the dump, from `[` to `]`, without blanks.
    Text(&'a [u8]),
    /// Decoded bytes.
    Decoded(Cow<'a, [u8]>),
}

impl<'a> Bytes<'a> {
    /// The array as it stands in the dump; none when the bytes were decoded.
    pub const fn text(&self) -> Option<&'a [u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Decoded(_) => None,
        }
    }
}

impl Bytes<'_> {
    /// The same bytes, borrowed.
    pub fn borrowed(&self) -> Bytes<'_> {
        match self {
            Self::Text(text) => Bytes::Text(text),
            Self::Decoded(bytes) => Bytes::Decoded(Cow::Borrowed(bytes)),
        }
    }

    /// The bytes themselves; decodes when they are still text.
    pub fn decode(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Text(text) => {
                let mut decoded = Vec::new();
                decimal::decode(text, &mut decoded);
                Cow::Owned(decoded)
            }
            Self::Decoded(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// The array as a dump spells it; encodes when they are decoded.
    ///
    /// ```
    /// use metadump::record::Bytes;
    ///
    /// assert_eq!(*Bytes::from(vec![1, 255]).spelled(), *b"[1,255]");
    /// assert_eq!(*Bytes::Text(b"[1,255]").spelled(), *b"[1,255]");
    /// ```
    pub fn spelled(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Decoded(bytes) => {
                let mut text = Vec::new();
                decimal::encode(bytes, &mut text);
                Cow::Owned(text)
            }
        }
    }

    /// Appends the bytes to `out`.
    pub fn decode_into(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => decimal::decode(text, out),
            Self::Decoded(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        match self {
            Self::Text(b"[]") => 0,
            Self::Text(text) => 1 + memchr::memchr_iter(b',', text).count() as u64,
            Self::Decoded(bytes) => bytes.len() as u64,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same bytes, decoded and independent of the dump's text.
    pub fn into_owned(self) -> Bytes<'static> {
        Bytes::Decoded(Cow::Owned(self.decode().into_owned()))
    }
}

impl Default for Bytes<'_> {
    fn default() -> Self {
        Self::Decoded(Cow::Borrowed(&[]))
    }
}

impl From<Vec<u8>> for Bytes<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Decoded(Cow::Owned(bytes))
    }
}

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bytes").field(&self.decode()).finish()
    }
}

impl PartialEq for Bytes<'_> {
    fn eq(&self, other: &Self) -> bool {
        // What is spelled alike is not decoded.
        self.text().zip(other.text()).is_some_and(|(text, other)| text == other)
            || self.decode() == other.decode()
    }
}

impl Eq for Bytes<'_> {}

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.decode();
        if serializer.is_human_readable() {
            // JSON has no bytes: they become an array, which its writer may spell in one go.
            serializer.serialize_bytes(&bytes)
        } else {
            // A log of servers has an array of numbers.
            serializer.collect_seq(bytes.iter())
        }
    }
}

impl<'de> Deserialize<'de> for Bytes<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByteArray;
        impl<'de> Visitor<'de> for ByteArray {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of bytes")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
                // A hostile length prefix must not reserve more than a page ahead of the data.
                let mut bytes = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(4096));
                while let Some(byte) = seq.next_element::<u8>()? {
                    bytes.push(byte);
                }
                Ok(bytes)
            }
        }
        deserializer.deserialize_seq(ByteArray).map(Self::from)
    }
}
