//! The keys of two states, each read on a thread of its own, and paired.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::{Result, anyhow};
use metadump::difference::{Keyed, Merge, Pair, Side};
use metadump::moment::{AsOf, Replayed};
use metadump::objects::{Catalogue, ObjectRecord};
use metadump::record::{Bytes, KVMeta, SeqV};

use crate::command::state::State;
use crate::progress::Progress;
use crate::runtime::no_thread;

/// How many bytes, and how many records, are handed on at a time.
const BATCH_BYTES: usize = 512 << 10;
const BATCH_RECORDS: usize = 4096;

/// How many batches of a state may wait for those of the other.
const MOST_WAITING: usize = 3;

/// The keys of a state do not come in order.
#[derive(Debug, thiserror::Error)]
#[error("the keys do not come in order")]
pub struct Disorder(pub Side);

/// Nobody takes the keys any more.
#[derive(Debug, thiserror::Error)]
#[error("the comparison has ended")]
struct Ended;

/// A state that was read.
pub struct Read {
    /// Which moment it is of.
    pub as_of: AsOf,
    /// What its records say of the names of objects.
    pub names: Catalogue,
}

/// Records in the order of their keys.
#[derive(Debug, Default)]
struct Batch {
    keys: String,
    values: Vec<u8>,
    rows: Vec<Row>,
}

/// A record of a batch; it begins where the one before it ends.
#[derive(Debug, Clone, Copy)]
struct Row {
    key_end: usize,
    value_end: usize,
    /// Whether the value is text of a dump.
    is_text: bool,
    seq: u64,
    meta: Option<KVMeta>,
}

/// A record of a state.
#[derive(Debug, Clone)]
pub struct Record {
    batch: Arc<Batch>,
    at: usize,
}

impl Batch {
    fn push(&mut self, key: &str, record: &SeqV<'_>) {
        self.keys.push_str(key);
        let is_text = match &record.data {
            Bytes::Text(text) => {
                self.values.extend_from_slice(text);
                true
            }
            Bytes::Decoded(bytes) => {
                self.values.extend_from_slice(bytes);
                false
            }
        };
        self.rows.push(Row {
            key_end: self.keys.len(),
            value_end: self.values.len(),
            is_text,
            seq: record.seq,
            meta: record.meta,
        });
    }

    fn is_full(&self) -> bool {
        self.values.len() >= BATCH_BYTES || self.rows.len() >= BATCH_RECORDS
    }

    fn key(&self, at: usize) -> &str {
        self.row(at).map_or("", |(_, keys, _)| self.keys.get(keys).unwrap_or_default())
    }

    /// A record, with where its key and its value are.
    fn row(&self, at: usize) -> Option<(Row, Range<usize>, Range<usize>)> {
        let row = *self.rows.get(at)?;
        let before = at.checked_sub(1).and_then(|before| self.rows.get(before));
        let (key, value) = before.map_or((0, 0), |row| (row.key_end, row.value_end));
        Some((row, key..row.key_end, value..row.value_end))
    }
}

impl Keyed for Record {
    fn key(&self) -> &str {
        self.batch.key(self.at)
    }
}

impl Record {
    /// What is stored under the key.
    pub fn value(&self) -> Option<SeqV<'_>> {
        let (Row { is_text, seq, meta, .. }, _, value) = self.batch.row(self.at)?;
        let value = self.batch.values.get(value)?;
        let data = if is_text { Bytes::Text(value) } else { Bytes::Decoded(Cow::Borrowed(value)) };
        Some(SeqV { seq, meta, data })
    }
}

/// Calls `each` with the keys of both states in their order, and with the record that each has.
///
/// # Errors
///
/// [`Disorder`] when the keys of one do not ascend; when one cannot be read; and the first of `each`.
pub fn for_each_pair<'s>(
    states: [(&'s mut State, Option<Replayed>); 2],
    progress: &Progress,
    mut each: impl FnMut(&str, Option<&SeqV<'_>>, Option<&SeqV<'_>>) -> Result<()>,
) -> Result<[Read; 2]> {
    let [left, right] = states;
    let aside = &progress.aside();
    thread::scope(|scope| {
        let start = |side, (state, replayed): (&'s mut State, _), progress| {
            let (sender, batches) = sync_channel(MOST_WAITING);
            let read = move || read(side, &*state, replayed, &sender, progress);
            let thread = thread::Builder::new().spawn_scoped(scope, read);
            anyhow::Ok((batches, no_thread(thread)?))
        };
        let (left_batches, left) = start(Side::Left, left, aside)?;
        let (right_batches, right) = start(Side::Right, right, progress)?;
        let merged = merge([&left_batches, &right_batches], &mut each);
        // Who still reads is not waited for.
        drop((left_batches, right_batches));
        let panicked = || anyhow!("a thread has panicked");
        let left = left.join().unwrap_or_else(|_| Err(panicked()));
        let right = right.join().unwrap_or_else(|_| Err(panicked()));
        merged?;
        match (left, right) {
            (Ok(left), Ok(right)) => Ok([left, right]),
            // One that was not waited for has no failure of its own.
            (Err(left), Err(right)) => Err(if left.is::<Ended>() { right } else { left }),
            (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
        }
    })
}

/// Pairs what two threads read, until one of them fails.
fn merge(
    batches: [&Receiver<Option<Batch>>; 2],
    each: &mut impl FnMut(&str, Option<&SeqV<'_>>, Option<&SeqV<'_>>) -> Result<()>,
) -> Result<()> {
    let [left, right] = batches;
    let mut merge = Merge::default();
    while let Some(side) = merge.wants() {
        let batches = if side == Side::Left { left } else { right };
        match batches.recv() {
            Ok(Some(batch)) => {
                let batch = Arc::new(batch);
                for at in 0..batch.rows.len() {
                    merge.push(side, Record { batch: Arc::clone(&batch), at });
                }
            }
            Ok(None) => merge.end(side),
            // The thread says why.
            Err(_) => return Ok(()),
        }
        while let Some(Pair { left, right }) = merge.pair() {
            let Some(one) = left.as_ref().or(right.as_ref()) else { continue };
            let [before, after] = [&left, &right].map(|record| record.as_ref()?.value());
            each(one.key(), before.as_ref(), after.as_ref())?;
        }
    }
    Ok(())
}

/// Reads a state and hands its records on; of the second, the names of objects are kept.
fn read(
    side: Side,
    state: &State,
    replayed: Option<Replayed>,
    batches: &SyncSender<Option<Batch>>,
    progress: &Progress,
) -> Result<Read> {
    let mut names = Catalogue::default();
    let mut batch = Batch::default();
    let mut last = None;
    let prepare = |key: &str, value: &SeqV<'_>| {
        (side == Side::Right).then(|| ObjectRecord::naming(key, &value.data)).flatten()
    };
    let send = |batch| batches.send(batch).map_err(|_| Ended);
    let as_of = state.for_each_key_of(replayed, progress, prepare, |key, record, name| {
        let before = match batch.rows.len() {
            0 => last.as_deref(),
            len => Some(batch.key(len - 1)),
        };
        if before.is_some_and(|before| before >= key) {
            return Err(Disorder(side).into());
        }
        batch.push(key, record);
        if let Some(name) = name {
            names.add(name);
        }
        if batch.is_full() {
            last = Some(key.to_owned());
            send(Some(std::mem::take(&mut batch)))?;
        }
        Ok(())
    })?;
    send(Some(batch))?;
    send(None)?;
    Ok(Read { as_of, names })
}
