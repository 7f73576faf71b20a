//! Unpacks a gzip or zstd stream.

use metadump::gunzip::Gunzip;
use metadump::packing::Packing;
use metadump::unzstd::Unzstd;
use wasm_bindgen::prelude::*;

use crate::thrown;

/// Unpacks a stream that comes in pieces.
#[wasm_bindgen]
pub struct Unpacking {
    /// None when the stream has ended.
    stream: Option<Stream>,
    /// Why the stream is broken, when what came before was still to be handed out.
    broken: Option<JsError>,
}

enum Stream {
    Gzip(Box<Gunzip>),
    Zstd(Box<Unzstd>),
}

#[wasm_bindgen]
impl Unpacking {
    /// Starts; the first bytes of a stream say what it is.
    #[wasm_bindgen(constructor)]
    pub fn new(first_bytes: &[u8]) -> Self {
        let stream = match Packing::of(first_bytes) {
            Packing::Gzip => Stream::Gzip(Box::default()),
            Packing::Zstd | Packing::Plain => Stream::Zstd(Box::default()),
        };
        Self { stream: Some(stream), broken: None }
    }

    /// Unpacks what a piece completes, some of it: to be called with empty pieces until nothing comes.
    pub fn feed(&mut self, piece: &[u8]) -> Result<Vec<u8>, JsError> {
        let mut out = Vec::new();
        let fed = match &mut self.stream {
            Some(Stream::Gzip(gunzip)) => gunzip.feed(piece, &mut out).map_err(thrown),
            Some(Stream::Zstd(unzstd)) => unzstd.feed(piece, &mut out).map_err(thrown),
            None => Ok(()),
        };
        self.hand_out(out, fed)
    }

    /// Unpacks the rest: to be called until nothing comes.
    pub fn finish(&mut self) -> Result<Vec<u8>, JsError> {
        let mut out = Vec::new();
        let finished = match self.stream.take() {
            Some(Stream::Gzip(gunzip)) => gunzip.finish(&mut out).map_err(thrown),
            Some(Stream::Zstd(unzstd)) => unzstd.finish(&mut out).map_err(thrown),
            None => Ok(()),
        };
        self.hand_out(out, finished)
    }

    /// What came before a fault is handed out first, the fault the next time.
    fn hand_out(&mut self, out: Vec<u8>, done: Result<(), JsError>) -> Result<Vec<u8>, JsError> {
        if let Err(broken) = done {
            self.stream = None;
            self.broken = Some(broken);
        }
        match self.broken.take() {
            Some(broken) if out.is_empty() => Err(broken),
            broken => {
                self.broken = broken;
                Ok(out)
            }
        }
    }
}
