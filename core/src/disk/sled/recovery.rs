//! Recovery: from the files to the page table.
//!
//! The newest snapshot says where pages were, the log that follows it what changed since. Where
//! the log ends is found from its youngest segments: there the first place without a whole message
//! is the end. Before that end everything must be readable; the fork passes over what is not, and
//! loses it. See docs/format.md.

use std::collections::BTreeMap;

use super::conf::{SegmentSize, decode_conf};
use super::error::{SledError, SledFault};
use super::faults::Faults;
use super::file::{DatabaseFiles, SledFile};
use super::heap::HeapId;
use super::log::{AtDamage, LogWalk, PageMessage, Stop};
use super::lsn::Lsn;
use super::message::{Kind, Message, MessageHeader, MessageRead, WINDOW_BYTES, read_message};
use super::page_table::{Page, PageId, PageTable, Place};
use super::segment::{HEADER_BYTES, SegmentHeader};
use super::snapshot::{Snapshot, read_snapshot};
use super::store::Store;
use crate::disk::read_at::{ReadAt, ReadError};

/// More bytes than a `conf` has.
const MOST_CONF_BYTES: u64 = 4096;
/// How much of the log may be checked in search of messages behind its end.
const MOST_SEARCH_BYTES: u64 = 64 * 1024 * 1024;

/// What recovery found. A crash leaves such traces; so can damage to the end of the log, which
/// looks the same, so they are worth a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The file name of the snapshot that was used.
    pub snapshot: Option<String>,
    /// Where the log ends: nothing from here on is part of the database.
    pub end: Lsn,
    /// How many segments were written behind that end.
    pub unread_segments: u64,
    /// Where in the log a batch of changes begins that was not written whole. It is not part of
    /// the database.
    pub torn_batch: Option<Lsn>,
    /// Where in `db` a whole message stands although the log ends before it.
    pub message_behind_end: Option<u64>,
    /// Where in `db` a message begins that the end of the file cuts: either the server was killed
    /// while it wrote, or the file is not whole.
    pub cut_message: Option<u64>,
}

impl Recovery {
    /// Whether the log ends where its last message does: nothing was left out.
    pub const fn is_clean(&self) -> bool {
        self.unread_segments == 0
            && self.torn_batch.is_none()
            && self.message_behind_end.is_none()
            && self.cut_message.is_none()
    }
}

/// Recovers the page table.
pub(super) fn recover<R: ReadAt>(
    files: DatabaseFiles<R>,
    faults: &mut Faults,
) -> Result<(Store<R>, Recovery), SledError> {
    let DatabaseFiles { conf, db, heap, snapshots } = files;
    let Some(db) = db else {
        let fault = SledFault::MissingFile;
        return Err(SledError { file: SledFile::Db, offset_bytes: 0, fault });
    };
    let size = faults.unless(read_conf(conf.as_ref()))?.unwrap_or(SegmentSize::DATABEND);
    let mut snapshot = (None, Snapshot::default());
    for (name, source) in snapshots.iter().rev() {
        if let Some(read) = faults.unless(read_snapshot(name, source, size))? {
            snapshot = (Some(name.clone()), read);
            break;
        }
    }
    let (snapshot_name, Snapshot { stable, mut pages }) = snapshot;
    let oldest = Lsn(size.start(stable.unwrap_or(Lsn(0)).0));

    let Segments { headers, order, max_stable } = read_headers(&db, size, oldest, faults)?;
    let (tail, gap) = tail_of(&order, size, max_stable.unwrap_or(oldest).max(oldest));
    let mut walk = LogWalk::new(&db, size, tail, gap.map(|gap| gap.plus(1)), AtDamage::Stop);
    let read = walk.run(|_| {}).map_err(|fault| in_log(0, fault.into()));
    faults.unless(read)?;
    let (end, torn_batch) = (walk.at(), walk.torn_batch());
    let mut cut_message = None;
    if let Some(offset_bytes) = walk.offset_bytes() {
        match message_of_end(&db, size, offset_bytes, end) {
            AtEnd::DamagedAlone => {
                faults.meet(in_log(offset_bytes, SledFault::DamagedMessage { lsn: end }))?;
            }
            AtEnd::Cut => cut_message = Some(offset_bytes),
            AtEnd::Nothing => {}
        }
    }
    // Behind a batch that is not complete there are always messages.
    let message_behind_end = match (torn_batch, walk.offset_bytes()) {
        (None, Some(offset_bytes)) => message_behind(&db, size, offset_bytes, end),
        _ => None,
    };

    let mut walk = LogWalk::new(&db, size, order, Some(end), AtDamage::SkipSegment);
    let stop = walk.run(|message| {
        if stable.is_none_or(|stable| message.fragment.lsn >= stable) {
            replay(message, &mut pages);
        }
    });
    let stop = faults.unless(stop.map_err(|fault| in_log(0, fault.into())))?;
    if let Some(Stop::Cut { offset_bytes }) = stop {
        faults.meet(in_log(offset_bytes, SledFault::LogCut { lsn: walk.at(), end }))?;
    }
    let end = walk.torn_batch().unwrap_or(end);
    let recovery = Recovery {
        snapshot: snapshot_name,
        end: end.max(stable.unwrap_or(end)),
        unread_segments: walk.waiting().len() as u64,
        torn_batch: torn_batch.or(walk.torn_batch()),
        message_behind_end,
        cut_message,
    };
    check_pages(&pages, headers, faults)?;
    check_damaged_segments(&pages, walk.damaged(), size, faults)?;
    Ok((Store::new(db, heap, size, pages), recovery))
}

