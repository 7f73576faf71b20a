//! One record of the WAL: `type, payload, CRC`, big-endian, without a length.

use serde::{Deserialize, Serialize};

use super::msgpack::{NoEnd, value_len};
use crate::record::{LogEntry, LogId, NodeId, Payload, Vote};

const SAVE_VOTE: u32 = 0;
const APPEND: u32 = 1;
const COMMIT: u32 = 2;
const TRUNCATE_AFTER: u32 = 3;
const PURGE_UPTO: u32 = 4;
const STATE: u32 = 5;

/// The version byte of a state record.
const STATE_VERSION: u8 = 1;

const TYPE_LEN: usize = 4;
const CRC_LEN: usize = 8;

/// A payload nested deeper than this is refused; servers stay far below.
const MOST_NESTED: usize = 128;

/// What a server keeps beside the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserData {
    /// This node's id.
    pub node_id: Option<NodeId>,
}

/// The state of the log, which starts every chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WalState {
    /// The vote.
    pub vote: Option<Vote>,
    /// The last entry, or the last purged one when the log is empty.
    pub last: Option<LogId>,
    /// How far the log is committed.
    pub committed: Option<LogId>,
    /// How far the log is purged.
    pub purged: Option<LogId>,
    /// What else is kept, none before the node has an id.
    pub user_data: Option<UserData>,
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalRecord<'a> {
    /// The node voted.
    SaveVote(Vote),
    /// An entry is added to the log.
    Append {
        /// The entry's identity.
        log_id: LogId,
        /// Its payload, MessagePack.
        payload: &'a [u8],
    },
    /// The log is committed up to an entry.
    Commit(LogId),
    /// The entries after this one are removed; all of them when there is none.
    TruncateAfter(Option<LogId>),
    /// The entries up to this one are removed.
    PurgeUpto(LogId),
    /// The accumulated state.
    State(WalState),
}

/// Why bytes are not a record. Offsets count from the start of the record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The type is none of 0 to 5.
    #[error("record type {0}, expected 0 to 5")]
    UnknownType(u32),
    /// The payload is not what the type asks for.
    #[error("payload at byte {offset}: {message}")]
    Payload {
        /// Where in the record.
        offset: u64,
        /// What is wrong.
        message: String,
    },
    /// The record does not end, yet other records follow: one of its lengths is damaged.
    #[error("the record does not end, but another one starts {inside} bytes later")]
    Swallows {
        /// Where in the record the next one starts.
        inside: u64,
    },
    /// The bytes do not have their checksum.
    #[error("checksum is {found:#010x}, computed {computed:#010x}")]
    Checksum {
        /// The one that is stored.
        found: u64,
        /// The one of the bytes.
        computed: u64,
    },
}

/// The outcome of reading a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A record and its length in bytes.
    Record(WalRecord<'a>, usize),
    /// The bytes end before the record does.
    Incomplete,
}

/// Reads the record at the start of `bytes`.
///
/// # Errors
///
/// When the bytes cannot be the start of a record, whatever follows them.
pub fn decode_record(bytes: &[u8]) -> Result<Decoded<'_>, RecordError> {
    let mut at = Cursor { bytes, at: 0 };
    match at.record() {
        Ok(record) => Ok(Decoded::Record(record, at.at)),
        Err(Stop::Incomplete) => Ok(Decoded::Incomplete),
        Err(Stop::Wrong(error)) => Err(error),
    }
}

enum Stop {
    Incomplete,
    Wrong(RecordError),
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn record(&mut self) -> Result<WalRecord<'a>, Stop> {
        let record_type = self.u32()?;
        // The payload is only looked into once its checksum is known to be right.
        let spans = match record_type {
            SAVE_VOTE | COMMIT | PURGE_UPTO => [Some(self.value()?), None, None, None, None],
            APPEND => [Some(self.value()?), Some(self.value()?), None, None, None],
            TRUNCATE_AFTER => [self.option()?, None, None, None, None],
            STATE => {
                let version = self.take(1)?;
                if version != [STATE_VERSION] {
                    return Err(self.wrong(format!("state version {version:?}, expected 1")));
                }
                [self.option()?, self.option()?, self.option()?, self.option()?, self.option()?]
            }
            other => return Err(Stop::Wrong(RecordError::UnknownType(other))),
        };
        let computed = u64::from(crc32fast::hash(self.bytes.get(..self.at).unwrap_or_default()));
        let found = self.u64()?;
        if found != computed {
            return Err(Stop::Wrong(RecordError::Checksum { found, computed }));
        }
        let [first, second, third, fourth, fifth] = spans;
        Ok(match record_type {
            SAVE_VOTE => WalRecord::SaveVote(self.required(first)?),
            COMMIT => WalRecord::Commit(self.required(first)?),
            PURGE_UPTO => WalRecord::PurgeUpto(self.required(first)?),
            TRUNCATE_AFTER => WalRecord::TruncateAfter(self.optional(first)?),
            APPEND => WalRecord::Append {
                log_id: self.required(first)?,
                payload: second.unwrap_or_default(),
            },
            _ => WalRecord::State(WalState {
                vote: self.optional(first)?,
                last: self.optional(second)?,
                committed: self.optional(third)?,
                purged: self.optional(fourth)?,
                user_data: self.optional(fifth)?,
            }),
        })
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Stop> {
        let end = self.at.checked_add(len).ok_or(Stop::Incomplete)?;
        let taken = self.bytes.get(self.at..end).ok_or(Stop::Incomplete)?;
        self.at = end;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, Stop> {
        let bytes = self.take(TYPE_LEN)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn u64(&mut self) -> Result<u64, Stop> {
        let bytes = self.take(CRC_LEN)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A MessagePack value, not looked into.
    fn value(&mut self) -> Result<&'a [u8], Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match value_len(rest) {
            Ok(len) => self.take(len),
            Err(NoEnd::Incomplete) => Err(Stop::Incomplete),
            Err(NoEnd::NotAValue(offset)) => {
                self.at += offset;
                Err(self.wrong("no MessagePack value".to_owned()))
            }
        }
    }

    fn option(&mut self) -> Result<Option<&'a [u8]>, Stop> {
        match self.take(1)? {
            [0] => Ok(None),
            [1] => self.value().map(Some),
            other => Err(self.wrong(format!("option tag {other:?}, expected 0 or 1"))),
        }
    }

