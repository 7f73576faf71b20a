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
//! for a name, and eight for an id that is needed before its record is seen. What is needed is
//! bounded, and what there is no space for is said, not passed over.

mod message;
mod said;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use roaring::RoaringTreemap;

pub use self::said::References;
pub(crate) use self::said::{FIRST_SYSTEM_ID, Found, Relation, Said, Target};
use self::said::{Fault, spaced};
use self::waiting::{Needed, Waiting};
use super::{Code, Findings, Place};
use crate::dump::plural::several;
use crate::value::{Fields, NEWEST_VER, ObjectKind};

/// Most keys begin like this: files that were copied into a table, whose id follows.
const COPIED_FILES: &[u8; 24] = b"__fd_table_copied_files/";

/// How many objects without an id may be needed before their records are seen, and how many bytes
/// their names may have.
const MOST_NAMED: usize = 1 << 16;
const MOST_NAME_BYTES: usize = 16 << 20;

/// Puts together what the lines of a state machine say of objects.
#[derive(Debug, Default)]
pub(super) struct ReferenceCheck {
    here: Seen,
    led_to: Seen,
    waiting: Waiting,
    named: NamedWaiting,
    /// What there was no space for: how much, and where it begins.
    left_out: Option<(u64, Place)>,
    /// The table whose copied file the last key was.
    copied_into: Option<u64>,
}

/// What follows [`COPIED_FILES`] in a key.
fn copied_file(key: &str) -> Option<&[u8]> {
    let (prefix, rest) = key.as_bytes().split_first_chunk()?;
    (prefix == COPIED_FILES).then_some(rest)
}

/// Objects that were seen.
#[derive(Debug, Default)]
struct Seen {
    ids: BTreeMap<ObjectKind, RoaringTreemap>,
    names: HashSet<u64>,
}

impl Seen {
    fn insert(&mut self, object: &Target) {
        match object {
            Target::Id(kind, id) => self.insert_id(*kind, *id),
            Target::Name(..) => {
                self.names.insert(hash(object));
            }
        }
    }

    fn insert_id(&mut self, kind: ObjectKind, id: u64) {
        self.ids.entry(kind).or_default().insert(id);
    }

    fn has_id(&self, kind: ObjectKind, id: u64) -> bool {
        self.ids.get(&kind).is_some_and(|ids| ids.contains(id))
    }

    fn has_named(&self, object: &Target) -> bool {
        self.names.contains(&hash(object))
    }
}

/// Names are told apart by their hashes: that two have the same hides a fault at most.
fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Objects without an id that were needed before their records were seen, once for each relation.
#[derive(Debug, Default)]
struct NamedWaiting {
    all: Vec<(Relation, Target, Place)>,
    noted: HashSet<u64>,
    name_bytes: usize,
}

