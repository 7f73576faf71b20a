//! The dump of a running service.

use std::io::{BufWriter, Write};

use anyhow::{Context, Result};

use crate::command::service::say_note;
use crate::failure::{Unwritten, WithHelp};
use crate::grpc::{ConnectOptions, ExportOptions, Failure, export, wait};
use crate::input::Source;
use crate::progress::Progress;
use crate::temporary::{ROOM, TemporaryFile};

/// What a running service exports, in a file of our own.
///
/// # Errors
///
/// When it cannot be reached or does not end its export, and when the file cannot be written.
pub fn exported(connect: &ConnectOptions, progress: &Progress) -> Result<Source> {
    let mut file = TemporaryFile::create("metactl-", ".ndjson", None)
        .context("cannot create a temporary file")
        .help(ROOM)?;
    let unwritten = |error| Unwritten::of(error, "cannot write a temporary file".to_owned(), None);
    let mut lines = BufWriter::new(&mut file);
    progress.phase("exporting");
    let options = ExportOptions::default();
    let exported =
        wait(export(connect, &options, &mut |note| say_note(note, progress), &mut |line| {
            progress.advance(line.len() as u64 + 1);
            lines.write_all(line.as_bytes()).map_err(unwritten)?;
            lines.write_all(b"\n").map_err(unwritten)
        }))?
        .map_err(Failure::explained)?;
    lines.flush().map_err(unwritten)?;
    drop(lines);
    Source::of_temporary(exported.address.to_string(), file)
}
