//! The second reading: what stays and what goes.

use std::collections::{BTreeMap, HashMap, HashSet};

use roaring::RoaringTreemap;
use serde::Serialize;

use super::belonging::{Class, Home};
use super::choice::{Choice, Fate, Which};
use super::known::Known;
use super::selector::{Alias, Keys, Rest};
use crate::dump::plural::{plural, several};
use crate::dump::record::Bytes;
use crate::state::objects::{Object, ObjectRecord, Owner};
use crate::value::{KeyParts, ObjectKind};

/// What stays of a state, and what goes.
#[derive(Debug, Clone)]
pub struct Selection {
    pub(super) choice: Choice,
    pub(super) kept: Kept,
    /// The objects that go.
    pub(super) lost: Kept,
    pub(super) expiring: HashMap<Box<str>, Owner>,
    pub(super) left_out: u64,
    pub(super) counts: Counts,
    pub(super) gone: Vec<Gone>,
}

/// How much stays, and how much goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// What stays, by kind of object.
    pub stays: BTreeMap<&'static str, Part>,
    /// What goes, by kind of object.
    pub goes: BTreeMap<&'static str, Part>,
}

/// So much of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Part {
    /// How many objects; none of kinds whose objects are not distinguished.
    pub objects: u64,
    /// How many keys belong to them.
    pub keys: u64,
}

/// What goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Gone {
    /// The tenant, if something says it.
    pub tenant: Option<Box<str>>,
    /// The kind; `unknown` of keys of no known form.
    pub kind: &'static str,
    /// The id, of objects that have one.
    #[cfg_attr(feature = "typescript", ts(type = "Integer | null"))]
    pub id: Option<u64>,
    /// The name as people write it; none of keys that belong to no object.
    pub name: Option<String>,
    /// How many keys go with it.
    pub keys: u64,
}

/// Objects that have one fate.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    ids: BTreeMap<ObjectKind, RoaringTreemap>,
    names: HashSet<Alias>,
}

impl Kept {
    pub(super) fn of(
        objects: &[Object],
        stays: &[bool],
        aliases: &BTreeMap<Alias, Keys>,
        known: &Known,
        choice: &Choice,
    ) -> Self {
        let staying = objects.iter().zip(stays).filter(|(_, stays)| **stays);
        let mut kept = Self::of_objects(staying.map(|(object, _)| object));
        for (alias, keys) in aliases {
            let numbers = known.alias(alias);
            let is_named = keys.named > 0;
            let of_object = |number: &u32| stays.get(*number as usize).copied().unwrap_or(false);
            let is_kept = match numbers {
                [] if is_named => choice.which == Which::Chosen,
                [] => choice.keeps_of_tenant(Some(&*alias.1)),
                numbers => numbers.iter().any(of_object),
            };
            if is_kept {
                kept.names.insert(alias.clone());
            }
        }
        kept
    }

    /// The objects that are there and go.
    pub(super) fn lost(
        objects: &[Object],
        stays: &[bool],
        aliases: &BTreeMap<Alias, Keys>,
        known: &Known,
    ) -> Self {
        let going = objects.iter().zip(stays).filter(|(_, stays)| !**stays);
        let mut lost = Self::of_objects(going.map(|(object, _)| object));
        for alias in aliases.keys() {
            let numbers = known.alias(alias);
            let stay = |number: &u32| stays.get(*number as usize).copied().unwrap_or(false);
            if !numbers.is_empty() && !numbers.iter().any(stay) {
                lost.names.insert(alias.clone());
            }
        }
        lost
    }

    fn of_objects<'o>(objects: impl Iterator<Item = &'o Object>) -> Self {
        let mut of = Self::default();
        for object in objects {
            match (object.id, &object.tenant, &object.name) {
                (Some(id), ..) => {
                    of.ids.entry(object.kind).or_default().insert(id);
                }
                (None, Some(tenant), Some(name)) => {
                    of.names.insert((object.kind, tenant.clone(), name.clone()));
                }
                _ => {}
            }
        }
        of
    }

    pub(super) fn has(&self, owner: &Owner) -> bool {
        match owner {
            Owner::Id(kind, id) => self.ids.get(kind).is_some_and(|ids| ids.contains(*id)),
            Owner::Name(kind, tenant, name) => {
                self.names.contains(&(*kind, tenant.clone(), name.clone()))
            }
            Owner::Rest(..) => false,
        }
    }
}

