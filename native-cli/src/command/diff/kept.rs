//! Records that differ, kept until they are printed: in memory, and when they are many, in a file.

use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};
use metadump::difference::Change;
use metadump::dump_line;
use metadump::record::{Fact, Keyed, Record, SeqV, Text};
use metadump::scan::{ScannedLine, scan_line};

use crate::failure::WithHelp;
use crate::temporary::TemporaryFile;

/// How many bytes stay in memory.
const MOST_BYTES: usize = 32 << 20;

/// Why there may be no room.
const NO_ROOM: &str = "cannot keep what differs in a temporary file";
const HELP: &str = "have TMPDIR name a directory with room for it, or count only, with --stat";

const LOST: &str = "what differs cannot be read back";

/// Records that differ, as the lines of a dump.
pub struct Kept {
    store: Store,
    /// How many bytes stay in memory.
    most_bytes: usize,
    len_bytes: u64,
    places: Vec<Place>,
    /// From which place on keys are late.
    late_from: Option<usize>,
}

enum Store {
    Memory(Vec<u8>),
    File(BufWriter<TemporaryFile>),
}

/// Where the lines of a key are.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The number of its object.
    pub object: usize,
    /// What became of it.
    pub change: Change,
    at_bytes: u64,
    before_bytes: u64,
    after_bytes: u64,
}

impl Default for Kept {
    fn default() -> Self {
        Self::within(MOST_BYTES)
    }
}

impl Kept {
    fn within(most_bytes: usize) -> Self {
        let store = Store::Memory(Vec::new());
        Self { store, most_bytes, len_bytes: 0, places: Vec::new(), late_from: None }
    }

    /// Adds a key of an object with the records that it has.
    pub fn push(
        &mut self,
        object: usize,
        change: Change,
        key: &str,
        before: Option<&SeqV<'_>>,
        after: Option<&SeqV<'_>>,
    ) -> Result<()> {
        let mut lines = Vec::new();
        let key = Text::from(key);
        let mut put = |record: Option<&SeqV<'_>>| {
            let from = lines.len();
            if let Some(record) = record {
                dump_line::put_fact(&mut lines, &Fact::Key(&key, record))?;
            }
            anyhow::Ok((lines.len() - from) as u64)
        };
        let (before_bytes, after_bytes) = (put(before)?, put(after)?);
        let place = Place { object, change, at_bytes: self.len_bytes, before_bytes, after_bytes };
        self.len_bytes += lines.len() as u64;
        self.places.push(place);
        if let Store::Memory(memory) = &mut self.store
            && memory.len().saturating_add(lines.len()) > self.most_bytes
        {
            let file = TemporaryFile::create("metactl-", ".diff", None);
            let mut file = BufWriter::with_capacity(1 << 20, file.context(NO_ROOM).help(HELP)?);
            file.write_all(memory).context(NO_ROOM).help(HELP)?;
            self.store = Store::File(file);
        }
        match &mut self.store {
            Store::Memory(memory) => {
                memory.extend_from_slice(&lines);
                Ok(())
            }
            Store::File(file) => file.write_all(&lines).context(NO_ROOM).help(HELP),
        }
    }

    /// From now on keys come that belong among those that are there.
    pub fn begin_late(&mut self) {
        self.late_from.get_or_insert(self.places.len());
    }

    /// The keys in their order, to be read.
    pub fn finish(&mut self) -> Result<Vec<Place>> {
        if let Store::File(file) = &mut self.store {
            file.flush().context(NO_ROOM).help(HELP)?;
        }
        let mut places = std::mem::take(&mut self.places);
        let late = places.split_off(self.late_from.unwrap_or(places.len()));
        let mut sorted = Vec::with_capacity(places.len() + late.len());
        let mut rest = places.as_slice();
        for place in late {
            let (before, behind) = rest.split_at(self.before(rest, &self.key(&place)?)?);
            sorted.extend_from_slice(before);
            sorted.push(place);
            rest = behind;
        }
        sorted.extend_from_slice(rest);
        Ok(sorted)
    }

    /// How many places come before a key.
    fn before(&self, places: &[Place], key: &str) -> Result<usize> {
        let (mut from, mut to) = (0, places.len());
        while let Some(place) =
            places.get(from..to).and_then(|between| between.get(between.len() / 2))
        {
            let middle = from + (to - from) / 2;
            if *self.key(place)? < *key { from = middle + 1 } else { to = middle }
        }
        Ok(from)
    }

    fn key(&self, place: &Place) -> Result<String> {
        let mut found = String::new();
        self.read(place, |key, _, _| {
            found.push_str(key);
            Ok(())
        })?;
        Ok(found)
    }

    /// Calls `read` with the key and the records of a place.
    pub fn read(
        &self,
        place: &Place,
        read: impl FnOnce(&str, Option<&SeqV<'_>>, Option<&SeqV<'_>>) -> Result<()>,
    ) -> Result<()> {
        let before = self.bytes(place.at_bytes, place.before_bytes)?;
        let after = self.bytes(place.at_bytes + place.before_bytes, place.after_bytes)?;
        let (before, after) = (scanned(&before)?, scanned(&after)?);
        let [before, after] = [&before, &after].map(|scanned| match &scanned.as_ref()?.record {
            Record::GenericKV(Keyed { key, value }) => Some((key, value)),
            _ => None,
        });
        let (key, _) = before.or(after).context(LOST)?;
        read(key, before.map(|(_, value)| value), after.map(|(_, value)| value))
    }

    fn bytes(&self, at_bytes: u64, len_bytes: u64) -> Result<Vec<u8>> {
        let len = usize::try_from(len_bytes).context(LOST)?;
        match &self.store {
            Store::Memory(memory) => {
                let from = usize::try_from(at_bytes).context(LOST)?;
                let bytes = from.checked_add(len).and_then(|end| memory.get(from..end));
                bytes.map(<[u8]>::to_vec).context(LOST)
            }
            Store::File(file) => {
                let mut bytes = vec![0; len];
                file.get_ref().as_file().read_exact_at(&mut bytes, at_bytes).context(LOST)?;
                Ok(bytes)
            }
        }
    }
}

