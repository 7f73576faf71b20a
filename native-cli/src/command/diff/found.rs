//! What differs, by object.

use std::collections::BTreeMap;

use anyhow::Result;
use metadump::difference::{Change, Counts};
use metadump::objects::{ByObject, Catalogue, Effect, ObjectName, ObjectRecord, Verb};
use metadump::record::SeqV;
use metadump::value::ObjectKind;

use super::kept::{Kept, Place};
use super::print::Printer;
use crate::report::plural;

/// Which differences are asked for.
pub struct Asked<'a> {
    /// Of these tenants; of all when there are none.
    pub tenants: &'a [String],
    /// Of these kinds; of all when there are none.
    pub kinds: &'a [ObjectKind],
    /// Whether keys that were only written again are differences.
    pub touched: bool,
}

/// Gathers what differs.
pub struct Found {
    by_object: ByObject,
    /// How many keys of each object differ, by its number.
    counts: Vec<Counts>,
    /// What the records that are gone or changed say of the names of objects.
    before: Catalogue,
    /// What those of the second state do.
    names: Catalogue,
    all: Counts,
    /// None when only numbers are asked for.
    kept: Option<Kept>,
    keeps_touched: bool,
}

/// What differs.
pub struct Differences {
    /// Objects in their order, with their numbers.
    objects: Vec<(usize, Effect, Counts)>,
    keys: Counts,
    /// Whether all objects are asked for.
    is_all: bool,
    touched: bool,
    tenants: Vec<String>,
    kept: Option<Kept>,
}

/// How many objects of a kind differ, and how many of their keys.
#[derive(Debug, Default)]
pub struct KindCounts {
    /// Objects that are new.
    pub created: u64,
    /// Objects that are dropped or gone.
    pub dropped: u64,
    /// Other objects that differ.
    pub changed: u64,
    /// Keys.
    pub keys: Counts,
}

impl Found {
    /// Starts.
    pub fn new(only_numbers: bool, keeps_touched: bool) -> Self {
        Self {
            by_object: ByObject::default(),
            counts: Vec::new(),
            before: Catalogue::default(),
            names: Catalogue::default(),
            all: Counts::default(),
            kept: (!only_numbers).then(Kept::default),
            keeps_touched,
        }
    }

    /// Takes a key with the record that each state has. Keys come in order, and so do those that are
    /// late, behind all others.
    pub fn pair(
        &mut self,
        key: &str,
        before: Option<&SeqV<'_>>,
        after: Option<&SeqV<'_>>,
        is_late: bool,
    ) -> Result<()> {
        let change = Change::of(before, after);
        self.all.count(change);
        let Some(change) = change else { return Ok(()) };
        let says = |record: Option<&SeqV<'_>>| Some(ObjectRecord::of(key, &record?.data));
        let new = says(after);
        let old = if change == Change::Touched { new.clone() } else { says(before) };
        let Some(object) = self.by_object.change(key, old.as_ref(), new.as_ref()) else {
            return Ok(());
        };
        if object >= self.counts.len() {
            self.counts.resize(object + 1, Counts::default());
        }
        if let Some(counts) = self.counts.get_mut(object) {
            counts.count(Some(change));
        }
        if let Some(old) = old.filter(|_| change != Change::Touched) {
            self.before.add(old);
        }
        match &mut self.kept {
            Some(kept) if change != Change::Touched || self.keeps_touched => {
                if is_late {
                    kept.begin_late();
                }
                kept.push(object, change, key, before, after)
            }
            _ => Ok(()),
        }
    }

    /// Takes what the second state says of names.
    pub fn learn(&mut self, names: Catalogue) {
        self.names = names;
    }

    /// What differs of what is asked for.
    pub fn differences(self, asked: &Asked<'_>) -> Differences {
        let Self { by_object, counts, before, mut names, all, kept, .. } = self;
        names.complete_with(before);
        let mut objects = Vec::new();
        for (number, effect) in by_object.effects(&names) {
            let counts = counts.get(number).copied().unwrap_or_default();
            if asked.has(&effect) {
                objects.push((number, effect, counts));
            }
        }
        objects.sort_by(|(_, one, _), (_, other, _)| place(one).cmp(&place(other)));
        let is_all = asked.tenants.is_empty() && asked.kinds.is_empty();
        let keys = if is_all {
            all
        } else {
            objects.iter().fold(Counts::default(), |mut sum, (_, _, counts)| {
                sum.add(*counts);
                sum
            })
        };
        let tenants = names.tenants().into_iter().map(str::to_owned).collect();
        Differences { objects, keys, is_all, touched: asked.touched, tenants, kept }
    }
}

