//! Makes the manifest of a new dump.

use std::convert::Infallible;

use metadump::manifest::{Manifest, ManifestBuilder};
use metadump::redact::lost_without_names;
use metadump::scan::scan_line;
use metadump::state_hash::StateHash;
use metadump::{Checker, Line, LineFramer};
use wasm_bindgen::prelude::*;

use crate::thrown;

/// Measures a dump that comes in pieces.
#[wasm_bindgen]
#[derive(Default)]
pub struct Sealing {
    framer: LineFramer,
    measured: Measured,
}

#[derive(Default)]
struct Measured {
    checker: Checker,
    manifest: ManifestBuilder,
}

impl Measured {
    fn line(&mut self, line: &Line<'_>) {
        let scanned = scan_line(line.bytes);
        self.checker.scanned_line(line, &scanned);
        self.manifest.line(line, scanned.as_ref().ok());
        if let Ok(scanned) = &scanned
            && let Some((machine, hash)) = StateHash::of_line(scanned)
        {
            self.checker.state_hash(machine, hash);
        }
    }
}

#[wasm_bindgen]
impl Sealing {
    /// Starts.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        let Self { framer, measured } = self;
        let Ok(()) = framer.feed(piece, |line| -> Result<(), Infallible> {
            measured.line(&line);
            Ok(())
        });
    }

    /// Ends the dump and gives its manifest; `dump` is its file name, `now_ms` the time, `of` the
    /// manifest of the dump that it was made of: what was lost before that is said of this one, too,
    /// `without_names` as that something was.
    pub fn finish(
        self,
        dump: &str,
        now_ms: f64,
        of: Option<Vec<u8>>,
        without_names: bool,
    ) -> Result<String, JsError> {
        let Self { framer, mut measured } = self;
        let Ok(()) = framer.finish(|line| -> Result<(), Infallible> {
            measured.line(&line);
            Ok(())
        });
        let Measured { checker, manifest } = measured;
        let by = format!("metadump viewer {}", env!("CARGO_PKG_VERSION"));
        let report = checker.finish();
        let mut made = manifest.finish(dump, &report.summary, by, now_ms as u64);
        made.lost = of.and_then(|json| Some(Manifest::parse(&json).ok()?.lost)).unwrap_or_default();
        if without_names {
            made.lost = lost_without_names(made.lost);
        }
        made.to_json().map_err(thrown)
    }
}
