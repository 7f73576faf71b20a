//! Gathers the objects of a state at a moment, in several readings of a dump.

use super::browser::Browser;
use super::owned::{KeyPlace, Owned};
use super::steps::{Gathered, KeptLines, Steps, Writers, apply};
use crate::dump::frame::Line;
use crate::dump::record::{Fact, SeqV};
use crate::dump::scan::scan_line;
use crate::state::moment::{AsOf, At, Moment, MomentError, Replay, ReplayError, Survey};
use crate::state::node::{BehindKeys, KeysLast, LiveMachine, NamedLate};
use crate::state::objects::{Catalogue, ObjectRecord};

/// Why there is no state to look at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GatherError {
    /// There is no such moment.
    #[error(transparent)]
    Moment(#[from] MomentError),
    /// The log cannot be applied.
    #[error("the log cannot be applied: {0}")]
    Replay(#[from] ReplayError),
    /// It is not clear which state machine is the live one.
    #[error(transparent)]
    NamedLate(#[from] NamedLate),
    /// Something else stands behind keys.
    #[error(transparent)]
    BehindKeys(#[from] BehindKeys),
}

/// Gathers the objects of a state. The lines of the dump are handed to [`line`](Self::line) as
/// often as [`end_reading`](Self::end_reading) asks for them.
#[derive(Debug)]
pub struct Gathering {
    reading: FactReading,
    step: Step,
    gathered: Gathered,
    writers: Writers,
    as_of: AsOf,
    moment: Moment,
    lines: KeptLines,
    /// What other moments are made of.
    steps: Option<Box<Steps>>,
    /// The state at the moment of what the log reaches.
    replayed: Option<Box<Replay>>,
}

#[derive(Debug)]
enum Step {
    Survey(Box<Survey>),
    Reach(Box<Replay>),
    /// Without a replay the snapshot is what is asked for.
    Load(Option<Box<Replay>>),
    Apply(Box<Replay>),
    Done,
}

impl Gathering {
    /// Gathers the objects of a moment; the caller says what time it is.
    pub fn new(at: At, now_ms: u64) -> Self {
        let survey = Survey::new(at, now_ms);
        Self {
            reading: FactReading::new(survey.needs_keys()),
            step: Step::Survey(Box::new(survey)),
            gathered: Gathered::default(),
            writers: Writers::new(),
            as_of: AsOf::default(),
            moment: Moment::default(),
            lines: KeptLines::default(),
            steps: None,
            replayed: None,
        }
    }

    /// Takes the next line; gives whether the reading needs more.
    ///
    /// # Errors
    ///
    /// When the log cannot be applied.
    pub fn line(&mut self, line: &Line<'_>) -> Result<bool, GatherError> {
        let Self { reading, step, gathered, writers, as_of, .. } = self;
        let read = reading.line(line, |fact| {
            match step {
                Step::Survey(survey) => survey.learn(fact),
                Step::Reach(replay) => replay.reach(fact),
                Step::Load(replay) => {
                    let is_reached = replay.as_mut().is_some_and(|replay| replay.load(fact));
                    let Fact::Key(key, value) = fact else { return Ok(()) };
                    if is_reached {
                        gathered.reached.insert((*key).to_string(), line.number);
                        return Ok(());
                    }
                    let proposed = value.meta.and_then(|meta| meta.proposed_at_ms);
                    as_of.last_write_ms = as_of.last_write_ms.max(proposed);
                    let Gathered { catalogue, owned, .. } = gathered;
                    add(catalogue, owned, key, value, KeyPlace::Line(line.number));
                }
                Step::Apply(replay) => apply(replay, writers, line.number, fact)?,
                Step::Done => {}
            }
            Ok(())
        })?;
        match self.step {
            Step::Survey(_) if read == Read::Taken => self.lines.add(line),
            Step::Load(_) => self.gathered.left_out += u64::from(read == Read::NoRecord),
            _ => {}
        }
        Ok(read != Read::Enough)
    }

    /// Ends a reading; gives whether the dump has to be read once more.
    ///
    /// # Errors
    ///
    /// When there is no such moment.
    pub fn end_reading(&mut self) -> Result<bool, GatherError> {
        let (step, with_keys) = match std::mem::replace(&mut self.step, Step::Done) {
            Step::Survey(survey) => {
                self.moment = survey.finish()?;
                self.as_of = AsOf::from(self.moment);
                match self.moment.until {
                    Some(_) => (Step::Reach(Box::new(Replay::new(self.moment))), false),
                    None => (Step::Load(None), true),
                }
            }
            Step::Reach(replay) => (Step::Load(Some(replay)), true),
            Step::Load(Some(replay)) => {
                let lines = std::mem::take(&mut self.lines);
                self.steps = Steps::of(lines, (*replay).clone()).map(Box::new);
                (Step::Apply(replay), false)
            }
            Step::Load(None) => (Step::Done, false),
            Step::Apply(replay) => {
                self.replayed = Some(replay);
                return Ok(false);
            }
            Step::Done => return Ok(false),
        };
        let is_done = matches!(step, Step::Done);
        self.step = step;
        self.reading = FactReading::new(with_keys);
        Ok(!is_done)
    }

    /// What was gathered.
    ///
    /// # Errors
    ///
    /// When the log does not lead to the moment.
    pub fn finish(mut self) -> Result<Browser, GatherError> {
        let Self { gathered, writers, mut as_of, moment, .. } = self;
        let Some(replay) = self.replayed.take() else {
            let Gathered { catalogue, owned, left_out, .. } = gathered;
            let objects = catalogue.finish();
            return Ok(Browser::new(objects, owned, Vec::new(), as_of, moment, left_out));
        };
        if let Some(steps) = &mut self.steps {
            steps.gathered = gathered.clone();
            steps.last_write_ms = as_of.last_write_ms;
        }
        as_of.learn(&(*replay).clone().finish()?);
        Ok(gathered.at(&replay, writers, as_of, moment).with_steps(self.steps))
    }
}

pub(super) fn add(
    catalogue: &mut Catalogue,
    owned: &mut Owned,
    key: &str,
    value: &SeqV<'_>,
    at: KeyPlace,
) {
    let record = ObjectRecord::of(key, &value.data);
    owned.add(&record.owner, at, record.says.is_some());
    catalogue.add(record);
}

/// What came of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::look) enum Read {
    /// It was taken, if it is of the node or of its live state machine.
    Taken,
    /// It is no record.
    NoRecord,
    /// What comes behind it is not needed.
    Enough,
}

/// Reads the facts of a node, those of its live state machine alone.
#[derive(Debug, Default)]
pub(in crate::look) struct FactReading {
    live: LiveMachine,
    keys_last: KeysLast,
    with_keys: bool,
}

impl FactReading {
    /// Without keys the reading may end where those begin.
    pub(in crate::look) fn new(with_keys: bool) -> Self {
        Self { with_keys, ..Self::default() }
    }

    /// Hands the fact of a line to `each`.
    pub(in crate::look) fn line(
        &mut self,
        line: &Line<'_>,
        each: impl FnOnce(&Fact<'_>) -> Result<(), GatherError>,
    ) -> Result<Read, GatherError> {
        let Ok(scanned) = scan_line(line.bytes) else { return Ok(Read::NoRecord) };
        let fact = scanned.record.fact();
        self.keys_last.fact(&fact)?;
        if self.keys_last.has_begun() && !self.with_keys {
            return Ok(Read::Enough);
        }
        if self.live.has(scanned.tree(), &fact)? {
            each(&fact)?;
        }
        Ok(Read::Taken)
    }
}
