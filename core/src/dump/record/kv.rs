//! Key-value records: a value with its sequence number and expiry, and the expiry index.

use serde::{Deserialize, Serialize};

use super::{Bytes, Text};

/// Numbers above this are milliseconds, others are seconds (apply semantics of 1.2.770 and later).
pub(super) const LARGEST_SECONDS: u64 = 100_000_000_000;

/// Turns a stored `expire_at` into milliseconds since 1970.
///
/// The unit follows from the magnitude: more than 10^11 is milliseconds, otherwise seconds.
pub const fn expire_at_ms(expire_at: u64) -> u64 {
    if expire_at > LARGEST_SECONDS { expire_at } else { expire_at * 1000 }
}

/// What is stored beside a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KVMeta {
    /// When the key expires, in seconds or milliseconds: see [`expire_at_ms`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_at: Option<u64>,
    /// When the write was proposed, milliseconds since 1970 (1.2.823 and later).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed_at_ms: Option<u64>,
}

/// A value with its sequence number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeqV<'a> {
    /// The sequence number of the write, unique in the state machine.
    pub seq: u64,
    /// Expiry and proposal time; null in records of older servers.
    pub meta: Option<KVMeta>,
    /// The value.
    #[serde(borrow)]
    pub data: Bytes<'a>,
}

impl SeqV<'_> {
    /// The same record, borrowed.
    pub fn borrowed(&self) -> SeqV<'_> {
        SeqV { data: self.data.borrowed(), ..*self }
    }

    /// When the record expires, milliseconds since 1970.
    pub fn expire_ms(&self) -> Option<u64> {
        self.meta.and_then(|meta| meta.expire_at).map(expire_at_ms)
    }
}

/// The key of the expiry index: when, and which record by its sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExpireKey {
    /// When the record expires, always milliseconds since 1970.
    pub time_ms: u64,
    /// The sequence number of the record that expires.
    pub seq: u64,
}

/// The value of the expiry index: the key that expires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpireValue<'a> {
    /// The entry's own sequence number; absent (0) in dumps up to V002.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub seq: u64,
    /// The key that expires.
    #[serde(borrow)]
    pub key: Text<'a>,
}

impl ExpireValue<'_> {
    /// The same entry, borrowed.
    pub fn borrowed(&self) -> ExpireValue<'_> {
        ExpireValue { seq: self.seq, key: self.key.borrowed() }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde asks for
fn is_zero(seq: &u64) -> bool {
    *seq == 0
}
