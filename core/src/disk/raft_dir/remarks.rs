//! What is to be reported of a directory: warnings, and what a salvage could not read.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::error::DirError;

/// What to do about damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtDamage {
    /// The first fault ends the reading.
    Refuse,
    /// What can be read is read, and the rest is reported.
    GoOn,
}

/// What is to be reported of a directory.
#[derive(Debug)]
pub(super) struct Remarks {
    at_damage: AtDamage,
    warnings: RefCell<Vec<String>>,
    /// What was lost, in the order it was met; and once more, to report nothing twice.
    losses: RefCell<(Vec<String>, BTreeSet<String>)>,
}

impl Remarks {
    /// Nothing was met yet.
    pub(super) fn new(at_damage: AtDamage) -> Self {
        Self { at_damage, warnings: RefCell::default(), losses: RefCell::default() }
    }

    /// What is done about damage.
    pub(super) const fn at_damage(&self) -> AtDamage {
        self.at_damage
    }

    /// What was warned of, a warning each.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().iter().map(|text| format!("warning: {text}")).collect()
    }

    /// What was lost.
    pub(super) fn losses(&self) -> Vec<String> {
        self.losses.borrow().0.clone()
    }

    /// Warns, of the same only once.
    pub(super) fn warn(&self, warning: impl Into<String>) {
        let warning = warning.into();
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// The error, or none when the reading goes on without what it is about.
    pub(super) fn lose(&self, error: DirError) -> Result<(), DirError> {
        if self.at_damage == AtDamage::Refuse {
            return Err(error);
        }
        let (losses, known) = &mut *self.losses.borrow_mut();
        let loss = error.causes().join(": ");
        if known.insert(loss.clone()) {
            losses.push(loss);
        }
        Ok(())
    }
}
