//! Scans a part of a dump and abridges its lines, for another worker to check.

use metadump::workers::Abridger;
use metadump::workers::Part;
use wasm_bindgen::prelude::*;

/// The lines that start in a part of a dump, without their values.
#[wasm_bindgen]
pub struct Abridging {
    part: Part,
    abridger: Abridger,
}

/// A part without its values.
#[wasm_bindgen]
pub struct AbridgedPart {
    lines: Vec<u8>,
    hashes: Vec<u8>,
}

#[wasm_bindgen]
impl AbridgedPart {
    /// The lines, for `Opening.feedAbridged`.
    #[wasm_bindgen(js_name = takeLines)]
    pub fn take_lines(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.lines)
    }

    /// What is hashed of the values, for the same.
    #[wasm_bindgen(getter)]
    pub fn hashes(&self) -> Vec<u8> {
        self.hashes.clone()
    }
}

#[wasm_bindgen]
impl Abridging {
    /// Starts with the part from one byte to another.
    #[wasm_bindgen(constructor)]
    pub fn new(from_bytes: f64, to_bytes: f64) -> Self {
        let part = Part::new(from_bytes as u64, to_bytes as u64);
        Self { part, abridger: Abridger::default() }
    }

    /// From which byte on the dump has to be fed.
    #[wasm_bindgen(getter, js_name = readsFrom)]
    pub fn reads_from(&self) -> f64 {
        self.part.reads_from() as f64
    }

    /// Reads the next piece; says whether the part needs more.
    pub fn feed(&mut self, piece: &[u8]) -> bool {
        let Self { part, abridger } = self;
        part.feed(piece, |line| abridger.line(&line));
        !part.is_done()
    }

    /// Gives the part; a last line without line end is the dump's.
    pub fn finish(self) -> AbridgedPart {
        let Self { part, mut abridger } = self;
        part.finish(|line| abridger.line(&line));
        AbridgedPart { lines: abridger.take(), hashes: abridger.take_hashes() }
    }
}
