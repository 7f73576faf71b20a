//! Plans and applies a rewrite.

use metadump::rewrite::{ExpireIndex, Plan, Planner, Request, Snapshot, SpliceError, Splicer};
use metadump::scan::scan_line;
use metadump::{Line, LineFramer};
use wasm_bindgen::prelude::*;

use crate::{cluster, json, thrown};

/// Where a rewrite is: the dump is read once in each step.
enum Step {
    Plan(Box<Planner>),
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
        let planner = Planner::new(Request { cluster, expire, snapshot });
        Ok(Self {
            framer: LineFramer::default(),
            step: Step::Plan(Box::new(planner)),
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
            Step::Plan(planner) => {
                let plan = planner.finish().map_err(thrown)?;
                *step = if plan.needs_keys() {
                    Step::Learn(Box::new(plan))
                } else {
                    self.changes = json(&plan.changes().describe());
                    apply(plan)
                };
                Ok(true)
            }
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
        let not_a_record = |error| SpliceError::not_a_record(line, error);
        match self {
            Self::Plan(planner) => {
                planner.line(line, &scan_line(line.bytes).map_err(not_a_record)?);
            }
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
