//! The state machine: what the entries of a Raft log make of a state.
//!
//! Every server that applies the same entries by the same rules comes to the same state, byte for
//! byte. That makes a log of use for a restore, and it makes a backup provable: the log from its
//! beginning must give the snapshot.
//!
//! ```text
//! dump lines ─► load ─► StateMachine ─┬─► Applied: reply, events
//! log entries ─► apply ──────┘        ├─► get, mget, list (a clock comes in), present
//!                                     └─► snapshot ─► dump lines
//! ```
//!
//! **Invariant:** the only clock of applying is that of the entry; the only clock of reading is
//! the one that the reader brings.
//!
//! **Invariant:** the rules are here and storage is behind [`Store`], so that a state on disk
//! obeys the same ones as a state in memory.

mod cleaning;
mod condition;
mod counter;
mod memory;
mod operation;
mod range;
mod reach;
mod read;
mod reply;
mod rules;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;
mod transaction;
mod upsert;

use std::collections::BTreeMap;

pub use memory::MemoryStore;
pub use range::KeyRange;
pub use reach::Reach;
pub use reply::{
    Applied, ChangeEvent, ExecutionPath, KVChange, KvTransactionReply, NodeChange, Reply,
    TxnOpResponse, TxnReply,
};
pub use rules::{
    ApplyRules, CleaningRule, ExpiryRule, MetaRule, PrefixRule, TransactionRule, TxIdRule,
};
pub use snapshot::Loaded;
pub use store::{SharedRecord, Store};

use crate::dump::record::{
    AddNode, Cmd, ExpireKey, LogEntry, LogEntryBody, LogId, Membership, NodeId, Operation, Payload,
    StoredMembership,
};
pub use crate::state::node::SystemState;
use upsert::Write;

/// A state and the rules by which entries change it.
///
/// ```
/// use metadump::apply::{ApplyRules, MemoryStore, Reply, StateMachine};
/// use metadump::record::{Record, Text};
/// use metadump::{dump_line, scan};
///
/// let mut machine = StateMachine::new(MemoryStore::default(), ApplyRules::CURRENT);
/// let line = br#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":0},
///     "payload":{"Normal":{"time_ms":1000,"cmd":{"UpsertKV":
///     {"key":"k","seq":"Any","value":{"Update":[118]},"value_meta":null}}}}}}]"#;
/// let Record::LogEntry(entry) = scan::scan_line(line)?.record else { panic!() };
///
/// let applied = machine.apply(&entry).unwrap();
/// let Reply::KV(change) = applied.reply else { panic!() };
/// assert_eq!(change.prev, None);
/// assert_eq!(machine.get("k", 2000).unwrap(), change.result);
///
/// let mut lines = Vec::new();
/// for record in machine.snapshot() {
///     let mut line = Vec::new();
///     dump_line::put(&mut line, "state_machine/0", &record.unwrap())?;
///     lines.push(String::from_utf8(line)?);
/// }
/// assert_eq!(
///     lines.last().unwrap(),
///     r#"["state_machine/0",{"GenericKV":{"key":"k","value":{"seq":1,"meta":{"proposed_at_ms":1000},"data":[118]}}}]"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct StateMachine<S> {
    store: S,
    rules: ApplyRules,
    /// How far expired records were removed, by the clock of an entry. It is no part of the
    /// state: a server that starts begins at 0 again.
    cleaned_to_ms: u64,
}

/// Why an entry was not applied.
///
/// After [`Store`](Self::Store), [`StaleExpiry`](Self::StaleExpiry) and
/// [`SequenceExhausted`](Self::SequenceExhausted) a part of it may have been: the state is to be
/// given up, or brought back to the last commit. After the others nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError<E> {
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(E),
    /// Entries are applied one after the other, and each once; the entries between are missing.
    #[error(
        "entry {log_id} does not follow {}",
        last_applied.map_or_else(
            || "an empty state, which begins with entry 0 or 1".to_owned(),
            |last| format!("{last}, the last one applied"),
        )
    )]
    NotNext {
        /// The entry.
        log_id: LogId,
        /// The last one that was applied.
        last_applied: Option<LogId>,
    },
    /// Only servers of long ago knew what the command does.
    #[error("entry {log_id}: the command {command} is retired and cannot be applied")]
    Retired {
        /// The entry.
        log_id: LogId,
        /// The command's name.
        command: &'static str,
    },
    /// The effect of a client's transaction id depends on replies that no dump has.
    #[error("entry {log_id} has a client's transaction id ({client:?}, {serial})")]
    TxId {
        /// The entry.
        log_id: LogId,
        /// The client.
        client: String,
        /// The client's counter.
        serial: u64,
    },
    /// An entry of the expiry index is due and its key holds another record or none. A server of
    /// the rules stops here; later ones remove what the key holds.
    #[error(
        "entry {log_id}: the expiry of record {} of key {key:?} at {} ms is due, but the key holds {}",
        at.seq,
        at.time_ms,
        held.map_or_else(|| "no record".to_owned(), |seq| format!("record {seq}"))
    )]
    StaleExpiry {
        /// The entry.
        log_id: LogId,
        /// The entry of the index.
        at: ExpireKey,
        /// The key that it names.
        key: String,
        /// The sequence number of the record that the key holds.
        held: Option<u64>,
    },
    /// No sequence number is left to give to a record.
    #[error("entry {log_id}: the last sequence number, {}, is taken", u64::MAX)]
    SequenceExhausted {
        /// The entry.
        log_id: LogId,
    },
}

impl<E> From<E> for ApplyError<E> {
    fn from(error: E) -> Self {
        Self::Store(error)
    }
}