/// A fault at a place of the log file.
pub(super) const fn in_log(offset_bytes: u64, fault: SledFault) -> SledError {
    SledError { file: SledFile::Db, offset_bytes, fault }
}

fn read_conf<R: ReadAt>(conf: Option<&R>) -> Result<SegmentSize, SledError> {
    let error = |fault| SledError { file: SledFile::Conf, offset_bytes: 0, fault };
    let conf = conf.ok_or_else(|| error(SledFault::MissingFile))?;
    let len_bytes = conf.size_bytes().min(MOST_CONF_BYTES);
    let mut bytes = vec![0; usize::try_from(len_bytes).unwrap_or_default()];
    conf.read_at(0, &mut bytes).map_err(|fault| error(fault.into()))?;
    decode_conf(&bytes)
}

/// The segments that matter.
struct Segments {
    /// How many places for a segment the file has.
    headers: u64,
    /// Where in the log each is, and where in the file.
    order: BTreeMap<Lsn, u64>,
    /// What any header knows to be on disk.
    max_stable: Option<Lsn>,
}

fn read_headers<R: ReadAt>(
    db: &R,
    size: SegmentSize,
    oldest: Lsn,
    faults: &mut Faults,
) -> Result<Segments, SledError> {
    let (whole, rest) = (db.size_bytes() / size.bytes(), size.within(db.size_bytes()));
    let headers = whole + u64::from(rest >= HEADER_BYTES);
    let mut segments = Segments { headers, order: BTreeMap::new(), max_stable: None };
    for offset_bytes in (0..headers).map(|segment| segment * size.bytes()) {
        let mut bytes = [0; HEADER_BYTES as usize];
        let read = db.read_at(offset_bytes, &mut bytes);
        faults.unless(read.map_err(|fault| in_log(offset_bytes, fault.into())))?;
        let lsn = match SegmentHeader::decode(&bytes) {
            Some(header) if header.lsn < oldest => continue,
            Some(header) => {
                if size.within(header.lsn.0) != 0 || i64::try_from(header.lsn.0).is_err() {
                    let problem = "it is not at a multiple of the segment size";
                    let fault = SledFault::Malformed { what: "the segment header", problem };
                    faults.meet(in_log(offset_bytes, fault))?;
                    continue;
                }
                segments.max_stable = segments.max_stable.max(header.max_stable);
                header.lsn
            }
            None => match lost_segment(db, size, offset_bytes) {
                Some(lsn) if lsn >= oldest => {
                    // The messages say themselves where they belong, so a salvage can read them.
                    let fault = SledFault::DamagedHeader { lsn };
                    faults.meet(in_log(offset_bytes, fault))?;
                    lsn
                }
                _ => continue,
            },
        };
        if let Some(first_offset_bytes) = segments.order.get(&lsn).copied() {
            let fault = SledFault::DuplicateSegment { lsn, first_offset_bytes };
            faults.meet(in_log(offset_bytes, fault))?;
        } else {
            segments.order.insert(lsn, offset_bytes);
        }
    }
    Ok(segments)
}

