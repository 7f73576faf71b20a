//! `export --since`: only what came after a dump, as an increment.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use metadump::Report;
use metadump::chain::{Cut, NoIncrement, Taken};
use metadump::check::{Checker, Severity};
use metadump::manifest::{Manifest, ManifestBuilder, Parent};
use metadump::record::{DataVersion, LogId};
use metadump::scan::scan_line;
use serde_json::{Value, json};

use super::ended::{self, Step, assert_apart};
use super::export::{Place, name_of};
use super::export_online::{Received, receive};
use super::{Outcome, export_online};
use crate::args::{Export, Format};
use crate::chain::{Folder, manifest_of};
use crate::dump_name::DumpName;
use crate::dump_writer::{DumpWriter, Origin};
use crate::encryption::{is_asked_for_by, keys};
use crate::failure::{Usage, WithHelp};
use crate::files::read_small;
use crate::grpc::Enough;
use crate::input::Source;
use crate::output::Destination;
use crate::progress::Progress;
use crate::raft_dir::{Access, DirReader, RaftDir};
use crate::report::{entries, plural};
use crate::run_metrics::RunMetrics;
use crate::store::Object;

/// What became of an export of what came after a dump.
#[derive(Debug)]
pub enum Since {
    /// An increment, or nothing where nothing came.
    Done(Outcome),
    /// It takes a whole dump, and why.
    Whole(String),
}

/// Runs the command with `--since`.
///
/// # Errors
///
/// When the dump cannot be read, or the increment not be exported.
pub fn run(
    args: &Export,
    place: &Place<'_>,
    since: &DumpName,
    metrics: &RunMetrics,
    progress: &Progress,
) -> Result<Since> {
    let destination = Destination::for_input(Some(since), args.db.as_ref())?;
    assert_apart(args.format, &destination)?;
    if !destination.is_file() && args.manifest.is_none() {
        return Err(Usage::error(
            "an increment needs its manifest, and has no name beside which that could stand",
            "name a file with --db, or one for the manifest with --manifest",
        ));
    }
    let base = match base(since, progress)? {
        Ok(base) => base,
        Err(why) => return Ok(Since::Whole(why)),
    };
    let parent = &base.parent;
    let is_sealed = |name: &str| is_asked_for_by(Path::new(name));
    let file = args.db.as_ref().and_then(DumpName::file_name);
    if is_sealed(&parent.dump) && !keys().are_given() && !file.as_deref().is_some_and(is_sealed) {
        progress.say(&format!(
            "warning: {} is encrypted, and what goes on from it is not: give it a name that ends in \
             `.age`",
            parent.dump
        ));
    }
    progress.phase("exporting");
    let cut = cut(args, place, &base, destination, progress)?;
    progress.finish();
    let Cutting { from, report } = match cut {
        Ok(cut) => cut,
        Err(why) => return Ok(Since::Whole(why.to_string())),
    };
    let end = parent.last_log;
    let outcome = match &report {
        None => {
            progress.say(&format!(
                "nothing is written: the log ends with {end}, as {} does",
                parent.dump
            ));
            Outcome::Done
        }
        Some(report) => {
            metrics.dump(name_of(args), report);
            warn(report, progress);
            progress.say(&said(parent, report, &from));
            Outcome::of(report)
        }
    };
    if args.format == Format::Json {
        let file = report.as_ref().and(args.db.as_ref()).map(ToString::to_string);
        let mut more = json!({ "file": file, "since": parent });
        if let (Some(more), Value::Object(from)) = (more.as_object_mut(), from.members()) {
            more.extend(from);
        }
        ended::print("export", Step::Done, more, report.as_ref())?;
    }
    Ok(Since::Done(outcome))
}

/// `exported 12 entries behind T1-N1.95, to T1-N1.107, 3,456 bytes, from 127.0.0.1:9191 (1.2.784)`
pub fn said(parent: &Parent, report: &Report, from: &Exporter) -> String {
    let summary = &report.summary;
    let to = summary.log.last.map_or(String::new(), |last| format!(", to {last}"));
    let (count, bytes) = (entries(summary.log.entries), plural(summary.bytes, "byte"));
    let (end, from) = (parent.last_log, from.shown());
    format!("exported {count} behind {end}{to}, {bytes}, from {from}")
}

