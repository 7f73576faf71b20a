//! `rewrite --data-version`: a dump in the form of another data version.
//!
//! The dump is written as the V004 files of a node first, in a private directory beside the output:
//! that sorts it, fills its gaps, and is what an import of it gives. The facts in these files are
//! then written in the form of the version, and what is lost is counted on the way: a file only gets
//! its name if that is accepted. What goes into a stream cannot be taken back, so it is counted
//! before.

use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result};
use metadump::check::{Code, Requirement};
use metadump::cluster::InitialCluster;
use metadump::record::{DataVersion, Losses};
use metadump::{Dump, Report};
use serde_json::{Value, json};

use super::Outcome;
use super::admission::{Admission, Incoming};
use super::ended::{self, Step};
use super::nodes::Said;
use super::plan::Reading;
use super::restoring::{NodeFiles, Restored, RestoredNode, Restoring};
use super::rewrite::{Target, Wrote};
use crate::args::{Format, Rewrite};
use crate::dump_writer::{DumpWriter, Origin, UnnamedDump};
use crate::failure::WithHelp;
use crate::input::Source;
use crate::manifest::lost;
use crate::open_dir::OpenDir;
use crate::output::Destination;
use crate::progress::Progress;
use crate::raft_dir::{FactSource, OlderDump, OlderForm, Purpose};
use crate::report::{let_in_with, plural};
use crate::temporary::{ROOM, TemporaryDir, remove_leftovers};

/// `rewrite --data-version`: a dump for each node. Each is complete before the first gets its name.
///
/// # Errors
///
/// When the dump is not let in, or one cannot be written.
pub fn dump(
    args: &Rewrite,
    targets: Vec<Target>,
    reading: &Reading,
    version: DataVersion,
    progress: &Progress,
) -> Result<Outcome> {
    let wrote = Wrote::each_of(&targets);
    let (mut converted, mut unnamed) = (Vec::new(), Vec::new());
    for target in targets {
        let (node, dump) = convert_for(args, target, reading, version, progress)?;
        converted.push(node);
        unnamed.extend(dump);
    }
    UnnamedDump::name_all(unnamed, progress)?;
    progress.finish();
    let mut said = Said::default();
    for (node, wrote) in converted.into_iter().zip(wrote) {
        let ConvertedDump { remarks, from, written, read, ended } = node;
        remarks.iter().for_each(|remark| said.say(remark, progress));
        let versions = format!("{from} to {version}");
        match (args.dry_run, args.format) {
            (true, Format::Json) => ended::print("rewrite", Step::Plan, ended, Some(&read))?,
            (true, Format::Text) => {
                progress.say(&format!("{}, {versions}", wrote.would(&written.summary)));
            }
            (false, format) => {
                progress.say(&format!("{}, {versions}", wrote.has(&written.summary)));
                if format == Format::Json {
                    ended::print("rewrite", Step::Done, ended, Some(&written))?;
                }
            }
        }
    }
    Ok(Outcome::Done)
}

/// A dump in the form of another version.
struct ConvertedDump {
    /// What should be known of it, a line each.
    remarks: Vec<String>,
    /// The version that the data came from.
    from: DataVersion,
    /// What is in the dump that is written.
    written: Rc<Report>,
    /// What was found in the one that was read.
    read: Rc<Report>,
    /// The members of its object.
    ended: Value,
}

