//! What a rewrite changes, for people and programs.

use serde::Serialize;

use crate::change::cluster::Leftovers;
use crate::dump::plural::{grouped, plural};
use crate::dump::record::{LogId, Membership, NodeId};

/// What happens to the expiry index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ExpireChanges {
    /// Entries that are wrong and left out.
    pub dropped: u64,
    /// Entries that were missing and are added.
    pub added: u64,
    /// Some of both, in words.
    pub examples: Vec<String>,
}

/// What happens to a state that lacks entries that it claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotChanges {
    /// The last applied entry before and after.
    pub last_applied: (LogId, LogId),
    /// The last sequence number before and after.
    pub sequence: (u64, u64),
    /// The entry of the membership that takes the place of a later one.
    pub membership: Option<LogId>,
    /// How many keys the log writes again.
    pub keys: u64,
}

/// What is raised, so that ids are not given out again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RaiseChanges {
    /// The last sequence number before and after.
    pub sequence: (u64, u64),
    /// The counters of ids.
    pub counters: Vec<RaisedCounter>,
}

/// A counter of ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RaisedCounter {
    /// Its key.
    pub key: String,
    /// The id that it gave out last.
    pub from: u64,
    /// The same after.
    pub to: u64,
}

impl RaiseChanges {
    fn describe(&self) -> impl Iterator<Item = String> {
        let Self { sequence, counters } = self;
        let counters =
            counters.iter().map(|RaisedCounter { key, from, to }| format!("{key}: {from} -> {to}"));
        std::iter::once(format!("sequence: {} -> {}", grouped(sequence.0), grouped(sequence.1)))
            .chain(counters)
    }
}

/// What a rewrite changes. Everything else stays byte for byte.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// The node id before and after.
    pub node_id: Option<(Option<NodeId>, NodeId)>,
    /// The membership in the state machine before and after.
    pub membership: Option<(Option<Membership>, Membership)>,
    /// The nodes that are removed, with their addresses.
    pub nodes_removed: Vec<(NodeId, String)>,
    /// The nodes that are written, with their addresses.
    pub nodes_added: Vec<(NodeId, String)>,
    /// What else of the old cluster goes.
    pub leftovers: Leftovers,
    /// The log entries that are appended, with what they do.
    pub entries_appended: Vec<(LogId, String)>,
    /// How many log entries are dropped, because the state machine is ahead of all of them.
    pub entries_dropped: u64,
    /// The purged position before and after.
    pub purged: Option<(Option<LogId>, LogId)>,
    /// The last applied entry before and after.
    pub last_applied: Option<(Option<LogId>, LogId)>,
    /// Lines that every dump has and this one lacks.
    pub lines_added: Vec<&'static str>,
    /// What happens to the expiry index.
    pub expire: Option<ExpireChanges>,
    /// What happens to a state that lacks entries that it claims.
    pub snapshot: Option<SnapshotChanges>,
    /// What is raised, so that ids are not given out again.
    pub raised: Option<RaiseChanges>,
}

impl Changes {
    /// Whether the output is the input, byte for byte.
    pub fn is_empty(&self) -> bool {
        let expire = self.expire.as_ref().is_none_or(|expire| expire.dropped + expire.added == 0);
        expire && Self { expire: None, ..self.clone() } == Self::default()
    }

    /// The changes in words, a line each; the same in the terminal and in the browser.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let or_none = |id: Option<String>| id.unwrap_or_else(|| "none".to_owned());
        if let Some((from, to)) = self.node_id.filter(|(from, to)| *from != Some(*to)) {
            lines.push(format!("node id: {} -> {to}", or_none(from.map(|id| id.to_string()))));
        }
        if let Some((from, to)) = &self.membership {
            let from = or_none(from.as_ref().map(voters));
            lines.push(format!("membership: voters {from} -> {}", voters(to)));
        }
        for (id, address) in &self.nodes_removed {
            lines.push(format!("node {id} at {address}: removed"));
        }
        for (id, address) in &self.nodes_added {
            lines.push(format!("node {id} at {address}: written"));
        }
        lines.extend(self.leftovers.describe());
        if self.entries_dropped > 0 {
            let ahead = if self.entries_dropped == 1 { "it" } else { "them" };
            let dropped = entries(self.entries_dropped);
            lines.push(format!("log: {dropped} dropped, the state machine is ahead of {ahead}"));
        }
        if let Some((from, to)) = &self.purged {
            lines.push(format!("purged: {} -> {to}", or_none(from.map(|id| id.to_string()))));
        }
        if let Some((from, to)) = &self.last_applied {
            lines.push(format!("last applied: {} -> {to}", or_none(from.map(|id| id.to_string()))));
        }
        for (log_id, what) in &self.entries_appended {
            lines.push(format!("log: {log_id} appended, {what}"));
        }
        for name in &self.lines_added {
            lines.push(format!("{name}: line added"));
        }
        if let Some(snapshot) = &self.snapshot {
            let SnapshotChanges { last_applied, sequence, membership, keys } = snapshot;
            lines.push(format!("last applied: {} -> {}", last_applied.0, last_applied.1));
            lines.push(format!("sequence: {} -> {}", grouped(sequence.0), grouped(sequence.1)));
            if let Some(membership) = membership {
                lines.push(format!("membership: that of {membership}"));
            }
            let keys = plural(*keys, "key", "keys");
            lines.push(format!(
                "the log is applied from there on: what it writes to {keys} was missing"
            ));
        }
        lines.extend(self.raised.iter().flat_map(RaiseChanges::describe));
        if let Some(expire) = &self.expire {
            let dropped = entries(expire.dropped);
            lines.push(format!("expiry index: {dropped} dropped, {} added", expire.added));
            lines.extend(expire.examples.iter().map(|example| format!("  {example}")));
        }
        if lines.is_empty() {
            lines.push("no line of the dump changes".to_owned());
        }
        lines
    }
}

fn entries(count: u64) -> String {
    plural(count, "entry", "entries")
}

fn voters(membership: &Membership) -> String {
    let ids: Vec<String> = membership.voters().iter().map(ToString::to_string).collect();
    format!("{{{}}}", ids.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_entry_is_singular() {
        let expire = Some(ExpireChanges { dropped: 1, added: 2, examples: Vec::new() });
        let changes = Changes { entries_dropped: 1, expire, ..Changes::default() };
        assert_eq!(
            changes.describe(),
            [
                "log: 1 entry dropped, the state machine is ahead of it",
                "expiry index: 1 entry dropped, 2 added"
            ]
        );
    }
}
