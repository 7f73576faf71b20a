//! `upsert`: puts a key of a running service.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::Outcome;
use super::service::{connect_options, say_note};
use crate::args::{Format, Upsert};
use crate::failure::Help;
use crate::grpc::{Cluster, Failure, RecordText, UpsertFailure, seq_v, upsert, wait};
use crate::progress::Progress;
use crate::report::json_line;
use crate::stdout::stdout;

/// Runs the command.
pub fn run(args: &Upsert, progress: &Progress) -> Result<Outcome> {
    let connect = connect_options(&args.service, progress)?;
    let upserted = wait(async {
        let note = &mut |note: &_| say_note(note, progress);
        let certainly = |failure| UpsertFailure { failure, may_have_happened: false };
        let mut cluster = Cluster::open(&connect, note).await.map_err(certainly)?;
        upsert(&mut cluster, &args.key, args.value.as_bytes(), note).await
    })?;
    let upserted = upserted.map_err(explained)?;
    let mut out = stdout();
    match args.format {
        Format::Text => {
            let prev = RecordText(upserted.prev.as_ref());
            let result = RecordText(Some(&upserted.result));
            writeln!(out, "upsert-result: None: {prev} -> {result}")?;
        }
        Format::Json => {
            let line = json!({
                "key": args.key,
                "prev": upserted.prev.as_ref().map(seq_v),
                "result": seq_v(&upserted.result),
            });
            writeln!(out, "{}", json_line(&line)?)?;
        }
    }
    Ok(Outcome::Done)
}

fn explained(failed: UpsertFailure) -> anyhow::Error {
    let UpsertFailure { failure, may_have_happened } = failed;
    match failure {
        failure @ (Failure::Overtaken { .. } | Failure::Consumer(_)) => failure.explained(),
        failure if may_have_happened => {
            let help = "what came is no answer, so the key may have been written all the same: see with \
                        `databend-metactl get` before you try again";
            anyhow::Error::new(failure).context(Help(help.to_owned()))
        }
        failure => failure.explained(),
    }
}
