//! `--raise-ids` and `--beyond`: what was given out since a state of the past is not given out again.

use anyhow::{Result, anyhow};
use metadump::check::{Requirement, Severity};
use metadump::moment::At;
use metadump::rewrite::{LinePlan, LogFate, Raise, Request};

use super::plan::{Inspected, Planned, Reading};
use super::state::State;
use crate::args::{Moment, RaiseIds};
use crate::chain::holds_pieces;
use crate::dump_name::DumpName;
use crate::failure::WithHelp;
use crate::input::Source;
use crate::progress::Progress;
use crate::raft_dir::{Access, DirReader, RaftDir};
use crate::report::grouped;

/// How far ids are raised, and what there is to say of that.
#[derive(Debug, Default)]
pub struct Raised {
    /// What is done.
    pub raise: Raise,
    /// Why, if another state says it.
    pub remark: Option<String>,
}

impl Raised {
    /// What the command line asks for a dump, of which the state at the moment counts.
    ///
    /// # Errors
    ///
    /// When the other state cannot be read.
    pub fn of(
        ids: &RaiseIds,
        moment: &Moment,
        reading: impl FnOnce() -> Result<Reading>,
        progress: &Progress,
    ) -> Result<Self> {
        let Some(beyond) = &ids.beyond else {
            let raise = ids.raise_ids.map_or(Raise::Keep, |by| Raise::By(by.get()));
            return Ok(Self { raise, remark: None });
        };
        let given_out = last_sequence(beyond, Access::Stopped, progress)?;
        let at = moment.at.unwrap_or(At::End);
        let reading = reading()?;
        let own = State::of_dump(reading.source().clone(), at, progress)?.sequence(progress)?;
        progress.finish();
        let (given, own_shown) = (grouped(given_out), grouped(own));
        Ok(if given_out > own {
            let ahead = grouped(given_out - own);
            let remark = format!(
                "{beyond} has given out the sequence up to {given}, {ahead} beyond that of the \
                 restored state, {own_shown}"
            );
            Self { raise: Raise::Beyond(given_out), remark: Some(remark) }
        } else {
            let remark = format!(
                "note: {beyond} has given out the sequence up to {given}, not beyond that of the \
                 restored state, {own_shown}: nothing is raised"
            );
            Self { raise: Raise::Keep, remark: Some(remark) }
        })
    }

    /// The moment whose state is taken. What is raised needs a state that holds its log, which then
    /// goes: whoever applied it would come to the sequence as it was.
    pub fn moment(&self, moment: &Moment) -> Option<(At, LogFate)> {
        match self.raise {
            Raise::Keep => moment.at.map(|at| (at, moment.log.fate())),
            Raise::By(_) | Raise::Beyond(_) => Some((moment.at.unwrap_or(At::End), LogFate::Purge)),
        }
    }

    /// The dump with what is raised, in a file of our own, and what that is, a line each.
    ///
    /// # Errors
    ///
    /// When there are no such numbers, or the dump cannot be written.
    pub fn made(&self, reading: &Reading, progress: &Progress) -> Result<(Reading, Vec<String>)> {
        let request = Request { raise: self.raise, ..Request::default() };
        let planned = Planned::new(reading, request, progress)?;
        let made = reading.made(|write| planned.for_each_piece(reading, progress, write))?;
        Ok((made, planned.plan.describe()))
    }
}

/// What is damaged may have lost what was given out.
fn assert_sound(reading: &Reading, progress: &Progress) -> Result<()> {
    let inspected =
        Inspected::of_records(reading, Requirement::Optional, progress, |_| (), |_, _, ()| {})?;
    let errors =
        inspected.report.findings.counts().keys().filter(|code| code.severity() == Severity::Error);
    let codes = Vec::from_iter(errors.map(ToString::to_string)).join(", ");
    if codes.is_empty() {
        return Ok(());
    }
    Err(anyhow!("{} has errors ({codes}): what it has given out is not known", reading.name()))
        .help(
            "`databend-metactl validate` shows them; --raise-ids N raises by a number of your own",
        )
}

/// The last sequence number that a dump or a directory leads to, its log included.
///
/// # Errors
///
/// When it cannot be read, or its log not be applied.
pub fn last_sequence(name: &DumpName, access: Access, progress: &Progress) -> Result<u64> {
    let state = if let Some(path) = name.path().filter(|path| path.is_dir() && !holds_pieces(path))
    {
        let reader = DirReader::open(&RaftDir::new(path), access)?;
        State::of_reader(reader, path, At::End, progress)?.without_remarks()
    } else {
        let source = Source::open(Some(name))?;
        let reading = Reading::of(&source, progress)?;
        assert_sound(&reading, progress)?;
        State::of_dump(reading.source().clone(), At::End, progress)?
    };
    state.last_sequence(progress)
}
