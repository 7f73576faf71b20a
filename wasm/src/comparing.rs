//! Compares two dumps.

use std::convert::Infallible;

use metadump::compare::{Comparison, Side};
use metadump::scan::scan_line;
use metadump::{Line, LineFramer};
use wasm_bindgen::prelude::*;

use crate::json;

/// Compares two dumps that come in pieces; [`Comparing::wants`] says whose turn it is.
#[wasm_bindgen]
#[derive(Default)]
pub struct Comparing {
    left: LineFramer,
    right: LineFramer,
    comparison: Comparison,
}

#[wasm_bindgen]
impl Comparing {
    /// Starts.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// `left`, `right`, or none when both have ended.
    pub fn wants(&self) -> Option<String> {
        self.comparison.wants().map(|side| {
            match side {
                Side::Left => "left",
                Side::Right => "right",
            }
            .to_owned()
        })
    }

    /// Reads the next piece of the first dump; an empty one ends it.
    #[wasm_bindgen(js_name = feedLeft)]
    pub fn feed_left(&mut self, piece: &[u8]) {
        feed(&mut self.left, &mut self.comparison, Side::Left, piece);
    }

    /// Reads the next piece of the second dump; an empty one ends it.
    #[wasm_bindgen(js_name = feedRight)]
    pub fn feed_right(&mut self, piece: &[u8]) {
        feed(&mut self.right, &mut self.comparison, Side::Right, piece);
    }

    /// Gives the differences as JSON.
    pub fn finish(self) -> String {
        json(&self.comparison.finish())
    }
}

fn feed(framer: &mut LineFramer, comparison: &mut Comparison, side: Side, piece: &[u8]) {
    let mut add = |line: Line<'_>| -> Result<(), Infallible> {
        // What is no record is in the report of its dump.
        if let Ok(scanned) = scan_line(line.bytes) {
            comparison.line(side, &line, &scanned);
        }
        Ok(())
    };
    if piece.is_empty() {
        let Ok(()) = std::mem::take(framer).finish(add);
        comparison.end(side);
    } else {
        let Ok(()) = framer.feed(piece, &mut add);
    }
}
