//! `--at`: a dump as of a moment.

use std::path::Path;

use anyhow::Result;
use metadump::check::{Code, Requirement};
use metadump::moment::{AsOf, At};
use metadump::objects::LoggedChange;
use metadump::record::{DataVersion, Fact, SeqV};
use metadump::rewrite::{LinePlan, LogFate, MomentPlan, MomentPlanner};
use metadump::scan::ScannedLine;
use serde::Serialize;

use super::plan::{Inspected, Planned, Reading, with_help};
use super::state::State;
use super::{convert, log};
use crate::dump_writer::now_ms;
use crate::input::Source;
use crate::progress::Progress;
use crate::raft_dir::{Access, DirReader, RaftDir};
use crate::report::entries;

/// Sees the keys of a state: `prepare` on any of several threads, `each` on one after the other.
pub struct Observer<P, F> {
    /// Makes something of a key and its value.
    pub prepare: P,
    /// Takes it.
    pub each: F,
    /// What the rewrite is planned with.
    pub planner: fn(MomentPlanner) -> MomentPlanner,
}

/// A dump to be rewritten to a moment.
pub struct AtMoment {
    /// What is to be done, and what was found in the dump.
    pub planned: Planned<MomentPlan>,
    /// Which moment it is.
    pub as_of: AsOf,
    /// The dump as one of V004, when its own version has no rewrite.
    converted: Option<Reading>,
}

impl AtMoment {
    /// Reads the dump and plans the rewrite. A dump before V002 is converted, if what that may lose
    /// is said.
    ///
    /// # Errors
    ///
    /// When there is no such moment, a line is no record, or the log cannot be applied.
    pub fn plan(
        reading: &Reading,
        at: At,
        log: LogFate,
        manifest: Requirement,
        accepted: Option<&[Code]>,
        progress: &Progress,
    ) -> Result<Self> {
        let state = State::of_dump(reading.source().clone(), at, progress)?;
        let version = state.version();
        if let Some(accepted) = accepted
            && version.is_none_or(|version| version < DataVersion::V002)
        {
            let converted = convert::to_v004(reading, accepted, progress)?;
            let state = State::of_dump(converted.source().clone(), at, progress)?;
            let planned =
                Self::of(state.by_rules_of(version), &converted, log, manifest, progress)?;
            return Ok(Self { converted: Some(converted), ..planned });
        }
        Self::of(state, reading, log, manifest, progress)
    }

    /// The same for what a data directory holds, with the dump that it is exported as.
    ///
    /// # Errors
    ///
    /// As [`plan`](Self::plan).
    pub fn of_directory(
        reader: &DirReader,
        name: &Path,
        at: At,
        log: LogFate,
        progress: &Progress,
    ) -> Result<(Reading, Self)> {
        let reading = exported(reader, name, progress)?;
        let state = State::of_dump(reading.source().clone(), at, progress)?;
        let state = state.by_rules_of(Some(reader.version()));
        let at = Self::of(state, &reading, log, Requirement::Optional, progress)?;
        Ok((reading, at))
    }

    fn of(
        state: State,
        reading: &Reading,
        log: LogFate,
        manifest: Requirement,
        progress: &Progress,
    ) -> Result<Self> {
        let nobody = Observer {
            prepare: |_: &str, _: &SeqV<'_>| (),
            each: |_: &str, _: &SeqV<'_>, ()| {},
            planner: |planner| planner,
        };
        Self::observed(state, reading, log, manifest, nobody, progress)
    }

    /// Plans the rewrite, and has every key that the state has at the moment seen on the way: in any
    /// order.
    ///
    /// # Errors
    ///
    /// As [`plan`](Self::plan).
    pub fn observed<T: Send>(
        state: State,
        reading: &Reading,
        log: LogFate,
        manifest: Requirement,
        observer: Observer<
            impl Fn(&str, &SeqV<'_>) -> T + Sync,
            impl FnMut(&str, &SeqV<'_>, T) + Send,
        >,
        progress: &Progress,
    ) -> Result<Self> {
        let Observer { prepare, mut each, planner } = observer;
        let mut planner = planner(MomentPlanner::new(state.reach(progress)?, log, now_ms()));
        let prepare_line = |scanned: &ScannedLine<'_>| match scanned.record.fact() {
            Fact::Key(key, value) => Some(prepare(key, value)),
            _ => None,
        };
        let inspected = Inspected::of_records(
            reading,
            manifest,
            progress,
            prepare_line,
            |_, scanned, prepared| {
                if planner.line(scanned)
                    && let (Fact::Key(key, value), Some(prepared)) =
                        (scanned.record.fact(), prepared)
                    && !planner.reaches(key, value)
                {
                    each(key, value, prepared);
                }
            },
        )?;
        state.apply(progress, |fact| planner.apply(fact).map(drop))?;
        for (key, value) in planner.reached() {
            each(&key, &value, prepare(&key, &value));
        }
        let plan = planner.finish().map_err(with_help)?;
        let mut as_of = AsOf::from(state.moment());
        as_of.learn(plan.state());
        Ok(Self { planned: Planned::of(plan, inspected), as_of, converted: None })
    }

    /// The dump that the plan is for.
    pub fn reading<'r>(&'r self, original: &'r Reading) -> &'r Reading {
        self.converted.as_ref().unwrap_or(original)
    }

    /// The dump as of the moment, in a file of our own.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn made(&self, reading: &Reading, progress: &Progress) -> Result<Reading> {
        progress.phase("rewriting");
        reading.made(|write| self.planned.for_each_piece(reading, progress, write))
    }

