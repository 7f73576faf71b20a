//! Plans and applies a rewrite.

use metadump::check::{Code, Finding, Place};
use metadump::rewrite::{ExpireIndex, Plan, Planner, Request, Snapshot, SpliceError, Splicer};
use metadump::scan::scan_line;
use metadump::{Checker, Line, LineFramer};
use wasm_bindgen::prelude::*;

use crate::{cluster, json, thrown};

/// Where a rewrite is: the dump is read once in each step.
enum Step {
    Plan {
        planner: Box<Planner>,
        refusal: Option<SpliceError>,
    },
    /// A line is no record: what the file is says why, as on the command line.
    Refuse(Box<Checker>, SpliceError),
    Learn(Box<Plan>),
    Apply(Splicer<'static>),
    Done,
}

/// Rewrites a dump that comes in pieces, several times over.
#[wasm_bindgen]
pub struct Rewriting {
    framer: LineFramer,
    step: Step,
    changes: String,
}

#[wasm_bindgen]
impl Rewriting {
    /// Starts; no members keep the cluster. `repair_expire` recomputes the expiry index,
    /// `repair_snapshot` makes a state that lacks entries claim no more than it holds.
    #[wasm_bindgen(constructor)]
    pub fn new(
        own_id: &str,
        members: Vec<String>,
        repair_expire: bool,
        repair_snapshot: bool,
    ) -> Result<Self, JsError> {
        let cluster = if members.is_empty() {
            None
        } else {
            Some(cluster(own_id, &members).map_err(thrown)?)
        };
        let expire = if repair_expire { ExpireIndex::Repair } else { ExpireIndex::Keep };
        let snapshot = if repair_snapshot { Snapshot::Repair } else { Snapshot::Keep };
        let planner = Planner::new(Request { cluster, expire, snapshot, ..Request::default() });
        Ok(Self {
            framer: LineFramer::default(),
            step: Step::Plan { planner: Box::new(planner), refusal: None },
            changes: String::new(),
        })
    }

    /// Reads the next piece.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), JsError> {
        let Self { framer, step, .. } = self;
        framer.feed(piece, |line| step.line(&line)).map_err(thrown)
    }

    /// Ends a reading; true when the dump has to be read once more.
    #[wasm_bindgen(js_name = endReading)]
    pub fn end_reading(&mut self) -> Result<bool, JsError> {
        let Self { framer, step, .. } = self;
        std::mem::take(framer).finish(|line| step.line(&line)).map_err(thrown)?;
        match std::mem::replace(step, Step::Done) {
            Step::Plan { refusal: Some(error), .. } => {
                *step = Step::Refuse(Box::default(), error);
                Ok(true)
            }
            Step::Plan { planner, .. } => {
                let plan = planner.finish().map_err(thrown)?;
                *step = if plan.needs_keys() {
                    Step::Learn(Box::new(plan))
                } else {
                    self.changes = json(&plan.changes().describe());
                    apply(plan)
                };
                Ok(true)
            }
            Step::Refuse(checker, error) => Err(match checker.finish().foreign() {
                Some(Finding { code: Code::ZeroBytes, place: Some(place), message, .. }) => {
                    let Place { line, offset_bytes } = place;
                    thrown(format_args!("line {line}, byte {offset_bytes}: {message}"))
                }
                Some(finding) => thrown(&finding.message),
                None => thrown(error),
            }),
            Step::Learn(plan) => {
                self.changes = json(&plan.changes().describe());
                *step = apply(*plan);
                Ok(true)
            }
            last => {
                *step = last;
                Ok(false)
            }
        }
    }

    /// The changes in words, as a JSON array.
    #[wasm_bindgen(getter)]
    pub fn changes(&self) -> String {
        self.changes.clone()
    }

    /// The splices, as JSON.
    pub fn finish(self) -> Result<String, JsError> {
        match self.step {
            Step::Apply(splicer) => Ok(json(&splicer.finish().map_err(thrown)?)),
            _ => Err(thrown("the dump has not been read to its end")),
        }
    }
}

/// The plan lives as long as the worker: it is made once in each, and small.
fn apply(plan: Plan) -> Step {
    Step::Apply(Splicer::new(Box::leak(Box::new(plan))))
}

impl Step {
    fn line(&mut self, line: &Line<'_>) -> Result<(), SpliceError> {
        match self {
            Self::Plan { planner, refusal } => match scan_line(line.bytes) {
                Ok(scanned) => planner.line(line, &scanned),
                Err(error) => {
                    refusal.get_or_insert_with(|| SpliceError::not_a_record(line, error));
                }
            },
            Self::Refuse(checker, _) => checker.line(line),
            Self::Learn(plan) => {
                if let Ok(scanned) = scan_line(line.bytes) {
                    plan.learn(&scanned);
                }
            }
            Self::Apply(splicer) => splicer.line(line)?,
            Self::Done => {}
        }
        Ok(())
    }
}