/// A word when what was exported has errors.
pub fn warn(report: &Report, progress: &Progress) {
    let errors = report.findings.count_of(Severity::Error);
    if errors > 0 {
        progress.say(&format!(
            "warning: what was exported has {}; `databend-metactl validate` lists them",
            plural(errors, "error")
        ));
    }
}

/// What the increment goes on from, or why nothing does.
///
/// # Errors
///
/// When it cannot be read.
fn base(since: &DumpName, progress: &Progress) -> Result<Result<Base, String>> {
    let ending = Manifest::path_of(Path::new("")).display().to_string();
    let file = since.file_name().unwrap_or_default();
    let manifest = if file.ends_with(&ending) {
        given(since)?
    } else if Folder::is_named_by(since) {
        let folder = Folder::list(since)?;
        if folder.is_empty() {
            return Ok(Err(format!("{since} is empty: it is the first")));
        }
        let chain = match folder.newest_to_go_on_from()? {
            Ok(chain) => chain,
            Err(why) => return Ok(Err(why)),
        };
        let chain = chain.with_context(|| format!("{since} holds no dump with a manifest"));
        let last = chain.help("name the dump itself")?.last().clone();
        let manifest = last.manifest.context("the newest dump has no manifest")?;
        Manifest { dump: last.name.file_name().unwrap_or(manifest.dump), ..manifest }
    } else {
        let source = Source::open_piece(since)?;
        match manifest_of(since)? {
            Some(manifest) => Manifest { dump: file, ..manifest },
            None => measured(&source, &file, progress)?,
        }
    };
    let Some(last_log) = manifest.end() else {
        return Ok(Err(format!("{since} has no log entry that an increment could go on from")));
    };
    if manifest.data_version != Some(DataVersion::V004) {
        return Ok(Err(NoIncrement::Version.to_string()));
    }
    Ok(Ok(of_manifest(&manifest, last_log)))
}

/// What an increment goes on from.
pub struct Base {
    /// What the increment says of it.
    pub parent: Parent,
    /// The hash of the line of its last entry.
    end_hash: Option<String>,
}

/// What an increment goes on from that is behind the dump or increment with this manifest.
pub fn of_manifest(manifest: &Manifest, last_log: LogId) -> Base {
    let is_last = manifest.last_log == Some(last_log);
    let parent = Parent {
        dump: manifest.dump.clone(),
        sha256: manifest.sha256.clone(),
        last_log,
        created_at_ms: Some(manifest.created_at_ms).filter(|ms| *ms > 0),
    };
    Base { parent, end_hash: manifest.last_log_hash.clone().filter(|_| is_last) }
}

/// A manifest that is named in place of its dump.
fn given(name: &DumpName) -> Result<Manifest> {
    let context = || format!("cannot read the manifest {name}");
    let json = match name {
        DumpName::Url(url) => Object::open(url)?.read_small(),
        DumpName::Path(path) => read_small(path).map(Some),
        DumpName::Chain(_) => Ok(None),
    };
    let json = json.with_context(context)?.ok_or_else(|| anyhow!("it is not there"));
    Manifest::parse(&json.with_context(context)?).with_context(context)
}

/// The manifest that a dump would have.
fn measured(source: &Source, file: &str, progress: &Progress) -> Result<Manifest> {
    progress.phase("reading what the increment goes on from");
    let (mut checker, mut measured) = (Checker::default(), ManifestBuilder::default());
    source.for_each_line(progress, |line| {
        let scanned = scan_line(line.bytes);
        checker.scanned_line(&line, &scanned);
        measured.line(&line, scanned.as_ref().ok());
        Ok(())
    })?;
    let report = checker.finish();
    if report.findings.count_of(Severity::Error) > 0 {
        return Err(anyhow!("{} has errors: nothing can go on from it", source.name()))
            .help("`databend-metactl validate` lists them; export a whole dump, without --since");
    }
    Ok(measured.finish(file, &report.summary, String::new(), 0))
}

/// What was exported.
pub struct Cutting {
    /// Where it comes from.
    pub from: Exporter,
    /// What there is to say of the increment; none where nothing came after its parent.
    pub report: Option<Report>,
}

/// Where an increment comes from.
pub enum Exporter {
    /// A server.
    Service(Received),
    /// A directory, by name.
    Directory(String),
}

impl Exporter {
    /// In words.
    pub fn shown(&self) -> String {
        match self {
            Self::Service(Received { address, version }) => format!("{address} ({version})"),
            Self::Directory(name) => name.clone(),
        }
    }

