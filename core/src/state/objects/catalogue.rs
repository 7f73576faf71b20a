//! The objects of a state, put together from its records.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::listing::{Objects, Sum};
use super::record::{Description, ObjectRecord, Owner, Says, has_ids, parent_kind};
use super::reference::ObjectRef;
use crate::ordered;
use crate::value::ObjectKind;

/// An object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "StateObject"))]
pub struct Object {
    /// The tenant; none when nothing says it.
    pub tenant: Option<Box<str>>,
    /// The kind.
    #[cfg_attr(feature = "typescript", ts(type = "string"))]
    pub kind: ObjectKind,
    /// The id, of kinds that have one.
    #[cfg_attr(feature = "typescript", ts(type = "Integer | null"))]
    pub id: Option<u64>,
    /// The name of the database, of what is in one.
    pub database: Option<Box<str>>,
    /// The id of what it is in.
    #[cfg_attr(feature = "typescript", ts(type = "Integer | null"))]
    pub parent_id: Option<u64>,
    /// The name; none when nothing says it.
    pub name: Option<Box<str>>,
    /// How many keys belong to it.
    pub keys: u64,
    /// How many bytes their values have.
    pub bytes: u64,
    /// When it was made.
    pub created_on: Option<Box<str>>,
    /// When it was changed.
    pub updated_on: Option<Box<str>>,
    /// When it was dropped, with its database if not before: that leaves no mark on what is in it.
    pub dropped_on: Option<Box<str>>,
    /// The engine of a database or table.
    pub engine: Option<Box<str>>,
    /// The role that owns it.
    pub owner: Option<Box<str>>,
}

/// What a database gives to the objects in it.
struct Place {
    tenant: Option<Box<str>>,
    name: Option<Box<str>>,
    dropped_on: Option<Box<str>>,
}

/// Puts objects together. It takes the records of a state in any order.
///
/// **Invariant:** memory grows with the objects, some 300 bytes for each with its names and times,
/// not with their keys or values.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    by_id: HashMap<(ObjectKind, u64), Object>,
    by_name: HashMap<(ObjectKind, Box<str>, Box<str>), Object>,
    rest: BTreeMap<(Option<ObjectKind>, Option<Box<str>>), Sum>,
}

impl Catalogue {
    /// Adds a record.
    pub fn add(&mut self, record: ObjectRecord) {
        let ObjectRecord { owner, bytes, says } = record;
        let object = match owner {
            Owner::Id(kind, id) => {
                self.by_id.entry((kind, id)).or_insert_with(|| Object::new(kind, Some(id)))
            }
            Owner::Name(kind, tenant, name) => {
                let key = (kind, tenant.clone(), name.clone());
                self.by_name.entry(key).or_insert_with(|| Object {
                    tenant: Some(tenant),
                    name: Some(name),
                    ..Object::new(kind, None)
                })
            }
            Owner::Rest(kind, tenant) => {
                self.rest.entry((kind, tenant)).or_default().add(1, bytes);
                return;
            }
        };
        object.keys += 1;
        object.bytes += bytes;
        if let Some(says) = says {
            object.learn(*says);
        }
    }

    /// Takes from another catalogue what this one does not know: objects, names, what they are in.
    pub fn complete_with(&mut self, other: Self) {
        for (key, object) in other.by_id {
            match self.by_id.entry(key) {
                Entry::Occupied(known) => known.into_mut().complete_with(object),
                Entry::Vacant(place) => {
                    place.insert(object);
                }
            }
        }
        for (key, object) in other.by_name {
            self.by_name.entry(key).or_insert(object);
        }
        for (key, sum) in other.rest {
            self.rest.entry(key).or_insert(sum);
        }
    }

    /// The tenants that records name, in their order.
    pub fn tenants(&self) -> BTreeSet<&str> {
        let by_id = self.by_id.values().filter_map(|object| object.tenant.as_deref());
        let by_name = self.by_name.keys().map(|(_, tenant, _)| &**tenant);
        let rest = self.rest.keys().filter_map(|(_, tenant)| tenant.as_deref());
        ordered::set(by_id.chain(by_name).chain(rest))
    }

