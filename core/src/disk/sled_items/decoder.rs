//! The fast way to read stored records: spelled as lines of a dump, which have a fast scanner.

use super::error::ItemError;
use super::item::decode_item;
use super::line::decode_line;
use crate::dump::record::{Record, Tree};
use crate::dump::scan::scan_line;

const TREE: &[u8] = b"[\"\",";
const KEY: &[u8] = b"[\"\",{\"GenericKV\":{\"key\":\"";
const GENERIC_KV: u8 = 6;

/// Reads stored records as [`decode_item`] and [`decode_line`] do, and values without decoding
/// them; keeps the text of one record.
#[derive(Debug, Default)]
pub struct RecordDecoder {
    line: Vec<u8>,
}

impl RecordDecoder {
    /// Reads an item of a tree.
    ///
    /// # Errors
    ///
    /// As [`decode_item`].
    pub fn item<'a>(
        &'a mut self,
        tree: Tree,
        item_key: &'a [u8],
        item_value: &'a [u8],
    ) -> Result<Record<'a>, ItemError> {
        let key =
            item_key.split_first().filter(|(kind, key)| **kind == GENERIC_KV && is_plain(key));
        if let Some((_, key)) = key {
            self.spell(&[KEY, key, b"\",\"value\":", item_value, b"}}]"]);
            if let Some(record) = read(&self.line) {
                return Ok(record);
            }
        }
        decode_item(tree, item_key, item_value)
    }

    /// Reads a line of a V002 snapshot.
    ///
    /// # Errors
    ///
    /// As [`decode_line`].
    pub fn line<'a>(&'a mut self, line: &'a [u8]) -> Result<Record<'a>, ItemError> {
        self.spell(&[TREE, line, b"]"]);
        read(&self.line).map_or_else(|| decode_line(line), Ok)
    }

    fn spell(&mut self, parts: &[&[u8]]) {
        self.line.clear();
        parts.iter().for_each(|part| self.line.extend_from_slice(part));
    }
}

/// Whether text stands in JSON as it is.
fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| *byte >= 0x20 && !matches!(byte, b'"' | b'\\'))
}

/// A member that is not known may be what the parts were cut wrongly at.
fn read(line: &[u8]) -> Option<Record<'_>> {
    scan_line(line).ok().filter(|read| read.unknown_member.is_none()).map(|read| read.record)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALUES: [&str; 9] = [
        r#"{"seq":1,"meta":null,"data":[1,255]}"#,
        r#"{"seq":1,"meta":{"expire_at":null},"data":[]}"#,
        r#"{"seq":1,"meta":{"expire_at":5},"data":[0]}"#,
        r#"{ "data":[7], "seq":1, "meta":null, "more":[{}] }"#,
        r#"{"seq":1,"data":[256]}"#,
        r#"{"seq":1,"meta":null,"data":[1]},"key":"other""#,
        r#"{"seq":1,"meta":null,"data":[1]},"more":1"#,
        r#"{"seq":1,"meta":null,"data":[1]}}}],"#,
        "",
    ];

    proptest! {
        #[test]
        fn it_reads_what_the_slow_way_reads(
            kind in prop_oneof![Just(6u8), Just(7), any::<u8>()],
            key in prop_oneof!["[ -~]{0,9}", "\\PC{0,4}", any::<String>()],
            value in prop_oneof![Just("159"), prop::sample::select(VALUES.to_vec())],
        ) {
            let (mut of_item, mut of_line) = (RecordDecoder::default(), RecordDecoder::default());
            let key = [&[kind], key.as_bytes()].concat();
            let tree = Tree::StateMachine(0);
            let slow = decode_item(tree, &key, value.as_bytes());
            prop_assert_eq!(of_item.item(tree, &key, value.as_bytes()), slow);
            let line = format!(r#"{{"GenericKV":{{"key":"k","value":{value}}}}}"#);
            let slow = decode_line(line.as_bytes());
            prop_assert_eq!(of_line.line(line.as_bytes()), slow);
        }
    }
}
