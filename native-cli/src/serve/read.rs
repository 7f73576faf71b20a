//! Reads of keys, a piece at a time.

use anyhow::Result;
use metadump::apply::{KeyRange, SharedRecord, Store};
use metadump_proto::meta::StreamItem;

use super::messages::seq_v;
use super::view::View;

/// How many records are read at a time.
const PIECE_RECORDS: usize = 256;

/// How many bytes of values are read at a time; the record that reaches it is the last one.
const PIECE_BYTES: u64 = 64 << 10;

/// Whether a record is hidden from clients by its expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// By a clock, milliseconds since 1970.
    HiddenAt(u64),
    /// Not at all.
    Shown,
}

impl Expired {
    fn hides(self, record: &SharedRecord) -> bool {
        match self {
            Self::Shown => false,
            Self::HiddenAt(clock_ms) => {
                record.expire_ms().is_some_and(|expire_ms| expire_ms < clock_ms)
            }
        }
    }
}

/// The records of a range that are still to be read.
pub struct Listing {
    view: View,
    range: KeyRange,
    limit: u64,
    expired: Expired,
    is_done: bool,
}

impl Listing {
    /// The records of a range, at most `limit`.
    pub fn new(view: View, range: KeyRange, limit: Option<u64>, expired: Expired) -> Self {
        Self { view, range, limit: limit.unwrap_or(u64::MAX), expired, is_done: false }
    }

    /// The next records; none behind the last.
    pub fn next_piece(&mut self) -> Result<Option<Vec<(String, SharedRecord)>>> {
        let (mut piece, mut bytes, mut seen, mut last) = (Vec::new(), 0, 0, None);
        if self.is_done || self.limit == 0 {
            return Ok(None);
        }
        let mut records = self.view.records(self.range.clone());
        loop {
            let Some(record) = records.next() else {
                self.is_done = true;
                break;
            };
            let (key, record) = record?;
            seen += 1;
            if !self.expired.hides(&record) {
                bytes += key.len() as u64 + record.data.len();
                piece.push((key.into_owned(), record));
                self.limit -= 1;
            } else {
                last = Some(key.into_owned());
            }
            if self.limit == 0 || seen >= PIECE_RECORDS || bytes >= PIECE_BYTES {
                break;
            }
        }
        drop(records);
        let behind = piece.last().map(|(key, _)| key).max(last.as_ref());
        if let Some(behind) = behind {
            self.range.from = format!("{behind}\0");
        }
        Ok(Some(piece))
    }

    /// The next records as messages.
    pub fn next_items(&mut self) -> Result<Option<Vec<StreamItem>>> {
        let piece = self.next_piece()?;
        let item =
            |(key, record): (String, SharedRecord)| StreamItem { key, value: Some(seq_v(&record)) };
        Ok(piece.map(|piece| piece.into_iter().map(item).collect()))
    }
}

/// Keys that are still to be read.
pub struct Lookups {
    view: View,
    keys: std::vec::IntoIter<String>,
    clock_ms: u64,
}

impl Lookups {
    /// The records of keys, in their order.
    pub fn new(view: View, keys: Vec<String>, clock_ms: u64) -> Self {
        Self { view, keys: keys.into_iter(), clock_ms }
    }

    /// The next keys with their records; none behind the last.
    pub fn next_items(&mut self) -> Result<Option<Vec<StreamItem>>> {
        let (mut items, mut bytes) = (Vec::new(), 0);
        while bytes < PIECE_BYTES && items.len() < PIECE_RECORDS {
            let Some(key) = self.keys.next() else { break };
            let item = lookup(&self.view, key, self.clock_ms)?;
            bytes += item.value.as_ref().map_or(0, |value| value.data.len() as u64);
            items.push(item);
        }
        Ok((!items.is_empty()).then_some(items))
    }
}

/// A key with its record, unless that has expired by the clock.
pub fn lookup(view: &View, key: String, clock_ms: u64) -> Result<StreamItem> {
    let record = view.record(&key)?.filter(|record| !Expired::HiddenAt(clock_ms).hides(record));
    Ok(StreamItem { key, value: record.as_ref().map(seq_v) })
}
