//! `keys-layout`: how many keys there are below each directory of the key space.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use metadump::keys_layout::{KeysCount, KeysLayout};
use metadump::record::Record;
use metadump::scan::{ScannedLine, scan_line};

use super::Outcome;
use super::plan::not_a_record;
use crate::args::{Format, KeysLayout as Args};
use crate::input::Source;
use crate::progress::Progress;
use crate::raft_dir::{Access, DirReader, RaftDir};

/// Runs the command.
pub fn run(args: &Args, progress: &Progress) -> Result<Outcome> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut failed = Ok(());
    let mut print = |found: KeysCount<'_>| {
        let KeysCount { prefix, count } = found;
        let written = match args.format {
            Format::Text => writeln!(out, "{prefix} {count}"),
            Format::Json => {
                writeln!(out, "{}", serde_json::json!({"prefix": prefix, "count": count}))
            }
        };
        if failed.is_ok() {
            failed = written;
        }
    };
    let mut layout = KeysLayout::new(args.depth);
    let mut count = |scanned: &ScannedLine<'_>| {
        if let Record::GenericKV(kv) = &scanned.record {
            layout.key(&kv.key, &mut print);
        }
    };
    if let Some(dir) = &args.raft_dir {
        let reader = DirReader::open(&RaftDir::new(dir), Access::Stopped)?;
        reader.for_each_line(|line| {
            count(&scan_line(line)?);
            Ok(())
        })?;
        reader.assert_unchanged()?;
    } else {
        progress.phase("counting");
        let source = Source::from_arg(args.db.as_deref());
        source.for_each_line(progress, |line| {
            let scanned = scan_line(line.bytes)
                .map_err(|error| not_a_record(&source.name(), &line, &error))?;
            count(&scanned);
            Ok(())
        })?;
        progress.finish();
    }
    layout.finish(&mut print);
    failed?;
    out.flush()?;
    Ok(Outcome::Done)
}
