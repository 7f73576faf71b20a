//! `import` into a running cluster: writes the keys of the dump that it lacks.
//!
//! ```text
//! dump ─► state: snapshot, then its log ─┐
//!                                        ├─► plan ─► (--yes) transactions ─► compare again
//! keys that the cluster lists ───────────┘
//! ```
//!
//! A transaction only takes place when its keys are as the plan found them, so that no write of
//! somebody else is lost. What was written is equal the next time: after an interruption the same
//! command goes on.

use std::io::{self, Write as _};

use anyhow::{Result, anyhow};
use metadump::apply::{ApplyRules, ExpiryRule, KeyRange, MemoryStore, StateMachine, Store};
use metadump::reconcile::{Comparison, Plan, expire_at, is_same};
use metadump::record::{DataVersion, Keyed, LogId, Record, Tree};
use metadump::scan::scan_line;

use super::Outcome;
use super::import::admission;
use super::plan::Reading;
use super::service::{connect_options, tell};
use crate::args::{Import, Reconcile};
use crate::dump_writer::now_ms;
use crate::failure::{Usage, WithHelp};
use crate::grpc::{
    Change, Failure, Session, Write, Written, get, list, seq_v, status, take_numbers, wait, write,
};
use crate::input::Source;
use crate::progress::Progress;
use crate::report::{grouped, plural, printable};

/// How many keys are written together.
const BATCH_KEYS: usize = 64;

/// How many bytes of keys and values are written together, unless one value alone has more: the
/// oldest servers take messages of 4 MiB.
const BATCH_BYTES: u64 = 1 << 20;

/// How many keys of each sort are named.
const MOST_SHOWN: usize = 20;

/// Runs the command.
pub fn run(args: &Import, progress: &Progress) -> Result<Outcome> {
    if args.cluster.id.is_some() || !args.cluster.initial_cluster.is_empty() {
        return Err(Usage::error(
            "--id and --initial-cluster are given for a running cluster",
            "a running cluster keeps its nodes: leave both out",
        ));
    }
    let connect = connect_options(&args.service)?;
    let state = DumpState::read(args, progress)?;
    let restored = wait(async {
        let session = Session::open(&connect, &mut |note| tell(note, progress)).await?;
        let target = Target { session: &session, state: &state, progress };
        target.restore(&args.reconcile, args.dry_run).await
    })?;
    restored.map_err(Failure::explained)
}

/// The state that a dump holds: its snapshot, and what its log makes of it.
struct DumpState {
    machine: StateMachine<MemoryStore>,
    snapshot_at: Option<LogId>,
    name: String,
}

impl DumpState {
    fn read(args: &Import, progress: &Progress) -> Result<Self> {
        let reading = Reading::of(&Source::open(args.db.as_deref())?, progress)?;
        progress.phase("reading");
        let mut machine = StateMachine::new(MemoryStore::default(), ApplyRules::CURRENT);
        let admission = admission(args, "the cluster keeps its data".to_owned());
        let report = admission.check(reading.source(), progress, |_, tree, record| {
            if matches!(tree, Tree::StateMachine(_)) {
                let Ok(_) = machine.load(record);
            }
        })?;
        admission.refuse(reading.name(), &report, true)?;
        let version = report.summary.version.unwrap_or(DataVersion::V0);
        let mut machine =
            StateMachine::new(machine.into_store(), ApplyRules::of_data_version(version));
        let snapshot_at = machine.system().last_applied;
        // The log stands before the snapshot in a dump, so it is read a second time.
        reading.source().for_each_line(progress, |line| {
            let Ok(scanned) = scan_line(line.bytes) else { return Ok(()) };
            let entry = match scanned.record {
                Record::LogEntry(entry) => entry,
                Record::Logs(Keyed { value, .. }) => value,
                _ => return Ok(()),
            };
            if snapshot_at.is_none_or(|at| at.index < entry.log_id.index) {
                machine.apply(&entry).map_err(|error| {
                    anyhow!("{}, line {}: {error}", reading.name(), line.number)
                })?;
            }
            Ok(())
        })?;
        progress.finish();
        Ok(Self { machine, snapshot_at, name: reading.name().to_owned() })
    }

