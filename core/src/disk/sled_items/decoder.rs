//! The fast way to read stored records: spelled as lines of a dump, which have a fast scanner.

use super::error::ItemError;
use super::item::decode_item;
use super::line::decode_line;
use crate::dump::record::{Record, Tree};
use crate::dump::scan::scan_line;

const TREE: &[u8] = b"[\"\",";
const KEY: &[u8] = b"[\"\",{\"GenericKV\":{\"key\":\"";
const ENTRY: &[u8] = b"[\"\",{\"Logs\":{\"key\":";
const GENERIC_KV: u8 = 6;
const LOGS: u8 = 1;

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
        let is_spelled = match item_key.split_first() {
            Some((&GENERIC_KV, key)) if is_plain(key) => {
                self.spell(&[KEY, key, b"\",\"value\":", item_value, b"}}]"]);
                true
            }
            Some((&LOGS, index)) => self.spell_entry(index, item_value),
            _ => false,
        };
        let read = if is_spelled { read(&self.line) } else { None };
        read.map_or_else(|| decode_item(tree, item_key, item_value), Ok)
    }

    /// Spells an entry of the log, if its index is one.
    fn spell_entry(&mut self, index: &[u8], value: &[u8]) -> bool {
        let Ok(index) = <[u8; 8]>::try_from(index) else { return false };
        let key = u64::from_be_bytes(index).to_string();
        self.spell(&[ENTRY, key.as_bytes(), b",\"value\":", value, b"}}]"]);
        true
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

    const ENTRIES: [&str; 8] = [
        r#"{"log_id":{"leader_id":{"term":1,"node_id":1},"index":258},"payload":"Blank"}"#,
        r#"{"log_id":{"term":1,"index":258},"payload":"Blank"}"#,
        r#"{"log_id":{"leader_id":{"term":1,"node_id":1},"index":7},"payload":{"Normal":{"txid":null,"time_ms":5,"cmd":{"UpsertKV":{"key":"a","seq":"Any","value":{"Update":[1,2]},"value_meta":null}}}}}"#,
        r#"{"log_id":{"leader_id":{"term":1,"node_id":1},"index":7},"payload":{"Normal":{"cmd":{"UpsertKV":{"key":"a","seq":"Any","value":"Delete"}}}}}"#,
        r#"{"log_id":{"leader_id":{"term":1,"node_id":1},"index":7},"payload":"Blank"},"key":9"#,
        r#"{"log_id":{"leader_id":{"term":1,"node_id":1},"index":7},"payload":"Blank"}},"Logs":{"#,
        r#"{"log_id":null}"#,
        "",
    ];

    #[test]
    fn entries_of_a_log_are_read_as_the_slow_way_reads_them() {
        for key in [&b"\x01\0\0\0\0\0\0\x01\x02"[..], b"\x01\0\0\0\0\0\0\x02", b"\x01"] {
            for value in ENTRIES {
                let slow = decode_item(Tree::RaftLog, key, value.as_bytes());
                let mut decoder = RecordDecoder::default();
                assert_eq!(decoder.item(Tree::RaftLog, key, value.as_bytes()), slow, "{value}");
            }
        }
    }

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
