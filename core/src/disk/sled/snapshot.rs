//! A snapshot of the page table, from which recovery starts.

use super::bytes::Cursor;
use super::conf::SegmentSize;
use super::error::{SledError, SledFault};
use super::file::SledFile;
use super::heap::HeapId;
use super::lsn::Lsn;
use super::page_table::{Fragment, Page, PageId, PageTable, Place};
use super::pieces::Pieces;
use crate::disk::read_at::ReadAt;

/// What follows the body: its length and its checksum.
const FOOTER_BYTES: u64 = 12;
/// More than any value in the body takes.
const MOST_VALUE_BYTES: usize = 64;

/// What a snapshot says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// From here on the log is to be replayed over the pages; none for all of it.
    pub(super) stable: Option<Lsn>,
    pub(super) pages: PageTable,
}

/// Reads a snapshot.
pub(super) fn read_snapshot<R: ReadAt>(
    name: &str,
    source: &R,
    size: SegmentSize,
) -> Result<Snapshot, SledError> {
    let error = |offset_bytes, fault| {
        let file = SledFile::Snapshot(name.to_owned());
        SledError { file, offset_bytes, fault }
    };
    let found = source.size_bytes();
    let Some(body_bytes) = found.checked_sub(FOOTER_BYTES).filter(|bytes| *bytes > 0) else {
        let expected = FOOTER_BYTES + 1;
        return Err(error(0, SledFault::Short { what: "a snapshot", expected, found }));
    };
    let mut footer = [0; FOOTER_BYTES as usize];
    source.read_at(body_bytes, &mut footer).map_err(|fault| error(body_bytes, fault.into()))?;
    let mut cursor = Cursor::new(&footer);
    let (Some(len_bytes), Some(stored)) = (cursor.u64(), cursor.u32()) else {
        return Err(error(body_bytes, malformed("it is too short")));
    };
    if len_bytes != body_bytes {
        return Err(error(body_bytes, malformed("its length is not the one that it says")));
    }
    let mut hasher = crc32fast::Hasher::new();
    let mut pieces = Pieces::new(source, body_bytes);
    loop {
        let piece = pieces.next_piece().map_err(|fault| error(0, fault.into()))?;
        if piece.is_empty() {
            break;
        }
        hasher.update(piece);
    }
    let computed = hasher.finalize();
    if computed != stored {
        return Err(error(body_bytes, SledFault::Checksum { stored, computed }));
    }
    let mut pieces = Pieces::new(source, body_bytes);
    decode(&mut pieces, size).map_err(|fault| error(pieces.offset_bytes(), fault))
}

fn decode<R: ReadAt>(pieces: &mut Pieces<'_, R>, size: SegmentSize) -> Result<Snapshot, SledFault> {
    let ends = || malformed("it ends early");
    let (version, stable, _active_segment, count) = pieces
        .take(MOST_VALUE_BYTES, |cursor| {
            Some((cursor.u8()?, cursor.i64()?, cursor.varint()?, cursor.varint()?))
        })?
        .ok_or_else(ends)?;
    if version != 0 {
        return Err(malformed("its version is not 0"));
    }
    // 0 is none, a place of the log is stored plus one; what is before the log stands for all of
    // it.
    let stable = u64::try_from(stable).ok().and_then(|stored| stored.checked_sub(1)).map(Lsn);
    let mut pages = PageTable::default();
    for id in (0..count).map(PageId) {
        let fragments =
            pieces.take(MOST_VALUE_BYTES, |cursor| cursor.varint())?.ok_or_else(ends)?;
        let mut fragment = || pieces.take(MOST_VALUE_BYTES, fragment)?.ok_or_else(ends);
        let Some(links) = fragments.checked_sub(1) else {
            fragment()?;
            pages.set(id, Page::Free);
            continue;
        };
        let base = checked(fragment()?, size)?;
        let mut page = Page::Present { base, links: Vec::new() };
        if let Page::Present { links: found, .. } = &mut page {
            for _ in 0..links {
                let link = checked(fragment()?, size)?;
                if found.last().unwrap_or(&base).lsn >= link.lsn {
                    return Err(malformed("the changes of a page are not in order"));
                }
                found.push(link);
            }
        }
        pages.set(id, page);
    }
    if !pieces.is_at_end() {
        return Err(malformed("something follows the last page"));
    }
    Ok(Snapshot { stable, pages })
}

fn fragment(cursor: &mut Cursor<'_>) -> Option<Fragment> {
    let lsn = Lsn(u64::try_from(cursor.i64()?).ok()?);
    let place = match cursor.u8()? {
        0 => Place::Inline { offset_bytes: cursor.varint()? },
        1 => {
            let offset_bytes = cursor.varint()?;
            let message_offset_bytes = (offset_bytes != 0).then_some(offset_bytes);
            Place::Heap { message_offset_bytes, id: HeapId::decode(cursor)? }
        }
        _ => return None,
    };
    Some(Fragment { lsn, place })
}

/// A message has the same place within its segment in the log and in the file.
fn checked(fragment: Fragment, size: SegmentSize) -> Result<Fragment, SledFault> {
    match fragment.place.message_offset_bytes() {
        Some(offset) if size.within(offset) != size.within(fragment.lsn.0) => {
            Err(malformed("a place in the log does not match the place in the file"))
        }
        _ => Ok(fragment),
    }
}

const fn malformed(problem: &'static str) -> SledFault {
    SledFault::Malformed { what: "the snapshot", problem }
}
