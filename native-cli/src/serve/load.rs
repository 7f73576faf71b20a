//! Fills an empty data directory: from a dump, from a data directory of a server, or as a new
//! cluster.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path as FilePath;
use std::sync::Arc;

use anyhow::{Context, Result};
use metadump::apply::{ApplyRules, StateMachine, SystemState};
use metadump::check::{Inspection, Requirement, Severity};
use metadump::moment::{At, Moment, Path, Survey};
use metadump::record::{DataVersion, Fact, Tree};
use metadump::scan::scan_line;
use metadump::{Line, LineFramer, Report};

use super::data_dir::{Layout, create_file};
use super::database::{Batch, Database};
use super::dump_file::DumpFile;
use super::loaded::Loaded;
use super::notes;
use super::overlay::{Overlay, Pending};
use super::snapshots::write_state;
use crate::diagnostics;
use crate::failure::WithHelp;
use crate::input::Source;
use crate::manifest::evidence;
use crate::progress::Progress;
use crate::raft_dir::{Access, DirReader, RaftDir};

/// How many changes are written at a time.
const LOADED_CHANGES: usize = 10_000;

/// How many bytes of a dump are taken before their changes are written.
const LOADED_BYTES: usize = 4 << 20;

/// What a service begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitialData {
    /// A dump.
    Dump(Source),
    /// The data directory of a server.
    RaftDir(std::path::PathBuf),
    /// Nothing: a cluster of one node, without keys.
    NewCluster,
}

/// Fills the empty directory of `layout`; its data is complete and on disk when this returns.
///
/// # Errors
///
/// When what is loaded has errors, cannot be read, or cannot be applied.
pub fn fill(layout: &Layout, origin: &InitialData, progress: &Progress) -> Result<()> {
    let mut copy = Copy::create(&layout.loaded())?;
    match origin {
        InitialData::Dump(source) => copy.dump(source, progress)?,
        InitialData::RaftDir(path) => copy.raft_dir(path, progress)?,
        InitialData::NewCluster => copy.new_cluster()?,
    }
    let (mut loaded, moment) = copy.finish()?;
    progress.phase("loading");
    let file = DumpFile::open(&layout.loaded())?;
    let database = Arc::new(Database::create(&layout.database())?);
    let system = build(layout, &database, &file, &loaded, moment)?;
    loaded.seal = Some(file.seal()?);
    let state = layout.loaded_state();
    loaded.state_seal = state.exists().then(|| DumpFile::open(&state)?.seal()).transpose()?;
    let notes = vec![(notes::LOADED, notes::put(&loaded)?), (notes::SYSTEM, notes::put(&system)?)];
    Ok(database.commit(&Batch { notes, ..Batch::default() })?)
}

/// The copy of what is loaded, line by line.
struct Copy {
    file: BufWriter<File>,
    loaded: Loaded,
    survey: Survey,
    at: u64,
}

impl Copy {
    fn create(path: &FilePath) -> Result<Self> {
        Ok(Self {
            file: BufWriter::new(create_file(path)?),
            loaded: Loaded::default(),
            survey: Survey::new(At::End, 0),
            at: 0,
        })
    }

    fn line(&mut self, line: &Line<'_>, inspection: &mut Inspection) -> Result<()> {
        let scanned = scan_line(line.bytes);
        inspection.line(line, &scanned);
        let to = self.at + line.bytes.len() as u64 + 1;
        if let Ok(scanned) = &scanned {
            self.loaded.line(scanned.tree(), &scanned.record, self.at, to);
            let fact = scanned.record.fact();
            if !matches!(scanned.tree(), Tree::StateMachine(_)) {
                self.survey.learn(&fact);
            }
        }
        self.at = to;
        self.file
            .write_all(line.bytes)
            .and_then(|()| self.file.write_all(b"\n"))
            .context("cannot write the copy of the dump")
    }

    fn dump(&mut self, source: &Source, progress: &Progress) -> Result<()> {
        progress.phase("checking");
        let mut inspection = Inspection::new(evidence(source), Requirement::Optional);
        source.for_each_line(progress, |line| self.line(&line, &mut inspection))?;
        refuse_errors(&source.name(), &inspection.finish())
    }

    fn raft_dir(&mut self, path: &FilePath, progress: &Progress) -> Result<()> {
        progress.phase("exporting");
        let mut inspection = Inspection::default();
        let reader = DirReader::open(&RaftDir::new(path), Access::Stopped)?;
        reader.for_each_placed_line(progress, |line| self.line(&line, &mut inspection))?;
        reader.remarks(DataVersion::V004).iter().for_each(|remark| progress.say(remark));
        refuse_errors(&path.display().to_string(), &inspection.finish())
    }