impl Asked<'_> {
    fn has(&self, effect: &Effect) -> bool {
        let object = effect.object.as_ref();
        let tenant = object.and_then(|object| object.tenant.as_deref());
        let of_tenant = self.tenants.is_empty()
            || tenant.is_some_and(|name| self.tenants.iter().any(|asked| asked == name));
        let of_kind =
            self.kinds.is_empty() || object.is_some_and(|object| self.kinds.contains(&object.kind));
        of_tenant && of_kind
    }
}

/// What objects are ordered by.
fn place(effect: &Effect) -> impl Ord + '_ {
    let object = effect.object.as_ref();
    let name = object.map(|object| {
        let [tenant, database, name] =
            [&object.tenant, &object.database, &object.name].map(Option::as_deref);
        (tenant.is_none(), tenant, object.kind, database, name, object.id)
    });
    (name.is_none(), name)
}

impl Differences {
    /// How many keys differ; how many are the same is only known of all.
    pub const fn keys(&self) -> Counts {
        self.keys
    }

    /// How many are the same; none when not all are asked for.
    pub fn same(&self) -> Option<u64> {
        self.is_all.then_some(self.keys.same)
    }

    /// Whether nothing differs.
    pub const fn is_empty(&self) -> bool {
        self.keys.differing() == 0 && (!self.touched || self.keys.touched == 0)
    }

    /// A tenant that is asked for, and that no record that was looked at names.
    pub fn unknown_tenant<'a>(&self, asked: &'a [String]) -> Option<&'a String> {
        asked.iter().find(|name| !self.tenants.contains(name))
    }

    /// The same by kind.
    pub fn kinds(&self) -> BTreeMap<&'static str, KindCounts> {
        let mut kinds: BTreeMap<&'static str, KindCounts> = BTreeMap::new();
        for (_, effect, counts) in &self.objects {
            let kind = effect.object.as_ref().map_or("unknown", |object| object.kind.name());
            let sum = kinds.entry(kind).or_default();
            sum.keys.add(*counts);
            let is_one = |object: &ObjectName| object.name.is_some() || object.id.is_some();
            let is_object = effect.object.as_ref().is_some_and(is_one);
            if !is_object || counts.differing() == 0 {
                continue;
            }
            match effect.verb {
                Verb::Creates => sum.created += 1,
                Verb::Drops | Verb::Purges => sum.dropped += 1,
                _ => sum.changed += 1,
            }
        }
        kinds
    }

    /// Hands every object with its keys to the printer.
    pub fn for_each(&mut self, printer: &mut Printer) -> Result<()> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let ranks: BTreeMap<usize, usize> =
            self.objects.iter().enumerate().map(|(rank, (number, ..))| (*number, rank)).collect();
        let places = kept.finish()?;
        let rank = |place: Place| Some((*ranks.get(&place.object)?, place));
        let mut places: Vec<(usize, Place)> = places.into_iter().filter_map(rank).collect();
        places.sort_by_key(|(rank, _)| *rank);
        let mut places = places.iter().peekable();
        for (rank, (_, effect, counts)) in self.objects.iter().enumerate() {
            if counts.differing() == 0 && !self.touched {
                continue;
            }
            printer.object(effect, counts)?;
            while let Some((_, place)) = places.next_if(|(of, _)| *of == rank) {
                kept.read(place, |key, before, after| {
                    printer.key(place.change, key, before, after)
                })?;
            }
        }
        Ok(())
    }

    /// `3 keys added, 1 removed, 2 changed, 20 only written again; 939 are the same`
    pub fn describe(&self) -> String {
        let Counts { added, removed, changed, touched, .. } = self.keys;
        let again = match touched {
            0 => String::new(),
            touched => format!(", {} only written again", plural(touched, "key")),
        };
        let differing = match self.keys.differing() {
            0 => "no key differs".to_owned(),
            _ => {
                format!("{} added, {removed} removed, {changed} changed", plural(added, "key"))
            }
        };
        let same = match self.same() {
            None => String::new(),
            Some(1) => "; 1 is the same".to_owned(),
            Some(same) => format!("; {} are the same", crate::report::grouped(same)),
        };
        format!("{differing}{again}{same}")
    }
}
