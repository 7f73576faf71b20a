//! Two states that are compared: what each is, and what has to be said of what differs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::by_object::{KindCounts, ObjectDifference, ObjectDifferences, differing_only};
use super::{Change, Comparable, Counts, FieldChange, Fields, SystemDifference};
use crate::dump::record::{Fact, LogId, SeqV};
use crate::state::moment::AsOf;
use crate::state::node::{EntryFate, NodeState, SystemState};
use crate::state::objects::Verb;
use crate::value::{MOST_UNPACKED_BYTES, ObjectKind, Secrets, Stored, Wanted, unpacked};

/// What a log holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LogExtent {
    /// The first entry.
    pub first: Option<LogId>,
    /// The last entry.
    pub last: Option<LogId>,
    /// How many there are.
    pub entries: u64,
}

/// What a state has beside its keys, as of the snapshot, and its log.
#[derive(Debug, Clone, Default)]
pub struct BesideKeys {
    /// What the node knows.
    pub node: NodeState,
    /// The log.
    pub log: LogExtent,
}

/// What one of two states is.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ComparedState {
    name: String,
    last_applied: Option<LogId>,
    sequence: u64,
    log: LogExtent,
    #[serde(skip)]
    as_of: AsOf,
    #[serde(skip)]
    system: SystemState,
}

impl LogExtent {
    /// `log T1-N1.2 to T1-N1.95`
    pub fn describe(&self) -> String {
        match (self.first, self.last) {
            (Some(first), Some(last)) => format!("log {first} to {last}"),
            _ => "no log".to_owned(),
        }
    }
}

impl BesideKeys {
    /// Takes what a fact says.
    pub fn learn(&mut self, fact: &Fact<'_>) {
        match fact {
            Fact::Entry(entry) if self.node.raft.fate_of(entry) == EntryFate::Live => {
                self.log.first = self.log.first.or(Some(entry.log_id));
                self.log.last = Some(entry.log_id);
                self.log.entries += 1;
            }
            fact => {
                self.node.learn(fact);
            }
        }
    }
}

impl ComparedState {
    /// The state of a name at a moment, of which what is beside the keys is known as of the
    /// snapshot.
    pub fn new(name: String, beside: BesideKeys, as_of: AsOf) -> Self {
        let BesideKeys { node, log } = beside;
        Self { name, log, ..Self::default() }.at(node.system, as_of)
    }

    /// The same with what the log made of it.
    #[must_use]
    pub fn at(self, system: SystemState, as_of: AsOf) -> Self {
        let (last_applied, sequence) = (system.last_applied, system.sequence);
        Self { last_applied, sequence, as_of, system, ..self }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it holds beside keys.
    pub const fn system(&self) -> &SystemState {
        &self.system
    }

    /// Which moment it is of, and its log.
    pub fn describe(&self) -> String {
        format!("{}; {}", self.as_of.describe(), self.log.describe())
    }
}

/// Which states are compared, for programs.
#[derive(Debug, Serialize)]
pub struct StatesLine<'a> {
    /// The first.
    pub before: &'a ComparedState,
    /// The second.
    pub after: &'a ComparedState,
    /// How what they have beside keys differs; none when that is left out.
    pub system: Option<&'a SystemDifference>,
}

/// An object that differs, for programs.
#[derive(Debug, Serialize)]
pub struct ObjectLine<'a> {
    object: ObjectSaid<'a>,
}

#[derive(Debug, Serialize)]
struct ObjectSaid<'a> {
    verb: Verb,
    kind: Option<ObjectKind>,
    tenant: Option<&'a str>,
    id: Option<u64>,
    database: Option<&'a str>,
    name: Option<&'a str>,
    former_name: Option<&'a str>,
    #[serde(serialize_with = "differing_only")]
    keys: Counts,
}

impl<'a> From<&'a ObjectDifference> for ObjectLine<'a> {
    fn from(difference: &'a ObjectDifference) -> Self {
        let ObjectDifference { effect, keys, .. } = difference;
        let object = effect.object.as_ref();
        let object = ObjectSaid {
            verb: effect.verb,
            kind: object.map(|object| object.kind),
            tenant: object.and_then(|object| object.tenant.as_deref()),
            id: object.and_then(|object| object.id),
            database: object.and_then(|object| object.database.as_deref()),
            name: object.and_then(|object| object.name.as_deref()),
            former_name: effect.former_name.as_deref(),
            keys: *keys,
        };
        Self { object }
    }
}

/// A key that differs, for programs. The fields of values keep the order that they have.
#[derive(Debug, Serialize)]
pub struct KeyLine<'a> {
    /// The key, masked where it holds a credential.
    pub key: &'a str,
    /// What became of it.
    pub change: Change,
    /// What the first state has.
    pub before: Option<&'a Stored>,
    /// What the second has.
    pub after: Option<&'a Stored>,
    /// The fields that differ, of one that is changed.
    pub fields: &'a [FieldChange<'a>],
    /// How many more there are.
    pub more_fields: u64,
}

impl KeyLine<'_> {
    /// Hands what is to be said of a key to `take`, decoded; none when neither state has it.
    pub fn with<T>(
        change: Change,
        key: &str,
        [before, after]: [Option<&SeqV<'_>>; 2],
        secrets: Secrets,
        take: impl FnOnce(&KeyLine<'_>) -> T,
    ) -> Option<T> {
        let stored = |record: Option<&SeqV<'_>>| {
            record.map(|record| Stored::of(key, record, secrets, Wanted::Json))
        };
        let [old, new] = [stored(before), stored(after)];
        let bytes = [before, after].map(|record| record.map(|record| record.data.decode()));
        let plain = bytes.each_ref().map(|bytes| {
            let bytes = bytes.as_deref().unwrap_or_default();
            unpacked(bytes, MOST_UNPACKED_BYTES).unwrap_or_else(|_| bytes.into())
        });
        let values = plain.each_ref().map(|plain| Comparable::of(key, plain, secrets));
        let [old_value, new_value] = &values;
        let fields = match change {
            Change::Changed => old_value.fields(new_value),
            Change::Added | Change::Removed | Change::Touched => Fields::default(),
        };
        let key = &new.as_ref().or(old.as_ref())?.key;
        let (before, after) = (old.as_ref(), new.as_ref());
        let (fields, more_fields) = (&fields.changes, fields.more);
        Some(take(&KeyLine { key, change, before, after, fields, more_fields }))
    }

    /// Whether the values have the same fields, in other bytes.
    pub fn is_spelled_otherwise(&self) -> bool {
        let expiry = |stored: Option<&Stored>| stored.and_then(|stored| stored.expire_at_ms);
        self.change == Change::Changed
            && self.fields.is_empty()
            && expiry(self.before) == expiry(self.after)
    }
}

/// How many keys and objects differ, for programs.
#[derive(Debug, Serialize)]
pub struct SummaryLine {
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct Summary {
    keys: AllKeys,
    kinds: BTreeMap<&'static str, KindCounts>,
}

#[derive(Debug, Serialize)]
struct AllKeys {
    added: u64,
    removed: u64,
    changed: u64,
    touched: u64,
    same: Option<u64>,
}

impl From<&ObjectDifferences> for SummaryLine {
    fn from(differences: &ObjectDifferences) -> Self {
        let Counts { added, removed, changed, touched, same: _ } = differences.keys();
        let keys = AllKeys { added, removed, changed, touched, same: differences.same() };
        Self { summary: Summary { keys, kinds: differences.kinds() } }
    }
}
