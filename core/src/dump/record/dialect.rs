//! Facts in the form that a data version has for them.

use std::collections::BTreeMap;
use std::fmt;

use super::kv::LARGEST_SECONDS;
use super::newer_command::readable;
use super::{
    DataVersion, ExpireKey, Fact, KVMeta, Keyed, LogEntry, LogId, LogMetaKey, LogMetaValue, Node,
    RaftStateKey, RaftStateValue, Record, SeqV, Tree, expire_at_ms,
};

/// What an older version has no place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// When a key was proposed.
    ProposalTime,
    /// The milliseconds of a time at which a key expires: it is put off to the next second.
    ExpiryMilliseconds,
    /// An expiry beyond the year 5138: it is brought forward to that.
    LateExpiry,
    /// The TLS address of a node.
    TlsAddress,
    /// A log entry whose command is not known: its effect is in the state, the log begins after it.
    Command,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ProposalTime => "the time at which a key was proposed",
            Self::ExpiryMilliseconds => "the milliseconds of an expiry, put off to the full second",
            Self::LateExpiry => "an expiry beyond the year 5138, brought forward to that",
            Self::TlsAddress => "the TLS address of a node",
            Self::Command => "a log entry that the state holds already",
        })
    }
}

/// How often something was lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses(BTreeMap<Loss, u64>);

impl Losses {
    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was lost and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Loss, u64)> {
        self.0.iter().map(|(loss, count)| (*loss, *count))
    }

    /// One more.
    pub fn add(&mut self, loss: Loss) {
        self.add_times(loss, 1);
    }

    /// Some more.
    pub fn add_times(&mut self, loss: Loss, count: u64) {
        if count > 0 {
            *self.0.entry(loss).or_default() += count;
        }
    }

    /// All that others count.
    pub fn add_all(&mut self, others: &Self) {
        for (loss, count) in others.iter() {
            self.add_times(loss, count);
        }
    }
}

/// A log entry that a version cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {log_id} holds {what}, which servers of {version} cannot read")]
pub struct TooNew {
    /// The entry.
    pub log_id: LogId,
    /// What it holds.
    pub what: &'static str,
    /// The version.
    pub version: DataVersion,
}

/// Gives facts the form of a data version.
///
/// ```
/// use metadump::record::{DataVersion, Dialect, Fact, NodeId, Tree};
///
/// let mut dialect = Dialect::new(DataVersion::V004, DataVersion::V003);
/// let (tree, record) = dialect.record(&Fact::NodeId(Some(NodeId(1))))?.unwrap();
/// assert_eq!(tree, Tree::RaftState);
/// assert_eq!(record.kind().name(), "RaftStateKV");
/// # Ok::<(), metadump::record::TooNew>(())
/// ```
#[derive(Debug, Clone)]
pub struct Dialect {
    from: DataVersion,
    to: DataVersion,
    losses: Losses,
}

impl Dialect {
    /// For data that was written in one version and is to have the form of an older or the same.
    pub fn new(from: DataVersion, to: DataVersion) -> Self {
        Self { from, to, losses: Losses::default() }
    }

    /// The version whose form facts are given.
    pub const fn version(&self) -> DataVersion {
        self.to
    }

    /// Whether facts of data of version `from` get the same form, entries of the log aside.
    pub fn is_fit_for(&self, from: DataVersion) -> bool {
        self.is_from_milliseconds() == (from >= DataVersion::V004)
    }

    /// What was lost so far.
    #[must_use]
    pub const fn losses(&self) -> &Losses {
        &self.losses
    }

