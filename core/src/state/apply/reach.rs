//! Which records entries may look at or change, so that only those need to be at hand.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;

use twox_hash::XxHash3_128;

use super::condition::Condition;
use super::operation::Step;
use super::range::KeyRange;
use super::rules::TransactionRule;
use crate::dump::record::{
    Cmd, ExpireKey, ExpireValue, KvBranch, LogEntry, Payload, SeqV, Target, TxnRequest,
    expire_at_ms,
};

/// The records that some entries may look at or change: those of keys and prefixes that they name,
/// and what expires by their clocks.
///
/// **Invariant:** entries that are applied to these records alone do to them what they would do to
/// them in the whole state.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    keys: KeySet,
    /// Ranges of keys that do not overlap, by their first key.
    ranges: BTreeMap<String, KeyRange>,
    /// The latest clock.
    until_ms: u64,
}

impl Reach {
    /// Adds an entry.
    pub fn add(&mut self, entry: &LogEntry<'_>) {
        let Payload::Normal(body) = &entry.payload else { return };
        self.until_ms = self.until_ms.max(body.time_ms.map_or(0, expire_at_ms));
        match &body.cmd {
            Cmd::UpsertKV(upsert) => self.key(&upsert.key),
            Cmd::Transaction(request) => self.request(request),
            Cmd::KvTransaction(txn) => txn.branches.iter().for_each(|branch| self.branch(branch)),
            _ => {}
        }
    }

    /// Adds what an entry of the expiry index may remove.
    pub fn add_expiry(&mut self, at: ExpireKey, value: &ExpireValue<'_>) {
        if at.time_ms <= self.until_ms {
            self.key(&value.key);
        }
    }

    /// Whether the record of a key may be looked at or changed.
    pub fn has(&self, key: &str, record: &SeqV<'_>) -> bool {
        record.expire_ms().is_some_and(|at| at <= self.until_ms) || self.has_key(key)
    }

    /// Whether an entry of the expiry index may be looked at or changed.
    pub fn has_expiry(&self, at: ExpireKey, value: &ExpireValue<'_>) -> bool {
        at.time_ms <= self.until_ms || self.has_key(&value.key)
    }

    /// The keys and prefixes that are named.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let prefixes = self.ranges.keys().map(String::as_str);
        self.keys.all.iter().map(String::as_str).chain(prefixes)
    }

    /// Whether a key is named, or has a prefix that is.
    pub fn has_key(&self, key: &str) -> bool {
        self.keys.contains(key) || self.has_in_range(key)
    }

    fn has_in_range(&self, key: &str) -> bool {
        // Looked up for every key of a state, and mostly there is none.
        if self.ranges.is_empty() {
            return false;
        }
        let mut before = self.ranges.range::<str, _>((Bound::Unbounded, Bound::Included(key)));
        before.next_back().is_some_and(|(_, range)| range.contains(key))
    }

    fn key(&mut self, key: &str) {
        self.keys.add(key);
    }

    fn prefix(&mut self, prefix: &str) {
        let mut new = KeyRange::with_prefix(prefix);
        // Those that the new one overlaps become part of it.
        let first = self
            .ranges
            .range::<str, _>((Bound::Unbounded, Bound::Included(new.from.as_str())))
            .next_back()
            .filter(|(_, range)| range.contains(&new.from))
            .map(|(from, _)| from.clone());
        let mut from = first.unwrap_or_else(|| new.from.clone());
        while let Some((next, _)) = self.ranges.range(from..).next()
            && (*next <= new.from || new.contains(next))
        {
            from = next.clone();
            let Some(old) = self.ranges.remove(&from) else { break };
            new.from = new.from.min(old.from);
            new.before = new.before.zip(old.before).map(|(a, b)| a.max(b));
        }
        self.ranges.insert(new.from.clone(), new);
    }

    fn request(&mut self, request: &TxnRequest<'_>) {
        // Under this rule every operation and every condition counts.
        const RULE: TransactionRule = TransactionRule::Converted;
        self.condition(Condition::of_request(&request.condition, RULE));
        for branch in &request.operations {
            if let Some(predicate) = &branch.predicate {
                self.condition(Condition::of_expression(predicate, RULE));
            }
        }
        let branches = request.operations.iter().flat_map(|branch| &branch.operations);
        for operation in branches.chain(&request.if_then).chain(&request.else_then) {
            if let Some(step) = Step::of_txn(operation, RULE) {
                self.step(&step);
            }
        }
    }

    fn branch(&mut self, branch: &KvBranch<'_>) {
        if let Some(predicate) = &branch.predicate {
            self.condition(Condition::of_predicate(predicate));
        }
        branch.operations.iter().for_each(|operation| self.step(&Step::of_kv(operation)));
    }

    fn condition(&mut self, condition: Condition<'_>) {
        // On a stack of our own, since the input decides how deep conditions nest.
        let mut left = vec![condition];
        while let Some(condition) = left.pop() {
            match condition {
                Condition::All(children) | Condition::Any(children) => left.extend(children),
                Condition::Key(condition) => match condition.given {
                    Target::KeysWithPrefix(_) => self.prefix(condition.key),
                    Target::Seq(_) | Target::Value(_) => self.key(condition.key),
                },
                Condition::Settled(_) => {}
            }
        }
    }

    fn step(&mut self, step: &Step<'_>) {
        match *step {
            Step::Get { key }
            | Step::Put { key, .. }
            | Step::Delete { key, .. }
            | Step::FetchIncrease { key, .. } => self.key(key),
            Step::DeleteByPrefix { prefix } => self.prefix(prefix),
            // Its number is that of the counter by then.
            Step::PutSequential { prefix, counter, .. } => {
                self.key(counter);
                self.prefix(prefix);
            }
        }
    }
}

