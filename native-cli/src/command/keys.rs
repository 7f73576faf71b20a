//! `keys`: the keys of a state, those that expire, those that hold credentials.

use std::io::{BufWriter, Write};

use anyhow::Result;
use metadump::objects::Names;
use metadump::record::SeqV;
use metadump::value::{KeyParts, Secrets};

use super::Outcome;
use super::decoded::{Decoder, is_large, say_masked};
use super::state::State;
use crate::args::{Format, Keys as Args};
use crate::progress::Progress;
use crate::report::{json_line, plural, printable, utc};
use crate::stdout::stdout;

/// Runs the command.
pub fn run(args: &Args, progress: &Progress) -> Result<Outcome> {
    let state = State::open(&args.state, progress)?;
    let mut out = BufWriter::new(stdout());
    let (mut expiring, mut masked) = (Vec::new(), 0);
    let as_of = state.for_each_key(
        progress,
        |key, value| (!is_large(value)).then(|| args.found(key, value)),
        |key, value, prepared| {
            let found = prepared.unwrap_or_else(|| args.found(key, value))?;
            let Some(found) = found else { return Ok(()) };
            masked += found.masked;
            match found.expire_at_ms {
                Some(at) if args.expiring => expiring.push((at, found.line)),
                _ => writeln!(out, "{}", found.line)?,
            }
            Ok(())
        },
    )?;
    expiring.sort();
    let until_ms = args
        .within
        .and_then(|span| as_of.last_write_ms?.checked_add(u64::try_from(span.as_millis()).ok()?));
    for (_, line) in expiring.iter().filter(|(at, _)| until_ms.is_none_or(|until| *at <= until)) {
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    progress.say(&format!("{}: {}", state.name(), as_of.describe()));
    say_masked(masked, progress);
    Ok(Outcome::Done)
}

/// A key that is to be printed.
struct Found {
    line: String,
    expire_at_ms: Option<u64>,
    /// How many credentials are masked in the line.
    masked: u64,
}

impl Args {
    fn found(&self, key: &str, value: &SeqV<'_>) -> Result<Option<Found>> {
        let expire_at_ms = value.expire_ms();
        if !key.starts_with(&self.prefix) || (self.expiring && expire_at_ms.is_none()) {
            return Ok(None);
        }
        let names = Names::default();
        let decoded =
            |secrets| Decoder { names: &names, secrets, format: self.format }.record(key, value);
        let credentials = if self.credentials { decoded(Secrets::Masked).masked } else { 0 };
        if self.credentials && credentials == 0 {
            return Ok(None);
        }
        if self.format == Format::Json {
            let record = decoded(self.secrets.secrets());
            let line = json_line(&record)?;
            return Ok(Some(Found { line, expire_at_ms, masked: record.masked }));
        }
        // The key stands last: it may be of any length.
        let size = plural(value.data.len(), "byte");
        let expires = expire_at_ms.map_or_else(String::new, |at| format!("  expires {}", utc(at)));
        let credentials = match credentials {
            0 => String::new(),
            count => format!("  {}", plural(count, "credential")),
        };
        let masked_key = match self.secrets.secrets() {
            Secrets::Masked => KeyParts::of(key).and_then(|key| key.masked()),
            Secrets::Shown => None,
        };
        let masked = u64::from(masked_key.is_some());
        let key = printable(masked_key.as_deref().unwrap_or(key));
        let line = format!("{size:>16}{expires}{credentials}  {key}");
        Ok(Some(Found { line, expire_at_ms, masked }))
    }
}
