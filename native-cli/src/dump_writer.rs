//! Writes a dump that is checked and described while it is written.

use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};
use metadump::manifest::{Manifest, ManifestBuilder};
use metadump::scan::scan_line;
use metadump::{Checker, Line, LineFramer, Report};

use crate::failure::WithHelp;
use crate::output::{Output, write_whole};
use crate::report::grouped;

/// Takes the bytes of a dump in pieces of any size.
pub struct DumpWriter {
    output: Output,
    framer: LineFramer,
    described: Described,
}

/// Who made the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This program, out of records that it has read.
    Ours,
    /// A server; the first line that is no record ends the dump. What a record holds is not
    /// judged: a server may be newer than this program, and its backup must not wait.
    Server,
    /// This program, out of what is left of damaged data: the dump gets no manifest, which would
    /// prove it complete.
    Remains,
}

/// What the manifest and the summary are made from.
struct Described {
    origin: Origin,
    checker: Checker,
    manifest: ManifestBuilder,
}

impl Described {
    fn line(&mut self, line: &Line<'_>) -> Result<()> {
        let scanned = scan_line(line.bytes);
        if let (Origin::Server, Err(error)) = (self.origin, &scanned)
            && !error.has_envelope()
        {
            let at = line.offset_bytes.saturating_add(error.column());
            return Err(anyhow!(
                "line {}, byte {at} of what the server sent: {error}",
                grouped(line.number)
            ))
            .help("check that this is the gRPC address of a meta service, and its log");
        }
        self.checker.scanned(line, &scanned);
        self.manifest.line(line, scanned.as_ref().ok());
        Ok(())
    }
}

impl DumpWriter {
    /// Opens the output; `-` and none are stdout.
    pub fn create(path: Option<&Path>, origin: Origin) -> Result<Self> {
        let described =
            Described { origin, checker: Checker::default(), manifest: ManifestBuilder::default() };
        Ok(Self { output: Output::from_arg(path)?, framer: LineFramer::default(), described })
    }

    /// Writes the next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let described = &mut self.described;
        self.framer.feed(bytes, |line| described.line(&line))?;
        self.output.write_all(bytes).with_context(|| {
            let name = self.output.path().map(|path| path.display().to_string());
            format!("cannot write {}", name.as_deref().unwrap_or("stdout"))
        })
    }

    /// Writes the next line, given without its line end.
    pub fn write_line(&mut self, line: &str) -> Result<()> {
        self.write(line.as_bytes())?;
        self.write(b"\n")
    }

    /// Gives the dump its name and writes the manifest beside it.
    ///
    /// An older manifest goes first, so that at no time a dump stands beside a manifest of
    /// another one.
    pub fn commit(self) -> Result<Report> {
        let Self { output, framer, mut described } = self;
        framer.finish(|line| described.line(&line))?;
        let report = described.checker.finish();
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
        if described.origin == Origin::Remains {
            return Ok(report);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let by = format!("databend-metactl {}", env!("CARGO_PKG_VERSION"));
        let manifest = described.manifest.finish(&name, &report.summary, by, now_ms());
        write_whole(&manifest_path, manifest.to_json()?.as_bytes())
            .help("the dump itself is complete; export again to get its manifest")?;
        Ok(report)
    }
}

/// The clock, milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
