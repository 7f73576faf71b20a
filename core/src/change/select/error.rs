//! Why there is no selection.

use std::fmt;

/// The first of many, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The first ones.
    pub first: Vec<String>,
    /// How many there are.
    pub count: u64,
}

/// How many are listed.
const MOST: usize = 20;

impl Listed {
    pub(super) fn push(&mut self, what: impl FnOnce() -> String) {
        if self.first.len() < MOST {
            self.first.push(what());
        }
        self.count += 1;
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.join(", "))?;
        match self.count.saturating_sub(self.first.len() as u64) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Why there is no selection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// Nothing is named.
    #[error("nothing is chosen")]
    NothingChosen,
    /// There is no such tenant.
    #[error("there is no tenant {asked}")]
    NoTenant {
        /// The name.
        asked: String,
        /// Names that are near it.
        near: Vec<String>,
    },
    /// There is no such object.
    #[error("there is no {asked}")]
    NoObject {
        /// What was named.
        asked: String,
        /// Objects that are near it.
        near: Vec<String>,
    },
    /// The tenant has no key of its own.
    #[error("tenant {0} has no key of its own")]
    NoOwnKey(String),
    /// There is no such key.
    #[error("there is no key {asked}")]
    NoKey {
        /// The key, or how it begins.
        asked: String,
    },
    /// More than one tenant has such an object.
    #[error("{asked} is in more than one tenant: {}", tenants.join(", "))]
    Ambiguous {
        /// What was named.
        asked: String,
        /// The tenants.
        tenants: Vec<String>,
    },
    /// What stays needs what goes.
    #[error("what stays needs what would go: {0}")]
    Needed(Listed),
    /// Keys have no known form.
    #[error("it is not known whose these keys are: {0}")]
    UnknownKeys(Listed),
    /// The tenant of objects is not known.
    #[error("nothing says the tenant of these objects: {0}")]
    Orphans(Listed),
}
