//! Writes a dump that is checked and described while it is written.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};
use metadump::manifest::{ByteMeasure, LineCount, Manifest, ManifestBuilder};
use metadump::scan::scan_line;
use metadump::{Checker, Line, LineFramer, Report};

use crate::failure::WithHelp;
use crate::output::{Output, write_whole};
use crate::report::grouped;
use crate::stage::Stage;

/// How much is written, checked and hashed at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Takes the bytes of a dump in pieces of any size. They are checked, hashed and written by a thread
/// each, so that whoever makes them waits for none of it.
pub struct DumpWriter {
    origin: Origin,
    /// The final name, none for stdout.
    path: Option<PathBuf>,
    /// What comes next.
    piece: Vec<u8>,
    checked: Stage<Checked>,
    hashed: Stage<ByteMeasure>,
    written: Stage<Output>,
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

/// What the lines say.
struct Checked {
    origin: Origin,
    framer: LineFramer,
    checker: Checker,
    lines: LineCount,
}

impl Checked {
    fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        let Self { origin, framer, checker, lines } = self;
        framer.feed(bytes, |line| check(*origin, &line, checker, lines))
    }

    fn finish(self) -> Result<(Report, LineCount)> {
        let Self { origin, framer, mut checker, mut lines } = self;
        framer.finish(|line| check(origin, &line, &mut checker, &mut lines))?;
        Ok((checker.finish(), lines))
    }
}

fn check(
    origin: Origin,
    line: &Line<'_>,
    checker: &mut Checker,
    lines: &mut LineCount,
) -> Result<()> {
    let scanned = scan_line(line.bytes);
    if let (Origin::Server, Err(error)) = (origin, &scanned)
        && !error.has_envelope()
    {
        let at = line.offset_bytes.saturating_add(error.column());
        return Err(anyhow!(
            "line {}, byte {at} of what the server sent: {error}",
            grouped(line.number)
        ))
        .help("check that this is the gRPC address of a meta service, and its log");
    }
    checker.scanned(line, &scanned);
    lines.add(scanned.as_ref().ok());
    Ok(())
}

impl DumpWriter {
    /// Opens the output; `-` and none are stdout.
    pub fn create(path: Option<&Path>, origin: Origin) -> Result<Self> {
        let checked = Checked {
            origin,
            framer: LineFramer::default(),
            checker: Checker::default(),
            lines: LineCount::default(),
        };
        let output = Output::from_arg(path)?;
        let path = output.path().map(Path::to_owned);
        let name = path.as_ref().map_or("stdout".to_owned(), |path| path.display().to_string());
        Ok(Self {
            origin,
            path,
            piece: Vec::with_capacity(PIECE_BYTES),
            checked: Stage::start(checked, Checked::feed),
            hashed: Stage::start(ByteMeasure::default(), |measure, bytes| {
                measure.add(bytes);
                Ok(())
            }),
            written: Stage::start(output, move |output, bytes| {
                output.write_all(bytes).with_context(|| format!("cannot write {name}"))
            }),
        })
    }

    /// Writes the next bytes.
    ///
    /// # Errors
    ///
    /// When they cannot be written, or when a line that came before is none.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() < PIECE_BYTES { Ok(()) } else { self.hand_on() }
    }

    fn hand_on(&mut self) -> Result<()> {
        let piece = Arc::new(std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES)));
        self.checked.feed(&piece)?;
        self.hashed.feed(&piece)?;
        self.written.feed(&piece)
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
    pub fn commit(mut self) -> Result<Report> {
        self.hand_on()?;
        let Self { origin, path, checked, hashed, written, .. } = self;
        let (report, lines) = checked.finish()?.finish()?;
        let bytes = hashed.finish()?;
        let output = written.finish()?;
        let Some(path) = path else {
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
        if origin == Origin::Remains {
            return Ok(report);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let by = format!("databend-metactl {}", env!("CARGO_PKG_VERSION"));
        let manifest = ManifestBuilder { bytes, lines };
        let manifest = manifest.finish(&name, &report.summary, by, now_ms());
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