    fn members(&self) -> Value {
        match self {
            Self::Service(Received { address, version }) => json!({
                "grpc_api_address": address.to_string(),
                "server_version": version.to_string(),
            }),
            Self::Directory(name) => json!({ "raft_dir": name }),
        }
    }
}

/// Exports what came after `base`, and gives it its name; or says why that takes a whole dump.
///
/// # Errors
///
/// When it cannot be exported or written.
pub fn cut(
    args: &Export,
    place: &Place<'_>,
    base: &Base,
    destination: Destination,
    progress: &Progress,
) -> Result<Result<Cutting, NoIncrement>> {
    let Base { parent, end_hash } = base;
    let origin = match place {
        Place::Directory(_) => Origin::Ours,
        Place::Service(_) => Origin::Server,
    };
    let manifest = args.manifest.as_deref();
    let open = || {
        let (to, parent) = (destination.clone(), parent.clone());
        DumpWriter::create_increment(to, manifest, origin, parent, progress)
    };
    let mut cutter = Cutter {
        cut: Cut::behind(parent.last_log).known_by(end_hash.clone()),
        head: Vec::new(),
        increment: None,
        refused: None,
    };
    let from = match place {
        Place::Directory(dir) => {
            let access = if args.live { Access::Live } else { Access::Stopped };
            let reader = DirReader::open(&RaftDir::new(dir), access)?;
            let read = reader.for_each_line(|line| {
                progress.advance(line.len() as u64);
                cutter.line(line.strip_suffix(b"\n").unwrap_or(line), open)
            });
            match read {
                Err(error) if error.is::<Enough>() => {}
                read => read?,
            }
            reader.assert_unchanged()?;
            Exporter::Directory(ended::shown(dir))
        }
        Place::Service(connect) => {
            let mut each = |line: &str| cutter.line(line.as_bytes(), open);
            Exporter::Service(receive(args, connect, progress, &mut each)?)
        }
    };
    let Cutter { cut, increment, refused, .. } = cutter;
    if let Some(why) = refused {
        return Ok(Err(why));
    }
    if let Err(why) = cut.finish() {
        return Ok(Err(why));
    }
    let report = increment.map(|increment| increment.commit(Vec::new())).transpose()?;
    Ok(Ok(Cutting { from, report }))
}

/// Exports a whole dump, and gives it its name.
///
/// # Errors
///
/// When it cannot be exported or written.
pub fn whole(
    args: &Export,
    place: &Place<'_>,
    destination: Destination,
    progress: &Progress,
) -> Result<(Exporter, Report)> {
    match place {
        Place::Directory(dir) => {
            let access = if args.live { Access::Live } else { Access::Stopped };
            let reader = DirReader::open(&RaftDir::new(dir), access)?;
            let mut dump = DumpWriter::create(destination, None, Origin::Ours, progress)?;
            reader.for_each_line(|line| dump.write(line))?;
            reader.assert_unchanged()?;
            Ok((Exporter::Directory(ended::shown(dir)), dump.commit(Vec::new())?))
        }
        Place::Service(connect) => {
            let (received, report) = export_online::whole(args, connect, destination, progress)?;
            Ok((Exporter::Service(received), report))
        }
    }
}

/// Takes the lines of an export.
struct Cutter {
    cut: Cut,
    /// The first lines, until it is known that there is an increment.
    head: Vec<u8>,
    increment: Option<DumpWriter>,
    refused: Option<NoIncrement>,
}

impl Cutter {
    /// Fails with [`Enough`] when no more is needed.
    fn line(&mut self, line: &[u8], open: impl Fn() -> Result<DumpWriter>) -> Result<()> {
        match self.cut.line(line) {
            Ok(Taken::Head) => {
                self.head.extend_from_slice(line);
                self.head.push(b'\n');
                Ok(())
            }
            Ok(Taken::Entry) => {
                let increment = match &mut self.increment {
                    Some(increment) => increment,
                    None => {
                        let mut increment = open()?;
                        increment.write(&self.head)?;
                        self.increment.insert(increment)
                    }
                };
                increment.write(line)?;
                increment.write(b"\n")
            }
            Ok(Taken::Nothing) => Ok(()),
            Ok(Taken::Enough) => Err(Enough.into()),
            Err(why) => {
                self.refused = Some(why);
                Err(Enough.into())
            }
        }
    }
}