    /// What is known of an object so far.
    pub fn object(&self, owner: &Owner) -> Option<Object> {
        let mut object = match owner {
            Owner::Id(kind, id) => self.by_id.get(&(*kind, *id))?.clone(),
            Owner::Name(kind, tenant, name) => {
                self.by_name.get(&(*kind, tenant.clone(), name.clone()))?.clone()
            }
            Owner::Rest(..) => return None,
        };
        let parent = |kind, id: Option<u64>| self.by_id.get(&(kind, id?));
        let database = match parent_kind(object.kind) {
            Some(ObjectKind::Table) => parent(ObjectKind::Table, object.parent_id)
                .and_then(|table| parent(ObjectKind::Database, table.parent_id)),
            Some(kind) => parent(kind, object.parent_id),
            None => None,
        };
        if let Some(database) = database {
            object.database.clone_from(&database.name);
            object.tenant = object.tenant.or_else(|| database.tenant.clone());
        }
        Some(object)
    }

    /// Whether something in a database is what is named.
    pub(super) fn is_in(&self, database: u64, asked: &ObjectRef) -> bool {
        self.by_id.iter().any(|((kind, id), object)| {
            let owner = Owner::Id(*kind, *id);
            object.parent_id == Some(database)
                && owner.is_in_database()
                && self.object(&owner).is_some_and(|object| asked.names(&object))
        })
    }

    /// What there is.
    pub fn finish(mut self) -> Objects {
        self.give_names_ids();
        let (databases, tables) = self.places();
        let mut objects: Vec<Object> = Vec::with_capacity(self.by_id.len() + self.by_name.len());
        for ((kind, _), mut object) in self.by_id {
            let database = match parent_kind(kind) {
                Some(ObjectKind::Table) => object.parent_id.and_then(|id| tables.get(&id)).copied(),
                Some(_) => object.parent_id,
                None => None,
            };
            if let Some(database) = database.and_then(|id| databases.get(&id)) {
                object.database.clone_from(&database.name);
                object.tenant = object.tenant.or_else(|| database.tenant.clone());
                object.dropped_on = object.dropped_on.or_else(|| database.dropped_on.clone());
            }
            objects.push(object);
        }
        objects.extend(self.by_name.into_values());
        ordered::sort_by(&mut objects, |a, b| a.place().cmp(&b.place()));
        Objects { objects, rest: self.rest }
    }

    /// What is known by its name alone, of an object that has an id, belongs to that.
    fn give_names_ids(&mut self) {
        if self.by_name.is_empty() {
            return;
        }
        let mut ids: HashMap<(ObjectKind, &str, &str), u64> = HashMap::new();
        let named: Vec<_> = self.by_name.keys().cloned().collect();
        for ((kind, id), object) in &self.by_id {
            if let (Some(tenant), Some(name)) = (&object.tenant, &object.name) {
                ids.insert((*kind, &**tenant, &**name), *id);
            }
        }
        let moves: Vec<_> = named
            .into_iter()
            .filter_map(|key| Some((ids.get(&(key.0, &*key.1, &*key.2)).copied()?, key)))
            .collect();
        for (id, key) in moves {
            let kind = key.0;
            if let (Some(from), Some(to)) =
                (self.by_name.remove(&key), self.by_id.get_mut(&(kind, id)))
            {
                to.keys += from.keys;
                to.bytes += from.bytes;
            }
        }
        // A name that no object has any more.
        let lost = self.by_name.extract_if(|(kind, ..), _| has_ids(*kind));
        for ((kind, tenant, _), object) in lost {
            self.rest.entry((Some(kind), Some(tenant))).or_default().add(object.keys, object.bytes);
        }
    }

