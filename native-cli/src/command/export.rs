//! `export`: write a dump of a stopped node's data directory.

use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};
use metadump::check::{Severity, Summary};
use metadump::manifest::{Manifest, ManifestBuilder};
use metadump::scan::scan_line;
use metadump::{Checker, Line, Report};

use super::Outcome;
use crate::args::Export;
use crate::failure::WithHelp;
use crate::output::{Output, write_whole};
use crate::progress::Progress;
use crate::raft_dir::{Access, DirReader, RaftDir};
use crate::report::{entries_to, plural};

/// Runs the command.
pub fn run(args: &Export, progress: &Progress) -> Result<Outcome> {
    progress.phase("exporting");
    let access = if args.live {
        Access::Live
    } else {
        Access::Stopped
    };
    let dir = RaftDir::new(&args.raft_dir);
    let reader = DirReader::open(&dir, access)?;
    let mut dump = DumpWriter::create(args.db.as_deref())?;
    reader.for_each_line(|line| {
        progress.advance(line.len() as u64);
        dump.line(line)
    })?;
    reader.assert_unchanged()?;
    for warning in reader.warnings() {
        progress.say(&format!("warning: {warning}"));
    }
    let report = dump.commit()?;
    progress.finish();
    tell(&report, progress);
    Ok(Outcome::Done)
}

/// The one-line summary, and a word when the data itself has errors.
pub fn tell(report: &Report, progress: &Progress) {
    let errors = report.findings.count_of(Severity::Error);
    if errors > 0 {
        let finding = plural(errors, "error");
        progress.say(&format!(
            "warning: the data has {finding}; `databend-metactl validate` on the dump lists them"
        ));
    }
    progress.say(&format!("exported {}", extent(&report.summary)));
}

/// `188 lines, 165,456 bytes, last applied T1-N1.80, log to T1-N1.95`
pub fn extent(summary: &Summary) -> String {
    format!(
        "{}, {}, last applied {}, {}",
        plural(summary.lines, "line"),
        plural(summary.bytes, "byte"),
        summary
            .last_applied
            .map_or("none".to_owned(), |id| id.to_string()),
        entries_to(&summary.log),
    )
}

/// Writes lines as a dump that is checked and described while it is written.
pub struct DumpWriter {
    output: Output,
    checker: Checker,
    manifest: ManifestBuilder,
    lines: u64,
    bytes: u64,
}

impl DumpWriter {
    /// Opens the output; `-` and none are stdout.
    pub fn create(path: Option<&Path>) -> Result<Self> {
        Ok(Self {
            output: Output::from_arg(path)?,
            checker: Checker::default(),
            manifest: ManifestBuilder::default(),
            lines: 0,
            bytes: 0,
        })
    }

    /// Writes one line, given without its line end.
    pub fn line(&mut self, bytes: &[u8]) -> Result<()> {
        self.lines += 1;
        let line = Line {
            number: self.lines,
            offset_bytes: self.bytes,
            bytes,
            terminated: true,
        };
        self.bytes += bytes.len() as u64 + 1;
        let scanned = scan_line(bytes);
        self.checker.scanned(&line, &scanned);
        self.manifest.line(&line, scanned.ok().as_ref());
        let written = self
            .output
            .write_all(bytes)
            .and_then(|()| self.output.write_all(b"\n"));
        written.with_context(|| format!("cannot write {}", self.name()))
    }

    fn name(&self) -> String {
        self.output
            .path()
            .map_or("stdout".to_owned(), |path| path.display().to_string())
    }

    /// Gives the dump its name and writes the manifest beside it.
    ///
    /// An older manifest goes first, so that at no time a dump stands beside a manifest of
    /// another one.
    pub fn commit(self) -> Result<Report> {
        let Self {
            output,
            checker,
            manifest,
            ..
        } = self;
        let report = checker.finish();
        let Some(path) = output.path().map(Path::to_owned) else {
            output.commit()?;
            return Ok(report);
        };
        let manifest_path = Manifest::path_of(&path);
        match std::fs::remove_file(&manifest_path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let shown = manifest_path.display();
                return Err(error).with_context(|| format!("cannot replace {shown}"));
            }
            _ => {}
        }
        output.commit()?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let manifest = manifest.finish(&name, &report.summary, created_by(), now_ms());
        write_whole(&manifest_path, manifest.to_json()?.as_bytes())
            .help("the dump itself is complete; export again to get its manifest")?;
        Ok(report)
    }
}

/// This program, for manifests.
pub fn created_by() -> String {
    format!("databend-metactl {}", env!("CARGO_PKG_VERSION"))
}

/// The clock, milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