    /// `T1-N1.95: the snapshot to T1-N1.80 and 15 log entries`
    fn describe(&self) -> String {
        let at = |log_id: Option<LogId>| log_id.map_or("nothing".to_owned(), |id| id.to_string());
        let reached = self.machine.system().last_applied;
        let index = |log_id: Option<LogId>| log_id.map_or(0, |id| id.index + 1);
        let entries = index(reached) - index(self.snapshot_at);
        let noun = if entries == 1 { "entry" } else { "entries" };
        let snapshot = at(self.snapshot_at);
        format!("{}: the snapshot to {snapshot} and {} log {noun}", at(reached), grouped(entries))
    }
}

/// The cluster, and the state that it is to have.
struct Target<'a> {
    session: &'a Session,
    state: &'a DumpState,
    progress: &'a Progress,
}

/// What was written.
#[derive(Default)]
struct Tally {
    written: u64,
    deleted: u64,
    /// Keys that somebody else wrote after the plan was made.
    overtaken: Vec<String>,
}

impl Tally {
    fn count(&mut self, writes: &[Write]) {
        let deleted = writes.iter().filter(|write| write.change == Change::Delete).count();
        self.deleted += deleted as u64;
        self.written += (writes.len() - deleted) as u64;
    }
}

impl Target<'_> {
    async fn restore(&self, how: &Reconcile, dry_run: bool) -> Result<Outcome, Failure> {
        let plan = self.compare().await?;
        let sequence = self.sequence(&plan).await?;
        self.print(&plan, sequence, how).map_err(|error| Failure::Consumer(error.into()))?;
        self.objections(&plan, sequence, how).map_err(Failure::Consumer)?;
        let deletes = how.delete_extra && !plan.extra.is_empty();
        if plan.is_done() && !deletes {
            self.progress.say("nothing to do");
            return Ok(Outcome::Done);
        }
        if dry_run || !how.yes {
            self.progress.say("nothing was written; --yes writes it");
            return Ok(Outcome::Done);
        }
        if let Some(gap) = plan.sequence_gap(sequence) {
            self.progress.phase("raising the sequence");
            take_numbers(self.session, gap).await?;
        }
        let tally = self.write(&plan, how).await?;
        let left = self.compare().await?;
        self.tell_end(&tally, &left).map_err(Failure::Consumer)
    }

    /// Compares the keys of the cluster with those of the dump.
    async fn compare(&self) -> Result<Plan, Failure> {
        self.progress.phase("comparing");
        let wanted = self.state.machine.present(KeyRange::all());
        let mut comparison = Comparison::new(wanted, self.expiry(), now_ms());
        list(self.session, &mut |key, record| {
            self.progress.advance(key.len() as u64 + record.data.len());
            Ok(comparison.present(key, record)?)
        })
        .await?;
        let plan = comparison.finish().map_err(|error| Failure::Consumer(error.into()));
        self.progress.finish();
        plan
    }

    fn expiry(&self) -> ExpiryRule {
        ApplyRules::of_server(self.session.version().0).expiry
    }

    /// The last number that the cluster gave to a record.
    async fn sequence(&self, plan: &Plan) -> Result<u64, Failure> {
        match status(self.session).await {
            Ok(status) => Ok(status.last_seq.max(plan.largest_seq)),
            // A server that is too old to tell; its keys tell the least that it can be.
            Err(Failure::Call { .. }) => Ok(plan.largest_seq),
            Err(failure) => Err(failure),
        }
    }

    fn print(&self, plan: &Plan, sequence: u64, how: &Reconcile) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let (address, version) = (self.session.address(), self.session.version());
        writeln!(out, "cluster at {address} ({version}), sequence {}", grouped(sequence))?;
        writeln!(out, "{}, state at {}", self.state.name, self.state.describe())?;
        writeln!(out)?;
        let mut row = |count: u64, what: &str, fate: &str| {
            writeln!(out, "{:>12} {what:<28} {fate}", grouped(count))
        };
        row(plan.missing.len() as u64, "only in the dump", "written")?;
        row(plan.different.len() as u64, "different", "written")?;
        row(plan.same, "the same", "left as they are")?;
        let fate = if how.delete_extra { "deleted" } else { "left as they are" };
        row(plan.extra.len() as u64, "only in the cluster", fate)?;
        row(plan.extra_expiring, "only in the cluster, expire", "left to expire")?;
        row(plan.expired, "expired in the dump", "left out")?;
        writeln!(out)?;
        name_keys(&mut out, "+", plan.missing.iter().map(String::as_str))?;
        name_keys(&mut out, "~", plan.different.iter().map(|found| found.key.as_str()))?;
        if how.delete_extra {
            name_keys(&mut out, "-", plan.extra.iter().map(|found| found.key.as_str()))?;
        }
        out.flush()
    }

    /// Refuses what would make two objects share an id.
    fn objections(&self, plan: &Plan, sequence: u64, how: &Reconcile) -> Result<()> {
        if let Some(first) = plan.conflicts.first() {
            return Err(anyhow!(
                "the {} id {} is of another object in the cluster than in the dump{}",
                first.kind,
                first.id,
                match plan.conflicts.len() as u64 - 1 {
                    0 => String::new(),
                    more => format!(", and {} like it", plural(more, "id")),
                }
            ))
            .help(
                "nothing was written: the cluster gave out these ids after the dump was taken, or \
                 is another one. Drop or rename those objects in the cluster, or restore the dump \
                 as a cluster of its own with --raft-dir",
            );
        }
        if let (Some(gap), Some((kind, id)), false) =
            (plan.sequence_gap(sequence), &plan.largest_id, how.raise_sequence)
        {
            return Err(anyhow!(
                "the dump has the {kind} id {id}, and the cluster's ids have only come to \
                 {sequence}: the next {} that it gives out could be of objects in the dump",
                plural(gap, "id")
            ))
            .help(
                "nothing was written: add --raise-sequence, which lets the cluster skip these ids",
            );
        }
        Ok(())
    }

    /// Carries out the plan.
    async fn write(&self, plan: &Plan, how: &Reconcile) -> Result<Tally, Failure> {
        self.progress.phase("writing");
        let mut tally = Tally::default();
        let mut batch = Batch::default();
        let puts = plan.puts().filter_map(|(key, found_seq)| self.put(key, found_seq));
        let deletions = plan.extra.iter().filter(|_| how.delete_extra).map(|extra| Write {
            key: extra.key.clone(),
            found_seq: extra.seq,
            change: Change::Delete,
        });
        for next in puts.chain(deletions) {
            if !batch.has_room_for(&next) {
                self.write_batch(std::mem::take(&mut batch), &mut tally).await?;
            }
            batch.push(next);
        }
        self.write_batch(batch, &mut tally).await?;
        self.progress.finish();
        Ok(tally)
    }

    /// The write that gives a key what the dump has.
    fn put(&self, key: &str, found_seq: u64) -> Option<Write> {
        let Ok(record) = self.state.machine.store().record(key);
        let record = record?;
        let value = record.data.decode().into_owned();
        let change = Change::Put { value, expire_at: expire_at(&record, self.expiry()) };
        Some(Write { key: key.to_owned(), found_seq, change })
    }

    /// Writes a batch; when somebody else has written one of its keys, the others without it.
    async fn write_batch(&self, batch: Batch, tally: &mut Tally) -> Result<(), Failure> {
        let Batch { mut writes, bytes } = batch;
        self.progress.advance(bytes);
        while !writes.is_empty() {
            if write(self.session, &writes).await? == Written::All {
                tally.count(&writes);
                return Ok(());
            }
            let keys: Vec<String> = writes.iter().map(|write| write.key.clone()).collect();
            let found = get(self.session, &keys).await?;
            let before = writes.len();
            let mut found = found.iter();
            writes.retain(|write| {
                let record = found.next().and_then(Option::as_ref);
                let stands = record.map_or(0, |record| record.seq) == write.found_seq;
                if !stands && !self.is_as_wanted(write, record) {
                    tally.overtaken.push(write.key.clone());
                }
                stands
            });
            if writes.len() == before {
                // A record that has expired is not told by a read, and stands in the way until the
                // next write has removed it.
                return self.write_one_by_one(&writes, tally).await;
            }
        }
        Ok(())
    }

    async fn write_one_by_one(&self, writes: &[Write], tally: &mut Tally) -> Result<(), Failure> {
        for one in writes.chunks(1) {
            match write(self.session, one).await? {
                Written::All => tally.count(one),
                Written::None => tally.overtaken.extend(one.iter().map(|one| one.key.clone())),
            }
        }
        Ok(())
    }

    /// Whether somebody else, or an interrupted run, has done the same.
    fn is_as_wanted(&self, write: &Write, found: Option<&metadump_proto::meta::SeqV>) -> bool {
        match (&write.change, found) {
            (Change::Delete, found) => found.is_none(),
            (Change::Put { .. }, None) => false,
            (Change::Put { .. }, Some(found)) => {
                let Ok(wanted) = self.state.machine.store().record(&write.key);
                wanted.is_some_and(|wanted| is_same(&wanted, &seq_v(found), self.expiry()))
            }
        }
    }

    fn tell_end(&self, tally: &Tally, left: &Plan) -> Result<Outcome> {
        let written = plural(tally.written, "key");
        let deleted = match tally.deleted {
            0 => String::new(),
            deleted => format!(" and deleted {}", grouped(deleted)),
        };
        self.progress.say(&format!("wrote {written}{deleted}"));
        if let Some(first) = tally.overtaken.first() {
            return Err(anyhow!(
                "{} written by somebody else meanwhile and left alone, the first one {:?}",
                match tally.overtaken.len() as u64 {
                    1 => "1 key was".to_owned(),
                    keys => format!("{} keys were", grouped(keys)),
                },
                printable(first)
            ))
            .help("run the command again to see what still differs");
        }
        if !left.is_done() {
            let differ = plural((left.missing.len() + left.different.len()) as u64, "key");
            return Err(anyhow!("{differ} of the cluster are not as in the dump"))
                .help("somebody else writes to the cluster: run the command again");
        }
        self.progress.say(&format!("the cluster has all {} of the dump", plural(left.same, "key")));
        Ok(Outcome::Done)
    }
}

/// Prints the first keys, and how many more there are.
fn name_keys<'k>(
    out: &mut impl io::Write,
    sign: &str,
    mut keys: impl Iterator<Item = &'k str>,
) -> io::Result<()> {
    for key in keys.by_ref().take(MOST_SHOWN) {
        writeln!(out, "{sign} {}", printable(key))?;
    }
    match keys.count() as u64 {
        0 => Ok(()),
        more => writeln!(out, "{sign} … and {} more", grouped(more)),
    }
}

/// Writes that go together.
#[derive(Default)]
struct Batch {
    writes: Vec<Write>,
    bytes: u64,
}

impl Batch {
    fn has_room_for(&self, next: &Write) -> bool {
        self.writes.is_empty()
            || self.writes.len() < BATCH_KEYS && self.bytes + size(next) <= BATCH_BYTES
    }

    fn push(&mut self, next: Write) {
        self.bytes += size(&next);
        self.writes.push(next);
    }
}

fn size(write: &Write) -> u64 {
    let value = match &write.change {
        Change::Put { value, .. } => value.len(),
        Change::Delete => 0,
    };
    (write.key.len() + value) as u64
}
