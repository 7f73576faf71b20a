//! The content of a block: a count, then keys in ascending order with their values.

use super::item::{put_bytes, put_varint, take_bytes, take_varint};

/// The marker of a present value.
const NORMAL: u8 = 0;

/// The marker of a deleted key.
const TOMBSTONE: u8 = 1;

/// Appends one key with its value.
pub(super) fn put_entry(out: &mut Vec<u8>, key: &[u8], seq: u64, value: &[u8]) {
    put_bytes(out, key);
    put_varint(out, seq);
    out.push(NORMAL);
    put_bytes(out, value);
}

/// A stored key: its sequence number and value, no value when it is a tombstone.
pub(super) type Entry<'a> = (&'a [u8], u64, Option<&'a [u8]>);

/// Takes the number of entries off the start of a block's data.
pub(super) fn take_count(data: &[u8]) -> Option<(u64, &[u8])> {
    take_varint(data)
}

/// Takes one entry off the start of `data`.
pub(super) fn take_entry(data: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (key, data) = take_bytes(data)?;
    let (seq, data) = take_varint(data)?;
    let (marker, data) = data.split_first()?;
    match *marker {
        NORMAL => {
            let (value, data) = take_bytes(data)?;
            Some(((key, seq, Some(value)), data))
        }
        TOMBSTONE => Some(((key, seq, None), data)),
        _ => None,
    }
}
