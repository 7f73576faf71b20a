//! `keys-layout`: how many keys there are below each directory of the key space.
//!
//! A server counts the keys of its snapshot; a dump or a directory is counted here.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use metadump::Line;
use metadump::keys_layout::{KeysCount, KeysLayout, MOST_LEVELS};
use metadump::record::{DataVersion, Record};
use metadump::scan::scan_line;
use serde_json::json;

use super::Outcome;
use super::plan::not_a_record;
use super::service::with_session;
use crate::args::{Format, KeysLayout as Args};
use crate::grpc::keys_layout;
use crate::input::Source;
use crate::progress::Progress;
use crate::raft_dir::{Access, DirReader, RaftDir};
use crate::report::{entries, json_line, plural, shown};
use crate::stdout::stdout;

/// Runs the command.
pub fn run(args: &Args, progress: &Progress) -> Result<Outcome> {
    let mut out = BufWriter::new(stdout());
    progress.give_way();
    if let Some(dir) = &args.raft_dir {
        progress.phase("counting");
        let name = dir.display().to_string();
        let missed = count_here(args, &name, &mut out, |each| {
            let reader = DirReader::open(&RaftDir::new(dir), Access::Stopped)?;
            reader.for_each_placed_line(progress, each)?;
            reader.remarks(DataVersion::V004).iter().for_each(|remark| progress.say(remark));
            Ok(())
        })?;
        say_end(&missed, progress);
    } else if let Some(db) = args.dump.path()? {
        progress.phase("counting");
        let source = Source::open(Some(db))?;
        let read =
            |each: &mut dyn FnMut(Line<'_>) -> Result<()>| source.for_each_line(progress, each);
        let missed = count_here(args, &source.name(), &mut out, read)?;
        say_end(&missed, progress);
    } else {
        with_session(&args.service, progress, async |session| {
            keys_layout(session, args.depth, &mut |found| Ok(print(&mut out, args.format, &found)?))
                .await
        })?;
    }
    out.flush()?;
    Ok(Outcome::Done)
}

/// What is not in the list.
struct Missed {
    /// Keys below the deepest level whose directories are printed.
    deeper_keys: u64,
    /// Log entries, when there is no key beside them.
    log_entries: u64,
}

/// Counts the keys among the lines that `read` hands on.
fn count_here(
    args: &Args,
    name: &str,
    out: &mut impl Write,
    read: impl FnOnce(&mut dyn FnMut(Line<'_>) -> Result<()>) -> Result<()>,
) -> Result<Missed> {
    let mut failed = Ok(());
    let mut keep = |found: KeysCount<'_>| {
        if failed.is_ok() {
            failed = print(out, args.format, &found);
        }
    };
    let mut layout = KeysLayout::new(args.depth);
    let (mut keys, mut log_entries) = (0_u64, 0_u64);
    read(&mut |line| {
        let scanned = scan_line(line.bytes).map_err(|error| not_a_record(name, &line, error))?;
        if let Record::GenericKV(kv) = &scanned.record {
            keys += 1;
            layout.key(&kv.key, &mut keep);
        }
        if matches!(scanned.record, Record::LogEntry(_) | Record::Logs(_)) {
            log_entries += 1;
        }
        Ok(())
    })?;
    let deeper = layout.deeper_keys();
    layout.finish(&mut keep);
    failed?;
    let lists_all = args.depth.is_none_or(|depth| depth as usize > MOST_LEVELS);
    Ok(Missed {
        deeper_keys: if lists_all { deeper } else { 0 },
        log_entries: if keys == 0 { log_entries } else { 0 },
    })
}

fn say_end(missed: &Missed, progress: &Progress) {
    progress.finish();
    if missed.log_entries > 0 {
        progress.say(&format!(
            "note: no snapshot has a key; keys in the log, which has {}, are not counted",
            entries(missed.log_entries)
        ));
    }
    if missed.deeper_keys > 0 {
        progress.say(&format!(
            "note: deeper levels than {MOST_LEVELS} are counted, not listed: {} there",
            plural(missed.deeper_keys, "key")
        ));
    }
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
