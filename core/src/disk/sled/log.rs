//! Walks the log in its own order, which is not the order of the file.
//!
//! The log is endless, the file is not: segments of the file are used again once nothing in them
//! is needed. A segment's header says where in the log it belongs.

use std::collections::BTreeMap;

use super::bytes::Cursor;
use super::conf::SegmentSize;
use super::heap::HeapId;
use super::lsn::Lsn;
use super::message::{Kind, MessageRead, read_message};
use super::page_table::{Fragment, PageId, Place};
use super::segment::{HEADER_BYTES, RED_ZONE_BYTES, SegmentHeader};
use crate::disk::read_at::{ReadAt, ReadError};

/// A message that is about a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageMessage {
    pub(super) kind: Kind,
    pub(super) page: PageId,
    pub(super) fragment: Fragment,
}

/// What to do at a place where no whole message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtDamage {
    /// It is the end of the log.
    Stop,
    /// Go on with the next segment.
    SkipSegment,
}

/// Why a walk came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// No segment is left.
    NoSegment,
    /// The next message is not before the given end.
    AtEnd,
    /// No whole message is at this place, or a batch of messages is not complete.
    Incomplete,
    /// A message reaches past the end of the file, or a segment is another one than before: both
    /// never happen in the middle of a log.
    Cut {
        /// Where in the file.
        offset_bytes: u64,
    },
}

/// A walk over segments of the log.
#[derive(Debug)]
pub(super) struct LogWalk<'a, R> {
    db: &'a R,
    size: SegmentSize,
    /// The segments that were not begun: where in the log, where in the file.
    waiting: BTreeMap<Lsn, u64>,
    /// Nothing from here on is read.
    before: Option<Lsn>,
    at_damage: AtDamage,
    /// Where in the file the segment starts that is being read.
    segment: Option<u64>,
    buffer: Vec<u8>,
    at: Lsn,
    torn_batch: Option<Lsn>,
    damaged: Vec<u64>,
}

/// A step of a walk.
enum Step {
    Emit(PageMessage),
    Next,
    Stop(Stop),
}

impl<'a, R: ReadAt> LogWalk<'a, R> {
    pub(super) const fn new(
        db: &'a R,
        size: SegmentSize,
        segments: BTreeMap<Lsn, u64>,
        before: Option<Lsn>,
        at_damage: AtDamage,
    ) -> Self {
        Self {
            db,
            size,
            waiting: segments,
            before,
            at_damage,
            segment: None,
            buffer: Vec::new(),
            at: Lsn(0),
            torn_batch: None,
            damaged: Vec::new(),
        }
    }

    /// Calls `each` for every message about a page, and says why there are no more.
    pub(super) fn run(&mut self, mut each: impl FnMut(PageMessage)) -> Result<Stop, ReadError> {
        loop {
            match self.step()? {
                Step::Emit(message) => each(message),
                Step::Next => {}
                Step::Stop(stop) => return Ok(stop),
            }
        }
    }

    /// Where the walk is: behind the last message that was read, 0 before the first.
    pub(super) const fn at(&self) -> Lsn {
        self.at
    }

    /// The segments that were not begun.
    pub(super) const fn waiting(&self) -> &BTreeMap<Lsn, u64> {
        &self.waiting
    }

    /// Where the batch of messages starts that is not complete.
    pub(super) const fn torn_batch(&self) -> Option<Lsn> {
        self.torn_batch
    }

    /// The places in the file where segments were left because of damage.
    pub(super) fn damaged(&self) -> &[u64] {
        &self.damaged
    }

    /// Where in the file the walk is; none when it is between segments.
    pub(super) fn offset_bytes(&self) -> Option<u64> {
        Some(self.segment? + self.size.within(self.at.0))
    }

