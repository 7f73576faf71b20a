//! What a line of V004 is to a chain.

use crate::dump::record::{DataVersion, LogId, Record, Tree};
use crate::dump::scan::{LineError, scan_line};

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The header, with its data version if this release knows it.
    Header(Option<DataVersion>),
    /// The id of the node.
    NodeId,
    /// Its vote.
    Vote,
    /// How far its log is committed.
    Committed,
    /// How far its log is purged.
    Purged(Option<LogId>),
    /// An entry of the log, also one with a command that this release does not know.
    Entry(LogId),
    /// A line of the state machine.
    State,
    /// No record, or one of another data version.
    Other,
}

impl Part {
    /// Reads a line, given without its line end.
    ///
    /// ```
    /// use metadump::chain::Part;
    ///
    /// assert_eq!(Part::of(br#"["raft_log",{"NodeId":1}]"#), Part::NodeId);
    /// assert_eq!(Part::of(b"what is no record"), Part::Other);
    /// ```
    pub fn of(line: &[u8]) -> Self {
        let scanned = match scan_line(line) {
            Ok(scanned) => scanned,
            Err(LineError::UnknownCommand { log_id: Some(log_id), .. }) => {
                return Self::Entry(log_id);
            }
            Err(_) => return Self::Other,
        };
        if let Tree::StateMachine(_) = scanned.tree() {
            return Self::State;
        }
        match &scanned.record {
            Record::DataHeader(header) => Self::Header(header.value.data_version()),
            Record::NodeId(_) => Self::NodeId,
            Record::Vote(_) => Self::Vote,
            Record::Committed(_) => Self::Committed,
            Record::Purged(purged) => Self::Purged(*purged),
            Record::LogEntry(entry) => Self::Entry(entry.log_id),
            _ => Self::Other,
        }
    }
}
