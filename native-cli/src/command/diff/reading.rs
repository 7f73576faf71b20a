//! The keys of two states, each read on a thread of its own, and paired.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::{Result, anyhow};
use metadump::apply::{Reach, SharedRecord, SystemState};
use metadump::difference::{Keyed, Merge, Pair, Side};
use metadump::moment::{AsOf, Replay, Replayed};
use metadump::objects::{Catalogue, ObjectRecord};
use metadump::record::{Bytes, KVMeta, SeqV};

use crate::command::state::State;
use crate::progress::Progress;
use crate::runtime::no_thread;

/// How many bytes, and how many records, are handed on at a time.
const BATCH_BYTES: usize = 512 << 10;
const BATCH_RECORDS: usize = 2048;

/// How long a key mostly is at most.
const KEY_BYTES: usize = 64;

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

/// How a state comes to its moment.
pub enum Way {
    /// What the log made of the snapshot is known, if it made anything.
    Known(Option<Box<Replayed>>),
    /// The log is applied when the snapshot has been read, which takes one reading less.
    Log(Box<Replay>),
}

impl Way {
    /// That of a state.
    pub fn of(state: &State, progress: &Progress) -> Result<Self> {
        if state.moment().until.is_none() {
            return Ok(Self::Known(None));
        }
        let replay = state.reach(progress)?;
        match replay.scope() {
            Some(_) => Ok(Self::Log(Box::new(replay))),
            None => Ok(Self::Known(state.replay(progress)?.map(Box::new))),
        }
    }

    /// What the log may reach of any state.
    fn scope(&self) -> Reach {
        match self {
            Self::Log(replay) => replay.scope().cloned().unwrap_or_default(),
            Self::Known(_) => Reach::default(),
        }
    }
}

/// A state that was read.
pub struct Read {
    /// Which moment it is of.
    pub as_of: AsOf,
    /// What its records say of the names of objects.
    pub names: Catalogue,
    /// What it holds beside keys, if the log made another of it.
    pub system: Option<SystemState>,
    /// The records that the log reached, as they are at the moment.
    reached: BTreeMap<String, SharedRecord>,
}

/// The keys that a log may have reached, with the records of the states that it did not.
type Waiting = BTreeMap<String, [Option<SharedRecord>; 2]>;

/// Records in the order of their keys.
#[derive(Debug)]
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
    fate: Fate,
}

/// What logs may do to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nothing: it is that of the moment.
    Stays,
    /// Its own nothing, but that of the other state may reach the key.
    Waits,
    /// Its own may change it.
    Reached,
}

/// A record of a state.
#[derive(Debug, Clone)]
pub struct Record {
    batch: Arc<Batch>,
    at: usize,
}

impl Batch {
    /// One that has space for as much as is handed on, so that nothing is moved while it fills.
    fn new() -> Self {
        Self {
            keys: String::with_capacity(KEY_BYTES * BATCH_RECORDS),
            // The last value goes beyond what makes it full.
            values: Vec::with_capacity(BATCH_BYTES + BATCH_BYTES / 8),
            rows: Vec::with_capacity(BATCH_RECORDS),
        }
    }

