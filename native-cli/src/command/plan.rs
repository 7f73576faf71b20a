//! Planning a rewrite: reading a dump twice, and showing exactly which lines change.

use std::io::{self, Write};

use anyhow::{Context, Result};
use metadump::check::Code;
use metadump::rewrite::{Disposition, Plan, Planner, Request};
use metadump::scan::{ScannedLine, scan_line};
use metadump::{Checker, Line, Report};
use tempfile::NamedTempFile;

use crate::failure::WithHelp;
use crate::input::Source;
use crate::manifest::{Expected, Requirement};
use crate::progress::Progress;
use crate::report::printable;

/// How many changed lines are shown.
const MOST_SHOWN: u64 = 200;

/// How much of a line is shown.
const SHOWN_CHARS: usize = 240;

/// A dump that can be read several times.
pub struct Reading {
    source: Source,
    name: String,
    /// What came from stdin, until this is dropped.
    _spool: Option<NamedTempFile>,
}

impl Reading {
    /// The source itself, or a copy of what comes from stdin in a private temporary file.
    pub fn of(source: &Source, progress: &Progress) -> Result<Self> {
        let name = source.name();
        if *source != Source::Stdin {
            return Ok(Self { source: source.clone(), name, _spool: None });
        }
        let mut spool = NamedTempFile::new().context("cannot create a temporary file")?;
        io::copy(&mut source.open(progress)?, &mut spool).context("cannot copy stdin")?;
        let source = Source::File(spool.path().to_owned());
        Ok(Self { source, name, _spool: Some(spool) })
    }
}

/// A plan, and what is known of the dump that it is for.
pub struct Planned {
    /// What is to be done.
    pub plan: Plan,
    /// What was found in the dump.
    pub report: Report,
    checksum: u32,
}

impl Planned {
    /// Reads the dump and plans the rewrite.
    ///
    /// # Errors
    ///
    /// When a line is no record: what it holds would be lost or misplaced.
    pub fn new(reading: &Reading, request: Request, progress: &Progress) -> Result<Self> {
        progress.phase("planning");
        let mut checker = Checker::default();
        let mut expected = Expected::beside(&reading.source, Requirement::Optional);
        let mut planner = Planner::new(request);
        let mut hasher = crc32fast::Hasher::new();
        reading.source.for_each_line(progress, |line| {
            hash_line(&mut hasher, &line);
            let scanned = scan_line(line.bytes);
            checker.scanned(&line, &scanned);
            expected.line(&line, scanned.as_ref().ok());
            let scanned = scanned.map_err(|error| not_a_record(&reading.name, &line, &error))?;
            planner.line(&line, &scanned);
            Ok(())
        })?;
        let report = expected.finish(checker);
        if let Some(count) = report.findings.counts().get(&Code::ManifestMismatch) {
            return Err(anyhow::anyhow!(
                "{} is not the dump that its manifest describes ({count} differences)",
                reading.name
            ))
            .help("`databend-metactl validate` tells the differences; fetch the dump again");
        }
        let mut plan = planner.finish()?;
        let checksum = hasher.finalize();
        if plan.needs_keys() {
            reading.source.for_each_line(progress, |line| {
                if let Ok(scanned) = scan_line(line.bytes) {
                    plan.learn(&scanned);
                }
                Ok(())
            })?;
        }
        Ok(Self { plan, report, checksum })
    }

    /// Reads the dump once more, and fails when it is not the same any more.
    pub fn read_again(
        &self,
        reading: &Reading,
        progress: &Progress,
        mut each: impl FnMut(&Line<'_>, &ScannedLine<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut hasher = crc32fast::Hasher::new();
        reading.source.for_each_line(progress, |line| {
            hash_line(&mut hasher, &line);
            let scanned = scan_line(line.bytes)
                .map_err(|error| not_a_record(&reading.name, &line, &error))?;
            each(&line, &scanned)
        })?;
        anyhow::ensure!(
            hasher.finalize() == self.checksum,
            "{} has changed while it was read",
            reading.name
        );
        Ok(())
    }

    /// Prints what changes: in words, then each line that goes (`-`) and comes (`+`).
    pub fn print_changes(
        &self,
        reading: &Reading,
        out: &mut impl Write,
        progress: &Progress,
    ) -> Result<()> {
        progress.phase("comparing");
        for change in self.plan.changes().describe() {
            writeln!(out, "{}", printable(&change))?;
        }
        writeln!(out)?;
        let mut rewriter = self.plan.rewriter();
        let mut shown = Shown { out, count: 0 };
        let mut new = Vec::new();
        let mut unchanged = 0_u64;
        self.read_again(reading, progress, |line, scanned| {
            new.clear();
            match rewriter.line(line, scanned, &mut new)? {
                Disposition::Keep => unchanged += 1,
                Disposition::Drop => shown.line("-", line.number, line.bytes)?,
            }
            for added in new.split(|byte| *byte == b'\n').filter(|added| !added.is_empty()) {
                shown.line("+", line.number, added)?;
            }
            Ok(())
        })?;
        new.clear();
        rewriter.finish(&mut new)?;
        for added in new.split(|byte| *byte == b'\n').filter(|added| !added.is_empty()) {
            shown.line("+", self.report.summary.lines + 1, added)?;
        }
        let Shown { out, count } = shown;
        if count > MOST_SHOWN {
            writeln!(out, "… and {} more", count - MOST_SHOWN)?;
        }
        writeln!(out, "{unchanged} lines stay as they are")?;
        progress.finish();
        Ok(())
    }
}

/// Prints changed lines, up to a number of them.
struct Shown<'o, W> {
    out: &'o mut W,
    count: u64,
}

impl<W: Write> Shown<'_, W> {
    fn line(&mut self, sign: &str, number: u64, bytes: &[u8]) -> Result<()> {
        self.count += 1;
        if self.count > MOST_SHOWN {
            return Ok(());
        }
        let text = String::from_utf8_lossy(bytes);
        let cut: String = text.chars().take(SHOWN_CHARS).collect();
        let more = if cut.len() < text.len() { "…" } else { "" };
        writeln!(self.out, "{sign} {number}: {}{more}", printable(&cut))?;
        Ok(())
    }
}

fn not_a_record(name: &str, line: &Line<'_>, error: &metadump::scan::LineError) -> anyhow::Error {
    let at = line.offset_bytes.saturating_add(error.column());
    let failure: Result<()> =
        Err(anyhow::anyhow!("{name}, line {}, byte {at}: {error}", line.number))
            .help("`databend-metactl validate` lists everything that is wrong with the dump");
    failure.err().unwrap_or_else(|| anyhow::anyhow!("{error}"))
}

fn hash_line(hasher: &mut crc32fast::Hasher, line: &Line<'_>) {
    hasher.update(line.bytes);
    hasher.update(if line.terminated { b"\n" } else { b"" });
}
