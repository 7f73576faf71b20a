//! `watch`: the keys of a running service, and their changes as they happen.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::Outcome;
use super::service::with_session;
use crate::args::{Format, Watch};
use crate::grpc::{WatchText, Watched, seq_v, watch};
use crate::progress::Progress;
use crate::report::{json_line, shown};
use crate::stdout::stdout;

/// Runs the command, until the server ends the stream.
pub fn run(args: &Watch, progress: &Progress) -> Result<Outcome> {
    let watched = match (&args.prefix, &args.prefix_bytes) {
        (_, Some(prefix)) => Watched::Prefix(prefix),
        (Some(directory), None) if !directory.is_empty() => Watched::Directory(directory),
        _ => Watched::All,
    };
    with_session(&args.service, progress, async |session| {
        watch(session, watched, &mut |change| {
            // Not kept open: whoever reads the other end of a pipe waits for each line.
            let mut out = stdout();
            match args.format {
                Format::Text => writeln!(out, "{}", shown(&WatchText(change).to_string()))?,
                Format::Json => {
                    let event = change.event.as_ref();
                    let line = json!({
                        "is_initialization": change.is_initialization,
                        "key": event.map(|event| &event.key),
                        "prev": event.and_then(|event| event.prev.as_ref()).map(seq_v),
                        "current": event.and_then(|event| event.current.as_ref()).map(seq_v),
                    });
                    writeln!(out, "{}", json_line(&line)?)?;
                }
            }
            out.flush()?;
            Ok(())
        })
        .await
    })?;
    Ok(Outcome::Done)
}
