//! Which objects differ, and how many of their keys.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Change, Counts};
use crate::dump::record::SeqV;
use crate::ordered;
use crate::state::objects::{ByObject, Catalogue, Effect, ObjectName, ObjectRecord, Verb};
use crate::value::{ObjectKind, grouped};

/// Counts the keys that differ, by the object that they belong to.
///
/// **Invariant:** memory grows with the objects that differ, not with their keys.
#[derive(Debug, Default)]
pub struct ObjectTally {
    by_object: ByObject,
    /// How many keys of each object differ, by its number.
    counts: Vec<Counts>,
    /// What the records that are gone or changed say of the names of objects.
    before: Catalogue,
    all: Counts,
}

/// Which differences are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// Of these tenants; of all when there are none.
    pub tenants: &'a [String],
    /// Of these kinds; of all when there are none.
    pub kinds: &'a [ObjectKind],
    /// Whether keys that were only written again are differences.
    pub touched: bool,
}

/// An object that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectDifference {
    /// Its number.
    pub number: usize,
    /// What became of it.
    pub effect: Effect,
    /// How many of its keys differ.
    pub keys: Counts,
}

/// The objects that differ, of those that are asked for.
#[derive(Debug, Clone, Default)]
pub struct ObjectDifferences {
    /// The objects in their order: by tenant, kind and name.
    pub objects: Vec<ObjectDifference>,
    keys: Counts,
    /// Whether all objects are asked for.
    is_all: bool,
    touched: bool,
    tenants: Vec<String>,
}

/// How many objects of a kind differ, and how many of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KindCounts {
    /// Objects that are new.
    pub created: u64,
    /// Objects that are dropped or gone.
    pub dropped: u64,
    /// Other objects that differ.
    pub changed: u64,
    /// Keys.
    #[serde(serialize_with = "differing_only")]
    pub keys: Counts,
}

/// How many keys differ, for programs: those that are the same are counted in the whole.
pub(super) fn differing_only<S: serde::Serializer>(
    keys: &Counts,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Differing {
        added: u64,
        removed: u64,
        changed: u64,
        touched: u64,
    }
    let Counts { added, removed, changed, touched, same: _ } = *keys;
    Differing { added, removed, changed, touched }.serialize(serializer)
}

impl ObjectTally {
    /// Takes a key with the record that each state has. Gives what became of it and the number of
    /// its object; none when it is the same.
    pub fn pair(
        &mut self,
        key: &str,
        before: Option<&SeqV<'_>>,
        after: Option<&SeqV<'_>>,
    ) -> Option<(Change, usize)> {
        let change = Change::of(before, after);
        self.all.count(change);
        let change = change?;
        let says = |record: Option<&SeqV<'_>>| Some(ObjectRecord::of(key, &record?.data));
        let new = says(after);
        let old = if change == Change::Touched { new.clone() } else { says(before) };
        let object = self.by_object.change(key, old.as_ref(), new.as_ref())?;
        if object >= self.counts.len() {
            self.counts.resize(object + 1, Counts::default());
        }
        if let Some(counts) = self.counts.get_mut(object) {
            counts.count(Some(change));
        }
        if let Some(old) = old.filter(|_| change != Change::Touched) {
            self.before.add(old);
        }
        Some((change, object))
    }

    /// What differs of what is asked for; `names` is what the second state says of names.
    pub fn finish(self, mut names: Catalogue, asked: &Asked<'_>) -> ObjectDifferences {
        let Self { by_object, counts, before, all } = self;
        names.complete_with(before);
        let mut objects = Vec::new();
        for (number, effect) in by_object.effects(&names) {
            if asked.has(&effect) {
                let keys = counts.get(number).copied().unwrap_or_default();
                objects.push(ObjectDifference { number, effect, keys });
            }
        }
        ordered::sort_by(&mut objects, |one, other| place(&one.effect).cmp(&place(&other.effect)));
        let is_all = asked.tenants.is_empty() && asked.kinds.is_empty();
        let keys = if is_all {
            all
        } else {
            objects.iter().fold(Counts::default(), |mut sum, object| {
                sum.add(object.keys);
                sum
            })
        };
        let tenants = names.tenants().into_iter().map(str::to_owned).collect();
        ObjectDifferences { objects, keys, is_all, touched: asked.touched, tenants }
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

impl ObjectDifferences {
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

    /// Whether an object is shown: one of which keys were only written again is if that is asked for.
    pub const fn shows(&self, object: &ObjectDifference) -> bool {
        object.keys.differing() > 0 || self.touched
    }

    /// A tenant that is asked for, and that no record that was looked at names.
    pub fn unknown_tenant<'a>(&self, asked: &'a [String]) -> Option<&'a String> {
        asked.iter().find(|name| !self.tenants.contains(name))
    }

