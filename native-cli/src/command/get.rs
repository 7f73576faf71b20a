//! `get`: the values of keys of a running service.

use std::io::{BufWriter, Write};

use anyhow::Result;
use serde_json::json;

use super::Outcome;
use super::service::with_session;
use crate::args::{Format, Get};
use crate::grpc::{ValueText, get, seq_v};
use crate::progress::Progress;
use crate::report::json_line;
use crate::stdout::stdout;

/// Runs the command.
pub fn run(args: &Get, progress: &Progress) -> Result<Outcome> {
    let values =
        with_session(&args.service, progress, async |session| get(session, &args.key).await)?;
    let mut out = BufWriter::new(stdout());
    for (key, value) in args.key.iter().zip(&values) {
        match args.format {
            Format::Text => writeln!(out, "{}", ValueText(value.as_ref()))?,
            Format::Json => {
                let value = value.as_ref().map(seq_v);
                let line = json_line(&json!({"key": key, "value": value}))?;
                writeln!(out, "{line}")?;
            }
        }
    }
    out.flush()?;
    Ok(Outcome::Done)
}
