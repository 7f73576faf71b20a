//! A dump of any version, written as the V004 files of one or more nodes and read back.

use anyhow::{Context, Result, anyhow};
use metadump::check::{Code, Finding};
use metadump::cluster::{InitialCluster, Leftovers};
use metadump::record::{Fact, Kind, LogId, SeqV};
use metadump::scan::LineError;
use metadump::{Line, Report};

use super::admission::{Admission, Becomes, Incoming};
use crate::dump_writer::now_ms;
use crate::failure::WithHelp;
use crate::open_dir::OpenDir;
use crate::progress::Progress;
use crate::raft_dir::{Complete, DirWriter, Holdings, Purpose, ReadBack};
use crate::report::{entries, grouped, plural, printable};
use crate::scanning::Scanned;

/// What is written, and where.
pub struct Restoring<'a> {
    /// Which dumps are accepted.
    pub admission: &'a Admission<'a>,
    /// The dump.
    pub incoming: Incoming<'a>,
    /// The dump's name for messages.
    pub name: &'a str,
    /// The nodes, at least one: all of the new cluster, or of none.
    pub nodes: &'a [NodeFiles<'a>],
}

/// Where the files of a node are written.
pub struct NodeFiles<'a> {
    /// The new cluster with this node, if any.
    pub cluster: Option<&'a InitialCluster>,
    /// An empty directory for the files.
    pub df_meta: &'a OpenDir,
    /// A directory for what is only needed meanwhile.
    pub scratch: &'a OpenDir,
    /// What the files are for.
    pub purpose: Purpose,
}

/// Files that hold what the dump does.
pub struct Restored {
    /// What was found in the dump.
    pub report: Report,
    /// The lines that are no records, and are not in the files.
    pub dropped: Dropped,
    /// The files of each node.
    pub nodes: Vec<RestoredNode>,
}

/// The files of a node.
pub struct RestoredNode {
    /// How many entries of the log are left out, because it ends before the last applied one.
    pub left_out: u64,
    /// How far the log was committed, and is now, where it does not reach that.
    pub committed: Option<(LogId, Option<LogId>)>,
    /// The files, read back.
    pub reader: ReadBack,
    /// What they hold.
    pub holdings: Holdings,
    /// What of the old cluster went, when there is a new one.
    pub leftovers: Leftovers,
}

/// How many dropped lines are named.
const MOST_NAMED: u64 = 20;

/// Lines that are no records.
#[derive(Debug, Default)]
pub struct Dropped {
    count: u64,
    named: Vec<String>,
}

impl Dropped {
    /// Adds one.
    pub fn add(&mut self, line: u64, error: &LineError) {
        self.count += 1;
        if self.count <= MOST_NAMED {
            self.named.push(format!("dropped: line {}: {error}", grouped(line)));
        }
    }

    /// How many there are.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Which they are and why, a line each.
    pub fn describe(&self) -> impl Iterator<Item = String> {
        let more = self.count.saturating_sub(MOST_NAMED);
        let more = (more > 0).then(|| format!("dropped: {} more", plural(more, "line")));
        self.named.iter().map(|line| printable(line)).chain(more)
    }
}

impl Restored {
    /// What of the dump is in the files of no node, a line each.
    pub fn lost(&self) -> impl Iterator<Item = String> {
        let findings = self.report.findings.kept().iter().filter(|finding| is_lost(finding));
        self.dropped.describe().chain(findings.map(lost))
    }
}

impl RestoredNode {
    /// What else is not in the files of this one, a line each.
    pub fn lost(&self) -> impl Iterator<Item = String> + use<> {
        let committed = self.committed.map(|(before, now)| {
            let now = now.map_or("nothing".to_owned(), |id| id.to_string());
            format!("committed: {before} -> {now}, where the log ends")
        });
        let log = (self.left_out > 0).then(|| {
            format!(
                "left out of the log: {}, which end before the last applied one; the snapshot holds \
                 what they did",
                entries(self.left_out)
            )
        });
        log.into_iter().chain(committed)
    }
}

/// The value of a key, decoded: that takes longer than to write it, and need not wait for its turn.
fn decoded_value(scanned: &Scanned<'_>) -> Option<Vec<u8>> {
    match scanned.as_ref().ok()?.record.fact() {
        Fact::Key(_, record) => Some(record.data.decode().into_owned()),
        _ => None,
    }
}

