//! The heap: items that are too big for the log, in slots of fixed sizes.

use super::bytes::Cursor;
use super::error::{SledError, SledFault};
use super::file::{Slab, SledFile};
use super::message::Kind;
use super::page_table::PageId;
use crate::disk::read_at::ReadAt;

/// What a slot begins with: kind, checksum, mark.
pub(super) const SLOT_HEADER_BYTES: u64 = 13;
/// How much of a slot is read at once to compute its checksum.
const STEP_BYTES: usize = 64 * 1024;

/// A slot and the mark of the item that belongs in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HeapId {
    pub(super) slab: Slab,
    pub(super) slot: u32,
    /// Where in the log the item was written first. Items move from page to page of the log
    /// without being written again, so it can be before their message.
    pub(super) original_lsn: i64,
}

impl HeapId {
    pub(super) fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        let location = cursor.u64()?;
        let original_lsn = cursor.i64()?;
        let slab_bit = location >> 32;
        if !slab_bit.is_power_of_two() {
            return None;
        }
        let slab = u8::try_from(slab_bit.trailing_zeros()).ok().and_then(Slab::new)?;
        let slot = u32::try_from(location & u64::from(u32::MAX)).ok()?;
        Some(Self { slab, slot, original_lsn })
    }

    /// Where the slot starts in its file.
    pub(super) const fn offset_bytes(self) -> u64 {
        // At most 2^32 slots of 2^46 bytes: beyond 64 bits no file reaches anyway.
        (self.slot as u64).saturating_mul(self.slab.slot_bytes())
    }
}

/// Reads a slot: the kind of its item, and the item with the fill behind it.
///
/// The checksum covers the whole slot, so all of it is read; nothing of its size is allocated
/// before the checksum is found right.
pub(super) fn read_slot<R: ReadAt>(
    file: Option<&R>,
    id: HeapId,
    page: PageId,
) -> Result<(Kind, Vec<u8>), SledError> {
    let offset_bytes = id.offset_bytes();
    let error = |fault| SledError { file: SledFile::Heap(id.slab), offset_bytes, fault };
    let file = file.ok_or_else(|| error(SledFault::MissingFile))?;
    let slot_bytes = id.slab.slot_bytes();
    let found = file.size_bytes().saturating_sub(offset_bytes);
    if found < slot_bytes {
        return Err(error(SledFault::Short { what: "a slot", expected: slot_bytes, found }));
    }
    let mut header = [0; SLOT_HEADER_BYTES as usize];
    file.read_at(offset_bytes, &mut header).map_err(|fault| error(fault.into()))?;
    let malformed = |problem| error(SledFault::Malformed { what: "a slot", problem });
    let mut cursor = Cursor::new(&header);
    let (Some(kind), Some(stored)) = (cursor.u8(), cursor.u32()) else {
        return Err(malformed("it is too short"));
    };
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(cursor.rest());
    let found = cursor.i64().ok_or_else(|| malformed("it is too short"))?;

    let items_offset = offset_bytes.saturating_add(SLOT_HEADER_BYTES);
    let item_bytes = slot_bytes - SLOT_HEADER_BYTES;
    let mut piece = vec![0; STEP_BYTES];
    let mut done = 0;
    while done < item_bytes {
        let len = usize::try_from(item_bytes - done).unwrap_or(STEP_BYTES).min(STEP_BYTES);
        let Some(part) = piece.get_mut(..len) else { break };
        file.read_at(items_offset + done, part).map_err(|fault| error(fault.into()))?;
        hasher.update(part);
        done += len as u64;
    }
    let computed = hasher.finalize();
    if computed != stored {
        return Err(error(SledFault::Checksum { stored, computed }));
    }
    if found != id.original_lsn {
        let expected = id.original_lsn;
        return Err(error(SledFault::NotItsSlot { page, expected, found }));
    }
    let kind = Kind::from_byte(kind)
        .filter(|kind| kind.is_in_heap())
        .ok_or_else(|| malformed("its kind is unknown"))?;

    let mut item = Vec::new();
    let len = usize::try_from(item_bytes).map_err(|_| malformed("it is too big to be read"))?;
    item.try_reserve_exact(len).map_err(|_| malformed("it is too big to be read"))?;
    item.resize(len, 0);
    file.read_at(items_offset, &mut item).map_err(|fault| error(fault.into()))?;
    Ok((kind, item))
}
