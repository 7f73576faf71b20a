//! Prints how two states differ.

use std::io::{BufWriter, Write};

use anyhow::Result;
use metadump::difference::{
    Change, ComparedState, KeyLine, KindCounts, ObjectDifference, ObjectDifferences, ObjectLine,
    StatesLine, SummaryLine, SystemDifference,
};
use metadump::record::SeqV;
use metadump::value::{MASKED, Secrets, Stored};

use crate::args::Format;
use crate::report::{grouped, json_line, printable, utc};
use crate::stdout::{Stdout, stdout};
use crate::table::{Column, print_table};

/// Prints differences.
pub struct Printer {
    out: BufWriter<Stdout>,
    format: Format,
    secrets: Secrets,
    /// How many credentials are masked.
    masked: u64,
}

impl Printer {
    /// Prints to stdout.
    pub fn new(format: Format, secrets: Secrets) -> Self {
        Self { out: BufWriter::new(stdout()), format, secrets, masked: 0 }
    }

    /// Ends the output; gives how many credentials are masked.
    pub fn finish(mut self) -> Result<u64> {
        self.out.flush()?;
        Ok(self.masked)
    }

    /// Prints which states are compared, and how what they have beside keys differs; none when that
    /// is left out.
    pub fn states(
        &mut self,
        before: &ComparedState,
        after: &ComparedState,
        system: Option<&SystemDifference>,
    ) -> Result<()> {
        if self.format == Format::Json {
            let line = StatesLine { before, after, system };
            return Ok(writeln!(self.out, "{}", json_line(&line)?)?);
        }
        let Some(system) = system.filter(|system| !system.is_empty()) else { return Ok(()) };
        for [label, before, after] in system.rows() {
            let line = format!("{label:<16} {before} -> {after}");
            writeln!(self.out, "{}", printable(&line))?;
        }
        Ok(writeln!(self.out)?)
    }

    /// Prints an object that differs.
    pub fn object(&mut self, object: &ObjectDifference) -> Result<()> {
        if self.format == Format::Json {
            return Ok(writeln!(self.out, "{}", json_line(&ObjectLine::from(object))?)?);
        }
        Ok(writeln!(self.out, "{} {}", object.sign(), printable(&object.describe()))?)
    }

    /// Prints a key that differs.
    pub fn key(
        &mut self,
        change: Change,
        key: &str,
        before: Option<&SeqV<'_>>,
        after: Option<&SeqV<'_>>,
    ) -> Result<()> {
        let secrets = self.secrets;
        let printed = KeyLine::with(change, key, [before, after], secrets, |line| {
            self.key_and_fields(key, line, [before, after])
        });
        printed.unwrap_or(Ok(()))
    }

    fn key_and_fields(
        &mut self,
        key: &str,
        line: &KeyLine<'_>,
        records: [Option<&SeqV<'_>>; 2],
    ) -> Result<()> {
        let stored = [line.before, line.after];
        if self.format == Format::Json {
            self.masked += stored.iter().flatten().map(|stored| stored.masked).sum::<u64>();
            return Ok(writeln!(self.out, "{}", json_line(line)?)?);
        }
        let Some(either) = line.after.or(line.before) else { return Ok(()) };
        self.masked += u64::from(either.key != key);
        let [before, after] = records;
        self.key_line(line.change, either, before, after)?;
        for field in line.fields {
            let said = field.describe();
            self.masked += said.matches(MASKED).count() as u64;
            writeln!(self.out, "      {}", printable(&said))?;
        }
        if line.more_fields > 0 {
            writeln!(self.out, "      … and {} more", grouped(line.more_fields))?;
        }
        if line.is_spelled_otherwise() {
            writeln!(self.out, "      the same fields, in other bytes")?;
        }
        Ok(())
    }

    /// `  ~ __fd_table_by_id/84  TableMeta, seq 461 -> 470`
    fn key_line(
        &mut self,
        change: Change,
        record: &Stored,
        before: Option<&SeqV<'_>>,
        after: Option<&SeqV<'_>>,
    ) -> Result<()> {
        let sign = match change {
            Change::Added => '+',
            Change::Removed => '-',
            Change::Changed => '~',
            Change::Touched => '=',
        };
        let seq = match (before, after) {
            (Some(before), Some(after)) if before.seq != after.seq => {
                format!("seq {} -> {}", before.seq, after.seq)
            }
            (Some(record), _) | (None, Some(record)) => format!("seq {}", record.seq),
            (None, None) => String::new(),
        };
        let [old, new] = [before, after].map(|record| record.and_then(SeqV::expire_ms));
        // Where the seconds are the same, the milliseconds are not.
        let is_same_second = old.map(|ms| ms / 1000) == new.map(|ms| ms / 1000);
        let at = |ms: Option<u64>| match ms {
            Some(ms) if is_same_second => format!("{} + {} ms", utc(ms), ms % 1000),
            Some(ms) => utc(ms),
            None => "never".to_owned(),
        };
        let expires = match (before, after) {
            (Some(_), Some(_)) if old != new => format!(", expires {} -> {}", at(old), at(new)),
            _ => old.or(new).map_or_else(String::new, |ms| format!(", expires {}", utc(ms))),
        };
        Ok(writeln!(
            self.out,
            "  {sign} {}  {}, {seq}{expires}",
            printable(&record.key),
            record.form
        )?)
    }

    /// Prints how many differ, by kind.
    pub fn stat(&mut self, differences: &ObjectDifferences) -> Result<()> {
        if self.format == Format::Json {
            return self.summary(differences);
        }
        let kinds = differences.kinds();
        if kinds.is_empty() {
            return Ok(());
        }
        let columns = [
            Column::Text("kind"),
            Column::Number("created"),
            Column::Number("dropped"),
            Column::Number("changed"),
            Column::Number("keys added"),
            Column::Number("removed"),
            Column::Number("changed"),
            Column::Number("only written again"),
        ];
        let row = |(kind, sum): (&&str, &KindCounts)| {
            let KindCounts { created, dropped, changed, keys } = sum;
            let numbers = [
                *created,
                *dropped,
                *changed,
                keys.added,
                keys.removed,
                keys.changed,
                keys.touched,
            ];
            let [a, b, c, d, e, f, g] = numbers.map(grouped);
            [(*kind).to_owned(), a, b, c, d, e, f, g]
        };
        Ok(print_table(&mut self.out, "", columns, || kinds.iter().map(row))?)
    }

    /// Prints how many differ, for programs.
    pub fn summary(&mut self, differences: &ObjectDifferences) -> Result<()> {
        if self.format != Format::Json {
            return Ok(());
        }
        Ok(writeln!(self.out, "{}", json_line(&SummaryLine::from(differences))?)?)
    }
}
