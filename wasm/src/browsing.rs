//! Gathers the objects of a state, and answers what is asked about them.

use metadump::browse::{Browser, GatherError, Gathering, LogReading, ObjectLog, ObjectQuery};
use metadump::moment::At;
use metadump::{Line, LineFramer};
use wasm_bindgen::prelude::*;

use crate::{json, thrown};

/// How many entries of the log are shown of an object; the log has all.
const MOST_ENTRIES: usize = 200;

/// Reads the objects of a dump that comes in pieces, several times over.
#[wasm_bindgen]
pub struct Browsing {
    framer: LineFramer,
    step: Step,
    /// The objects that were listed last.
    listed: Vec<usize>,
    browser: Option<Browser>,
    log: Option<ObjectLog>,
}

enum Step {
    Gather(Box<Gathering>),
    Log(Box<LogReading>),
    Done,
}

/// Ends a reading.
enum Ended {
    Enough,
    Failed(GatherError),
}

#[wasm_bindgen]
impl Browsing {
    /// Starts with the objects of a moment; `at` is what `--at` takes, `now_ms` the time.
    #[wasm_bindgen(constructor)]
    pub fn new(at: &str, now_ms: f64) -> Result<Self, JsError> {
        let at = At::parse(at).map_err(thrown)?;
        Ok(Self {
            framer: LineFramer::default(),
            step: Step::Gather(Box::new(Gathering::new(at, now_ms as u64))),
            listed: Vec::new(),
            browser: None,
            log: None,
        })
    }

    /// Goes on with what the log did.
    #[wasm_bindgen(js_name = readLog)]
    pub fn read_log(&mut self, now_ms: f64) {
        self.framer = LineFramer::default();
        self.step = Step::Log(Box::new(LogReading::new(now_ms as u64)));
    }

    /// Reads the next piece; says whether the reading needs more.
    pub fn feed(&mut self, piece: &[u8]) -> Result<bool, JsError> {
        let Self { framer, step, .. } = self;
        goes_on(framer.feed(piece, |line| step.line(&line)))
    }

    /// Ends a reading; true when the dump has to be read once more.
    #[wasm_bindgen(js_name = endReading)]
    pub fn end_reading(&mut self) -> Result<bool, JsError> {
        let Self { framer, step, .. } = self;
        goes_on(std::mem::take(framer).finish(|line| step.line(&line)))?;
        let again = match step {
            Step::Gather(gathering) => gathering.end_reading().map_err(thrown)?,
            Step::Log(reading) => reading.end_reading().map_err(thrown)?,
            Step::Done => false,
        };
        if !again {
            match std::mem::replace(step, Step::Done) {
                Step::Gather(gathering) => {
                    self.browser = Some(gathering.finish().map_err(thrown)?);
                }
                Step::Log(reading) => self.log = Some(reading.finish()),
                Step::Done => {}
            }
        }
        Ok(again)
    }

    /// Goes to another moment without another reading; false where it takes one.
    pub fn step(&mut self, at: &str, now_ms: f64) -> Result<bool, JsError> {
        let at = At::parse(at).map_err(thrown)?;
        let Some(browser) = &mut self.browser else { return Ok(false) };
        self.listed.clear();
        browser.step(at, now_ms as u64).map_err(thrown)
    }

    /// What the state has as a whole, as JSON of `StateOverview`.
    pub fn overview(&self) -> Option<String> {
        Some(json(&self.browser.as_ref()?.overview()))
    }

    /// Lists what an `ObjectQuery`, given as JSON, asks for; gives how many objects that are.
    pub fn list(&mut self, query: &str) -> Result<usize, JsError> {
        let query: ObjectQuery = serde_json::from_slice(query.as_bytes()).map_err(thrown)?;
        self.listed = self.browser.as_ref().map_or_else(Vec::new, |browser| browser.list(&query));
        Ok(self.listed.len())
    }

    /// Objects of the list, as a JSON array of `ObjectRow`.
    pub fn rows(&self, from: usize, to: usize) -> Option<String> {
        let to = to.min(self.listed.len());
        Some(json(&self.browser.as_ref()?.rows(self.listed.get(from..to)?)))
    }

    /// Where an object stands in the list.
    #[wasm_bindgen(js_name = indexOf)]
    pub fn index_of(&self, at: usize) -> Option<usize> {
        self.listed.iter().position(|listed| *listed == at)
    }

    /// An object with what belongs to it, as JSON of `ObjectDetail`.
    pub fn detail(&self, at: usize) -> Option<String> {
        Some(json(&self.browser.as_ref()?.detail(at)?))
    }

    /// Where the object stands that a line belongs to.
    #[wasm_bindgen(js_name = ofLine)]
    pub fn of_line(&self, number: f64, text: &[u8]) -> Option<usize> {
        self.browser.as_ref()?.of_line(number as u64, text)
    }

    /// The line of a record that the log wrote.
    pub fn written(&self, at: usize) -> Option<Vec<u8>> {
        self.browser.as_ref()?.written(at).map(<[u8]>::to_vec)
    }

    /// What the log did to an object, as JSON of `ObjectHistory`; none before the log was read.
    pub fn history(&self, at: usize) -> Option<String> {
        let object = self.browser.as_ref()?.object(at)?;
        Some(json(&self.log.as_ref()?.of(object, MOST_ENTRIES)))
    }
}

fn goes_on(read: Result<(), Ended>) -> Result<bool, JsError> {
    match read {
        Ok(()) => Ok(true),
        Err(Ended::Enough) => Ok(false),
        Err(Ended::Failed(error)) => Err(thrown(error)),
    }
}

impl Step {
    fn line(&mut self, line: &Line<'_>) -> Result<(), Ended> {
        let more = match self {
            Self::Gather(gathering) => gathering.line(line),
            Self::Log(reading) => reading.line(line),
            Self::Done => Ok(false),
        };
        match more {
            Ok(true) => Ok(()),
            Ok(false) => Err(Ended::Enough),
            Err(error) => Err(Ended::Failed(error)),
        }
    }
}