    /// The record and the tree that it belongs to; none when the version has no such record.
    ///
    /// # Errors
    ///
    /// When a log entry holds what servers of that version cannot read.
    pub fn record<'r>(&mut self, fact: &Fact<'r>) -> Result<Option<(Tree, Record<'r>)>, TooNew> {
        if self.to >= DataVersion::V004 {
            return Ok(fact.record());
        }
        let raft_state =
            |key, value| Some((Tree::RaftState, Record::RaftStateKV(Keyed { key, value })));
        let machine = |record| Some((Tree::StateMachine(0), record));
        Ok(match *fact {
            Fact::NodeId(Some(id)) => raft_state(RaftStateKey::Id, RaftStateValue::NodeId(id)),
            Fact::Vote(Some(vote)) => {
                raft_state(RaftStateKey::HardState, RaftStateValue::HardState(vote))
            }
            // Before V002 servers found out anew.
            Fact::Committed(Some(id)) if self.to >= DataVersion::V002 => {
                raft_state(RaftStateKey::Committed, RaftStateValue::Committed(Some(id)))
            }
            Fact::Purged(Some(purged)) => {
                let value = LogMetaValue::LogId(purged);
                let record = Record::LogMeta(Keyed { key: LogMetaKey::LastPurged, value });
                Some((Tree::RaftLog, record))
            }
            Fact::Entry(entry) => {
                let key = entry.log_id.index;
                let value = self.entry(entry.clone())?;
                Some((Tree::RaftLog, Record::Logs(Keyed { key, value: value.into() })))
            }
            Fact::Node(key, node) => {
                let value = self.node(node.clone());
                machine(Record::Nodes(Keyed { key, value: value.into() }))
            }
            Fact::Expire(key, value) => {
                let (key, value) = (self.expire_key(key), value.borrowed());
                machine(Record::Expire(Keyed { key, value }))
            }
            Fact::Key(key, value) => {
                let (key, value) = (key.borrowed(), self.value(value.borrowed()));
                machine(Record::GenericKV(Keyed { key, value }))
            }
            Fact::Sequence(_) | Fact::LastApplied(_) | Fact::Membership(_) => fact.record(),
            // The header is the affair of whoever writes: not every version has it in one place.
            Fact::Header(_)
            | Fact::NodeId(None)
            | Fact::Vote(None)
            | Fact::Committed(_)
            | Fact::Purged(None)
            | Fact::LiveMachine(_)
            | Fact::Retired(_)
            | Fact::Nothing => None,
        })
    }

    /// The place of an entry in the expiry index.
    pub fn expire_key(&self, key: ExpireKey) -> ExpireKey {
        ExpireKey { time_ms: self.expiry_ms(key.time_ms), ..key }
    }

    /// Whether times are in milliseconds where older servers expect seconds.
    fn is_from_milliseconds(&self) -> bool {
        self.from >= DataVersion::V004
    }

    /// The time at which servers that count seconds let a key expire. Those find the entry of the
    /// index by the same time.
    fn expiry_ms(&self, time_ms: u64) -> u64 {
        if self.is_from_milliseconds() {
            time_ms.div_ceil(1000).min(LARGEST_SECONDS) * 1000
        } else {
            time_ms
        }
    }

    fn value<'a>(&mut self, mut value: SeqV<'a>) -> SeqV<'a> {
        let Some(KVMeta { expire_at, proposed_at_ms }) = value.meta else { return value };
        if proposed_at_ms.is_some() {
            self.losses.add(Loss::ProposalTime);
        }
        let expire_at = expire_at.map(|at| self.seconds(at));
        let says_nothing = expire_at.is_none() && self.from >= DataVersion::V004;
        value.meta = (!says_nothing).then_some(KVMeta { expire_at, proposed_at_ms: None });
        value
    }

    /// A point in time in seconds.
    fn seconds(&mut self, at: u64) -> u64 {
        let time_ms = expire_at_ms(at);
        if !self.is_from_milliseconds() {
            return at;
        }
        if !time_ms.is_multiple_of(1000) {
            self.losses.add(Loss::ExpiryMilliseconds);
        }
        // What is larger would be taken for milliseconds.
        let seconds = time_ms.div_ceil(1000);
        if seconds > LARGEST_SECONDS {
            self.losses.add(Loss::LateExpiry);
        }
        seconds.min(LARGEST_SECONDS)
    }

    fn node(&mut self, node: Node) -> Node {
        if node.raft_tls_advertise_address.is_some() {
            self.losses.add(Loss::TlsAddress);
        }
        Node { raft_tls_advertise_address: None, ..node }
    }

    fn entry<'a>(&mut self, entry: LogEntry<'a>) -> Result<LogEntry<'a>, TooNew> {
        let (log_id, version) = (entry.log_id, self.to);
        if self.from <= version {
            // Servers of that version wrote it.
            return Ok(entry);
        }
        let is_in_ms = self.is_from_milliseconds();
        let entry = readable(entry, version, |at| if is_in_ms { self.seconds(at) } else { at });
        entry.map_err(|what| TooNew { log_id, what, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::scan::scan_line;

    /// The kind and content of a line after the conversion, and what was lost.
    fn check(to: DataVersion, line: &str, expected: Option<&str>, lost: &[Loss]) {
        let mut older = Dialect::new(DataVersion::V004, to);
        let scanned = scan_line(line.as_bytes()).unwrap();
        let fact = scanned.record.fact();
        let converted = older.record(&fact).unwrap();
        let text = converted.map(|(_, record)| serde_json::to_string(&record).unwrap());
        assert_eq!(text.as_deref(), expected);
        let found: Vec<Loss> = older.losses().iter().map(|(loss, _)| loss).collect();
        assert_eq!(found, lost);
    }

    const V003: DataVersion = DataVersion::V003;

    #[test]
    fn raft_state_has_the_older_form() {
        check(
            V003,
            r#"["raft_log",{"NodeId":1}]"#,
            Some(r#"{"RaftStateKV":{"key":"Id","value":{"NodeId":1}}}"#),
            &[],
        );
        check(V003, r#"["raft_log",{"NodeId":null}]"#, None, &[]);
        check(V003, r#"["raft_log",{"Vote":null}]"#, None, &[]);
        check(V003, r#"["raft_log",{"Purged":null}]"#, None, &[]);
        check(V003, r#"["raft_log",{"Committed":null}]"#, None, &[]);
        let committed =
            r#"["raft_log",{"Committed":{"leader_id":{"term":1,"node_id":0},"index":1}}]"#;
        let expected = r#"{"RaftStateKV":{"key":"Committed","value":{"Committed":{"leader_id":{"term":1,"node_id":0},"index":1}}}}"#;
        check(V003, committed, Some(expected), &[]);
        check(DataVersion::V001, committed, None, &[]);
        check(
            V003,
            r#"["raft_log",{"Purged":{"leader_id":{"term":1,"node_id":0},"index":1}}]"#,
            Some(
                r#"{"LogMeta":{"key":"LastPurged","value":{"LogId":{"leader_id":{"term":1,"node_id":0},"index":1}}}}"#,
            ),
            &[],
        );
    }

    #[test]
    fn a_key_expires_at_a_full_second_that_its_index_entry_agrees_with() {
        check(
            V003,
            r#"["state_machine/0",{"GenericKV":{"key":"a","value":{"seq":7,"meta":{"expire_at":1796273924001,"proposed_at_ms":5},"data":[1]}}}]"#,
            Some(
                r#"{"GenericKV":{"key":"a","value":{"seq":7,"meta":{"expire_at":1796273925},"data":[1]}}}"#,
            ),
            &[Loss::ProposalTime, Loss::ExpiryMilliseconds],
        );
        check(
            V003,
            r#"["state_machine/0",{"Expire":{"key":{"time_ms":1796273924001,"seq":7},"value":{"seq":1,"key":"a"}}}]"#,
            Some(
                r#"{"Expire":{"key":{"time_ms":1796273925000,"seq":7},"value":{"seq":1,"key":"a"}}}"#,
            ),
            &[],
        );
        check(
            V003,
            r#"["state_machine/0",{"GenericKV":{"key":"a","value":{"seq":7,"meta":{"expire_at":253402300800000},"data":[1]}}}]"#,
            Some(
                r#"{"GenericKV":{"key":"a","value":{"seq":7,"meta":{"expire_at":100000000000},"data":[1]}}}"#,
            ),
            &[Loss::LateExpiry],
        );
        check(
            V003,
            r#"["state_machine/0",{"Expire":{"key":{"time_ms":18446744073709551615,"seq":7},"value":{"seq":1,"key":"a"}}}]"#,
            Some(
                r#"{"Expire":{"key":{"time_ms":100000000000000,"seq":7},"value":{"seq":1,"key":"a"}}}"#,
            ),
            &[],
        );
        let seconds = r#"{"seq":7,"meta":{"expire_at":1796273924},"data":[1]}"#;
        check(
            V003,
            &format!(r#"["state_machine/0",{{"GenericKV":{{"key":"a","value":{seconds}}}}}]"#),
            Some(&format!(r#"{{"GenericKV":{{"key":"a","value":{seconds}}}}}"#)),
            &[],
        );
    }

    fn entry(cmd: &str) -> String {
        format!(
            r#"["raft_log",{{"LogEntry":{{"log_id":{{"leader_id":{{"term":1,"node_id":1}},"index":5}},"payload":{{"Normal":{{"time_ms":9,"cmd":{cmd}}}}}}}}}]"#
        )
    }

    fn transaction(operation: &str) -> String {
        let operation = format!(r#"{{"request":{operation}}}"#);
        entry(&format!(
            r#"{{"Transaction":{{"condition":[],"if_then":[{operation}],"else_then":[]}}}}"#
        ))
    }

    #[track_caller]
    fn check_too_new(to: DataVersion, line: &str, what: &str) {
        let mut older = Dialect::new(DataVersion::V004, to);
        let error = older.record(&scan_line(line.as_bytes()).unwrap().record.fact()).unwrap_err();
        let expected = format!("entry T1-N1.5 holds {what}, which servers of {to} cannot read");
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn commands_that_are_not_known_are_refused() {
        let feature = r#"{"SetFeature":{"feature":"f","enable":true}}"#;
        check_too_new(V003, &entry(feature), "a SetFeature");
        check_too_new(V003, &entry(r#"{"KvTransaction":{"branches":[]}}"#), "a KvTransaction");
        let operations = [
            (r#"{"FetchAddU64":{"key":"k","delta":1}}"#, "a FetchAddU64"),
            (r#"{"FetchIncreaseU64":{"key":"k","delta":1,"max_value":0}}"#, "a FetchIncreaseU64"),
            (
                r#"{"PutSequential":{"prefix":"p","sequence_key":"k","value":[]}}"#,
                "a PutSequential",
            ),
            (r#"{"Put":{"key":"k","value":[],"match_seq":3}}"#, "a condition on a Put"),
        ];
        for (operation, what) in operations {
            check_too_new(V003, &transaction(operation), what);
        }
        let ttl = r#"{"UpsertKV":{"key":"k","seq":"Any","value":"Delete","value_meta":{"expire_at":null,"ttl":{"millis":5}}}}"#;
        check_too_new(DataVersion::V001, &entry(ttl), "a time to live");
        let older = Dialect::new(DataVersion::V004, V003);
        assert!(
            older.clone().record(&scan_line(entry(ttl).as_bytes()).unwrap().record.fact()).is_ok()
        );
    }

    #[test]
    fn what_a_version_wrote_it_reads() {
        let ttl = r#"{"UpsertKV":{"key":"k","seq":"Any","value":"Delete","value_meta":{"expire_at":null,"ttl":{"millis":5}}}}"#;
        let line = entry(ttl);
        let mut older = Dialect::new(DataVersion::V001, DataVersion::V001);
        let scanned = scan_line(line.as_bytes()).unwrap();
        let fact = scanned.record.fact();
        let read = older.record(&fact).unwrap();
        let Some((_, Record::Logs(Keyed { value, .. }))) = read else { panic!("{read:?}") };
        let Record::LogEntry(written) = scan_line(line.as_bytes()).unwrap().record else {
            panic!()
        };
        assert_eq!(value, written);
    }

    #[test]
    fn transactions_have_what_older_servers_insist_on() {
        check(
            V003,
            &transaction(r#"{"Put":{"key":"k","value":[],"expire_at":1796273924001}}"#),
            Some(
                r#"{"Logs":{"key":5,"value":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":5},"payload":{"Normal":{"time_ms":9,"cmd":{"Transaction":{"condition":[],"if_then":[{"request":{"Put":{"key":"k","value":[],"prev_value":true,"expire_at":1796273925,"match_seq":null}}}],"else_then":[]}}}}}}}"#,
            ),
            &[Loss::ExpiryMilliseconds],
        );
    }
}
