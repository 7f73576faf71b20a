//! Which objects are listed, and in which order.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::browser::parent_of;
use crate::ordered;
use crate::state::objects::Object;

/// What objects are ordered by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum SortBy {
    /// Tenant, kind and name.
    #[default]
    Name,
    /// The number of their keys, the most first.
    Keys,
    /// The bytes of their values, the most first.
    Bytes,
}

/// Which objects are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(default)]
pub struct ObjectQuery {
    /// The tenants whose objects are; all when it is empty. None is the tenant of what belongs to
    /// none.
    pub tenants: Vec<Option<String>>,
    /// The name of the kind; all when there is none.
    pub kind: Option<String>,
    /// Where the object stands among all that they are in.
    pub parent: Option<usize>,
    /// What their name, id, database, engine or owner has in it, in whichever case.
    pub text: String,
    /// The order.
    pub sort: SortBy,
}

impl ObjectQuery {
    /// Where the objects that are asked for stand, in the order that is asked for.
    pub(super) fn of(&self, objects: &[Object]) -> Vec<usize> {
        let text = self.text.to_lowercase();
        let parent = self.parent.and_then(|at| objects.get(at));
        let parent = parent.and_then(|parent| Some((parent.kind, parent.id?)));
        let is_in = |object: &Object| self.parent.is_none() || parent_of(object) == parent;
        let all = objects.iter().enumerate();
        let found = all.filter(|(_, object)| is_in(object) && self.has(object, &text));
        let mut found: Vec<(usize, &Object)> = found.collect();
        match self.sort {
            SortBy::Name => {}
            SortBy::Keys => ordered::sort_by_key(&mut found, |(_, object)| Reverse(object.keys)),
            SortBy::Bytes => {
                ordered::sort_by_key(&mut found, |(_, object)| Reverse(object.bytes));
            }
        }
        found.into_iter().map(|(at, _)| at).collect()
    }

    fn has(&self, object: &Object, text: &str) -> bool {
        let of_tenant = |asked: &Option<String>| asked.as_deref() == object.tenant.as_deref();
        let of_kind = self.kind.as_deref().is_none_or(|kind| kind == object.kind.name());
        of_kind
            && (self.tenants.is_empty() || self.tenants.iter().any(of_tenant))
            && (text.is_empty() || matches(object, text))
    }
}

/// Whether an object has a text in it, which is given in lower case; `table:42` is of one kind.
fn matches(object: &Object, text: &str) -> bool {
    let Object { tenant, engine, owner, .. } = object;
    let text = match text.split_once(':') {
        Some((kind, text)) if kind == object.kind.name() => text,
        _ => text,
    };
    let has = |of: &str| of.to_lowercase().contains(text);
    has(&object.full_name())
        || object.id.is_some_and(|id| id.to_string().contains(text))
        || [tenant, engine, owner].into_iter().flatten().any(|of| has(of))
}
