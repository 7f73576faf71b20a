//! Makes a dump of a part of a state.

use metadump::making::{FilterQuery, Filtered, Filtering};
use metadump::moment::At;
use metadump::select::FilterRewriter;
use metadump::{Line, LineFramer};
use wasm_bindgen::prelude::*;

use crate::writing::Writing;
use crate::{json, thrown};

/// How much of what goes is listed.
const MOST_GONE: usize = 1000;

/// Finds out what stays of a dump that comes in pieces, several times over; then writes that.
#[wasm_bindgen]
pub struct Selecting {
    framer: LineFramer,
    filtering: Option<Filtering>,
    /// It lives as long as the worker: it is made once in each.
    filtered: Option<&'static Filtered>,
    writing: Writing<FilterRewriter<'static>>,
}

/// Ends a reading.
enum Ended {
    Enough,
    Failed(JsError),
}

#[wasm_bindgen]
impl Selecting {
    /// Starts; `query` is JSON of a `FilterQuery`, `at` what `--at` takes, `now_ms` the time.
    #[wasm_bindgen(constructor)]
    pub fn new(query: &str, at: &str, now_ms: f64) -> Result<Self, JsError> {
        let query: FilterQuery = serde_json::from_slice(query.as_bytes()).map_err(thrown)?;
        let choice = query.try_into().map_err(|error: metadump::SyntaxError| thrown(error))?;
        let at = At::parse(at).map_err(thrown)?;
        Ok(Self {
            framer: LineFramer::default(),
            filtering: Some(Filtering::new(choice, at, now_ms as u64)),
            filtered: None,
            writing: Writing::default(),
        })
    }

    /// Reads the next piece; says whether the reading needs more.
    pub fn feed(&mut self, piece: &[u8]) -> Result<bool, JsError> {
        self.read(|framer, line| framer.feed(piece, line))
    }

    /// Ends a reading; true when the dump has to be read once more.
    #[wasm_bindgen(js_name = endReading)]
    pub fn end_reading(&mut self) -> Result<bool, JsError> {
        self.read(|framer, line| std::mem::take(framer).finish(line))?;
        let Some(mut filtering) = self.filtering.take() else { return Ok(false) };
        if filtering.end_reading().map_err(thrown)? {
            self.filtering = Some(filtering);
            return Ok(true);
        }
        let filtered = filtering.finish().map_err(thrown)?;
        self.filtered = Some(Box::leak(Box::new(filtered)));
        Ok(false)
    }

    fn read(
        &mut self,
        read: impl FnOnce(
            &mut LineFramer,
            &mut dyn FnMut(Line<'_>) -> Result<(), Ended>,
        ) -> Result<(), Ended>,
    ) -> Result<bool, JsError> {
        let Self { framer, filtering, .. } = self;
        let Some(filtering) = filtering else { return Ok(false) };
        let mut each = |line: Line<'_>| match filtering.line(&line) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Ended::Enough),
            Err(error) => Err(Ended::Failed(thrown(error))),
        };
        match read(framer, &mut each) {
            Ok(()) => Ok(true),
            Err(Ended::Enough) => {
                // What follows in the piece is none of the next reading.
                *framer = LineFramer::default();
                Ok(false)
            }
            Err(Ended::Failed(error)) => Err(error),
        }
    }

    /// What stays and goes, as JSON of `FilterPreview`; none before all has been read.
    pub fn preview(&self) -> Option<String> {
        Some(json(&self.filtered?.preview(MOST_GONE)))
    }

    /// Starts to write: the next piece is the first one again.
    #[wasm_bindgen(js_name = startWriting)]
    pub fn start_writing(&mut self) {
        self.writing = Writing::start(self.filtered.map(Filtered::writer));
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
