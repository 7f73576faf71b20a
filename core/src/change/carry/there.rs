//! What a running cluster has.

use std::collections::{HashMap, HashSet};

use crate::dump::record::Bytes;
use crate::state::objects::{Catalogue, Object, ObjectRecord, Owner, parent_kind};
use crate::value::{KeyParts, ObjectKind, ValueForm};

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

/// Takes the keys of a running cluster.
#[derive(Debug, Default)]
pub struct Cluster {
    catalogue: Catalogue,
    /// The objects that names lead to.
    named: HashSet<(ObjectKind, u64)>,
}

impl Cluster {
    /// Takes a key with its value, in any order.
    pub fn add(&mut self, key: &str, value: &Bytes<'_>) {
        let record = ObjectRecord::of(key, value);
        let parts = KeyParts::of(key);
        if let (Some(parts), Owner::Id(kind, id)) = (parts, &record.owner) {
            let is_name = |of: &ValueForm| matches!(of, ValueForm::Id(of) if of == kind);
            if parts.form.values.iter().any(is_name) {
                self.named.insert((*kind, *id));
            }
        }
        self.catalogue.add(record);
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
    led_to: HashSet<(ObjectKind, u64)>,
    tenants: HashSet<Box<str>>,
}

impl There {
    pub(super) fn of(cluster: Cluster) -> Self {
        let Cluster { catalogue, named: led_to } = cluster;
        let tenants = catalogue.tenants().into_iter().map(Box::from).collect();
        let mut there = Self { tenants, ..Self::default() };
        for object in catalogue.finish().into_all() {
            let named = object.name.clone().map(|name| (object.kind, Place::of(&object), name));
            match (object.id, named) {
                (Some(id), named) => {
                    let is_live =
                        object.dropped_on.is_none() && led_to.contains(&(object.kind, id));
                    if let Some(named) = named.filter(|_| is_live) {
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
        there.led_to = led_to;
        there
    }

    pub(super) fn has_tenant(&self, tenant: &str) -> bool {
        self.tenants.contains(tenant)
    }

    /// Whether all that the cluster has of an id is left over: neither a record nor a name that leads
    /// to it.
    pub(super) fn is_left_over(&self, object: &Object) -> bool {
        let led_to = object.id.is_some_and(|id| self.led_to.contains(&(object.kind, id)));
        !led_to && object.created_on.is_none()
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
