//! Unpacks a gzip or zstd stream.

use metadump::gunzip::Gunzip;
use metadump::unzstd::Unzstd;
use wasm_bindgen::prelude::*;

use crate::thrown;

/// Unpacks a stream that comes in pieces.
#[wasm_bindgen]
pub struct Unpacking {
    packing: Packing,
    /// Why the stream is broken, when what came before was still to be handed out.
    broken: Option<JsError>,
}

enum Packing {
    Gzip(Box<Gunzip>),
    Zstd(Unzstd),
}

#[wasm_bindgen]
impl Unpacking {
    /// Starts; the first bytes of a stream tell what it is.
    #[wasm_bindgen(constructor)]
    pub fn new(first_bytes: &[u8]) -> Self {
        let packing = if first_bytes.starts_with(&[0x1f, 0x8b]) {
            Packing::Gzip(Box::default())
        } else {
            Packing::Zstd(Unzstd::default())
        };
        Self { packing, broken: None }
    }

    /// Unpacks what a piece completes, some of it: to be called with empty pieces until nothing comes.
    pub fn feed(&mut self, piece: &[u8]) -> Result<Vec<u8>, JsError> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        let mut out = Vec::new();
        let fed = match &mut self.packing {
            Packing::Gzip(gunzip) => gunzip.feed(piece, &mut out).map_err(thrown),
            Packing::Zstd(unzstd) => unzstd.feed(piece, &mut out).map_err(thrown),
        };
        match fed {
            Err(broken) if out.is_empty() => return Err(broken),
            fed => self.broken = fed.err(),
        }
        Ok(out)
    }

    /// Unpacks the rest.
    pub fn finish(self) -> Result<Vec<u8>, JsError> {
        let mut out = Vec::new();
        match self.packing {
            Packing::Gzip(gunzip) => gunzip.finish(&mut out).map_err(thrown)?,
            Packing::Zstd(unzstd) => unzstd.finish(&mut out).map_err(thrown)?,
        }
        Ok(out)
    }
}
