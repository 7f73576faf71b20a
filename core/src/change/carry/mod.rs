//! Brings chosen objects of a state into a running cluster.
//!
//! ```text
//! state of the dump ─► Carrier ─┐
//!                               ├─► CarryPlan ─► Step: the keys of one object ─► Settled: what to write
//! objects of the cluster ───────┘                              ▲
//!                                                 what the cluster has there
//! ```
//!
//! - What is chosen comes with all that is in it. Of what it needs, what the cluster has by the same
//!   name is that of the cluster; databases, policies and tags that it lacks come, too. Users and
//!   roles do not: what they may do is decided where they are.
//! - An id stays where it is free in the cluster, and where the object that was dropped there under
//!   it is the same one; else there is a new one, in keys, in values and wherever else it stands.
//! - What the cluster has is not written over. Of an object that it keeps as dropped, its own record
//!   counts, which is the newer one: only the mark of the drop goes.
//! - The name of an object comes last, with its record: nothing half is ever seen.
//!
//! **Invariant:** memory grows with the objects of both sides and with the keys of what is brought.

mod compose;
mod error;
mod fate;
mod plan;
mod settle;
#[cfg(test)]
mod tests;
mod there;

pub use compose::{Becomes, Clock, Composed, Outside, Step};
pub use error::CarryError;
pub use fate::{Fate, Item};
pub use plan::{Asked, Carrier, CarryPlan};
pub use settle::{Put, Settled};
pub use there::Cluster;
