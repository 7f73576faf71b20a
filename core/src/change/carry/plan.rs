//! What is asked for, and what becomes of it.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::error::CarryError;
use super::fate::{Fate, Item, fate, rank};
use super::there::{Cluster, Place, There};
use crate::change::select::{Belonging, Choice, Fate as OfUnknown, Selector, Staying};
use crate::dump::record::SeqV;
use crate::state::objects::{Catalogue, Object, ObjectRecord, ObjectRef, Owner, near, parent_kind};
use crate::value::ObjectKind;

/// An object that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its name in the dump.
    pub object: ObjectRef,
    /// Its name in the cluster, if that is another one.
    pub new_name: Option<ObjectRef>,
}

/// Takes the state of a dump, and finds out what is asked for.
#[derive(Debug)]
pub struct Carrier {
    asked: Vec<Asked>,
    choice: Choice,
    selector: Selector,
    catalogue: Catalogue,
}

/// What is brought, in the order in which it is.
#[derive(Debug)]
pub struct CarryPlan {
    pub(super) choice: Choice,
    /// The objects, what others need first.
    pub(super) items: Vec<Item>,
    pub(super) by_owner: HashMap<Owner, usize>,
    /// The objects of the dump that have ids.
    pub(super) source: HashMap<(ObjectKind, u64), Object>,
    pub(super) there: There,
}

impl Carrier {
    /// Starts.
    ///
    /// # Errors
    ///
    /// When a key is asked for.
    pub fn new(asked: Vec<Asked>) -> Result<Self, CarryError> {
        for asked in &asked {
            if let ObjectRef::Key(key) = &asked.object {
                return Err(CarryError::Key(key.clone()));
            }
        }
        let objects = asked.iter().map(|asked| asked.object.clone()).collect();
        let choice = Choice { objects, unknown: OfUnknown::Drop, ..Choice::default() };
        let selector = Selector::new(choice.clone());
        Ok(Self { asked, choice, selector, catalogue: Catalogue::default() })
    }

    /// Takes a key of the dump's state, in any order.
    pub fn add(&mut self, key: &str, record: &SeqV<'_>) {
        self.catalogue.add(ObjectRecord::of(key, &record.data));
        let belonging = Belonging::of(key, &record.data, &self.choice).without_namesakes();
        self.selector.add(key, record.expire_ms().is_some(), belonging);
    }

    /// What is brought into a cluster that has these objects.
    ///
    /// # Errors
    ///
    /// When what is asked for is not there, or cannot have its new name.
    pub fn plan(self, cluster: Cluster) -> Result<CarryPlan, CarryError> {
        let Self { asked, choice, selector, catalogue } = self;
        let (_, staying) = selector.finish_naming()?;
        let there = There::of(cluster);
        let objects = catalogue.finish().into_all();
        let mut items = chosen(&asked, staying, &objects);
        let mut named = HashSet::new();
        // What a table is in may get a new name, too.
        let is_database = |asked: &&Asked| {
            let databases = items.iter().filter(|item| item.object.kind == ObjectKind::Database);
            databases.into_iter().any(|item| asked.object.names(&item.object))
        };
        let (databases, others): (Vec<_>, Vec<_>) = asked.iter().partition(is_database);
        for asked in databases.into_iter().chain(others) {
            let item = name(asked, &mut items, &there)?;
            if asked.new_name.is_some() && !named.insert(item.object.owners().next()) {
                return Err(CarryError::Twice { object: item.described() });
            }
        }
        items.sort_by_key(|item| rank(item.object.kind));
        let by_owner = items.iter().enumerate().flat_map(|(at, item)| {
            let owners = item.object.owners();
            let is_dropped = item.object.dropped_on.is_some();
            owners
                .filter(move |of| !is_dropped || matches!(of, Owner::Id(..)))
                .map(move |of| (of, at))
        });
        let by_owner: HashMap<Owner, usize> = by_owner.collect();
        leave_out_unneeded(&mut items, &by_owner);
        for at in 0..items.len() {
            let Some(item) = items.get(at).filter(|item| item.fate != Fate::Unneeded) else {
                continue;
            };
            let parent = parent_at(&item.object, &by_owner).and_then(|at| items.get(at));
            let fate = fate(item, parent, &there);
            if let Some(item) = items.get_mut(at) {
                item.fate = fate;
            }
        }
        assert_names_differ(&items, &by_owner)?;
        let with_ids = objects.into_iter();
        let source = with_ids.filter_map(|of| Some(((of.kind, of.id?), of))).collect();
        Ok(CarryPlan { choice, items, by_owner, source, there })
    }
}

