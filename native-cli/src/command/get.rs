//! `get`: the values of keys of a running service.

use std::io::{BufWriter, Write};

use anyhow::Result;
use serde_json::json;

use super::Outcome;
use super::service::with_session;
use crate::args::{Format, Get};
use crate::failure::Usage;
use crate::grpc::{ValueText, get, seq_v};
use crate::progress::Progress;
use crate::report::{json_line, printable};
use crate::stdout::stdout;

/// Runs the command.
pub fn run(args: &Get, progress: &Progress) -> Result<Outcome> {
    if args.raw && args.key.len() > 1 {
        return Err(Usage::error(
            "--raw is given with several keys",
            "nothing would stand between their values: get them one by one",
        ));
    }
    let values =
        with_session(&args.service, progress, async |session| get(session, &args.key).await)?;
    let mut out = BufWriter::new(stdout());
    for (key, value) in args.key.iter().zip(&values) {
        if args.raw {
            match value {
                Some(value) => out.write_all(&value.data)?,
                None => progress.say(&format!("note: there is no key {}", printable(key))),
            }
            continue;
        }
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
    let missing = args.exit_code && values.iter().any(Option::is_none);
    Ok(if missing { Outcome::Missing } else { Outcome::Done })
}
