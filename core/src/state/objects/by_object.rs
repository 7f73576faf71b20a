//! What changes of keys do to the objects that they belong to.

use std::collections::BTreeMap;

use super::catalogue::Catalogue;
use super::effect::{Effect, ObjectName, Verb};
use super::record::{ObjectRecord, Owner};
use crate::value::ObjectKind;

/// Changes of keys, put together by the object that they belong to.
///
/// **Invariant:** memory grows with the objects that change, not with their keys.
#[derive(Debug, Default)]
pub struct ByObject {
    groups: BTreeMap<Owner, (usize, Group)>,
}

/// What is known of one object.
#[derive(Debug, Default)]
struct Group {
    verb: Option<Verb>,
    keys: u64,
    key: Option<Box<str>>,
    former: Option<Named>,
    has_new_name: bool,
}

/// What a record says an object is called.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    name: Box<str>,
    /// The id of what it is in.
    parent: Option<u64>,
}

impl Named {
    fn of(record: Option<&ObjectRecord>) -> Option<Self> {
        let says = record?.says.as_deref()?;
        let name = says.name.clone().filter(|_| says.description.is_none())?;
        Some(Self { name, parent: says.parent })
    }
}

impl Group {
    fn add(&mut self, verb: Verb, key: &str) {
        self.keys += 1;
        self.verb = Some(self.verb.map_or(verb, |known| known.min(verb)));
        self.key.get_or_insert_with(|| key.into());
    }
}

impl ByObject {
    /// Adds a key with what its record says before and after; none where there is no record. Gives
    /// the number of the object, from 0 on; none when there is no record at all.
    pub fn change(
        &mut self,
        key: &str,
        before: Option<&ObjectRecord>,
        after: Option<&ObjectRecord>,
    ) -> Option<usize> {
        self.add(key, before, after, verb(before, after))
    }

    /// Adds a key that has expired.
    pub fn expire(&mut self, key: &str, before: Option<&ObjectRecord>) -> Option<usize> {
        self.add(key, before, None, Verb::Expires)
    }

    /// Adds a key that is only named.
    pub(super) fn name(&mut self, key: &str, owner: &Owner) {
        self.group(owner).1.add(Verb::Names, key);
    }

    fn add(
        &mut self,
        key: &str,
        before: Option<&ObjectRecord>,
        after: Option<&ObjectRecord>,
        verb: Verb,
    ) -> Option<usize> {
        let (number, group) = self.group(&after.or(before)?.owner);
        group.add(verb, key);
        // The key of a name goes, and comes again with another one.
        match (Named::of(before), Named::of(after)) {
            (Some(before), None) => group.former = Some(before),
            (None, Some(_)) => group.has_new_name = true,
            (Some(before), Some(after)) if before != after => {
                (group.former, group.has_new_name) = (Some(before), true);
            }
            _ => {}
        }
        Some(*number)
    }

    fn group(&mut self, owner: &Owner) -> &mut (usize, Group) {
        let next = self.groups.len();
        self.groups.entry(owner.clone()).or_insert_with(|| (next, Group::default()))
    }

    /// What was done to each object, with its number, in the order of kinds and ids. The catalogue
    /// knows the names.
    pub fn effects(self, catalogue: &Catalogue) -> Vec<(usize, Effect)> {
        let groups = self.groups.into_iter();
        groups.map(|(owner, (number, group))| (number, group.effect(&owner, catalogue))).collect()
    }
}

impl Group {
    fn effect(self, owner: &Owner, catalogue: &Catalogue) -> Effect {
        let Self { verb, keys, key, former, has_new_name } = self;
        let former = former.filter(|_| verb == Some(Verb::Changes) && has_new_name);
        let verb = if former.is_some() { Verb::Renames } else { verb.unwrap_or(Verb::Changes) };
        let former_database = former.as_ref().and_then(|former| {
            let database = Owner::Id(ObjectKind::Database, former.parent?);
            catalogue.object(&database)?.name.filter(|_| owner.is_in_database())
        });
        let object = catalogue.object(owner).map(|object| ObjectName {
            kind: object.kind,
            tenant: object.tenant,
            id: object.id,
            database: object.database,
            name: object.name,
        });
        let object = object.or_else(|| unknown(owner));
        let key = key.filter(|_| object.is_none() && keys == 1);
        let former_name = former.map(|former| former.name);
        Effect { verb, object, former_name, former_database, keys, key }
    }
}

/// What a key says of an object that no record describes.
fn unknown(owner: &Owner) -> Option<ObjectName> {
    let (kind, tenant, id, name) = match owner {
        Owner::Id(kind, id) => (*kind, None, Some(*id), None),
        Owner::Name(kind, tenant, name) => (*kind, Some(tenant), None, Some(name)),
        Owner::Rest(kind, tenant) => ((*kind)?, tenant.as_ref(), None, None),
    };
    let [tenant, name] = [tenant, name].map(|text| text.cloned());
    Some(ObjectName { kind, tenant, id, database: None, name })
}

fn verb(before: Option<&ObjectRecord>, after: Option<&ObjectRecord>) -> Verb {
    let described = |record: Option<&ObjectRecord>| {
        let description = record?.says.as_ref()?.description.as_ref()?;
        Some(description.dropped_on.is_some())
    };
    match (described(before), described(after)) {
        // What a query makes is marked as dropped until it is complete.
        (None, Some(_)) if before.is_none() => Verb::Creates,
        (Some(false), Some(true)) => Verb::Drops,
        (Some(false), None) if after.is_none() => Verb::Drops,
        (Some(true), Some(false)) => Verb::Undrops,
        (Some(true), None) if after.is_none() => Verb::Purges,
        _ => Verb::Changes,
    }
}
