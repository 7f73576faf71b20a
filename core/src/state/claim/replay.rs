//! Applies the entries behind the newest key to the state, by the rules of the servers that wrote
//! incomplete snapshots.

use std::sync::Arc;

use super::{ClaimCheck, Gap, Held};
use crate::dump::record::{Bytes, ExpireKey, ExpireValue, SeqV, Text};
use crate::state::apply::{ApplyRules, MemoryStore, StateMachine, Store};

/// Servers 1.2.784 to 1.2.822, those that wrote incomplete snapshots among them.
const RULES: ApplyRules = ApplyRules::V1_2_784;

impl ClaimCheck {
    /// What the state lacks if an entry is the last one that it holds; none when that cannot be,
    /// because the entries behind it give out other numbers than those that are missing.
    pub(super) fn gap_behind(&self, writer: usize, sequence: u64) -> Option<Gap> {
        let mut store = self.store()?;
        store.system_mut().last_applied = Some(self.kept.get(writer)?.log_id());
        let mut machine = StateMachine::new(store, RULES);
        // The number after each entry.
        let mut numbers = Vec::new();
        for kept in self.kept.range(writer + 1..) {
            machine.apply(&kept.entry).ok()?;
            numbers.push(machine.system().sequence);
        }
        if numbers.last() != Some(&sequence) {
            return None;
        }
        let (mut keys, mut first_seq, mut may_be_cut) = (0, None, true);
        for (at, held) in self.held.iter().enumerate() {
            let Ok(record) = machine.store().record(&held.key);
            let seq = record.map_or(0, |record| record.seq);
            if seq != held.seq {
                keys += 1;
                may_be_cut &= at >= self.passed;
            }
            if seq > self.newest_seq {
                first_seq = Some(first_seq.map_or(seq, |first: u64| first.min(seq)));
            }
        }
        let first_seq = first_seq?;
        let first = numbers.iter().position(|number| *number >= first_seq)?;
        let first = self.kept.get(writer + 1 + first)?;
        // What was deleted meanwhile may be lacking as well; to delete it again does no harm.
        let holds = self.kept.get(writer)?.log_id();
        Some(Gap { first: first.log_id(), place: first.place, keys, holds, may_be_cut })
    }

    /// The state as far as the kept entries can see it.
    fn store(&self) -> Option<MemoryStore> {
        let mut store = MemoryStore::default();
        store.system_mut().sequence = self.newest_seq;
        for Held { key, seq, meta, .. } in self.held.iter().filter(|held| held.seq > 0) {
            let record = SeqV { seq: *seq, meta: *meta, data: Bytes::default() };
            if let Some(time_ms) = record.expire_ms() {
                let value = ExpireValue { seq: *seq, key: Text::from(key.as_str()) };
                store.put_expiry(ExpireKey { time_ms, seq: *seq }, value).ok()?;
            }
            store.put_record(key, Arc::new(record)).ok()?;
        }
        Some(store)
    }
}
