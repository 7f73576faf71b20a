//! Why objects cannot be brought.

use crate::change::select::SelectError;

/// Why objects cannot be brought.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CarryError {
    /// There is no such object.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// A key is named.
    #[error("key {0} is named: what is brought is an object, with all its keys")]
    Key(String),
    /// What is named was dropped.
    #[error("{asked} is dropped in the dump")]
    Dropped {
        /// What was named.
        asked: String,
    },
    /// A new name is given to more than one object.
    #[error("{asked} names {count} objects, and one new name is given")]
    Several {
        /// What was named.
        asked: String,
        /// How many it names.
        count: usize,
    },
    /// A new name is given to what cannot have one.
    #[error("{object} cannot have another name")]
    NotRenamed {
        /// The object.
        object: String,
    },
    /// A new name is of another kind.
    #[error("{name} is no name for {object}")]
    NewName {
        /// The new name.
        name: String,
        /// The object.
        object: String,
    },
    /// A new name is of another tenant.
    #[error("{object} belongs to the tenant {tenant}, and its new name to {asked}")]
    OtherTenant {
        /// The object.
        object: String,
        /// Its tenant.
        tenant: String,
        /// The tenant of the new name.
        asked: String,
    },
    /// The database of a new name is not in the cluster.
    #[error("the cluster has no database {asked}")]
    NoDatabase {
        /// The name.
        asked: String,
        /// Names that are near it.
        near: Vec<String>,
    },
    /// One object is named more than once, with new names.
    #[error("{object} is named more than once")]
    Twice {
        /// The object.
        object: String,
    },
    /// Two objects would have one name.
    #[error("two objects would be {name}")]
    SameName {
        /// The name.
        name: String,
    },
    /// The dump has only a part of an object.
    #[error("the dump has no {lacking} of {object}")]
    Half {
        /// The object.
        object: String,
        /// What it lacks.
        lacking: &'static str,
    },
    /// A value cannot be read, though the record of an object or one whose ids change has to be.
    #[error("{object} cannot be brought whole: {key}: {why}")]
    Unread {
        /// The object.
        object: String,
        /// The key.
        key: String,
        /// Why not.
        why: crate::value::UnreadIds,
    },
}
