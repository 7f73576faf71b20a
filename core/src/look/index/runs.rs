//! Runs of lines of one kind.

use serde::Serialize;

use crate::dump::frame::Line;

/// How many runs are distinguished; a dump has about ten, garbage has many.
pub const MOST_RUNS: usize = 10_000;

/// Neighbouring lines of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Run {
    /// The kind; `broken` for lines that are no record, `mixed` when there are too many runs.
    pub kind: &'static str,
    /// The first line, counted from 1.
    pub first_line: u64,
    /// How many lines.
    pub lines: u64,
    /// Where the first line starts.
    pub offset_bytes: u64,
    /// How many bytes the lines take.
    pub bytes: u64,
}

/// Every run of a dump, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(transparent)]
pub struct Runs(Vec<Run>);

impl Runs {
    pub(super) fn line(&mut self, line: &Line<'_>, kind: &'static str) {
        let bytes = line.len_bytes();
        let full = self.0.len() >= MOST_RUNS;
        match self.0.last_mut() {
            Some(last) if last.kind == kind || full => {
                if last.kind != kind {
                    last.kind = "mixed";
                }
                last.lines += 1;
                last.bytes += bytes;
            }
            _ => self.0.push(Run {
                kind,
                first_line: line.number,
                lines: 1,
                offset_bytes: line.offset_bytes,
                bytes,
            }),
        }
    }

    /// The runs.
    pub fn as_slice(&self) -> &[Run] {
        &self.0
    }
}
