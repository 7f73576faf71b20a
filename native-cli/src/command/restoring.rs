//! A dump of any version, written as the V004 files of a node and read back.

use anyhow::{Context, Result, anyhow};
use metadump::Report;
use metadump::check::{Code, Finding};
use metadump::cluster::{InitialCluster, Leftovers};
use metadump::record::{Kind, LogId};
use metadump::scan::LineError;

use super::admission::{Admission, Becomes, Incoming};
use crate::dump_writer::now_ms;
use crate::failure::WithHelp;
use crate::open_dir::OpenDir;
use crate::progress::Progress;
use crate::raft_dir::{Complete, DirWriter, Holdings, V004Reader};
use crate::report::{entries, grouped, plural, printable};

/// What is written, and where.
pub struct Restoring<'a> {
    /// Which dumps are accepted.
    pub admission: &'a Admission<'a>,
    /// The dump.
    pub incoming: Incoming<'a>,
    /// The dump's name for messages.
    pub name: &'a str,
    /// The new cluster, if any.
    pub cluster: Option<&'a InitialCluster>,
    /// An empty directory for the files.
    pub df_meta: &'a OpenDir,
    /// A directory for what is only needed meanwhile.
    pub scratch: &'a OpenDir,
}

/// Files that hold what the dump does.
pub struct Restored {
    /// What was found in the dump.
    pub report: Report,
    /// The lines that are no records, and are not in the files.
    pub dropped: Dropped,
    /// How many entries of the log are left out, because it ends before the last applied one.
    pub left_out: u64,
    /// How far the log was committed, and is now, where it does not reach that.
    pub committed: Option<(LogId, Option<LogId>)>,
    /// The files, read back.
    pub reader: V004Reader,
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
    /// What of the dump is not in the files, a line each.
    pub fn lost(&self) -> Vec<String> {
        let findings = self.report.findings.kept().iter().filter(|finding| is_lost(finding));
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
        self.dropped.describe().chain(findings.map(lost)).chain(log).chain(committed).collect()
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
    /// Checks the dump, writes the files, syncs each, and reads them back.
    ///
    /// # Errors
    ///
    /// When the dump is not let in, cannot be read, or the files cannot be written.
    pub fn write(&self, progress: &Progress) -> Result<Restored> {
        let Self { admission, incoming, name, cluster, df_meta, scratch } = *self;
        let mut writer = DirWriter::create(df_meta, scratch)?;
        let mut failed = None;
        let mut dropped = Dropped::default();
        let mut records = 0_u64;
        let report = admission.check(incoming, progress, |line, scanned| match scanned {
            Err(error) => dropped.add(line.number, &error),
            // The first record that cannot be written ends the writing; the check goes on.
            Ok(scanned) if failed.is_none() => {
                records += u64::from(scanned.record.kind() != Kind::DataHeader);
                let written = writer.fact(scanned.tree(), &scanned.record.fact());
                failed = written.err().map(|error| (line.number, error));
            }
            Ok(_) => {}
        })?;
        admission.refuse(name, &report, Becomes::of(cluster))?;
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
        if cluster.is_none() && writer.node_id().is_none() && !admission.accepts(Code::NodeIdNull) {
            return Err(anyhow!("the dump does not say which node it is from"))
                .help("restore it as a new cluster, with --id and --initial-cluster");
        }
        let Complete { written, leftovers, left_out, committed } =
            writer.finish(cluster, now_ms())?;
        progress.phase("verifying");
        let reader = V004Reader::of_df_meta(df_meta.path())?;
        let holdings = reader.holdings(&written);
        anyhow::ensure!(
            reader.fingerprint()? == written,
            "what was written cannot be read back; {}",
            admission.kept
        );
        // Whatever the reason: an empty state in place of the old data is no restore.
        anyhow::ensure!(
            holdings.keys > 0 || report.summary.keys == 0,
            "{name} has {}, and none would be restored; {}",
            plural(report.summary.keys, "key"),
            admission.kept
        );
        Ok(Restored { report, dropped, left_out, committed, reader, holdings, leftovers })
    }
}
