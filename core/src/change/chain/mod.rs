//! A chain: a dump and the increments behind it, each of which has the log entries that came after
//! the one before.
//!
//! ```text
//! base         header  node id  vote  committed  purged  entries ── state machine
//! increment    header  node id  vote  committed          entries
//! increment    header  node id  vote  committed          entries
//!
//! read as one  header  node id  vote  committed  purged  entries  entries  entries ── state machine
//!              └── of the base ┘  └─ of the last ─┘ └─ of the base, then of each increment
//! ```
//!
//! An increment is a text of the same form, and its manifest names its parent by hash. [`Cut`] takes
//! one out of the lines of an export, or says why there is none; [`ordered`] puts the pieces of a
//! chain in their order, [`families`] those of several; [`Part`] is what a line is to whoever puts
//! the pieces together. [`Retention`] says which of many are kept.

mod cut;
mod order;
mod part;
mod retention;

pub use cut::{Cut, NoIncrement, Taken};
pub use order::{ChainError, Link, families, ordered};
pub use part::Part;
pub use retention::{Backup, NotWithin, Reason, Retention, Within};
