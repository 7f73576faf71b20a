//! Rows in a redb file: keys with values of any size.
//!
//! A page of redb holds several rows, and a change of one of them writes all of it anew. So that no
//! row makes the changes of its neighbours expensive, a large value stands in pieces in a table of
//! its own, in which the row says where.

use std::sync::Arc;

use redb::{
    Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, Table, TableDefinition, TableError,
};

use super::database::StorageError;
use super::journal::Row;
use super::stored::number;

/// A key, and behind [`INLINE`] its value, or behind [`APART`] where the [`Pieces`] are.
const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");
/// The number of a large value and that of the piece.
const PIECES: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("pieces");

const INLINE: u8 = 0;
const APART: u8 = 1;

/// The largest value that stands in its row.
const LARGEST_INLINE: usize = 16 << 10;

/// The largest piece of one that does not.
const PIECE_BYTES: usize = 64 << 10;

/// The row of the epoch of the journal, and that of a journal of 0.1.0.
const EPOCH: &[u8] = b"i";
const HEADLESS_EPOCH: &[u8] = b"j";

/// The epoch of the journal that rows need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epoch {
    /// Of a journal of today.
    Current(u64),
    /// Of one of 0.1.0, which has no heads.
    Headless(u64),
}

/// Where rows are on disk when they have been written.
#[derive(Debug, Clone, Copy)]
pub enum Durable {
    /// In the journal, where they are already.
    InJournal,
    /// In the file, as all before them; the journal begins an epoch.
    InEpoch(u64),
}

/// Writes rows.
pub fn write<'r>(
    file: &redb::Database,
    rows: impl IntoIterator<Item = Row<'r>>,
    durable: Durable,
) -> Result<(), StorageError> {
    let mut transaction = file.begin_write()?;
    transaction.set_durability(match durable {
        Durable::InJournal => Durability::None,
        Durable::InEpoch(_) => Durability::Immediate,
    })?;
    let mut tables =
        Tables { rows: transaction.open_table(ROWS)?, pieces: transaction.open_table(PIECES)? };
    for (key, value) in rows {
        tables.put(key, value)?;
    }
    if let Durable::InEpoch(epoch) = durable {
        tables.put(EPOCH, Some(&epoch.to_be_bytes()))?;
        tables.put(HEADLESS_EPOCH, None)?;
    }
    drop(tables);
    Ok(transaction.commit()?)
}

struct Tables<'t> {
    rows: Table<'t, &'static [u8], &'static [u8]>,
    pieces: Table<'t, (u64, u64), &'static [u8]>,
}

impl Tables<'_> {
    fn put(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), StorageError> {
        let stored = match value {
            Some(value) if value.len() > LARGEST_INLINE => Some(self.put_apart(value)?.encode()),
            Some(value) => Some([&[INLINE], value].concat()),
            None => None,
        };
        let replaced = match &stored {
            Some(stored) => self.rows.insert(key, stored.as_slice())?,
            None => self.rows.remove(key)?,
        };
        let replaced = replaced.map(|replaced| Pieces::decode(replaced.value())).transpose()?;
        if let Some(replaced) = replaced.flatten() {
            for piece in 0..replaced.count() {
                self.pieces.remove((replaced.number, piece))?;
            }
        }
        Ok(())
    }

    fn put_apart(&mut self, value: &[u8]) -> Result<Pieces, StorageError> {
        let last = self.pieces.last()?.map(|(at, _)| at.value().0);
        let number = last.map_or(0, |last| last.saturating_add(1));
        for (at, piece) in (0..).zip(value.chunks(PIECE_BYTES)) {
            self.pieces.insert((number, at), piece)?;
        }
        Ok(Pieces { number, length: value.len() as u64 })
    }
}

/// The pieces of a large value.
#[derive(Debug, Clone, Copy)]
struct Pieces {
    number: u64,
    /// Of all of them.
    length: u64,
}

impl Pieces {
    fn encode(self) -> Vec<u8> {
        [&[APART], &self.number.to_be_bytes()[..], &self.length.to_be_bytes()].concat()
    }

    /// None when the value stands in its row.
    fn decode(stored: &[u8]) -> Result<Option<Self>, StorageError> {
        let Some(place) = stored.strip_prefix(&[APART]) else { return Ok(None) };
        let (at, length) = place.split_at_checked(8).ok_or(StorageError::Corrupt("row"))?;
        Ok(Some(Self { number: number(at)?, length: number(length)? }))
    }

    const fn count(self) -> u64 {
        self.length.div_ceil(PIECE_BYTES as u64)
    }
}

/// All rows at one moment.
pub struct Rows {
    rows: ReadOnlyTable<&'static [u8], &'static [u8]>,
    pieces: Arc<ReadOnlyTable<(u64, u64), &'static [u8]>>,
}

