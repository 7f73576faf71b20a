//! What the rows of a table mean: keys with their values, and the expiry index.

use std::borrow::Cow;

use super::bincode::{put_bytes, take_byte, take_bytes};
use super::block::Row;
use super::error::RotblFault;
use crate::dump::record::{Bytes, ExpireKey, ExpireValue, Fact, KVMeta, SeqV, Text};
use crate::dump::scan::in_plain_words;
use crate::dump::scan::read_json;

const EXPIRE_PREFIX: &str = "exp-/";
const KEY_PREFIX: &str = "kv--/";

/// How wide the numbers in a key of the expiry index are.
const EXPIRE_DIGITS: usize = 20;

/// The version of the pair of meta and data in a value.
const VALUE_VERSION: u8 = 1;

/// One record of the state machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableEntry<'a> {
    /// An entry of the expiry index.
    Expire(ExpireKey, ExpireValue<'a>),
    /// A key with its value.
    GenericKV(Text<'a>, SeqV<'a>),
}

impl<'a> TableEntry<'a> {
    /// The entry that holds a fact; none when it is no key and no expiry.
    pub fn of(fact: &Fact<'a>) -> Option<Self> {
        match *fact {
            Fact::Expire(at, value) => Some(Self::Expire(at, value.borrowed())),
            Fact::Key(key, value) => Some(Self::GenericKV(key.borrowed(), value.borrowed())),
            Fact::Header(_)
            | Fact::NodeId(_)
            | Fact::Vote(_)
            | Fact::Committed(_)
            | Fact::Purged(_)
            | Fact::LiveMachine(_)
            | Fact::Entry(_)
            | Fact::LastApplied(_)
            | Fact::Membership(_)
            | Fact::Node(..)
            | Fact::Sequence(_)
            | Fact::Retired(_)
            | Fact::Nothing => None,
        }
    }

    /// What the entry says.
    pub const fn fact(&self) -> Fact<'_> {
        match self {
            Self::Expire(at, value) => Fact::Expire(*at, value),
            Self::GenericKV(key, value) => Fact::Key(key, value),
        }
    }

    /// Reads a row; none for a tombstone. Members of the meta that this release does not know are
    /// reported to `note_unknown`.
    pub(super) fn from_row(
        row: &Row<'a>,
        note_unknown: &mut dyn FnMut(String),
    ) -> Result<Option<Self>, RotblFault> {
        let is_expire = row.key.starts_with(EXPIRE_PREFIX);
        let name = row.key.strip_prefix(KEY_PREFIX);
        if !is_expire && name.is_none() {
            return Err(RotblFault::UnknownKey { key: row.key.to_owned() });
        }
        let Some(value) = row.value else {
            return Ok(None);
        };
        let wrong = |message: String| RotblFault::Value { key: row.key.to_owned(), message };
        let (meta, data) =
            split_value(value).ok_or_else(|| wrong("not a pair of meta and data".to_owned()))?;
        let meta =
            read_meta(meta, note_unknown).map_err(|error| wrong(in_plain_words(meta, &error)))?;
        let seq = row.seq;
        if let Some(name) = name {
            let data = Bytes::Decoded(Cow::Borrowed(data));
            return Ok(Some(Self::GenericKV(Text::from(name), SeqV { seq, meta, data })));
        }
        let key = expire_key(row.key)
            .ok_or_else(|| RotblFault::UnknownKey { key: row.key.to_owned() })?;
        let name = std::str::from_utf8(data).map_err(|error| wrong(error.to_string()))?;
        let value = ExpireValue { seq, key: Text::from(name) };
        Ok(Some(Self::Expire(key, value)))
    }

    /// The same entry with its value as bytes, not as the text of a dump.
    pub fn decoded(&self) -> TableEntry<'_> {
        match self {
            Self::Expire(at, value) => TableEntry::Expire(*at, value.clone()),
            Self::GenericKV(name, value) => {
                let data = Bytes::Decoded(value.data.decode());
                TableEntry::GenericKV(name.as_str().into(), SeqV { data, ..*value })
            }
        }
    }

    /// The key of the entry's row.
    pub fn row_key(&self) -> String {
        match self {
            Self::Expire(ExpireKey { time_ms, seq }, _) => {
                format!("{EXPIRE_PREFIX}{time_ms:0EXPIRE_DIGITS$}/{seq:0EXPIRE_DIGITS$}")
            }
            Self::GenericKV(name, _) => format!("{KEY_PREFIX}{name}"),
        }
    }

    /// The sequence number of the entry's row; an index entry of an old dump has none, and the
    /// importers write 1.
    pub(super) fn row_seq(&self) -> u64 {
        match self {
            Self::Expire(_, value) => value.seq.max(1),
            Self::GenericKV(_, value) => value.seq,
        }
    }

    /// Appends the value of the entry's row to `out`.
    pub(super) fn put_row_value(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let (meta, data) = match self {
            Self::Expire(_, value) => (None, Cow::Borrowed(value.key.as_bytes())),
            Self::GenericKV(_, value) => (value.meta, value.data.decode()),
        };
        out.push(VALUE_VERSION);
        put_bytes(&serde_json::to_vec(&meta)?, out);
        put_bytes(&data, out);
        Ok(())
    }
}

/// Meta and data of a value.
fn split_value(mut value: &[u8]) -> Option<(&[u8], &[u8])> {
    let version = take_byte(&mut value)?;
    let meta = take_bytes(&mut value)?;
    let data = take_bytes(&mut value)?;
    (version == VALUE_VERSION && value.is_empty()).then_some((meta, data))
}

fn read_meta(
    json: &[u8],
    note_unknown: &mut dyn FnMut(String),
) -> Result<Option<KVMeta>, serde_json::Error> {
    let (meta, unknown) = read_json(json)?;
    if let Some(path) = unknown {
        // The path spells the step into an option as a member `?`.
        note_unknown(format!("meta.{}", path.replace("?.", "")));
    }
    Ok(meta)
}

/// Reads `exp-/<time>/<seq>` with 20 digits each.
fn expire_key(key: &str) -> Option<ExpireKey> {
    let (time, seq) = key.strip_prefix(EXPIRE_PREFIX)?.split_once('/')?;
    let number = |digits: &str| {
        let is_number =
            digits.len() == EXPIRE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok())?
    };
    Some(ExpireKey { time_ms: number(time)?, seq: number(seq)? })
}
