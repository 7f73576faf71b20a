//! A hash of the keys of a state: two dumps of the same state have the same one, whatever data
//! version they are of and in which order their lines stand.
//!
//! The hash is the sum, modulo 2^128, of a hash of each record, so that neither order nor who has
//! read which part counts, and nothing is held. It finds accidents, not forgers: whoever may choose
//! records can make two states with one hash. docs/format.md says what is hashed and why.

use std::borrow::Cow;
use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use twox_hash::XxHash3_128;

use crate::dump::decimal;
use crate::dump::record::{Bytes, Fact, Record, SeqV, Text, Tree};
use crate::dump::scan::ScannedLine;

/// What a hashed record begins with: what it is.
const KEY: u128 = 1;
const EXPIRING_KEY: u128 = 2;
const SEQUENCE: u128 = 3;

/// The hash of some records of a state, which can be added to that of others.
///
/// ```
/// use metadump::record::Record;
/// use metadump::scan::scan_line;
/// use metadump::state_hash::StateHash;
///
/// let line = br#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":1}}]"#;
/// let hash = StateHash::of(&scan_line(line).unwrap().record);
/// assert_eq!(hash.unwrap().to_string(), "e1c8fe50fd3b89940a18853d9b8db70f");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateHash(u128);

impl StateHash {
    /// The hash of one record; none when it is no part of what is hashed.
    pub fn of(record: &Record<'_>) -> Option<Self> {
        match record.fact() {
            Fact::Key(key, value) => Some(Self::of_key(key, value)),
            // A state without keys has this line or not, by its version.
            Fact::Sequence(value) if value > 0 => {
                Some(Self::of_numbers([SEQUENCE, value.into(), 0, 0, 0]))
            }
            // All else is no part of the keys, or follows from them, as the expiry index does.
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
            | Fact::Expire(..)
            | Fact::Retired(_)
            | Fact::Nothing => None,
        }
    }

    /// The hash of what a line adds to a state, with the number of its state machine.
    pub fn of_line(scanned: &ScannedLine<'_>) -> Option<(u64, Self)> {
        let Tree::StateMachine(machine) = scanned.tree() else { return None };
        Some((machine, Self::of(&scanned.record)?))
    }

    fn of_key(key: &Text<'_>, value: &SeqV<'_>) -> Self {
        let (kind, expire_ms) = match value.expire_ms() {
            Some(expire_ms) => (EXPIRING_KEY, expire_ms),
            None => (KEY, 0),
        };
        let key = XxHash3_128::oneshot(key.as_bytes());
        let numbers = [kind, value.seq.into(), expire_ms.into(), key, hash_of_value(&value.data)];
        Self::of_numbers(numbers)
    }

    fn of_numbers(numbers: [u128; 5]) -> Self {
        Self(XxHash3_128::oneshot(numbers.map(u128::to_le_bytes).as_flattened()))
    }

    /// Adds the hash of other records.
    pub const fn add(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// The sum, its lowest byte first, as another process can [take](Self::from_bytes) it.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// What [`to_bytes`](Self::to_bytes) gave.
    pub const fn from_bytes(bytes: &[u8; 16]) -> Self {
        Self(u128::from_le_bytes(*bytes))
    }
}

/// The hash of a value's decimal text: most values are hashed as they stand in the dump.
fn hash_of_value(value: &Bytes<'_>) -> u128 {
    match value {
        Bytes::Text(text) => XxHash3_128::oneshot(text),
        Bytes::Decoded(bytes) => {
            let mut text = Vec::new();
            decimal::encode(bytes, &mut text);
            XxHash3_128::oneshot(&text)
        }
    }
}

impl fmt::Display for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for StateHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StateHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let is_hash = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let sum = u128::from_str_radix(&text, 16).ok().filter(|_| is_hash);
        sum.map(Self).ok_or_else(|| D::Error::custom("a state hash has 32 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::scan::scan_line;

    fn of(line: &str) -> Option<StateHash> {
        StateHash::of(&scan_line(line.as_bytes()).unwrap().record)
    }

    fn key(key: &str, value: &str) -> Option<StateHash> {
        of(&format!(r#"["state_machine/0",{{"GenericKV":{{"key":"{key}","value":{value}}}}}]"#))
    }

    #[test]
    fn a_state_is_hashed_as_the_format_page_says() {
        // The sums of the example in docs/format.md, by another implementation of XXH3.
        let plain = key("a", r#"{"seq":7,"meta":null,"data":[1,2,3]}"#).unwrap();
        assert_eq!(plain.to_string(), "e034cbf546ed6a5cce7f9b93d9d9058a");
        let expiring = key("a", r#"{"seq":7,"meta":{"expire_at":911},"data":[]}"#).unwrap();
        assert_eq!(expiring.to_string(), "b9cd4969d7bac664307bf2fb83cb759f");
        let mut sum = plain;
        sum.add(expiring);
        assert_eq!(sum.to_string(), "9a02155f1ea830c0fefb8e8f5da47b29");
    }

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = StateHash(7 << 100);
        let json = serde_json::to_string(&hash).unwrap();
        assert_eq!(json, r#""00000070000000000000000000000000""#);
        assert_eq!(serde_json::from_str::<StateHash>(&json).unwrap(), hash);
        for none in [r#""""#, r#""+0000070000000000000000000000000""#, r#""70""#, "7"] {
            assert!(serde_json::from_str::<StateHash>(none).is_err(), "{none}");
        }
    }

    #[test]
    fn bytes_have_the_hash_of_their_text() {
        let bytes: Vec<u8> = (0..=255).collect();
        for bytes in [&bytes[..], b"", b"\0"] {
            let text = serde_json::to_vec(bytes).unwrap();
            assert_eq!(hash_of_value(&Bytes::Text(&text)), hash_of_value(&bytes.to_vec().into()));
        }
    }

    #[test]
    fn spelling_does_not_count_and_every_fact_does() {
        let value = |text| key("a", text).unwrap();
        let plain = value(r#"{"seq":7,"meta":null,"data":[1,2,3]}"#);
        for same in [
            r#"{"seq":7,"meta":{},"data":[1,2,3]}"#,
            r#"{"seq":7,"meta":{"expire_at":null},"data":[1, 2,3]}"#,
            r#"{"seq":7,"meta":{"proposed_at_ms":1},"data":[1,2,3]}"#,
            r#"{"data":[1,2,3],"seq":7,"meta":null}"#,
        ] {
            assert_eq!(value(same), plain, "{same}");
        }
        assert_eq!(key("\\u0061", r#"{"seq":7,"meta":null,"data":[1,2,3]}"#), Some(plain));
        for other in [
            r#"{"seq":8,"meta":null,"data":[1,2,3]}"#,
            r#"{"seq":7,"meta":{"expire_at":0},"data":[1,2,3]}"#,
            r#"{"seq":7,"meta":null,"data":[1,2,4]}"#,
            r#"{"seq":7,"meta":null,"data":[]}"#,
        ] {
            assert_ne!(value(other), plain, "{other}");
        }
        let seconds = value(r#"{"seq":7,"meta":{"expire_at":1800000000},"data":[]}"#);
        let millis = value(r#"{"seq":7,"meta":{"expire_at":1800000000000},"data":[]}"#);
        assert_eq!(seconds, millis);
        let none = r#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":0}}]"#;
        assert_eq!(of(none), None);
    }
}
