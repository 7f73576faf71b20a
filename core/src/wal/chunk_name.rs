//! Names of chunk files: `r-` and the chunk's offset in 20 digits, grouped by three.

/// The name of the chunk that starts at `offset_bytes` of the whole log.
///
/// ```
/// assert_eq!(metadump::wal::chunk_file_name(18), "r-00_000_000_000_000_000_018.wal");
/// ```
pub fn chunk_file_name(offset_bytes: u64) -> String {
    let digits = format!("{offset_bytes:020}");
    let mut name = "r-".to_owned();
    for (at, digit) in digits.chars().enumerate() {
        // 20 digits: groups of three from the right leave two at the left.
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            name.push('_');
        }
        name.push(digit);
    }
    name.push_str(".wal");
    name
}

/// The offset that a chunk's name tells; none when it is no such name.
pub fn chunk_offset(name: &str) -> Option<u64> {
    let grouped = name.strip_prefix("r-")?.strip_suffix(".wal")?;
    let offset = grouped.replace('_', "").parse().ok()?;
    (chunk_file_name(offset) == name).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_offsets_are_one_to_one() {
        for offset in [0, 7, 18, 268_435_456, u64::MAX] {
            assert_eq!(chunk_offset(&chunk_file_name(offset)), Some(offset));
        }
        assert_eq!(chunk_file_name(u64::MAX), "r-18_446_744_073_709_551_615.wal");
        for name in [
            "",
            "LOCK",
            "r-0.wal",
            "r-00_000_000_000_000_000_0000.wal",
            "r-00_000_000_000_000_000_000.wa",
        ] {
            assert_eq!(chunk_offset(name), None, "{name}");
        }
    }
}
