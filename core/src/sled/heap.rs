//! The heap: items that are too big for the log, in slots of fixed sizes.

use super::bytes::Cursor;
use super::error::{SledError, SledFault};
use super::file::{SledFile, Slab};
use super::message::Kind;
use super::page_table::PageId;
use crate::read_at::ReadAt;

/// What a slot begins with: kind, checksum, mark.
pub(super) const SLOT_HEADER_BYTES: u64 = 13;
/// How much of a slot is read at once to compute its checksum.
const STEP_BYTES: usize = 64 * 1024;
/// How much of the fill behind an item is written at once.
const ZEROS: [u8; 4096] = [0; 4096];

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

    pub(super) fn encode(self) -> Vec<u8> {
        let location = (1 << (32 + u32::from(self.slab.number()))) | u64::from(self.slot);
        let mut bytes = location.to_le_bytes().to_vec();
        bytes.extend(self.original_lsn.to_le_bytes());
        bytes
    }

    /// Where the slot starts in its file.
    pub(super) const fn offset_bytes(self) -> u64 {
        // At most 2^32 slots of 2^46 bytes: beyond 64 bits no file reaches anyway.
        (self.slot as u64).saturating_mul(self.slab.slot_bytes())
    }
}

/// The smallest slab whose slots hold an item; none when no slab does.
pub(super) fn slab_for(item_bytes: u64) -> Option<Slab> {
    let needed = item_bytes.checked_add(SLOT_HEADER_BYTES)?;
    Slab::all().find(|slab| slab.slot_bytes() >= needed)
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

/// Gives the bytes of a slot, piece by piece.
pub(super) fn write_slot<E>(
    kind: Kind,
    id: HeapId,
    item: &[u8],
    mut write: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let written = SLOT_HEADER_BYTES + item.len() as u64;
    let fill_bytes = id.slab.slot_bytes().saturating_sub(written);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind.byte()]);
    hasher.update(&id.original_lsn.to_le_bytes());
    hasher.update(item);
    for zeros in zeros(fill_bytes) {
        hasher.update(zeros);
    }
    let mut header = vec![kind.byte()];
    header.extend(hasher.finalize().to_le_bytes());
    header.extend(id.original_lsn.to_le_bytes());
    write(&header)?;
    write(item)?;
    zeros(fill_bytes).try_for_each(write)
}

/// So many zeros, in pieces.
fn zeros(bytes: u64) -> impl Iterator<Item = &'static [u8]> {
    let mut left = bytes;
    std::iter::from_fn(move || {
        let len = left.min(ZEROS.len() as u64);
        left -= len;
        ZEROS.get(..usize::try_from(len).ok()?).filter(|zeros| !zeros.is_empty())
    })
}
