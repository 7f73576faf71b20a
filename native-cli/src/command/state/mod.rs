//! The state that a command looks at: of a dump, of a stopped node, of a running service; at which
//! moment.

mod exported;
mod facts;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use metadump::check::Requirement;
use metadump::difference::BesideKeys;
use metadump::moment::{AsOf, At, Moment, MomentError, Replay, ReplayError, Replayed, Survey};
use metadump::node::KeysLast;
use metadump::record::{DataVersion, Fact, SeqV};
use metadump::scan::log_id;

use self::facts::for_each_fact_of_line;
use super::plan::{Inspected, Reading, Strays, no_record};
use super::service::connect_options;
use crate::args;
use crate::dump_writer::now_ms;
use crate::failure::{Usage, WithHelp};
use crate::input::Source;
use crate::manifest::evidence;
use crate::progress::Progress;
use crate::raft_dir::{Access, DirReader, FactSource, RaftDir};

pub use exported::exported;

/// A state at a moment. It can be read as often as is wanted.
pub struct State {
    origin: StateSource,
    moment: Moment,
    /// What it has beside keys, as of the snapshot, and the log.
    beside: BesideKeys,
    /// Whether what should be known of a directory is said with its keys.
    has_remarks: bool,
    /// Whether it was said what the manifest of a dump has against it.
    has_objected: AtomicBool,
    /// What becomes of lines that are no records.
    strays: Strays,
}

/// What the state is of.
enum StateSource {
    /// A dump; that of a running service is one.
    Dump(Source),
    /// A data directory.
    Directory(Box<DirReader>, String),
}

/// Ends a reading early.
#[derive(Debug, thiserror::Error)]
#[error("enough is read")]
struct Enough;

impl State {
    /// Opens what the command line names; without a name, stdin.
    pub fn open(args: &args::State, progress: &Progress) -> Result<Self> {
        Self::open_at(&args.origin, args.at.unwrap_or_default(), progress)
    }

    /// The same at a moment.
    pub fn open_at(args: &args::Origin, at: At, progress: &Progress) -> Result<Self> {
        let origin = if let Some(dir) = &args.raft_dir {
            return Self::of_directory(dir, at, progress);
        } else if args.service.grpc_api_address.is_empty() {
            StateSource::Dump(Source::open(args.dump.name()?.as_ref())?.repeatable(progress)?)
        } else {
            StateSource::Dump(exported(&connect_options(&args.service, progress)?, progress)?)
        };
        Self::of(origin, at, progress)
    }

    /// The state of a dump that can be read several times.
    pub fn of_dump(source: Source, at: At, progress: &Progress) -> Result<Self> {
        Self::of(StateSource::Dump(source), at, progress)
    }

    /// The state of a stopped node's data directory.
    pub fn of_directory(dir: &Path, at: At, progress: &Progress) -> Result<Self> {
        let reader = DirReader::open(&RaftDir::new(dir), Access::Stopped)?;
        Self::of_reader(reader, dir, at, progress)
    }

    /// The same of one that is read already.
    pub fn of_reader(reader: DirReader, dir: &Path, at: At, progress: &Progress) -> Result<Self> {
        let origin = StateSource::Directory(Box::new(reader), dir.display().to_string());
        Self::of(origin, at, progress)
    }

    /// The state of a dump that may be damaged: lines that are no records are left out. Where the dump
    /// does not say what the log goes on from, the state is what stands in it, without the log, and that
    /// is the reason given.
    ///
    /// # Errors
    ///
    /// When the dump cannot be read.
    pub fn of_rest(
        source: Source,
        at: At,
        progress: &Progress,
    ) -> Result<(Self, Option<MomentError>)> {
        let mut state = Self::unplaced(StateSource::Dump(source), Strays::Dropped);
        let (mut survey, mut beside) = (Survey::new(at, now_ms()), BesideKeys::default());
        state.for_each_fact(progress, survey.needs_keys(), |fact| {
            survey.learn(fact);
            beside.learn(fact);
            Ok(())
        })?;
        state.beside = beside;
        Ok(match survey.finish() {
            Ok(moment) => (Self { moment, ..state }, None),
            Err(error) => (state, Some(error)),
        })
    }

    fn unplaced(origin: StateSource, strays: Strays) -> Self {
        let has_objected = AtomicBool::new(false);
        let (moment, beside) = (Moment::default(), BesideKeys::default());
        Self { origin, moment, beside, has_remarks: true, has_objected, strays }
    }