    /// The entries of the log that are lost, the first of them with what they did.
    ///
    /// # Errors
    ///
    /// When the dump is not the same any more.
    pub fn lost(&self, reading: &Reading, progress: &Progress) -> Result<Lost> {
        let mut lost = Lost::default();
        if self.as_of.later() == 0 {
            return Ok(lost);
        }
        let until = self.planned.plan.until();
        let state = State::of_dump(reading.source().clone(), At::End, progress)?;
        log::each_change(state, progress, |change, _| {
            if Some(change.log_id.index) > until {
                lost.count += 1;
                if lost.count <= MOST_LOST {
                    lost.entries.push(change.clone());
                }
            }
            Ok(())
        })?;
        progress.finish();
        Ok(lost)
    }

    /// As of which moment it is.
    pub fn describe(&self) -> String {
        self.as_of.describe()
    }

    /// The same, and what is done to the dump, a line each.
    pub fn remarks(&self) -> Vec<String> {
        let changes = self.planned.plan.describe();
        std::iter::once(self.describe()).chain(changes).collect()
    }
}

/// Entries of the log that are lost.
#[derive(Debug, Default, Serialize)]
pub struct Lost {
    /// How many.
    count: u64,
    /// The first of them.
    entries: Vec<LoggedChange>,
}

/// How many of the entries that are lost are shown.
const MOST_LOST: u64 = 200;

impl Lost {
    /// What is lost, a line for each entry.
    pub fn describe(&self) -> impl Iterator<Item = String> {
        let head =
            (self.count > 0).then(|| format!("{} of the log would be lost:", entries(self.count)));
        let lines = self.entries.iter().map(|change| format!("  {}", log::line(change)));
        let more = self.count.saturating_sub(MOST_LOST);
        let more = (more > 0).then(|| format!("  … and {}", entries(more)));
        head.into_iter().chain(lines).chain(more)
    }
}

/// A dump, as of a moment if one is asked for; says which.
///
/// # Errors
///
/// When there is no such moment, a line is no record, or the log cannot be applied.
pub fn dump_at(source: Source, at: Option<At>, progress: &Progress) -> Result<Source> {
    let Some(at) = at else { return Ok(source) };
    let reading = Reading::of(&source, progress)?;
    let at =
        AtMoment::plan(&reading, at, LogFate::Keep, Requirement::Optional, Some(&[]), progress)?;
    let made = at.made(at.reading(&reading), progress)?;
    progress.finish();
    at.remarks().iter().for_each(|remark| progress.say(remark));
    Ok(made.source().clone())
}

/// What a data directory holds, as a dump in a file of our own.
///
/// # Errors
///
/// When the directory cannot be read, and when the file cannot be written.
pub fn exported(reader: &DirReader, name: &Path, progress: &Progress) -> Result<Reading> {
    progress.phase("exporting");
    Reading::of_node(&name.display().to_string(), |write| {
        reader.for_each_line(|line| {
            progress.advance(line.len() as u64);
            write(line)
        })?;
        reader.assert_unchanged()
    })
}

/// All that a data directory holds, as a dump; says what is to be known of it.
///
/// # Errors
///
/// When the directory cannot be read.
pub fn whole_directory(dir: &Path, progress: &Progress) -> Result<Source> {
    let reader = DirReader::open(&RaftDir::new(dir), Access::Stopped)?;
    let reading = exported(&reader, dir, progress)?;
    progress.finish();
    reader.remarks(DataVersion::V004).iter().for_each(|remark| progress.say(remark));
    Ok(reading.source().clone())
}

/// What a data directory holds at a moment, as a dump; says which.
///
/// # Errors
///
/// As [`dump_at`], and when the directory cannot be read.
pub fn directory_at(dir: &Path, at: At, progress: &Progress) -> Result<Source> {
    let reader = DirReader::open(&RaftDir::new(dir), Access::Stopped)?;
    let (reading, at) = AtMoment::of_directory(&reader, dir, at, LogFate::Keep, progress)?;
    let made = at.made(&reading, progress)?;
    progress.finish();
    at.remarks().iter().for_each(|remark| progress.say(remark));
    Ok(made.source().clone())
}