    /// The same by kind.
    pub fn kinds(&self) -> BTreeMap<&'static str, KindCounts> {
        let mut kinds: BTreeMap<&'static str, KindCounts> = BTreeMap::new();
        for ObjectDifference { effect, keys, .. } in &self.objects {
            let kind = effect.object.as_ref().map_or("unknown", |object| object.kind.name());
            let sum = kinds.entry(kind).or_default();
            sum.keys.add(*keys);
            let is_one = |object: &ObjectName| object.name.is_some() || object.id.is_some();
            let is_object = effect.object.as_ref().is_some_and(is_one);
            if !is_object || keys.differing() == 0 {
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

    /// `3 keys added, 1 removed, 2 changed, 20 only written again; 939 are the same`
    pub fn describe(&self) -> String {
        let Counts { added, removed, changed, touched, .. } = self.keys;
        let again = match touched {
            0 => String::new(),
            touched => format!(", {} only written again", keys(touched)),
        };
        let differing = match self.keys.differing() {
            0 => "no key differs".to_owned(),
            _ => format!("{} added, {removed} removed, {changed} changed", keys(added)),
        };
        let same = match self.same() {
            None => String::new(),
            Some(1) => "; 1 is the same".to_owned(),
            Some(same) => format!("; {} are the same", grouped(same)),
        };
        format!("{differing}{again}{same}")
    }
}

impl ObjectDifference {
    /// `+` for one that is new, `-` for one that is gone, `~` for all others.
    pub const fn sign(&self) -> char {
        let keys = &self.keys;
        match self.effect.verb {
            Verb::Creates => '+',
            Verb::Drops | Verb::Purges => '-',
            _ if keys.removed + keys.changed + keys.touched == 0 => '+',
            _ if keys.added + keys.changed + keys.touched == 0 => '-',
            _ => '~',
        }
    }

    /// `table shop.t2 (id 85) of tenant acme: created, 5 keys added`
    pub fn describe(&self) -> String {
        let said = [
            (self.keys.added, "added"),
            (self.keys.removed, "removed"),
            (self.keys.changed, "changed"),
            (self.keys.touched, "only written again"),
        ];
        let said = said.into_iter().filter(|(count, _)| *count > 0).enumerate();
        let said: Vec<String> = said
            .map(|(at, (count, what))| match at {
                0 => format!("{} {what}", keys(count)),
                _ => format!("{} {what}", grouped(count)),
            })
            .collect();
        let said = said.join(", ");
        let Some(object) = &self.effect.object else {
            return format!("keys of no known form: {said}");
        };
        let kind = object.kind.name().replace('_', " ");
        let tenant = object.kind.beside(object.tenant.as_deref());
        let tenant = tenant.map_or_else(String::new, |tenant| format!(" of tenant {tenant}"));
        let (name, id) = match (&object.name, object.id) {
            (Some(_), id) => {
                (object.full_name(), id.map_or_else(String::new, |id| format!(" (id {id})")))
            }
            (None, Some(id)) => (id.to_string(), String::new()),
            (None, None) => return format!("{kind}{tenant}: {said}"),
        };
        let verb = self.effect.verb.participle();
        let former = self.effect.former_full_name();
        let former = former.map_or_else(String::new, |name| format!(" from {name}"));
        format!("{kind} {name}{id}{tenant}: {verb}{former}, {said}")
    }
}

/// `1 key`, `2,000 keys`
fn keys(count: u64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "key" } else { "keys" })
}