    fn of(origin: StateSource, at: At, progress: &Progress) -> Result<Self> {
        let mut state = Self::unplaced(origin, Strays::Refused);
        let (mut survey, mut beside) = (Survey::new(at, now_ms()), BesideKeys::default());
        let (needs_keys, mut is_empty) = (survey.needs_keys(), true);
        let read = state.for_each_fact(progress, needs_keys, |fact| {
            is_empty = false;
            survey.learn(fact);
            beside.learn(fact);
            Ok(())
        });
        if let (Err(_), true, StateSource::Dump(source)) = (&read, is_empty, &state.origin) {
            let reading = Reading::of(source, progress)?;
            // The whole of it says what it is in place of a dump.
            let no_record = Inspected::of_records(
                &reading,
                Requirement::Optional,
                progress,
                |_| (),
                |_, _, ()| {},
            );
            no_record?;
        }
        read?;
        if is_empty {
            return Err(no_record(&state.name()));
        }
        state.beside = beside;
        state.moment = survey.finish().map_err(|error| state.has_no_moment(&error))?;
        if let StateSource::Directory(reader, _) = &state.origin {
            state.moment.version = Some(reader.version());
        }
        Ok(state)
    }

    /// That there is no state of a moment.
    pub fn has_no_moment(&self, error: &MomentError) -> anyhow::Error {
        let help = match error {
            MomentError::NoState { .. } => "the dump has lost its state machine: fetch it again",
            _ => "--at names an entry or a time between the snapshot and the end of the log",
        };
        Usage::error(format!("{}: {error}", self.name()), help)
    }

    /// The same without what should be known of a directory, which was said before.
    #[must_use]
    pub fn without_remarks(self) -> Self {
        Self { has_remarks: false, ..self }
    }

    /// The moment.
    pub const fn moment(&self) -> Moment {
        self.moment
    }

    /// What it has beside keys, as of the snapshot, and the log.
    pub const fn beside_keys(&self) -> &BesideKeys {
        &self.beside
    }

    /// The data version of the releases whose rules apply the log.
    pub const fn version(&self) -> Option<DataVersion> {
        self.moment.version
    }

    /// The same by the rules of the releases of another version, which wrote the log.
    pub const fn by_rules_of(mut self, version: Option<DataVersion>) -> Self {
        self.moment.version = version;
        self
    }

    /// The name for messages.
    pub fn name(&self) -> String {
        match &self.origin {
            StateSource::Dump(source) => source.name(),
            StateSource::Directory(_, name) => name.clone(),
        }
    }