/// Converts the dump for a node; without its name, and in a dry run without a file.
fn convert_for(
    args: &Rewrite,
    target: Target,
    reading: &Reading,
    version: DataVersion,
    progress: &Progress,
) -> Result<(ConvertedDump, Option<UnnamedDump>)> {
    let Target { cluster, output, destination } = target;
    let place = private_place(&destination)?;
    let source = reading.source();
    let conversion = Conversion {
        incoming: Incoming::Dump(source),
        name: &source.name(),
        from: None,
        to: version,
        cluster: cluster.as_ref(),
        accepted: &args.losses.accept,
    };
    let converted = conversion.convert(place.path(), progress)?;
    let from = converted.from;
    // Then there is nothing to convert: not a byte is another one.
    let keeps_lines = from == version && cluster.is_none();
    let mut unnamed = None;
    let mut written = None;
    let losses = if args.dry_run && keeps_lines {
        Losses::default()
    } else if args.dry_run {
        let (foretold, losses) = converted.foretell(progress)?;
        written = Some(foretold);
        losses
    } else {
        let (report, dump, losses) =
            converted.write(args, destination, keeps_lines, source, progress)?;
        (written, unnamed) = (Some(report), Some(dump));
        losses
    };
    let Converted { restored, node, .. } = converted;
    let mut remarks = Vec::new();
    if !keeps_lines {
        remarks.extend(node.leftovers.describe());
        remarks.extend(restored.lost().chain(node.lost.iter().cloned()));
    }
    remarks.extend(let_in_with(&restored.report));
    let ended = json!({
        "file": source.name(),
        "output": output.as_ref().map(ToString::to_string),
        "from_version": from,
        "data_version": version,
        "initial_cluster": ended::members(cluster.as_ref()),
        "dropped": if keeps_lines { 0 } else { restored.dropped.count() },
        "remarks": remarks,
        "lost": ended::losses(&losses),
    });
    remarks.extend(describe_losses(&losses));
    let read = Rc::new(restored.report);
    let written = written.map_or_else(|| Rc::clone(&read), Rc::new);
    Ok((ConvertedDump { remarks, from, written, read, ended }, unnamed))
}

/// A dump of any version as one of V004.
pub fn to_v004(reading: &Reading, accepted: &[Code], progress: &Progress) -> Result<Reading> {
    let place = private_place(&Destination::Stdout)?;
    let conversion = Conversion {
        incoming: Incoming::Dump(reading.source()),
        name: reading.name(),
        from: None,
        to: DataVersion::V004,
        cluster: None,
        accepted,
    };
    let converted = conversion.convert(place.path(), progress)?;
    reading.made(|write| converted.for_each_line(&mut |line| write(line)).map(drop))
}

/// What is converted, and to what.
#[derive(Debug, Clone, Copy)]
pub struct Conversion<'a> {
    /// What has the lines.
    pub incoming: Incoming<'a>,
    /// Its name for messages.
    pub name: &'a str,
    /// The version that the data is of, where the lines do not say.
    pub from: Option<DataVersion>,
    /// The version to write.
    pub to: DataVersion,
    /// The new cluster, if any.
    pub cluster: Option<&'a InitialCluster>,
    /// What does not keep the dump out.
    pub accepted: &'a [Code],
}

/// What can be written in the form of the version.
pub struct Converted<'a> {
    conversion: Conversion<'a>,
    restored: Restored<RestoredNode>,
    node: RestoredNode,
    /// The version that the data came from.
    from: DataVersion,
}

impl<'a> Conversion<'a> {
    /// Reads the lines into files below `place`.
    ///
    /// # Errors
    ///
    /// When the dump is not let in, cannot be read, or the files cannot be written.
    pub fn convert(self, place: &Path, progress: &Progress) -> Result<Converted<'a>> {
        let place = OpenDir::open(place)?;
        let (df_meta, scratch) = (place.create_dir("df_meta")?, place.create_dir("scratch")?);
        progress.phase("reading");
        let accepted = with_node_id_null(self.accepted);
        let node = NodeFiles {
            cluster: self.cluster,
            df_meta: &df_meta,
            scratch: &scratch,
            purpose: Purpose::ForTheCommand,
        };
        let restoring = Restoring {
            admission: &admission(&accepted),
            incoming: self.incoming,
            name: self.name,
        };
        let mut restored = restoring.write(&[node], progress)?;
        let node = restored.nodes.pop().context("no node was restored")?;
        let from = self.from.or(restored.report.summary.version).unwrap_or(DataVersion::V0);
        Ok(Converted { conversion: self, restored, node, from })
    }
}

