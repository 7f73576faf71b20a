//! What differs between two states, and what is asked about it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::OutOfOrder;
use crate::dump::dump_line;
use crate::dump::record::{Fact, Keyed, Record, SeqV, Text};
use crate::dump::scan::{ScannedLine, scan_line};
use crate::look::search::kept_key;
use crate::state::difference::{
    Change, ComparedState, Counts, KeyLine, ObjectDifference, ObjectDifferences, ObjectLine,
    StatesLine, SummaryLine, SystemDifference, words,
};
use crate::value::{Secrets, Stored};

/// How many bytes of keys, and of records that a log wrote, are kept; what differs beyond that is
/// only counted.
const MOST_KEPT_BYTES: usize = 64 << 20;

/// What a key takes beside its text.
const KEY_BYTES: usize = 64;

/// Where a state has a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct KeyPlace {
    /// The line that holds it.
    pub line: Option<u64>,
    /// Where it stands among what the log wrote, to ask for it.
    pub written: Option<usize>,
}

/// A key that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct DifferingKey {
    /// What became of it.
    pub change: Change,
    /// The key, its credentials masked, of a very long one the first part.
    pub key: String,
    /// Where the first state has it.
    pub before: Option<KeyPlace>,
    /// Where the second has it.
    pub after: Option<KeyPlace>,
}

/// An object that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct DifferingObject {
    /// Where it stands among all, to ask for it.
    pub at: usize,
    /// `+`, `-` or `~`.
    pub sign: char,
    /// What it is and what became of it.
    pub words: String,
    /// How many of its keys differ.
    pub keys: Counts,
}

/// A row of the list: an object, or below it one of its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase", tag = "type", content = "value")]
pub enum DifferenceRow {
    /// An object.
    Object(DifferingObject),
    /// A key.
    Key(DifferingKey),
}

/// Which differences are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(default)]
pub struct DifferenceQuery {
    /// What the key or the words of its object have in them, in whichever case.
    pub text: String,
    /// `added`, `removed`, `changed` or `touched`; when there is none, all but those that were only
    /// written again.
    pub change: Option<String>,
}

/// What one of the two states is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct StateView {
    /// Its name.
    pub name: String,
    /// Which moment it is of, and its log, in words.
    pub words: String,
}

/// Which states were compared, and what came of it as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct States {
    /// The first.
    pub before: StateView,
    /// The second.
    pub after: StateView,
    /// What differs beside keys: what it is, how it was, how it is.
    pub system: Vec<[String; 3]>,
    /// How many keys differ.
    pub keys: Counts,
    /// The same in words.
    pub words: String,
    /// How many objects differ.
    pub objects: usize,
    /// How many keys that differ are not listed.
    pub not_listed: u64,
    /// Lines whose keys do not ascend: what is said of the keys around them is not reliable.
    pub unsorted: Vec<OutOfOrder>,
}

#[derive(Debug)]
struct KeptKey {
    change: Change,
    key: Box<str>,
    places: [Option<KeyPlace>; 2],
}

/// The keys that differ.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// By the number of their object.
    keys: HashMap<usize, Vec<KeptKey>>,
    written: Vec<Vec<u8>>,
    bytes: usize,
    not_kept: u64,
}

impl Kept {
    /// Keeps a record that the log wrote.
    pub(super) fn write(&mut self, key: &str, record: &SeqV<'_>) -> KeyPlace {
        let mut line = Vec::new();
        if self.bytes < MOST_KEPT_BYTES {
            // A record of the key space always has a line.
            let _ = dump_line::put_fact(&mut line, &Fact::Key(&Text::from(key), record));
        }
        self.bytes += line.len();
        self.written.push(line);
        KeyPlace { line: None, written: Some(self.written.len() - 1) }
    }

    pub(super) fn push(
        &mut self,
        object: usize,
        change: Change,
        key: &str,
        places: [Option<KeyPlace>; 2],
    ) {
        if self.bytes >= MOST_KEPT_BYTES {
            self.not_kept += 1;
            return;
        }
        self.bytes += key.len() + KEY_BYTES;
        let kept = KeptKey { change, key: key.into(), places };
        self.keys.entry(object).or_default().push(kept);
    }
}