    /// What each database gives to what is in it, and the database of each table.
    fn places(&self) -> (HashMap<u64, Place>, HashMap<u64, u64>) {
        let (mut databases, mut tables) = (HashMap::new(), HashMap::new());
        for ((kind, id), object) in &self.by_id {
            match (kind, object.parent_id) {
                (ObjectKind::Database, _) => {
                    let place = Place {
                        tenant: object.tenant.clone(),
                        name: object.name.clone(),
                        dropped_on: object.dropped_on.clone(),
                    };
                    databases.insert(*id, place);
                }
                (ObjectKind::Table, Some(database)) => {
                    tables.insert(*id, database);
                }
                _ => {}
            }
        }
        (databases, tables)
    }
}

impl Object {
    const fn new(kind: ObjectKind, id: Option<u64>) -> Self {
        Self {
            tenant: None,
            kind,
            id,
            database: None,
            parent_id: None,
            name: None,
            keys: 0,
            bytes: 0,
            created_on: None,
            updated_on: None,
            dropped_on: None,
            engine: None,
            owner: None,
        }
    }

    /// The kind of what it is in.
    pub const fn parent_kind(&self) -> Option<ObjectKind> {
        parent_kind(self.kind)
    }

    fn complete_with(&mut self, other: Self) {
        self.tenant = self.tenant.take().or(other.tenant);
        self.parent_id = self.parent_id.or(other.parent_id);
        self.name = self.name.take().or(other.name);
    }

    /// What the records that belong to it are owned by.
    pub fn owners(&self) -> impl Iterator<Item = Owner> {
        let by_id = self.id.map(|id| Owner::Id(self.kind, id));
        let by_name = self.tenant.clone().zip(self.name.clone());
        by_id.into_iter().chain(by_name.map(|(tenant, name)| Owner::Name(self.kind, tenant, name)))
    }

    fn learn(&mut self, says: Says) {
        let Says { tenant, parent, name, description, role } = says;
        self.tenant = tenant.or_else(|| self.tenant.take());
        self.parent_id = parent.or(self.parent_id);
        self.name = name.or_else(|| self.name.take());
        self.owner = role.or_else(|| self.owner.take());
        if let Some(Description { created_on, updated_on, dropped_on, engine }) = description {
            self.created_on = created_on;
            self.updated_on = updated_on;
            self.dropped_on = dropped_on;
            self.engine = engine;
        }
    }

    /// What objects are ordered by.
    fn place(&self) -> impl Ord + '_ {
        (self.tenant.as_deref(), self.kind, self.database.as_deref(), self.name.as_deref(), self.id)
    }

    /// The name as people write it: `sales.orders` for a table. The id when nothing says the name.
    pub fn full_name(&self) -> String {
        full_name(self.kind, self.database.as_deref(), self.name.as_deref(), self.id)
    }
}

