//! How two states differ: which keys, which of their fields, and what a state machine holds
//! besides.
//!
//! ```text
//! keys of A, ascending ─┐
//!                       ├─► Merge ─► pairs ─► Change::of ─► Comparable::fields
//! keys of B, ascending ─┘
//! ```
//!
//! Records that are spelled alike are the same, and nothing of them is decoded. What of an object a
//! key belongs to is the business of [`ByObject`](crate::objects::ByObject).

mod alignment;
mod by_object;
mod change;
mod compared;
mod fields;
mod merge;
mod system;

pub use by_object::{Asked, KindCounts, ObjectDifference, ObjectDifferences, ObjectTally};
pub use change::{Change, Counts};
pub use compared::{
    BesideKeys, ComparedState, KeyLine, LogExtent, ObjectLine, StatesLine, SummaryLine,
};
#[cfg(feature = "look")]
pub(crate) use fields::words;
pub use fields::{Comparable, FieldChange, Fields};
pub use merge::{Keyed, Merge, Pair, Side};
pub use system::{Differs, SystemDifference};
