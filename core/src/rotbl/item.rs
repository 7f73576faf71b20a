//! One item of the table: its key, sequence number and value bytes, and the record they stand for.

use crate::record::{Bytes, ExpireKey, ExpireValue, KVMeta, SeqV, Text};

const KV: &[u8] = b"kv--/";
const EXPIRE: &[u8] = b"exp-/";

/// The version of the encoding of a value with its meta.
const VALUE_VERSION: u8 = 1;

/// What an item stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<'a> {
    /// A key and its value.
    KeyValue(Text<'a>, SeqV<'a>),
    /// An entry of the expiry index.
    Expire(ExpireKey, ExpireValue<'a>),
}

/// An item that stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// The key belongs to no known space.
    #[error("the key {0:?} starts neither with kv--/ nor with exp-/")]
    UnknownSpace(String),
    /// The key is not UTF-8, or not the two numbers of an expiry.
    #[error("the key {0:?} is malformed")]
    Key(String),
    /// The value is not what the key's space asks for.
    #[error("the value of {key:?} is malformed: {message}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong.
        message: String,
    },
}

/// An item as it is stored in the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredItem {
    /// The key, which starts with the name of its space.
    pub key: Vec<u8>,
    /// The sequence number, never 0: that would mark the item as deleted.
    pub seq: u64,
    /// The encoded value.
    pub value: Vec<u8>,
}

impl StoredItem {
    /// Makes this the item of a key; reuses the buffers.
    pub fn set_key_value(&mut self, key: &str, value: &SeqV<'_>) {
        self.key.clear();
        self.key.extend_from_slice(KV);
        self.key.extend_from_slice(key.as_bytes());
        self.seq = value.seq;
        self.set_value(meta_json(value.meta.as_ref()).as_bytes(), &value.data.decode());
    }

    /// Makes this the item of an entry of the expiry index; reuses the buffers.
    pub fn set_expire(&mut self, at: &ExpireKey, value: &ExpireValue<'_>) {
        self.key.clear();
        self.key.extend_from_slice(EXPIRE);
        self.key.extend_from_slice(format!("{:020}/{:020}", at.time_ms, at.seq).as_bytes());
        self.seq = value.seq.max(1);
        self.set_value(b"null", value.key.as_bytes());
    }

    fn set_value(&mut self, meta: &[u8], data: &[u8]) {
        self.value.clear();
        self.value.push(VALUE_VERSION);
        put_bytes(&mut self.value, meta);
        put_bytes(&mut self.value, data);
    }
}

fn meta_json(meta: Option<&KVMeta>) -> String {
    let Some(KVMeta { expire_at, proposed_at_ms }) = meta else {
        return "null".to_owned();
    };
    match (expire_at, proposed_at_ms) {
        (None, None) => "{}".to_owned(),
        (Some(at), None) => format!("{{\"expire_at\":{at}}}"),
        (None, Some(at)) => format!("{{\"proposed_at_ms\":{at}}}"),
        (Some(expire), Some(proposed)) => {
            format!("{{\"expire_at\":{expire},\"proposed_at_ms\":{proposed}}}")
        }
    }
}

impl<'a> Item<'a> {
    /// What a stored item stands for.
    ///
    /// # Errors
    ///
    /// When the key or the value is not one that servers write.
    pub fn decode(key: &'a [u8], seq: u64, value: &'a [u8]) -> Result<Self, ItemError> {
        let lossy = || String::from_utf8_lossy(key).into_owned();
        let wrong = |message: String| ItemError::Value { key: lossy(), message };
        let (meta, data) = split_value(value).map_err(wrong)?;
        if let Some(name) = key.strip_prefix(KV) {
            let name = std::str::from_utf8(name).map_err(|_| ItemError::Key(lossy()))?;
            let meta = serde_json::from_slice(meta).map_err(|error| wrong(error.to_string()))?;
            let data = Bytes::Decoded(data.into());
            return Ok(Self::KeyValue(name.into(), SeqV { seq, meta, data }));
        }
        let Some(numbers) = key.strip_prefix(EXPIRE) else {
            return Err(ItemError::UnknownSpace(lossy()));
        };
        let at = expire_key(numbers).ok_or_else(|| ItemError::Key(lossy()))?;
        let name = std::str::from_utf8(data).map_err(|error| wrong(error.to_string()))?;
        Ok(Self::Expire(at, ExpireValue { seq, key: name.into() }))
    }
}

fn expire_key(numbers: &[u8]) -> Option<ExpireKey> {
    let (time, seq) = std::str::from_utf8(numbers).ok()?.split_once('/')?;
    let number = |digits: &str| -> Option<u64> {
        let exact = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if exact { digits.parse().ok() } else { None }
    };
    Some(ExpireKey { time_ms: number(time)?, seq: number(seq)? })
}

/// Meta and data of value bytes.
fn split_value(value: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let Some((&VALUE_VERSION, rest)) = value.split_first() else {
        return Err(format!("version {:?}, expected 1", value.first()));
    };
    let parts = take_bytes(rest).and_then(|(meta, rest)| {
        let (data, rest) = take_bytes(rest)?;
        rest.is_empty().then_some((meta, data))
    });
    parts.ok_or_else(|| "its lengths do not add up".to_owned())
}

/// Appends a number: one byte below 251, else a tag and 2, 4 or 8 bytes.
pub(super) fn put_varint(out: &mut Vec<u8>, number: u64) {
    if let Ok(small) = u8::try_from(number)
        && small < 251
    {
        out.push(small);
    } else if let Ok(number) = u16::try_from(number) {
        out.push(251);
        out.extend_from_slice(&number.to_be_bytes());
    } else if let Ok(number) = u32::try_from(number) {
        out.push(252);
        out.extend_from_slice(&number.to_be_bytes());
    } else {
        out.push(253);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

/// Appends bytes with their length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A number at the start of `bytes`, and the rest.
pub(super) fn take_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let width = match first {
        0..=250 => return Some((u64::from(*first), rest)),
        251 => 2,
        252 => 4,
        253 => 8,
        254 | 255 => return None,
    };
    let (number, rest) = rest.split_at_checked(width)?;
    Some((number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)), rest))
}

/// Bytes with their length at the start of `bytes`, and the rest.
pub(super) fn take_bytes(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = take_varint(bytes)?;
    rest.split_at_checked(usize::try_from(len).ok()?)
}
