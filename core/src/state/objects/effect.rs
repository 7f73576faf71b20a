//! What the entries of a log did, in the words of objects.

use serde::Serialize;

use super::by_object::ByObject;
use super::catalogue::{Catalogue, full_name};
use super::record::ObjectRecord;
use super::reference::ObjectRef;
use crate::dump::record::{Bytes, Cmd, Fact, LogEntry, LogId, Payload};
use crate::ordered;
use crate::state::apply::{Applied, ChangeEvent, ExecutionPath, Reach, Reply};
use crate::state::moment::{Moment, Replay, ReplayError, proposed_ms};
use crate::value::ObjectKind;

/// What was done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Verb {
    /// It is new.
    Creates,
    /// It is marked as dropped, or gone.
    Drops,
    /// It is no longer marked as dropped.
    Undrops,
    /// What was left of it after it was dropped is gone.
    Purges,
    /// It has another name.
    Renames,
    /// Something that belongs to it is another.
    Changes,
    /// Keys of it have expired.
    Expires,
    /// The entry names it. What it did to it is in the snapshot.
    Names,
}

impl Verb {
    /// What was done, said of the object: `created`.
    pub const fn participle(self) -> &'static str {
        match self {
            Self::Creates => "created",
            Self::Drops => "dropped",
            Self::Undrops => "undropped",
            Self::Purges => "purged",
            Self::Renames => "renamed",
            Self::Changes => "changed",
            Self::Expires => "expired",
            Self::Names => "named",
        }
    }

    /// The verb as a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Creates => "creates",
            Self::Drops => "drops",
            Self::Undrops => "undrops",
            Self::Purges => "purges",
            Self::Renames => "renames",
            Self::Changes => "changes",
            Self::Expires => "expires",
            Self::Names => "names",
        }
    }
}

/// What an entry did to one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// What.
    pub verb: Verb,
    /// The object; none for keys of no known form.
    #[serde(flatten)]
    pub object: Option<ObjectName>,
    /// The name before, of one that was renamed.
    pub former_name: Option<Box<str>>,
    /// The database that it was in then, if something says it.
    pub former_database: Option<Box<str>>,
    /// How many keys it is about.
    pub keys: u64,
    /// The key, when it is a single one of no known form.
    pub key: Option<Box<str>>,
}

impl Effect {
    /// Whether it is about what is named, or what was before it.
    pub fn is_of(&self, asked: &ObjectRef) -> bool {
        match (asked, &self.object) {
            (ObjectRef::Key(key), _) => self.key.as_deref() == Some(key),
            (asked, Some(ObjectName { kind, tenant, id, database, name })) => {
                let is = |database: &Option<Box<str>>, name: &Option<Box<str>>| {
                    let [tenant, database, name] = [tenant, database, name].map(Option::as_deref);
                    asked.is(*kind, *id, tenant, database, name)
                };
                let was = |name| is(&self.former_database, name);
                is(database, name) || (self.former_name.is_some() && was(&self.former_name))
            }
            (_, None) => false,
        }
    }

    /// The name before as people write it, of one that was renamed.
    pub fn former_full_name(&self) -> Option<String> {
        let (name, object) = (self.former_name.as_deref()?, self.object.as_ref()?);
        Some(full_name(object.kind, self.former_database.as_deref(), Some(name), object.id))
    }

    /// The id of a database that comes, goes or gets another name with all that is in it.
    pub fn whole_database(&self) -> Option<u64> {
        let object = self.object.as_ref()?;
        let is_whole =
            matches!(self.verb, Verb::Drops | Verb::Undrops | Verb::Purges | Verb::Renames);
        object.id.filter(|_| is_whole && object.kind == ObjectKind::Database)
    }
}

/// Which object an entry is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ObjectName {
    /// The kind.
    pub kind: ObjectKind,
    /// The tenant, if something says it.
    pub tenant: Option<Box<str>>,
    /// The id, of kinds that have one.
    pub id: Option<u64>,
    /// The database that it is in, if something says it.
    pub database: Option<Box<str>>,
    /// The name, if something says it.
    pub name: Option<Box<str>>,
}

