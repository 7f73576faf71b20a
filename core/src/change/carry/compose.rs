//! The keys of each object, as the cluster is to have them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::error::CarryError;
use super::fate::{Fate, Item};
use super::plan::CarryPlan;
use super::there::Place;
use crate::change::reconcile::expire_at;
use crate::change::select::Belonging;
use crate::check::FIRST_SYSTEM_ID;
use crate::dump::record::SeqV;
use crate::state::apply::{ExpiryRule, SharedRecord};
use crate::state::objects::{Object, has_ids};
use crate::value::{KeyParts, ObjectKind, Segment, UnreadIds, ValueForm, escape};

/// What is brought, by object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// The objects, in their order.
    pub steps: Vec<Step>,
    /// What values refer to that is not brought.
    pub outside: Vec<Outside>,
    /// The largest id that is brought, or referred to and in nobody's use, with its kind.
    pub largest_id: Option<(ObjectKind, u64)>,
    /// How many keys have expired, and are left out.
    pub expired: u64,
    /// How many locks are left out: who held them is gone.
    pub locks: u64,
    /// How many keys are left out that link what is brought with what is not.
    pub links: u64,
    /// Objects that are left out, by their places, for the dump lacks a record or a name of theirs.
    pub halves: Vec<(usize, &'static str)>,
}

/// What a value refers to that is not brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// The kind.
    pub kind: ObjectKind,
    /// The id in the dump.
    pub id: u64,
    /// What the dump calls it.
    pub name: Option<String>,
    /// The first key whose value, or which itself, refers to it.
    pub key: String,
    /// What becomes of the id.
    pub becomes: Becomes,
}

/// What becomes of an id that is not brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Becomes {
    /// That of what the cluster has by the same name.
    Namesake(u64),
    /// It stays; the cluster has no such object.
    Nothing,
    /// It stays not: the cluster has another object under it.
    Another,
}

/// The keys of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its place among the plan's objects.
    pub item: usize,
    /// Its id in the cluster, if it has one.
    pub id: Option<u64>,
    /// Keys that have to have these values, or nothing is written.
    pub conditions: Vec<(String, Vec<u8>)>,
    pub(super) rows: Vec<Row>,
}

impl Step {
    /// The keys, of which it has to be known what the cluster has there.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|row| row.key.as_str())
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        self.rows.iter().find(|row| row.key == key).map(|row| row.value.as_slice())
    }
}

/// A key as the cluster is to have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) key: String,
    pub(super) value: Vec<u8>,
    pub(super) expire_at: Option<u64>,
    pub(super) is: Is,
    /// Whether it links the object with another.
    pub(super) is_shared: bool,
}

/// What a key is to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    /// Its record.
    Record,
    /// A name, which leads to it.
    Name,
    /// The list of what has or had its name: it is the last one.
    List,
    /// A file that was copied into it.
    File,
    /// Something else.
    Other,
}

/// By which clock, and in which unit, keys expire in the cluster.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// The time in milliseconds since 1970.
    pub now_ms: u64,
    /// The unit.
    pub expiry: ExpiryRule,
}

impl CarryPlan {
    /// The keys of each object, from the same state once more, with the new ids that were given to
    /// objects by their places. An object without one gets one that nothing has, to be shown.
    ///
    /// # Errors
    ///
    /// When a record does not decode, when ids change and a value cannot follow, or when the dump has only
    /// a part of an object that is named.
    pub fn compose<'r, E>(
        &self,
        records: impl Iterator<Item = Result<(Cow<'r, str>, SharedRecord), E>>,
        given: &HashMap<usize, u64>,
        clock: Clock,
    ) -> Result<Result<Composed, CarryError>, E> {
        let mut composer = Composer::new(self, given, clock);
        for record in records {
            let (key, record) = record?;
            if let Err(error) = composer.add(&key, &record) {
                return Ok(Err(error));
            }
        }
        Ok(composer.finish())
    }
}

struct Composer<'p> {
    plan: &'p CarryPlan,
    ids: Ids<'p>,
    clock: Clock,
    rows: Vec<Vec<Row>>,
    /// The objects that have a name in a place of the dump.
    by_name: HashMap<(ObjectKind, Place, &'p str), usize>,
    expired: u64,
    locks: u64,
    links: u64,
}

/// What ids become.
struct Ids<'p> {
    plan: &'p CarryPlan,
    /// The ids of the objects that are brought or there, by place.
    of_items: Vec<Option<u64>>,
    outside: BTreeMap<(ObjectKind, u64), Outside>,
    largest: Option<(ObjectKind, u64)>,
    changes: bool,
}

