//! The keys of two states, each read on threads of its own, and paired on those of the second.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::{Result, anyhow};
use metadump::apply::{Reach, SharedRecord, SystemState};
use metadump::difference::Side;
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

/// How many batches of the first state may wait for the records of the second.
const MOST_WAITING: usize = 3;

/// The keys of a state do not come in order.
#[derive(Debug, thiserror::Error)]
#[error("the keys do not come in order")]
pub struct Disorder(pub Side);

/// The other state is not read to its end.
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

    /// Hands on the records of the state, or of its snapshot, in order: each with whether the log may
    /// change it, and with what `prepare` makes of it.
    fn for_each_key<T: Send>(
        self,
        state: &State,
        progress: &Progress,
        prepare: impl Fn(&str, &SeqV<'_>) -> T + Sync,
        mut each: impl FnMut(&str, &SeqV<'_>, bool, T) -> Result<()> + Send,
    ) -> Result<KeysRead> {
        Ok(match self {
            Self::Known(replayed) => {
                let system = replayed.as_ref().map(|replayed| replayed.system.clone());
                let as_of = state.for_each_key_of(
                    replayed.map(|replayed| *replayed),
                    progress,
                    prepare,
                    |key, record, prepared| each(key, record, false, prepared),
                )?;
                KeysRead::OfMoment(Box::new(Read { as_of, system, ..Read::default() }))
            }
            Self::Log(mut replay) => {
                state.for_each_key_before_log(&mut replay, progress, prepare, each)?;
                KeysRead::OfSnapshot(replay)
            }
        })
    }
}

/// A state whose keys were read.
enum KeysRead {
    /// They are those of its moment.
    OfMoment(Box<Read>),
    /// Its log is to be applied.
    OfSnapshot(Box<Replay>),
}

impl KeysRead {
    fn finish(self, state: &State, progress: &Progress) -> Result<Read> {
        let mut replay = match self {
            Self::OfMoment(read) => return Ok(*read),
            Self::OfSnapshot(replay) => replay,
        };
        state.apply(progress, |fact| replay.apply(fact).map(drop))?;
        let reached = replay.reached().collect();
        let mut as_of = AsOf::from(state.moment());
        let replayed = state.finished(*replay)?;
        as_of.learn(&replayed);
        Ok(Read { as_of, system: Some(replayed.system), reached, ..Read::default() })
    }
}

/// A state that was read.
#[derive(Default)]
pub struct Read {
    /// Which moment it is of.
    pub as_of: AsOf,
    /// What its records say of the names of objects, in the second state.
    pub names: Catalogue,
    /// What it holds beside keys, if the log made another of it.
    pub system: Option<SystemState>,
    /// The records that the log reached, as they are at the moment.
    reached: BTreeMap<String, SharedRecord>,
}

/// Calls `each` with the keys of both states, and with the record that each has: with those that no log
/// reaches in their order, then, as `is_late`, with the others in theirs.
///
/// # Errors
///
/// [`Disorder`] when the keys of one do not ascend; when one cannot be read; and the first of `each`.
pub fn for_each_pair(
    states: [(&mut State, Way); 2],
    progress: &Progress,
    mut each: impl FnMut(&str, Option<&SeqV<'_>>, Option<&SeqV<'_>>, bool) -> Result<()> + Send,
) -> Result<[Read; 2]> {
    let [(left, left_way), (right, right_way)] = states;
    let reaches = [left_way.scope(), right_way.scope()];
    let mut pairs = Pairs { reaches, waiting: Waiting::new(), each: &mut each };
    let aside = progress.aside();
    let (left, right) = thread::scope(|scope| {
        let (sender, batches) = sync_channel(MOST_WAITING);
        let read = move || read_first(&*left, left_way, &sender, &aside);
        let thread = no_thread(thread::Builder::new().spawn_scoped(scope, read))?;
        let right = read_second(right, right_way, batches, &mut pairs, progress);
        let left = thread.join().unwrap_or_else(|_| Err(anyhow!("a thread has panicked")));
        match (left, right) {
            (Ok(left), Ok(right)) => anyhow::Ok((left, right)),
            // One that was not waited for has no failure of its own.
            (Err(left), Err(right)) => Err(if left.is::<Ended>() { right } else { left }),
            (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
        }
    })?;
    let waiting = pairs.waiting;
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
    /// Whether the log may change it.
    is_reached: bool,
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

    fn push(&mut self, key: &str, record: &SeqV<'_>, is_reached: bool) {
        self.keys.push_str(key);
        let (value, is_text): (&[u8], _) = match &record.data {
            _ if is_reached => (&[], false),
            Bytes::Text(text) => (text, true),
            Bytes::Decoded(bytes) => (bytes, false),
        };
        self.values.extend_from_slice(value);
        self.rows.push(Row {
            key_end: self.keys.len(),
            value_end: self.values.len(),
            is_text,
            seq: record.seq,
            meta: record.meta,
            is_reached,
        });
    }

    fn is_full(&self) -> bool {
        self.values.len() >= BATCH_BYTES || self.rows.len() >= BATCH_RECORDS
    }

    fn key(&self, at: usize) -> Option<&str> {
        let begin =
            at.checked_sub(1).map_or(Some(0), |before| Some(self.rows.get(before)?.key_end));
        self.keys.get(begin?..self.rows.get(at)?.key_end)
    }

    /// What is stored under a key, unless the log may change that.
    fn record(&self, at: usize) -> Option<SeqV<'_>> {
        let Row { value_end, is_text, seq, meta, is_reached, .. } = *self.rows.get(at)?;
        if is_reached {
            return None;
        }
        let before = at.checked_sub(1).and_then(|before| self.rows.get(before));
        let value = self.values.get(before.map_or(0, |row| row.value_end)..value_end)?;
        let data = if is_text { Bytes::Text(value) } else { Bytes::Decoded(Cow::Borrowed(value)) };
        Some(SeqV { seq, meta, data })
    }
}

/// Sees to it that the keys of a state ascend.
struct Ascending {
    side: Side,
    last: Option<String>,
}

impl Ascending {
    const fn of(side: Side) -> Self {
        Self { side, last: None }
    }

    fn next(&mut self, key: &str) -> Result<(), Disorder> {
        match &mut self.last {
            Some(last) if key <= last.as_str() => return Err(Disorder(self.side)),
            Some(last) => {
                last.clear();
                last.push_str(key);
            }
            None => self.last = Some(key.to_owned()),
        }
        Ok(())
    }
}

/// What a state has under a key.
#[derive(Clone, Copy)]
enum Held<'r> {
    /// The record of its moment.
    Stays(&'r SeqV<'r>),
    /// A record that its log may change.
    Reached,
}