/// Where in the log a segment without a header belongs, as its first message shows.
fn lost_segment<R: ReadAt>(db: &R, size: SegmentSize, segment_bytes: u64) -> Option<Lsn> {
    let first = read_message_at(db, size, segment_bytes + HEADER_BYTES).ok()??;
    let lsn = first.segment_number.checked_mul(size.bytes())?;
    i64::try_from(lsn).is_ok().then_some(Lsn(lsn))
}

/// The message at a place of the file, whatever segment it says that it is of; none when it is
/// damaged.
pub(super) fn read_message_at<R: ReadAt>(
    db: &R,
    size: SegmentSize,
    offset_bytes: u64,
) -> Result<Option<Message<'static>>, ReadError> {
    let room_bytes = size.bytes() - size.within(offset_bytes);
    let left_bytes = db.size_bytes().saturating_sub(offset_bytes).min(room_bytes);
    let read = |len_bytes: u64| {
        let mut bytes = vec![0; usize::try_from(len_bytes.min(left_bytes)).unwrap_or_default()];
        db.read_at(offset_bytes, &mut bytes).map(|()| bytes)
    };
    let mut bytes = read(WINDOW_BYTES as u64)?;
    let whole_bytes = MessageHeader::decode(&bytes).and_then(|header| header.message_bytes());
    if let Some(whole_bytes) = whole_bytes.filter(|whole| *whole > bytes.len() as u64) {
        bytes = read(whole_bytes)?;
    }
    Ok(match read_message(&bytes, room_bytes) {
        MessageRead::Whole(message) => Some(message.into_owned()),
        MessageRead::Corrupted | MessageRead::PastEnd => None,
    })
}

/// The segments from the one on that holds what is known to be on disk, up to the first that is
/// missing; and where that would be.
fn tail_of(
    order: &BTreeMap<Lsn, u64>,
    size: SegmentSize,
    on_disk: Lsn,
) -> (BTreeMap<Lsn, u64>, Option<Lsn>) {
    let mut due = Lsn(size.start(on_disk.0));
    let mut tail = BTreeMap::new();
    for (lsn, offset_bytes) in order.range(due..) {
        if *lsn != due {
            return (tail, Some(due));
        }
        tail.insert(*lsn, *offset_bytes);
        due = due.plus(size.bytes());
    }
    (tail, None)
}

fn replay(message: PageMessage, pages: &mut PageTable) {
    let PageMessage { kind, page, fragment } = message;
    match kind {
        Kind::Counter | Kind::Meta(_) | Kind::Node(_) => pages.replace(page, fragment),
        Kind::Link(_) => pages.link(page, fragment),
        Kind::Free => pages.set(page, Page::Free),
        Kind::Canceled | Kind::Cap | Kind::BatchManifest => {}
    }
}

/// What stands where the log ends.
enum AtEnd {
    /// No message that belongs there.
    Nothing,
    /// A damaged message with a whole one right behind it. A crash leaves out more than a single
    /// message, since many are written at once.
    DamagedAlone,
    /// A message that reaches past the end of the file.
    Cut,
}