impl Ids<'_> {
    /// What an id becomes that a key of an object has.
    fn of(&mut self, item: &Item, key: &str, kind: ObjectKind, id: u64) -> u64 {
        if id == 0 || id >= FIRST_SYSTEM_ID || !has_ids(kind) {
            return id;
        }
        let is_parent = kind == ObjectKind::Database && item.object.parent_id == Some(id);
        if let Some(into) = item.into.filter(|_| is_parent && item.object.kind == ObjectKind::Table)
        {
            return into;
        }
        let own = self.plan.item_of(&crate::state::objects::Owner::Id(kind, id));
        if let Some(Some(id)) = own.and_then(|at| self.of_items.get(at)) {
            return *id;
        }
        let Self { plan, outside, largest, .. } = self;
        let found = outside.entry((kind, id)).or_insert_with(|| {
            let object = plan.source.get(&(kind, id));
            let becomes = match object.and_then(|object| plan.namesake(object)) {
                Some(id) => Becomes::Namesake(id),
                None if plan.there.object(kind, id).is_some() => Becomes::Another,
                None => Becomes::Nothing,
            };
            if becomes == Becomes::Nothing && largest.is_none_or(|(_, largest)| largest < id) {
                *largest = Some((kind, id));
            }
            let name = object.map(Object::full_name);
            Outside { kind, id, name, key: key.to_owned(), becomes }
        });
        match found.becomes {
            Becomes::Namesake(id) => id,
            Becomes::Nothing | Becomes::Another => id,
        }
    }
}

impl<'p> Composer<'p> {
    fn new(plan: &'p CarryPlan, given: &HashMap<usize, u64>, clock: Clock) -> Self {
        let id = |(at, item): (usize, &Item)| match item.fate {
            Fate::Renumbered => Some(given.get(&at).copied().unwrap_or(u64::MAX - at as u64)),
            Fate::Dropped | Fate::LeftOut | Fate::Unneeded | Fate::Lacking => None,
            _ => item.known_id(),
        };
        let of_items: Vec<Option<u64>> = plan.items.iter().enumerate().map(id).collect();
        let kept = plan.items.iter().zip(&of_items).filter_map(|(item, id)| {
            matches!(item.fate, Fate::Made { .. }).then_some((item.object.kind, (*id)?))
        });
        let largest = kept.max_by_key(|(_, id)| *id);
        let changes = plan.items.iter().zip(&of_items).any(|(item, id)| {
            item.into.is_some()
                || (id.is_some() && item.object.id.is_some() && *id != item.object.id)
        });
        let live = plan.items.iter().enumerate().filter(|(_, item)| item.fate != Fate::Dropped);
        let named = live.filter_map(|(at, item)| {
            let Object { kind, name, .. } = &item.object;
            Some(((*kind, Place::of(&item.object), name.as_deref()?), at))
        });
        Self {
            plan,
            ids: Ids { plan, of_items, outside: BTreeMap::new(), largest, changes },
            clock,
            rows: vec![Vec::new(); plan.items.len()],
            by_name: named.collect(),
            expired: 0,
            locks: 0,
            links: 0,
        }
    }

    fn add(&mut self, key: &str, record: &SeqV<'_>) -> Result<(), CarryError> {
        let Some(parts) = KeyParts::of(key) else { return Ok(()) };
        let belonging = Belonging::of(key, &record.data, &self.plan.choice);
        let Some(at) = self.item(&parts, &belonging) else { return Ok(()) };
        let Some(item) = self.plan.items.get(at) else { return Ok(()) };
        if record.expire_ms().is_some_and(|expire_ms| expire_ms < self.clock.now_ms) {
            self.expired += 1;
            return Ok(());
        }
        if parts.form.prefix.starts_with("__fd_table_lock") {
            self.locks += 1;
            return Ok(());
        }
        let is_own = parts.form.kind == item.object.kind;
        let is = Is::of(&parts, is_own);
        let new_name = item.new_name.as_deref().filter(|_| is_own);
        let new_key = parts.renumbered(&mut |kind, id| self.ids.of(item, key, kind, id), new_name);
        let bytes = record.data.decode();
        let value = match is {
            // What else had the name in the dump is not brought, or dropped.
            Is::List => {
                let id = self.ids.of_items.get(at).copied().flatten();
                Some(crate::value::with_ids(&bytes, Vec::from_iter(id).as_slice()))
            }
            _ => {
                let ids = &mut self.ids;
                let value = parts.renumbered_value(
                    &bytes,
                    &mut |kind, id| ids.of(item, key, kind, id),
                    new_name,
                );
                match value {
                    Ok(value) => value,
                    Err(why)
                        if !self.ids.changes && (is, why) != (Is::Record, UnreadIds::Undecoded) =>
                    {
                        None
                    }
                    Err(why) => {
                        let (object, key) = (item.described(), key.to_owned());
                        return Err(CarryError::Unread { object, key, why });
                    }
                }
            }
        };
        let value = value.unwrap_or_else(|| bytes.into_owned());
        let expire_at = expire_at(record, self.clock.expiry);
        if let Some(rows) = self.rows.get_mut(at) {
            let is_shared = belonging.other().is_some();
            rows.push(Row { key: new_key, value, expire_at, is, is_shared });
        }
        Ok(())
    }

