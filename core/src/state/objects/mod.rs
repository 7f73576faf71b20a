//! The objects of a cluster: which there are, and what belongs to each.

mod by_object;
mod catalogue;
mod effect;
mod listing;
mod near;
mod record;
mod reference;

pub use by_object::ByObject;
pub use catalogue::{Catalogue, Object};
pub use effect::{Effect, History, LoggedChange, ObjectName, Outcome, Verb};
pub use listing::{KindSum, Names, Objects, Sum, Tenant};
pub use near::near;
pub use record::{Description, ObjectRecord, Owner, Says};
pub(crate) use record::{has_ids, parent_kind};
pub use reference::ObjectRef;
