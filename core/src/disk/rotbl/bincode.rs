//! The encoding of rows: bincode 2, big-endian, integers of variable length.

/// The marks for integers of 2, 4 and 8 bytes; anything below is the integer itself.
const IN_2_BYTES: u8 = 251;
const IN_4_BYTES: u8 = 252;
const IN_8_BYTES: u8 = 253;

/// Takes an integer from the front of `bytes`; none when there is no whole one.
pub(super) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let [mark] = take_array(bytes)?;
    match mark {
        0..IN_2_BYTES => Some(u64::from(mark)),
        IN_2_BYTES => take_array(bytes).map(|n| u64::from(u16::from_be_bytes(n))),
        IN_4_BYTES => take_array(bytes).map(|n| u64::from(u32::from_be_bytes(n))),
        IN_8_BYTES => take_array(bytes).map(u64::from_be_bytes),
        _ => None,
    }
}

/// Takes a run of bytes that its length precedes; none when the bytes end before.
pub(super) fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take_varint(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

/// Takes one byte.
pub(super) fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    take_array(bytes).map(|[byte]| byte)
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

/// Appends an integer.
pub(super) fn put_varint(number: u64, out: &mut Vec<u8>) {
    if let Ok(short) = u8::try_from(number)
        && short < IN_2_BYTES
    {
        out.push(short);
    } else if let Ok(number) = u16::try_from(number) {
        out.push(IN_2_BYTES);
        out.extend_from_slice(&number.to_be_bytes());
    } else if let Ok(number) = u32::try_from(number) {
        out.push(IN_4_BYTES);
        out.extend_from_slice(&number.to_be_bytes());
    } else {
        out.push(IN_8_BYTES);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

/// Appends a run of bytes after its length.
pub(super) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_take_the_fewest_bytes() {
        let cases: [(u64, &[u8]); 8] = [
            (0, &[0]),
            (250, &[250]),
            (251, &[251, 0, 251]),
            (65_535, &[251, 255, 255]),
            (65_536, &[252, 0, 1, 0, 0]),
            (u64::from(u32::MAX), &[252, 255, 255, 255, 255]),
            (1 << 32, &[253, 0, 0, 0, 1, 0, 0, 0, 0]),
            (u64::MAX, &[253, 255, 255, 255, 255, 255, 255, 255, 255]),
        ];
        for (number, encoded) in cases {
            let mut out = Vec::new();
            put_varint(number, &mut out);
            assert_eq!(out, encoded);
            let mut rest = encoded;
            assert_eq!(take_varint(&mut rest), Some(number));
            assert_eq!(rest, b"");
            assert_eq!(take_varint(&mut &encoded[..encoded.len() - 1]), None);
        }
        assert_eq!(take_varint(&mut [254, 0, 0].as_slice()), None);
    }

    #[test]
    fn a_length_beyond_the_bytes_takes_nothing() {
        let mut bytes = [3, b'a', b'b'].as_slice();
        assert_eq!(take_bytes(&mut bytes), None);
        let mut huge = [253, 255, 255, 255, 255, 255, 255, 255, 255, 0].as_slice();
        assert_eq!(take_bytes(&mut huge), None);
    }
}
