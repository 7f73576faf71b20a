//! The objects of a state as a viewer goes through them: gathered once, then asked.

mod browser;
mod gathering;
mod listing;
mod logged;
mod owned;
mod steps;

pub use browser::{Browser, ObjectDetail, ObjectKey, ObjectRow, Related, StateOverview};
pub(in crate::look) use gathering::{FactReading, Read};
pub use gathering::{GatherError, Gathering};
pub use listing::{ObjectQuery, SortBy};
pub use logged::{LogReading, LoggedLine, ObjectHistory, ObjectLog};

#[cfg(test)]
mod tests;
