//! Compares two states, and answers what is asked about what differs.

use metadump::browse::GatherError;
use metadump::compare::{Compared, Comparison, DifferenceQuery, Side};
use metadump::moment::At;
use metadump::{Line, LineFramer};
use wasm_bindgen::prelude::*;

use crate::{json, thrown};

/// Compares two states that come in pieces; [`Comparing::wants`] says whose turn it is.
#[wasm_bindgen]
pub struct Comparing {
    left: LineFramer,
    right: LineFramer,
    comparison: Option<Comparison>,
    compared: Option<Compared>,
}

/// Ends a reading.
enum Ended {
    Enough,
    Failed(GatherError),
}

#[wasm_bindgen]
impl Comparing {
    /// Starts with the names and moments of two states; a moment is what `--at` takes, `now_ms` the
    /// time.
    #[wasm_bindgen(constructor)]
    pub fn new(
        left: String,
        left_at: &str,
        right: String,
        right_at: &str,
        now_ms: f64,
    ) -> Result<Self, JsError> {
        let left_at = At::parse(left_at).map_err(thrown)?;
        let right_at = At::parse(right_at).map_err(thrown)?;
        let comparison = Comparison::new((left, left_at), (right, right_at), now_ms as u64);
        Ok(Self {
            left: LineFramer::default(),
            right: LineFramer::default(),
            comparison: Some(comparison),
            compared: None,
        })
    }

    /// `left`, `right`, or none when all has been read.
    pub fn wants(&self) -> Option<String> {
        self.comparison.as_ref()?.wants().map(|side| {
            match side {
                Side::Left => "left",
                Side::Right => "right",
            }
            .to_owned()
        })
    }

    /// Reads the next piece of one; says whether its reading needs more.
    pub fn feed(&mut self, of: &str, piece: &[u8]) -> Result<bool, JsError> {
        self.read(of, |framer, line| framer.feed(piece, line))
    }

    /// Ends a reading of one: its next piece is the first of its dump.
    #[wasm_bindgen(js_name = endReading)]
    pub fn end_reading(&mut self, of: &str) -> Result<(), JsError> {
        self.read(of, |framer, line| std::mem::take(framer).finish(line))?;
        let Some(comparison) = &mut self.comparison else { return Ok(()) };
        comparison.end_reading(side(of)).map_err(thrown)?;
        if comparison.wants().is_none() {
            self.compared = self.comparison.take().map(Comparison::finish);
        }
        Ok(())
    }

    fn read(
        &mut self,
        of: &str,
        read: impl FnOnce(
            &mut LineFramer,
            &mut dyn FnMut(Line<'_>) -> Result<(), Ended>,
        ) -> Result<(), Ended>,
    ) -> Result<bool, JsError> {
        let Self { left, right, comparison, .. } = self;
        let Some(comparison) = comparison else { return Ok(false) };
        let side = side(of);
        let framer = match side {
            Side::Left => left,
            Side::Right => right,
        };
        let mut each = |line: Line<'_>| match comparison.line(side, &line) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Ended::Enough),
            Err(error) => Err(Ended::Failed(error)),
        };
        match read(framer, &mut each) {
            Ok(()) => Ok(true),
            Err(Ended::Enough) => {
                // What follows in the piece is none of the next reading.
                *framer = LineFramer::default();
                Ok(false)
            }
            Err(Ended::Failed(error)) => Err(thrown(error)),
        }
    }

    /// Which states were compared, as JSON of `States`; none before all has been read.
    pub fn states(&self) -> Option<String> {
        Some(json(&self.compared.as_ref()?.states()))
    }

    /// Lists what a `DifferenceQuery`, given as JSON, asks for; gives how many rows that are.
    pub fn list(&mut self, query: &str) -> Result<usize, JsError> {
        let query: DifferenceQuery = serde_json::from_slice(query.as_bytes()).map_err(thrown)?;
        Ok(self.compared.as_mut().map_or(0, |compared| compared.list(&query)))
    }

    /// Rows of the list, as a JSON array of `DifferenceRow`.
    pub fn rows(&self, from: usize, to: usize) -> Option<String> {
        Some(json(&self.compared.as_ref()?.rows(from, to)))
    }

    /// The first keys of an object, as a JSON array of `DifferingKey`.
    #[wasm_bindgen(js_name = keysOf)]
    pub fn keys_of(&self, object: usize, most: usize) -> Option<String> {
        Some(json(&self.compared.as_ref()?.keys_of(object, most)))
    }

    /// The line of a record that the log wrote.
    pub fn written(&self, at: usize) -> Option<Vec<u8>> {
        self.compared.as_ref()?.written(at).map(<[u8]>::to_vec)
    }

    /// The first line that `diff --format json` prints: which states were compared.
    #[wasm_bindgen(js_name = printedStates)]
    pub fn printed_states(&self) -> Option<String> {
        Some(json(&self.compared.as_ref()?.states_line()))
    }

    /// The line that it prints of an object.
    #[wasm_bindgen(js_name = printedObject)]
    pub fn printed_object(&self, at: usize) -> Option<String> {
        Some(json(&self.compared.as_ref()?.object_line(at)?))
    }

    /// Its last line: how many keys and objects differ.
    #[wasm_bindgen(js_name = printedSummary)]
    pub fn printed_summary(&self) -> Option<String> {
        Some(json(&self.compared.as_ref()?.summary_line()))
    }
}

fn side(of: &str) -> Side {
    if of == "left" { Side::Left } else { Side::Right }
}