    fn push(&mut self, key: &str, record: &SeqV<'_>, fate: Fate) {
        self.keys.push_str(key);
        let is_text = match &record.data {
            _ if fate == Fate::Reached => false,
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
            fate,
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
    /// What is stored under the key, unless the log may change that.
    fn value(&self) -> Option<SeqV<'_>> {
        let (Row { is_text, seq, meta, fate, .. }, _, value) = self.batch.row(self.at)?;
        if fate == Fate::Reached {
            return None;
        }
        let value = self.batch.values.get(value)?;
        let data = if is_text { Bytes::Text(value) } else { Bytes::Decoded(Cow::Borrowed(value)) };
        Some(SeqV { seq, meta, data })
    }

    fn stays(&self) -> bool {
        self.batch.row(self.at).is_none_or(|(row, ..)| row.fate == Fate::Stays)
    }
}

/// Calls `each` with the keys of both states, and with the record that each has: with those that no log
/// reaches in their order, then, as `is_late`, with the others in theirs.
///
/// # Errors
///
/// [`Disorder`] when the keys of one do not ascend; when one cannot be read; and the first of `each`.
pub fn for_each_pair<'s>(
    states: [(&'s mut State, Way); 2],
    progress: &Progress,
    mut each: impl FnMut(&str, Option<&SeqV<'_>>, Option<&SeqV<'_>>, bool) -> Result<()>,
) -> Result<[Read; 2]> {
    let [left, right] = states;
    let [of_left, of_right] = [&left.1, &right.1].map(Way::scope);
    let aside = &progress.aside();
    let (waiting, left, right) = thread::scope(|scope| {
        let start = |side, (state, way): (&'s mut State, _), other, progress| {
            let (sender, batches) = sync_channel(MOST_WAITING);
            let read = move || read(side, &*state, way, other, &sender, progress);
            let thread = thread::Builder::new().spawn_scoped(scope, read);
            anyhow::Ok((batches, no_thread(thread)?))
        };
        let (left_batches, left) = start(Side::Left, left, &of_right, aside)?;
        let (right_batches, right) = start(Side::Right, right, &of_left, progress)?;
        let waiting = merge([&left_batches, &right_batches], &mut |key, before, after| {
            each(key, before, after, false)
        });
        // Who still reads is not waited for.
        drop((left_batches, right_batches));
        let panicked = || anyhow!("a thread has panicked");
        let left = left.join().unwrap_or_else(|_| Err(panicked()));
        let right = right.join().unwrap_or_else(|_| Err(panicked()));
        let waiting = waiting?;
        match (left, right) {
            (Ok(left), Ok(right)) => Ok((waiting, left, right)),
            // One that was not waited for has no failure of its own.
            (Err(left), Err(right)) => Err(if left.is::<Ended>() { right } else { left }),
            (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
        }
    })?;
    let reached = left.reached.keys().chain(right.reached.keys());
    let late: BTreeSet<&String> = waiting.keys().chain(reached).collect();
    for key in late {
        let [before, after] =
            waiting.get(key).map_or([None, None], |records| records.each_ref().map(Option::as_ref));
        let [before, after] = [left.reached.get(key).or(before), right.reached.get(key).or(after)];
        if before.is_some() || after.is_some() {
            each(key, before.map(|record| &**record), after.map(|record| &**record), true)?;
        }
    }
    Ok([left, right])
}

/// Pairs what two threads read, until one of them fails. What has to wait for a log is given back.
fn merge(
    batches: [&Receiver<Option<Batch>>; 2],
    each: &mut impl FnMut(&str, Option<&SeqV<'_>>, Option<&SeqV<'_>>) -> Result<()>,
) -> Result<Waiting> {
    let [left, right] = batches;
    let (mut merge, mut waiting) = (Merge::default(), Waiting::new());
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
            Err(_) => return Ok(waiting),
        }
        while let Some(Pair { left, right }) = merge.pair() {
            let Some(one) = left.as_ref().or(right.as_ref()) else { continue };
            let [before, after] = [&left, &right].map(|record| record.as_ref()?.value());
            if [&left, &right].into_iter().flatten().all(Record::stays) {
                each(one.key(), before.as_ref(), after.as_ref())?;
            } else {
                waiting
                    .insert(one.key().to_owned(), [before, after].map(|record| record.map(shared)));
            }
        }
    }
    Ok(waiting)
}

fn shared(record: SeqV<'_>) -> SharedRecord {
    let SeqV { seq, meta, data } = record;
    SeqV { seq, meta, data: data.into_owned() }.into()
}

/// Reads a state and hands its records on; of the second, the names of objects are kept.
fn read(
    side: Side,
    state: &State,
    way: Way,
    other: &Reach,
    batches: &SyncSender<Option<Batch>>,
    progress: &Progress,
) -> Result<Read> {
    let mut names = Catalogue::default();
    let mut batch = Batch::new();
    let mut last: Option<String> = None;
    let name_of = |key: &str, value: &SeqV<'_>| {
        (side == Side::Right).then(|| ObjectRecord::naming(key, &value.data)).flatten()
    };
    let prepare = |key: &str, value: &SeqV<'_>| (other.has_key(key), name_of(key, value));
    let send = |batch| batches.send(batch).map_err(|_| Ended);
    let mut put = |key: &str, record: &SeqV<'_>, fate, name: Option<ObjectRecord>| {
        let before = match batch.rows.len() {
            0 => last.as_deref(),
            len => Some(batch.key(len - 1)),
        };
        if before.is_some_and(|before| before >= key) {
            return Err(Disorder(side).into());
        }
        batch.push(key, record, fate);
        if let Some(name) = name.filter(|_| fate != Fate::Reached) {
            names.add(name);
        }
        if batch.is_full() {
            last = Some(key.to_owned());
            send(Some(std::mem::replace(&mut batch, Batch::new())))?;
        }
        anyhow::Ok(())
    };
    let fate = |is_reached, waits| match (is_reached, waits) {
        (true, _) => Fate::Reached,
        (false, true) => Fate::Waits,
        (false, false) => Fate::Stays,
    };
    match way {
        Way::Known(replayed) => {
            let system = replayed.as_ref().map(|replayed| replayed.system.clone());
            let as_of = state.for_each_key_of(
                replayed.map(|replayed| *replayed),
                progress,
                prepare,
                |key, record, (waits, name)| put(key, record, fate(false, waits), name),
            )?;
            send(Some(batch))?;
            send(None)?;
            Ok(Read { as_of, names, system, reached: BTreeMap::new() })
        }
        Way::Log(mut replay) => {
            state.for_each_key_before_log(
                &mut replay,
                progress,
                prepare,
                |key, record, is_reached, (waits, name)| {
                    put(key, record, fate(is_reached, waits), name)
                },
            )?;
            send(Some(batch))?;
            send(None)?;
            state.apply(progress, |fact| replay.apply(fact).map(drop))?;
            let reached: BTreeMap<_, _> = replay.reached().collect();
            for name in reached.iter().filter_map(|(key, record)| name_of(key, record)) {
                names.add(name);
            }
            let mut as_of = AsOf::from(state.moment());
            let replayed = state.finished(*replay)?;
            as_of.learn(&replayed);
            Ok(Read { as_of, names, system: Some(replayed.system), reached })
        }
    }
}