    fn new_cluster(&mut self) -> Result<()> {
        let mut inspection = Inspection::default();
        let mut framer = LineFramer::default();
        framer.feed(NEW_CLUSTER.as_bytes(), |line| self.line(&line, &mut inspection))?;
        framer.finish(|line| self.line(&line, &mut inspection))?;
        refuse_errors("the new cluster", &inspection.finish())
    }

    /// What was loaded, and the end of its log: a single node commits all of it.
    fn finish(mut self) -> Result<(Loaded, Moment)> {
        let file = self.file.into_inner().context("cannot write the copy of the dump")?;
        file.sync_all().context("cannot sync the copy of the dump")?;
        if let Some(applied) = self.loaded.last_applied {
            self.survey.learn(&Fact::LastApplied(applied));
        }
        let moment = self.survey.finish().context("the log cannot be applied")?;
        Ok((self.loaded, moment.log_end()))
    }
}

/// What a server of today has in its log when it has just started as a cluster of its own.
const NEW_CLUSTER: &str = r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]
["raft_log",{"NodeId":1}]
["raft_log",{"Vote":{"leader_id":{"term":1,"node_id":1},"committed":true}}]
["raft_log",{"Committed":{"leader_id":{"term":1,"node_id":1},"index":2}}]
["raft_log",{"Purged":null}]
["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":0,"node_id":1},"index":0},"payload":{"Membership":{"configs":[[1]],"nodes":{"1":{}}}}}}]
["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":1},"payload":"Blank"}}]
["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":2},"payload":{"Normal":{"cmd":{"AddNode":{"node_id":1,"node":{"name":"1","endpoint":{"addr":"localhost","port":28004},"grpc_api_advertise_address":"localhost:9191"},"overriding":true}}}}}}]
"#;

fn refuse_errors(name: &str, report: &Report) -> Result<()> {
    let findings = report.findings.kept().iter();
    let mut errors = findings.filter(|finding| finding.severity() == Severity::Error);
    let Some(first) = errors.next() else { return Ok(()) };
    diagnostics::say_findings(name, report);
    Err(anyhow::anyhow!("{name} is not served: {}", first.message))
        .help(format!("a drill on a damaged dump would prove nothing. {}", first.help))
}

/// Builds the state: that of the dump's state machine, and what the log behind it makes of it.
fn build(
    layout: &Layout,
    database: &Arc<Database>,
    file: &DumpFile,
    loaded: &Loaded,
    moment: Moment,
) -> Result<SystemState> {
    let overlay = Overlay::new(Arc::clone(database), SystemState::default());
    let mut writing = Writing { database, pending: overlay.pending(), bytes: 0 };
    let mut machine = StateMachine::new(overlay, ApplyRules::CURRENT);
    if let Some(state_from) = loaded.state_from {
        let mut lines = file.lines_between(state_from, u64::MAX);
        while let Some(line) = lines.next_line()? {
            let scanned = scan_line(&line)?;
            if loaded.is_state(scanned.tree()) {
                machine.load(&scanned.record)?;
                writing.took(line.len())?;
            }
        }
    }
    writing.flush()?;
    if loaded.state_from.is_some() && !loaded.is_of_today() {
        write_state(&machine, &layout.loaded_state())?;
    }
    let mut lines = file.lines_between(0, loaded.log_end);
    let mut path = Path::to(moment);
    while let Some(line) = lines.next_line()? {
        let record = scan_line(&line)?.record;
        let fact = record.fact();
        let Some(entry) = path.entry(&fact) else { continue };
        machine.apply(entry).map_err(|error| anyhow::anyhow!("{error}")).help(
            "a server of today could not apply the log either; `databend-metactl validate` shows \
             what is wrong with the dump",
        )?;
        writing.took(line.len())?;
    }
    writing.flush()?;
    Ok(machine.system().clone())
}

/// Writes changes in pieces.
struct Writing<'d> {
    database: &'d Database,
    pending: Pending,
    bytes: usize,
}

impl Writing<'_> {
    fn took(&mut self, bytes: usize) -> Result<()> {
        self.bytes += bytes;
        if self.bytes >= LOADED_BYTES || self.pending.changes().len() >= LOADED_CHANGES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let changes = std::mem::take(&mut *self.pending.changes());
        self.database.commit(&Batch { changes, ..Batch::default() })?;
        self.bytes = 0;
        Ok(())
    }
}
