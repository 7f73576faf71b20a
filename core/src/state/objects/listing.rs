//! The objects of a state in their order, and what each tenant has.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::catalogue::Object;
use crate::value::ObjectKind;

/// The objects of a state, by tenant, kind and name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Objects {
    pub(super) objects: Vec<Object>,
    pub(super) rest: BTreeMap<(Option<ObjectKind>, Option<Box<str>>), Sum>,
}

impl Objects {
    /// Every object.
    pub fn all(&self) -> &[Object] {
        &self.objects
    }

    /// Every object, by itself.
    pub(crate) fn into_all(self) -> Vec<Object> {
        self.objects
    }

    /// How many keys there are whose form is not known, and the bytes of their values.
    pub fn unknown(&self) -> Sum {
        self.rest.get(&(None, None)).copied().unwrap_or_default()
    }

    /// What each tenant has, by name; last what belongs to none.
    pub fn tenants<'a>(&'a self) -> Vec<Tenant> {
        let mut tenants: BTreeMap<(bool, Option<&str>), Tenant> = BTreeMap::new();
        let mut add = |tenant: Option<&'a str>, kind, objects, dropped, sum: Sum| {
            let found = tenants
                .entry((tenant.is_none(), tenant))
                .or_insert_with(|| Tenant { tenant: tenant.map(Box::from), ..Tenant::default() });
            found.sum.add(sum.keys, sum.bytes);
            let of_kind = found.kinds.entry(kind).or_default();
            of_kind.count += objects;
            of_kind.dropped += dropped;
            of_kind.sum.add(sum.keys, sum.bytes);
        };
        for object in &self.objects {
            let dropped = u64::from(object.dropped_on.is_some());
            let sum = Sum { keys: object.keys, bytes: object.bytes };
            add(object.tenant.as_deref(), object.kind.name(), 1 - dropped, dropped, sum);
        }
        for ((kind, tenant), sum) in &self.rest {
            let kind = kind.map_or("unknown", ObjectKind::name);
            add(tenant.as_deref(), kind, 0, 0, *sum);
        }
        tenants.into_values().collect()
    }

    /// The names of objects by their ids.
    pub fn names(&self) -> Names<'_> {
        let id = |object: &Object| Some((object.kind, object.id?));
        let objects = self.objects.iter().filter(|object| object.name.is_some());
        Names(objects.filter_map(|object| Some((id(object)?, object))).collect())
    }
}

/// The names of objects by their ids.
#[derive(Debug, Default)]
pub struct Names<'o>(HashMap<(ObjectKind, u64), &'o Object>);

impl Names<'_> {
    /// The name as people write it, if it is known.
    pub fn get(&self, kind: ObjectKind, id: u64) -> Option<String> {
        self.0.get(&(kind, id)).map(|object| object.full_name())
    }
}

/// Keys and bytes that belong to no object of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Sum {
    /// How many keys.
    pub keys: u64,
    /// How many bytes their values have.
    pub bytes: u64,
}

impl Sum {
    pub(super) const fn add(&mut self, keys: u64, bytes: u64) {
        self.keys += keys;
        self.bytes += bytes;
    }
}

/// Objects of one kind in a tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct KindSum {
    /// How many there are.
    pub count: u64,
    /// How many are dropped, beside these.
    pub dropped: u64,
    /// Their keys and bytes.
    #[serde(flatten)]
    pub sum: Sum,
}

/// What a tenant has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Tenant {
    /// The name; none for what belongs to no tenant, or to one that nothing names.
    pub tenant: Option<Box<str>>,
    /// All its keys and bytes.
    #[serde(flatten)]
    pub sum: Sum,
    /// Its objects by kind, and the keys of kinds whose objects are not distinguished.
    pub kinds: BTreeMap<&'static str, KindSum>,
}
