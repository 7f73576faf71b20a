//! A message, the unit of the log.

use crate::disk::sled::varint::put_varint;

/// What a message is about, by the byte that says so.
pub(super) mod kind {
    /// Nothing more in this segment.
    pub(in super::super) const CAP: u8 = 2;
    /// The whole counter page.
    pub(in super::super) const COUNTER: u8 = 5;
    /// The whole meta page.
    pub(in super::super) const META: u8 = 6;
    /// A whole node page.
    pub(in super::super) const NODE: u8 = 8;
}

/// The page of the list of trees.
pub(super) const META_PAGE: u64 = 0;
/// The page of the counter.
pub(super) const COUNTER_PAGE: u64 = 1;
/// The first page for nodes.
pub(super) const FIRST_NODE_PAGE: u64 = 2;
/// The page that a cap names.
pub(super) const CAP_PAGE: u64 = u64::MAX;

/// The header of a message; the checksum covers the body first, then the rest of the header, and
/// is stored inverted.
pub(super) fn header(kind: u8, segment_number: u64, page: u64, body: &[u8]) -> Vec<u8> {
    let mut covered = vec![kind];
    put_varint(body.len() as u64, &mut covered);
    put_varint(segment_number, &mut covered);
    put_varint(page, &mut covered);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(body);
    hasher.update(&covered);
    let mut header = (hasher.finalize() ^ u32::MAX).to_le_bytes().to_vec();
    header.append(&mut covered);
    header
}

/// The byte of the same kind for an item in the heap.
pub(super) const fn in_heap(kind: u8) -> u8 {
    kind + 1
}
