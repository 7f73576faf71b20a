//! `get`: the values of keys of a running service, a dump or a directory.

use std::collections::BTreeSet;
use std::io::{BufWriter, Write};

use anyhow::Result;
use metadump::objects::Names;
use metadump::record::{Bytes, SeqV};
use serde_json::json;

use super::Outcome;
use super::decoded::{Decoder, say_masked};
use super::service::with_session;
use super::state::State;
use crate::args::{Format, Get};
use crate::failure::Usage;
use crate::grpc::{get, seq_v};
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
    let values = values(args, progress)?;
    progress.finish();
    let mut out = BufWriter::new(stdout());
    let names = Names::default();
    let decoder = Decoder { names: &names, secrets: args.secrets.secrets(), format: args.format };
    let mut masked = 0;
    for (key, value) in args.key.iter().zip(&values) {
        match (value, args.format) {
            (None, Format::Text) if args.raw || args.decode => {
                progress.say(&format!("note: there is no key {}", printable(key)));
            }
            (Some(value), _) if args.raw => out.write_all(&value.data.decode())?,
            (Some(value), _) if args.decode => {
                let record = decoder.record(key, value);
                masked += record.masked;
                decoder.print(&mut out, &record)?;
            }
            (value, Format::Text) => writeln!(out, "{}", json_line(value)?)?,
            (value, Format::Json) => {
                let line = json_line(&json!({"key": key, "value": value}))?;
                writeln!(out, "{line}")?;
            }
        }
    }
    out.flush()?;
    say_masked(masked, progress);
    let missing = args.exit_code && values.iter().any(Option::is_none);
    Ok(if missing { Outcome::Missing } else { Outcome::Done })
}

/// The values in the order of the keys.
fn values(args: &Get, progress: &Progress) -> Result<Vec<Option<SeqV<'static>>>> {
    let owned = |value: &SeqV<'_>| SeqV {
        data: Bytes::Decoded(value.data.decode().into_owned().into()),
        ..*value
    };
    if !args.state.is_read_here()? {
        let values = with_session(&args.state.origin.service, progress, async |session| {
            get(session, &args.key).await
        })?;
        return Ok(values
            .iter()
            .map(|value| value.as_ref().map(|value| owned(&seq_v(value))))
            .collect());
    }
    let mut values = vec![None; args.key.len()];
    let mut repeated = BTreeSet::new();
    let is_asked = |key: &str| args.key.iter().any(|asked| asked == key);
    let prepare =
        |key: &str, value: &SeqV<'_>| is_asked(key).then(|| (key.to_owned(), owned(value)));
    let state = State::open(&args.state, progress)?;
    let as_of = state.for_each_key(progress, prepare, |_, _, found| {
        let Some((key, value)) = found else { return Ok(()) };
        for (asked, slot) in args.key.iter().zip(&mut values) {
            if *asked == key && slot.replace(value.clone()).is_some() {
                repeated.insert(key.clone());
            }
        }
        Ok(())
    })?;
    for key in &repeated {
        progress.say(&format!(
            "warning: {}: the key {} is there more than once: this is the last value; \
             `databend-metactl validate` says where",
            state.name(),
            printable(key)
        ));
    }
    progress.say(&format!("{}: {}", state.name(), as_of.describe()));
    Ok(values)
}
