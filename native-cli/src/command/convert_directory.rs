//! `export --raft-dir --data-version`: what a directory holds, in the form of another data version.
//!
//! The facts go from the directory straight into the dump. Another thread checks them in the form of
//! V004, and errors keep them out as they keep out a dump. Only data that is out of order goes
//! through V004 files, as a dump does.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use metadump::record::{DataVersion, Fact, Losses};
use metadump::{Dump, Report, dump_line};

use super::admission::{Becomes, Incoming};
use super::convert::{Conversion, admission, describe_losses, private_place, with_node_id_null};
use crate::args::Export;
use crate::dump_writer::{DumpWriter, Origin};
use crate::output::Destination;
use crate::progress::Progress;
use crate::raft_dir::{DirReader, FactSource, NeedsImport, OlderDump, OlderForm};
use crate::stage::Stage;

/// How much is checked at a time.
const PIECE_BYTES: usize = 1 << 20;

/// A pass over all lines, which hands them on and fails if they are refused.
type Pass<'a> = &'a dyn Fn(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Losses>;

/// Writes the dump. Gives what was found in it, and what the version cannot hold.
///
/// # Errors
///
/// When the data is not let in, cannot be read or cannot be written.
pub fn directory(
    args: &Export,
    destination: Destination,
    reader: &DirReader,
    name: &Path,
    to: DataVersion,
    progress: &Progress,
) -> Result<(Report, Losses)> {
    let name = name.display().to_string();
    let accepted = &args.losses.accept;
    let manifest = args.manifest.as_deref();
    let direct = |each: &mut dyn FnMut(&[u8]) -> Result<()>| {
        let (losses, report) = lines(reader, to, each)?;
        admission(&with_node_id_null(accepted)).refuse(&name, &report, Becomes::SameCluster)?;
        let losses = losses?;
        admission(accepted).refuse_losses(&losses, to)?;
        Ok(losses)
    };
    match write(&direct, destination.clone(), manifest, progress) {
        Err(error) if error.is::<NeedsImport>() => {}
        written => return written,
    }
    let incoming = Incoming::Directory(reader);
    through_files(args, destination, incoming, &name, Some(reader.version()), to, progress)
}

/// Writes what has the lines of a dump through V004 files.
///
/// # Errors
///
/// When the data is not let in, cannot be read or cannot be written.
pub fn through_files(
    args: &Export,
    destination: Destination,
    incoming: Incoming<'_>,
    name: &str,
    from: Option<DataVersion>,
    to: DataVersion,
    progress: &Progress,
) -> Result<(Report, Losses)> {
    let (accepted, manifest) = (&args.losses.accept, args.manifest.as_deref());
    let place = private_place(&destination)?;
    let conversion = Conversion { incoming, name, from, to, cluster: None, accepted };
    let converted = conversion.convert(place.path(), progress)?;
    let imported = |each: &mut dyn FnMut(&[u8]) -> Result<()>| {
        let losses = converted.for_each_line(each)?;
        converted.refuse(&losses)?;
        Ok(losses)
    };
    write(&imported, destination, manifest, progress)
}

/// Writes the lines of a pass. A file gets its name only behind the pass; into a stream nothing is
/// written before one pass has gone well.
fn write(
    pass: Pass<'_>,
    destination: Destination,
    manifest: Option<&Path>,
    progress: &Progress,
) -> Result<(Report, Losses)> {
    progress.phase("converting");
    if !destination.is_file() {
        pass(&mut |_| Ok(()))?;
    }
    let mut dump = DumpWriter::create(destination, manifest, Origin::Ours, progress)?;
    let losses = pass(&mut |line| {
        progress.advance(line.len() as u64);
        dump.write(line)
    })?;
    describe_losses(&losses).for_each(|lost| progress.say(&lost));
    Ok((dump.commit(Vec::new())?, losses))
}

/// Hands on the lines of the dump. Gives what the version cannot hold, or why it cannot be written
/// at all; and what was found in the data.
fn lines(
    reader: &DirReader,
    to: DataVersion,
    each: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<(Result<Losses>, Report)> {
    let form = OlderForm::of(reader, reader.last_applied(), reader.version(), to);
    if form.as_ref().is_ok_and(|form| !form.is_log_whole()) {
        return Err(NeedsImport.into());
    }
    let mut older = form.map(|form| OlderDump::new(form, each));
    let mut checked = CheckedFacts::start();
    reader.for_each_fact(&mut |fact| {
        checked.put(fact)?;
        older.as_mut().map_or(Ok(()), |older| older.put(fact))
    })?;
    reader.assert_unchanged()?;
    Ok((older.and_then(OlderDump::finish), checked.finish()?))
}

/// Facts that are checked as lines, on another thread.
struct CheckedFacts {
    piece: Vec<u8>,
    checked: Stage<Dump>,
}

impl CheckedFacts {
    fn start() -> Self {
        let checked = Stage::start(Dump::default(), |dump: &mut Dump, piece| {
            dump.push(piece);
            Ok(())
        });
        Self { piece: Vec::with_capacity(PIECE_BYTES), checked }
    }

    fn put(&mut self, fact: &Fact<'_>) -> Result<()> {
        let Self { piece, checked } = self;
        dump_line::put_fact(piece, fact)?;
        piece.push(b'\n');
        if piece.len() < PIECE_BYTES {
            return Ok(());
        }
        checked.feed(&Arc::new(std::mem::replace(piece, Vec::with_capacity(PIECE_BYTES))))
    }

    fn finish(self) -> Result<Report> {
        let Self { piece, mut checked } = self;
        checked.feed(&Arc::new(piece))?;
        Ok(checked.finish()?.finish())
    }
}
