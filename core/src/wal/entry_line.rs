//! The dump line of a log entry, from its record in the WAL.

use std::cell::Cell;

use serde::{Deserialize, Serialize};

use super::record::{RecordError, decode_payload};
use crate::record::{LogId, Payload};

/// Whether the line has everything that the record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryLine {
    /// The line is what a server of today writes.
    Known,
    /// The record has members that this release does not know: they are in the line as they
    /// stand, so that nothing is lost.
    WithUnknownMembers,
}

#[derive(Serialize)]
struct Entry<P> {
    log_id: LogId,
    payload: P,
}

/// Appends the line of an entry, without its line end, to `out`.
///
/// # Errors
///
/// When the payload is not one of a log entry.
pub fn entry_line(
    log_id: LogId,
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Result<EntryLine, RecordError> {
    let unknown = Cell::new(false);
    let typed = typed(payload, &unknown)?;
    out.extend_from_slice(br#"["raft_log",{"LogEntry":"#);
    let written = if unknown.get() {
        let mut msgpack = rmp_serde::Deserializer::from_read_ref(payload);
        let as_it_stands = serde_transcode::Transcoder::new(&mut msgpack);
        serde_json::to_writer(&mut *out, &Entry { log_id, payload: as_it_stands })
    } else {
        serde_json::to_writer(&mut *out, &Entry { log_id, payload: typed })
    };
    written.map_err(|error| RecordError::Payload { offset: 0, message: error.to_string() })?;
    out.extend_from_slice(b"}]");
    Ok(if unknown.get() { EntryLine::WithUnknownMembers } else { EntryLine::Known })
}

/// Decodes a payload and sees whether it has members that its type does not have.
fn typed<'a>(payload: &'a [u8], unknown: &Cell<bool>) -> Result<Payload<'a>, RecordError> {
    let mut msgpack = rmp_serde::Deserializer::from_read_ref(payload);
    let mut note = |_: serde_ignored::Path<'_>| unknown.set(true);
    let tracked = serde_ignored::Deserializer::new(&mut msgpack, &mut note);
    match Payload::deserialize(tracked) {
        Ok(typed) => Ok(typed),
        // The plain decoder bounds the depth and has the better message.
        Err(_) => decode_payload(payload),
    }
}