/// Two states that were compared.
#[derive(Debug)]
pub struct Compared {
    before: ComparedState,
    after: ComparedState,
    system: SystemDifference,
    objects: ObjectDifferences,
    /// The keys of each object, in the order of objects.
    keys: Vec<Vec<KeptKey>>,
    written: Vec<Vec<u8>>,
    not_kept: u64,
    unsorted: Vec<OutOfOrder>,
    /// What was listed last: an object, and which of its keys.
    listed: Vec<(usize, Option<usize>)>,
}

impl Compared {
    pub(super) fn new(
        before: ComparedState,
        after: ComparedState,
        objects: ObjectDifferences,
        kept: Kept,
        unsorted: Vec<OutOfOrder>,
    ) -> Self {
        let Kept { mut keys, written, not_kept, .. } = kept;
        let of = |object: &ObjectDifference| keys.remove(&object.number).unwrap_or_default();
        Self {
            system: SystemDifference::between(before.system(), after.system()),
            keys: objects.objects.iter().map(of).collect(),
            before,
            after,
            objects,
            written,
            not_kept,
            unsorted,
            listed: Vec::new(),
        }
    }

    /// Which states were compared, and what came of it as a whole.
    pub fn states(&self) -> States {
        let state =
            |of: &ComparedState| StateView { name: of.name().to_owned(), words: of.describe() };
        let objects = self.objects.objects.iter();
        States {
            before: state(&self.before),
            after: state(&self.after),
            system: self.system.rows(),
            keys: self.objects.keys(),
            words: self.objects.describe(),
            objects: objects.filter(|object| object.keys.differing() > 0).count(),
            not_listed: self.not_kept,
            unsorted: self.unsorted.clone(),
        }
    }

    /// Lists what is asked for; gives how many rows that are.
    pub fn list(&mut self, query: &DifferenceQuery) -> usize {
        let text = query.text.to_lowercase();
        let has = |of: &str| text.is_empty() || of.to_lowercase().contains(&text);
        let is_asked = |change: Change| match &query.change {
            Some(asked) => change.name() == asked,
            None => change != Change::Touched,
        };
        self.listed.clear();
        for (at, (object, keys)) in self.objects.objects.iter().zip(&self.keys).enumerate() {
            let is_named = has(&object.describe());
            let asked = keys.iter().enumerate().filter(|(_, key)| is_asked(key.change));
            let mut found = asked.filter(|(_, key)| is_named || has(&key.key)).peekable();
            if found.peek().is_some() {
                self.listed.push((at, None));
                self.listed.extend(found.map(|(key, _)| (at, Some(key))));
            }
        }
        self.listed.len()
    }

    /// Rows of the list.
    pub fn rows(&self, from: usize, to: usize) -> Vec<DifferenceRow> {
        let rows = self.listed.get(from..to.min(self.listed.len())).unwrap_or_default();
        let row = |(at, key): &(usize, Option<usize>)| {
            Some(match key {
                Some(key) => DifferenceRow::Key(shown(self.keys.get(*at)?.get(*key)?)),
                None => {
                    let object = self.objects.objects.get(*at)?;
                    DifferenceRow::Object(DifferingObject {
                        at: *at,
                        sign: object.sign(),
                        words: object.describe(),
                        keys: object.keys,
                    })
                }
            })
        };
        rows.iter().filter_map(row).collect()
    }

    /// The first keys of an object that differ.
    pub fn keys_of(&self, object: usize, most: usize) -> Vec<DifferingKey> {
        self.keys.get(object).into_iter().flatten().take(most).map(shown).collect()
    }

    /// The line of a record that the log wrote, as a dump of the moment would have it.
    pub fn written(&self, at: usize) -> Option<&[u8]> {
        self.written.get(at).map(Vec::as_slice)
    }

    /// The first line that `diff --format json` prints.
    pub fn states_line(&self) -> StatesLine<'_> {
        let Self { before, after, system, .. } = self;
        StatesLine { before, after, system: Some(system) }
    }

    /// The line that it prints of an object.
    pub fn object_line(&self, object: usize) -> Option<ObjectLine<'_>> {
        self.objects.objects.get(object).map(ObjectLine::from)
    }

    /// Its last line.
    pub fn summary_line(&self) -> SummaryLine {
        SummaryLine::from(&self.objects)
    }
}

