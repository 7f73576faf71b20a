//! Unpacks a zstd stream.

use metadump::unzstd::Unzstd;
use wasm_bindgen::prelude::*;

use crate::thrown;

/// Unpacks a zstd stream that comes in pieces.
#[wasm_bindgen]
#[derive(Default)]
pub struct Unpacking {
    unzstd: Unzstd,
}

#[wasm_bindgen]
impl Unpacking {
    /// Starts.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Unpacks what a piece completes, some of it: to be called with empty pieces until nothing comes.
    pub fn feed(&mut self, piece: &[u8]) -> Result<Vec<u8>, JsError> {
        let mut out = Vec::new();
        self.unzstd.feed(piece, &mut out).map_err(thrown)?;
        Ok(out)
    }

    /// Unpacks the rest.
    pub fn finish(self) -> Result<Vec<u8>, JsError> {
        let mut out = Vec::new();
        self.unzstd.finish(&mut out).map_err(thrown)?;
        Ok(out)
    }
}
