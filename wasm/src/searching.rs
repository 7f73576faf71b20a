//! Searches a part of a dump.

use std::convert::Infallible;

use metadump::LineFramer;
use metadump::search::{Query, Search};
use wasm_bindgen::prelude::*;

use crate::{json, thrown};

/// Searches a part of a dump that starts at a line and comes in pieces.
#[wasm_bindgen]
pub struct Searching {
    framer: LineFramer,
    search: Search,
    lines_before: u64,
    bytes_before: u64,
}

#[wasm_bindgen]
impl Searching {
    /// Starts a search; `query` is JSON of `metadump::search::Query`.
    #[wasm_bindgen(constructor)]
    pub fn new(query: &str, first_line: f64, offset_bytes: f64) -> Result<Self, JsError> {
        let query: Query = serde_json::from_slice(query.as_bytes()).map_err(thrown)?;
        Ok(Self {
            framer: LineFramer::default(),
            search: Search::new(&query).map_err(thrown)?,
            lines_before: first_line as u64 - 1,
            bytes_before: offset_bytes as u64,
        })
    }

    /// Reads the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        let Self { framer, search, lines_before, bytes_before } = self;
        let Ok(()) = framer.feed(piece, |line| -> Result<(), Infallible> {
            search.line(&line.at(line.number + *lines_before, line.offset_bytes + *bytes_before));
            Ok(())
        });
    }

    /// Ends the part; gives the hits as JSON.
    pub fn finish(self) -> String {
        let Self { framer, mut search, lines_before, bytes_before } = self;
        let Ok(()) = framer.finish(|line| -> Result<(), Infallible> {
            search.line(&line.at(line.number + lines_before, line.offset_bytes + bytes_before));
            Ok(())
        });
        json(&search.finish())
    }
}
