//! A record of the log, and where it stands.

use std::fmt;

use super::{As, OrNone};
use crate::disk::wal::{WalRecord, WalState};
use crate::dump::record::{Payload, Vote};
use crate::value::Secrets;

/// What stands before a record: its number in the chunk file, and its place there.
///
/// ```
/// use metadump::log_text::RecordPlace;
///
/// let place = RecordPlace { number: 1, bytes: Some(18..46) };
/// assert_eq!(place.to_string(), "R-00001: [000_000_018, 000_000_046) Size(28)");
/// assert_eq!(RecordPlace { number: 1, bytes: None }.to_string(), "R-00001");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPlace {
    /// The number, from 0.
    pub number: u64,
    /// The bytes that the record takes in its file; none where a log has no such files.
    pub bytes: Option<std::ops::Range<u64>>,
}

impl fmt::Display for RecordPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "R-{:05}", self.number)?;
        let Some(bytes) = &self.bytes else { return Ok(()) };
        let size = bytes.end.saturating_sub(bytes.start);
        write!(f, ": [{}, {}) Size({size})", Grouped(bytes.start), Grouped(bytes.end))
    }
}

/// At least nine digits, in groups of three.
struct Grouped(u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:09}", self.0);
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_str("_")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// What a record says: `Append(log_id: T1-N1.1, payload: blank)`.
///
/// ```
/// use metadump::log_text::RecordText;
/// use metadump::record::LogId;
/// use metadump::value::Secrets;
/// use metadump::wal::WalRecord;
///
/// let record = WalRecord::Commit(LogId::new(1, 2, 95));
/// let text = RecordText { record: &record, payload: None, secrets: Secrets::Masked };
/// assert_eq!(text.to_string(), "Commit(T1-N2.95)");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RecordText<'a> {
    /// The record.
    pub record: &'a WalRecord<'a>,
    /// What an entry does; none for other records, and for an entry that cannot be read.
    pub payload: Option<&'a Payload<'a>>,
    /// Whether credentials in keys are shown.
    pub secrets: Secrets,
}

impl fmt::Display for RecordText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.record {
            WalRecord::SaveVote(vote) => write!(f, "SaveVote({})", VoteText(*vote)),
            WalRecord::Append { log_id, payload } => {
                write!(f, "Append(log_id: {log_id}, payload: ")?;
                match self.payload {
                    Some(payload) => write!(f, "{})", As(payload, self.secrets)),
                    None => write!(f, "unknown({} bytes))", payload.len()),
                }
            }
            WalRecord::Commit(log_id) => write!(f, "Commit({log_id})"),
            WalRecord::TruncateAfter(log_id) => write!(f, "TruncateAfter({})", OrNone(*log_id)),
            WalRecord::PurgeUpto(log_id) => write!(f, "PurgeUpto({log_id})"),
            WalRecord::State(state) => write!(f, "Checkpoint({})", StateText(state)),
        }
    }
}

struct VoteText(Vote);

impl fmt::Display for VoteText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

struct StateText<'a>(&'a WalState);

impl fmt::Display for StateText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WalState { vote, last, committed, purged, user_data } = *self.0;
        let user_data = user_data.map(|data| {
            let node_id = data.node_id.map(|id| id.0);
            format!("LogStoreMeta{{ node_id: {node_id:?} }}")
        });
        write!(
            f,
            "RaftLogState(vote: {}, last: {}, committed: {}, purged: {}, user_data: {})",
            OrNone(vote.map(VoteText)),
            OrNone(last),
            OrNone(committed),
            OrNone(purged),
            OrNone(user_data)
        )
    }
}
