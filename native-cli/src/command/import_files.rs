//! The files that an import puts in place: a dump as directories of the version that is asked for,
//! complete, read back, and with what should be known of them.

use anyhow::Result;
use metadump::Report;
use metadump::check::Summary;
use metadump::cluster::{InitialCluster, Leftovers};
use metadump::record::DataVersion;

use super::admission::{Admission, Incoming};
use super::convert::describe_losses;
use super::restoring::{NodeFiles, Restored, RestoredNode, Restoring, lost_of};
use crate::dump_writer::now_ms;
use crate::input::Source;
use crate::open_dir::OpenDir;
use crate::progress::Progress;
use crate::raft_dir::{DirContent, Holdings, OlderDir, OlderOutput, Purpose, WholeNode};
use crate::report::{let_in_with, plural};

/// What an import writes, wherever it writes it.
pub struct ImportFiles<'a> {
    /// Which dumps are accepted.
    pub admission: &'a Admission<'a>,
    /// The dump.
    pub source: &'a Source,
    /// The dump's name for messages.
    pub name: &'a str,
    /// The version of the directories.
    pub version: DataVersion,
    /// What was found in what the dump was made of, if it was.
    pub made_of: Option<&'a Report>,
}

/// What was written.
pub struct Imported {
    /// What was found in the dump.
    pub report: Report,
    /// How many lines are no records, and are not in the files.
    pub dropped: u64,
    /// What was written for each node.
    pub nodes: Vec<ImportedNode>,
}

/// What was written for a node.
pub struct ImportedNode {
    /// What should be known of the import, a line each.
    pub remarks: Vec<String>,
    /// What the files hold.
    pub holdings: Holdings,
    /// What of the old cluster went, when there is a new one.
    pub leftovers: Leftovers,
}

impl Imported {
    /// `read 188 lines, 165,456 bytes; dropped 2 lines`; what was written may be made of another dump,
    /// which was read.
    pub fn read(&self, made_of: Option<&Report>) -> String {
        let Summary { lines, bytes, .. } = made_of.unwrap_or(&self.report).summary;
        let read = format!("read {}, {}", plural(lines, "line"), plural(bytes, "byte"));
        match self.dropped {
            0 => read,
            dropped => format!("{read}; dropped {}", plural(dropped, "line")),
        }
    }
}

impl ImportFiles<'_> {
    /// Writes the files of each node into an empty directory, syncs those that stay, and reads them back. The
    /// dump is read once.
    ///
    /// # Errors
    ///
    /// When the dump is not let in, cannot be read, or the files cannot be written.
    pub fn write(&self, nodes: &[NodePlace<'_>], progress: &Progress) -> Result<Imported> {
        progress.phase("importing");
        let df_meta = nodes.iter().map(|(_, place)| place.create_dir("df_meta"));
        let df_meta = df_meta.collect::<Result<Vec<_>>>()?;
        let Restored { report, dropped, mut nodes } = match self.version {
            DataVersion::V004 => self.write_v004(nodes, &df_meta, progress)?,
            _ => self.write_older(nodes, progress)?,
        };
        let let_in = Vec::from_iter(let_in_with(self.made_of.unwrap_or(&report)));
        nodes.iter_mut().for_each(|node| node.remarks.extend(let_in.iter().cloned()));
        Ok(Imported { report, dropped: dropped.count(), nodes })
    }

    fn restoring(&self) -> Restoring<'_> {
        let Self { admission, source, name, .. } = *self;
        Restoring { admission, incoming: Incoming::Dump(source), name }
    }

    fn write_v004(
        &self,
        nodes: &[NodePlace<'_>],
        df_meta: &[OpenDir],
        progress: &Progress,
    ) -> Result<Restored<ImportedNode>> {
        let files = nodes.iter().zip(df_meta).map(|((cluster, place), df_meta)| NodeFiles {
            cluster: *cluster,
            df_meta,
            scratch: place,
            purpose: Purpose::ToStay,
        });
        let restored = self.restoring().write(&Vec::from_iter(files), progress)?;
        let lost = Vec::from_iter(restored.lost());
        let Restored { report, dropped, nodes } = restored;
        let imported =
            nodes.into_iter().map(|RestoredNode { lost: own, holdings, leftovers, .. }| {
                let remarks = lost.iter().cloned().chain(own).collect();
                ImportedNode { remarks, holdings, leftovers }
            });
        Ok(Restored { report, dropped, nodes: imported.collect() })
    }

    /// Writes an older version, each node beside its `df_meta`.
    fn write_older(
        &self,
        nodes: &[NodePlace<'_>],
        progress: &Progress,
    ) -> Result<Restored<ImportedNode>> {
        let Self { admission, version, .. } = *self;
        let restoring = self.restoring();
        let begun = nodes.iter().map(|(cluster, place)| {
            let scratch = place.create_dir(SCRATCH)?;
            Ok((*cluster, OlderOutput::create(version, place, &scratch)?))
        });
        let restored = restoring.read(begun.collect::<Result<_>>()?, progress)?;
        let lost = Vec::from_iter(restored.lost());
        let Restored { report, dropped, nodes: read } = restored;
        let from = report.summary.version.unwrap_or(DataVersion::V004);
        let mut imported = Vec::new();
        for (node, (_, place)) in read.into_iter().zip(nodes) {
            progress.phase("converting");
            let mut remarks = lost.clone();
            remarks.extend(lost_of(&node));
            let WholeNode { output, system, leftovers, .. } = node;
            let OlderDir { content, losses } = output.finish(&system, from, now_ms())?;
            restoring.assert_keys(content.holdings, report.summary.keys)?;
            admission.refuse_losses(&losses, version)?;
            place.remove(SCRATCH)?;
            progress.phase("verifying");
            anyhow::ensure!(
                DirContent::of(place.path())? == content,
                "what was written cannot be read back; {}",
                admission.kept
            );
            remarks.extend(describe_losses(&losses));
            imported.push(ImportedNode { remarks, holdings: content.holdings, leftovers });
        }
        Ok(Restored { report, dropped, nodes: imported })
    }
}

/// A node of the new cluster, or the one that the dump is of, and where it is written.
pub type NodePlace<'a> = (Option<&'a InitialCluster>, &'a OpenDir);

/// Where what is only needed meanwhile is, when an older version is written.
const SCRATCH: &str = "scratch";