impl Choice {
    /// Whether what belongs to a tenant, and to no object, stays.
    pub(super) fn keeps_of_tenant(&self, tenant: Option<&str>) -> bool {
        self.has_tenant(tenant) == (self.which == Which::Chosen)
    }

    /// Whether keys of no object stay that are not named.
    pub(super) fn keeps_rest(&self, class: Class, tenant: Option<&str>) -> bool {
        match class {
            Class::Owned => self.keeps_of_tenant(tenant),
            Class::Shared => true,
            Class::Transient => self.which == Which::Rest,
            Class::Unknown if self.is_of_keys() => self.which == Which::Rest,
            Class::Unknown => self.unknown == Fate::Keep,
        }
    }
}

impl Selection {
    /// Whether a key stays, with its entry in the expiry index; none when that takes its value.
    pub fn stays_by_key(&self, key: &str) -> Option<bool> {
        let parts = KeyParts::of(key);
        let owner = match &parts {
            Some(parts) => Owner::of_key(parts)?,
            None => Owner::Rest(None, None),
        };
        Some(self.stays_with(key, parts.as_ref(), owner))
    }

    /// Whether a key stays.
    pub fn stays(&self, key: &str, value: &Bytes<'_>) -> bool {
        self.stays_by_key(key).unwrap_or_else(|| {
            let owner = ObjectRecord::of(key, value).owner;
            self.stays_with(key, KeyParts::of(key).as_ref(), owner)
        })
    }

    /// Whether an entry of the expiry index stays, which is of a key.
    pub fn expiry_stays(&self, key: &str) -> bool {
        self.stays_by_key(key).unwrap_or_else(|| {
            let owner = self.expiring.get(key).cloned();
            let owner = owner.unwrap_or_else(|| ObjectRecord::of(key, &Bytes::default()).owner);
            self.stays_with(key, KeyParts::of(key).as_ref(), owner)
        })
    }

    fn stays_with(&self, key: &str, parts: Option<&KeyParts<'_>>, owner: Owner) -> bool {
        let Self { choice, kept, lost, .. } = self;
        let home = Home::of(parts, owner, choice.is_official);
        let is_named = choice.names(key);
        if is_named && choice.which == Which::Rest && !home.is_identity {
            return false;
        }
        if let Owner::Rest(_, tenant) = &home.owner {
            return (is_named && choice.which == Which::Chosen)
                || choice.keeps_rest(home.class, tenant.as_deref());
        }
        // What is not there any more takes nothing along.
        kept.has(&home.owner) && home.beside.is_none_or(|beside| !lost.has(&beside.object))
    }

    /// Whether what has no known form stays.
    pub(super) fn unknown_stays(&self) -> bool {
        self.choice.keeps_rest(Class::Unknown, None)
    }

    /// How much stays and goes.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What goes: objects, and keys that belong to none.
    pub fn gone(&self) -> &[Gone] {
        &self.gone
    }

    /// How many needs of what has very many were not followed.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// What stays and goes in words: `12 tables, 3 users, 40 keys`.
    pub fn describe(&self) -> Vec<String> {
        let Counts { stays, goes } = &self.counts;
        let mut lines =
            vec![format!("stays: {}", in_words(stays)), format!("goes: {}", in_words(goes))];
        if self.left_out > 0 {
            lines.push(format!(
                "note: {} of values that have very many were not followed",
                plural(self.left_out, "reference", "references")
            ));
        }
        lines
    }
}

fn in_words(parts: &BTreeMap<&'static str, Part>) -> String {
    if parts.is_empty() {
        return "nothing".to_owned();
    }
    let mut keys = 0;
    let mut words: Vec<String> = Vec::new();
    for (kind, part) in parts {
        keys += part.keys;
        if part.objects > 0 {
            let kind = kind.replace('_', " ");
            words.push(plural(part.objects, &kind, &several(&kind)));
        }
    }
    let keys = plural(keys, "key", "keys");
    match words.as_slice() {
        [] => keys,
        words => format!("{keys}: {}", words.join(", ")),
    }
}