/// The name of an object as people write it.
pub(super) fn full_name(
    kind: ObjectKind,
    database: Option<&str>,
    name: Option<&str>,
    id: Option<u64>,
) -> String {
    match (database.filter(|_| kind != ObjectKind::Database), name, id) {
        (Some(database), Some(name), _) => format!("{database}.{name}"),
        (None, Some(name), _) => name.to_owned(),
        (_, None, Some(id)) => format!("{}:{id}", kind.name()),
        (_, None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::KindSum;
    use super::*;
    use crate::dump::record::Bytes;
    use crate::value::{Decoded, MessageType};

    fn message(of: &str, json: &str) -> Vec<u8> {
        Decoded::from_json(MessageType::named(of).unwrap(), json).unwrap().write()
    }

    fn objects() -> Objects {
        let mut catalogue = Catalogue::default();
        let dropped = message("TableMeta", r#"{"drop_on":"2025-01-02 00:00:00 UTC"}"#);
        let name = message("DbIdTableName", r#"{"db_id":7,"table_name":"old"}"#);
        let index = message("IndexMeta", r#"{"table_id":8}"#);
        let records: [(&str, &[u8]); 12] = [
            ("__fd_table/7/orders", b"8"),
            ("__fd_table_by_id/8", b""),
            ("__fd_table_copied_files/8/a/b", b"xy"),
            ("__fd_table_by_id/9", &dropped),
            ("__fd_table_id_to_name/9", &name),
            ("__fd_index_by_id/3", &index),
            ("__fd_database/t/sales", b"7"),
            ("__fd_datamask/t/m", b"5"),
            ("__fd_datamask_id_list/t/m", b""),
            ("__fd_users/t/%27a%27%40%27%25%27", b""),
            ("__fd_token/t/abc", b"z"),
            ("other", b"abc"),
        ];
        for (key, value) in records {
            catalogue.add(ObjectRecord::of(key, &Bytes::Decoded(value.into())));
        }
        catalogue.finish()
    }

    #[test]
    fn objects_have_their_tenants_and_databases() {
        let objects = objects();
        let shown: Vec<_> = objects
            .all()
            .iter()
            .map(|object| {
                (object.kind.name(), object.full_name(), object.tenant.as_deref(), object.keys)
            })
            .collect();
        let t = Some("t");
        assert_eq!(
            shown,
            [
                ("database", "sales".to_owned(), t, 1),
                ("table", "sales.old".to_owned(), t, 2),
                ("table", "sales.orders".to_owned(), t, 3),
                ("index", "index:3".to_owned(), t, 1),
                ("user", "'a'@'%'".to_owned(), t, 1),
                ("masking_policy", "m".to_owned(), t, 2),
            ]
        );
        assert_eq!(objects.names().get(ObjectKind::Table, 8).as_deref(), Some("sales.orders"));
        assert_eq!(objects.unknown(), Sum { keys: 1, bytes: 3 });
    }

    #[test]
    fn what_is_in_a_dropped_database_is_dropped_with_it() {
        let mut catalogue = Catalogue::default();
        let database = message("DatabaseMeta", r#"{"drop_on":"2025-03-04 00:00:00 UTC"}"#);
        let earlier = message("TableMeta", r#"{"drop_on":"2025-01-02 00:00:00 UTC"}"#);
        let place = message("DbIdTableName", r#"{"db_id":7,"table_name":"x"}"#);
        let records: [(&str, &[u8]); 6] = [
            ("__fd_database/t/kept", b"6"),
            ("__fd_database_by_id/7", &database),
            ("__fd_table/6/x", b"8"),
            ("__fd_table/7/x", b"9"),
            ("__fd_table_by_id/10", &earlier),
            ("__fd_table_id_to_name/10", &place),
        ];
        for (key, value) in records {
            catalogue.add(ObjectRecord::of(key, &Bytes::Decoded(value.into())));
        }
        let objects = catalogue.finish();
        let mut dropped: Vec<_> = objects
            .all()
            .iter()
            .filter(|object| object.kind == ObjectKind::Table)
            .map(|table| (table.id, table.dropped_on.as_deref()))
            .collect();
        dropped.sort_unstable();
        assert_eq!(
            dropped,
            [
                (Some(8), None),
                (Some(9), Some("2025-03-04 00:00:00 UTC")),
                (Some(10), Some("2025-01-02 00:00:00 UTC")),
            ]
        );
    }

    #[test]
    fn a_tenant_has_all_that_belongs_to_it() {
        let tenants = objects().tenants();
        let [t, none] = tenants.as_slice() else { panic!("{tenants:?}") };
        assert_eq!((t.tenant.as_deref(), t.sum.keys), (Some("t"), 11));
        let tables = t.kinds["table"];
        assert_eq!((tables.count, tables.dropped, tables.sum.keys), (1, 1, 5));
        assert_eq!(
            t.kinds["token"],
            KindSum { sum: Sum { keys: 1, bytes: 1 }, ..KindSum::default() }
        );
        assert_eq!((&none.tenant, none.sum), (&None, Sum { keys: 1, bytes: 3 }));
    }
}
