//! Whether a state holds the entries that it claims to hold.
//!
//! Servers 1.2.801 to 1.2.812 wrote snapshots whose last applied entry and last sequence number
//! are of a moment after their keys (fixed in 1.2.813): the writes between are in the log only,
//! and a server that starts with such a snapshot never applies them.
//!
//! What shows it is the sequence: every write takes the next number, so the last number that was
//! given out is that of a key, unless that key was removed. The newest key is looked up in the
//! log; when fewer writes behind it can have been removed than numbers are missing, the state
//! lacks some. Applying those writes to the state must then give out exactly the missing numbers,
//! which proves from which entry on they are lacking.
//!
//! **Invariant:** what cannot be known for certain is not said. An entry whose effect depends on
//! more than sequence numbers ends the search.
//!
//! **Invariant:** memory is bounded. Of the log its last [`MOST_ENTRIES`] entries are kept that
//! the state claims, without their values; those before them and those behind it, which come
//! before it is known how far the state goes, have [`MOST_BYTES`] together. A log that goes on for
//! longer behind the state is not judged.

mod kept;
mod replay;

use std::cmp::Ordering;
use std::collections::VecDeque;

use crate::dump::frame::Place;
use crate::dump::key_order;
use crate::dump::plural::plural;
use crate::dump::record::{Fact, KVMeta, LogEntry, LogId};
use crate::ordered;
use kept::Kept;

/// How many entries are looked at, back from the last one that the state claims.
pub const MOST_ENTRIES: usize = 256;

/// How much memory the end of the log may take until it is known how far the state goes.
pub const MOST_BYTES: usize = 4 << 20;

/// Takes the lines of a dump in their order and judges its state.
///
/// ```
/// use metadump::check::Place;
/// use metadump::claim::{ClaimCheck, Verdict};
/// use metadump::record::{Fact, LogId};
/// use metadump::scan::scan_line;
///
/// let put = |index: u64, key: &str| {
///     format!(
///         r#"["raft_log",{{"LogEntry":{{"log_id":{{"leader_id":{{"term":1,"node_id":1}},"index":{index}}},
///         "payload":{{"Normal":{{"cmd":{{"UpsertKV":{{"key":"{key}","seq":"Any","value":{{"Update":[1]}},"value_meta":null}}}}}}}}}}}}]"#
///     )
/// };
/// let dump = [
///     put(1, "b"),
///     put(2, "a"),
///     r#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":2}}]"#.to_owned(),
///     r#"["state_machine/0",{"StateMachineMeta":{"key":"LastApplied","value":{"LogId":{"leader_id":{"term":1,"node_id":1},"index":2}}}}]"#.to_owned(),
///     r#"["state_machine/0",{"GenericKV":{"key":"b","value":{"seq":1,"meta":null,"data":[1]}}}]"#.to_owned(),
/// ];
/// let mut claim = ClaimCheck::default();
/// for (number, line) in (1..).zip(&dump) {
///     match scan_line(line.as_bytes())?.record.fact() {
///         Fact::Entry(entry) => claim.entry(entry, Place { line: number, offset_bytes: 0 }),
///         fact => claim.fact(&fact),
///     }
/// }
/// let Verdict::Lacking(lacking) = claim.verdict() else { panic!() };
/// assert_eq!(lacking.gap.unwrap().first, LogId::new(1, 1, 2));
/// # Ok::<(), metadump::scan::LineError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ClaimCheck {
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    last_applied: Option<LogId>,
    sequence: Option<u64>,
    /// What the state holds of the keys in the kept entries, sorted by key.
    held: Vec<Held>,
    /// How many of them are not behind the last key.
    passed: usize,
    newest_seq: u64,
    /// Whether lines came in an order in which they cannot be judged.
    out_of_order: bool,
}

/// What the state holds of a key.
#[derive(Debug, Clone)]
struct Held {
    key: String,
    /// The sequence number, 0 when there is no record.
    seq: u64,
    meta: Option<KVMeta>,
    /// Whether the expiry index names the key.
    is_indexed: bool,
}

/// What is known of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is missing, as far as the sequence shows.
    Held,
    /// It lacks writes of entries that it claims.
    Lacking(Lacking),
    /// It is not known.
    Unknown {
        /// The last entry that the state claims.
        claimed: Option<LogId>,
        /// Whether that entry is in the log.
        in_log: bool,
    },
}

/// What a state lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// The last entry that the state claims.
    pub claimed: LogId,
    /// The last sequence number that the state says was given out.
    pub sequence: u64,
    /// The largest sequence number that a key has.
    pub newest_seq: u64,
    /// From where on writes are lacking; none when that is not certain.
    pub gap: Option<Gap>,
}

/// Which entries a state lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The first entry with a write that the state lacks.
    pub first: LogId,
    /// Its line.
    pub place: Place,
    /// How many keys are missing, or not as new as the entries made them.
    pub keys: u64,
    /// The last entry that the state holds all of, from which the log can be applied.
    pub holds: LogId,
    /// Whether all of the keys would stand behind the last one: a dump that was cut looks the same.
    pub may_be_cut: bool,
}

impl ClaimCheck {
    /// Whether an entry matters to the check of a state that claims the entries up to `claimed`.
    pub const fn looks_at(claimed: LogId, entry: LogId) -> bool {
        let before = claimed.index.checked_sub(entry.index);
        matches!(before, Some(before) if before < MOST_ENTRIES as u64)
    }

    /// Takes an entry of the log.
    pub fn entry(&mut self, entry: &LogEntry<'_>, place: Place) {
        if self.last_applied.is_some() || self.newest_seq > 0 {
            self.out_of_order = true;
            return;
        }
        let kept = Kept::of(entry, place);
        self.kept_bytes += kept.bytes();
        self.kept.push_back(kept);
        while self.kept_bytes > MOST_BYTES
            && let Some(oldest) = self.kept.pop_front()
        {
            self.kept_bytes -= oldest.bytes();
        }
    }

