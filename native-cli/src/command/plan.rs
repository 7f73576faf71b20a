//! Planning a rewrite: reading a dump twice, and showing exactly which lines change.

mod changes;
mod refusal;

use std::io::{self, BufWriter, Write};

use anyhow::{Context, Result};
use metadump::check::Code;
use metadump::check::{Evidence, Inspection, Requirement};
use metadump::rewrite::{Disposition, LinePlan, LineRewriter, Plan, Planner, Request};
use metadump::scan::{ScannedLine, envelope, scan_line};
use metadump::{Line, Report};
use serde::Serialize;

use self::refusal::not_written;
pub use self::refusal::{BEHIND_KEYS, foreign, no_record, not_a_record, with_help};
use super::first_reading::FirstReading;
use crate::failure::{Unwritten, WithHelp};
use crate::input::Source;
use crate::manifest::evidence;
use crate::progress::Progress;
use crate::report::plural;
use crate::scanning::{Scanned, Threads};
use crate::temporary::{ROOM, TemporaryFile};

/// What takes the text of a dump, piece by piece.
type PieceSink<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

/// A dump that can be read several times.
pub struct Reading {
    source: Source,
    name: String,
}

impl Reading {
    /// The source itself, or a copy of what comes as a stream in a private temporary file.
    pub fn of(source: &Source, progress: &Progress) -> Result<Self> {
        Ok(Self { source: source.repeatable(progress)?, name: source.name() })
    }

