//! A dump of any version, taken as one or more nodes, or written as their V004 files and read back.

use anyhow::{Context, Result, anyhow};
use metadump::check::{Code, Finding};
use metadump::cluster::{InitialCluster, Leftovers};
use metadump::record::{DataVersion, Fact, Kind, SeqV};
use metadump::scan::LineError;
use metadump::{Line, Report};

use super::admission::{Admission, Becomes, Incoming};
use crate::dump_writer::now_ms;
use crate::failure::WithHelp;
use crate::open_dir::OpenDir;
use crate::progress::Progress;
use crate::raft_dir::{
    Holdings, KeyCounts, NodeOutput, NodeWriter, Purpose, ReadBack, V004Output, Values, WholeNode,
};
use crate::report::{entries, grouped, plural, printable};
use crate::scanning::Scanned;

/// What is restored, and as what.
pub struct Restoring<'a> {
    /// Which dumps are accepted.
    pub admission: &'a Admission<'a>,
    /// The dump.
    pub incoming: Incoming<'a>,
    /// The dump's name for messages.
    pub name: &'a str,
}

/// Where the V004 files of a node are written.
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

/// Nodes that hold what the dump does.
pub struct Restored<N> {
    /// What was found in the dump.
    pub report: Report,
    /// The lines that are no records, and are not in the nodes.
    pub dropped: Dropped,
    /// The nodes.
    pub nodes: Vec<N>,
}

/// The V004 files of a node.
pub struct RestoredNode {
    /// What else of the dump is not in them, a line each.
    pub lost: Vec<String>,
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

impl<N> Restored<N> {
    /// What of the dump is in no node, a line each.
    pub fn lost(&self) -> impl Iterator<Item = String> {
        let findings = self.report.findings.kept().iter().filter(|finding| is_lost(finding));
        self.dropped.describe().chain(findings.map(lost))
    }
}

/// What else is not in a node, a line each.
pub fn lost_of<O>(node: &WholeNode<O>) -> impl Iterator<Item = String> + use<O> {
    let committed = node.committed.map(|(before, now)| {
        let now = now.map_or("nothing".to_owned(), |id| id.to_string());
        format!("committed: {before} -> {now}, where the log ends")
    });
    let log = (node.left_out > 0).then(|| {
        format!(
            "left out of the log: {}, which end before the last applied one; the snapshot holds \
             what they did",
            entries(node.left_out)
        )
    });
    log.into_iter().chain(committed)
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
    /// Checks the dump, writes the V004 files of each node, syncs those that stay, and reads them back.
    ///
    /// # Errors
    ///
    /// When the dump is not let in, cannot be read, or the files cannot be written.
    pub fn write(
        &self,
        files: &[NodeFiles<'_>],
        progress: &Progress,
    ) -> Result<Restored<RestoredNode>> {
        let begun = files.iter().map(|NodeFiles { cluster, df_meta, scratch, purpose }| {
            Ok((*cluster, V004Output::create(df_meta, scratch, *purpose)?))
        });
        let begun = begun.collect::<Result<Vec<_>>>()?;
        let Restored { report, dropped, nodes } = self.read(begun, progress)?;
        // The nodes have one snapshot, which names the moment that it was made.
        let now_ms = now_ms();
        let finish = |(node, files): (WholeNode<V004Output>, &NodeFiles<'_>)| {
            self.finish(node, files, now_ms, report.summary.keys, progress)
        };
        let nodes = nodes.into_iter().zip(files).map(finish).collect::<Result<_>>()?;
        Ok(Restored { report, dropped, nodes })
    }

    /// Checks the dump, and hands its records on to each node: all of the new cluster that is named with
    /// them, or of none.
    ///
    /// # Errors
    ///
    /// When the dump is not let in, cannot be read, or an output fails.
    pub fn read<O: NodeOutput + Send>(
        &self,
        begun: Vec<(Option<&InitialCluster>, O)>,
        progress: &Progress,
    ) -> Result<Restored<WholeNode<O>>> {
        let Self { admission, incoming, name } = *self;
        let (clusters, outputs): (Vec<_>, Vec<_>) = begun.into_iter().unzip();
        let decoded = match outputs.first().map(NodeOutput::values) {
            Some(Values::Decoded) => decoded_value,
            _ => |_: &Scanned<'_>| None,
        };
        let mut writers = Vec::from_iter(outputs.into_iter().map(NodeWriter::new));
        let mut failed = None;
        let mut dropped = Dropped::default();
        let mut records = 0_u64;
        let each = |version: Option<DataVersion>,
                    line: &Line<'_>,
                    scanned: &Scanned<'_>,
                    value: Option<Vec<u8>>| match scanned {
            Err(error) => dropped.add(line.number, error),
            // The first record that cannot be written ends the writing; the check goes on.
            Ok(scanned) if failed.is_none() => {
                records += u64::from(scanned.record.kind() != Kind::DataHeader);
                let tree = scanned.tree();
                let mut write = |fact: &Fact<'_>| {
                    writers.iter_mut().try_for_each(|writer| writer.fact(version, tree, fact))
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
        let report = admission.check(incoming, progress, decoded, each)?;
        let keeps_cluster = clusters.iter().any(Option::is_none);
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
        let nodes =
            writers.into_iter().zip(clusters).map(|(writer, cluster)| writer.finish(cluster));
        Ok(Restored { report, dropped, nodes: nodes.collect::<Result<_>>()? })
    }

    /// Completes the files of a node, and reads them back.
    fn finish(
        &self,
        node: WholeNode<V004Output>,
        files: &NodeFiles<'_>,
        now_ms: u64,
        keys: u64,
        progress: &Progress,
    ) -> Result<RestoredNode> {
        let lost = lost_of(&node).collect();
        let WholeNode { output, system, leftovers, .. } = node;
        // The official import writes the snapshot of a new cluster through the server's code,
        // which counts.
        let is_counted = files.cluster.is_some();
        let count = if is_counted { KeyCounts::Written } else { KeyCounts::Omitted };
        let written = output.finish(system, count, now_ms)?;
        progress.phase("verifying");
        let reader = ReadBack::open(files.df_meta.path())?;
        let holdings = reader.holdings(&written);
        anyhow::ensure!(
            reader.fingerprint()? == written,
            "what was written cannot be read back; {}",
            self.admission.kept
        );
        self.assert_keys(holdings, keys)?;
        Ok(RestoredNode { lost, reader, holdings, leftovers })
    }

    /// Whatever the reason: an empty state in place of the old data is no restore.
    ///
    /// # Errors
    ///
    /// When what was written of a dump with so many keys has none.
    pub fn assert_keys(&self, written: Holdings, keys: u64) -> Result<()> {
        anyhow::ensure!(
            written.keys > 0 || keys == 0,
            "{} has {}, and none would be restored; {}",
            self.name,
            plural(keys, "key"),
            self.admission.kept
        );
        Ok(())
    }
}
