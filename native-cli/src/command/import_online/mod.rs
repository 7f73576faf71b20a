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

mod dump_state;
mod ended;
mod objects;
mod planned;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use anyhow::Result;
use metadump::apply::{ApplyRules, ExpiryRule, KeyRange};
use metadump::reconcile::{Reconciler, Registrations, WritePlan, expire_at};
use metadump_proto::meta::ClusterStatus;
use serde_json::json;
use tonic::Code;

use super::Outcome;
use super::ended::{self as ended_json, Step};
use super::service::{connect_options, say_note};
use crate::args::{Format, Import, Reconcile};
use crate::dump_writer::now_ms;
use crate::failure::Usage;
use crate::grpc::{
    Cluster, ConnectOptions, Failure, HowFar, Note, ServerClock, Session, Tally, Write, WriteOp,
    list, server_clock, status, take_numbers, wait, write_all,
};
use crate::input::Source;
use crate::progress::Progress;
use crate::report::{grouped, printable};
use crate::signals::LastWords;
use crate::stdout::{reader_has_gone, stdout};
use dump_state::DumpState;
use planned::Planned;

/// How many milliseconds clocks may be apart without a word.
const CLOCKS_APART_MS: u64 = 5_000;

/// How many numbers of the sequence are taken from one line about it to the next.
const NUMBERS_A_LINE: u64 = 100_000;

/// Runs the command.
pub fn run(args: &Import, progress: &Progress) -> Result<Outcome> {
    if args.cluster.is_given() {
        return Err(Usage::error(
            "--id, --initial-cluster or --all is given for a running cluster",
            "a running cluster keeps its nodes: leave them out",
        ));
    }
    let asked = objects::asked(&args.carry)?;
    let connect = connect_options(&args.service, progress)?;
    // What costs nothing comes first: the dump may take minutes to read.
    let source =
        Source::open(args.dump.name()?.as_ref())?.with_manifest(args.manifest.as_deref())?;
    wait(Session::open(&connect, &mut |note| say_note(note, progress)))?
        .map_err(Failure::explained)?;
    let state = DumpState::read(args, &source, progress)?;
    match asked {
        Some(carrier) => wait(objects::bring(args, &connect, &state, carrier, progress))?,
        None => wait(restore(args, &connect, &state, progress))?,
    }
}

/// Reaches the cluster, whose address has been tried.
async fn open(connect: &ConnectOptions, progress: &Progress) -> Result<Cluster> {
    // The servers that do not answer were reported when the address was tried.
    let told_already = &mut |note: &Note| match note {
        Note::NotAnswering { .. } => {}
        note => say_note(note, progress),
    };
    Cluster::open(connect, told_already).await.map_err(Failure::explained)
}

/// Whether what is planned is to be written.
const fn writes(args: &Import) -> bool {
    args.reconcile.yes && !args.dry_run
}

/// Whether there is something to write that is to be written; says so if not.
fn goes_on(is_done: bool, args: &Import, progress: &Progress) -> bool {
    if is_done {
        progress.say("nothing to do");
    } else if !writes(args) {
        let how =
            if args.dry_run { "without --dry-run, --yes writes it" } else { "--yes writes it" };
        progress.say(&format!("nothing was written; {how}"));
    }
    !is_done && writes(args)
}

/// Restores the state into the cluster, or says what that would do.
async fn restore(
    args: &Import,
    connect: &ConnectOptions,
    state: &DumpState,
    progress: &Progress,
) -> Result<Outcome> {
    let cluster = open(connect, progress).await?;
    let how = &args.reconcile;
    let mut target = Target { cluster, state, how, progress };
    let (planned, leader) = target.plan().await.map_err(Failure::explained)?;
    let writes = writes(args);
    match target.say_plan(&planned, args) {
        // That nobody reads the plan any more, as in `import --yes | head`, does not stop it.
        Err(error) if writes && reader_has_gone(&error) => {}
        shown => shown?,
    }
    planned.objections()?;
    if !goes_on(planned.is_done(), args, progress) {
        return Ok(Outcome::Done);
    }
    let tally = target.carry_out(&planned, leader).await?;
    if args.format == Format::Json {
        let more = json!({
            "file": state.name,
            "written": tally.written,
            "deleted": tally.deleted,
            "found_done": tally.found_done,
        });
        ended_json::print("import", Step::Done, more, None)?;
    }
    Ok(Outcome::Done)
}