    /// The object that a key is brought with.
    fn item(&mut self, parts: &KeyParts<'_>, belonging: &Belonging) -> Option<usize> {
        let brought = |at: usize| self.plan.items.get(at).is_some_and(Item::is_brought);
        if let Some(place) = list_place(parts) {
            let name = parts.name(parts.form.kind)?;
            let at = *self.by_name.get(&(parts.form.kind, place, &*name))?;
            return Some(at).filter(|at| brought(*at));
        }
        let own = self.plan.item_of(belonging.owner());
        let Some(other) = belonging.other() else { return own.filter(|at| brought(*at)) };
        let other = self.plan.item_of(other);
        let is_live = |at: usize| {
            let item = self.plan.items.get(at);
            item.is_some_and(|item| item.is_brought() || matches!(item.fate, Fate::There { .. }))
        };
        match (own.filter(|at| is_live(*at)), other.filter(|at| is_live(*at))) {
            (Some(own), Some(other)) => [own, other].into_iter().filter(|at| brought(*at)).max(),
            (Some(at), None) | (None, Some(at)) => {
                self.links += u64::from(brought(at));
                None
            }
            (None, None) => None,
        }
    }

    fn finish(mut self) -> Result<Composed, CarryError> {
        let (mut steps, mut halves) = (Vec::new(), Vec::new());
        let rows = std::mem::take(&mut self.rows);
        for (at, (mut rows, item)) in rows.into_iter().zip(&self.plan.items).enumerate() {
            if !item.is_brought() {
                continue;
            }
            if let Some(lacking) = lacking(item, &rows) {
                if item.is_named {
                    let object = item.described();
                    return Err(CarryError::Half { object, lacking });
                }
                halves.push((at, lacking));
                continue;
            }
            // What makes it seen comes last.
            rows.sort_by_key(|row| matches!(row.is, Is::Record | Is::Name));
            let id = self.ids.of_items.get(at).copied().flatten();
            steps.push(Step { item: at, id, conditions: self.conditions(item), rows });
        }
        Ok(Composed {
            steps,
            halves,
            outside: self.ids.outside.into_values().collect(),
            largest_id: self.ids.largest,
            expired: self.expired,
            locks: self.locks,
            links: self.links,
        })
    }

    /// That what an object is in still has its name.
    fn conditions(&self, item: &Item) -> Vec<(String, Vec<u8>)> {
        if !matches!(item.object.kind, ObjectKind::Table | ObjectKind::Dictionary) {
            return Vec::new();
        }
        let tenant = item.object.tenant.as_deref();
        let database = match item.into {
            Some(id) => self
                .plan
                .there
                .object(ObjectKind::Database, id)
                .and_then(|database| Some((database.name.as_deref()?, id))),
            None => self.plan.parent_of(&item.object).and_then(|at| {
                let id = self.ids.of_items.get(at).copied().flatten()?;
                Some((self.plan.items.get(at)?.name()?, id))
            }),
        };
        let condition = tenant.zip(database).map(|(tenant, (name, id))| {
            let key = format!("__fd_database/{}/{}", escape(tenant), escape(name));
            (key, id.to_string().into_bytes())
        });
        condition.into_iter().collect()
    }
}

/// What the dump does not have of an object that has to have it.
fn lacking(item: &Item, rows: &[Row]) -> Option<&'static str> {
    let has = |is| rows.iter().any(|row| row.is == is);
    match item.object.kind {
        ObjectKind::Database | ObjectKind::Table | ObjectKind::Dictionary if !has(Is::Record) => {
            Some("record")
        }
        ObjectKind::Database | ObjectKind::Table | ObjectKind::Dictionary if !has(Is::Name) => {
            Some("name")
        }
        _ => None,
    }
}

/// Where the names are whose objects a key lists; none of other keys.
fn list_place(parts: &KeyParts<'_>) -> Option<Place> {
    match parts.form.prefix {
        "__fd_db_id_list" => Some(Place::Of(parts.tenant().map(|tenant| tenant.into()))),
        "__fd_table_id_list" => parts.id(ObjectKind::Database).map(Place::In),
        _ => None,
    }
}

impl Is {
    fn of(parts: &KeyParts<'_>, is_own: bool) -> Self {
        let form = parts.form;
        if list_place(parts).is_some() {
            return Self::List;
        }
        if form.prefix == "__fd_table_copied_files" {
            return Self::File;
        }
        let leads =
            form.values.iter().any(|of| matches!(of, ValueForm::Id(of) if *of == form.kind));
        let is_named = |segment: &Segment| matches!(segment, Segment::Name(of) | Segment::User(of) if *of == form.kind);
        match is_own {
            true if leads => Self::Name,
            true if form.prefix.ends_with("_by_id") => Self::Record,
            true if !has_ids(form.kind)
                && matches!(form.segments, [Segment::Tenant, last] if is_named(last))
                && matches!(form.values, [ValueForm::Message(_), ..]) =>
            {
                Self::Record
            }
            _ => Self::Other,
        }
    }
}
