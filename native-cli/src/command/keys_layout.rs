//! `keys-layout`: how many keys there are below each directory of the key space.
//!
//! A server counts the keys of its snapshot; a dump or a directory is counted here.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use metadump::keys_layout::{KeysCount, KeysLayout};
use metadump::record::{DataVersion, Record};
use metadump::scan::{ScannedLine, scan_line};
use serde_json::json;

use super::Outcome;
use super::plan::not_a_record;
use super::service::with_session;
use crate::args::{Format, KeysLayout as Args};
use crate::grpc::keys_layout;
use crate::input::Source;
use crate::progress::Progress;
use crate::raft_dir::{Access, DirReader, RaftDir};
use crate::report::shown;

/// Runs the command.
pub fn run(args: &Args, progress: &Progress) -> Result<Outcome> {
    let mut out = BufWriter::new(io::stdout().lock());
    if let Some(dir) = &args.raft_dir {
        count_here(args, &mut out, |each| {
            let reader = DirReader::open(&RaftDir::new(dir), Access::Stopped)?;
            reader.for_each_line(|line| {
                each(&scan_line(line)?);
                Ok(())
            })?;
            reader.assert_unchanged()?;
            reader.remarks(DataVersion::V004).iter().for_each(|remark| progress.say(remark));
            Ok(())
        })?;
    } else if let Some(db) = &args.db {
        progress.phase("counting");
        let source = Source::from_arg(Some(db));
        count_here(args, &mut out, |each| {
            source.for_each_line(progress, |line| {
                let scanned = scan_line(line.bytes)
                    .map_err(|error| not_a_record(&source.name(), &line, error))?;
                each(&scanned);
                Ok(())
            })
        })?;
        progress.finish();
    } else {
        with_session(&args.service, progress, async |session| {
            keys_layout(session, args.depth, &mut |found| Ok(print(&mut out, args.format, &found)?))
                .await
        })?;
    }
    out.flush()?;
    Ok(Outcome::Done)
}

/// Counts the keys among the lines that `read` hands on.
fn count_here(
    args: &Args,
    out: &mut impl Write,
    read: impl FnOnce(&mut dyn FnMut(&ScannedLine<'_>)) -> Result<()>,
) -> Result<()> {
    let mut failed = Ok(());
    let mut keep = |found: KeysCount<'_>| {
        if failed.is_ok() {
            failed = print(out, args.format, &found);
        }
    };
    let mut layout = KeysLayout::new(args.depth);
    read(&mut |scanned| {
        if let Record::GenericKV(kv) = &scanned.record {
            layout.key(&kv.key, &mut keep);
        }
    })?;
    layout.finish(&mut keep);
    Ok(failed?)
}

fn print(out: &mut impl Write, format: Format, found: &KeysCount<'_>) -> io::Result<()> {
    let KeysCount { prefix, count } = found;
    match format {
        Format::Text => writeln!(out, "{} {count}", shown(prefix)),
        Format::Json => writeln!(out, "{}", json!({"prefix": prefix, "count": count})),
    }
}
