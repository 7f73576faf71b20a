//! Other moments of a state whose objects were gathered, without another reading of the dump.

use std::collections::HashMap;

use super::browser::{Browser, Written};
use super::gathering::{FactReading, GatherError, add};
use super::owned::{KeyPlace, Owned};
use crate::dump::dump_line;
use crate::dump::frame::Line;
use crate::dump::record::{Fact, Kind, LogId};
use crate::dump::scan::{envelope, scan_line};
use crate::state::moment::{AsOf, At, Moment, Replay, Survey};
use crate::state::objects::Catalogue;

/// How many bytes of lines are kept.
const MOST_BYTES: usize = 32 << 20;

/// What a line takes beside its bytes.
const LINE_BYTES: usize = 32;

/// Lines that are neither keys nor of the expiry index: they say which moments there are, and lead to them.
#[derive(Debug, Default)]
pub(super) struct KeptLines {
    lines: Vec<(u64, Box<[u8]>)>,
    bytes: usize,
    has_more: bool,
}

impl KeptLines {
    pub(super) fn add(&mut self, line: &Line<'_>) {
        let kind = envelope(line.bytes).map(|seen| seen.kind);
        if matches!(kind, Some(Kind::GenericKV | Kind::Expire)) || self.has_more {
            return;
        }
        self.bytes += line.bytes.len() + LINE_BYTES;
        if self.bytes > MOST_BYTES || !line.is_whole() {
            *self = Self { has_more: true, ..Self::default() };
            return;
        }
        self.lines.push((line.number, line.bytes.into()));
    }

    /// Leaves out the entries that a snapshot holds.
    fn without_held(&mut self, applied: Option<LogId>) {
        let is_held = |line: &[u8]| {
            scan_line(line).is_ok_and(|scanned| match scanned.record.fact() {
                Fact::Entry(entry) => applied.is_some_and(|id| entry.log_id.index <= id.index),
                _ => false,
            })
        };
        self.lines.retain(|(_, line)| !is_held(line));
    }

    /// Hands on the facts, each with the number of its line.
    fn read(
        &self,
        mut each: impl FnMut(u64, &Fact<'_>) -> Result<(), GatherError>,
    ) -> Result<(), GatherError> {
        let mut reading = FactReading::new(false);
        for (number, text) in &self.lines {
            let line = Line::new(*number, 0, text, true);
            reading.line(&line, |fact| each(*number, fact))?;
        }
        Ok(())
    }
}

/// The entries that wrote a key: the lines of the first and of the last.
pub(super) type Writers = HashMap<String, (u64, u64)>;

/// Applies an entry, and takes note of what it writes.
pub(super) fn apply(
    replay: &mut Replay,
    writers: &mut Writers,
    line: u64,
    fact: &Fact<'_>,
) -> Result<(), GatherError> {
    let Some(applied) = replay.apply(fact)? else { return Ok(()) };
    for event in applied.events {
        if event.current.is_none() {
            writers.remove(&event.key);
        } else {
            writers.entry(event.key).or_insert((line, 0)).1 = line;
        }
    }
    Ok(())
}

/// The objects of what the log does not reach, and what it does, before the first entry is applied.
#[derive(Debug, Clone, Default)]
pub(super) struct Gathered {
    pub(super) catalogue: Catalogue,
    pub(super) owned: Owned,
    /// Where the records are in the dump that the log reaches.
    pub(super) reached: HashMap<String, u64>,
    /// How many lines are no records.
    pub(super) left_out: u64,
}

impl Gathered {
    /// With what the log made of the rest.
    pub(super) fn at(
        mut self,
        replay: &Replay,
        mut writers: Writers,
        as_of: AsOf,
        moment: Moment,
    ) -> Browser {
        let mut written = Vec::new();
        for (key, record) in replay.reached() {
            let place = match (writers.remove(&key), self.reached.get(&key)) {
                (None, Some(line)) => KeyPlace::Line(*line),
                (writers, _) => {
                    let (first_line, last_line) = writers.unwrap_or_default();
                    let mut text = Vec::new();
                    let fact_key = key.clone().into();
                    // A record of the key space always has a line.
                    let _ = dump_line::put_fact(&mut text, &Fact::Key(&fact_key, &record));
                    written.push(Written { text, first_line, last_line });
                    KeyPlace::Written(written.len() - 1)
                }
            };
            add(&mut self.catalogue, &mut self.owned, &key, &record, place);
        }
        let Self { catalogue, owned, left_out, .. } = self;
        Browser::new(catalogue.finish(), owned, written, as_of, moment, left_out)
    }
}

/// What another moment is made of: that up to which entries reach what is kept apart, and all before it
/// down to the snapshot.
#[derive(Debug)]
pub(super) struct Steps {
    pub(super) lines: KeptLines,
    pub(super) gathered: Gathered,
    /// Before the first entry is applied.
    pub(super) loaded: Replay,
    /// When the last write was proposed that no entry reaches.
    pub(super) last_write_ms: Option<u64>,
}

impl Steps {
    /// What another moment may be made of, if there is enough.
    pub(super) fn of(mut lines: KeptLines, loaded: Replay) -> Option<Self> {
        lines.without_held(loaded.moment().applied);
        (!lines.has_more && !loaded.moment().is_before_snapshot).then(|| Self {
            lines,
            gathered: Gathered::default(),
            loaded,
            last_write_ms: None,
        })
    }

    /// The objects at a moment; none where it takes a reading of the dump.
    ///
    /// # Errors
    ///
    /// When the log cannot be applied.
    pub(super) fn at(&self, at: At, now_ms: u64) -> Result<Option<Browser>, GatherError> {
        let mut survey = Survey::new(at, now_ms);
        // Times of keys are not kept.
        if survey.needs_keys() {
            return Ok(None);
        }
        self.lines.read(|_, fact| {
            survey.learn(fact);
            Ok(())
        })?;
        // Entries that the snapshot holds are not kept: whether there is such a moment, a reading says.
        let Ok(moment) = survey.finish() else { return Ok(None) };
        let moment = Moment { is_whole: self.loaded.moment().is_whole, ..moment };
        if moment.is_before_snapshot || moment.until > self.loaded.moment().until {
            return Ok(None);
        }
        let mut replay = self.loaded.to(moment);
        let mut writers = Writers::new();
        let mut as_of = AsOf::from(moment);
        if moment.until.is_some() {
            self.lines.read(|line, fact| apply(&mut replay, &mut writers, line, fact))?;
            as_of.learn_position(&replay);
        } else {
            let proposed = |record: &crate::dump::record::SeqV<'_>| record.meta?.proposed_at_ms;
            let reached = replay.reached().filter_map(|(_, record)| proposed(&record)).max();
            as_of.last_write_ms = self.last_write_ms.max(reached);
        }
        Ok(Some(self.gathered.clone().at(&replay, writers, as_of, moment)))
    }
}
