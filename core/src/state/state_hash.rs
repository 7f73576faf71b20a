//! A hash of the keys of a state: two dumps of the same state have the same one, whatever data
//! version they are of and in which order their lines stand.
//!
//! The hash is the sum, modulo 2^256, of the SHA-256 of each record, so that neither order nor
//! who has read which part counts, and nothing is held. That shows accidents, not forgers: who may
//! choose records can make two states of one sum. docs/format.md says what is hashed and why.

use std::fmt;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::dump::record::{Fact, Record, SeqV, Text};

/// What a hashed record begins with.
const KEY: u8 = 1;
const SEQUENCE: u8 = 2;

/// The hash of some records of a state, which can be added to that of others.
///
/// ```
/// use metadump::record::Record;
/// use metadump::scan::scan_line;
/// use metadump::state_hash::StateHash;
///
/// let line = br#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":1}}]"#;
/// let hash = StateHash::of(&scan_line(line).unwrap().record);
/// assert_eq!(
///     hash.unwrap().to_string(),
///     "676f9b8b864b51a88607c5a9ab6f60aba8afdc377764c4be394e6ad380016c5b"
/// );
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateHash {
    /// The sum, its lowest 64 bits first.
    sum: [u64; 4],
}

impl StateHash {
    /// The hash of one record; none when it is no part of what is hashed.
    pub fn of(record: &Record<'_>) -> Option<Self> {
        match record.fact() {
            Fact::Key(key, value) => Some(Self::of_key(key, value)),
            // A state without keys has this line or not, by its version.
            Fact::Sequence(value) if value > 0 => {
                let hasher = Sha256::new().chain_update([SEQUENCE]);
                Some(Self::of_digest(hasher.chain_update(value.to_le_bytes())))
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

    fn of_key(key: &Text<'_>, value: &SeqV<'_>) -> Self {
        let mut hasher = Sha256::new().chain_update([KEY]);
        hasher.update((key.len() as u64).to_le_bytes());
        hasher.update(key.as_bytes());
        hasher.update(value.seq.to_le_bytes());
        match value.expire_ms() {
            None => hasher.update([0]),
            Some(expire_ms) => {
                hasher.update([1]);
                hasher.update(expire_ms.to_le_bytes());
            }
        }
        hasher.update(value.data.decode());
        Self::of_digest(hasher)
    }

    fn of_digest(hasher: Sha256) -> Self {
        let digest: [u8; 32] = hasher.finalize().into();
        let (words, _) = digest.as_chunks::<8>();
        let mut sum = [0; 4];
        // The digest is written with its highest bits first.
        for (limb, word) in sum.iter_mut().rev().zip(words) {
            *limb = u64::from_be_bytes(*word);
        }
        Self { sum }
    }

    /// Adds the hash of other records.
    pub fn add(&mut self, other: Self) {
        let mut carry = false;
        for (limb, more) in self.sum.iter_mut().zip(other.sum) {
            let (sum, over) = limb.overflowing_add(more);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = over || over_again;
        }
    }

    /// The sum, its lowest byte first, as another process can [take](Self::from_bytes) it.
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let (words, _) = bytes.as_chunks_mut::<8>();
        for (word, limb) in words.iter_mut().zip(self.sum) {
            *word = limb.to_le_bytes();
        }
        bytes
    }

    /// What [`to_bytes`](Self::to_bytes) gave.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        let mut sum = [0; 4];
        for (limb, word) in sum.iter_mut().zip(words) {
            *limb = u64::from_le_bytes(*word);
        }
        Self { sum }
    }
}

impl fmt::Display for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sum.iter().rev().try_for_each(|limb| write!(f, "{limb:016x}"))
    }
}

impl Serialize for StateHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        // sha256(01 | 0100000000000000 | "a" | 0700000000000000 | 00 | 010203)
        let plain = key("a", r#"{"seq":7,"meta":null,"data":[1,2,3]}"#).unwrap();
        assert_eq!(
            plain.to_string(),
            "f4a0cb8a9fb9610f1d6408b7a3be397d0b5d381f275bb08c6ff8edb15fa4f204"
        );
        // sha256(01 | 0100000000000000 | "a" | 0700000000000000 | 01 | 98e60d0000000000)
        let expiring = key("a", r#"{"seq":7,"meta":{"expire_at":911},"data":[]}"#).unwrap();
        assert_eq!(
            expiring.to_string(),
            "6b362f39b2faf5c83ae0f1bd6f884654ac202e42c0e1d196972eb07f9a9205d5"
        );
        let mut sum = plain;
        sum.add(expiring);
        assert_eq!(
            sum.to_string(),
            "5fd6fac452b456d75844fa7513467fd1b77d6661e83d822307279e30fa36f7d9"
        );
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

    proptest! {
        #[test]
        fn sums_are_those_of_256_bits(
            terms in proptest::collection::vec(any::<[u8; 32]>(), 0..5),
            order in any::<prop::sample::Index>(),
        ) {
            let of = |terms: &[[u8; 32]]| {
                let mut sum = StateHash::default();
                terms.iter().for_each(|term| sum.add(StateHash::from_bytes(term)));
                sum
            };
            // Byte by byte, as at school.
            let mut expected = [0_u8; 32];
            for term in &terms {
                let mut carry = 0;
                for (digit, more) in expected.iter_mut().zip(term) {
                    let sum = u16::from(*digit) + u16::from(*more) + carry;
                    *digit = sum.to_le_bytes()[0];
                    carry = sum >> 8;
                }
            }
            prop_assert_eq!(of(&terms).to_bytes(), expected);
            let mut turned = terms.clone();
            if !terms.is_empty() {
                turned.rotate_left(order.index(terms.len()));
            }
            prop_assert_eq!(of(&turned), of(&terms));
        }
    }
}
