//! The first reading: which objects there are, and what brings what.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::belonging::{Belonging, Beside, Class};
use super::choice::{Choice, Fate, Which};
use super::closure::{Edges, Numbers, Set};
use super::error::{Listed, SelectError};
use super::known::{Known, assert_there, described};
use super::selection::{Kept, Selection, Tally};
use crate::state::objects::{Catalogue, Object, ObjectRef, Owner, has_ids, parent_kind};
use crate::value::ObjectKind;

/// A name that stands for objects with ids.
pub(super) type Alias = (ObjectKind, Box<str>, Box<str>);

/// Keys of no object: whose they are, and of which kind.
pub(super) type Rest = (Class, Option<ObjectKind>, Option<Box<str>>);

/// How many keys there are, and how many of them are named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) all: u64,
    pub(super) named: u64,
}

/// Keys of an object that are named.
#[derive(Debug, Clone, Copy, Default)]
struct Named {
    keys: u64,
    has_identity: bool,
}

/// Takes every key of a state with what it says, in any order.
#[derive(Debug)]
pub struct Selector {
    choice: Choice,
    catalogue: Catalogue,
    aliases: BTreeMap<Alias, Keys>,
    rest: BTreeMap<Rest, Keys>,
    numbers: Numbers,
    needs: Vec<(u32, u32)>,
    /// What one object brings and does not need: it can be without.
    brings: Vec<(u32, u32)>,
    /// The owner and the other object of each key that links two.
    links: Vec<(u32, u32)>,
    named: HashMap<Owner, Named>,
    /// The owners of keys that expire, where the value says who it is.
    expiring: HashMap<Box<str>, Owner>,
    unknown: Listed,
    /// Which of the prefixes and keys that are named were seen.
    seen: BTreeSet<String>,
    left_out: u64,
}

impl Selector {
    /// Starts.
    pub fn new(choice: Choice) -> Self {
        Self {
            choice,
            catalogue: Catalogue::default(),
            aliases: BTreeMap::new(),
            rest: BTreeMap::new(),
            numbers: Numbers::default(),
            needs: Vec::new(),
            brings: Vec::new(),
            links: Vec::new(),
            named: HashMap::new(),
            expiring: HashMap::new(),
            unknown: Listed::default(),
            seen: BTreeSet::new(),
            left_out: 0,
        }
    }

    /// What is chosen.
    pub const fn choice(&self) -> &Choice {
        &self.choice
    }

    /// Takes a key with what it says; `expires` says whether it does.
    pub fn add(&mut self, key: &str, expires: bool, belonging: Belonging) {
        let Belonging { home, record, needs, listed, left_out, value_tells } = belonging;
        self.left_out += left_out;
        let is_named = self.choice.names(key);
        if is_named {
            self.note_names(key);
        }
        if expires && value_tells {
            self.expiring.insert(key.into(), home.owner.clone());
        }
        // What goes by its text takes nothing along, and needs nothing any more.
        let goes_alone = is_named && self.choice.which == Which::Rest && !home.is_identity;
        if !goes_alone {
            self.relate(&home.owner, home.beside.as_ref(), &needs, &listed);
        }
        // A link that is chosen keeps what is at its other end.
        if is_named
            && self.choice.which == Which::Chosen
            && let Some(beside) = &home.beside
        {
            self.named.entry(beside.object.clone()).or_default();
        }
        let count = |keys: &mut Keys| {
            keys.all += 1;
            keys.named += u64::from(is_named);
        };
        match home.owner {
            Owner::Rest(kind, tenant) => {
                if home.class == Class::Unknown && !is_named {
                    self.unknown.push(|| key.to_owned());
                }
                count(self.rest.entry((home.class, kind, tenant)).or_default());
                return;
            }
            Owner::Name(kind, tenant, name) if has_ids(kind) => {
                if is_named && home.is_identity {
                    let owner = Owner::Name(kind, tenant.clone(), name.clone());
                    self.name(owner, true);
                }
                count(self.aliases.entry((kind, tenant, name)).or_default());
                return;
            }
            owner if is_named => self.name(owner, home.is_identity),
            _ => {}
        }
        let mut record = record;
        if let Some(description) = record.says.as_mut().and_then(|says| says.description.as_mut()) {
            (description.created_on, description.updated_on) = (None, None);
            description.engine = None;
        }
        self.catalogue.add(record);
    }

    fn name(&mut self, owner: Owner, is_identity: bool) {
        let named = self.named.entry(owner).or_default();
        named.keys += 1;
        named.has_identity |= is_identity;
    }