impl Rows {
    /// None in a file in which nothing was ever written.
    pub fn newest(file: &redb::Database) -> Result<Option<Self>, StorageError> {
        let transaction = file.begin_read()?;
        let rows = match transaction.open_table(ROWS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            rows => rows?,
        };
        Ok(Some(Self { rows, pieces: Arc::new(transaction.open_table(PIECES)?) }))
    }

    /// The epoch of the journal.
    pub fn epoch(&self) -> Result<Epoch, StorageError> {
        if let Some(epoch) = self.value(EPOCH, number)? {
            return Ok(Epoch::Current(epoch));
        }
        let epoch = self.value(HEADLESS_EPOCH, number)?;
        epoch.map(Epoch::Headless).ok_or(StorageError::Corrupt("row"))
    }

    /// What `read` makes of the value of a key.
    pub fn value<T>(
        &self,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, StorageError>,
    ) -> Result<Option<T>, StorageError> {
        let found = ReadableTable::get(&self.rows, key)?;
        found.map(|stored| with_value(&self.pieces, stored.value(), read)).transpose()
    }

    /// How many bytes the value of a key has; none when there is no such row.
    pub fn length(&self, key: &[u8]) -> Result<Option<u64>, StorageError> {
        let Some(stored) = ReadableTable::get(&self.rows, key)? else { return Ok(None) };
        let apart = Pieces::decode(stored.value())?;
        let inline = stored.value().len().saturating_sub(1) as u64;
        Ok(Some(apart.map_or(inline, |pieces| pieces.length)))
    }

    /// What `read` makes of the keys and values from one key, inclusive, to another, exclusive.
    pub fn range<T, R: Fn(&[u8], &[u8]) -> Result<T, StorageError>>(
        &self,
        from: &[u8],
        before: &[u8],
        read: R,
    ) -> impl Iterator<Item = Result<T, StorageError>> + use<T, R> {
        // An end before the start is an empty range.
        let (rows, error) = match self.rows.range_owned::<&[u8]>(from..before.max(from)) {
            Ok(rows) => (Some(rows), None),
            Err(error) => (None, Some(Err(error))),
        };
        let pieces = Arc::clone(&self.pieces);
        error.into_iter().chain(rows.into_iter().flatten()).map(move |row| {
            let (key, stored) = row?;
            with_value(&pieces, stored.value(), |value| read(key.value(), value))
        })
    }
}

fn with_value<T>(
    pieces: &ReadOnlyTable<(u64, u64), &'static [u8]>,
    stored: &[u8],
    read: impl FnOnce(&[u8]) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    let Some(apart) = Pieces::decode(stored)? else {
        return read(stored.get(1..).unwrap_or_default());
    };
    let mut value = Vec::new();
    for at in 0..apart.count() {
        let piece = ReadableTable::get(pieces, (apart.number, at))?;
        value.extend(piece.ok_or(StorageError::Corrupt("large value"))?.value());
    }
    read(&value)
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;
    use redb::{Builder, ReadableTableMetadata};

    use super::*;

    #[test]
    fn values_of_all_sizes_come_back_and_leave_no_pieces() {
        let file = Builder::new().create_with_backend(InMemoryBackend::new()).unwrap();
        let sizes = [0, 1, LARGEST_INLINE, LARGEST_INLINE + 1, PIECE_BYTES, 3 * PIECE_BYTES + 7];
        let value = |size: usize| (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let values: Vec<Vec<u8>> = sizes.map(value).to_vec();
        // Each key has each size once, in the place of each other.
        for turn in 0..sizes.len() {
            let key = |at: usize| vec![b'k', u8::try_from((at + turn) % sizes.len()).unwrap()];
            let keys: Vec<Vec<u8>> = (0..sizes.len()).map(key).collect();
            let rows = keys.iter().zip(&values);
            let rows = rows.map(|(key, value)| (key.as_slice(), Some(value.as_slice())));
            write(&file, rows, Durable::InEpoch(1)).unwrap();
            let newest = Rows::newest(&file).unwrap().unwrap();
            for (key, value) in keys.iter().zip(&values) {
                let found = newest.value(key, |found| Ok(found.to_vec())).unwrap();
                assert!(found.as_ref() == Some(value));
                assert_eq!(newest.length(key).unwrap(), Some(value.len() as u64));
            }
            let all = newest.range(b"k", b"l", |key, value| Ok((key.to_vec(), value.len())));
            assert_eq!(all.map(Result::unwrap).count(), sizes.len());
            assert_eq!(newest.pieces.len().unwrap(), 1 + 1 + 4);
        }
        let gone = (0..6).map(|at| vec![b'k', at]).collect::<Vec<_>>();
        write(&file, gone.iter().map(|key| (key.as_slice(), None)), Durable::InJournal).unwrap();
        let newest = Rows::newest(&file).unwrap().unwrap();
        assert_eq!(newest.length(b"k\0").unwrap(), None);
        assert_eq!((newest.rows.len().unwrap(), newest.pieces.len().unwrap()), (1, 0));
        assert_eq!(newest.epoch().unwrap(), Epoch::Current(1));
    }
}
