//! Whether the objects of a state belong together: names and what they lead to, tables and their
//! databases, users and their roles.
//!
//! A state is of one moment. Servers write what belongs together in one transaction, so that no
//! entry of the log behind a state explains what is missing in it; such entries are not looked at.
//!
//! **Invariant:** what engines leave behind when they work as they should is never more than a
//! note. That includes what a purge of dropped tables and databases does not remove.
//!
//! **Invariant:** memory grows with objects, not with their keys: a few bits for an id, eight bytes
//! for a name, and 56 (and the name) for one that is needed before its record is seen.

mod said;

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use roaring::RoaringTreemap;

pub use self::said::References;
use self::said::{Fault, Found, Relation, Said, Target, spaced};
use super::{Code, Findings, Place};
use crate::value::{NEWEST_VER, ObjectKind};

/// Most keys begin like this: files that were copied into a table, whose id follows.
const COPIED_FILES: &str = "__fd_table_copied_files/";

/// Puts together what the lines of a state machine say of objects.
#[derive(Debug, Default)]
pub(super) struct ReferenceCheck {
    here: Seen,
    led_to: Seen,
    noted: BTreeMap<Relation, Seen>,
    /// What was needed before its record was seen, once for each relation, in the order of lines.
    needed: Vec<Needed>,
    /// Objects with records, before a name was seen that leads to them.
    nameless: Vec<(Target, Place)>,
    /// The table whose copied file the last key was.
    copied_into: Option<u64>,
}

/// An object that a line needs.
#[derive(Debug)]
struct Needed {
    relation: Relation,
    object: Target,
    /// The database that the line is of, if it is a name in one.
    database: Option<u64>,
    place: Place,
}

/// Objects that were seen.
#[derive(Debug, Default)]
struct Seen {
    ids: BTreeMap<ObjectKind, RoaringTreemap>,
    names: HashSet<u64>,
}

impl Seen {
    /// Adds an object; gives whether it is new.
    fn insert(&mut self, object: &Target) -> bool {
        match object {
            Target::Id(kind, id) => self.ids.entry(*kind).or_default().insert(*id),
            Target::Name(..) => self.names.insert(hash(object)),
        }
    }

    fn has(&self, object: &Target) -> bool {
        match object {
            Target::Id(kind, id) => self.ids.get(kind).is_some_and(|ids| ids.contains(*id)),
            Target::Name(..) => self.names.contains(&hash(object)),
        }
    }
}

/// Names are told apart by their hashes: that two have the same hides a fault at most.
fn hash(object: &Target) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.hash(&mut hasher);
    hasher.finish()
}

impl ReferenceCheck {
    /// Takes what a line says.
    pub(super) fn take(
        &mut self,
        key: &str,
        references: Option<References>,
        place: Place,
        findings: &mut Findings,
    ) {
        let Some(Found { said, fault }) = references.map(References::into_found) else {
            if let Some(rest) = key.strip_prefix(COPIED_FILES) {
                self.copied_file(rest, place);
            }
            return;
        };
        match fault {
            Some(Fault::Misfit(reason)) => {
                findings.add(Code::ValueMisfit, place, format_args!("{key:?}: {reason}"));
            }
            Some(Fault::Newer(message, version)) => {
                let message = format_args!(
                    "{message} for readers of version {version}; this release knows {NEWEST_VER}"
                );
                findings.add(Code::ValueOfNewerServer, place, message);
            }
            None => {}
        }
        for said in said {
            match said {
                Said::Here { object, is_dropped } => {
                    self.here.insert(&object);
                    let has_name = matches!(object, Target::Name(..)) || self.led_to.has(&object);
                    if !is_dropped && !has_name {
                        self.nameless.push((object, place));
                    }
                }
                Said::Leads { kind, id, database } => {
                    let object = Target::Id(kind, id);
                    self.led_to.insert(&object);
                    self.need(Needed { relation: Relation::Name, object, database, place });
                }
                Said::Needs { relation, object } => {
                    self.need(Needed { relation, object, database: None, place });
                }
            }
        }
    }

    fn copied_file(&mut self, rest: &str, place: Place) {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let Some(id) = rest.get(..digits).and_then(|id| id.parse().ok()) else { return };
        if self.copied_into != Some(id) {
            self.copied_into = Some(id);
            let object = Target::Id(ObjectKind::Table, id);
            self.need(Needed { relation: Relation::CopiedFile, object, database: None, place });
        }
    }

    /// Keeps an object that is needed, unless its record was seen or a line before needs it, too.
    fn need(&mut self, needed: Needed) {
        let Needed { relation, object, .. } = &needed;
        // An object has one name, and one owner.
        let is_of_one = matches!(relation, Relation::Name | Relation::NameOf | Relation::Owner);
        if self.here.has(object) {
            return;
        }
        if is_of_one || self.noted.entry(*relation).or_default().insert(object) {
            self.needed.push(needed);
        }
    }

    /// Reports what is missing, once all lines were seen.
    pub(super) fn finish(self, findings: &mut Findings) {
        let Self { here, led_to, needed, nameless, .. } = self;
        let mut left: BTreeMap<(Relation, ObjectKind), Left> = BTreeMap::new();
        for Needed { relation, object, database, place } in needed {
            if here.has(&object) {
                continue;
            }
            let (code, who) = match (relation, object.kind()) {
                (Relation::Name, _) => (Code::ObjectWithoutRecord, "a name leads to"),
                (Relation::User, ObjectKind::Role) => (Code::RoleMissing, "a user has"),
                (Relation::User, _) => (Code::PolicyMissing, "a user has"),
                (Relation::Role, _) => (Code::RoleMissing, "a role has"),
                (Relation::Owned, _) => (Code::RoleMissing, "something is owned by"),
                (_, kind) => {
                    let first = Left { first: object, place, count: 0 };
                    left.entry((relation, kind)).or_insert(first).count += 1;
                    continue;
                }
            };
            // What is in a database that is gone is left over with it.
            let database = database.map(|id| Target::Id(ObjectKind::Database, id));
            if database.is_none_or(|database| here.has(&database)) {
                findings.add(code, place, format_args!("{who} {object}, which has no record"));
            }
        }
        for ((relation, kind), left) in left {
            findings.add(Code::OrphanedRecord, left.place, left.message(relation, kind));
        }
        for (object, place) in nameless {
            if !led_to.has(&object) {
                let message = format_args!("{object} is not dropped, and no name leads to it");
                findings.add(Code::ObjectWithoutName, place, message);
            }
        }
    }
}

/// What is left of objects.
struct Left {
    first: Target,
    place: Place,
    count: u64,
}

impl Left {
    fn message(&self, relation: Relation, kind: ObjectKind) -> String {
        let what = match relation {
            Relation::NameIn => "names in",
            Relation::NameOf => "id_to_name keys of",
            Relation::NameOfIn => "id_to_name keys for",
            Relation::Listed => "id lists with",
            Relation::ListIn => "id lists in",
            Relation::CopiedFile => "copied files of",
            Relation::Lock => "locks of",
            Relation::LeastVisibleTime => "least visible times of",
            _ => "owners of",
        };
        let Self { first, count, .. } = self;
        match count {
            1 => format!("{what} {first}, which has no record"),
            _ => {
                let kinds = plural(&spaced(kind));
                format!("{what} {count} {kinds} that have no record, the first is {first}")
            }
        }
    }
}

fn plural(kind: &str) -> String {
    match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with('x') => format!("{kind}es"),
        None => format!("{kind}s"),
    }
}