/// What becomes of a pair that no log reaches.
type Each<'e> =
    dyn FnMut(&str, Option<&SeqV<'_>>, Option<&SeqV<'_>>, bool) -> Result<()> + Send + 'e;

/// The keys that a log may have reached, with the records of the states that it did not.
type Waiting = BTreeMap<String, [Option<SharedRecord>; 2]>;

/// Takes pairs; those that a log may reach wait.
struct Pairs<'p> {
    /// What the log of each state may reach.
    reaches: [Reach; 2],
    waiting: Waiting,
    each: &'p mut Each<'p>,
}

impl Pairs<'_> {
    fn add(&mut self, key: &str, held: [Option<Held<'_>>; 2]) -> Result<()> {
        let mut of_both = held.iter().zip(&self.reaches);
        let waits = of_both.any(|(held, reach)| match held {
            Some(Held::Stays(_)) => false,
            Some(Held::Reached) => true,
            None => reach.has_key(key),
        });
        let [before, after] = held.map(|held| match held {
            Some(Held::Stays(record)) => Some(record),
            Some(Held::Reached) | None => None,
        });
        if !waits {
            return (self.each)(key, before, after, false);
        }
        let shared = |record: &SeqV<'_>| {
            let SeqV { seq, meta, data } = record.clone();
            SeqV { seq, meta, data: data.into_owned() }.into()
        };
        self.waiting.insert(key.to_owned(), [before, after].map(|record| record.map(shared)));
        Ok(())
    }
}

