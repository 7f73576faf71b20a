//! `--to parquet`: a dump as tables, which engines ask of a fleet's dumps in one folder.
//!
//! What the rows say is what `keys`, `log`, `objects` and `validate` print as JSON. Of a damaged dump
//! they have what can be read.

mod findings;
mod keys;
mod log;
mod objects;
mod partition;
mod rest;

use std::path::Path;

use anyhow::{Context, Result, bail};
use metadump::Report;
use metadump::check::{Evidence, Inspection, References, Requirement};
use metadump::moment::At;
use metadump::record::DataVersion;
use serde_json::{Value, json};

use self::partition::{Partition, TakenAt};
use self::rest::Rest;
use super::at::exported;
use super::ended::{self, Step};
use super::export::{Place, opened, say_lost};
use super::export_online::{Received, receive};
use super::plan::Reading;
use super::{Outcome, validate};
use crate::args::{Export, Format, Rewrite};
use crate::dump_name::DumpName;
use crate::encryption::keys;
use crate::failure::Usage;
use crate::grpc::ConnectOptions;
use crate::input::Source;
use crate::output::publish;
use crate::parquet_file::{Cell, Column, Holds, Written};
use crate::progress::Progress;
use crate::report::{let_in_with, plural};
use crate::run_metrics::RunMetrics;
use crate::scanning::{Threads, for_each_prepared};

/// The tables, in the order in which they are written.
const TABLES: [&str; 4] = ["keys", "log", "objects", "findings"];

/// When the dump was taken, which is the first column of each table: a day may have several.
const TAKEN_AT: Column = Column { name: "taken_at", holds: Holds::Time, may_lack: false };

/// A column that every row has something in.
const fn always(name: &'static str, holds: Holds) -> Column {
    Column { name, holds, may_lack: false }
}

/// A column that a row may have nothing in.
const fn maybe(name: &'static str, holds: Holds) -> Column {
    Column { name, holds, may_lack: true }
}

/// `rewrite --to`.
///
/// # Errors
///
/// When the dump cannot be read, or the tables cannot be written.
pub fn of_dump(args: &Rewrite, cluster: &str, progress: &Progress) -> Result<Outcome> {
    assert_open()?;
    let name = args.dump.name()?;
    let folder = args.output.as_ref().filter(|output| !output.is_dash()).ok_or_else(|| {
        let help = "name a folder: --output lake/";
        Usage::error("tables are four files, which cannot go to stdout", help)
    })?;
    let source = Source::open(name.as_ref())?.with_manifest(args.manifest.as_deref())?;
    let source = source.repeatable(progress)?;
    let threads = Threads::of_flag(None);
    let report = validate::check(&source, Requirement::Optional, threads, None, progress)?;
    let making = Making {
        command: "rewrite",
        source: &source,
        name: source.name(),
        origin: json!({ "file": source.name() }),
        report: &report,
        partition: Partition {
            folder,
            cluster,
            dump: partition::dump_name(&source),
            taken_at: TakenAt::of(&source, &report),
        },
        at: args.moment.at,
        rules_of: None,
        format: args.format,
    };
    making.run(Vec::new(), progress)?;
    Ok(Outcome::of(&report))
}

/// `export --to`.
///
/// # Errors
///
/// When there is nothing to export, it cannot be read, or the tables cannot be written.
pub fn of_export(
    args: &Export,
    place: &Place<'_>,
    cluster: &str,
    metrics: &RunMetrics,
    progress: &Progress,
) -> Result<Outcome> {
    assert_open()?;
    let Some(folder) = &args.repeated.into else { bail!("no folder is named") };
    progress.phase("exporting");
    let Exported { reading, name, file, origin, remarks, lost, rules_of } = match place {
        Place::Directory(dir) => Exported::of_directory(dir, args, progress)?,
        Place::Service(connect) => Exported::of_service(connect, args, progress)?,
    };
    let source = reading.source();
    let report = check_exported(source, &lost, progress)?;
    metrics.dump(folder.to_string(), &report);
    let making = Making {
        command: "export",
        source,
        name,
        origin,
        report: &report,
        partition: Partition { folder, cluster, dump: file, taken_at: TakenAt::now() },
        at: args.moment.at,
        rules_of,
        format: args.format,
    };
    making.run(remarks, progress)?;
    Ok(Outcome::of(&report).max(say_lost(&lost, progress)))
}

/// Refuses to encrypt tables.
fn assert_open() -> Result<()> {
    if !keys().are_given() {
        return Ok(());
    }
    Err(Usage::error(
        "tables are not encrypted: engines could not read them",
        "leave out --recipient and --recipients-file; credentials are masked in tables",
    ))
}

/// What is exported, as a dump in a file of our own.
struct Exported {
    reading: Reading,
    /// What it is of, for messages.
    name: String,
    /// What its tables are called.
    file: String,
    /// What it is of, for programs.
    origin: Value,
    remarks: Vec<String>,
    /// What a salvage could not read.
    lost: Vec<String>,
    /// The version whose releases apply the log, where the dump does not say it.
    rules_of: Option<DataVersion>,
}

impl Exported {
    fn of_directory(dir: &Path, args: &Export, progress: &Progress) -> Result<Self> {
        let reader = opened(dir, args)?;
        let reading = exported(&reader, dir, progress)?;
        let whole = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        let file = whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy().into_owned();
        Ok(Self {
            reading,
            name: ended::shown(dir),
            file,
            origin: json!({
                "raft_dir": ended::shown(dir),
                "lost": ended::salvaged(&reader.losses()),
            }),
            remarks: reader.remarks(DataVersion::V004),
            lost: reader.losses(),
            rules_of: Some(reader.version()),
        })
    }