    fn wrong(&self, message: String) -> Stop {
        Stop::Wrong(RecordError::Payload { offset: self.at as u64, message })
    }

    fn required<T: Deserialize<'a>>(&self, span: Option<&'a [u8]>) -> Result<T, Stop> {
        rmp_serde::from_slice(span.unwrap_or_default())
            .map_err(|error| self.wrong(error.to_string()))
    }

    fn optional<T: Deserialize<'a>>(&self, span: Option<&'a [u8]>) -> Result<Option<T>, Stop> {
        span.map(|span| self.required(Some(span))).transpose()
    }
}

/// Reads the payload of an append record.
///
/// # Errors
///
/// When the MessagePack is not a payload of a log entry.
pub fn decode_payload(payload: &[u8]) -> Result<Payload<'_>, RecordError> {
    let mut msgpack = rmp_serde::Deserializer::from_read_ref(payload);
    msgpack.set_max_depth(MOST_NESTED);
    Payload::deserialize(&mut msgpack)
        .map_err(|error| RecordError::Payload { offset: 0, message: error.to_string() })
}

/// Appends a record to `out`.
///
/// # Errors
///
/// When a value cannot be MessagePack: a retired command.
pub fn encode_record(record: &WalRecord<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    framed(out, record_type(record), |out| match record {
        WalRecord::SaveVote(vote) => put(out, vote),
        WalRecord::Append { log_id, payload } => {
            put(out, log_id)?;
            out.extend_from_slice(payload);
            Ok(())
        }
        WalRecord::Commit(log_id) | WalRecord::PurgeUpto(log_id) => put(out, log_id),
        WalRecord::TruncateAfter(log_id) => put_option(out, log_id.as_ref()),
        WalRecord::State(state) => {
            out.push(STATE_VERSION);
            put_option(out, state.vote.as_ref())?;
            put_option(out, state.last.as_ref())?;
            put_option(out, state.committed.as_ref())?;
            put_option(out, state.purged.as_ref())?;
            put_option(out, state.user_data.as_ref())
        }
    })
}

/// Appends the append record of an entry to `out`.
///
/// # Errors
///
/// When the entry is a retired command.
pub fn encode_append(entry: &LogEntry<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    framed(out, APPEND, |out| {
        put(out, &entry.log_id)?;
        put(out, &entry.payload)
    })
}

/// A record that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record cannot be written: {0}")]
pub struct EncodeError(pub String);

const fn record_type(record: &WalRecord<'_>) -> u32 {
    match record {
        WalRecord::SaveVote(_) => SAVE_VOTE,
        WalRecord::Append { .. } => APPEND,
        WalRecord::Commit(_) => COMMIT,
        WalRecord::TruncateAfter(_) => TRUNCATE_AFTER,
        WalRecord::PurgeUpto(_) => PURGE_UPTO,
        WalRecord::State(_) => STATE,
    }
}

fn framed(
    out: &mut Vec<u8>,
    record_type: u32,
    payload: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&record_type.to_be_bytes());
    if let Err(error) = payload(out) {
        out.truncate(start);
        return Err(error);
    }
    let crc = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&u64::from(crc).to_be_bytes());
    Ok(())
}

fn put(out: &mut Vec<u8>, value: &impl Serialize) -> Result<(), EncodeError> {
    rmp_serde::encode::write_named(out, value).map_err(|error| EncodeError(error.to_string()))
}

fn put_option(out: &mut Vec<u8>, value: Option<&impl Serialize>) -> Result<(), EncodeError> {
    let Some(value) = value else {
        out.push(0);
        return Ok(());
    };
    out.push(1);
    put(out, value)
}