    /// A dump that is made of this one, in a file of our own: what proves this one complete proves it,
    /// too.
    ///
    /// # Errors
    ///
    /// When the file cannot be written, and the error of `write`.
    pub fn made(&self, write: impl FnOnce(&mut PieceSink<'_>) -> Result<()>) -> Result<Self> {
        Self::in_file(&self.name, evidence(&self.source).of_made(), write)
    }

    /// What a node has, as a dump in a file of our own.
    ///
    /// # Errors
    ///
    /// When the file cannot be written, and the error of `write`.
    pub fn of_node(
        name: &str,
        write: impl FnOnce(&mut PieceSink<'_>) -> Result<()>,
    ) -> Result<Self> {
        Self::in_file(name, Evidence::Held { lost: Vec::new() }, write)
    }

    fn in_file(
        name: &str,
        evidence: Evidence,
        write: impl FnOnce(&mut PieceSink<'_>) -> Result<()>,
    ) -> Result<Self> {
        let mut dump = TemporaryFile::create("metactl-", ".ndjson", None)
            .context("cannot create a temporary file")
            .help(ROOM)?;
        let unwritten = |error: io::Error| {
            Unwritten::of(error, "cannot write a temporary file".to_owned(), None)
        };
        let mut lines = BufWriter::with_capacity(1 << 20, &mut dump);
        write(&mut |bytes| lines.write_all(bytes).map_err(unwritten))?;
        lines.flush().map_err(unwritten)?;
        drop(lines);
        let name = name.to_owned();
        let source = Source::of_temporary(name.clone(), dump)?.with_evidence(evidence);
        Ok(Self { source, name })
    }

    /// What can be read several times.
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// The name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A plan, and what is known of the dump that it is for.
pub struct Planned<P = Plan> {
    /// What is to be done.
    pub plan: P,
    /// What was found in the dump.
    pub report: Report,
    checksum: u32,
    strays: Strays,
    /// How many lines are dropped.
    dropped: u64,
}

/// A dump that was read for a plan.
pub struct Inspected {
    /// What was found in it.
    pub report: Report,
    checksum: u32,
    strays: Strays,
    dropped: u64,
}

/// How many lines a rewrite changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LineChanges {
    /// Lines that go.
    pub removed: u64,
    /// Lines that come.
    pub added: u64,
    /// Lines that stay as they are.
    pub unchanged: u64,
}

/// What becomes of lines that are no records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strays {
    /// Nothing is planned: what they hold would be lost or misplaced.
    Refused,
    /// They are dropped, as by an import that accepts them.
    Dropped,
}

impl Planned {
    /// Reads the dump and plans the rewrite.
    ///
    /// # Errors
    ///
    /// When a line is no record: what it holds would be lost or misplaced.
    pub fn new(reading: &Reading, request: Request, progress: &Progress) -> Result<Self> {
        Self::with(reading, request, Strays::Refused, progress)
    }

    /// The same for a dump that an import lets in, whatever is wrong with it.
    pub fn of_admitted(reading: &Reading, request: Request, progress: &Progress) -> Result<Self> {
        Self::with(reading, request, Strays::Dropped, progress)
    }

    fn with(
        reading: &Reading,
        request: Request,
        strays: Strays,
        progress: &Progress,
    ) -> Result<Self> {
        let mut planner = Planner::new(request);
        let inspected = Inspected::of(
            reading,
            strays,
            Requirement::Optional,
            progress,
            |_| (),
            |line, scanned, ()| {
                planner.line(line, scanned);
            },
        )?;
        let mut plan = planner.finish().map_err(with_help)?;
        if plan.needs_keys() {
            reading.source.for_each_line(progress, |line| {
                if let Ok(scanned) = scan_line(line.bytes) {
                    plan.learn(&scanned);
                }
                Ok(())
            })?;
        }
        Ok(Self::of(plan, inspected))
    }
}

impl Inspected {
    /// Reads a dump, calling `each` with every record and with what `prepare` makes of it on the
    /// thread that scans it.
    ///
    /// # Errors
    ///
    /// When a line is no record, or the dump is not the one that its manifest describes.
    pub fn of_records<T: Send>(
        reading: &Reading,
        manifest: Requirement,
        progress: &Progress,
        prepare: impl Fn(&ScannedLine<'_>) -> T + Sync,
        each: impl FnMut(&Line<'_>, &ScannedLine<'_>, T) + Send,
    ) -> Result<Self> {
        Self::of(reading, Strays::Refused, manifest, progress, prepare, each)
    }

    fn of<T: Send>(
        reading: &Reading,
        strays: Strays,
        manifest: Requirement,
        progress: &Progress,
        prepare: impl Fn(&ScannedLine<'_>) -> T + Sync,
        mut each: impl FnMut(&Line<'_>, &ScannedLine<'_>, T) + Send,
    ) -> Result<Self> {
        progress.phase("planning");
        let mut dropped = 0;
        let mut refusal = None;
        let make = |_: &Line<'_>, scanned: &Scanned<'_>| scanned.as_ref().ok().map(&prepare);
        let each = |_: &mut Inspection, line: &Line<'_>, scanned: &Scanned<'_>, made: Option<T>| {
            match (scanned, made) {
                (Ok(scanned), Some(made)) => each(line, scanned, made),
                (Err(_), _) if strays == Strays::Dropped => dropped += 1,
                // The rest is read all the same: it says whether the file is a dump at all.
                (Err(error), _) if refusal.is_none() => {
                    refusal = Some(not_a_record(&reading.name, line, error.clone()));
                }
                _ => {}
            }
            Ok(())
        };
        let first = FirstReading {
            source: &reading.source,
            requirement: manifest,
            threads: Threads::of_flag(None),
            progress,
        };
        let (report, checksum) = first.inspect_and_sum(make, each)?;
        if report.summary.lines == 0 {
            return Err(no_record(&reading.name));
        }
        if let Some(refusal) = refusal {
            return Err(foreign(&reading.name, &report).unwrap_or(refusal));
        }
        if strays == Strays::Refused
            && let Some(count) = report.findings.counts().get(&Code::ManifestMismatch)
        {
            return Err(anyhow::anyhow!(
                "{} is not the dump that its manifest describes ({})",
                reading.name,
                plural(*count, "difference")
            ))
            .help("`databend-metactl validate` shows the differences; fetch the dump again");
        }
        Ok(Self { report, checksum, strays, dropped })
    }
}

impl<P: LinePlan> Planned<P> {
    /// A plan for a dump that was read.
    pub fn of(plan: P, inspected: Inspected) -> Self {
        let Inspected { report, checksum, strays, dropped } = inspected;
        Self { plan, report, checksum, strays, dropped }
    }

    /// The same with another plan, for what was read.
    pub fn map<Q: LinePlan>(self, plan: impl FnOnce(P) -> Q) -> Planned<Q> {
        let Self { plan: from, report, checksum, strays, dropped } = self;
        Planned { plan: plan(from), report, checksum, strays, dropped }
    }

    /// Reads the dump once more and rewrites it: `each` gets a line, what is written in front of
    /// it, and what becomes of it; what follows the last line is returned.
    ///
    /// # Errors
    ///
    /// When the dump is not the same any more, or the error of `each`.
    pub fn rewrite(
        &self,
        reading: &Reading,
        progress: &Progress,
        mut each: impl FnMut(&Line<'_>, &[u8], Disposition) -> Result<()>,
    ) -> Result<Vec<u8>> {
        let mut rewriter = self.plan.rewriter();
        let mut before = Vec::new();
        let mut hasher = crc32fast::Hasher::new();
        reading.source.for_each_line(progress, |line| {
            hash_line(&mut hasher, &line);
            if self.strays == Strays::Refused {
                let disposition = rewriter
                    .take(&line, &mut before)
                    .map_err(|error| not_written(&reading.name, error))?;
                return each(&line, &before, disposition);
            }
            // What is no record goes, whatever its kind says.
            let Ok(scanned) = scan_line(line.bytes) else {
                return each(&line, &[], Disposition::Drop);
            };
            let passes = envelope(line.bytes).is_some_and(|seen| rewriter.passes(&line, &seen));
            if passes {
                rewriter.pass(&line);
                return each(&line, &[], Disposition::Keep);
            }
            before.clear();
            let disposition = rewriter.line(&line, &scanned, &mut before)?;
            each(&line, &before, disposition)
        })?;
        anyhow::ensure!(
            hasher.finalize() == self.checksum,
            "{} has changed while it was read",
            reading.name
        );
        before.clear();
        rewriter.finish(&mut before)?;
        Ok(before)
    }

    /// Hands on the bytes of the dump as it becomes.
    ///
    /// # Errors
    ///
    /// As [`Planned::rewrite`].
    pub fn for_each_piece(
        &self,
        reading: &Reading,
        progress: &Progress,
        each: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let tail = self.rewrite(reading, progress, |line, before, disposition| {
            each(before)?;
            if disposition == Disposition::Keep {
                each(line.bytes)?;
                each(if line.terminated { b"\n" } else { b"" })?;
            }
            Ok(())
        })?;
        each(&tail)
    }

    /// How many lines go, come and stay.
    ///
    /// # Errors
    ///
    /// As [`Planned::rewrite`].
    pub fn count_changes(&self, reading: &Reading, progress: &Progress) -> Result<LineChanges> {
        progress.phase("comparing");
        let mut lines = LineChanges::default();
        let count = |text: &[u8]| memchr::memchr_iter(b'\n', text).count() as u64;
        let tail = self.rewrite(reading, progress, |_, before, disposition| {
            match disposition {
                Disposition::Keep => lines.unchanged += 1,
                Disposition::Drop => lines.removed += 1,
            }
            lines.added += count(before);
            Ok(())
        })?;
        lines.added += count(&tail);
        progress.finish();
        Ok(lines)
    }
}

pub(super) fn hash_line(hasher: &mut crc32fast::Hasher, line: &Line<'_>) {
    hasher.update(line.bytes);
    hasher.update(if line.terminated { b"\n" } else { b"" });
}
