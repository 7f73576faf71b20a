//! The table `findings`: what `validate` finds.

use std::collections::BTreeMap;

use anyhow::Result;
use metadump::Report;

use super::{TAKEN_AT, always, maybe};
use crate::output::Output;
use crate::parquet_file::{Cell, Column, Holds, ParquetFile, Written};

const COLUMNS: [Column; 8] = [
    TAKEN_AT,
    always("code", Holds::Name),
    always("severity", Holds::Name),
    maybe("line", Holds::Number),
    maybe("offset_bytes", Holds::Number),
    always("message", Holds::Text),
    always("help", Holds::Name),
    always("times", Holds::Number),
];

/// Writes the table. Those of a code that is found very often are not all listed; the last that is
/// stands for all others, so that the times of a code add up.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write(report: &Report, taken_at: Cell<'_>, output: Output) -> Result<Written> {
    let mut file = ParquetFile::begin(output, &COLUMNS)?;
    let findings = report.findings.kept();
    let last_of: BTreeMap<_, _> =
        findings.iter().enumerate().map(|(at, finding)| (finding.code, at)).collect();
    let more: BTreeMap<_, _> = report.findings.not_kept().collect();
    for (at, finding) in findings.iter().enumerate() {
        let is_last = last_of.get(&finding.code) == Some(&at);
        let more = more.get(&finding.code).copied().filter(|_| is_last).unwrap_or_default();
        file.row([
            taken_at,
            Cell::Text(Some(finding.code.name())),
            Cell::Text(Some(&finding.severity().to_string())),
            Cell::Number(finding.place.map(|place| place.line)),
            Cell::Number(finding.place.map(|place| place.offset_bytes)),
            Cell::Text(Some(&finding.message)),
            Cell::Text(Some(finding.help)),
            Cell::Number(Some(1 + more)),
        ])?;
    }
    file.finish()
}
