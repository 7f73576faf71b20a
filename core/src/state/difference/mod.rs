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
mod change;
mod fields;
mod merge;
mod system;

#[cfg(feature = "look")]
pub(crate) use change::Write;
pub use change::{Change, Counts};
pub use fields::{Comparable, FieldChange, Fields};
pub use merge::{Keyed, Merge, Pair, Side};
pub use system::{Differs, SystemDifference};
