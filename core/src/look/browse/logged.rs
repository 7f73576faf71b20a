//! What the log did to an object, gathered in several readings of a dump.

use std::collections::VecDeque;

use serde::Serialize;

use super::gathering::{FactReading, GatherError, Read};
use crate::dump::frame::Line;
use crate::state::moment::{At, Moment, Replay, ReplayError, Survey};
use crate::state::objects::{Effect, History, LoggedChange, Object, ObjectRef};
use crate::value::ObjectKind;

/// How many effects are kept; of a longer log those of the last entries.
const MOST_EFFECTS: usize = 200_000;

/// An entry of the log, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct LoggedLine {
    /// The line.
    pub line: u64,
    /// What it did.
    #[serde(flatten)]
    pub change: LoggedChange,
}

/// What the log did to an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ObjectHistory<'l> {
    /// How many entries did something to it.
    pub count: usize,
    /// The last of them, in their order.
    pub entries: Vec<&'l LoggedLine>,
    /// How many entries at the beginning of the log are not kept: there are too many.
    pub forgotten: u64,
    /// Why an entry and those behind it were not applied.
    pub broken: Option<&'l str>,
}

/// Gathers what the log did. The lines of the dump are handed to [`line`](Self::line) as often as
/// [`end_reading`](Self::end_reading) asks for them.
#[derive(Debug)]
pub struct LogReading {
    reading: FactReading,
    step: Step,
    committed: Moment,
    log: ObjectLog,
}

/// What the log did, to which object.
#[derive(Debug, Default)]
pub struct ObjectLog {
    entries: VecDeque<LoggedLine>,
    effects: usize,
    forgotten: u64,
    broken: Option<String>,
}

#[derive(Debug)]
enum Step {
    Survey(Box<Survey>),
    /// Whether the log leads from its beginning to the snapshot.
    TryReach(Box<Replay>),
    TryLoad(Box<Replay>),
    TryApply(Box<Replay>, Option<ReplayError>),
    Reach(Box<Replay>),
    Load(Box<History>),
    Entries(Box<History>),
    Done,
}

impl LogReading {
    /// Starts; the caller says what time it is.
    pub fn new(now_ms: u64) -> Self {
        Self {
            reading: FactReading::new(false),
            step: Step::Survey(Box::new(Survey::new(At::End, now_ms))),
            committed: Moment::default(),
            log: ObjectLog::default(),
        }
    }

    /// Takes the next line; gives whether the reading needs more.
    ///
    /// # Errors
    ///
    /// When it is not clear which state machine is the live one.
    pub fn line(&mut self, line: &Line<'_>) -> Result<bool, GatherError> {
        let Self { reading, step, log, .. } = self;
        let read = reading.line(line, |fact| {
            match step {
                Step::Survey(survey) => survey.learn(fact),
                Step::TryReach(replay) | Step::Reach(replay) => replay.reach(fact),
                Step::TryLoad(replay) => {
                    replay.load(fact);
                }
                Step::TryApply(replay, failed) => {
                    if failed.is_none() {
                        *failed = replay.apply(fact).err();
                    }
                }
                Step::Load(history) => history.load(fact),
                Step::Entries(history) => {
                    let change = history.entry(fact).or_else(|error| {
                        log.broken = Some(error.to_string());
                        history.entry(fact)
                    })?;
                    if let Some(change) = change {
                        log.add(LoggedLine { line: line.number, change });
                    }
                }
                Step::Done => {}
            }
            Ok(())
        })?;
        Ok(read != Read::Enough)
    }

    /// Ends a reading; gives whether the dump has to be read once more.
    ///
    /// # Errors
    ///
    /// When there is no state that the log goes on from.
    pub fn end_reading(&mut self) -> Result<bool, GatherError> {
        let mut with_keys = false;
        self.step = match std::mem::replace(&mut self.step, Step::Done) {
            Step::Survey(survey) => {
                self.committed = survey.finish()?;
                let end = self.committed.log_end();
                if end.is_whole && end.applied.is_some() {
                    Step::TryReach(Box::new(Replay::new(end.from_beginning())))
                } else {
                    self.reach(false)
                }
            }
            Step::TryReach(replay) => {
                with_keys = true;
                Step::TryLoad(replay)
            }
            Step::TryLoad(replay) => Step::TryApply(replay, None),
            Step::TryApply(replay, failed) => {
                self.reach(failed.is_none() && replay.finish().is_ok())
            }
            Step::Reach(replay) => {
                with_keys = true;
                Step::Load(Box::new(History::new(*replay, &self.committed)))
            }
            Step::Load(history) => Step::Entries(history),
            Step::Entries(_) | Step::Done => return Ok(false),
        };
        self.reading = FactReading::new(with_keys);
        Ok(true)
    }

    fn reach(&self, is_before_snapshot: bool) -> Step {
        let end = Moment { is_before_snapshot, ..self.committed.log_end() };
        Step::Reach(Box::new(Replay::new(end)))
    }

    /// What was gathered.
    pub fn finish(self) -> ObjectLog {
        self.log
    }
}

impl ObjectLog {
    fn add(&mut self, entry: LoggedLine) {
        self.effects += entry.change.effects.len();
        self.entries.push_back(entry);
        while self.effects > MOST_EFFECTS || self.entries.len() > MOST_EFFECTS {
            let Some(first) = self.entries.pop_front() else { return };
            self.effects -= first.change.effects.len();
            self.forgotten += 1;
        }
    }

    /// What was done to an object; the last `most` entries.
    pub fn of(&self, object: &Object, most: usize) -> ObjectHistory<'_> {
        let by_id = object.id.map(|id| ObjectRef::Id(object.kind, id));
        let by_name = ObjectRef::Name {
            kind: object.kind,
            tenant: object.tenant.as_deref().map(str::to_owned),
            name: object.name.as_deref().unwrap_or_default().to_owned(),
        };
        // An entry that the snapshot holds says the name alone.
        let has_no_id = |of: &Effect| of.object.as_ref().is_some_and(|object| object.id.is_none());
        let database =
            object.parent_id.filter(|_| object.parent_kind() == Some(ObjectKind::Database));
        let is_of = |of: &Effect| {
            by_id.as_ref().is_some_and(|by_id| of.is_of(by_id))
                || (has_no_id(of) && of.is_of(&by_name))
                || (database.is_some() && of.whole_database() == database)
        };
        let is_of = |entry: &&LoggedLine| entry.change.effects.iter().any(is_of);
        let mut entries: Vec<&LoggedLine> = self.entries.iter().filter(is_of).collect();
        let count = entries.len();
        entries.drain(..count.saturating_sub(most));
        let (forgotten, broken) = (self.forgotten, self.broken.as_deref());
        ObjectHistory { count, entries, forgotten, broken }
    }
}
