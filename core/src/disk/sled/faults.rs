//! What happens to a fault: it ends a strict reading, a salvage writes it down and goes on.

use super::error::SledError;

/// The faults that were met so far.
#[derive(Debug)]
pub(super) enum Faults {
    /// The first fault is the result.
    Strict,
    /// Faults are collected.
    Salvage(Vec<SledError>),
}

impl Faults {
    /// Meets a fault.
    pub(super) fn meet(&mut self, fault: SledError) -> Result<(), SledError> {
        match self {
            Self::Strict => Err(fault),
            Self::Salvage(met) => {
                met.push(fault);
                Ok(())
            }
        }
    }

    /// The value, or none after a fault that was met.
    pub(super) fn unless<T>(
        &mut self,
        result: Result<T, SledError>,
    ) -> Result<Option<T>, SledError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(fault) => self.meet(fault).map(|()| None),
        }
    }

    pub(super) const fn is_strict(&self) -> bool {
        matches!(self, Self::Strict)
    }

    /// The faults that were collected.
    pub(super) fn into_met(self) -> Vec<SledError> {
        match self {
            Self::Strict => Vec::new(),
            Self::Salvage(met) => met,
        }
    }
}
