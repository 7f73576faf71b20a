//! `rewrite --data-version` and `export --raft-dir --data-version`: a dump in the form of another
//! data version.
//!
//! The dump is written as the V004 files of a node first, in a private directory beside the output:
//! that sorts it, fills its gaps, and is what an import of it gives. These files are then told in
//! the form of the version.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use metadump::check::{Code, Requirement};
use metadump::cluster::InitialCluster;
use metadump::record::DataVersion;
use metadump::record::Losses;
use metadump::{Checker, LineFramer, Report};
use serde_json::json;

use super::admission::Admission;
use super::ended::{self, Step};
use super::plan::Reading;
use super::restoring::{Restored, Restoring};
use super::{Outcome, export, new_cluster};
use crate::args::{Export, Format, Rewrite};
use crate::dump_writer::{DumpWriter, Origin};
use crate::failure::Unwritten;
use crate::input::Source;
use crate::manifest::lost;
use crate::open_dir::OpenDir;
use crate::output::Destination;
use crate::progress::Progress;
use crate::raft_dir::{DirReader, OlderDump};
use crate::report::let_in_with;
use crate::temporary::{TemporaryDir, TemporaryFile, remove_leftovers};

/// `rewrite --data-version`.
pub fn dump(
    args: &Rewrite,
    destination: Destination,
    reading: &Reading,
    version: DataVersion,
    progress: &Progress,
) -> Result<Outcome> {
    let cluster = new_cluster(&args.cluster)?;
    let place = private_place(&destination)?;
    let source = reading.source();
    let conversion = Conversion {
        source,
        to: version,
        cluster: cluster.as_ref(),
        accepted: &args.losses.accept,
    };
    let converted = conversion.convert(place.path(), None, progress)?;
    let from = converted.from;
    // Then there is nothing to convert: not a byte is another one.
    let keeps_lines = from == version && cluster.is_none();
    let Restored { report: read, dropped, leftovers, .. } = &converted.restored;
    let (losses, mut remarks) = if keeps_lines {
        (Losses::default(), Vec::new())
    } else {
        let remarks = leftovers.describe().into_iter().chain(converted.restored.lost());
        (converted.losses(progress)?, remarks.collect())
    };
    remarks.extend(let_in_with(read));
    if !args.dry_run {
        converted.refuse(&losses)?;
    }
    let said = || {
        remarks.iter().for_each(|remark| progress.say(remark));
        tell(&losses, progress);
    };
    let ended = || {
        json!({
            "file": source.name(),
            "output": args.output.as_deref().map(ended::shown),
            "from_version": from,
            "data_version": version,
            "initial_cluster": ended::members(cluster.as_ref()),
            "dropped": if keeps_lines { 0 } else { dropped.count() },
            "remarks": remarks,
            "lost": ended::losses(&losses),
        })
    };
    if args.dry_run {
        said();
        if args.format == Format::Json {
            ended::print("rewrite", Step::Plan, ended(), Some(read))?;
        } else {
            let written = if keeps_lines { read } else { &converted.report(progress)? };
            let extent = export::extent(&written.summary);
            progress.say(&format!("would write {extent}, {from} to {version}"));
        }
        return Ok(Outcome::Done);
    }
    let mut dump =
        DumpWriter::create(destination, args.output_manifest.as_deref(), Origin::Ours, progress)?;
    if keeps_lines {
        source.for_each_line(progress, |line| {
            anyhow::ensure!(line.is_whole(), "line {} is too long to be kept", line.number);
            dump.write(line.bytes)?;
            if line.terminated { dump.write(b"\n") } else { Ok(()) }
        })?;
    } else {
        converted.for_each_line(&mut |line| dump.write(line))?;
    }
    let report = dump.commit(lost(source))?;
    progress.finish();
    said();
    progress.say(&format!("wrote {}, {from} to {version}", export::extent(&report.summary)));
    if args.format == Format::Json {
        ended::print("rewrite", Step::Done, ended(), Some(&report))?;
    }
    Ok(Outcome::Done)
}

/// `export --raft-dir --data-version`: what a directory holds, which is read as V004.
pub fn directory(
    args: &Export,
    destination: Destination,
    reader: &DirReader,
    version: DataVersion,
    progress: &Progress,
) -> Result<Report> {
    let place = private_place(&destination)?;
    let read = place.path().join("read.ndjson");
    let unwritten =
        |error: io::Error| Unwritten::of(error, format!("cannot write {}", read.display()), None);
    let mut file = BufWriter::new(File::create_new(&read).map_err(unwritten)?);
    reader.for_each_line(|line| file.write_all(line).map_err(unwritten))?;
    file.flush().map_err(unwritten)?;
    reader.assert_unchanged()?;
    let source = &Source::open(Some(&read))?;
    let conversion =
        Conversion { source, to: version, cluster: None, accepted: &args.losses.accept };
    let converted = conversion.convert(place.path(), Some(reader.version()), progress)?;
    let losses = converted.losses(progress)?;
    converted.refuse(&losses)?;
    tell(&losses, progress);
    let mut dump =
        DumpWriter::create(destination, args.manifest.as_deref(), Origin::Ours, progress)?;
    converted.for_each_line(&mut |line| dump.write(line))?;
    dump.commit(reader.losses())
}

