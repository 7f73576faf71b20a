//! The objects of a state, and what is asked about them.

use std::collections::HashMap;

use serde::Serialize;

use super::gathering::GatherError;
use super::listing::ObjectQuery;
use super::owned::{KeyPlace, Owned};
use super::steps::Steps;
use crate::dump::record::{LogId, Record};
use crate::dump::scan::scan_line;
use crate::ordered;
use crate::state::moment::{AsOf, At, Moment};
use crate::state::objects::{Object, ObjectRecord, Objects, Owner, Sum, Tenant};
use crate::value::ObjectKind;

/// How many objects that refer to one are given at once; a listing has all.
const MOST_RELATED: usize = 100;

/// A record as the log left it.
#[derive(Debug)]
pub(super) struct Written {
    /// Its line, as a dump of the moment would have it.
    pub(super) text: Vec<u8>,
    /// The line of the first entry that wrote it; 0 when none did.
    pub(super) first_line: u64,
    /// The line of the last.
    pub(super) last_line: u64,
}

/// The objects of a state.
#[derive(Debug)]
pub struct Browser {
    objects: Objects,
    owned: Owned,
    written: Vec<Written>,
    owners: HashMap<Owner, usize>,
    /// Objects that the log made, by the line of the entry.
    made_in: HashMap<u64, usize>,
    as_of: AsOf,
    moment: Moment,
    left_out: u64,
    steps: Option<Box<Steps>>,
}

/// What a state has as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct StateOverview {
    /// Which moment it is of, in words.
    pub as_of: String,
    /// The last entry that the snapshot holds.
    pub snapshot: Option<LogId>,
    /// The index of the last entry that the state holds.
    #[cfg_attr(feature = "typescript", ts(type = "Integer | null"))]
    pub index: Option<u64>,
    /// The index of the last committed entry.
    #[cfg_attr(feature = "typescript", ts(type = "Integer | null"))]
    pub end: Option<u64>,
    /// What each tenant has, by name.
    pub tenants: Vec<Tenant>,
    /// The keys of no known form.
    pub unknown: Sum,
    /// How many lines are no records: what they hold is not in it.
    pub left_out: u64,
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ObjectRow<'o> {
    /// Where it stands among all, to ask for it.
    pub at: usize,
    /// The line of its first key, or of the entry that made it: its place.
    pub line: Option<u64>,
    /// The name as people write it: `sales.orders` for a table. The id when nothing says the name.
    pub full_name: String,
    /// The object.
    pub object: &'o Object,
}

/// What refers to an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Related<'o> {
    /// How: `database`, `table`, `owner`; `in it`, `owned by it`.
    pub how: &'static str,
    /// How many objects.
    pub count: usize,
    /// The first of them.
    pub rows: Vec<ObjectRow<'o>>,
}

/// A key of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ObjectKey {
    /// The line that holds it, or that of the entry that wrote it last.
    pub line: u64,
    /// Where it stands among what the log wrote, to ask for it.
    pub written: Option<usize>,
}

/// An object with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ObjectDetail<'o> {
    /// The object.
    pub row: ObjectRow<'o>,
    /// What it refers to.
    pub refers_to: Vec<Related<'o>>,
    /// What refers to it.
    pub referred_by: Vec<Related<'o>>,
    /// The first of its keys.
    pub keys: Vec<ObjectKey>,
}

impl Browser {
    pub(super) fn new(
        objects: Objects,
        owned: Owned,
        written: Vec<Written>,
        as_of: AsOf,
        moment: Moment,
        left_out: u64,
    ) -> Self {
        let owners = objects.all().iter().enumerate();
        let owners = owners.flat_map(|(at, object)| object.owners().map(move |of| (of, at)));
        let owners = owners.collect();
        let mut browser = Self {
            objects,
            owned,
            written,
            owners,
            made_in: HashMap::new(),
            as_of,
            moment,
            left_out,
            steps: None,
        };
        for (at, object) in browser.objects.all().iter().enumerate() {
            let places = browser.places(object);
            if !places.iter().any(|place| matches!(place, KeyPlace::Line(_)))
                && let Some(line) = browser.line(object)
            {
                browser.made_in.entry(line).or_insert(at);
            }
        }
        browser
    }

    pub(super) fn with_steps(mut self, steps: Option<Box<Steps>>) -> Self {
        self.steps = steps;
        self
    }

    /// Goes to another moment of the state, without another reading of the dump; false where it takes
    /// one: for what is no moment, times, moments before the snapshot, and entries behind those that were applied at first.
    ///
    /// # Errors
    ///
    /// When the log cannot be applied.
    pub fn step(&mut self, at: At, now_ms: u64) -> Result<bool, GatherError> {
        let Some(steps) = &self.steps else { return Ok(false) };
        let Some(stepped) = steps.at(at, now_ms)? else { return Ok(false) };
        *self = stepped.with_steps(self.steps.take());
        Ok(true)
    }