/// A few of all keys.
#[derive(Debug, Clone, Default)]
struct KeySet {
    all: HashSet<String>,
    /// Bits that keys share, a power of two. Every key of a state is looked up, and for most this says
    /// no: their hash is a fifth of what the set needs, which no input may slow down.
    filter: Vec<u64>,
}

/// How many bits a filter has at first, and for each key at least. Between two looks at a word of it a
/// megabyte and more of the dump goes through the cache of a core: the smaller it is, the likelier it
/// stays there.
const FILTER_BITS: usize = 1 << 12;
const FILTER_BITS_PER_KEY: usize = 8;

impl KeySet {
    fn add(&mut self, key: &str) {
        if self.contains(key) {
            return;
        }
        self.all.insert(key.to_owned());
        if self.all.len() * FILTER_BITS_PER_KEY > self.bits() {
            let bits = (2 * self.bits()).max(FILTER_BITS);
            self.filter = vec![0; bits / WORD_BITS];
            self.all.iter().for_each(|key| mark(&mut self.filter, key));
        } else {
            mark(&mut self.filter, key);
        }
    }

    fn contains(&self, key: &str) -> bool {
        if self.filter.is_empty() {
            return false;
        }
        let (word, bit) = place(key, self.filter.len());
        self.filter.get(word).is_some_and(|word| word & bit != 0) && self.all.contains(key)
    }

    const fn bits(&self) -> usize {
        self.filter.len() * WORD_BITS
    }
}

/// How many bits a word of a filter has.
const WORD_BITS: usize = u64::BITS as usize;

/// Sets the bit of a key in a filter.
fn mark(filter: &mut [u64], key: &str) {
    let (word, bit) = place(key, filter.len());
    if let Some(word) = filter.get_mut(word) {
        *word |= bit;
    }
}

/// The bit of a key in a filter of so many words, a power of two.
fn place(key: &str, words: usize) -> (usize, u64) {
    let hash = XxHash3_128::oneshot(key.as_bytes()) as u64;
    ((hash >> 6) as usize & words.wrapping_sub(1), 1 << (hash & 63))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_that_is_named_is_reached_and_no_other() {
        let mut reach = Reach::default();
        assert!(!reach.has_key("key/0"));
        (0..3000).step_by(2).for_each(|number| reach.key(&format!("key/{number}")));
        let has = |number: &usize| reach.has_key(&format!("key/{number}"));
        assert!((0..3000).filter(has).eq((0..3000).step_by(2)));
        // Few keys pass the filter that are not named.
        let filter = &reach.keys.filter;
        let (set, bits) =
            (filter.iter().map(|word| word.count_ones()).sum::<u32>(), reach.keys.bits());
        assert!(set as usize * 6 < bits, "{set} of {bits} bits");
    }

    proptest! {
        #[test]
        fn a_key_is_reached_when_a_prefix_has_it(
            prefixes in proptest::collection::vec("[ab]{0,3}", 0..8),
            key in "[abc]{0,5}",
        ) {
            let mut reach = Reach::default();
            prefixes.iter().for_each(|prefix| reach.prefix(prefix));
            let has = prefixes.iter().any(|prefix| key.starts_with(prefix.as_str()));
            prop_assert_eq!(reach.has_key(&key), has, "{:?}", reach.ranges);
            let ranges: Vec<&KeyRange> = reach.ranges.values().collect();
            for pair in ranges.windows(2) {
                prop_assert!(pair[0].before.as_ref() <= Some(&pair[1].from));
                prop_assert!(pair[0].before.is_some());
            }
        }
    }
}
