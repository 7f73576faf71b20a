//! Makes a dump of single lines.

use metadump::making::{Excerpted, Excerpting as Planning};
use metadump::rewrite::ExcerptRewriter;
use metadump::{Line, LineFramer};
use wasm_bindgen::prelude::*;

use crate::writing::Writing;
use crate::{json, thrown};

/// Finds out what lines of a dump are, which comes in pieces; then writes the dump of them.
#[wasm_bindgen]
pub struct Excerpting {
    framer: LineFramer,
    planning: Option<Planning>,
    /// It lives as long as the worker: it is made once in each.
    excerpted: Option<&'static Excerpted>,
    writing: Writing<ExcerptRewriter<'static>>,
}

#[wasm_bindgen]
impl Excerpting {
    /// Starts with the numbers of the lines, counted from 1.
    #[wasm_bindgen(constructor)]
    pub fn new(lines: &[f64]) -> Self {
        Self {
            framer: LineFramer::default(),
            planning: Some(Planning::new(lines.iter().map(|line| *line as u64))),
            excerpted: None,
            writing: Writing::default(),
        }
    }

    /// Reads the next piece; says whether the reading needs more, as it always does.
    pub fn feed(&mut self, piece: &[u8]) -> Result<bool, JsError> {
        let Self { framer, planning, .. } = self;
        if let Some(planning) = planning {
            framer.feed(piece, |line: Line<'_>| planning.line(&line)).map_err(thrown)?;
        }
        Ok(true)
    }

    /// Ends the reading; the dump has not to be read once more before it is written.
    #[wasm_bindgen(js_name = endReading)]
    pub fn end_reading(&mut self) -> Result<bool, JsError> {
        let framer = std::mem::take(&mut self.framer);
        if let Some(mut planning) = self.planning.take() {
            framer.finish(|line| planning.line(&line)).map_err(thrown)?;
            let excerpted = planning.finish().map_err(thrown)?;
            self.excerpted = Some(Box::leak(Box::new(excerpted)));
        }
        Ok(false)
    }

    /// What the dump will have, as JSON of a list of sentences; none before all has been read.
    pub fn preview(&self) -> Option<String> {
        Some(json(&self.excerpted?.words()))
    }

    /// Starts to write: the next piece is the first one again.
    #[wasm_bindgen(js_name = startWriting)]
    pub fn start_writing(&mut self) {
        self.writing = Writing::start(self.excerpted.map(Excerpted::writer));
    }

    /// Gives what the next piece of the dump becomes.
    pub fn write(&mut self, piece: &[u8]) -> Result<Vec<u8>, JsError> {
        self.writing.piece(piece)
    }

    /// Gives what is left.
    #[wasm_bindgen(js_name = endWriting)]
    pub fn end_writing(&mut self) -> Result<Vec<u8>, JsError> {
        self.writing.end()
    }
}