/// The record of a line; none of no line.
fn scanned(line: &[u8]) -> Result<Option<ScannedLine<'_>>> {
    (!line.is_empty()).then(|| scan_line(line)).transpose().context(LOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_from_memory_and_from_a_file() {
        let record = |seq, value: &[u8]| SeqV { seq, meta: None, data: value.to_vec().into() };
        let (one, other) = (record(1, b"a\n"), record(2, &[0, 255]));
        for most_bytes in [0, 150, MOST_BYTES] {
            let mut kept = Kept::within(most_bytes);
            kept.push(3, Change::Changed, "k/\n1", Some(&one), Some(&other)).unwrap();
            kept.push(0, Change::Added, "k/2", None, Some(&other)).unwrap();
            kept.push(1, Change::Removed, "k/3", Some(&one), None).unwrap();
            let mut found = Vec::new();
            for place in kept.finish().unwrap() {
                kept.read(&place, |key, before, after| {
                    let value = |record: Option<&SeqV<'_>>| {
                        record.map(|record| (record.seq, record.data.decode().into_owned()))
                    };
                    found.push((place.object, key.to_owned(), value(before), value(after)));
                    Ok(())
                })
                .unwrap();
            }
            let (one, other) = (Some((1, b"a\n".to_vec())), Some((2, vec![0, 255])));
            let expected = [
                (3, "k/\n1".to_owned(), one.clone(), other.clone()),
                (0, "k/2".to_owned(), None, other),
                (1, "k/3".to_owned(), one, None),
            ];
            assert_eq!(found, expected, "{most_bytes}");
        }
    }

    #[test]
    fn late_keys_come_in_their_order() {
        let one = SeqV { seq: 1, meta: None, data: vec![1].into() };
        let mut kept = Kept::default();
        for key in ["b", "d", "f"] {
            kept.push(0, Change::Added, key, None, Some(&one)).unwrap();
        }
        for key in ["a", "c", "d1", "e", "g", "h"] {
            kept.begin_late();
            kept.push(0, Change::Removed, key, Some(&one), None).unwrap();
        }
        let places = kept.finish().unwrap();
        let keys: Vec<String> = places.iter().map(|place| kept.key(place).unwrap()).collect();
        assert_eq!(keys, ["a", "b", "c", "d", "d1", "e", "f", "g", "h"]);
    }
}