fn message_of_end<R: ReadAt>(db: &R, size: SegmentSize, offset_bytes: u64, end: Lsn) -> AtEnd {
    let number = size.number(end);
    let left_bytes = db.size_bytes().saturating_sub(offset_bytes).min(WINDOW_BYTES as u64);
    let mut window = vec![0; usize::try_from(left_bytes).unwrap_or_default()];
    if db.read_at(offset_bytes, &mut window).is_err() {
        return AtEnd::Nothing;
    }
    let header = MessageHeader::decode(&window);
    let Some(next_bytes) = header
        .filter(|header| header.segment_number() == number && header.has_checksum())
        .and_then(|header| header.message_bytes())
        .and_then(|bytes| bytes.checked_add(offset_bytes))
        .filter(|next| size.start(*next - 1) == size.start(offset_bytes))
    else {
        return AtEnd::Nothing;
    };
    if next_bytes > db.size_bytes() {
        return AtEnd::Cut;
    }
    match read_message_at(db, size, next_bytes) {
        Ok(Some(next)) if next.segment_number == number => AtEnd::DamagedAlone,
        _ => AtEnd::Nothing,
    }
}

/// A whole message of the right segment that stands behind the end of the log, which is at this
/// place of the file. Every byte is a possible start, so the search is bounded.
fn message_behind<R: ReadAt>(
    db: &R,
    size: SegmentSize,
    offset_bytes: u64,
    end: Lsn,
) -> Option<u64> {
    let room_bytes = size.bytes() - size.within(offset_bytes);
    let left_bytes = db.size_bytes().saturating_sub(offset_bytes).min(room_bytes);
    let mut bytes = vec![0; usize::try_from(left_bytes).ok()?];
    db.read_at(offset_bytes, &mut bytes).ok()?;
    let number = size.number(end);
    let mut searched_bytes = 0;
    // What stands at the end itself is no message, or a batch that is not complete. The kind is
    // the fifth byte of a message.
    for (at, _) in bytes.iter().enumerate().skip(5).filter(|(_, kind)| (1..=11).contains(*kind)) {
        let from = at - 4;
        let rest = bytes.get(from..)?;
        let Some(header) = MessageHeader::decode(rest) else { continue };
        if header.segment_number() != number {
            continue;
        }
        searched_bytes += header.message_bytes().unwrap_or(u64::MAX).min(rest.len() as u64);
        if searched_bytes > MOST_SEARCH_BYTES {
            return None;
        }
        if let MessageRead::Whole(_) = read_message(rest, room_bytes - from as u64) {
            return Some(offset_bytes + from as u64);
        }
    }
    None
}

/// Every page up to the last must be known, and every item of the heap belong to one page.
fn check_pages(pages: &PageTable, segments: u64, faults: &mut Faults) -> Result<(), SledError> {
    if pages.is_empty() {
        return faults.meet(in_log(0, SledFault::Empty { segments }));
    }
    if let Some((page, last)) = pages.first_missing() {
        faults.meet(in_log(0, SledFault::MissingPage { page, last }))?;
    }
    let mut owners: BTreeMap<HeapId, PageId> = BTreeMap::new();
    for (page, fragment) in pages.fragments() {
        if let Place::Heap { id, .. } = fragment.place
            && let Some(other) = owners.insert(id, page)
        {
            let file = SledFile::Heap(id.slab);
            let fault = SledFault::SharedSlot { page, other };
            faults.meet(SledError { file, offset_bytes: id.offset_bytes(), fault })?;
        }
    }
    Ok(())
}

/// Damage in the middle of the log is only normal in a segment that holds nothing any more.
fn check_damaged_segments(
    pages: &PageTable,
    damaged: &[u64],
    size: SegmentSize,
    faults: &mut Faults,
) -> Result<(), SledError> {
    let mut waiting: BTreeMap<u64, u64> =
        damaged.iter().map(|offset| (size.start(*offset), *offset)).collect();
    if waiting.is_empty() {
        return Ok(());
    }
    for (page, fragment) in pages.fragments() {
        let offset = fragment.place.message_offset_bytes();
        if let Some(damage_at) = offset.and_then(|offset| waiting.remove(&size.start(offset))) {
            faults.meet(in_log(damage_at, SledFault::DamagedSegment { page }))?;
        }
    }
    Ok(())
}
