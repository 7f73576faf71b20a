//! Which dumps are accepted: those without errors, except for the ones that the command line
//! accepts.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow};
use metadump::check::{Code, Finding, Inspection, Requirement, Severity};
use metadump::cluster::InitialCluster;
use metadump::record::{DataVersion, Losses};
use metadump::scan::scan_line;
use metadump::{Line, Report};

use super::first_reading::FirstReading;
use crate::diagnostics;
use crate::failure::WithHelp;
use crate::input::Source;
use crate::progress::Progress;
use crate::raft_dir::DirReader;
use crate::report::plural;
use crate::scanning::{Scanned, Threads};

/// Whether a dump is restored as the cluster that it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Becomes {
    /// It is.
    SameCluster,
    /// It becomes another one, which cures some errors.
    NewCluster,
}

impl Becomes {
    /// What it becomes as what the command line names.
    pub const fn of(cluster: Option<&InitialCluster>) -> Self {
        if cluster.is_some() { Self::NewCluster } else { Self::SameCluster }
    }
}

/// What has the lines of a dump.
#[derive(Debug, Clone, Copy)]
pub enum Incoming<'a> {
    /// A dump.
    Dump(&'a Source),
    /// A data directory, as the dump that it is exported as.
    Directory(&'a DirReader),
}

/// What is accepted, and what stays as it is when something is not.
#[derive(Debug, Clone)]
pub struct Admission<'a> {
    /// The codes whose findings do not keep a dump out.
    pub accepted: &'a [Code],
    /// Whether a manifest has to prove the dump complete.
    pub manifest: Requirement,
    /// What is not done to a dump that is kept out: `imported`.
    pub done: &'a str,
    /// What a refusal leaves: `restored keeps its data`.
    pub kept: String,
}

impl Admission<'_> {
    /// Reads, checks and hands on every line of a dump, with the version of the dump as far as its lines
    /// so far tell, what the line is, and what `make` makes of it on the thread that scans it.
    pub fn check<T: Send>(
        &self,
        incoming: Incoming<'_>,
        progress: &Progress,
        make: impl Fn(&Scanned<'_>) -> T + Sync,
        mut each: impl FnMut(Option<DataVersion>, &Line<'_>, &Scanned<'_>, T) + Send,
    ) -> Result<Report> {
        match incoming {
            Incoming::Dump(source) => {
                let threads = Threads::of_flag(None);
                let first = FirstReading { source, requirement: self.manifest, threads, progress };
                first.inspect(
                    |_, scanned| make(scanned),
                    |inspection, line, scanned, made| {
                        each(inspection.version(), line, scanned, made);
                        Ok(())
                    },
                )
            }
            Incoming::Directory(reader) => {
                let mut inspection = Inspection::default();
                reader.for_each_placed_line(progress, |line| {
                    let scanned = scan_line(line.bytes);
                    inspection.line(&line, &scanned);
                    let made = make(&scanned);
                    each(inspection.version(), &line, &scanned, made);
                    Ok(())
                })?;
                Ok(inspection.finish())
            }
        }
    }

    /// Whether findings of a code do not keep a dump out.
    pub fn accepts(&self, code: Code) -> bool {
        self.accepted.contains(&code)
    }

    /// The errors that keep the dump out; those that a new cluster cures only do without one.
    pub fn objections<'r>(&self, report: &'r Report, becomes: Becomes) -> Vec<&'r Finding> {
        let stands = |finding: &&Finding| {
            finding.severity() == Severity::Error
                && !self.accepts(finding.code)
                && !(becomes == Becomes::NewCluster && finding.code.is_cured_by_new_cluster())
        };
        report.findings.kept().iter().filter(stands).collect()
    }

    /// Refuses a dump with objections, and prints everything that was found.
    pub fn refuse(&self, name: &str, report: &Report, becomes: Becomes) -> Result<()> {
        let objections = self.objections(report, becomes);
        let Some(first) = objections.first() else {
            return Ok(());
        };
        diagnostics::say_findings(name, report);
        let codes = objections.iter().map(|finding| finding.code);
        let Self { done, kept, .. } = self;
        // Nobody is led to accept what can only harm, or what a new cluster cures.
        let hopeless = objections.iter().find(|finding| !finding.code.is_acceptable());
        let is_cured = objections.iter().all(|finding| finding.code.is_cured_by_new_cluster());
        let help = match hopeless {
            Some(finding) => format!("{kept}. {}", finding.help),
            None if is_cured => format!(
                "{kept}; restore it as a new cluster, with --id and --initial-cluster, or, to go on \
                 all the same, {}",
                accept(codes)
            ),
            None => format!("{kept}; to go on all the same, {}", accept(codes)),
        };
        Err(anyhow!("{name} is not {done}: {}", first.message)).help(help)
    }

    /// Refuses what an older version cannot hold.
    pub fn refuse_losses(&self, losses: &Losses, version: DataVersion) -> Result<()> {
        let lost: Vec<_> =
            losses.iter().filter(|(loss, _)| !self.accepts(Code::of_loss(*loss))).collect();
        if lost.is_empty() {
            return Ok(());
        }
        let codes = lost.iter().map(|(loss, _)| Code::of_loss(*loss));
        let reported: Vec<String> = lost
            .iter()
            .map(|(loss, count)| format!("{loss} ({})", plural(*count, "time")))
            .collect();
        let Self { kept, .. } = self;
        Err(anyhow!("{version} cannot hold {}", reported.join("; ")))
            .help(format!("{kept}; to go on without these, {}", accept(codes)))
    }
}

/// `--accept one --accept two`
fn accept(codes: impl Iterator<Item = Code>) -> String {
    let names: BTreeSet<&str> = codes.map(Code::name).collect();
    let flags: Vec<String> = names.iter().map(|name| format!("--accept {name}")).collect();
    flags.join(" ")
}
