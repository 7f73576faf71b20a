//! The table `log`: what `log` prints.

use anyhow::{Context, Result};
use serde_json::json;

use super::{TAKEN_AT, always, maybe};
use crate::command::log::{each_change, not_known, said};
use crate::command::state::State;
use crate::output::Output;
use crate::parquet_file::{Cell, Column, Holds, ParquetFile, Written};
use crate::progress::Progress;
use crate::report::json_line;

const COLUMNS: [Column; 10] = [
    TAKEN_AT,
    always("log_index", Holds::Number),
    always("term", Holds::Number),
    always("node_id", Holds::Number),
    maybe("proposed_at", Holds::Time),
    always("command", Holds::Name),
    always("is_committed", Holds::Flag),
    always("outcome", Holds::Name),
    always("did", Holds::Text),
    always("effects", Holds::Json),
];

/// Writes the table of the log up to the moment that is asked for; gives it, and why not every entry was
/// applied.
///
/// # Errors
///
/// When the dump cannot be read or the file cannot be written.
pub fn write(
    (end, until): (State, Option<u64>),
    taken_at: Cell<'_>,
    output: Output,
    progress: &Progress,
) -> Result<(Written, Option<String>)> {
    let mut file = ParquetFile::begin(output, &COLUMNS)?;
    let log = each_change(end, progress, |change, _| {
        let id = change.log_id;
        if until.is_some_and(|until| id.index > until) {
            return Ok(());
        }
        let outcome = json!(change.outcome);
        let outcome = outcome.as_str().context("an outcome has no name")?;
        file.row([
            taken_at,
            Cell::Number(Some(id.index)),
            Cell::Number(Some(id.leader_id.term)),
            Cell::Number(Some(id.leader_id.node_id.0)),
            Cell::moment(change.time_ms),
            Cell::Text(Some(change.command)),
            Cell::Flag(change.is_committed),
            Cell::Text(Some(outcome)),
            Cell::Text(Some(&said(change))),
            Cell::Text(Some(&json_line(&change.effects)?)),
        ])
    })?;
    let broken = log.broken.map(|error| format!("note: {}", not_known(&error)));
    Ok((file.finish()?, broken))
}