    /// Calls `each` with every fact of the node. Without keys the reading may end where those begin.
    pub fn for_each_fact(
        &self,
        progress: &Progress,
        with_keys: bool,
        each: impl FnMut(&Fact<'_>) -> Result<()> + Send,
    ) -> Result<()> {
        self.for_each_wanted_fact(progress, with_keys, |_| true, each)
    }

    /// The same without keys, and mostly without the entries of the log that have no part in the way to
    /// the moment: what they are was seen when the state was opened.
    fn for_each_fact_on_the_way(
        &self,
        progress: &Progress,
        each: impl FnMut(&Fact<'_>) -> Result<()> + Send,
    ) -> Result<()> {
        let moment = self.moment;
        let wanted = |line: &[u8]| log_id(line).is_none_or(|entry| moment.applies(entry));
        self.for_each_wanted_fact(progress, false, wanted, each)
    }

    fn for_each_wanted_fact(
        &self,
        progress: &Progress,
        with_keys: bool,
        wanted: impl Fn(&[u8]) -> bool + Sync,
        mut each: impl FnMut(&Fact<'_>) -> Result<()> + Send,
    ) -> Result<()> {
        let mut keys_last = KeysLast::default();
        let mut each = |fact: &Fact<'_>| {
            // What stands behind keys is refused where these are read.
            let _ = keys_last.fact(fact);
            if keys_last.has_begun() && !with_keys {
                return Err(Enough.into());
            }
            each(fact)
        };
        let read = match &self.origin {
            StateSource::Directory(reader, _) => reader.for_each_fact(&mut each),
            StateSource::Dump(source) => {
                let each = |fact: &Fact<'_>, ()| each(fact);
                let read =
                    for_each_fact_of_line(source, self.strays, progress, wanted, |_| (), each);
                read.map(|bytes| self.object(source, bytes, progress))
            }
        };
        match read {
            Err(error) if error.is::<Enough>() => Ok(()),
            read => read,
        }
    }

    /// Calls `each` with every key and its value, in order, and with what `prepare` makes of them.
    /// Several threads prepare, thousands of keys ahead.
    pub fn for_each_key<T: Send>(
        &self,
        progress: &Progress,
        prepare: impl Fn(&str, &SeqV<'_>) -> T + Sync,
        each: impl FnMut(&str, &SeqV<'_>, T) -> Result<()> + Send,
    ) -> Result<AsOf> {
        let replayed = self.replay(progress)?;
        self.for_each_key_of(replayed, progress, prepare, each)
    }

    /// The same with what the log made of the snapshot, as [`replay`](Self::replay) gave it.
    pub fn for_each_key_of<T: Send>(
        &self,
        mut replayed: Option<Replayed>,
        progress: &Progress,
        prepare: impl Fn(&str, &SeqV<'_>) -> T + Sync,
        mut each: impl FnMut(&str, &SeqV<'_>, T) -> Result<()> + Send,
    ) -> Result<AsOf> {
        let mut as_of = AsOf::from(self.moment);
        if let Some(replayed) = &replayed {
            as_of.learn(replayed);
        }
        progress.phase("reading");
        let mut record = |key: &str, record: &SeqV<'_>, prepared: T| {
            if let Some(Replayed { keys, .. }) = &mut replayed {
                keys.up_to(Some(key), |key, record| each(key, record, prepare(key, record)))?;
                if keys.replaces(key) {
                    return Ok(());
                }
            }
            let proposed = record.meta.and_then(|meta| meta.proposed_at_ms);
            as_of.last_write_ms = as_of.last_write_ms.max(proposed);
            each(key, record, prepared)
        };
        self.for_each_prepared_fact(
            progress,
            |line| log_id(line).is_none(),
            of_key(&prepare),
            |fact, prepared| match (fact, prepared) {
                (Fact::Key(key, value), Some(prepared)) => record(key, value, prepared),
                _ => Ok(()),
            },
        )?;
        if let Some(Replayed { keys, .. }) = &mut replayed {
            keys.up_to(None::<&str>, |key, record| each(key, record, prepare(key, record)))?;
        }
        progress.finish();
        Ok(as_of)
    }

    /// The same in any order, which takes one reading less: those that the log reaches come last.
    pub fn for_each_key_in_any_order<T: Send>(
        &self,
        progress: &Progress,
        prepare: impl Fn(&str, &SeqV<'_>) -> T + Sync,
        mut each: impl FnMut(&str, &SeqV<'_>, T) -> Result<()> + Send,
    ) -> Result<AsOf> {
        if self.moment.until.is_none() {
            return self.for_each_key(progress, prepare, each);
        }
        let mut replay = self.reach(progress)?;
        self.for_each_key_before_log(
            &mut replay,
            progress,
            &prepare,
            |key, value, is_reached, prepared| {
                if is_reached { Ok(()) } else { each(key, value, prepared) }
            },
        )?;
        self.apply(progress, |fact| replay.apply(fact).map(drop))?;
        for (key, record) in replay.reached() {
            each(&key, &record, prepare(&key, &record))?;
        }
        let mut as_of = AsOf::from(self.moment);
        as_of.learn(&self.finished(replay)?);
        progress.finish();
        Ok(as_of)
    }

    /// Calls `each` with every key of the snapshot, which a replay loads on the way, with whether the
    /// log reaches it, and with what `prepare` makes of it.
    pub fn for_each_key_before_log<T: Send>(
        &self,
        replay: &mut Replay,
        progress: &Progress,
        prepare: impl Fn(&str, &SeqV<'_>) -> T + Sync,
        mut each: impl FnMut(&str, &SeqV<'_>, bool, T) -> Result<()> + Send,
    ) -> Result<()> {
        progress.phase("reading");
        self.for_each_prepared_fact(progress, self.loaded(), of_key(prepare), |fact, prepared| {
            let is_reached = replay.load(fact);
            match (fact, prepared) {
                (Fact::Key(key, value), Some(prepared)) => each(key, value, is_reached, prepared),
                _ => Ok(()),
            }
        })
    }

    /// Calls `each` with every fact, and with what `prepare` makes of it. Several threads prepare. Lines
    /// of a dump that are not `wanted` are passed over: of entries of the log it was seen when the state
    /// was opened what they are.
    fn for_each_prepared_fact<T: Send>(
        &self,
        progress: &Progress,
        wanted: impl Fn(&[u8]) -> bool + Sync,
        prepare: impl Fn(&Fact<'_>) -> Option<T> + Sync,
        mut each: impl FnMut(&Fact<'_>, Option<T>) -> Result<()> + Send,
    ) -> Result<()> {
        match &self.origin {
            StateSource::Directory(reader, _) => {
                reader.for_each_fact(&mut |fact| {
                    progress.advance(1);
                    each(fact, prepare(fact))
                })?;
                reader.assert_unchanged()?;
                if self.has_remarks {
                    let remarks = reader.remarks(DataVersion::V004);
                    remarks.iter().for_each(|remark| progress.say(remark));
                }
                Ok(())
            }
            StateSource::Dump(source) => {
                let bytes =
                    for_each_fact_of_line(source, self.strays, progress, wanted, prepare, each)?;
                self.object(source, bytes, progress);
                Ok(())
            }
        }
    }

    /// Says once what the manifest of a dump has against it.
    fn object(&self, source: &Source, bytes: u64, progress: &Progress) {
        if let Some(objection) = evidence(source).objection(bytes)
            && !self.has_objected.swap(true, Ordering::Relaxed)
        {
            progress.say(&format!(
                "warning: {}: {objection}; `databend-metactl validate` says what is wrong",
                source.name()
            ));
        }
    }

    /// What the entries that lead from the snapshot to the moment make of it; none when there are
    /// none.
    pub fn replay(&self, progress: &Progress) -> Result<Option<Replayed>> {
        if self.moment.until.is_none() {
            return Ok(None);
        }
        self.replayed(progress).map(Some)
    }

    fn replayed(&self, progress: &Progress) -> Result<Replayed> {
        let mut replay = self.reach(progress)?;
        self.for_each_wanted_fact(progress, true, self.loaded(), |fact| {
            replay.load(fact);
            Ok(())
        })?;
        self.apply(progress, |fact| replay.apply(fact).map(drop))?;
        self.finished(replay)
    }

    /// Whether a line matters to a replay that loads the snapshot.
    const fn loaded(&self) -> impl Fn(&[u8]) -> bool + Sync + use<> {
        let moment = self.moment;
        move |line| log_id(line).is_none_or(|entry| moment.looks_at(entry))
    }

    /// What a replay made of the snapshot.
    pub fn finished(&self, replay: Replay) -> Result<Replayed> {
        replay
            .finish()
            .with_context(|| format!("{}: there is no state of that moment", self.name()))
            .help("--at names an entry or a time between the snapshot and the end of the log")
    }

    /// The same at the end of its log, committed or not. The log is applied from its beginning, where it
    /// has that and leads to the snapshot.
    #[must_use]
    pub fn at_log_end(mut self, progress: &Progress) -> Self {
        let end = self.moment.log_end();
        let mut is_before_snapshot = false;
        if end.is_whole && end.applied.is_some() {
            self.moment = end.from_beginning();
            is_before_snapshot = self.replayed(progress).is_ok();
        }
        Self { moment: Moment { is_before_snapshot, ..end }, ..self }
    }

    /// The last sequence number at the moment.
    pub fn sequence(&self, progress: &Progress) -> Result<u64> {
        Ok(self.replayed(progress)?.system.sequence)
    }

    /// The last sequence number that the log leads to, committed or not.
    pub fn last_sequence(mut self, progress: &Progress) -> Result<u64> {
        self.moment = self.moment.log_end();
        self.sequence(progress)
    }

    /// A replay to the moment that knows what its entries reach.
    pub fn reach(&self, progress: &Progress) -> Result<Replay> {
        progress.phase("reading the log");
        let mut replay = Replay::new(self.moment);
        self.for_each_fact_on_the_way(progress, |fact| {
            replay.reach(fact);
            Ok(())
        })?;
        Ok(replay)
    }

    /// Hands the log to what applies it.
    pub fn apply(
        &self,
        progress: &Progress,
        mut apply: impl FnMut(&Fact<'_>) -> Result<(), ReplayError> + Send,
    ) -> Result<()> {
        progress.phase("applying the log");
        let name = self.name();
        self.for_each_fact_on_the_way(progress, |fact| {
            let Err(error) = apply(fact) else { return Ok(()) };
            let help = match error {
                ReplayError::Lacking(_) => {
                    "`databend-metactl rewrite --repair snapshot` makes the state claim what it \
                     holds; --at snapshot takes it without the log"
                }
                _ => "--at snapshot takes the state without the log",
            };
            Err(anyhow::Error::new(error))
                .with_context(|| format!("{name}: the log cannot be applied"))
                .help(help)
        })
    }
}

/// What is made of a key, of a fact that is one.
fn of_key<T>(
    prepare: impl Fn(&str, &SeqV<'_>) -> T + Sync,
) -> impl Fn(&Fact<'_>) -> Option<T> + Sync {
    move |fact| match fact {
        Fact::Key(key, value) => Some(prepare(key, value)),
        _ => None,
    }
}
