//! Where a MessagePack value ends, found without decoding it.

/// Shorter arrays are passed value by value.
const FEWEST_BYTES: u64 = 8;

/// How far the value at the start of some bytes reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// The value takes this many bytes.
    Whole(usize),
    /// The bytes end before the value does.
    Incomplete,
    /// The byte at this offset starts no value that a server writes.
    NotAValue {
        /// Where it stands.
        offset: usize,
        /// The byte.
        found: u8,
    },
}

/// Finds the end of the value at the start of `bytes`.
///
/// Nested values are counted rather than entered: an array of n is n values to come. So neither
/// depth nor a hostile count costs memory, and every step passes at least one byte.
pub(super) fn extent(bytes: &[u8]) -> Extent {
    let mut rest = bytes;
    let mut values_to_come = 1_u64;
    while values_to_come > 0 {
        values_to_come -= 1;
        let Some((&marker, after)) = rest.split_first() else {
            return Extent::Incomplete;
        };
        let Some(head) = Head::of(marker) else {
            return Extent::NotAValue { offset: bytes.len() - rest.len(), found: marker };
        };
        let Some((count, after)) = head.count(after) else {
            return Extent::Incomplete;
        };
        let (content_bytes, children) = match head.of {
            Of::Values if count > FEWEST_BYTES => {
                // Values of keys are long arrays of small numbers, most of what there is to pass.
                let most = usize::try_from(count).unwrap_or(usize::MAX);
                let mut taken = 0;
                let len = take_bytes(after, most, |_| taken += 1);
                (len as u64, count - taken)
            }
            Of::Bytes => (count, 0),
            Of::Values => (0, count),
            Of::Pairs => (0, count.saturating_mul(2)),
        };
        values_to_come = values_to_come.saturating_add(children);
        let content = usize::try_from(content_bytes).ok();
        rest = match content.and_then(|len| after.split_at_checked(len)) {
            Some((_, after)) => after,
            None => return Extent::Incomplete,
        };
    }
    Extent::Whole(bytes.len() - rest.len())
}

/// Steps over up to `most` numbers below 256, calling `each` for every one; gives how many bytes
/// they take. Ends early at anything else.
///
/// Most of a log are such numbers, one or two bytes each by chance: nothing here depends on which.
pub(super) fn take_bytes(packed: &[u8], most: usize, mut each: impl FnMut(u8)) -> usize {
    let mut at = 0;
    for _ in 0..most {
        let Some(&head) = packed.get(at) else { break };
        let is_wide = head == 0xcc;
        let Some(&byte) = packed.get(at + usize::from(is_wide)) else { break };
        if head >= 0x80 && !is_wide {
            break;
        }
        each(byte);
        at += 1 + usize::from(is_wide);
    }
    at
}

/// What the first byte of a value says about the bytes that follow.
struct Head {
    /// What the count counts.
    of: Of,
    /// The count, or how many bytes hold it.
    count: Count,
}

enum Of {
    Bytes,
    Values,
    Pairs,
}

enum Count {
    Is(u64),
    In1Byte,
    In2Bytes,
    In4Bytes,
}

impl Head {
    /// None for the unused marker and for extension types, which no server writes.
    fn of(marker: u8) -> Option<Self> {
        let low = |bits: u8| Count::Is(u64::from(marker & bits));
        let (of, count) = match marker {
            0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => (Of::Bytes, Count::Is(0)),
            0xcc | 0xd0 => (Of::Bytes, Count::Is(1)),
            0xcd | 0xd1 => (Of::Bytes, Count::Is(2)),
            0xca | 0xce | 0xd2 => (Of::Bytes, Count::Is(4)),
            0xcb | 0xcf | 0xd3 => (Of::Bytes, Count::Is(8)),
            0xa0..=0xbf => (Of::Bytes, low(0x1f)),
            0xc4 | 0xd9 => (Of::Bytes, Count::In1Byte),
            0xc5 | 0xda => (Of::Bytes, Count::In2Bytes),
            0xc6 | 0xdb => (Of::Bytes, Count::In4Bytes),
            0x90..=0x9f => (Of::Values, low(0x0f)),
            0xdc => (Of::Values, Count::In2Bytes),
            0xdd => (Of::Values, Count::In4Bytes),
            0x80..=0x8f => (Of::Pairs, low(0x0f)),
            0xde => (Of::Pairs, Count::In2Bytes),
            0xdf => (Of::Pairs, Count::In4Bytes),
            0xc1 | 0xc7..=0xc9 | 0xd4..=0xd8 => return None,
        };
        Some(Self { of, count })
    }

    /// The count and the bytes after it; none when the bytes end before.
    fn count<'a>(&self, after: &'a [u8]) -> Option<(u64, &'a [u8])> {
        match self.count {
            Count::Is(count) => Some((count, after)),
            Count::In1Byte => after.split_first().map(|(n, rest)| (u64::from(*n), rest)),
            Count::In2Bytes => {
                let (n, rest) = after.split_first_chunk()?;
                Some((u64::from(u16::from_be_bytes(*n)), rest))
            }
            Count::In4Bytes => {
                let (n, rest) = after.split_first_chunk()?;
                Some((u64::from(u32::from_be_bytes(*n)), rest))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Any value that servers write, nested a few levels.
    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-z]{0,40}".prop_map(Value::from),
            Just(Value::from("x".repeat(300))),
            Just(Value::from("x".repeat(70_000))),
            prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 20, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{0,8}", inner, 0..20)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn finds_the_end_of_whatever_rmp_writes(value in any_value(), after in any::<[u8; 3]>()) {
            let mut bytes = rmp_serde::to_vec_named(&value).unwrap();
            let len = bytes.len();
            for cut in [0, 1, len / 2, len - 1] {
                let expected = if cut == len { Extent::Whole(len) } else { Extent::Incomplete };
                prop_assert_eq!(extent(&bytes[..cut]), expected);
            }
            bytes.extend(after);
            prop_assert_eq!(extent(&bytes), Extent::Whole(len));
        }

        #[test]
        fn random_bytes_end_somewhere_or_nowhere(bytes: Vec<u8>) {
            match extent(&bytes) {
                Extent::Whole(len) => prop_assert!((1..=bytes.len()).contains(&len)),
                Extent::Incomplete => {}
                Extent::NotAValue { offset, found } => prop_assert_eq!(bytes[offset], found),
            }
        }
    }

    #[test]
    fn hostile_counts_and_depths_cost_nothing() {
        assert_eq!(extent(&[0xdf, 0xff, 0xff, 0xff, 0xff, 1]), Extent::Incomplete);
        assert_eq!(extent(&[0xdb, 0xff, 0xff, 0xff, 0xff]), Extent::Incomplete);
        let mut deep = vec![0x91; 1_000_000];
        assert_eq!(extent(&deep), Extent::Incomplete);
        deep.push(0xc0);
        assert_eq!(extent(&deep), Extent::Whole(1_000_001));
        let many_maps: Vec<u8> = [0xdf, 0xff, 0xff, 0xff, 0xff].repeat(10_000);
        assert_eq!(extent(&many_maps), Extent::Incomplete);
    }

    #[test]
    fn markers_that_no_server_writes_are_named() {
        for marker in [0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd8] {
            assert_eq!(
                extent(&[0x92, 0x00, marker]),
                Extent::NotAValue { offset: 2, found: marker }
            );
        }
    }
}
