//! One of two states, read several times: its moment, then its keys.

use crate::dump::frame::Line;
use crate::dump::record::{Bytes, Fact, KVMeta, SeqV};
use crate::look::browse::{FactReading, GatherError, Read};
use crate::state::apply::SharedRecord;
use crate::state::difference::{BesideKeys, ComparedState, Keyed};
use crate::state::moment::{AsOf, At, Changed, Replay, Survey};
use crate::state::node::SystemState;
use crate::state::objects::{Catalogue, ObjectRecord};

/// A record of a state.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Box<str>,
    pub(super) place: Place,
    held: Held,
}

/// Where a record is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// In a line of the dump.
    Line(u64),
    /// The log wrote it.
    Written,
}

#[derive(Debug)]
enum Held {
    /// As the dump spells it, so that what is spelled alike need not be decoded.
    Text {
        seq: u64,
        meta: Option<KVMeta>,
        text: Box<[u8]>,
    },
    Shared(SharedRecord),
}

impl Keyed for Entry {
    fn key(&self) -> &str {
        &self.key
    }
}

impl Entry {
    fn of(key: &str, record: &SeqV<'_>, line: u64) -> Self {
        let held = match record.data.text() {
            Some(text) => Held::Text { seq: record.seq, meta: record.meta, text: text.into() },
            None => {
                let SeqV { seq, meta, data } = record.clone();
                Held::Shared(SeqV { seq, meta, data: data.into_owned() }.into())
            }
        };
        Self { key: key.into(), place: Place::Line(line), held }
    }

    /// The record.
    pub(super) fn record(&self) -> SeqV<'_> {
        match &self.held {
            Held::Text { seq, meta, text } => {
                SeqV { seq: *seq, meta: *meta, data: Bytes::Text(text) }
            }
            Held::Shared(record) => {
                SeqV { seq: record.seq, meta: record.meta, data: record.data.borrowed() }
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct SideReading {
    name: String,
    reading: FactReading,
    step: Step,
    beside: BesideKeys,
    as_of: AsOf,
    /// What the log made of it.
    system: Option<SystemState>,
    changed: Option<Changed<String, SharedRecord>>,
    names: Catalogue,
    last_key: String,
    disorder: Option<u64>,
}

#[derive(Debug)]
enum Step {
    Survey(Box<Survey>),
    Reach(Box<Replay>),
    Load(Box<Replay>),
    Apply(Box<Replay>),
    Keys,
    Done,
}

impl SideReading {
    pub(super) fn new(name: String, at: At, now_ms: u64) -> Self {
        let survey = Survey::new(at, now_ms);
        Self {
            name,
            reading: FactReading::new(survey.needs_keys()),
            step: Step::Survey(Box::new(survey)),
            beside: BesideKeys::default(),
            as_of: AsOf::default(),
            system: None,
            changed: None,
            names: Catalogue::default(),
            last_key: String::new(),
            disorder: None,
        }
    }

    /// Whether its keys are what comes next, or have come.
    pub(super) const fn is_prepared(&self) -> bool {
        matches!(self.step, Step::Keys | Step::Done)
    }

    /// The line whose key does not ascend, once.
    pub(super) const fn take_disorder(&mut self) -> Option<u64> {
        self.disorder.take()
    }

    /// Takes the next line; hands records to `each`, in the order of their keys. Gives whether the
    /// reading needs more.
    pub(super) fn line(
        &mut self,
        line: &Line<'_>,
        is_of_names: bool,
        mut each: impl FnMut(Entry),
    ) -> Result<bool, GatherError> {
        let Self { reading, step, beside, changed, names, last_key, disorder, as_of, .. } = self;
        let read = reading.line(line, |fact| {
            match step {
                Step::Survey(survey) => {
                    survey.learn(fact);
                    beside.learn(fact);
                }
                Step::Reach(replay) => replay.reach(fact),
                Step::Load(replay) => {
                    replay.load(fact);
                }
                Step::Apply(replay) => {
                    replay.apply(fact)?;
                }
                Step::Keys => {
                    let Fact::Key(key, record) = fact else { return Ok(()) };
                    if let Some(changed) = changed {
                        up_to(changed, Some(key), is_of_names.then_some(&mut *names), &mut each);
                        if changed.replaces(&***key) {
                            return Ok(());
                        }
                    } else {
                        let proposed = record.meta.and_then(|meta| meta.proposed_at_ms);
                        as_of.last_write_ms = as_of.last_write_ms.max(proposed);
                    }
                    if key.as_str() < last_key.as_str() {
                        disorder.get_or_insert(line.number);
                    }
                    last_key.clear();
                    last_key.push_str(key);
                    if is_of_names && let Some(name) = ObjectRecord::naming(key, &record.data) {
                        names.add(name);
                    }
                    each(Entry::of(key, record, line.number));
                }
                Step::Done => {}
            }
            Ok(())
        })?;
        Ok(read != Read::Enough)
    }

    /// Ends a reading; gives whether all keys have come.
    pub(super) fn end_reading(
        &mut self,
        is_of_names: bool,
        mut each: impl FnMut(Entry),
    ) -> Result<bool, GatherError> {
        let (step, with_keys) = match std::mem::replace(&mut self.step, Step::Done) {
            Step::Survey(survey) => {
                let moment = survey.finish()?;
                self.as_of = AsOf::from(moment);
                match moment.until {
                    Some(_) => (Step::Reach(Box::new(Replay::new(moment))), false),
                    None => (Step::Keys, true),
                }
            }
            Step::Reach(replay) => (Step::Load(replay), true),
            Step::Load(replay) => (Step::Apply(replay), false),
            Step::Apply(replay) => {
                let replayed = replay.finish()?;
                self.as_of.learn(&replayed);
                self.system = Some(replayed.system);
                self.changed = Some(replayed.keys);
                (Step::Keys, true)
            }
            Step::Keys => {
                if let Some(changed) = &mut self.changed {
                    up_to(changed, None, is_of_names.then_some(&mut self.names), &mut each);
                }
                return Ok(true);
            }
            Step::Done => return Ok(true),
        };
        self.step = step;
        self.reading = FactReading::new(with_keys);
        Ok(false)
    }

    /// What the state is, and what its records say of names.
    pub(super) fn finish(self) -> (ComparedState, Catalogue) {
        let state = ComparedState::new(self.name, self.beside, self.as_of);
        let system = self.system.unwrap_or_else(|| state.system().clone());
        (state.at(system, self.as_of), self.names)
    }
}

/// Hands on what the log wrote, up to a key.
fn up_to(
    changed: &mut Changed<String, SharedRecord>,
    key: Option<&str>,
    mut names: Option<&mut Catalogue>,
    each: &mut impl FnMut(Entry),
) {
    let Ok(()) = changed.up_to(key, |key, record| -> Result<(), std::convert::Infallible> {
        if let Some(names) = &mut names
            && let Some(name) = ObjectRecord::naming(key, &record.data)
        {
            names.add(name);
        }
        let held = Held::Shared(record.clone());
        each(Entry { key: key.as_str().into(), place: Place::Written, held });
        Ok(())
    });
}