/// The records of the first state that have no pair yet.
struct First {
    batches: Receiver<Option<Batch>>,
    batch: Batch,
    at: usize,
    has_ended: bool,
}

impl First {
    /// Pairs a record of the second state, after the records that stand before it; without one, all
    /// that are left.
    fn pair(&mut self, second: Option<(&str, Held<'_>)>, pairs: &mut Pairs<'_>) -> Result<()> {
        while self.has_next()? {
            let Some(key) = self.batch.key(self.at) else { break };
            let order = second.map_or(Ordering::Less, |(second, _)| key.cmp(second));
            if order == Ordering::Greater {
                break;
            }
            let record = self.batch.record(self.at);
            let held = record.as_ref().map_or(Held::Reached, Held::Stays);
            self.at += 1;
            match second {
                Some((_, second)) if order == Ordering::Equal => {
                    return pairs.add(key, [Some(held), Some(second)]);
                }
                _ => pairs.add(key, [Some(held), None])?,
            }
        }
        second.map_or(Ok(()), |(key, second)| pairs.add(key, [None, Some(second)]))
    }

    /// Whether there is a record left, which may have to be waited for.
    fn has_next(&mut self) -> Result<bool, Ended> {
        while self.at == self.batch.rows.len() && !self.has_ended {
            // The thread that reads them says why they end early.
            match self.batches.recv().map_err(|_| Ended)? {
                Some(batch) => (self.batch, self.at) = (batch, 0),
                None => self.has_ended = true,
            }
        }
        Ok(!self.has_ended)
    }
}

/// Reads the first state and hands its records on.
fn read_first(
    state: &State,
    way: Way,
    batches: &SyncSender<Option<Batch>>,
    progress: &Progress,
) -> Result<Read> {
    let (mut ascending, mut batch) = (Ascending::of(Side::Left), Batch::new());
    let send = |batch| batches.send(batch).map_err(|_| Ended);
    let put = |key: &str, record: &SeqV<'_>, is_reached, ()| {
        ascending.next(key)?;
        batch.push(key, record, is_reached);
        if batch.is_full() {
            send(Some(std::mem::replace(&mut batch, Batch::new())))?;
        }
        Ok(())
    };
    let read = way.for_each_key(state, progress, |_, _| (), put)?;
    send(Some(batch))?;
    send(None)?;
    read.finish(state, progress)
}

/// Reads the second state, pairs its records with those of the first, and keeps the names of objects.
fn read_second(
    state: &State,
    way: Way,
    batches: Receiver<Option<Batch>>,
    pairs: &mut Pairs<'_>,
    progress: &Progress,
) -> Result<Read> {
    let (mut ascending, mut names) = (Ascending::of(Side::Right), Catalogue::default());
    let mut first = First { batches, batch: Batch::new(), at: 0, has_ended: false };
    let naming = |key: &str, record: &SeqV<'_>| ObjectRecord::naming(key, &record.data);
    let pair = |key: &str, record: &SeqV<'_>, is_reached: bool, name: Option<ObjectRecord>| {
        ascending.next(key)?;
        if let Some(name) = name.filter(|_| !is_reached) {
            names.add(name);
        }
        let held = if is_reached { Held::Reached } else { Held::Stays(record) };
        first.pair(Some((key, held)), pairs)
    };
    let read = way.for_each_key(state, progress, naming, pair)?;
    first.pair(None, pairs)?;
    let read = read.finish(state, progress)?;
    for name in read.reached.iter().filter_map(|(key, record)| naming(key, record)) {
        names.add(name);
    }
    Ok(Read { names, ..read })
}