    fn note_names(&mut self, key: &str) {
        for prefix in &self.choice.prefixes {
            if key.starts_with(prefix.as_str()) && !self.seen.contains(prefix) {
                self.seen.insert(prefix.clone());
            }
        }
        let is_key = |object: &ObjectRef| matches!(object, ObjectRef::Key(named) if named == key);
        if self.choice.objects.iter().any(is_key) {
            self.seen.insert(key.to_owned());
        }
    }

    fn relate(
        &mut self,
        owner: &Owner,
        beside: Option<&Beside>,
        needs: &[Owner],
        listed: &[Owner],
    ) {
        if needs.is_empty() && listed.is_empty() && beside.is_none() {
            return;
        }
        let Some(own) = self.numbers.number(owner) else { return };
        for needed in needs {
            self.needs.extend(self.numbers.number(needed).map(|needed| (own, needed)));
        }
        for other in listed.iter().filter_map(|other| self.numbers.number(other)) {
            // Whoever has or had the name is in one list with the others.
            self.needs.extend([(own, other), (other, own)]);
        }
        if let Some(Beside { object, needs_owner }) = beside
            && let Some(other) = self.numbers.number(object)
        {
            if let Owner::Name(kind, tenant, name) = object
                && has_ids(*kind)
            {
                self.aliases.entry((*kind, tenant.clone(), name.clone())).or_default();
            }
            self.links.push((own, other));
            self.brings.push(if *needs_owner { (other, own) } else { (own, other) });
        }
    }

    /// What stays and what goes.
    ///
    /// # Errors
    ///
    /// When something that is named is not there, something cannot be judged and is not to be kept or
    /// dropped, or something that stays needs what goes.
    pub fn finish(self) -> Result<Selection, SelectError> {
        self.finish_naming().map(|(selection, _)| selection)
    }

    /// The same, with every object that stays.
    ///
    /// # Errors
    ///
    /// Those of [`Self::finish`].
    pub(crate) fn finish_naming(self) -> Result<(Selection, Vec<Staying>), SelectError> {
        let Self { choice, catalogue, aliases, rest, numbers, needs, brings, links, named, .. } =
            self;
        let objects = catalogue.finish().into_all();
        let known = Known::of(&objects, &aliases);
        assert_there(&choice, &objects, &known, &rest, &self.seen)?;
        if !choice.is_of_keys() && choice.unknown == Fate::Refuse && self.unknown.count > 0 {
            return Err(SelectError::UnknownKeys(self.unknown));
        }
        let at: Vec<Vec<u32>> =
            numbers.into_objects().iter().map(|owner| known.numbers(owner)).collect();
        let needs = resolved(&needs, &at);
        let inside = Edges::of(inside(&objects, &known));
        let (chosen, stays) =
            Marking { choice: &choice, objects: &objects, known: &known, named: &named }.stays(
                &inside,
                &needs,
                &resolved(&brings, &at),
            )?;
        let kept = Kept::of(&objects, &stays, &aliases, &known, &choice);
        let lost = Kept::lost(&objects, &stays, &aliases, &known);
        let mut tally = Tally::default();
        for (object, stays) in objects.iter().zip(&stays) {
            tally.object(object, *stays);
        }
        tally.named(named.iter().map(|(owner, named)| (owner, named.keys)), &kept, &choice);
        for (own, other) in &links {
            let of = |number: &u32| at.get(*number as usize).map(Vec::as_slice).unwrap_or_default();
            let is_kept = |number| of(number).iter().any(|at| kept_at(&stays, *at));
            if is_kept(own) && !is_kept(other) && !of(other).is_empty() {
                let object = of(own).first().and_then(|at| objects.get(*at as usize));
                tally.link_goes(object);
            }
        }
        for (alias, keys) in &aliases {
            tally.alias(alias, keys.all, &kept);
        }
        for (rest, keys) in &rest {
            tally.rest(rest, *keys, &choice);
        }
        let expiring = self.expiring;
        let gone = tally.gone(&objects, &stays);
        let (counts, left_out) = (tally.counts, self.left_out);
        let of_each = objects.iter().zip(stays.iter().zip(chosen));
        let staying = of_each.filter(|(_, (stays, _))| **stays);
        let staying = staying.filter_map(|(object, (_, is_chosen))| {
            Some(Staying { owner: object.owners().next()?, is_chosen })
        });
        let staying = staying.collect();
        let selection = Selection { choice, kept, lost, expiring, left_out, counts, gone };
        Ok((selection, staying))
    }
}

