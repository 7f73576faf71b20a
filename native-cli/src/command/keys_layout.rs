//! `keys-layout`: how many keys there are below each directory of the key space.
//!
//! A server counts the keys of its snapshot; a dump or a directory is counted here.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use metadump::keys_layout::{KeysCount, KeysLayout, MOST_LEVELS};
use serde_json::json;

use super::Outcome;
use super::service::with_session;
use super::state::State;
use crate::args::{Format, KeysLayout as Args};
use crate::grpc::keys_layout;
use crate::progress::Progress;
use crate::report::{json_line, plural, shown};
use crate::stdout::stdout;

/// Runs the command.
pub fn run(args: &Args, progress: &Progress) -> Result<Outcome> {
    let mut out = BufWriter::new(stdout());
    progress.give_way();
    if args.state.is_read_here()? {
        let state = State::open(&args.state, progress)?;
        count_here(args, &state, &mut out, progress)?;
    } else {
        with_session(&args.state.origin.service, progress, async |session| {
            keys_layout(session, args.depth, &mut |found| Ok(print(&mut out, args.format, &found)?))
                .await
        })?;
        progress.say("the keys of the service's last snapshot; --at end counts those of its state");
    }
    out.flush()?;
    Ok(Outcome::Done)
}

/// Counts the keys of a state.
fn count_here(
    args: &Args,
    state: &State,
    out: &mut (impl Write + Send),
    progress: &Progress,
) -> Result<()> {
    let mut failed = Ok(());
    let mut keep = |found: KeysCount<'_>| {
        if failed.is_ok() {
            failed = print(out, args.format, &found);
        }
    };
    let mut layout = KeysLayout::new(args.depth);
    let as_of = state.for_each_key(
        progress,
        |_, _| (),
        |key, _, ()| {
            layout.key(key, &mut keep);
            Ok(())
        },
    )?;
    let deeper = layout.deeper_keys();
    layout.finish(&mut keep);
    failed?;
    out.flush()?;
    let lists_all = args.depth.is_none_or(|depth| depth as usize > MOST_LEVELS);
    if lists_all && deeper > 0 {
        progress.say(&format!(
            "note: deeper levels than {MOST_LEVELS} are counted, not listed: {} there",
            plural(deeper, "key")
        ));
    }
    progress.say(&format!("{}: {}", state.name(), as_of.describe()));
    Ok(())
}

fn print(out: &mut impl Write, format: Format, found: &KeysCount<'_>) -> io::Result<()> {
    let KeysCount { prefix, count } = found;
    match format {
        Format::Text => writeln!(out, "{} {count}", shown(prefix)),
        Format::Json => {
            writeln!(out, "{}", json_line(&json!({"prefix": prefix, "count": count}))?)
        }
    }
}