impl Converted<'_> {
    /// Hands on every line, and gives what the version cannot hold.
    ///
    /// # Errors
    ///
    /// That of `each`, and when a log entry cannot be read by servers of the version.
    pub fn for_each_line(&self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Losses> {
        let v004 = &self.node.reader;
        if self.conversion.to == DataVersion::V004 {
            v004.for_each_line(each)?;
            return Ok(Losses::default());
        }
        let form = OlderForm::of(v004, v004.last_applied(), self.from, self.conversion.to)?;
        let mut older = OlderDump::new(form, each);
        v004.for_each_fact(&mut |fact| older.put(fact))?;
        older.finish()
    }

    /// Writes the dump, without its name; gives what is in it, and what the version cannot hold.
    fn write(
        &self,
        args: &Rewrite,
        destination: Destination,
        keeps_lines: bool,
        source: &Source,
        progress: &Progress,
    ) -> Result<(Report, UnnamedDump, Losses)> {
        if !keeps_lines && !destination.is_file() {
            self.refuse(&self.losses(progress)?)?;
        }
        let manifest = args.output_manifest.as_deref();
        let mut dump = DumpWriter::create(destination, manifest, Origin::Ours, progress)?;
        progress.phase("converting");
        let losses = if keeps_lines {
            source.for_each_line(progress, |line| {
                anyhow::ensure!(line.is_whole(), "line {} is too long to be kept", line.number);
                dump.write(line.bytes)?;
                if line.terminated { dump.write(b"\n") } else { Ok(()) }
            })?;
            Losses::default()
        } else {
            self.for_each_line(&mut |line| dump.write(line))?
        };
        self.refuse(&losses)?;
        let (report, unnamed) = dump.finish(lost(source))?;
        Ok((report, unnamed, losses))
    }

    /// What the version cannot hold, before anything is written.
    ///
    /// # Errors
    ///
    /// When a log entry cannot be read by servers of the version.
    pub fn losses(&self, progress: &Progress) -> Result<Losses> {
        if self.conversion.to == DataVersion::V004 {
            return Ok(Losses::default());
        }
        progress.phase("converting");
        self.for_each_line(&mut |_| Ok(()))
    }

    /// What would be in the dump, and what the version cannot hold.
    fn foretell(&self, progress: &Progress) -> Result<(Report, Losses)> {
        progress.phase("converting");
        let mut dump = Dump::default();
        let losses = self.for_each_line(&mut |line| {
            dump.push(line);
            Ok(())
        })?;
        Ok((dump.finish(), losses))
    }

    /// Refuses losses that are not accepted.
    pub fn refuse(&self, losses: &Losses) -> Result<()> {
        admission(self.conversion.accepted).refuse_losses(losses, self.conversion.to)
    }
}

/// What was lost, a line each.
pub fn describe_losses(losses: &Losses) -> impl Iterator<Item = String> {
    losses.iter().map(|(loss, count)| format!("lost: {loss} ({})", plural(count, "time")))
}

/// A dump may leave open which node it is from; only a directory may not.
pub fn with_node_id_null(accepted: &[Code]) -> Vec<Code> {
    accepted.iter().copied().chain([Code::NodeIdNull]).collect()
}

/// Which dumps are converted.
pub fn admission(accepted: &[Code]) -> Admission<'_> {
    Admission {
        accepted,
        manifest: Requirement::Optional,
        done: "converted",
        kept: "nothing was written".to_owned(),
    }
}

/// A directory that only the user can read, on the disk of the output if that is a file, and if
/// its directory takes one.
pub fn private_place(output: &Destination) -> Result<TemporaryDir> {
    let beside = match output {
        Destination::File(names) => {
            let (prefix, parent) = (names.hidden("rewrite-"), names.parent());
            remove_leftovers(&prefix, "", &parent);
            TemporaryDir::create(prefix, Some(&parent)).ok()
        }
        Destination::Stdout | Destination::Stream(_) | Destination::Object(_) => None,
    };
    beside
        .map_or_else(|| TemporaryDir::create("metactl-", None), Ok)
        .context("cannot create a directory for what is only needed meanwhile")
        .help(ROOM)
}
