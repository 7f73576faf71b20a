//! Writes a dump that is checked and described while it is written.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Result, anyhow};
use metadump::check::Inspection;
use metadump::manifest::{ByteMeasure, LineCount, Manifest, ManifestBuilder, Parent};
use metadump::scan::scan_line;
use metadump::state_hash::StateHash;
use metadump::{Line, LineFramer, Report};

use crate::failure::WithHelp;
use crate::output::{Destination, Finished, ManifestFile, Output, publish};
use crate::progress::Progress;
use crate::report::grouped;
use crate::stage::Stage;

/// How much is written, checked and hashed at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Takes the bytes of a dump in pieces of any size. They are checked, hashed and written by a thread
/// each, so that whoever makes them waits for none of it.
pub struct DumpWriter {
    progress: Progress,
    /// What comes next.
    piece: Vec<u8>,
    checked: Stage<Checked>,
    hashed: Stage<ByteMeasure>,
    written: Stage<Output>,
    /// The manifest, where the dump is nothing that it could stand beside.
    manifest: Option<ManifestFile>,
    /// What it goes on from, when it is an increment.
    parent: Option<Parent>,
}

/// Who made the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This program, out of records that it has read.
    Ours,
    /// A server; the first line that is no record ends the dump. What a record holds is not
    /// judged: a server may be newer than this program, and its backup must not wait.
    Server,
}

/// What the lines say.
struct Checked {
    origin: Origin,
    framer: LineFramer,
    inspection: Inspection,
    lines: LineCount,
}

impl Checked {
    fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        let Self { origin, framer, inspection, lines } = self;
        framer.feed(bytes, |line| check(*origin, &line, inspection, lines))
    }

    fn finish(self) -> Result<(Report, LineCount)> {
        let Self { origin, framer, mut inspection, mut lines } = self;
        framer.finish(|line| check(origin, &line, &mut inspection, &mut lines))?;
        Ok((inspection.finish(), lines))
    }
}

fn check(
    origin: Origin,
    line: &Line<'_>,
    inspection: &mut Inspection,
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
    inspection.line(line, &scanned);
    if let Some((machine, hash)) = scanned.as_ref().ok().and_then(StateHash::of_line) {
        inspection.state_hash(machine, hash);
    }
    lines.add(line.bytes, scanned.as_ref().ok());
    Ok(())
}

impl DumpWriter {
    /// Opens or creates the output, and the file for its manifest if one is named: a dump that goes
    /// into a pipe has none beside it.
    ///
    /// # Errors
    ///
    /// When that is not possible.
    pub fn create(
        destination: Destination,
        manifest: Option<&Path>,
        origin: Origin,
        progress: &Progress,
    ) -> Result<Self> {
        Self::start(destination, manifest, origin, None, progress)
    }

    /// The same for an increment, which goes on from `parent`.
    ///
    /// # Errors
    ///
    /// When that is not possible.
    pub fn create_increment(
        destination: Destination,
        manifest: Option<&Path>,
        origin: Origin,
        parent: Parent,
        progress: &Progress,
    ) -> Result<Self> {
        Self::start(destination, manifest, origin, Some(parent), progress)
    }

    fn start(
        destination: Destination,
        manifest: Option<&Path>,
        origin: Origin,
        parent: Option<Parent>,
        progress: &Progress,
    ) -> Result<Self> {
        let manifest = manifest.map(|path| ManifestFile::create(&destination, path)).transpose()?;
        let inspection = match parent {
            Some(_) => Inspection::of_increment(),
            None => Inspection::default(),
        };
        let (framer, lines) = (LineFramer::default(), LineCount::default());
        let checked = Checked { origin, framer, inspection, lines };
        let output = Output::open(destination, progress)?;
        Ok(Self {
            progress: progress.clone(),
            piece: Vec::with_capacity(PIECE_BYTES),
            checked: Stage::start(checked, Checked::feed),
            hashed: Stage::start(ByteMeasure::default(), |measure, bytes| {
                measure.add(bytes);
                Ok(())
            }),
            written: Stage::start(output, Output::write_all),
            manifest,
            parent,
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

    /// Gives the dump its name, and its manifest, which says what was `lost` before, the one beside
    /// it.
    ///
    /// # Errors
    ///
    /// When the dump cannot be written, or a line is none.
    pub fn commit(self, lost: Vec<String>) -> Result<Report> {
        let progress = self.progress.clone();
        let (report, unnamed) = self.finish(lost)?;
        UnnamedDump::name_all([unnamed], &progress)?;
        Ok(report)
    }

    /// Puts the dump and its manifest on disk; a file has not got its name yet.
    ///
    /// # Errors
    ///
    /// When the dump cannot be written, or a line is none.
    pub fn finish(mut self, lost: Vec<String>) -> Result<(Report, UnnamedDump)> {
        self.hand_on()?;
        let Self { checked, hashed, written, manifest: elsewhere, parent, .. } = self;
        let (report, lines) = checked.finish()?.finish()?;
        let bytes = hashed.finish()?;
        let output = written.finish()?;
        let name = output.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.or_else(|| elsewhere.as_ref().map(ManifestFile::dump_name));
        let manifest = name.map(|name| {
            let by = format!("databend-metactl {}", env!("CARGO_PKG_VERSION"));
            let manifest = ManifestBuilder { bytes, lines };
            let manifest = manifest.finish(&name, &report.summary, by, now_ms());
            Manifest { lost, parent, ..manifest }.abridged()
        });
        let output = output.finish(manifest.as_ref())?;
        let elsewhere = elsewhere.zip(manifest).map(|(file, manifest)| match &output {
            Finished::Gone(encrypted) => {
                (file, Manifest { encrypted: encrypted.clone(), ..manifest })
            }
            Finished::Waiting(_) => (file, manifest),
        });
        Ok((report, UnnamedDump { output, elsewhere }))
    }
}

/// A dump that is complete, and as a file waits for its name.
pub struct UnnamedDump {
    output: Finished,
    /// A manifest that does not stand beside it.
    elsewhere: Option<(ManifestFile, Manifest)>,
}

impl UnnamedDump {
    /// Gives dumps their names, and their manifests.
    ///
    /// # Errors
    ///
    /// When one cannot get it; the help says what is in place then.
    pub fn name_all(dumps: impl IntoIterator<Item = Self>, progress: &Progress) -> Result<()> {
        let (outputs, elsewhere): (Vec<_>, Vec<_>) =
            dumps.into_iter().map(|dump| (dump.output, dump.elsewhere)).unzip();
        publish(outputs, progress)?;
        elsewhere.into_iter().flatten().try_for_each(|(file, of)| file.commit(&of, progress))
    }
}

/// The clock, milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