impl ObjectName {
    /// The name as people write it: `sales.orders` for a table. The id when nothing says the name.
    pub fn full_name(&self) -> String {
        full_name(self.kind, self.database.as_deref(), self.name.as_deref(), self.id)
    }
}

/// What came of the conditions of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It has none, or they held.
    Done,
    /// They did not hold: what was to be done else was done, if anything.
    ConditionsNotMet,
    /// It is in the snapshot, and which it was is not known.
    InSnapshot,
    /// It was not applied.
    NotApplied,
}

/// An entry of the log, and what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct LoggedChange {
    /// The entry.
    pub log_id: LogId,
    /// When it was proposed, in milliseconds since 1970.
    #[cfg_attr(feature = "typescript", ts(type = "Integer | null"))]
    pub time_ms: Option<u64>,
    /// Its command, `Blank` or `Membership`.
    pub command: &'static str,
    /// Whether it is known to be committed.
    pub is_committed: bool,
    /// What came of its conditions.
    pub outcome: Outcome,
    /// What it did.
    // What is flattened and may be missing has no type in TypeScript of its own.
    #[cfg_attr(
        feature = "typescript",
        ts(
            type = "Array<{ verb: string, kind?: string, tenant?: string | null, id?: Integer | null, \
                   database?: string | null, name?: string | null, former_name: string | null, \
                   former_database: string | null, keys: number, key: string | null }>"
        )
    )]
    pub effects: Vec<Effect>,
}

/// Goes through a log and says what each entry did. The facts of the node are handed to
/// [`load`](Self::load), then to [`entry`](Self::entry).
///
/// **Invariant:** memory grows with the objects and with what the entries reach.
#[derive(Debug)]
pub struct History {
    replay: Replay,
    catalogue: Catalogue,
    committed: Option<u64>,
    /// Whether an entry could not be applied: those behind it are not either.
    is_broken: bool,
}

impl History {
    /// Starts; the replay leads to the end of the log and knows what its entries reach. Entries
    /// behind `committed` are not known to be committed.
    pub fn new(replay: Replay, committed: &Moment) -> Self {
        let committed = committed.last_index();
        Self { replay, catalogue: Catalogue::default(), committed, is_broken: false }
    }

    /// First reading: takes what the snapshot says.
    pub fn load(&mut self, fact: &Fact<'_>) {
        self.replay.load(fact);
        if let Fact::Key(key, value) = fact {
            self.catalogue.add(ObjectRecord::of(key, &value.data));
        }
    }

    /// Second reading: what an entry did; none for other facts.
    ///
    /// # Errors
    ///
    /// When an entry cannot be applied. Those behind it have [`Outcome::NotApplied`].
    pub fn entry(&mut self, fact: &Fact<'_>) -> Result<Option<LoggedChange>, ReplayError> {
        let Fact::Entry(entry) = fact else { return Ok(None) };
        let is_committed = Some(entry.log_id.index) <= self.committed;
        let mut change = LoggedChange {
            log_id: entry.log_id,
            time_ms: proposed_ms(entry),
            command: command(entry),
            is_committed,
            outcome: Outcome::InSnapshot,
            effects: Vec::new(),
        };
        if self.is_broken {
            change.outcome = Outcome::NotApplied;
        } else {
            match self.replay.apply(fact) {
                Ok(Some(applied)) => {
                    change.outcome = outcome(entry, &applied.reply);
                    change.effects = self.effects(&applied, change.time_ms.unwrap_or(0));
                    return Ok(Some(change));
                }
                Ok(None) => {}
                Err(error) => {
                    self.is_broken = true;
                    return Err(error);
                }
            }
        }
        change.effects = self.named(entry);
        Ok(Some(change))
    }

