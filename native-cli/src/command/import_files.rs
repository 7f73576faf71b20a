//! The files that an import puts in place: a dump as directories of the version that is asked for,
//! complete, read back, and with what should be known of them.

use anyhow::Result;
use metadump::Report;
use metadump::check::Summary;
use metadump::cluster::{InitialCluster, Leftovers};
use metadump::record::DataVersion;

use super::admission::{Admission, Incoming};
use super::convert::describe_losses;
use super::restoring::{NodeFiles, Restored, RestoredNode, Restoring};
use crate::dump_writer::now_ms;
use crate::input::Source;
use crate::open_dir::OpenDir;
use crate::progress::Progress;
use crate::raft_dir::{DirContent, Holdings, OlderDir, OlderWriter, Purpose, ReadBack};
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
    pub fn write(
        &self,
        nodes: &[(Option<&InitialCluster>, &OpenDir)],
        progress: &Progress,
    ) -> Result<Imported> {
        let Self { admission, source, name, version, made_of } = *self;
        progress.phase("importing");
        // The dump is written as V004 first: that sorts it, fills its gaps and makes it a new
        // cluster.
        let is_v004 = version == DataVersion::V004;
        let create = |(_, place): &(_, &OpenDir)| -> Result<OpenDir> {
            let df_meta = place.create_dir("df_meta")?;
            if is_v004 { Ok(df_meta) } else { place.create_dir(V004) }
        };
        let v004 = nodes.iter().map(create).collect::<Result<Vec<_>>>()?;
        let files = nodes.iter().zip(&v004);
        let files = files.map(|((cluster, place), df_meta)| NodeFiles {
            cluster: *cluster,
            df_meta,
            scratch: place,
            purpose: if is_v004 { Purpose::ToStay } else { Purpose::ForTheCommand },
        });
        let files = Vec::from_iter(files);
        let incoming = Incoming::Dump(source);
        let restored = Restoring { admission, incoming, name, nodes: &files }.write(progress)?;
        let lost = Vec::from_iter(restored.lost());
        let Restored { report, dropped, nodes } = restored;
        let mut imported = Vec::new();
        for (node, files) in nodes.into_iter().zip(&files) {
            let mut remarks = lost.clone();
            remarks.extend(node.lost());
            let RestoredNode { reader, mut holdings, leftovers, .. } = node;
            if !is_v004 {
                let from = report.summary.version.unwrap_or(DataVersion::V004);
                let (v004, place) = (files.df_meta, files.scratch);
                let older = Older { admission, from, version, v004, place };
                let (written, lost) = older.write(&reader, progress)?;
                holdings = written;
                remarks.extend(lost);
            }
            remarks.extend(let_in_with(made_of.unwrap_or(&report)));
            imported.push(ImportedNode { remarks, holdings, leftovers });
        }
        Ok(Imported { report, dropped: dropped.count(), nodes: imported })
    }
}

/// Where the V004 form of an older version is, for as long as it is needed.
const V004: &str = "v004";

/// Writing a data version before V004.
struct Older<'a> {
    admission: &'a Admission<'a>,
    from: DataVersion,
    version: DataVersion,
    v004: &'a OpenDir,
    place: &'a OpenDir,
}

impl Older<'_> {
    /// Writes the older version beside its `df_meta`, and removes the V004 one. Gives what it
    /// holds, and what is lost.
    fn write(&self, reader: &ReadBack, progress: &Progress) -> Result<(Holdings, Vec<String>)> {
        let Self { admission, from, version, v004, place } = *self;
        progress.phase("converting");
        let OlderDir { content, losses } = OlderWriter {
            v004: reader,
            from,
            to: version,
            root: place,
            scratch: v004,
            now_ms: now_ms(),
        }
        .write()?;
        admission.refuse_losses(&losses, version)?;
        place.remove(V004)?;
        progress.phase("verifying");
        anyhow::ensure!(
            DirContent::of(place.path())? == content,
            "what was written cannot be read back; {}",
            admission.kept
        );
        Ok((content.holdings, describe_losses(&losses).collect()))
    }
}
