//! What a running cluster has.

use std::collections::{HashMap, HashSet};

use crate::state::objects::{Object, Objects, parent_kind};
use crate::value::ObjectKind;

/// Where a name is the only one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// In an object with an id.
    In(u64),
    /// In a tenant.
    Of(Option<Box<str>>),
}

impl Place {
    /// Where the name of an object is the only one.
    pub(super) fn of(object: &Object) -> Self {
        match (object.kind, object.parent_id) {
            (ObjectKind::Table | ObjectKind::Dictionary, Some(database)) => Self::In(database),
            _ => Self::Of(object.tenant.clone()),
        }
    }
}

/// What a running cluster has.
#[derive(Debug, Default)]
pub(super) struct There {
    by_id: HashMap<(ObjectKind, u64), Object>,
    /// Those that are not dropped, by name.
    live: HashMap<(ObjectKind, Place, Box<str>), u64>,
    /// Those without ids.
    named: HashSet<(ObjectKind, Place, Box<str>)>,
}

impl There {
    pub(super) fn of(objects: Objects) -> Self {
        let mut there = Self::default();
        for object in objects.into_all() {
            let named = object.name.clone().map(|name| (object.kind, Place::of(&object), name));
            match (object.id, named) {
                (Some(id), named) => {
                    if let Some(named) = named.filter(|_| object.dropped_on.is_none()) {
                        there.live.insert(named, id);
                    }
                    there.by_id.insert((object.kind, id), object);
                }
                (None, Some(named)) => {
                    there.named.insert(named);
                }
                (None, None) => {}
            }
        }
        there
    }

    pub(super) fn object(&self, kind: ObjectKind, id: u64) -> Option<&Object> {
        self.by_id.get(&(kind, id))
    }

    /// What is in something that is dropped, and has not been dropped by itself before.
    pub(super) fn inside(&self) -> impl Iterator<Item = &Object> {
        self.by_id.values().filter(|object| {
            let around = parent_kind(object.kind).zip(object.parent_id);
            let around = around.and_then(|around| self.by_id.get(&around));
            // What it is in says when it was dropped with it.
            around.is_some_and(|around| around.dropped_on == object.dropped_on)
        })
    }

    /// The id of what has a name.
    pub(super) fn live(&self, kind: ObjectKind, place: &Place, name: &str) -> Option<u64> {
        self.live.get(&(kind, place.clone(), name.into())).copied()
    }

    /// Whether there is an object without an id.
    pub(super) fn has_named(&self, kind: ObjectKind, place: &Place, name: &str) -> bool {
        self.named.contains(&(kind, place.clone(), name.into()))
    }

    /// The names of the databases of a tenant.
    pub(super) fn databases(&self, tenant: &Place) -> Vec<String> {
        let live = self
            .live
            .keys()
            .filter(|(kind, place, _)| *kind == ObjectKind::Database && place == tenant);
        let mut names: Vec<String> = live.map(|(_, _, name)| name.to_string()).collect();
        names.sort_unstable();
        names
    }
}
