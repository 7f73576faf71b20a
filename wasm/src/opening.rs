//! Reads a dump once: the report of the checker and the index.

use std::convert::Infallible;

use metadump::check::{Evidence, Inspection, References, Requirement};
use metadump::index::Indexer;
use metadump::scan::{LineError, ScannedLine, scan_line};
use metadump::state_hash::StateHash;
use metadump::workers::Abridged;
use metadump::{Line, LineFramer};
use wasm_bindgen::prelude::*;

use crate::json;

/// Checks and indexes a dump that comes in pieces.
#[wasm_bindgen]
#[derive(Default)]
pub struct Opening {
    framer: LineFramer,
    abridged: Abridged,
    seen: Seen,
}

#[derive(Default)]
struct Seen {
    inspection: Inspection,
    indexer: Indexer,
}

impl Seen {
    /// A line with its values.
    fn whole_line(&mut self, line: &Line<'_>) {
        let scanned = scan_line(line.bytes);
        self.scanned(line, &scanned, References::of(&scanned));
        if let Ok(scanned) = &scanned
            && let Some((machine, hash)) = StateHash::of_line(scanned)
        {
            self.inspection.state_hash(machine, hash);
        }
    }

    /// A line without its values.
    fn abridged_line(&mut self, line: &Line<'_>, references: Option<References>) {
        self.scanned(line, &scan_line(line.bytes), references);
    }

    fn scanned(
        &mut self,
        line: &Line<'_>,
        scanned: &Result<ScannedLine<'_>, LineError>,
        references: Option<References>,
    ) {
        self.inspection.prepared(line, scanned, references);
        self.indexer.line(line, scanned);
    }
}

/// What is known of a dump once all of it has been read.
#[wasm_bindgen]
pub struct Opened {
    report: String,
    index: String,
    foreign: Option<String>,
}

#[wasm_bindgen]
impl Opened {
    /// The report, the same JSON that `inspect --format json` prints, without the file's name.
    #[wasm_bindgen(getter)]
    pub fn report(&self) -> String {
        self.report.clone()
    }

    /// What the file is that is no dump.
    #[wasm_bindgen(getter)]
    pub fn foreign(&self) -> Option<String> {
        self.foreign.clone()
    }

    /// Runs, key tree and timeline as JSON.
    #[wasm_bindgen(getter)]
    pub fn index(&self) -> String {
        self.index.clone()
    }
}

#[wasm_bindgen]
impl Opening {
    /// Starts; `manifest` is the content of the manifest, if there is one, and `dump` the file name
    /// that it should have.
    #[wasm_bindgen(constructor)]
    pub fn new(manifest: Option<Vec<u8>>, dump: Option<String>) -> Self {
        let evidence = manifest.map_or(Evidence::Nothing, |json| Evidence::parse(&json, dump));
        let inspection = Inspection::new(evidence, Requirement::Optional);
        Self { seen: Seen { inspection, ..Seen::default() }, ..Self::default() }
    }

    /// Reads the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        let Self { framer, seen, .. } = self;
        let Ok(()) = framer.feed(piece, |line| -> Result<(), Infallible> {
            seen.whole_line(&line);
            Ok(())
        });
    }

    /// Reads the next part as an `Abridging` packed it. A dump comes either in such parts or in
    /// pieces; the manifest can only be proven by its pieces.
    #[wasm_bindgen(js_name = feedAbridged)]
    pub fn feed_abridged(&mut self, lines: &[u8], hashes: &[u8]) {
        let Self { abridged, seen, .. } = self;
        abridged.feed(lines, |line, references| seen.abridged_line(line, references));
        for (machine, hash) in Abridged::hashes(hashes) {
            seen.inspection.state_hash(machine, hash);
        }
    }

    /// How many lines have been read.
    #[wasm_bindgen(getter)]
    pub fn lines(&self) -> f64 {
        self.seen.indexer.blocks.lines() as f64
    }

    /// Line and offset of each block from the `from`-th on, flat.
    pub fn marks(&self, from: usize) -> Vec<f64> {
        let marks = self.seen.indexer.blocks.marks().get(from..).unwrap_or_default();
        marks.iter().flat_map(|(line, offset)| [*line as f64, *offset as f64]).collect()
    }

    /// The index so far, as JSON.
    pub fn preview(&mut self) -> String {
        self.seen.indexer.catch_up();
        json(&self.seen.indexer)
    }

    /// Ends the dump: the last line is read, and its mark can be taken.
    pub fn end(&mut self) {
        let Self { framer, seen, .. } = self;
        let Ok(()) = std::mem::take(framer).finish(|line| -> Result<(), Infallible> {
            seen.whole_line(&line);
            Ok(())
        });
    }

    /// Reports.
    pub fn finish(self) -> Opened {
        let Seen { inspection, indexer } = self.seen;
        let report = inspection.finish();
        let foreign = report.foreign().map(|finding| finding.message.clone());
        Opened { report: json(&report), index: json(&indexer.finish()), foreign }
    }
}
