//! What is asked for.

use crate::state::objects::ObjectRef;

/// What is chosen of a state, and what becomes of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Tenants, by name.
    pub tenants: Vec<String>,
    /// Keys, by how they begin.
    pub prefixes: Vec<String>,
    /// Objects.
    pub objects: Vec<ObjectRef>,
    /// Whether the choice is what stays or what goes.
    pub which: Which,
    /// What becomes of keys of no known form.
    pub unknown: Fate,
    /// What becomes of objects whose tenant nothing says: what they were in is gone.
    pub orphans: Fate,
    /// Whether locks in the form of before 2023-11 count as a tenant's named like the table's id, as
    /// the official tool has it.
    pub is_official: bool,
}

/// Which part of a state stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Which {
    /// The choice.
    #[default]
    Chosen,
    /// The rest.
    Rest,
}

/// What becomes of what cannot be judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fate {
    /// It stays.
    Keep,
    /// It goes.
    Drop,
    /// There is no selection.
    #[default]
    Refuse,
}

impl Choice {
    /// Whether a key is named, by how it begins or as it is.
    pub(super) fn names(&self, key: &str) -> bool {
        self.prefixes.iter().any(|prefix| key.starts_with(prefix.as_str()))
            || self
                .objects
                .iter()
                .any(|object| matches!(object, ObjectRef::Key(named) if named == key))
    }

    /// Whether keys are all that is named: then the text of a key is enough to judge it.
    pub(super) fn is_of_keys(&self) -> bool {
        self.tenants.is_empty()
            && self.objects.iter().all(|object| matches!(object, ObjectRef::Key(_)))
    }

    pub(super) fn has_tenant(&self, name: Option<&str>) -> bool {
        name.is_some_and(|name| self.tenants.iter().any(|tenant| tenant == name))
    }
}
