//! A slot of the heap, where a big item is.

use crate::disk::sled::Slab;

/// What precedes the item: kind, checksum, log sequence number.
const HEADER_BYTES: u64 = 13;

/// The slab with the smallest slots that an item fits in; none when it fits in no slot,
/// or the slot not in memory.
pub(super) fn slab_for(item_bytes: u64) -> Option<Slab> {
    let needed = item_bytes.checked_add(HEADER_BYTES)?;
    let fits = |slab: &Slab| slab.slot_bytes() >= needed;
    let slab = (0..).map_while(Slab::new).find(fits)?;
    usize::try_from(slab.slot_bytes()).is_ok().then_some(slab)
}

/// Appends a slot; its checksum covers all of it but itself, the zeros at its end, too.
pub(super) fn put_slot(slab: Slab, kind: u8, lsn: u64, item: &[u8], out: &mut Vec<u8>) {
    let at = out.len();
    out.push(kind);
    out.extend([0; 4]);
    out.extend(lsn.to_le_bytes());
    out.extend_from_slice(item);
    let slot_bytes = usize::try_from(slab.slot_bytes()).unwrap_or(usize::MAX);
    out.resize(at.saturating_add(slot_bytes), 0);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(out.get(at + 5..).unwrap_or_default());
    if let Some(place) = out.get_mut(at + 1..at + 5) {
        place.copy_from_slice(&hasher.finalize().to_le_bytes());
    }
}

/// What a message says of an item in the heap: one bit for the slab above the slot's number, and
/// the place in the log that the slot names, too.
pub(super) fn put_heap_id(slab: Slab, slot: u32, lsn: u64, out: &mut Vec<u8>) {
    let location = (1_u64 << (32 + u32::from(slab.number()))) | u64::from(slot);
    out.extend(location.to_le_bytes());
    out.extend(lsn.to_le_bytes());
}
