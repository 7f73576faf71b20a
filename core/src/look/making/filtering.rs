//! A part of a state, as `filter` writes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::writing::PlanWriter;
use crate::change::rewrite::{LinePlan, LogFate, MomentPlanner, RewriteError, SpliceError};
use crate::change::select::{
    Belonging, Choice, Fate, FilterPlan, FilterRewriter, Form, Gone, Part, SelectError, Selector,
    Which,
};
use crate::dump::frame::Line;
use crate::dump::plural::plural;
use crate::dump::record::Fact;
use crate::dump::scan::scan_line;
use crate::dump::syntax::SyntaxError;
use crate::look::browse::{FactReading, GatherError, Read};
use crate::state::moment::{AsOf, At, Moment, Replay, Survey};
use crate::state::objects::ObjectRef;

/// What is to stay or to go, as a form has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct FilterQuery {
    /// Tenants, by name.
    pub tenants: Vec<String>,
    /// Objects, as `--object` takes them.
    pub objects: Vec<String>,
    /// Keys, by how they begin.
    pub prefixes: Vec<String>,
    /// Whether the choice goes and the rest stays.
    pub drop: bool,
    /// What becomes of keys that cannot be judged: `refuse`, `keep` or `drop`.
    pub unknown: Unknown,
}

/// What becomes of keys that cannot be judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// They are named, and nothing is made.
    #[default]
    Refuse,
    /// They stay.
    Keep,
    /// They go.
    Drop,
}

impl TryFrom<FilterQuery> for Choice {
    type Error = SyntaxError;

    fn try_from(query: FilterQuery) -> Result<Self, SyntaxError> {
        let FilterQuery { tenants, objects, prefixes, drop, unknown } = query;
        let fate = match unknown {
            Unknown::Refuse => Fate::Refuse,
            Unknown::Keep => Fate::Keep,
            Unknown::Drop => Fate::Drop,
        };
        Ok(Self {
            tenants,
            prefixes,
            objects: objects.iter().map(|text| ObjectRef::parse(text)).collect::<Result<_, _>>()?,
            which: if drop { Which::Rest } else { Which::Chosen },
            unknown: fate,
            orphans: fate,
            is_official: false,
        })
    }
}