    fn of_service(connect: &ConnectOptions, args: &Export, progress: &Progress) -> Result<Self> {
        let mut server = None;
        let reading = Reading::of_node("the export", |write| {
            server = Some(receive(args, connect, progress, &mut |line| {
                write(line.as_bytes())?;
                write(b"\n")
            })?);
            Ok(())
        })?;
        let Received { address, version } = server.context("no server was asked")?;
        let origin = json!({
            "grpc_api_address": address.to_string(),
            "server_version": version.to_string(),
        });
        let (name, file) = (address.to_string(), address.to_string());
        let (remarks, lost) = (Vec::new(), Vec::new());
        Ok(Self { reading, name, file, origin, remarks, lost, rules_of: None })
    }
}

/// Checks what was exported a moment ago, of which no manifest is missed; what was lost on the way is
/// found, too.
fn check_exported(source: &Source, lost: &[String], progress: &Progress) -> Result<Report> {
    progress.phase("checking");
    let evidence = Evidence::Held { lost: lost.to_vec() };
    let mut inspection = Inspection::new(evidence, Requirement::Optional);
    let threads = Threads::of_flag(None);
    for_each_prepared(source, threads, progress, References::of, |line, scanned, references| {
        inspection.prepared(line, scanned, references);
        Ok(())
    })?;
    progress.finish();
    Ok(inspection.finish())
}

/// Tables that are made of a dump.
struct Making<'a> {
    command: &'static str,
    source: &'a Source,
    /// What it is called in messages.
    name: String,
    /// What has it, as members of the object that is printed.
    origin: Value,
    /// What was found in it.
    report: &'a Report,
    partition: Partition<'a>,
    at: Option<At>,
    /// The version whose releases apply the log, where the dump does not say it.
    rules_of: Option<DataVersion>,
    format: Format,
}

/// A table that is written.
struct Table {
    name: &'static str,
    place: DumpName,
    rows: u64,
    bytes: u64,
}

impl Making<'_> {
    /// Writes the tables, each complete before the first gets its name, and says what they are.
    fn run(mut self, mut remarks: Vec<String>, progress: &Progress) -> Result<()> {
        let rest = Rest::read(self.source, self.at, self.rules_of, progress)?;
        if self.at.is_some() {
            let taken_at = &mut self.partition.taken_at;
            *taken_at = taken_at.at_moment(rest.as_of.last_write_ms);
        }
        let taken_at = Cell::moment(Some(self.partition.taken_at.ms()));
        let (dirs, files) = self.partition.open(TABLES, progress)?;
        let [(keys, to_keys), (log, to_log), (objects, to_objects), (findings, to_findings)] =
            files;
        let (of_keys, masked) = keys::write(&rest, taken_at, to_keys, progress)?;
        let Rest { as_of, objects: found, end, until, remark, .. } = rest;
        let (of_log, broken) = log::write((end, until), taken_at, to_log, progress)?;
        let of_objects = objects::write(&found, taken_at, to_objects)?;
        let of_findings = findings::write(self.report, taken_at, to_findings)?;
        let places = [keys, log, objects, findings];
        let written = [of_keys, of_log, of_objects, of_findings];
        let (mut tables, mut unnamed) = (Vec::new(), Vec::new());
        for ((name, place), written) in TABLES.into_iter().zip(places).zip(written) {
            let Written { file, rows, bytes } = written;
            tables.push(Table { name, place, rows, bytes });
            unnamed.push(file);
        }
        publish(unnamed, progress)?;
        dirs.keep()?;
        progress.finish();
        remarks.extend(self.partition.taken_at.remark());
        remarks.extend(remark);
        remarks.extend(broken);
        if masked > 0 {
            let are = if masked == 1 { "is" } else { "are" };
            remarks.push(format!("note: {} {are} masked", plural(masked, "credential")));
        }
        remarks.extend(let_in_with(self.report));
        self.say(&as_of.describe(), &tables, &remarks, progress);
        if self.format == Format::Json {
            let members = self.members(&as_of.describe(), &tables, &remarks);
            ended::print(self.command, Step::Done, members, Some(self.report))?;
        }
        Ok(())
    }

    fn say(&self, as_of: &str, tables: &[Table], remarks: &[String], progress: &Progress) {
        remarks.iter().for_each(|remark| progress.say(remark));
        for Table { place, rows, .. } in tables {
            progress.say(&format!("wrote {place}: {}", plural(*rows, "row")));
        }
        let (name, taken_at) = (&self.name, self.partition.taken_at.describe());
        progress.say(&format!("{name}: {as_of}; {taken_at}"));
    }

    fn members(&self, as_of: &str, tables: &[Table], remarks: &[String]) -> Value {
        let Partition { folder, cluster, taken_at, .. } = &self.partition;
        let table = |table: &Table| {
            json!({
                "table": table.name,
                "file": table.place.to_string(),
                "rows": table.rows,
                "bytes": table.bytes,
            })
        };
        let mut members = json!({
            "output": folder.to_string(),
            "cluster": cluster,
            "day": taken_at.day(),
            "taken_at_ms": taken_at.ms(),
            "taken_at_of": taken_at.source(),
            "as_of": as_of,
            "tables": Vec::from_iter(tables.iter().map(table)),
            "remarks": remarks,
        });
        if let (Some(members), Value::Object(origin)) = (members.as_object_mut(), &self.origin) {
            members.extend(origin.clone());
        }
        members
    }
}