impl CarryPlan {
    /// The objects, in the order in which they are brought.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The tenants of what is brought of which the cluster has nothing.
    pub fn new_tenants(&self) -> BTreeSet<&str> {
        let brought = self.items.iter().filter(|item| item.is_brought());
        let tenants = brought.filter_map(|item| item.object.tenant.as_deref());
        tenants.filter(|tenant| !self.there.has_tenant(tenant)).collect()
    }

    /// The objects that get new ids, with the kind whose ids these are, by their places among
    /// [`Self::items`].
    pub fn without_ids(&self) -> impl Iterator<Item = (usize, ObjectKind)> {
        let numbered = self.items.iter().enumerate();
        numbered
            .filter(|(_, item)| item.fate == Fate::Renumbered)
            .map(|(at, item)| (at, item.object.kind))
    }

    /// What the cluster has in databases whose drop is undone, and is not dropped by itself, beside
    /// what is brought: it comes back with them.
    pub fn come_back(&self) -> impl Iterator<Item = &Object> {
        let undropped = self.items.iter().filter(|item| {
            item.fate == Fate::Undropped && item.object.kind == ObjectKind::Database
        });
        undropped.flat_map(|database| {
            let is_in = |object: &&Object| {
                parent_kind(object.kind) == Some(ObjectKind::Database)
                    && object.parent_id == database.object.id
                    && object
                        .id
                        .is_some_and(|id| self.item_of(&Owner::Id(object.kind, id)).is_none())
            };
            self.there.inside().filter(is_in)
        })
    }

    /// Whether the cluster's object that has the id of one keeps its files where that does.
    pub fn shares_files(&self, item: &Item) -> bool {
        let object = &item.object;
        let there = object.id.and_then(|id| self.there.object(object.kind, id));
        there.is_some_and(|there| there.parent_id == object.parent_id)
    }

    pub(super) fn item_of(&self, owner: &Owner) -> Option<usize> {
        self.by_owner.get(owner).copied()
    }

    pub(super) fn parent_of(&self, object: &Object) -> Option<usize> {
        parent_at(object, &self.by_owner)
    }

    /// What the cluster has under the name of an object of the dump that is not brought.
    pub(super) fn namesake(&self, object: &Object) -> Option<u64> {
        let name = object.name.as_deref()?;
        let place = match (parent_kind(object.kind), Place::of(object)) {
            (Some(kind), Place::In(id)) => {
                let parent = self.source.get(&(kind, id))?;
                let place = Place::of(parent);
                Place::In(self.there.live(kind, &place, parent.name.as_deref()?)?)
            }
            (_, place) => place,
        };
        self.there.live(object.kind, &place, name)
    }
}

fn parent_at(object: &Object, by_owner: &HashMap<Owner, usize>) -> Option<usize> {
    let parent = Owner::Id(parent_kind(object.kind)?, object.parent_id?);
    by_owner.get(&parent).copied()
}

/// The objects that are chosen or needed.
fn chosen(asked: &[Asked], staying: Vec<Staying>, objects: &[Object]) -> Vec<Item> {
    let staying: HashMap<Owner, bool> =
        staying.into_iter().map(|staying| (staying.owner, staying.is_chosen)).collect();
    let item = |object: &Object| {
        let is_chosen = *staying.get(&object.owners().next()?)?;
        let is_named = asked.iter().any(|asked| asked.object.names(object));
        let object = object.clone();
        let fate = Fate::Dropped;
        Some(Item { object, is_named, is_chosen, new_name: None, called: None, into: None, fate })
    };
    objects.iter().filter_map(item).collect()
}

