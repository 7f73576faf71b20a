//! The state that a command looks at: of a dump, of a stopped node, of a running service.

use std::io::{BufWriter, Write};

use anyhow::{Context, Result};
use metadump::Line;
use metadump::node::LiveMachine;
use metadump::record::{Fact, LogId, SeqV};

use super::plan::not_a_record;
use super::service::{connect_options, tell};
use crate::args;
use crate::failure::Unwritten;
use crate::grpc::{ExportOptions, Failure, export, wait};
use crate::input::Source;
use crate::progress::Progress;
use crate::raft_dir::{Access, DirReader, FactSource, RaftDir};
use crate::report::{grouped, utc};
use crate::scanning::{Scanned, Threads, for_each_prepared};
use crate::temporary::TemporaryFile;

/// A state that can be read as often as is wanted.
pub enum State {
    /// Of a dump; that of a running service is one.
    Dump(Source),
    /// Of a data directory.
    Directory(Box<DirReader>, String),
}

/// Which moment a state is of.
#[derive(Debug, Clone, Copy, Default)]
pub struct AsOf {
    /// The last log entry that it holds.
    pub applied: Option<LogId>,
    /// How many entries the log has after it.
    pub later_entries: u64,
    /// When the last write to a key was proposed, in milliseconds since 1970.
    pub last_write_ms: Option<u64>,
}

impl State {
    /// Opens what the command line names; without a name, stdin.
    pub fn open(args: &args::State, progress: &Progress) -> Result<Self> {
        if let Some(dir) = &args.raft_dir {
            let reader = DirReader::open(&RaftDir::new(dir), Access::Stopped)?;
            return Ok(Self::Directory(Box::new(reader), dir.display().to_string()));
        }
        if !args.service.grpc_api_address.is_empty() {
            return exported(args, progress).map(Self::Dump);
        }
        Ok(Self::Dump(Source::open(args.dump.path()?)?))
    }

    /// The same, to be read more than once.
    pub fn repeatable(self, progress: &Progress) -> Result<Self> {
        match self {
            Self::Dump(source) => source.repeatable(progress).map(Self::Dump),
            directory => Ok(directory),
        }
    }

    /// The name for messages.
    pub fn name(&self) -> String {
        match self {
            Self::Dump(source) => source.name(),
            Self::Directory(_, name) => name.clone(),
        }
    }

    /// Calls `each` with what `prepare` makes of every key and its value, in order. Several threads
    /// prepare.
    pub fn for_each_key<T: Send>(
        &self,
        progress: &Progress,
        prepare: impl Fn(&str, &SeqV<'_>) -> T + Sync,
        mut each: impl FnMut(T) -> Result<()> + Send,
    ) -> Result<AsOf> {
        progress.phase("reading");
        let mut moment = Moment::default();
        match self {
            Self::Directory(reader, _) => {
                reader.for_each_fact(&mut |fact| {
                    moment.fact(fact);
                    let Fact::Key(key, value) = fact else { return Ok(()) };
                    progress.advance(1);
                    each(prepare(key, value))
                })?;
                reader.assert_unchanged()?;
            }
            Self::Dump(source) => {
                let name = source.name();
                let mut live = LiveMachine::default();
                let prepare = |scanned: &Scanned<'_>| match scanned.as_ref().ok()?.record.fact() {
                    Fact::Key(key, value) => Some(prepare(key, value)),
                    _ => None,
                };
                let each = |line: &Line<'_>, scanned: Scanned<'_>, prepared: Option<T>| {
                    let scanned = scanned.map_err(|error| not_a_record(&name, line, error))?;
                    let fact = scanned.record.fact();
                    if !live.has(scanned.tree(), &fact)? {
                        return Ok(());
                    }
                    moment.fact(&fact);
                    prepared.map_or(Ok(()), &mut each)
                };
                for_each_prepared(source, Threads::of_flag(None), progress, prepare, each)?;
            }
        }
        progress.finish();
        Ok(moment.as_of())
    }
}

/// What a running service exports, in a file of our own.
fn exported(args: &args::State, progress: &Progress) -> Result<Source> {
    let connect = connect_options(&args.service)?;
    let mut file = TemporaryFile::create("metactl-", ".ndjson", None)
        .context("cannot create a temporary file")?;
    let unwritten = |error| Unwritten::of(error, "cannot write a temporary file".to_owned(), None);
    let mut lines = BufWriter::new(&mut file);
    progress.phase("exporting");
    let options = ExportOptions::default();
    let exported =
        wait(export(&connect, &options, &mut |note| tell(note, progress), &mut |line| {
            progress.advance(line.len() as u64 + 1);
            lines.write_all(line.as_bytes()).map_err(unwritten)?;
            lines.write_all(b"\n").map_err(unwritten)
        }))?
        .map_err(Failure::explained)?;
    lines.flush().map_err(unwritten)?;
    drop(lines);
    Source::of_temporary(exported.address.to_string(), file)
}

/// Finds out which moment a state is of.
#[derive(Debug, Default)]
struct Moment {
    applied: Option<LogId>,
    last_entry: Option<LogId>,
    last_write_ms: Option<u64>,
}

impl Moment {
    fn fact(&mut self, fact: &Fact<'_>) {
        match fact {
            Fact::LastApplied(applied) => self.applied = Some(*applied),
            Fact::Entry(entry) => self.last_entry = Some(entry.log_id),
            Fact::Key(_, value) => {
                let proposed = value.meta.and_then(|meta| meta.proposed_at_ms);
                self.last_write_ms = self.last_write_ms.max(proposed);
            }
            _ => {}
        }
    }

    fn as_of(&self) -> AsOf {
        let index = |id: Option<LogId>| id.map_or(0, |id| id.index);
        let later_entries = index(self.last_entry).saturating_sub(index(self.applied));
        AsOf { applied: self.applied, later_entries, last_write_ms: self.last_write_ms }
    }
}

impl AsOf {
    /// `as of T1-N1.80, 2026-11-28 14:28:47 UTC; 15 later log entries are not applied`.
    pub fn describe(&self) -> String {
        let at = self.last_write_ms.map_or_else(String::new, |ms| format!(", {}", utc(ms)));
        let moment = match self.applied {
            Some(applied) => format!("as of {applied}{at}"),
            None => format!("as of no log entry{at}"),
        };
        match self.later_entries {
            0 => moment,
            1 => format!("{moment}; 1 later log entry is not applied"),
            later => format!("{moment}; {} later log entries are not applied", grouped(later)),
        }
    }
}