impl NamedWaiting {
    /// Adds one; gives whether there is space for it.
    fn push(&mut self, relation: Relation, object: Target, place: Place) -> bool {
        let noted = hash(&(relation, &object));
        if self.noted.contains(&noted) {
            return true;
        }
        let name_bytes = self.name_bytes + object.name_bytes();
        if self.all.len() == MOST_NAMED || name_bytes > MOST_NAME_BYTES {
            return false;
        }
        self.noted.insert(noted);
        self.name_bytes = name_bytes;
        self.all.push((relation, object, place));
        true
    }
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
        let Some(found) = references.map(References::into_found) else {
            if let Some(rest) = copied_file(key) {
                self.copied_file(rest, place);
            }
            return;
        };
        let Found { said, left_out, fault } = found;
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
            self.said(said, place);
        }
        self.leave_out(left_out, place);
    }

    fn said(&mut self, said: Said, place: Place) {
        let needed = |relation, kind, id| Needed { relation, kind, id, database: None, place };
        match said {
            Said::Here { object, is_dropped } => {
                self.here.insert(&object);
                if let Target::Id(kind, id) = object
                    && !is_dropped
                {
                    self.need(needed(Relation::Own, kind, id));
                }
            }
            Said::Leads { kind, id, database } => {
                self.led_to.insert_id(kind, id);
                self.need(Needed { database, ..needed(Relation::Name, kind, id) });
            }
            Said::Needs { relation: Relation::Guarded, .. } => {}
            Said::Needs { relation, object: Target::Id(kind, id) } => {
                self.need(needed(relation, kind, id));
            }
            Said::Needs { relation, object } => {
                if !self.here.has_named(&object) && !self.named.push(relation, object, place) {
                    self.leave_out(1, place);
                }
            }
            Said::Lists { kind, ids } => {
                for id in Fields::new(&ids).numbers().filter(|id| *id < FIRST_SYSTEM_ID) {
                    self.need(needed(Relation::Listed, kind, id));
                }
            }
        }
    }

    fn copied_file(&mut self, rest: &[u8], place: Place) {
        let mut digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
        let id = digits
            .try_fold(0_u64, |id, digit| id.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
        let Some(id) = id else { return };
        if self.copied_into != Some(id) {
            self.copied_into = Some(id);
            let (relation, kind) = (Relation::CopiedFile, ObjectKind::Table);
            self.need(Needed { relation, kind, id, database: None, place });
        }
    }

    /// Keeps an object that is needed, unless what it waits for was seen.
    fn need(&mut self, needed: Needed) {
        let Self { here, led_to, waiting, .. } = self;
        let waits = |needed: &Needed| waits(needed, here, led_to);
        if waits(&needed) && !waiting.push(needed, waits) {
            self.leave_out(1, needed.place);
        }
    }

    fn leave_out(&mut self, count: u64, place: Place) {
        if count > 0 {
            self.left_out.get_or_insert((0, place)).0 += count;
        }
    }

    /// Reports what is missing, once all lines were seen.
    pub(super) fn finish(self, findings: &mut Findings) {
        let Self { here, led_to, waiting, named, left_out, .. } = self;
        let mut left: BTreeMap<(Relation, ObjectKind), Left> = BTreeMap::new();
        for needed in waiting.iter().filter(|needed| waits(needed, &here, &led_to)) {
            let Needed { relation, kind, id, database, place } = needed;
            let object = Target::Id(kind, id);
            match relation {
                Relation::Own => {
                    let message = format_args!("{object} is not dropped, and no name leads to it");
                    findings.add(Code::ObjectWithoutName, place, message);
                }
                Relation::Name => {
                    // What is in a database that is gone is left over with it.
                    if database.is_none_or(|id| here.has_id(ObjectKind::Database, id)) {
                        let message = format_args!("a name leads to {object}, which has no record");
                        findings.add(Code::ObjectWithoutRecord, place, message);
                    }
                }
                _ => left.entry((relation, kind)).or_default().add(object, place),
            }
        }
        for (relation, object, place) in named.all {
            if here.has_named(&object) {
                continue;
            }
            let (code, who) = match (relation, object.kind()) {
                (Relation::User, ObjectKind::Role) => (Code::RoleMissing, "a user has"),
                (Relation::User, _) => (Code::PolicyMissing, "a user has"),
                (Relation::Role, _) => (Code::RoleMissing, "a role has"),
                (Relation::Owned, _) => (Code::RoleMissing, "something is owned by"),
                (_, kind) => {
                    left.entry((relation, kind)).or_default().add(object, place);
                    continue;
                }
            };
            findings.add(code, place, format_args!("{who} {object}, which has no record"));
        }
        for ((relation, kind), left) in left {
            left.report(relation, kind, findings);
        }
        if let Some((count, place)) = left_out {
            let (s, are) = if count == 1 { ("", "is") } else { ("s", "are") };
            let message = format_args!("{count} reference{s} from here on {are} not checked");
            findings.add(Code::ReferencesUnchecked, place, message);
        }
    }
}

/// Whether an object still waits for its record, or its record for a name.
fn waits(needed: &Needed, here: &Seen, led_to: &Seen) -> bool {
    let seen = if needed.relation == Relation::Own { led_to } else { here };
    !seen.has_id(needed.kind, needed.id)
}

/// What is left of objects.
#[derive(Debug, Default)]
struct Left {
    first: Option<(Target, Place)>,
    ids: Vec<u64>,
    named: u64,
}

impl Left {
    fn add(&mut self, object: Target, place: Place) {
        match object {
            Target::Id(_, id) => self.ids.push(id),
            Target::Name(..) => self.named += 1,
        }
        self.first.get_or_insert((object, place));
    }

    fn report(self, relation: Relation, kind: ObjectKind, findings: &mut Findings) {
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
        let Self { first, mut ids, named } = self;
        let Some((first, place)) = first else { return };
        ids.sort_unstable();
        ids.dedup();
        let message = match ids.len() as u64 + named {
            1 => format!("{what} {first}, which has no record"),
            count => {
                let kinds = several(&spaced(kind));
                format!("{what} {count} {kinds} that have no record, the first is {first}")
            }
        };
        findings.add(Code::OrphanedRecord, place, message);
    }
}