/// The cluster, and the state that it is to have.
struct Target<'a> {
    cluster: Cluster,
    state: &'a DumpState,
    how: &'a Reconcile,
    progress: &'a Progress,
}

impl<'a> Target<'a> {
    /// What is to be done, and who leads the cluster.
    async fn plan(&mut self) -> Result<(Planned<'a>, Option<String>), Failure> {
        let (plan, clock) = self.compare().await?;
        if let Some(note) = clock_note(self.cluster.session(), clock) {
            say_note(&note, self.progress);
        }
        let status = status_of(&mut self.cluster, self.progress).await?;
        // A server that is too old to tell: its keys tell the least that the sequence can be. One
        // that follows may be behind its leader, whose keys they are.
        let known = status.as_ref().map_or(0, |status| status.last_seq);
        let sequence = known.max(plan.largest_seq);
        let leader = status.and_then(|status| status.leader);
        Ok((Planned { plan, sequence, how: self.how }, leader))
    }

    /// Compares the keys of the cluster with those of the dump, by the clock of the cluster.
    async fn compare(&mut self) -> Result<(WritePlan, Option<ServerClock>), Failure> {
        let Self { cluster, state, how, progress } = self;
        progress.phase("comparing");
        let registrations =
            if how.with_registrations { Registrations::Wanted } else { Registrations::LeftOut };
        let note = &mut |note: &Note| say_note(note, progress);
        let compared = cluster.ask(note, async |session| {
            let clock = server_clock(session).await?;
            let clock_ms = clock.map_or_else(now_ms, |clock| clock.now_ms);
            let wanted = state.machine.present(KeyRange::all());
            let mut reconciler = Reconciler::new(wanted, expiry(session), clock_ms, registrations);
            list(session, &mut |key, record| {
                progress.advance(key.len() as u64 + record.data.len());
                Ok(reconciler.present(key, record)?)
            })
            .await?;
            let plan = reconciler.finish().map_err(|error| Failure::Consumer(error.into()))?;
            Ok((plan, clock))
        });
        let compared = compared.await;
        progress.finish();
        compared
    }

    /// Prints the plan in the form that is asked for.
    fn say_plan(&self, planned: &Planned<'_>, args: &Import) -> Result<()> {
        match args.format {
            Format::Text => Ok(self.show(planned, &mut stdout())?),
            Format::Json => {
                let session = self.cluster.session();
                let more = json!({
                    "file": self.state.name,
                    "dropped": self.state.dropped,
                    "remarks": self.state.remarks,
                    "grpc_api_address": session.address().to_string(),
                    "server_version": session.version().to_string(),
                    "keys": planned.counts(),
                });
                ended_json::print("import", Step::Plan, more, None)
            }
        }
    }

    /// Says what is compared, and what is to be done.
    fn show(&self, planned: &Planned<'_>, out: &mut impl io::Write) -> io::Result<()> {
        let session = self.cluster.session();
        let (address, version) = (session.address(), session.version());
        let sequence = grouped(planned.sequence);
        writeln!(out, "cluster at {address} ({version}), sequence {sequence}")?;
        writeln!(out, "{}, state at {}\n", printable(&self.state.name), self.state.describe())?;
        planned.print(out)
    }

