//! JSON as `serde_json` writes it, but without a step for each byte of a value.

use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;

use crate::dump::decimal;

/// Appends a value as JSON to `out`.
///
/// # Errors
///
/// Those of `serde_json`; a part of it may have been appended then.
pub(crate) fn put_json(out: &mut Vec<u8>, value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, ByteArrays::default()))
}

/// Writes as compactly as `serde_json` does by itself, and byte arrays in one go.
#[derive(Debug, Default)]
struct ByteArrays {
    text: Vec<u8>,
}

impl Formatter for ByteArrays {
    fn write_byte_array<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        value: &[u8],
    ) -> io::Result<()> {
        self.text.clear();
        decimal::encode(value, &mut self.text);
        writer.write_all(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dump::record::Bytes;

    proptest! {
        #[test]
        fn it_is_what_serde_json_writes(bytes in prop::collection::vec(any::<u8>(), 0..40), text in "\\PC*") {
            let value = (Bytes::from(bytes.clone()), &text, [1.5, -2.0], Some(Bytes::default()));
            let mut out = b"before".to_vec();
            put_json(&mut out, &value).unwrap();
            let slow = serde_json::to_vec(&(&bytes, &text, [1.5, -2.0], Some([0_u8; 0]))).unwrap();
            prop_assert_eq!(out, [b"before", slow.as_slice()].concat());
        }
    }
}
