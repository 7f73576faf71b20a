//! Numbers of variable width, and bytes behind their length.

/// Appends a number in its shortest form: two and three bytes hold it big-endian and less what
/// the shorter forms can hold, longer ones little-endian behind how many bytes they are.
pub(in crate::disk) fn put_varint(number: u64, out: &mut Vec<u8>) {
    let bytes = number.to_le_bytes();
    match number {
        0..=240 => out.extend(bytes.iter().take(1)),
        241..=2287 => {
            let [low, high, ..] = (number - 240).to_le_bytes();
            out.extend([241 + high, low]);
        }
        2288..=67_823 => {
            let [low, high, ..] = (number - 2288).to_le_bytes();
            out.extend([249, high, low]);
        }
        _ => {
            let unused = number.leading_zeros() / 8;
            // At least three bytes are used from here on, at most eight.
            out.push(255_u8.saturating_sub(unused.to_le_bytes()[0]));
            out.extend(bytes.iter().take(8 - unused as usize));
        }
    }
}

/// How many bytes [`put_varint`] appends.
pub(in crate::disk) const fn varint_bytes(number: u64) -> u64 {
    match number {
        0..=240 => 1,
        241..=2287 => 2,
        2288..=67_823 => 3,
        _ => 9 - (number.leading_zeros() / 8) as u64,
    }
}

/// Appends bytes behind their length.
pub(in crate::disk) fn put_sized(bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// How many bytes [`put_sized`] appends for so many.
pub(in crate::disk) const fn sized_bytes(len_bytes: u64) -> u64 {
    varint_bytes(len_bytes) + len_bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_width_is_known_before(number in any::<u64>(), shift in 0u32..64) {
            let number = number >> shift;
            let mut out = Vec::new();
            put_varint(number, &mut out);
            prop_assert_eq!(out.len() as u64, varint_bytes(number));
        }
    }
}