/// An object that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Staying {
    /// The object.
    pub(crate) owner: Owner,
    /// Whether it was named, or is in what was named; others are only needed.
    pub(crate) is_chosen: bool,
}

fn kept_at(stays: &[bool], at: u32) -> bool {
    stays.get(at as usize).copied().unwrap_or(false)
}

/// Relations between objects that are there.
fn resolved(pairs: &[(u32, u32)], at: &[Vec<u32>]) -> Edges {
    let of = |number: u32| at.get(number as usize).map(Vec::as_slice).unwrap_or_default();
    let pairs = pairs.iter().flat_map(|(from, to)| {
        of(*from).iter().flat_map(move |from| of(*to).iter().map(move |to| (*from, *to)))
    });
    Edges::of(pairs.collect())
}

/// What each object has in it.
fn inside(objects: &[Object], known: &Known) -> Vec<(u32, u32)> {
    let pair = |(object, number): (&Object, u32)| {
        let parent = Owner::Id(parent_kind(object.kind)?, object.parent_id?);
        Some((*known.numbers(&parent).first()?, number))
    };
    objects.iter().zip(0..).filter_map(pair).collect()
}

/// Finds out which objects stay.
struct Marking<'a> {
    choice: &'a Choice,
    objects: &'a [Object],
    known: &'a Known,
    named: &'a HashMap<Owner, Named>,
}

impl Marking<'_> {
    /// What is named with all that is in it, and what stays.
    fn stays(
        &self,
        inside: &Edges,
        needs: &Edges,
        brings: &Edges,
    ) -> Result<(Vec<bool>, Vec<bool>), SelectError> {
        let mut chosen = Set::of(self.objects.len());
        let is_chosen = |object: &Object| {
            self.choice.has_tenant(object.tenant.as_deref())
                || self.choice.objects.iter().any(|named| named.names(object))
        };
        for (object, number) in self.objects.iter().zip(0..) {
            if is_chosen(object) {
                chosen.insert(number);
            }
        }
        let numbers = |is_identity: bool| {
            let named =
                self.named.iter().filter(move |(_, named)| named.has_identity == is_identity);
            named.flat_map(|(owner, _)| self.known.numbers(owner))
        };
        numbers(true).for_each(|number| chosen.insert(number));
        chosen.close(&[inside]);
        if self.choice.which == Which::Rest {
            self.orphans(&mut chosen, Fate::Drop)?;
            chosen.close(&[inside]);
            let stays: Vec<bool> = chosen.into_vec().into_iter().map(|goes| !goes).collect();
            self.assert_whole(&stays, needs)?;
            return Ok((stays.clone(), stays));
        }
        let named = chosen.to_vec();
        // What is only needed does not bring what is in it.
        numbers(false).for_each(|number| chosen.insert(number));
        let within = Edges::of(inside.all().map(|(outer, inner)| (inner, outer)).collect());
        let brought = [needs, brings, &within];
        chosen.reopen();
        chosen.close(&brought);
        self.orphans(&mut chosen, Fate::Keep)?;
        chosen.close(&brought);
        Ok((named, chosen.into_vec()))
    }

    /// Adds those whose tenant nothing says, where that is their fate; none is refused that is in the
    /// set already.
    fn orphans(&self, set: &mut Set, fate: Fate) -> Result<(), SelectError> {
        if self.choice.tenants.is_empty() {
            return Ok(());
        }
        let mut refused = Listed::default();
        for (object, number) in self.objects.iter().zip(0..) {
            if object.tenant.is_some() || set.has(number) {
                continue;
            }
            if self.choice.orphans == Fate::Refuse {
                refused.push(|| described(object));
            } else if self.choice.orphans == fate {
                set.insert(number);
            }
        }
        if refused.count > 0 { Err(SelectError::Orphans(refused)) } else { Ok(()) }
    }

    /// Refuses to leave anything without what it needs.
    fn assert_whole(&self, stays: &[bool], needs: &Edges) -> Result<(), SelectError> {
        let mut broken = Listed::default();
        for (from, to) in needs.all() {
            if kept_at(stays, from) && !kept_at(stays, to) {
                let of = |at: u32| self.objects.get(at as usize).map(described).unwrap_or_default();
                broken.push(|| format!("{} needs {}", of(from), of(to)));
            }
        }
        if broken.count > 0 { Err(SelectError::Needed(broken)) } else { Ok(()) }
    }
}