    /// What the state has as a whole.
    pub fn overview(&self) -> StateOverview {
        let Moment { applied, later, uncommitted, .. } = self.moment;
        let index = self.moment.last_index();
        StateOverview {
            as_of: self.as_of.describe(),
            snapshot: applied,
            index,
            end: index.map(|index| index.saturating_add(later.saturating_sub(uncommitted))),
            tenants: self.objects.tenants(),
            unknown: self.objects.unknown(),
            left_out: self.left_out,
        }
    }

    /// Where the objects that are asked for stand, in the order that is asked for.
    pub fn list(&self, query: &ObjectQuery) -> Vec<usize> {
        query.of(self.objects.all())
    }

    /// Objects by where they stand.
    pub fn rows(&self, at: &[usize]) -> Vec<ObjectRow<'_>> {
        at.iter().filter_map(|at| self.row(*at)).collect()
    }

    /// The object at a place, with what belongs to it.
    pub fn detail(&self, at: usize) -> Option<ObjectDetail<'_>> {
        let row = self.row(at)?;
        let object = row.object;
        let mut refers_to = Vec::new();
        if let Some((kind, id)) = parent_of(object) {
            refers_to.push(self.related(kind.name(), |at, _| self.id(kind, id) == Some(at)));
        }
        if let (Some(tenant), Some(role)) = (&object.tenant, &object.owner) {
            let owner = Owner::Name(ObjectKind::Role, tenant.clone(), role.clone());
            let owner = self.owners.get(&owner).copied();
            refers_to.push(self.related("owner", |at, _| owner == Some(at)));
        }
        let is_child =
            |of: &Object| object.id.is_some_and(|id| parent_of(of) == Some((object.kind, id)));
        let is_owned = |of: &Object| {
            object.kind == ObjectKind::Role
                && (&of.tenant, &of.owner) == (&object.tenant, &object.name)
                && of.owner.is_some()
        };
        let mut referred_by = vec![
            self.related("in it", |_, of| is_child(of)),
            self.related("owned by it", |_, of| is_owned(of)),
        ];
        for related in [&mut refers_to, &mut referred_by] {
            related.retain(|related| related.count > 0);
        }
        let key = |place: &KeyPlace| match place {
            KeyPlace::Line(line) => Some(ObjectKey { line: *line, written: None }),
            KeyPlace::Written(at) => {
                let line = self.written.get(*at)?.last_line;
                Some(ObjectKey { line, written: Some(*at) })
            }
        };
        let keys = self.places(object).iter().filter_map(key).collect();
        Some(ObjectDetail { row, refers_to, referred_by, keys })
    }

    /// The line of a record that the log wrote, as a dump of the moment would have it.
    pub fn written(&self, at: usize) -> Option<&[u8]> {
        Some(&self.written.get(at)?.text)
    }

    /// The object at a place.
    pub fn object(&self, at: usize) -> Option<&Object> {
        self.objects.all().get(at)
    }

    /// Where the object stands that a line of the dump, given by number and text, belongs to.
    pub fn of_line(&self, number: u64, text: &[u8]) -> Option<usize> {
        match scan_line(text).ok()?.record {
            Record::GenericKV(kv) => {
                let owner = ObjectRecord::of(&kv.key, &kv.value.data).owner;
                self.owners.get(&owner).copied()
            }
            _ => self.made_in.get(&number).copied(),
        }
    }

    fn id(&self, kind: ObjectKind, id: u64) -> Option<usize> {
        self.owners.get(&Owner::Id(kind, id)).copied()
    }

    fn row(&self, at: usize) -> Option<ObjectRow<'_>> {
        let object = self.object(at)?;
        Some(ObjectRow { at, line: self.line(object), full_name: object.full_name(), object })
    }

    /// The first keys of an object, as they are in the dump.
    fn places(&self, object: &Object) -> Vec<KeyPlace> {
        let of = object.owners();
        let mut places: Vec<KeyPlace> =
            of.flat_map(|owner| self.owned.of(&owner).to_vec()).collect();
        ordered::sort_by_key(&mut places, |place| self.line_of(place));
        places
    }

    fn line_of(&self, place: &KeyPlace) -> u64 {
        match place {
            KeyPlace::Line(line) => *line,
            KeyPlace::Written(at) => self.written.get(*at).map_or(0, |written| written.first_line),
        }
    }

    fn line(&self, object: &Object) -> Option<u64> {
        let places = self.places(object);
        let in_snapshot = places.iter().find(|place| matches!(place, KeyPlace::Line(_)));
        in_snapshot.or(places.first()).map(|place| self.line_of(place)).filter(|line| *line > 0)
    }

    fn related(&self, how: &'static str, is: impl Fn(usize, &Object) -> bool) -> Related<'_> {
        let all = self.objects.all().iter().enumerate();
        let found: Vec<usize> = all.filter(|(at, of)| is(*at, of)).map(|(at, _)| at).collect();
        let rows = found.iter().take(MOST_RELATED).filter_map(|at| self.row(*at)).collect();
        Related { how, count: found.len(), rows }
    }
}

/// What an object is in: its kind and id.
pub(super) const fn parent_of(object: &Object) -> Option<(ObjectKind, u64)> {
    match (object.parent_kind(), object.parent_id) {
        (Some(kind), Some(id)) => Some((kind, id)),
        _ => None,
    }
}