/// Whether a finding is about something that does not come through.
fn is_lost(finding: &Finding) -> bool {
    matches!(finding.code, Code::UnknownMember | Code::LogBelowPurgedSkipped)
}

fn lost(finding: &Finding) -> String {
    let line = finding.place.map_or(0, |place| place.line);
    format!("lost: line {}: {}", grouped(line), printable(&finding.message))
}

impl Restoring<'_> {
    /// Checks the dump, writes the files, syncs those that stay, and reads them back.
    ///
    /// # Errors
    ///
    /// When the dump is not let in, cannot be read, or the files cannot be written.
    pub fn write(&self, progress: &Progress) -> Result<Restored> {
        let Self { admission, incoming, name, nodes } = *self;
        let create =
            |node: &NodeFiles<'_>| DirWriter::create(node.df_meta, node.scratch, node.purpose);
        let mut writers = nodes.iter().map(create).collect::<Result<Vec<_>>>()?;
        let mut failed = None;
        let mut dropped = Dropped::default();
        let mut records = 0_u64;
        let each = |line: &Line<'_>, scanned: &Scanned<'_>, value: Option<Vec<u8>>| match scanned {
            Err(error) => dropped.add(line.number, error),
            // The first record that cannot be written ends the writing; the check goes on.
            Ok(scanned) if failed.is_none() => {
                records += u64::from(scanned.record.kind() != Kind::DataHeader);
                let tree = scanned.tree();
                let mut write = |fact: &Fact<'_>| {
                    writers.iter_mut().try_for_each(|writer| writer.fact(tree, fact))
                };
                let written = match (scanned.record.fact(), value) {
                    (Fact::Key(key, record), Some(value)) => {
                        write(&Fact::Key(key, &SeqV { data: value.into(), ..*record }))
                    }
                    (fact, _) => write(&fact),
                };
                failed = written.err().map(|error| (line.number, error));
            }
            Ok(_) => {}
        };
        let report = admission.check(incoming, progress, decoded_value, each)?;
        let keeps_cluster = nodes.iter().any(|node| node.cluster.is_none());
        let becomes = if keeps_cluster { Becomes::SameCluster } else { Becomes::NewCluster };
        admission.refuse(name, &report, becomes)?;
        if let Some((line, error)) = failed {
            let place = format!("{name}, line {}", grouped(line));
            return Err(error).context(place).help(admission.kept.clone());
        }
        // Whatever is accepted: an empty node in place of the old data is no restore.
        if records == 0 {
            return Err(anyhow!("{name} has no record that could be restored")).help(format!(
                "{}. {}",
                admission.kept,
                Code::EmptyDump.help()
            ));
        }
        let knows_node = writers.iter().all(|writer| writer.node_id().is_some());
        if keeps_cluster && !knows_node && !admission.accepts(Code::NodeIdNull) {
            return Err(anyhow!("the dump does not say which node it is from"))
                .help("restore it as a new cluster, with --id and --initial-cluster");
        }
        // The nodes have one snapshot, which names the moment that it was made.
        let now_ms = now_ms();
        let finish = |(writer, node): (DirWriter, &NodeFiles<'_>)| {
            self.finish(writer, node, now_ms, report.summary.keys, progress)
        };
        let nodes = writers.into_iter().zip(nodes).map(finish).collect::<Result<_>>()?;
        Ok(Restored { report, dropped, nodes })
    }

    /// Completes the files of a node, and reads them back.
    fn finish(
        &self,
        writer: DirWriter,
        node: &NodeFiles<'_>,
        now_ms: u64,
        keys: u64,
        progress: &Progress,
    ) -> Result<RestoredNode> {
        let Self { admission, name, .. } = self;
        let Complete { written, leftovers, left_out, committed } =
            writer.finish(node.cluster, now_ms)?;
        progress.phase("verifying");
        let reader = ReadBack::open(node.df_meta.path())?;
        let holdings = reader.holdings(&written);
        anyhow::ensure!(
            reader.fingerprint()? == written,
            "what was written cannot be read back; {}",
            admission.kept
        );
        // Whatever the reason: an empty state in place of the old data is no restore.
        anyhow::ensure!(
            holdings.keys > 0 || keys == 0,
            "{name} has {}, and none would be restored; {}",
            plural(keys, "key"),
            admission.kept
        );
        Ok(RestoredNode { left_out, committed, reader, holdings, leftovers })
    }
}
