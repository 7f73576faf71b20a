//! Which lines a plan changes, for people.

use std::io::Write;

use anyhow::Result;
use metadump::rewrite::{Disposition, LinePlan};

use super::{Planned, Reading};
use crate::progress::Progress;
use crate::report::{plural, printable, state_in_log};

/// How many changed lines are shown.
const MOST_SHOWN: u64 = 200;

/// How much of a line is shown.
const SHOWN_CHARS: usize = 240;

impl<P: LinePlan> Planned<P> {
    /// Prints what changes: in words, then each line that goes (`-`) and comes (`+`).
    pub fn print_changes(
        &self,
        reading: &Reading,
        out: &mut impl Write,
        progress: &Progress,
    ) -> Result<()> {
        progress.phase("comparing");
        // Nothing is printed before the bar is gone.
        let mut lines = Vec::new();
        self.write_changes(reading, &mut lines, progress)?;
        progress.finish();
        Ok(out.write_all(&lines)?)
    }

    fn write_changes(
        &self,
        reading: &Reading,
        out: &mut Vec<u8>,
        progress: &Progress,
    ) -> Result<()> {
        if self.dropped > 0 {
            let lines = plural(self.dropped, "line");
            writeln!(out, "{lines} dropped, which no record can be read from")?;
        }
        if let Some(said) = state_in_log(&self.report.summary) {
            writeln!(out, "{said}")?;
        }
        if self.dropped == 0 || !self.plan.is_empty() {
            for change in self.plan.describe() {
                writeln!(out, "{}", printable(&change))?;
            }
        }
        writeln!(out)?;
        let mut shown = Shown { out, count: 0 };
        let mut unchanged = 0_u64;
        let tail = self.rewrite(reading, progress, |line, before, disposition| {
            match disposition {
                Disposition::Keep => unchanged += 1,
                Disposition::Drop => shown.line("-", line.number, line.bytes)?,
            }
            shown.added(line.number, before)
        })?;
        shown.added(self.report.summary.lines + 1, &tail)?;
        let Shown { out, count } = shown;
        if count > MOST_SHOWN {
            writeln!(out, "… and {} more", count - MOST_SHOWN)?;
        }
        let stay = if unchanged == 1 { "stays as it is" } else { "stay as they are" };
        Ok(writeln!(out, "{} {stay}", plural(unchanged, "line"))?)
    }
}

/// Prints changed lines, up to a number of them.
struct Shown<'o, W> {
    out: &'o mut W,
    count: u64,
}

impl<W: Write> Shown<'_, W> {
    fn added(&mut self, number: u64, lines: &[u8]) -> Result<()> {
        let mut lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.try_for_each(|line| self.line("+", number, line))
    }

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