    fn step(&mut self) -> Result<Step, ReadError> {
        let within = self.size.within(self.at.0);
        if !(HEADER_BYTES..=self.size.bytes() - RED_ZONE_BYTES).contains(&within) {
            self.segment = None;
        }
        let segment = match self.segment {
            Some(segment) => segment,
            None => match self.begin_segment()? {
                Ok(segment) => segment,
                Err(stop) => return Ok(Step::Stop(stop)),
            },
        };
        if self.before.is_some_and(|before| self.at >= before) {
            return Ok(Step::Stop(Stop::AtEnd));
        }
        let within = self.size.within(self.at.0);
        let offset_bytes = segment + within;
        let from = usize::try_from(within).unwrap_or(usize::MAX);
        let read = match self.buffer.get(from..) {
            Some(bytes) => read_message(bytes, self.size.bytes() - within),
            None => MessageRead::PastEnd,
        };
        let message = match read {
            MessageRead::Whole(message) if message.segment_number == self.size.number(self.at) => {
                message
            }
            MessageRead::PastEnd => return Ok(Step::Stop(Stop::Cut { offset_bytes })),
            MessageRead::Whole(_) | MessageRead::Corrupted => return Ok(self.damage(offset_bytes)),
        };
        let (kind, page) = (message.kind, message.page);
        let mut body = Cursor::new(&message.body);
        let next = self.at.plus(message.size_bytes);
        let place = match kind {
            Kind::Cap => {
                self.segment = None;
                return Ok(Step::Next);
            }
            Kind::Canceled => {
                self.at = next;
                return Ok(Step::Next);
            }
            Kind::BatchManifest => {
                // What is before the log was written, whatever it is.
                let last = body.i64().map(|last| Lsn(u64::try_from(last).unwrap_or_default()));
                if last.is_none_or(|last| self.before.is_some_and(|before| last >= before)) {
                    self.torn_batch = Some(self.at);
                    return Ok(Step::Stop(Stop::Incomplete));
                }
                self.at = next;
                return Ok(Step::Next);
            }
            kind if kind.is_in_heap() => match HeapId::decode(&mut body) {
                Some(id) => Place::Heap { message_offset_bytes: Some(offset_bytes), id },
                None => return Ok(self.damage(offset_bytes)),
            },
            _ => Place::Inline { offset_bytes },
        };
        let lsn = self.at;
        self.at = next;
        Ok(Step::Emit(PageMessage { kind, page, fragment: Fragment { lsn, place } }))
    }

    fn damage(&mut self, offset_bytes: u64) -> Step {
        match self.at_damage {
            AtDamage::Stop => Step::Stop(Stop::Incomplete),
            AtDamage::SkipSegment => {
                self.damaged.push(offset_bytes);
                self.segment = None;
                Step::Next
            }
        }
    }

    /// Reads the next segment of the log, whole: the end of the file can cut the last one of the
    /// file.
    fn begin_segment(&mut self) -> Result<Result<u64, Stop>, ReadError> {
        let Some((lsn, offset_bytes)) = self.waiting.first_key_value() else {
            return Ok(Err(Stop::NoSegment));
        };
        let (lsn, offset_bytes) = (*lsn, *offset_bytes);
        if self.before.is_some_and(|before| lsn >= before) {
            return Ok(Err(Stop::AtEnd));
        }
        let len_bytes = self.db.size_bytes().saturating_sub(offset_bytes).min(self.size.bytes());
        self.buffer.resize(usize::try_from(len_bytes).unwrap_or_default(), 0);
        self.db.read_at(offset_bytes, &mut self.buffer)?;
        // Without a header it is a segment that is salvaged by what its messages say.
        if SegmentHeader::decode(&self.buffer).is_some_and(|header| header.lsn != lsn) {
            return Ok(Err(Stop::Cut { offset_bytes }));
        }
        self.waiting.remove(&lsn);
        self.segment = Some(offset_bytes);
        self.at = lsn.plus(HEADER_BYTES);
        Ok(Ok(offset_bytes))
    }
}
