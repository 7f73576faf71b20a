//! Makes a dump without its credentials.

use std::convert::Infallible;

use metadump::making::{Proving, SecretShare, Surveyed, Surveying, TooLong};
use metadump::redact::{Copies, Secrets};
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
}

/// Where it is: the dump is read once in each step, and once more for each share of very many
/// credentials.
enum Step {
    Survey(Surveying),
    Prove(Proving<'static>, u64),
    Collect(SecretShare, u64),
    Write(Proving<'static>),
    Ready,
}

#[wasm_bindgen]
impl Redacting {
    /// Starts.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self {
            framer: LineFramer::default(),
            step: Step::Survey(Surveying::new(MOST_PLACES)),
            surveyed: None,
            copies: Copies::default(),
        }
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
        let Self { framer, step, surveyed, copies } = self;
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
                if next < shares {
                    Step::Collect(SecretShare::new(next, shares), next)
                } else {
                    Step::Ready
                }
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
        }
    }

    /// Gives what the next piece of the dump becomes.
    pub fn write(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let Self { framer, step, .. } = self;
        let Ok(()) = framer.feed(piece, |line| -> Result<(), Infallible> {
            step.write(&line, &mut out);
            Ok(())
        });
        out
    }

    /// Gives what is left. Fails when more of the credentials are left than were found before.
    #[wasm_bindgen(js_name = endWriting)]
    pub fn end_writing(&mut self) -> Result<Vec<u8>, JsError> {
        let mut out = Vec::new();
        let Self { framer, step, copies, .. } = self;
        let Ok(()) = std::mem::take(framer).finish(|line| -> Result<(), Infallible> {
            step.write(&line, &mut out);
            Ok(())
        });
        if let Step::Write(proving) = std::mem::replace(step, Step::Ready)
            && proving.finish().lines > copies.lines
        {
            return Err(thrown("the dump has changed while it was read"));
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

    fn write(&mut self, line: &Line<'_>, out: &mut Vec<u8>) {
        if let Self::Write(proving) = self {
            proving.line(line, |made| out.extend_from_slice(made));
            out.extend(line.terminated.then_some(b'\n'));
        }
    }
}

impl Default for Redacting {
    fn default() -> Self {
        Self::new()
    }
}