/// A dump of any version as one of V004.
pub fn to_v004(reading: &Reading, accepted: &[Code], progress: &Progress) -> Result<Reading> {
    let place = private_place(&Destination::Stdout)?;
    let conversion =
        Conversion { source: reading.source(), to: DataVersion::V004, cluster: None, accepted };
    let converted = conversion.convert(place.path(), None, progress)?;
    let mut dump = TemporaryFile::create("metactl-", ".ndjson", None)
        .context("cannot create a temporary file")?;
    let unwritten =
        |error: io::Error| Unwritten::of(error, "cannot write a temporary file".to_owned(), None);
    let mut lines = BufWriter::new(&mut dump);
    converted.for_each_line(&mut |line| lines.write_all(line).map_err(unwritten))?;
    lines.flush().map_err(unwritten)?;
    drop(lines);
    reading.made(dump)
}

/// What is converted, and to what.
#[derive(Debug, Clone, Copy)]
struct Conversion<'a> {
    source: &'a Source,
    to: DataVersion,
    cluster: Option<&'a InitialCluster>,
    accepted: &'a [Code],
}

/// What can be written in the form of the version.
struct Converted<'a> {
    conversion: Conversion<'a>,
    restored: Restored,
    /// The version that the data came from.
    from: DataVersion,
}

impl<'a> Conversion<'a> {
    /// Reads the source into files below `place`. `origin` is the version that the data comes
    /// from, if the source does not say.
    fn convert(
        self,
        place: &Path,
        origin: Option<DataVersion>,
        progress: &Progress,
    ) -> Result<Converted<'a>> {
        let place = OpenDir::open(place)?;
        let (df_meta, scratch) = (place.create_dir("df_meta")?, place.create_dir("scratch")?);
        progress.phase("reading");
        // A dump may leave open which node it is from; only a directory may not.
        let accepted: Vec<Code> = self.accepted.iter().copied().chain([Code::NodeIdNull]).collect();
        let restoring = Restoring {
            admission: &admission(&accepted),
            source: self.source,
            name: &self.source.name(),
            cluster: self.cluster,
            df_meta: &df_meta,
            scratch: &scratch,
        };
        let restored = restoring.write(progress)?;
        let from = origin.or(restored.report.summary.version).unwrap_or(DataVersion::V0);
        Ok(Converted { conversion: self, restored, from })
    }
}

impl Converted<'_> {
    /// Hands on every line, and tells what the version cannot hold.
    fn for_each_line(&self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Losses> {
        let v004 = &self.restored.reader;
        if self.conversion.to == DataVersion::V004 {
            v004.for_each_line(each)?;
            return Ok(Losses::default());
        }
        OlderDump { v004, from: self.from, to: self.conversion.to }.for_each_line(each)
    }

    /// What the version cannot hold, before anything is written.
    fn losses(&self, progress: &Progress) -> Result<Losses> {
        progress.phase("converting");
        self.for_each_line(&mut |_| Ok(()))
    }

    /// What is in the dump that would be written.
    fn report(&self, progress: &Progress) -> Result<Report> {
        progress.phase("checking");
        let (mut framer, mut checker) = (LineFramer::default(), Checker::default());
        self.for_each_line(&mut |line| {
            framer.feed(line, |line| {
                checker.line(&line);
                Ok(())
            })
        })?;
        Ok(checker.finish())
    }

    fn refuse(&self, losses: &Losses) -> Result<()> {
        admission(self.conversion.accepted).refuse_losses(losses, self.conversion.to)
    }
}

fn tell(losses: &Losses, progress: &Progress) {
    for (loss, count) in losses.iter() {
        progress.say(&format!("lost: {loss} ({count} times)"));
    }
}

fn admission(accepted: &[Code]) -> Admission<'_> {
    Admission {
        accepted,
        manifest: Requirement::Optional,
        done: "converted",
        kept: "nothing was written".to_owned(),
    }
}

/// A directory that only the user can read, on the disk of the output if that is a file, and if
/// its directory takes one.
fn private_place(output: &Destination) -> Result<TemporaryDir> {
    let beside = match output {
        Destination::File(names) => {
            let (prefix, parent) = (names.hidden("rewrite-"), names.parent());
            remove_leftovers(&prefix, "", &parent);
            TemporaryDir::create(prefix, Some(&parent)).ok()
        }
        Destination::Stdout | Destination::Stream(_) => None,
    };
    beside
        .map_or_else(|| TemporaryDir::create("metactl-", None), Ok)
        .context("cannot create a directory for what is only needed meanwhile")
}
