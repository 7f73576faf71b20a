//! Writes records to bytes.

use serde::Serialize;

use super::record::{
    APPEND, COMMIT, PURGE_UPTO, SAVE_VOTE, STATE, STATE_VERSION, TRUNCATE_AFTER, WalRecord, crc,
};
use crate::dump::record::LogEntry;

/// A value that has no form in the log: a command that no server of today knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record cannot be written: {message}")]
pub struct EncodeError {
    /// What the encoder says.
    pub message: String,
}

/// Appends the bytes of a record to `out`.
///
/// # Errors
///
/// When a value cannot be encoded; `out` is then as it was.
pub fn encode_record(record: &WalRecord<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    match record {
        WalRecord::SaveVote(vote) => framed(SAVE_VOTE, out, |out| put(vote, out)),
        WalRecord::Append { log_id, payload } => framed(APPEND, out, |out| {
            put(log_id, out)?;
            out.extend_from_slice(payload);
            Ok(())
        }),
        WalRecord::Commit(log_id) => framed(COMMIT, out, |out| put(log_id, out)),
        WalRecord::TruncateAfter(log_id) => {
            framed(TRUNCATE_AFTER, out, |out| put_optional(log_id, out))
        }
        WalRecord::PurgeUpto(log_id) => framed(PURGE_UPTO, out, |out| put(log_id, out)),
        WalRecord::State(state) => framed(STATE, out, |out| {
            out.push(STATE_VERSION);
            put_optional(&state.vote, out)?;
            put_optional(&state.last, out)?;
            put_optional(&state.committed, out)?;
            put_optional(&state.purged, out)?;
            put_optional(&state.user_data, out)
        }),
    }
}

/// Appends the bytes of the record that adds `entry` to `out`.
///
/// # Errors
///
/// When the entry is a command that no server of today knows; `out` is then as it was.
pub fn encode_append(entry: &LogEntry<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    framed(APPEND, out, |out| {
        put(&entry.log_id, out)?;
        put(&entry.payload, out)
    })
}

/// Puts type and checksum around what `content` writes.
fn framed(
    record_type: u32,
    out: &mut Vec<u8>,
    content: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&record_type.to_be_bytes());
    if let Err(error) = content(out) {
        out.truncate(start);
        return Err(error);
    }
    let checksum = crc(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&checksum.to_be_bytes());
    Ok(())
}

fn put(value: &impl Serialize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    rmp_serde::encode::write_named(out, value)
        .map_err(|error| EncodeError { message: error.to_string() })
}

fn put_optional(value: &Option<impl Serialize>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    out.push(u8::from(value.is_some()));
    value.as_ref().map_or(Ok(()), |value| put(value, out))
}
