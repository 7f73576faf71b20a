//! Makes a dump without its credentials.

use std::collections::VecDeque;
use std::convert::Infallible;

use metadump::making::{Proving, SecretShare, Section, Sections, Surveyed, Surveying, TooLong};
use metadump::redact::{Copies, Merge, Secrets};
use metadump::value::Pseudonyms;
use metadump::{Line, LineFramer};
use wasm_bindgen::prelude::*;

use crate::{json, thrown};

/// How many credentials are listed.
const MOST_PLACES: usize = 1000;

/// Finds the credentials of a dump that comes in pieces, looks for copies of them, then writes it
/// without them.
#[wasm_bindgen]
pub struct Redacting {
    framer: LineFramer,
    step: Step,
    /// It lives as long as the worker: it is made once in each.
    surveyed: Option<&'static Surveyed>,
    copies: Copies,
    /// Where keys get another order.
    sections: Option<Sections>,
    ready: VecDeque<Section>,
    ends_line: bool,
}

/// Where it is: the dump is read once in each step, and once more for each share of very many
/// credentials.
enum Step {
    Survey(Box<Surveying>),
    Prove(Proving<'static>, u64),
    Collect(SecretShare, u64),
    Write(Proving<'static>),
    Ready,
}

#[wasm_bindgen]
impl Redacting {
    /// Starts; with a salt of 32 bytes, pseudonyms stand in the place of names, and what is written
    /// comes in sections.
    #[wasm_bindgen(constructor)]
    pub fn new(salt: Option<Vec<u8>>) -> Result<Self, JsError> {
        let salt = salt.map(<[u8; 32]>::try_from).transpose();
        let salt = salt.map_err(|_| thrown("a salt has 32 bytes"))?;
        let names = salt.map(Pseudonyms::new);
        Ok(Self {
            framer: LineFramer::default(),
            step: Step::Survey(Box::new(Surveying::new(MOST_PLACES, names))),
            surveyed: None,
            copies: Copies::default(),
            sections: None,
            ready: VecDeque::new(),
            ends_line: true,
        })
    }

    /// Reads the next piece; says whether the reading needs more, as it always does.
    pub fn feed(&mut self, piece: &[u8]) -> Result<bool, JsError> {
        let Self { framer, step, .. } = self;
        framer.feed(piece, |line| step.line(&line)).map_err(thrown)?;
        Ok(true)
    }

    /// Ends a reading; true when the dump has to be read once more.
    #[wasm_bindgen(js_name = endReading)]
    pub fn end_reading(&mut self) -> Result<bool, JsError> {
        let Self { framer, step, surveyed, copies, .. } = self;
        std::mem::take(framer).finish(|line| step.line(&line)).map_err(thrown)?;
        *step = match (std::mem::replace(step, Step::Ready), surveyed) {
            (Step::Survey(surveying), surveyed) => {
                let found: &'static Surveyed = Box::leak(Box::new(surveying.finish()));
                *surveyed = Some(found);
                Step::Prove(found.proving(found.secrets()), 1)
            }
            (Step::Prove(proving, next), Some(surveyed)) => {
                copies.extend(proving.finish());
                let shares = surveyed.secrets().shares();
                if next < shares { Step::Collect(surveyed.share(next), next) } else { Step::Ready }
            }
            (Step::Collect(collected, share), Some(surveyed)) => {
                let secrets: &'static Secrets = Box::leak(Box::new(collected.finish()));
                Step::Prove(surveyed.proving(secrets), share + 1)
            }
            (step, _) => step,
        };
        Ok(!matches!(step, Step::Ready))
    }

    /// What is replaced, as JSON of `RedactPreview`; none before all has been read.
    pub fn preview(&self) -> Option<String> {
        Some(json(&self.surveyed?.preview(&self.copies)))
    }

    /// Starts to write: the next piece is the first one again.
    #[wasm_bindgen(js_name = startWriting)]
    pub fn start_writing(&mut self) {
        if let Some(surveyed) = self.surveyed {
            self.framer = LineFramer::default();
            self.step = Step::Write(surveyed.proving(surveyed.secrets()));
            self.ready.clear();
            self.sections = surveyed.has_names().then(Sections::default);
        }
    }

    /// Gives what the next piece of the dump becomes, but for what comes in sections.
    pub fn write(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let Self { framer, step, sections, ready, ends_line, .. } = self;
        let Ok(()) = framer.feed(piece, |line| -> Result<(), Infallible> {
            *ends_line = line.terminated;
            step.write(&line, sections.as_mut(), &mut out);
            Ok(())
        });
        ready.extend(sections.iter_mut().flat_map(Sections::take));
        out
    }

    /// Gives what is left. Fails when more of the credentials are left than were found before.
    #[wasm_bindgen(js_name = endWriting)]
    pub fn end_writing(&mut self) -> Result<Vec<u8>, JsError> {
        let mut out = Vec::new();
        let Self { framer, step, copies, sections, ready, ends_line, .. } = self;
        let Ok(()) = std::mem::take(framer).finish(|line| -> Result<(), Infallible> {
            *ends_line = line.terminated;
            step.write(&line, sections.as_mut(), &mut out);
            Ok(())
        });
        ready.extend(sections.iter_mut().flat_map(Sections::finish));
        if let Step::Write(proving) = std::mem::replace(step, Step::Ready)
            && proving.finish().lines > copies.lines
        {
            return Err(thrown("the dump has changed while it was read"));
        }
        Ok(out)
    }

    /// Whether names are replaced, and what is written comes in sections.
    #[wasm_bindgen(getter, js_name = hasNames)]
    pub fn has_names(&self) -> bool {
        self.surveyed.is_some_and(Surveyed::has_names)
    }

    /// Whether the last line that was written has an end.
    #[wasm_bindgen(getter, js_name = endsLine)]
    pub fn ends_line(&self) -> bool {
        self.ends_line
    }

    /// The next section that is ready.
    #[wasm_bindgen(js_name = takeSection)]
    pub fn take_section(&mut self) -> Option<WrittenSection> {
        Some(match self.ready.pop_front()? {
            Section::Lines(bytes) => WrittenSection { is_run: false, bytes },
            Section::Run(bytes) => WrittenSection { is_run: true, bytes },
        })
    }
}

/// A part of the new dump: lines, or a run of keys, to be merged with those beside it.
#[wasm_bindgen]
pub struct WrittenSection {
    is_run: bool,
    bytes: Vec<u8>,
}

#[wasm_bindgen]
impl WrittenSection {
    /// Whether it is a run.
    #[wasm_bindgen(getter, js_name = isRun)]
    pub fn is_run(&self) -> bool {
        self.is_run
    }

    /// What it has; it is gone then.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

/// Merges runs of keys.
#[wasm_bindgen]
pub struct Merging {
    merge: Merge,
    has_lines: bool,
}

#[wasm_bindgen]
impl Merging {
    /// Of so many runs.
    #[wasm_bindgen(constructor)]
    pub fn new(runs: usize) -> Self {
        Self { merge: Merge::of(runs), has_lines: false }
    }

    /// Which run has to be fed before there are more lines; none when all were taken.
    pub fn wants(&mut self) -> Result<Option<usize>, JsError> {
        self.merge.wants().map_err(thrown)
    }

    /// The next piece of a run; an empty one ends it.
    pub fn feed(&mut self, run: usize, piece: &[u8]) {
        if piece.is_empty() {
            self.merge.end(run);
        } else {
            self.merge.feed(run, piece);
        }
    }

    /// Gives the lines that are known to come next; the last one has no end.
    pub fn take(&mut self) -> Result<Vec<u8>, JsError> {
        let mut out = Vec::new();
        while self.merge.wants().map_err(thrown)?.is_none()
            && let Some(line) = self.merge.next_line()
        {
            out.extend(std::mem::replace(&mut self.has_lines, true).then_some(b'\n'));
            out.extend_from_slice(&line);
        }
        Ok(out)
    }
}

impl Step {
    fn line(&mut self, line: &Line<'_>) -> Result<(), TooLong> {
        match self {
            Self::Survey(surveying) => surveying.line(line)?,
            Self::Prove(proving, _) => proving.line(line, |_| {}),
            Self::Collect(collecting, _) => collecting.line(line),
            Self::Write(_) | Self::Ready => {}
        }
        Ok(())
    }

    fn write(&mut self, line: &Line<'_>, sections: Option<&mut Sections>, out: &mut Vec<u8>) {
        let Self::Write(proving) = self else { return };
        proving.line(line, |made| match sections {
            Some(sections) => sections.line(made, line.terminated),
            None => {
                out.extend_from_slice(made);
                out.extend(line.terminated.then_some(b'\n'));
            }
        });
    }
}
