//! The primitive encodings that all files share.

/// Takes values off the front of bytes; none when the bytes end first.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    taken_bytes: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, taken_bytes: 0 }
    }

    /// What was not taken yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many bytes were taken.
    pub(super) const fn taken_bytes(&self) -> usize {
        self.taken_bytes
    }

    pub(super) fn take(&mut self, len_bytes: u64) -> Option<&'a [u8]> {
        let len = usize::try_from(len_bytes).ok()?;
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        self.taken_bytes += len;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N as u64)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// A number of variable width. Two and three bytes hold the number big-endian and less what
    /// the shorter forms can hold; longer ones little-endian.
    pub(super) fn varint(&mut self) -> Option<u64> {
        match self.u8()? {
            short @ 0..=240 => Some(u64::from(short)),
            two @ 241..=248 => Some(240 + 256 * u64::from(two - 241) + u64::from(self.u8()?)),
            249 => Some(2288 + u64::from(u16::from_be_bytes(self.array()?))),
            wide @ 250..=255 => Some(little_endian(self.take(u64::from(wide) - 247)?)),
        }
    }

    /// Bytes behind their length.
    pub(super) fn sized(&mut self) -> Option<&'a [u8]> {
        let len_bytes = self.varint()?;
        self.take(len_bytes)
    }
}

/// A little-endian number of up to 8 bytes.
pub(super) fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::disk::sled::varint::put_varint;

    /// The most bytes that a varint takes.
    const MOST_VARINT_BYTES: usize = 9;

    fn check(number: u64, bytes: &[u8]) {
        let mut out = Vec::new();
        put_varint(number, &mut out);
        assert_eq!(out, bytes, "{number}");
        let mut cursor = Cursor::new(bytes);
        assert_eq!(cursor.varint(), Some(number));
        assert_eq!(cursor.taken_bytes(), bytes.len());
    }

    #[test]
    fn numbers_take_the_shortest_form() {
        check(0, b"\x00");
        check(240, b"\xf0");
        check(241, b"\xf1\x01");
        check(2287, b"\xf8\xff");
        check(2288, b"\xf9\x00\x00");
        check(67823, b"\xf9\xff\xff");
        check(67824, b"\xfa\xf0\x08\x01");
        check(1_000_000, b"\xfa\x40\x42\x0f");
        check(0x00FF_FFFF, b"\xfa\xff\xff\xff");
        check(0x0100_0000, b"\xfb\x00\x00\x00\x01");
        check(u64::from(u32::MAX), b"\xfb\xff\xff\xff\xff");
        check(1 << 32, b"\xfc\x00\x00\x00\x00\x01");
        check(u64::MAX, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    }

    #[test]
    fn bytes_that_end_early_give_nothing() {
        for bytes in [&b""[..], b"\xf1", b"\xf9\x00", b"\xfa\x00\x00", b"\xff\0\0\0\0\0\0\0"] {
            assert_eq!(Cursor::new(bytes).varint(), None);
        }
        assert_eq!(Cursor::new(b"\x02a").sized(), None);
        assert_eq!(Cursor::new(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff").sized(), None);
        assert_eq!(Cursor::new(b"\x02ab").sized(), Some(&b"ab"[..]));
    }

    proptest! {
        #[test]
        fn a_number_reads_back(number in any::<u64>(), shift in 0u32..64) {
            let number = number >> shift;
            let mut out = Vec::new();
            put_varint(number, &mut out);
            prop_assert!(out.len() <= MOST_VARINT_BYTES);
            prop_assert_eq!(Cursor::new(&out).varint(), Some(number));
        }
    }
}
