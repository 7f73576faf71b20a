//! The state that a dump holds.

use anyhow::{Context, Result, anyhow};
use metadump::apply::{ApplyRules, MemoryStore, SharedRecord, StateMachine, Store};
use metadump::check::{Code, Requirement};
use metadump::moment::{At, Path, Survey};
use metadump::node::LiveMachine;
use metadump::record::{DataVersion, LogId};
use metadump::scan::scan_line;

use super::super::admission::{Becomes, Incoming};
use super::super::import::{admission, at_moment};
use super::super::plan::Reading;
use super::super::restoring::Dropped;
use crate::args::Import;
use crate::dump_writer::now_ms;
use crate::failure::WithHelp;
use crate::input::Source;
use crate::progress::Progress;
use crate::report::{entries, grouped, let_in_with};

/// The state that a dump holds: its snapshot, and what its log makes of it. All of it is in
/// memory.
pub struct DumpState {
    /// The state.
    pub machine: StateMachine<MemoryStore>,
    /// The dump.
    pub name: String,
    /// How many of its lines are no records, and not in the state.
    pub dropped: u64,
    /// What should be known of it, a line each.
    pub remarks: Vec<String>,
    snapshot_at: Option<LogId>,
}

impl DumpState {
    /// Reads a dump, and refuses one with errors.
    pub fn read(args: &Import, source: &Source, progress: &Progress) -> Result<Self> {
        let mut admission = admission(args, "the cluster keeps its data".to_owned());
        let (mut remarks, mut made_of) = (Vec::new(), None);
        let moment = args.moment.at.map(|at| (at, args.moment.log.fate()));
        let at = at_moment(args, moment, source, &admission, Becomes::NewCluster, progress)?;
        let source = match at {
            Some(made) => {
                admission.manifest = Requirement::Optional;
                // The cluster keeps its log and its members.
                remarks = vec![made.as_of];
                made_of = Some(made.of);
                made.source
            }
            None => source.clone(),
        };
        let reading = Reading::of(&source, progress)?;
        progress.phase("reading");
        let mut machine = StateMachine::new(MemoryStore::default(), ApplyRules::CURRENT);
        let mut dropped = Dropped::default();
        let (mut live, mut late) = (LiveMachine::default(), None);
        let mut survey = Survey::new(At::End, now_ms());
        let report = admission.check(
            Incoming::Dump(reading.source()),
            progress,
            |_| (),
            |_, line, scanned, ()| match scanned {
                Ok(scanned) => match live.has(scanned.tree(), &scanned.record.fact()) {
                    Ok(true) => {
                        survey.learn(&scanned.record.fact());
                        let Ok(_) = machine.load(&scanned.record);
                    }
                    Ok(false) => {}
                    Err(error) => late = Some(error),
                },
                Err(error) => dropped.add(line.number, error),
            },
        )?;
        admission.refuse(reading.name(), &report, Becomes::NewCluster)?;
        late.map_or(Ok(()), Err)?;
        let is_salvaged = report.findings.counts().contains_key(&Code::Salvaged);
        if args.reconcile.delete_extra && is_salvaged && !admission.accepts(Code::Salvaged) {
            return Err(anyhow!(
                "{} is what was left of damaged data: --delete-extra would delete what it has lost",
                reading.name()
            ))
            .help(
                "the cluster keeps its data; leave out --delete-extra, or delete all the same with \
                 --accept salvaged",
            );
        }
        let version = report.summary.version.unwrap_or(DataVersion::V0);
        let mut machine =
            StateMachine::new(machine.into_store(), ApplyRules::of_data_version(version));
        // What `--at` made has the moment for its snapshot.
        let snapshot_at = match &made_of {
            Some(of) => of.summary.last_applied,
            None => machine.system().last_applied,
        };
        // The log stands before the snapshot in a dump, so it is read a second time.
        let moment = survey.finish().with_context(|| reading.name().to_owned())?;
        let mut path = Path::to(moment);
        reading.source().for_each_line(progress, |line| {
            let Ok(scanned) = scan_line(line.bytes) else { return Ok(()) };
            if let Some(entry) = path.entry(&scanned.record.fact()) {
                machine.apply(entry).map_err(|error| {
                    anyhow!("{}, line {}: {error}", reading.name(), line.number)
                })?;
            }
            Ok(())
        })?;
        if moment.uncommitted > 0 {
            remarks.push(format!(
                "note: {} of the log not known to be committed, not applied; --at applies them",
                entries(moment.uncommitted)
            ));
        }
        progress.finish();
        let found = made_of.as_ref().unwrap_or(&report);
        remarks.extend(dropped.describe().chain(let_in_with(found)));
        remarks.iter().for_each(|remark| progress.say(remark));
        let name = reading.name().to_owned();
        Ok(Self { machine, snapshot_at, name, dropped: dropped.count(), remarks })
    }

    /// A record of the state.
    pub fn record(&self, key: &str) -> Option<SharedRecord> {
        let Ok(record) = self.machine.store().record(key);
        record
    }

    /// `T1-N1.95: the snapshot to T1-N1.80 and 15 log entries`
    pub fn describe(&self) -> String {
        described(self.snapshot_at, self.machine.system().last_applied)
    }
}

fn described(snapshot_at: Option<LogId>, reached: Option<LogId>) -> String {
    let at = reached.map_or("nothing".to_owned(), |id| id.to_string());
    let snapshot = match snapshot_at {
        Some(id) if Some(id) > reached => {
            return format!("{at}: from the log, before the snapshot to {id}");
        }
        Some(id) => format!("the snapshot to {id}"),
        None => "no snapshot".to_owned(),
    };
    let entries = entries_between(snapshot_at, reached);
    let noun = if entries == 1 { "entry" } else { "entries" };
    format!("{at}: {snapshot} and {} log {noun}", grouped(entries))
}

/// How many log entries lead from one position to another. A dump may claim any index.
fn entries_between(from: Option<LogId>, to: Option<LogId>) -> u64 {
    match (from, to) {
        (_, None) => 0,
        (None, Some(to)) => to.index.saturating_add(1),
        (Some(from), Some(to)) => to.index.saturating_sub(from.index),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(from: Option<u64>, to: Option<u64>, expected: u64) {
        let at = |index| LogId::new(1, 1, index);
        assert_eq!(entries_between(from.map(at), to.map(at)), expected);
    }

    #[test]
    fn a_moment_before_the_snapshot_is_of_the_log() {
        let at = |index| Some(LogId::new(1, 1, index));
        assert_eq!(
            described(at(80), at(95)),
            "T1-N1.95: the snapshot to T1-N1.80 and 15 log entries"
        );
        assert_eq!(described(at(80), at(81)), "T1-N1.81: the snapshot to T1-N1.80 and 1 log entry");
        assert_eq!(
            described(at(80), at(79)),
            "T1-N1.79: from the log, before the snapshot to T1-N1.80"
        );
        assert_eq!(described(None, at(0)), "T1-N1.0: no snapshot and 1 log entry");
        assert_eq!(described(None, None), "nothing: no snapshot and 0 log entries");
    }

    #[test]
    fn entries_up_to_the_largest_index() {
        check(None, None, 0);
        check(None, Some(0), 1);
        check(Some(80), Some(95), 15);
        check(Some(u64::MAX), Some(u64::MAX), 0);
        check(Some(0), Some(u64::MAX), u64::MAX);
        check(None, Some(u64::MAX), u64::MAX);
    }
}
