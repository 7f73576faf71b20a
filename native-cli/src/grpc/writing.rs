//! Many writes, in transactions of which several are in flight.
//!
//! ```text
//! writes ─► Batch ─► in flight, at most 32 and 8 MiB ─┬─► done
//!             ▲                                       ├─► not as it was found: each key is looked at
//!             └─────── a new session ◄────────────────┘   no answer: done or not
//! ```
//!
//! Servers before 260312.5 give each answer 40 ms late, so that one transaction after the other
//! would mean to wait most of the time. Their order does not matter: each key is in one of them
//! only, and none takes place unless its keys are as they were found. For the same reason a
//! transaction without an answer is sent again: when it had taken place after all, its keys are
//! found as they are to be.

use std::iter::Peekable;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use metadump::apply::ApplyRules;
use metadump::reconcile::is_same;
use metadump::record::{Bytes, KVMeta, SeqV};
use metadump_proto::meta;

use super::record::seq_v;
use super::transaction::{Write, WriteOp, Written, write};
use super::{Cluster, Failure, Note, Session, get};

/// How many keys are written together.
const BATCH_KEYS: usize = 64;

/// How many bytes of keys and values are written together, unless one value alone has more: the
/// oldest servers take messages of 4 MiB.
const BATCH_BYTES: u64 = 1 << 20;

/// How many transactions are in flight.
const MOST_IN_FLIGHT: usize = 32;

/// How many bytes of keys and values are in flight, unless one transaction alone has more. They
/// are in memory about three times: as they are, as a message, and as what the network takes.
const MOST_BYTES_IN_FLIGHT: u64 = 8 << 20;

/// After how long without any answer the user hears about it.
const LONG_SILENCE: Duration = Duration::from_secs(3);

/// What became of writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Keys that got a value.
    pub written: u64,
    /// Keys that were deleted.
    pub deleted: u64,
    /// Keys that were found as they are to be: the answer to their write had been lost, or
    /// somebody else did the same.
    pub found_done: u64,
    /// Keys that somebody else wrote after they were looked at, and that are left alone.
    pub overtaken: Vec<String>,
    /// Keys of transactions to which no answer came, after a failure.
    pub unknown: u64,
}

/// How far writes have come, for whoever asks while they go on.
#[derive(Debug, Default)]
pub struct HowFar {
    /// Keys that are as they are to be.
    pub done: AtomicU64,
    /// Keys that were sent, and to which no answer has come.
    pub sent: AtomicU64,
}

impl Tally {
    /// How many keys are as they are to be.
    pub const fn done(&self) -> u64 {
        self.written + self.deleted + self.found_done
    }

    fn settled(&self) -> u64 {
        self.done() + self.overtaken.len() as u64
    }

    fn count(&mut self, writes: &[Write]) {
        let deleted = writes.iter().filter(|write| write.op == WriteOp::Delete).count();
        self.deleted += deleted as u64;
        self.written += (writes.len() - deleted) as u64;
    }

    fn add(&mut self, other: Self) {
        self.written += other.written;
        self.deleted += other.deleted;
        self.found_done += other.found_done;
        self.overtaken.extend(other.overtaken);
    }
}

/// Carries out writes of different keys, and says what became of them, also after a failure.
/// Calls `advance` with the bytes that are settled.
pub async fn write_all(
    cluster: &mut Cluster,
    writes: impl Iterator<Item = Write>,
    how_far: &HowFar,
    note: &mut dyn FnMut(&Note),
    advance: &mut dyn FnMut(u64),
) -> (Tally, Result<(), Failure>) {
    let mut queue = Queue { again: Vec::new(), fresh: writes.peekable() };
    let mut tally = Tally::default();
    let mut pauses = cluster.pauses();
    loop {
        let settled = tally.settled();
        let ended = queue.drain(cluster.session(), &mut tally, how_far, note, advance).await;
        let Err(failure) = ended else { return (tally, Ok(())) };
        if tally.settled() > settled {
            pauses = cluster.pauses();
        }
        if let Err(failure) = cluster.recover(failure, &mut pauses, note).await {
            tally.unknown = queue.again.iter().map(Batch::unknown).sum();
            return (tally, Err(failure));
        }
    }
}

/// What is still to be written.
struct Queue<I: Iterator> {
    /// What was sent in vain, or not sent because something else had failed.
    again: Vec<Batch>,
    fresh: Peekable<I>,
}

impl<I: Iterator<Item = Write>> Queue<I> {
    fn next_batch(&mut self) -> Option<Batch> {
        if let Some(batch) = self.again.pop() {
            return Some(batch);
        }
        let mut batch = Batch::default();
        while let Some(next) = self.fresh.next_if(|next| batch.has_room_for(next)) {
            batch.bytes += size(&next);
            batch.writes.push(next);
        }
        (!batch.writes.is_empty()).then_some(batch)
    }