    /// Carries out the plan.
    async fn carry_out(&mut self, planned: &Planned<'_>, leader: Option<String>) -> Result<Tally> {
        let progress = self.progress;
        let (changes, change) = (planned.changes(), planned.change());
        let how_far = Arc::new(HowFar::default());
        let _last_words = LastWords::ask({
            let how_far = Arc::clone(&how_far);
            move || ended::interrupted(&how_far, changes, change)
        });
        if let Some(raise) = planned.raise() {
            raise_sequence(&mut self.cluster, self.progress, planned.sequence, raise).await?;
        }
        progress.phase("writing");
        let expiry = expiry(self.cluster.session());
        let state = self.state;
        let puts = planned.plan.puts().filter_map(|(key, seq)| put(state, key, seq, expiry));
        let extra = planned.plan.extra.iter().filter(|_| self.how.delete_extra);
        let deletions = extra.map(|extra| Write {
            key: extra.key.clone(),
            found_seq: extra.seq,
            op: WriteOp::Delete,
        });
        let (tally, ended) = write_all(
            &mut self.cluster,
            puts.chain(deletions),
            &how_far,
            &mut |note| say_note(note, progress),
            &mut |bytes| progress.advance(bytes),
        )
        .await;
        progress.finish();
        if let Err(failure) = ended {
            return Err(ended::broke_off(&tally, changes, change, failure));
        }
        progress.say(&ended::done(&tally));
        let (left, now_leads) = match self.look_again().await {
            Ok(seen) => seen,
            Err(failure) => return Err(ended::broke_off(&tally, changes, change, failure)),
        };
        if let (Some(before), Some(after)) = (leader, now_leads)
            && before != after
        {
            let [before, after] = [before, after].map(|leader| printable(&leader));
            progress.say(&format!("note: the leader has changed from {before} to {after}"));
        }
        progress.say(&ended::outcome(&tally, &left)?);
        Ok(tally)
    }

    /// What is left to do, and who leads the cluster now.
    async fn look_again(&mut self) -> Result<(WritePlan, Option<String>), Failure> {
        let (left, _) = self.compare().await?;
        Ok((
            left,
            status_of(&mut self.cluster, self.progress).await?.and_then(|status| status.leader),
        ))
    }
}

/// Raises the sequence of a cluster, which is at a number, by so many.
async fn raise_sequence(
    cluster: &mut Cluster,
    progress: &Progress,
    sequence: u64,
    by: u64,
) -> Result<()> {
    progress.phase("raising the sequence");
    let reached = |taken: u64| grouped(sequence.saturating_add(taken));
    let goal = reached(by);
    let (mut done, mut reported) = (0, 0);
    let ended = take_numbers(cluster, by, &mut |note| say_note(note, progress), &mut |taken| {
        done = taken;
        if taken >= reported + NUMBERS_A_LINE && taken < by {
            reported = taken;
            progress.say(&format!("the sequence is at {} of {goal}", reached(taken)));
        }
    })
    .await;
    match ended {
        Ok(()) => {
            progress.say(&format!("raised the sequence from {} to {goal}", grouped(sequence)));
            Ok(())
        }
        Err(failure) => {
            let at = reached(done);
            let how_far = format!("no key is written; the sequence is at {at} of {goal}");
            Err(ended::stopped(how_far, failure))
        }
    }
}

/// What a server says of itself; none when it is too old to say anything.
async fn status_of(
    cluster: &mut Cluster,
    progress: &Progress,
) -> Result<Option<ClusterStatus>, Failure> {
    match cluster.ask(&mut |note| say_note(note, progress), status).await {
        Ok(status) => Ok(Some(status)),
        Err(Failure::Call { code: Code::Unimplemented, .. }) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The unit of expiry of the cluster.
fn expiry(session: &Session) -> ExpiryRule {
    ApplyRules::of_server(session.version().0).expiry
}

/// What there is to say about the clock of a server.
fn clock_note(session: &Session, clock: Option<ServerClock>) -> Option<Note> {
    let address = session.address().clone();
    match clock {
        None => Some(Note::ClockUnknown { address }),
        Some(ServerClock { ahead_ms, .. }) if ahead_ms.unsigned_abs() > CLOCKS_APART_MS => {
            Some(Note::ClocksApart { address, ahead_ms })
        }
        Some(_) => None,
    }
}

/// The write that gives a key what the dump has.
fn put(state: &DumpState, key: &str, found_seq: u64, expiry: ExpiryRule) -> Option<Write> {
    let record = state.record(key)?;
    let value = record.data.decode().into_owned();
    let op = WriteOp::Put { value, expire_at: expire_at(&record, expiry) };
    Some(Write { key: key.to_owned(), found_seq, op })
}