/// Why there is no such part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// There is no state of that moment.
    #[error(transparent)]
    State(#[from] GatherError),
    /// A line is no record: what it holds would be lost.
    #[error(transparent)]
    Line(#[from] SpliceError),
    /// The dump cannot be rewritten.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// There is no such selection.
    #[error("{0}{near}", near = near(.0))]
    Select(#[from] SelectError),
    /// There are schema objects of before 2022-05-07, which have no keys.
    #[error("of {} it is not known whose they are: they are schema objects of before 2022-05-07", plural(*.0, "record", "records"))]
    Retired(u64),
    /// The dump was not read to its end.
    #[error("the dump has not been read to its end")]
    Unread,
}

/// What there is in place of what there is not.
fn near(error: &SelectError) -> String {
    match error {
        SelectError::NoTenant { near, .. } | SelectError::NoObject { near, .. }
            if !near.is_empty() =>
        {
            format!("; there is: {}", near.join(", "))
        }
        _ => String::new(),
    }
}

/// Finds out what stays. The lines of the dump are handed to [`line`](Self::line) as often as
/// [`end_reading`](Self::end_reading) asks for them.
#[derive(Debug)]
pub struct Filtering {
    choice: Choice,
    now_ms: u64,
    moment: Moment,
    step: Step,
    /// How many records there are of schema objects that have no keys.
    retired: u64,
}

#[derive(Debug)]
enum Step {
    Survey(FactReading, Box<Survey>),
    Reach(FactReading, Box<Replay>),
    Select(Box<MomentPlanner>, Box<Selector>),
    Apply(FactReading, Box<MomentPlanner>, Box<Selector>),
    Planned(Box<MomentPlanner>, Box<Selector>),
    Failed,
}

impl Filtering {
    /// Starts with the state at a moment; the caller says what time it is.
    pub fn new(choice: Choice, at: At, now_ms: u64) -> Self {
        let survey = Survey::new(at, now_ms);
        let reading = FactReading::new(survey.needs_keys());
        let step = Step::Survey(reading, Box::new(survey));
        Self { choice, now_ms, moment: Moment::default(), step, retired: 0 }
    }

    /// Takes the next line; gives whether the reading needs more.
    ///
    /// # Errors
    ///
    /// When the line is no record, or the log cannot be applied.
    pub fn line(&mut self, line: &Line<'_>) -> Result<bool, FilterError> {
        let Self { choice, step, retired, .. } = self;
        let read = match step {
            Step::Survey(reading, survey) => reading.line(line, |fact| {
                survey.learn(fact);
                Ok(())
            })?,
            Step::Reach(reading, replay) => reading.line(line, |fact| {
                replay.reach(fact);
                Ok(())
            })?,
            Step::Select(planner, selector) => {
                let scanned = scan_line(line.bytes)
                    .map_err(|error| SpliceError::not_a_record(line, error))?;
                let fact = scanned.record.fact();
                *retired += u64::from(matches!(fact, Fact::Retired(_)));
                if planner.line(&scanned)
                    && let Fact::Key(key, value) = fact
                    && !planner.reaches(key, value)
                {
                    let belonging = Belonging::of(key, &value.data, choice);
                    selector.add(key, value.expire_ms().is_some(), belonging);
                }
                Read::Taken
            }
            Step::Apply(reading, planner, _) => reading.line(line, |fact| {
                planner.apply(fact)?;
                Ok(())
            })?,
            Step::Planned(..) | Step::Failed => Read::Enough,
        };
        match read {
            Read::NoRecord => {
                scan_line(line.bytes).map_err(|error| SpliceError::not_a_record(line, error))?;
                Ok(true)
            }
            read => Ok(read != Read::Enough),
        }
    }

    /// Ends a reading; gives whether the dump has to be read once more.
    ///
    /// # Errors
    ///
    /// When there is no such moment.
    pub fn end_reading(&mut self) -> Result<bool, FilterError> {
        self.step = match std::mem::replace(&mut self.step, Step::Failed) {
            Step::Survey(_, survey) => {
                self.moment = survey.finish().map_err(GatherError::from)?;
                Step::Reach(FactReading::new(false), Box::new(Replay::new(self.moment)))
            }
            Step::Reach(_, replay) => {
                let planner = MomentPlanner::new(*replay, LogFate::Purge, self.now_ms);
                let selector = Selector::new(self.choice.clone());
                Step::Select(Box::new(planner.of_any_version()), Box::new(selector))
            }
            Step::Select(planner, selector) => {
                Step::Apply(FactReading::new(false), planner, selector)
            }
            Step::Apply(_, planner, selector) => Step::Planned(planner, selector),
            step => step,
        };
        Ok(!matches!(self.step, Step::Planned(..) | Step::Failed))
    }

    /// What stays and goes.
    ///
    /// # Errors
    ///
    /// When something that is named is not there, cannot be judged, or is needed by what stays.
    pub fn finish(self) -> Result<Filtered, FilterError> {
        let Self { choice, moment, step, retired, .. } = self;
        let Step::Planned(planner, mut selector) = step else { return Err(FilterError::Unread) };
        for (key, value) in planner.reached() {
            let belonging = Belonging::of(&key, &value.data, &choice);
            selector.add(&key, value.expire_ms().is_some(), belonging);
        }
        let plan = planner.finish()?;
        let mut as_of = AsOf::from(moment);
        as_of.learn(plan.state());
        let selection = selector.finish()?;
        if choice.unknown == Fate::Refuse && retired > 0 {
            return Err(FilterError::Retired(retired));
        }
        Ok(Filtered { plan: FilterPlan::new(plan, selection, Form::Dump), as_of })
    }
}

/// A part of a state, ready to be written.
#[derive(Debug)]
pub struct Filtered {
    plan: FilterPlan,
    as_of: AsOf,
}

/// What stays and what goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct FilterPreview {
    /// Which moment the state is of, and what changes, a sentence each: what `filter --dry-run` says.
    pub words: Vec<String>,
    /// The kinds of objects there are, each with what stays and goes of it.
    pub kinds: BTreeMap<&'static str, KindParts>,
    /// How many objects, and keys that belong to none, go.
    pub gone_count: u64,
    /// The first of them.
    pub gone: Vec<Gone>,
}

/// How much of a kind stays and goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct KindParts {
    /// What stays.
    pub stays: Part,
    /// What goes.
    pub goes: Part,
}

impl Filtered {
    /// What stays and what goes; of that the first, so many at most.
    pub fn preview(&self, most: usize) -> FilterPreview {
        let selection = self.plan.selection();
        let mut kinds: BTreeMap<&'static str, KindParts> = BTreeMap::new();
        for (kind, part) in &selection.counts().stays {
            kinds.entry(kind).or_default().stays = *part;
        }
        for (kind, part) in &selection.counts().goes {
            kinds.entry(kind).or_default().goes = *part;
        }
        let words = std::iter::once(self.as_of.describe()).chain(self.plan.describe());
        FilterPreview {
            words: words.collect(),
            kinds,
            gone_count: selection.gone().len() as u64,
            gone: selection.gone().iter().take(most).cloned().collect(),
        }
    }

    /// Starts the reading that writes.
    pub fn writer(&self) -> FilterWriter<'_> {
        PlanWriter::new(self.plan.rewriter())
    }
}

/// Writes the part.
pub type FilterWriter<'p> = PlanWriter<FilterRewriter<'p>>;