    /// Writes everything; after a failure nothing more is sent, and what is left is here again.
    async fn drain(
        &mut self,
        session: &Session,
        tally: &mut Tally,
        how_far: &HowFar,
        note: &mut dyn FnMut(&Note),
        advance: &mut dyn FnMut(u64),
    ) -> Result<(), Failure> {
        let mut in_flight = FuturesUnordered::new();
        let mut bytes_in_flight = 0;
        let mut failure: Option<Failure> = None;
        let mut next = self.next_batch();
        loop {
            while failure.is_none()
                && let Some(batch) = next.take_if(|batch| {
                    in_flight.is_empty()
                        || in_flight.len() < MOST_IN_FLIGHT
                            && bytes_in_flight + batch.bytes <= MOST_BYTES_IN_FLIGHT
                })
            {
                bytes_in_flight += batch.bytes;
                how_far.sent.fetch_add(batch.keys() - batch.unknown(), Ordering::SeqCst);
                in_flight.push(settle(session, batch));
                next = self.next_batch();
            }
            let settled = match tokio::time::timeout(LONG_SILENCE, in_flight.next()).await {
                Ok(settled) => settled,
                Err(_) => {
                    let address = session.address().clone();
                    note(&Note::Waiting { address, waited: LONG_SILENCE });
                    in_flight.next().await
                }
            };
            let Some(Settled { bytes, keys, tally: settled, left }) = settled else { break };
            bytes_in_flight -= bytes;
            tally.add(settled);
            how_far.done.store(tally.done(), Ordering::SeqCst);
            let unknown = left.as_ref().map_or(0, |(batch, _)| batch.unknown());
            how_far.sent.fetch_sub(keys - unknown, Ordering::SeqCst);
            match left {
                None => advance(bytes),
                Some((batch, error)) => {
                    self.again.push(batch);
                    // One that does not pass says more than the broken connections beside it.
                    if failure.as_ref().is_none_or(Failure::may_pass) {
                        failure = Some(error);
                    }
                }
            }
        }
        self.again.extend(next);
        failure.map_or(Ok(()), Err)
    }
}

/// Writes that go together.
#[derive(Default)]
struct Batch {
    writes: Vec<Write>,
    bytes: u64,
    /// Whether it was sent, and no answer came.
    may_have_happened: bool,
}

/// What became of a batch.
struct Settled {
    bytes: u64,
    keys: u64,
    tally: Tally,
    left: Option<(Batch, Failure)>,
}

async fn settle(session: &Session, mut batch: Batch) -> Settled {
    let (bytes, keys, mut tally) = (batch.bytes, batch.keys(), Tally::default());
    let ended = batch.settle(session, &mut tally).await;
    Settled { bytes, keys, tally, left: ended.err().map(|failure| (batch, failure)) }
}

impl Batch {
    fn keys(&self) -> u64 {
        self.writes.len() as u64
    }

    /// How many keys were sent, and no answer came.
    fn unknown(&self) -> u64 {
        if self.may_have_happened { self.keys() } else { 0 }
    }

    fn has_room_for(&self, next: &Write) -> bool {
        self.writes.is_empty()
            || self.writes.len() < BATCH_KEYS && self.bytes + size(next) <= BATCH_BYTES
    }

    /// Writes them; when somebody else has written one of the keys, the others without it. After a
    /// failure those are left whose fate is not known.
    async fn settle(&mut self, session: &Session, tally: &mut Tally) -> Result<(), Failure> {
        while !self.writes.is_empty() {
            self.may_have_happened = true;
            if write(session, &self.writes).await? == Written::All {
                tally.count(&self.writes);
                self.writes.clear();
                return Ok(());
            }
            let before = self.writes.len();
            self.leave_out_overtaken(session, tally).await?;
            if self.writes.len() == before {
                // A record that has expired is not returned by a read, and stands in the way until
                // the next write has removed it.
                return self.settle_one_by_one(session, tally).await;
            }
        }
        Ok(())
    }

    /// Leaves out the keys that are not as they were found any more.
    async fn leave_out_overtaken(
        &mut self,
        session: &Session,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let keys: Vec<String> = self.writes.iter().map(|write| write.key.clone()).collect();
        let found = get(session, &keys).await?;
        let mut found = found.iter();
        self.writes.retain(|write| {
            let record = found.next().and_then(Option::as_ref);
            let stands = record.map_or(0, |record| record.seq) == write.found_seq;
            match (stands, is_done(write, record, session)) {
                (true, _) => {}
                (false, true) => tally.found_done += 1,
                (false, false) => tally.overtaken.push(write.key.clone()),
            }
            stands
        });
        Ok(())
    }

    async fn settle_one_by_one(
        &mut self,
        session: &Session,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        while let Some(last) = self.writes.last() {
            match write(session, slice::from_ref(last)).await? {
                Written::All => tally.count(slice::from_ref(last)),
                Written::None => tally.overtaken.push(last.key.clone()),
            }
            self.writes.pop();
        }
        Ok(())
    }
}

/// Whether a key is what a write makes of it.
pub(super) fn is_done(write: &Write, found: Option<&meta::SeqV>, session: &Session) -> bool {
    match (&write.op, found) {
        (WriteOp::Delete, found) => found.is_none(),
        (WriteOp::Put { .. }, None) => false,
        (WriteOp::Put { value, expire_at }, Some(found)) => {
            let meta = Some(KVMeta { expire_at: *expire_at, proposed_at_ms: None });
            let wanted = SeqV { seq: 0, meta, data: Bytes::Decoded(value.into()) };
            is_same(&wanted, &seq_v(found), ApplyRules::of_server(session.version().0).expiry)
        }
    }
}

/// The bytes of a write in a message: the key is in the condition, and in the write.
pub fn size(write: &Write) -> u64 {
    let value = match &write.op {
        WriteOp::Put { value, .. } => value.len(),
        WriteOp::Delete => 0,
    };
    (2 * write.key.len() + value) as u64
}