impl<S: Store> StateMachine<S> {
    /// A server that has just started with the state in `store`.
    pub const fn new(store: S, rules: ApplyRules) -> Self {
        Self { store, rules, cleaned_to_ms: 0 }
    }

    /// The state.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// The state, which the next server can start with.
    pub fn into_store(self) -> S {
        self.store
    }

    /// The small part of the state.
    pub fn system(&self) -> &SystemState {
        self.store.system()
    }

    /// The rules.
    pub const fn rules(&self) -> ApplyRules {
        self.rules
    }

    /// Applies the next entry of the log, which must be known to be committed.
    ///
    /// # Errors
    ///
    /// See [`ApplyError`], also for what is left then.
    pub fn apply(&mut self, entry: &LogEntry<'_>) -> Result<Applied, ApplyError<S::Error>> {
        self.admit(entry)?;
        let log_id = entry.log_id;
        let now_ms = match &entry.payload {
            Payload::Normal(body) => body.time_ms.unwrap_or(0),
            Payload::Blank | Payload::Membership(_) => 0,
        };
        let mut application = Application {
            store: &mut self.store,
            rules: self.rules,
            cleaned_to_ms: &mut self.cleaned_to_ms,
            log_id,
            now_ms,
            keys_before: BTreeMap::new(),
            events: Vec::new(),
        };
        let reply = application.run(&entry.payload)?;
        let events = application.events;
        self.store.commit()?;
        Ok(Applied { reply, events })
    }

    /// Refuses an entry that is not the next one or that nobody can apply.
    fn admit(&self, entry: &LogEntry<'_>) -> Result<(), ApplyError<S::Error>> {
        let log_id = entry.log_id;
        let last_applied = self.system().last_applied;
        let is_next = match last_applied {
            Some(last) => last.index.checked_add(1) == Some(log_id.index),
            // An import of before V004 made logs that begin with 1.
            None => log_id.index <= 1,
        };
        if !is_next {
            return Err(ApplyError::NotNext { log_id, last_applied });
        }
        let Payload::Normal(LogEntryBody { txid, cmd, .. }) = &entry.payload else {
            return Ok(());
        };
        if let (TxIdRule::Refused, Some(txid)) = (self.rules.txid, txid) {
            let (client, serial) = (txid.client.clone(), txid.serial);
            return Err(ApplyError::TxId { log_id, client, serial });
        }
        if cmd.is_retired() {
            return Err(ApplyError::Retired { log_id, command: cmd.name() });
        }
        Ok(())
    }
}

/// The application of one entry.
struct Application<'m, S> {
    store: &'m mut S,
    rules: ApplyRules,
    cleaned_to_ms: &'m mut u64,
    log_id: LogId,
    /// The clock of the entry, 0 when it has none.
    now_ms: u64,
    /// The keys of each prefix that the command deletes, as they were before the entry. Only
    /// [`CleaningRule::FirstEntries`] and the rule before it look there.
    keys_before: BTreeMap<String, Vec<String>>,
    events: Vec<ChangeEvent>,
}

impl<S: Store> Application<'_, S> {
    fn run(&mut self, payload: &Payload<'_>) -> Result<Reply, ApplyError<S::Error>> {
        if let Payload::Normal(body) = payload {
            self.list_before(&body.cmd)?;
        }
        self.clean_expired()?;
        self.store.system_mut().last_applied = Some(self.log_id);
        match payload {
            Payload::Blank => Ok(Reply::None),
            Payload::Membership(membership) => Ok(self.membership(membership)),
            Payload::Normal(body) => self.command(&body.cmd),
        }
    }

    fn membership(&mut self, membership: &Membership) -> Reply {
        self.store.system_mut().last_membership =
            StoredMembership { log_id: Some(self.log_id), membership: membership.clone() };
        Reply::None
    }

    fn command(&mut self, cmd: &Cmd<'_>) -> Result<Reply, ApplyError<S::Error>> {
        match cmd {
            Cmd::UpsertKV(upsert) => {
                let write = match &upsert.value {
                    Operation::Update(bytes) => Write::Update(bytes),
                    Operation::Delete => Write::Delete,
                    Operation::AsIs => Write::AsIs,
                };
                self.upsert(&upsert.key, upsert.seq, &write, upsert.value_meta).map(Reply::KV)
            }
            Cmd::Transaction(request) => self.transaction(request).map(Reply::Transaction),
            Cmd::KvTransaction(transaction) => {
                self.kv_transaction(transaction).map(Reply::KvTransaction)
            }
            Cmd::AddNode(add) => Ok(self.add_node(add)),
            Cmd::RemoveNode { node_id } => Ok(self.remove_node(*node_id)),
            Cmd::SetFeature { feature, enable } => {
                let features = &mut self.store.system_mut().features;
                if *enable {
                    features.insert(feature.clone());
                } else {
                    features.remove(feature);
                }
                Ok(Reply::None)
            }
            retired => Err(ApplyError::Retired { log_id: self.log_id, command: retired.name() }),
        }
    }

    fn add_node(&mut self, add: &AddNode) -> Reply {
        let nodes = &mut self.store.system_mut().nodes;
        let prev = nodes.get(&add.node_id).cloned();
        let result = match &prev {
            Some(present) if !add.overriding => present.clone(),
            _ => add.node.clone(),
        };
        nodes.insert(add.node_id, result.clone());
        Reply::Node(Box::new(NodeChange { prev, result: Some(result) }))
    }

    fn remove_node(&mut self, node_id: NodeId) -> Reply {
        let prev = self.store.system_mut().nodes.remove(&node_id);
        Reply::Node(Box::new(NodeChange { prev, result: None }))
    }
}
