//! Where a MessagePack value ends: WAL records have no length of their own.

/// Why the end of a value was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoEnd {
    /// The bytes end before the value does.
    Incomplete,
    /// The byte at this offset starts no value.
    NotAValue(usize),
}

/// The length of the value at the start of `bytes`, found without recursion.
pub(super) fn value_len(bytes: &[u8]) -> Result<usize, NoEnd> {
    let mut at = 0_usize;
    let mut open_values = 1_u64;
    while open_values > 0 {
        open_values -= 1;
        let first = *bytes.get(at).ok_or(NoEnd::Incomplete)?;
        let rest = bytes.get(at + 1..).unwrap_or_default();
        let (content, children) = match first {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => (0, 0),
            0x80..=0x8f => (0, 2 * u64::from(first & 0x0f)),
            0x90..=0x9f => (0, u64::from(first & 0x0f)),
            0xa0..=0xbf => (u64::from(first & 0x1f), 0),
            0xc4 | 0xd9 => (1 + length(rest, 1)?, 0),
            0xc5 | 0xda => (2 + length(rest, 2)?, 0),
            0xc6 | 0xdb => (4 + length(rest, 4)?, 0),
            0xcc | 0xd0 => (1, 0),
            0xcd | 0xd1 => (2, 0),
            0xca | 0xce | 0xd2 => (4, 0),
            0xcb | 0xcf | 0xd3 => (8, 0),
            0xdc => (2, length(rest, 2)?),
            0xdd => (4, length(rest, 4)?),
            0xde => (2, 2 * length(rest, 2)?),
            0xdf => (4, 2 * length(rest, 4)?),
            // 0xc1 is never used; extension types are never written by a server.
            0xc1 | 0xc7..=0xc9 | 0xd4..=0xd8 => return Err(NoEnd::NotAValue(at)),
        };
        open_values = open_values.saturating_add(children);
        let end = (at as u64).saturating_add(1).saturating_add(content);
        if end > bytes.len() as u64 {
            return Err(NoEnd::Incomplete);
        }
        at = usize::try_from(end).map_err(|_| NoEnd::Incomplete)?;
    }
    Ok(at)
}

/// A big-endian length of `width` bytes.
fn length(bytes: &[u8], width: usize) -> Result<u64, NoEnd> {
    let bytes = bytes.get(..width).ok_or(NoEnd::Incomplete)?;
    Ok(bytes.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_of_what_rmp_writes() {
        let value =
            serde_json::json!({"a": [1, 2, 300, -5, null, true], "b": "x".repeat(300), "c": 1.5});
        let mut bytes = rmp_serde::to_vec_named(&value).unwrap();
        let len = bytes.len();
        bytes.push(0xc1);
        assert_eq!(value_len(&bytes), Ok(len));
        for cut in 0..len {
            assert_eq!(value_len(&bytes[..cut]), Err(NoEnd::Incomplete), "cut at {cut}");
        }
        assert_eq!(value_len(&[0x91, 0xc1]), Err(NoEnd::NotAValue(1)));
    }

    #[test]
    fn nesting_and_lengths_from_outside_cost_nothing() {
        assert_eq!(value_len(&vec![0x91; 1 << 20]), Err(NoEnd::Incomplete));
        assert_eq!(value_len(&[0xdf, 0xff, 0xff, 0xff, 0xff]), Err(NoEnd::Incomplete));
        assert_eq!(value_len(&[0xdb, 0xff, 0xff, 0xff, 0xff, 0x61]), Err(NoEnd::Incomplete));
    }
}