    /// Takes what a record of the state machine says.
    pub fn fact(&mut self, fact: &Fact<'_>) {
        match *fact {
            Fact::Sequence(sequence) => {
                self.sequence.get_or_insert(sequence);
            }
            Fact::LastApplied(applied) => self.applied(applied),
            Fact::Expire(at, entry) => {
                // The index is of the same moment as the keys.
                self.newest_seq = self.newest_seq.max(at.seq);
                let key = entry.key.as_str();
                if let Ok(at) = self.held.binary_search_by(|held| held.key.as_str().cmp(key))
                    && let Some(held) = self.held.get_mut(at)
                {
                    held.is_indexed = true;
                }
            }
            Fact::Key(key, value) => self.key(key, value.seq, value.meta),
            _ => {}
        }
    }

    /// Keeps the entries up to the last one that the state claims, and looks out for their keys.
    fn applied(&mut self, applied: LogId) {
        if self.last_applied.is_some() || self.newest_seq > 0 {
            self.out_of_order = true;
            return;
        }
        self.last_applied = Some(applied);
        while self.kept.back().is_some_and(|kept| kept.log_id().index > applied.index) {
            self.kept.pop_back();
        }
        self.kept.drain(..self.kept.len().saturating_sub(MOST_ENTRIES));
        self.kept.shrink_to_fit();
        let mut keys: Vec<&str> = self.kept.iter().flat_map(Kept::keys).collect();
        ordered::sort_by_key(&mut keys, |key| *key);
        keys.dedup();
        let held = |key: &str| Held { key: key.to_owned(), seq: 0, meta: None, is_indexed: false };
        self.held = keys.into_iter().map(held).collect();
    }

    fn key(&mut self, key: &str, seq: u64, meta: Option<KVMeta>) {
        self.newest_seq = self.newest_seq.max(seq);
        let is_passed = |held: &Held| key_order::compare(&held.key, key).is_ge();
        if self.passed.checked_sub(1).and_then(|last| self.held.get(last)).is_some_and(is_passed) {
            self.out_of_order = true;
        }
        while let Some(held) = self.held.get_mut(self.passed) {
            match key_order::compare(&held.key, key) {
                Ordering::Greater => break,
                Ordering::Equal => (held.seq, held.meta) = (seq, meta),
                Ordering::Less => {}
            }
            self.passed += 1;
        }
    }

    /// Judges the state, once all lines were taken.
    pub fn verdict(&self) -> Verdict {
        let in_log =
            self.last_applied.is_some() && self.kept.back().map(Kept::log_id) == self.last_applied;
        let unknown = Verdict::Unknown { claimed: self.last_applied, in_log };
        let (Some(claimed), Some(sequence)) = (self.last_applied, self.sequence) else {
            return unknown;
        };
        let newest_seq = self.newest_seq;
        if sequence <= newest_seq {
            return Verdict::Held;
        }
        // A stale entry of the index removes whatever its key holds.
        let may_be_stale = |held: &Held| held.is_indexed && held.seq == 0;
        let unclear = self.out_of_order || !in_log || self.held.iter().any(may_be_stale);
        let newest = self.held.iter().find(|held| held.seq == newest_seq);
        let (Some(newest), false) = (newest.filter(|_| newest_seq > 0), unclear) else {
            return unknown;
        };
        let Some(writers) = self.writers(newest) else { return unknown };
        // The newest key is of the earliest of them or of a later one, whose other writes count.
        let from = writers.last().copied().unwrap_or(0);
        if sequence - newest_seq <= kept::removable(self.kept.range(from..)) {
            return Verdict::Held;
        }
        let gap = writers.iter().find_map(|writer| self.gap_behind(*writer, sequence));
        Verdict::Lacking(Lacking { claimed, sequence, newest_seq, gap })
    }

    /// Which entries can have written the newest key, the latest first, down to one that surely
    /// wrote it. None when there is no such one before an entry whose effect is not known.
    fn writers(&self, newest: &Held) -> Option<Vec<usize>> {
        let mut writers = Vec::new();
        for (at, kept) in self.kept.iter().enumerate().rev() {
            if !kept.is_known() {
                return None;
            }
            if kept.may_write(&newest.key) {
                writers.push(at);
                if kept.surely_wrote(&newest.key, newest.seq, |key| self.seq_of(key)) {
                    return Some(writers);
                }
            }
        }
        None
    }

    /// The sequence number of a key's record, 0 when there is none.
    fn seq_of(&self, key: &str) -> u64 {
        let found = self.held.binary_search_by(|held| held.key.as_str().cmp(key));
        found.ok().and_then(|at| self.held.get(at)).map_or(0, |held| held.seq)
    }
}

impl Lacking {
    /// What is lacking, in words.
    pub fn describe(&self) -> String {
        let Self { claimed, sequence, newest_seq, gap } = self;
        match gap {
            Some(Gap { first, keys, may_be_cut, .. }) => {
                let later = match claimed.index.saturating_sub(first.index) {
                    0 => String::new(),
                    1 => " and the one behind it".to_owned(),
                    many => format!(" and the {many} behind it"),
                };
                let keys = plural(*keys, "key", "keys");
                let cut = if *may_be_cut {
                    ", behind the last line: the dump may have been cut"
                } else {
                    ""
                };
                format!(
                    "the state claims the entries up to {claimed}, but lacks what {first}{later} \
                     wrote: {keys}{cut}"
                )
            }
            None => format!(
                "the state claims the entries up to {claimed} and the sequence number {sequence}, \
                 but the writes after {newest_seq} are not in it"
            ),
        }
    }
}