/// Counts what stays and goes.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) counts: Counts,
    gone_rest: Vec<Gone>,
}

impl Tally {
    fn part(&mut self, stays: bool, kind: &'static str) -> &mut Part {
        let parts = if stays { &mut self.counts.stays } else { &mut self.counts.goes };
        parts.entry(kind).or_default()
    }

    /// Adds keys, some of which stay.
    fn keys(&mut self, kind: &'static str, stay: u64, go: u64) {
        for (stays, keys) in [(true, stay), (false, go)] {
            if keys > 0 {
                self.part(stays, kind).keys += keys;
            }
        }
    }

    pub(super) fn object(&mut self, object: &Object, stays: bool) {
        self.part(stays, object.kind.name()).objects += 1;
        self.keys(
            object.kind.name(),
            if stays { object.keys } else { 0 },
            if stays { 0 } else { object.keys },
        );
    }

    /// Moves keys from what stays to what goes.
    fn moved(&mut self, kind: &'static str, tenant: Option<Box<str>>, name: String, keys: u64) {
        let stays = self.part(true, kind);
        stays.keys = stays.keys.saturating_sub(keys);
        self.part(false, kind).keys += keys;
        self.gone_rest.push(Gone { tenant, kind, id: None, name: Some(name), keys });
    }

    /// Keys that go by themselves, of objects that stay.
    pub(super) fn named<'n>(
        &mut self,
        named: impl Iterator<Item = (&'n Owner, u64)>,
        kept: &Kept,
        choice: &Choice,
    ) {
        let of_staying = named.filter(|(owner, _)| choice.which == Which::Rest && kept.has(owner));
        for (owner, keys) in of_staying {
            let (kind, tenant, name) = match owner {
                Owner::Id(kind, id) => (kind.name(), None, format!("keys of {}:{id}", kind.name())),
                Owner::Name(kind, tenant, name) => {
                    (kind.name(), Some(tenant.clone()), format!("keys of {name}"))
                }
                Owner::Rest(..) => continue,
            };
            self.moved(kind, tenant, name, keys);
        }
    }

    /// A key that links an object which stays with one that goes.
    pub(super) fn link_goes(&mut self, object: Option<&Object>) {
        let Some(object) = object else { return };
        let name = format!("a link of {}", object.full_name());
        self.moved(object.kind.name(), object.tenant.clone(), name, 1);
    }

    /// Keys of the name of an object that has an id.
    pub(super) fn alias(&mut self, alias: &Alias, keys: u64, kept: &Kept) {
        let (kind, tenant, name) = alias;
        let is_kept = kept.names.contains(alias);
        if keys == 0 {
            return;
        }
        self.part(is_kept, kind.name()).keys += keys;
        if !is_kept {
            let (tenant, name) = (Some(tenant.clone()), Some(name.to_string()));
            self.gone_rest.push(Gone { tenant, kind: kind.name(), id: None, name, keys });
        }
    }

    pub(super) fn rest(&mut self, rest: &Rest, keys: Keys, choice: &Choice) {
        let (class, kind, tenant) = rest;
        let Keys { all, named } = keys;
        let stay = match (choice.keeps_rest(*class, tenant.as_deref()), choice.which) {
            (true, Which::Chosen) => all,
            (true, Which::Rest) => all - named,
            (false, Which::Chosen) => named,
            (false, Which::Rest) => 0,
        };
        let kind = kind.map_or("unknown", ObjectKind::name);
        self.keys(kind, stay, all - stay);
        if stay < all {
            let tenant = tenant.clone();
            self.gone_rest.push(Gone { tenant, kind, id: None, name: None, keys: all - stay });
        }
    }

    /// All that goes.
    pub(super) fn gone(&mut self, objects: &[Object], stays: &[bool]) -> Vec<Gone> {
        let objects = objects.iter().zip(stays).filter(|(_, stays)| !**stays);
        let gone = objects.map(|(object, _)| Gone {
            tenant: object.tenant.clone(),
            kind: object.kind.name(),
            id: object.id,
            name: Some(object.full_name()),
            keys: object.keys,
        });
        gone.chain(std::mem::take(&mut self.gone_rest)).collect()
    }
}