fn shown(kept: &KeptKey) -> DifferingKey {
    let KeptKey { change, key, places: [before, after] } = kept;
    let key = kept_key(key.to_string());
    DifferingKey { change: *change, key, before: *before, after: *after }
}

/// What a record is beside its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct WriteView {
    /// The sequence number.
    #[cfg_attr(feature = "typescript", ts(type = "Integer"))]
    pub seq: u64,
    /// When it expires, milliseconds since 1970.
    #[cfg_attr(feature = "typescript", ts(type = "Integer | null"))]
    pub expire_ms: Option<u64>,
    /// When the write was proposed, milliseconds since 1970.
    #[cfg_attr(feature = "typescript", ts(type = "Integer | null"))]
    pub proposed_ms: Option<u64>,
    /// How long the value is.
    pub bytes: u64,
}

/// A field that differs, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct FieldView {
    /// Which.
    pub field: String,
    /// What it was; none of one that is new.
    pub before: Option<String>,
    /// What it is; none of one that is gone.
    pub after: Option<String>,
}

/// What differs under a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct KeyView {
    /// What became of it.
    pub change: Change,
    /// The key, masked where it holds a credential.
    pub key: String,
    /// What the value is.
    pub form: String,
    /// The record of the first state.
    pub before: Option<WriteView>,
    /// That of the second.
    pub after: Option<WriteView>,
    /// The fields that differ, of one that is changed.
    pub fields: Vec<FieldView>,
    /// How many more there are.
    pub more_fields: u64,
    /// Whether the values have the same fields, in other bytes.
    pub is_spelled_otherwise: bool,
}

/// What differs between two lines of one key; either may be missing. None when nothing does, or
/// when neither is of the key space.
pub fn key_view(lines: [Option<&[u8]>; 2], secrets: Secrets) -> Option<KeyView> {
    with_line(lines, secrets, |line, [before, after]| {
        let stored: Option<&Stored> = line.after.or(line.before);
        let write = |record: Option<&SeqV<'_>>| {
            let record = record?;
            Some(WriteView {
                seq: record.seq,
                expire_ms: record.expire_ms(),
                proposed_ms: record.meta.and_then(|meta| meta.proposed_at_ms),
                bytes: record.data.decode().len() as u64,
            })
        };
        let fields = line.fields.iter().map(|field| FieldView {
            field: field.name().to_owned(),
            before: field.before.map(words),
            after: field.after.map(words),
        });
        KeyView {
            change: line.change,
            key: line.key.to_owned(),
            form: stored.map_or_else(String::new, |stored| stored.form.clone()),
            before: write(before),
            after: write(after),
            fields: fields.collect(),
            more_fields: line.more_fields,
            is_spelled_otherwise: line.is_spelled_otherwise(),
        }
    })
}

/// The line that `diff --format json` prints of a key that two lines have; either may be missing.
/// None when nothing differs.
pub fn key_line(lines: [Option<&[u8]>; 2], secrets: Secrets) -> Option<String> {
    with_line(lines, secrets, |line, _| serde_json::to_string(line).ok())?
}

fn with_line<T>(
    lines: [Option<&[u8]>; 2],
    secrets: Secrets,
    take: impl FnOnce(&KeyLine<'_>, [Option<&SeqV<'_>>; 2]) -> T,
) -> Option<T> {
    let scanned: [Option<ScannedLine<'_>>; 2] = lines.map(|line| scan_line(line?).ok());
    let [before, after] = scanned.each_ref().map(|scanned| match &scanned.as_ref()?.record {
        Record::GenericKV(Keyed { key, value }) => Some((key, value)),
        _ => None,
    });
    let (key, _) = before.or(after)?;
    let records = [before, after].map(|record| record.map(|(_, value)| value));
    let change = Change::of(records[0], records[1])?;
    KeyLine::with(change, key, records, secrets, |line| take(line, records))
}
