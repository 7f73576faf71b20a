//! A dump of any version, written as the V004 files of a node and read back.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use metadump::Report;
use metadump::check::Code;
use metadump::cluster::{InitialCluster, Leftovers};

use super::admission::Admission;
use crate::dump_writer::now_ms;
use crate::failure::WithHelp;
use crate::input::Source;
use crate::progress::Progress;
use crate::raft_dir::{Complete, DirWriter, V004Reader};
use crate::report::grouped;

/// What is written, and where.
pub struct Restoring<'a> {
    /// Which dumps are let in.
    pub admission: &'a Admission<'a>,
    /// The dump.
    pub source: &'a Source,
    /// The new cluster, if any.
    pub cluster: Option<&'a InitialCluster>,
    /// An empty directory for the files.
    pub df_meta: &'a Path,
    /// A directory for what is only needed meanwhile.
    pub scratch: &'a Path,
}

/// Files that hold what the dump does.
pub struct Restored {
    /// What was found in the dump.
    pub report: Report,
    /// The files, read back.
    pub reader: V004Reader,
    /// What of the old cluster went, when there is a new one.
    pub leftovers: Leftovers,
}

impl Restoring<'_> {
    /// Checks the dump, writes the files, syncs each, and reads them back.
    ///
    /// # Errors
    ///
    /// When the dump is not let in, cannot be read, or the files cannot be written.
    pub fn write(&self, progress: &Progress) -> Result<Restored> {
        let Self { admission, source, cluster, df_meta, scratch } = *self;
        let mut writer = DirWriter::create(df_meta, scratch)?;
        let mut failed = None;
        let report = admission.check(source, progress, |line, tree, record| {
            // The first record that cannot be written ends the writing; the check goes on.
            if failed.is_none() {
                let written = writer.record(tree, &record);
                failed = written.err().map(|error| (line.number, error));
            }
        })?;
        admission.refuse(&source.name(), &report, cluster.is_some())?;
        if let Some((line, error)) = failed {
            let place = format!("{}, line {}", source.name(), grouped(line));
            return Err(error).context(place).help(admission.kept.clone());
        }
        if cluster.is_none() && writer.node_id().is_none() && !admission.accepts(Code::NodeIdNull) {
            return Err(anyhow!("the dump does not say which node it is from"))
                .help("restore it as a new cluster, with --id and --initial-cluster");
        }
        let Complete { written, leftovers } = writer.finish(cluster, now_ms())?;
        progress.phase("verifying");
        let reader = V004Reader::of_df_meta(df_meta)?;
        anyhow::ensure!(
            reader.fingerprint()? == written,
            "what was written cannot be read back; {}",
            admission.kept
        );
        Ok(Restored { report, reader, leftovers })
    }
}