/// Gives what is asked for its new name, and that back which has it.
fn name<'i>(asked: &Asked, items: &'i mut [Item], there: &There) -> Result<&'i Item, CarryError> {
    let databases: HashMap<u64, String> = items
        .iter()
        .filter(|item| item.object.kind == ObjectKind::Database)
        .filter_map(|item| Some((item.object.id?, item.name()?.to_owned())))
        .collect();
    let named = |item: &&mut Item| asked.object.names(&item.object);
    let is_live = |item: &Item| item.object.dropped_on.is_none() && item.object.name.is_some();
    let mut live = items.iter_mut().filter(named).filter(|item| is_live(item));
    let Some(first) = live.next() else {
        return Err(CarryError::Dropped { asked: asked.object.to_string() });
    };
    let Some(new_name) = &asked.new_name else { return Ok(first) };
    match live.count() {
        0 => {}
        more => {
            let asked = asked.object.to_string();
            return Err(CarryError::Several { asked, count: more + 1 });
        }
    }
    let object = first.described();
    let kind = first.object.kind;
    let refused = || CarryError::NewName { name: new_name.to_string(), object: object.clone() };
    let (tenant, database, name) = match (kind, new_name) {
        (ObjectKind::Database, ObjectRef::Path { tenant, database, table: None }) => {
            (tenant, None, database)
        }
        (ObjectKind::Table, ObjectRef::Path { tenant, database, table: Some(table) }) => {
            (tenant, Some(database), table)
        }
        // Without a database in front it is a name in the same one.
        (ObjectKind::Table, ObjectRef::Path { tenant, database: table, table: None }) => {
            (tenant, None, table)
        }
        (ObjectKind::Database | ObjectKind::Table, _) => return Err(refused()),
        _ => return Err(CarryError::NotRenamed { object }),
    };
    let own = first.object.tenant.clone();
    if let Some(asked) = tenant.as_ref().filter(|asked| own.as_deref() != Some(asked.as_str())) {
        let (tenant, asked) = (own.as_deref().unwrap_or("?").to_owned(), asked.clone());
        return Err(CarryError::OtherTenant { object, tenant, asked });
    }
    // What its own database is called in the cluster.
    let own_database = first.object.parent_id.and_then(|id| databases.get(&id)).map(String::as_str);
    let own_database = own_database.or(first.object.database.as_deref()).map(str::to_owned);
    if let Some(database) = database.filter(|name| own_database.as_ref() != Some(name)) {
        let place = Place::Of(own);
        let id = there.live(ObjectKind::Database, &place, database);
        first.into = Some(id.ok_or_else(|| {
            let names = there.databases(&place);
            let near = near(database, names.iter().map(String::as_str));
            CarryError::NoDatabase { asked: database.clone(), near }
        })?);
    }
    let is_other = first.object.name.as_deref() != Some(name);
    first.new_name = is_other.then(|| name.clone());
    if is_other || first.into.is_some() {
        let database = database.or(own_database.as_ref());
        first.called = Some(match (kind, database) {
            (ObjectKind::Table, Some(database)) => format!("{database}.{name}"),
            _ => name.clone(),
        });
    }
    Ok(first)
}

/// Leaves out databases that are only needed by tables which get into others.
fn leave_out_unneeded(items: &mut [Item], by_owner: &HashMap<Owner, usize>) {
    let stays = |item: &Item| item.into.is_none() && item.object.dropped_on.is_none();
    let needed: HashSet<usize> = items
        .iter()
        .filter(|item| stays(item))
        .filter_map(|item| parent_at(&item.object, by_owner))
        .collect();
    for (at, item) in items.iter_mut().enumerate() {
        if item.object.kind == ObjectKind::Database && !item.is_chosen && !needed.contains(&at) {
            item.fate = Fate::Unneeded;
        }
    }
}

fn assert_names_differ(items: &[Item], by_owner: &HashMap<Owner, usize>) -> Result<(), CarryError> {
    let mut names = HashSet::new();
    for item in items.iter().filter(|item| item.is_brought() && item.object.id.is_some()) {
        let parent = parent_at(&item.object, by_owner);
        let place = item.place(parent.and_then(|at| items.get(at)));
        let place = (place, parent.filter(|_| item.into.is_none()));
        // Procedures of one name differ in their arguments.
        let is_alone = item.object.kind != ObjectKind::Procedure;
        if is_alone && !names.insert((item.object.kind, place, item.name())) {
            let name = format!("{} {}", item.object.kind.name(), item.name().unwrap_or_default());
            return Err(CarryError::SameName { name });
        }
    }
    Ok(())
}
