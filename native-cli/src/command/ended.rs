//! `--format json` of the commands that write: what they would do or have done, an object in a
//! line. docs/json.md describes the members.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use metadump::Report;
use metadump::check::Code;
use metadump::cluster::InitialCluster;
use metadump::record::Losses;
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Format;
use crate::failure::Usage;
use crate::output::Destination;
use crate::report::json_line;
use crate::stdout::stdout;

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// What it would do.
    Plan,
    /// What it has done.
    Done,
}

/// An object.
#[derive(Serialize)]
struct Ended<'a> {
    command: &'static str,
    step: Step,
    #[serde(flatten)]
    more: Value,
    #[serde(flatten)]
    report: Option<&'a Report>,
}

/// Prints an object; `report` is that of the dump.
///
/// # Errors
///
/// When it cannot be printed.
pub fn print(
    command: &'static str,
    step: Step,
    more: Value,
    report: Option<&Report>,
) -> Result<()> {
    let mut out = BufWriter::new(stdout());
    writeln!(out, "{}", json_line(&Ended { command, step, more, report })?)?;
    Ok(out.flush()?)
}

/// A path as text, whatever its bytes are.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The members of a new cluster.
pub fn members(cluster: Option<&InitialCluster>) -> Value {
    cluster
        .map_or(Value::Null, |cluster| json!({ "id": cluster.own_id(), "nodes": cluster.nodes() }))
}

/// What is lost by a conversion, and how often.
pub fn losses(losses: &Losses) -> Value {
    let lost = losses.iter().map(
        |(loss, count)| json!({ "code": Code::of_loss(loss), "what": loss.to_string(), "count": count }),
    );
    lost.collect()
}

/// What a salvage could not read, in the same form.
pub fn salvaged(losses: &[String]) -> Value {
    let lost =
        losses.iter().map(|what| json!({ "code": Code::Salvaged, "what": what, "count": 1 }));
    lost.collect()
}

/// Fails when the dump goes where the object would.
///
/// # Errors
///
/// A [`Usage`] error.
pub fn assert_apart(format: Format, dump: &Destination) -> Result<()> {
    if format == Format::Json && matches!(dump, Destination::Stdout) {
        return Err(Usage::error(
            "--format json is given, but the dump goes to stdout",
            "name a file for the dump; what was done then goes to stdout",
        ));
    }
    Ok(())
}
