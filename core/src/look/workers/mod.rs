//! Shares a dump out to workers that have no memory in common: the lines of a part, and lines
//! without their values.

mod abridge;
mod part;

pub use abridge::{Abridged, Abridger};
pub use part::Part;
