//! The log: messages in segments, big items beside them.

use std::collections::BTreeMap;

use super::message::{CAP_PAGE, header, in_heap, kind};
use super::pieces::Pieces;
use super::slot::{put_heap_id, put_slot, slab_for};
use super::writer::SledWriteError;
use crate::disk::sled::{Lsn, SegmentSize, Slab, SledFile};

/// What precedes the messages of a segment.
pub(super) const SEGMENT_HEADER_BYTES: u64 = 20;
/// No message starts in so many bytes at the end of a segment; nor has a header more.
const RED_ZONE_BYTES: u64 = 32;
/// A message takes no more than this, its longest possible header included.
const MOST_MESSAGE_BYTES: u64 = 30 * 1024;
/// The numbers of a segment's header are stored with all bits but the highest inverted.
const INVERTED: u64 = i64::MAX as u64;

/// Writes pages to the log, each once.
#[derive(Debug)]
pub(super) struct Log {
    segment_size: SegmentSize,
    /// Where the next byte goes, in the log and in the file.
    lsn: u64,
    /// How many slots of each slab are taken.
    slots: BTreeMap<Slab, u32>,
}

impl Log {
    pub(super) const fn new(segment_size: SegmentSize) -> Self {
        Self { segment_size, lsn: 0, slots: BTreeMap::new() }
    }

    /// Writes a page whose item belongs into the log or, if it is big, into the heap.
    pub(super) fn put_page(
        &mut self,
        kind: u8,
        page: u64,
        item: &[u8],
        out: &mut Pieces,
    ) -> Result<(), SledWriteError> {
        if self.is_inline(item.len() as u64) {
            return self.put_message(kind, page, item, out);
        }
        let too_big = SledWriteError::ItemTooBig { bytes: item.len() as u64 };
        let slab = slab_for(item.len() as u64).ok_or(too_big)?;
        let slot = self.slots.entry(slab).or_default();
        let mut heap_id = Vec::new();
        let taken = *slot;
        *slot = taken.checked_add(1).ok_or(SledWriteError::TooMany { what: "big items" })?;
        // The slot names the place of its message, which depends on the size of the message only.
        put_heap_id(slab, taken, 0, &mut heap_id);
        let kind = in_heap(kind);
        self.make_room(kind, page, &heap_id, out)?;
        heap_id.clear();
        put_heap_id(slab, taken, self.lsn, &mut heap_id);
        let lsn = self.lsn;
        out.put(&SledFile::Heap(slab), |bytes| put_slot(slab, kind, lsn, item, bytes));
        self.put_message(kind, page, &heap_id, out)
    }

    fn is_inline(&self, item_bytes: u64) -> bool {
        let most = MOST_MESSAGE_BYTES.min(self.segment_size.bytes() - SEGMENT_HEADER_BYTES);
        item_bytes.saturating_add(RED_ZONE_BYTES) <= most
    }

    fn put_message(
        &mut self,
        kind: u8,
        page: u64,
        body: &[u8],
        out: &mut Pieces,
    ) -> Result<(), SledWriteError> {
        self.make_room(kind, page, body, out)?;
        let header = header(kind, self.segment_number(), page, body);
        self.put(&header, out)?;
        self.put(body, out)
    }

    /// Goes to the next segment if the message does not fit into this one. Afterwards it does,
    /// since no message is longer than a segment has room for.
    fn make_room(
        &mut self,
        kind: u8,
        page: u64,
        body: &[u8],
        out: &mut Pieces,
    ) -> Result<(), SledWriteError> {
        let left = self.left_bytes();
        let needed = (header(kind, self.segment_number(), page, body).len() + body.len()) as u64;
        if left >= RED_ZONE_BYTES && needed <= left {
            return Ok(());
        }
        self.close_segment(out)?;
        let base = self.lsn;
        // All before this segment is on disk when the database is whole.
        let max_stable = if base == 0 { u64::MAX } else { base - 1 };
        self.put(&segment_header(base, max_stable), out)
    }

    fn close_segment(&mut self, out: &mut Pieces) -> Result<(), SledWriteError> {
        let left = self.left_bytes();
        if left >= RED_ZONE_BYTES {
            let padding = vec![0; usize::try_from(left - RED_ZONE_BYTES).unwrap_or_default()];
            let header = header(kind::CAP, self.segment_number(), CAP_PAGE, &padding);
            self.put(&header, out)?;
            self.put(&padding, out)?;
        }
        let rest = vec![0; usize::try_from(self.left_bytes()).unwrap_or_default()];
        self.put(&rest, out)
    }

    /// How much of the segment is left; nothing before the first one.
    const fn left_bytes(&self) -> u64 {
        match self.segment_size.within(self.lsn) {
            0 => 0,
            within => self.segment_size.bytes() - within,
        }
    }

    const fn segment_number(&self) -> u64 {
        self.segment_size.number(Lsn(self.lsn))
    }

    fn put(&mut self, bytes: &[u8], out: &mut Pieces) -> Result<(), SledWriteError> {
        let end = self.lsn.checked_add(bytes.len() as u64).filter(|end| *end <= INVERTED);
        self.lsn = end.ok_or(SledWriteError::TooMany { what: "bytes" })?;
        out.put(&SledFile::Db, |db| db.extend_from_slice(bytes));
        Ok(())
    }
}

/// The header of a segment; the checksum is stored inverted.
pub(super) fn segment_header(base: u64, max_stable: u64) -> [u8; SEGMENT_HEADER_BYTES as usize] {
    let mut header = [0; SEGMENT_HEADER_BYTES as usize];
    let (checksum, numbers) = header.split_at_mut(4);
    let (first, second) = numbers.split_at_mut(8);
    first.copy_from_slice(&(base ^ INVERTED).to_le_bytes());
    second.copy_from_slice(&(max_stable ^ INVERTED).to_le_bytes());
    checksum.copy_from_slice(&(crc32fast::hash(numbers) ^ u32::MAX).to_le_bytes());
    header
}
