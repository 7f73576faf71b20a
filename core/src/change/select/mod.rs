//! Chooses parts of a state: tenants, objects, keys, with all that belongs to them and all that they
//! need.
//!
//! The state is read twice. A [`Selector`] is handed every key with its value and finds out which
//! objects there are, what is in what, and what needs what; the relations are those that the check
//! of references has. The [`Selection`] that it ends in then says of each key whether it stays.
//!
//! - What is chosen brings all that is in it: a database its tables, a table its indexes.
//! - What is kept brings what it needs, with the keys of its own: a table its database and its
//!   policies, a user its roles.
//! - A key that links two objects stays only with both.
//!
//! **Invariant:** an object stays or goes with all its keys, unless it is the keys that are named.
//!
//! **Invariant:** memory grows with the objects, some 800 bytes for each with its names and all that
//! it needs; not with their keys or values.

mod belonging;
mod choice;
mod closure;
mod error;
mod known;
mod plan;
mod selection;
mod selector;
#[cfg(test)]
mod tests;

pub use belonging::Belonging;
pub use choice::{Choice, Fate, Which};
pub use error::{Listed, SelectError};
pub(crate) use known::described;
pub use plan::{FilterPlan, FilterRewriter, Form};
pub use selection::{Counts, Gone, Part, Selection};
pub use selector::Selector;
pub(crate) use selector::Staying;