    /// Whether an effect is about what is named, or about the database that it is in as a whole.
    pub fn concerns(&self, effect: &Effect, asked: &ObjectRef) -> bool {
        let is_in = |database| self.catalogue.is_in(database, asked);
        effect.is_of(asked) || effect.whole_database().is_some_and(is_in)
    }

    /// What an entry names, whatever it did to it.
    fn named(&self, entry: &LogEntry<'_>) -> Vec<Effect> {
        let mut reach = Reach::default();
        reach.add(entry);
        let mut named = ByObject::default();
        for key in reach.keys() {
            let record = ObjectRecord::of(key, &Bytes::Decoded((&[]).into()));
            named.name(key, &record.owner);
        }
        self.in_order(named)
    }

    fn effects(&mut self, applied: &Applied, now_ms: u64) -> Vec<Effect> {
        let mut by_object = ByObject::default();
        for event in &applied.events {
            let ChangeEvent { key, prev, current } = event;
            let [before, after] = [prev, current]
                .map(|record| record.as_ref().map(|record| ObjectRecord::of(key, &record.data)));
            let has_expired = current.is_none()
                && prev.as_ref().and_then(|prev| prev.expire_ms()).is_some_and(|at| at < now_ms);
            if has_expired {
                by_object.expire(key, before.as_ref());
            } else {
                by_object.change(key, before.as_ref(), after.as_ref());
            }
            if let Some(record) = after {
                self.catalogue.add(record);
            }
        }
        self.in_order(by_object)
    }

    fn in_order(&self, by_object: ByObject) -> Vec<Effect> {
        let effects = by_object.effects(&self.catalogue).into_iter();
        let mut effects: Vec<Effect> = effects.map(|(_, effect)| effect).collect();
        // What happened to whole objects comes first.
        ordered::sort_by_key(&mut effects, |effect| (effect.verb, effect.object.is_none()));
        effects
    }
}

fn outcome(entry: &LogEntry<'_>, reply: &Reply) -> Outcome {
    let Payload::Normal(body) = &entry.payload else { return Outcome::Done };
    let is_met = match (&body.cmd, reply) {
        (_, Reply::Transaction(reply)) => {
            matches!(reply.path, ExecutionPath::Operation(_) | ExecutionPath::Then)
        }
        (Cmd::KvTransaction(transaction), Reply::KvTransaction(reply)) => {
            let branch = reply.executed_branch.and_then(|at| usize::try_from(at).ok());
            // What is done else stands behind the other branches, and has no condition.
            branch.is_some_and(|at| {
                let branch = transaction.branches.get(at);
                at == 0 || branch.is_some_and(|branch| !branch.is_unconditional())
            })
        }
        (Cmd::UpsertKV(upsert), Reply::KV(change)) => {
            upsert.seq.holds(change.prev.as_ref().map_or(0, |record| record.seq))
        }
        _ => true,
    };
    if is_met { Outcome::Done } else { Outcome::ConditionsNotMet }
}

const fn command(entry: &LogEntry<'_>) -> &'static str {
    match &entry.payload {
        Payload::Normal(body) => body.cmd.name(),
        Payload::Blank => "Blank",
        Payload::Membership(_) => "Membership",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_is_of_either_name() {
        let object = ObjectName {
            kind: ObjectKind::Table,
            tenant: Some("t".into()),
            id: Some(93),
            database: Some("shop".into()),
            name: Some("new".into()),
        };
        let effect = Effect {
            verb: Verb::Renames,
            object: Some(object),
            former_name: Some("old".into()),
            former_database: Some("store".into()),
            keys: 3,
            key: None,
        };
        let is_of = |text: &str| effect.is_of(&ObjectRef::parse(text).unwrap());
        for text in ["store.old", "shop.new", "t/store.old", "table:old", "table:93"] {
            assert!(is_of(text), "{text}");
        }
        for text in ["shop.other", "shop.old", "u/store.old", "database:old", "shop"] {
            assert!(!is_of(text), "{text}");
        }
    }
}
