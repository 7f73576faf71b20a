//! The dump line of a log entry, made from its record.

use std::cell::RefCell;

use serde::Deserialize;

use super::decode::{PayloadError, check_one_value, msgpack_reader};
use crate::record::{LogEntry, LogId, Payload, Record};

/// How a line was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineForm {
    /// From the typed entry: the line is what the official export writes.
    Typed,
    /// Value by value, because the typed entry would have lost something.
    Verbatim {
        /// What the typed entry does not know.
        unknown: String,
    },
}

/// Appends the dump line of an entry, `["raft_log",{"LogEntry":…}]` without line end, to `out`.
///
/// A payload with members or commands that this release does not know, which only a newer server
/// writes, is carried over value by value, so that nothing is lost.
///
/// # Errors
///
/// When the payload is not one MessagePack value that JSON can hold; `out` is then as it was.
///
/// ```
/// use metadump::record::LogId;
/// use metadump::wal::{LineForm, log_entry_line};
///
/// let mut line = Vec::new();
/// let form = log_entry_line(LogId::new(1, 0, 7), b"\xa5Blank", &mut line)?;
/// assert_eq!(form, LineForm::Typed);
/// let expected = concat!(
///     r#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":0},"index":7},"#,
///     r#""payload":"Blank"}}]"#,
/// );
/// assert_eq!(line, expected.as_bytes());
/// # Ok::<(), metadump::wal::PayloadError>(())
/// ```
pub fn log_entry_line(
    log_id: LogId,
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Result<LineForm, PayloadError> {
    check_one_value(payload)?;
    let start = out.len();
    let made = match typed_line(log_id, payload, out) {
        Ok(()) => return Ok(LineForm::Typed),
        Err(unknown) => {
            out.truncate(start);
            verbatim_line(log_id, payload, out).map(|()| LineForm::Verbatim { unknown })
        }
    };
    if made.is_err() {
        out.truncate(start);
    }
    made
}

/// Fails with the first thing that the typed entry does not know.
fn typed_line(log_id: LogId, payload: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let unknown_member = RefCell::new(None);
    let mut note_unknown = |path: serde_ignored::Path<'_>| {
        unknown_member
            .borrow_mut()
            // The path spells the step into an option or a variant as a member `?`.
            .get_or_insert_with(|| format!("member {}", path.to_string().replace("?.", "")));
    };
    let mut msgpack = msgpack_reader(payload);
    let tracked = serde_ignored::Deserializer::new(&mut msgpack, &mut note_unknown);
    let payload = Payload::deserialize(tracked).map_err(|error| error.to_string())?;
    if let Some(unknown) = unknown_member.take() {
        return Err(unknown);
    }
    let record = Record::LogEntry(LogEntry { log_id, payload });
    serde_json::to_writer(out, &("raft_log", record)).map_err(|error| error.to_string())
}

fn verbatim_line(log_id: LogId, payload: &[u8], out: &mut Vec<u8>) -> Result<(), PayloadError> {
    let failed = |message: String| PayloadError { message };
    out.extend_from_slice(br#"["raft_log",{"LogEntry":{"log_id":"#);
    serde_json::to_writer(&mut *out, &log_id).map_err(|error| failed(error.to_string()))?;
    out.extend_from_slice(br#","payload":"#);
    // JSON keys are strings and JSON has no binary data; its serializer turns integer keys into
    // strings and binary data into arrays, which is how a dump spells both.
    let mut json = serde_json::Serializer::new(&mut *out);
    serde_transcode::transcode(&mut msgpack_reader(payload), &mut json)
        .map_err(|error| failed(error.to_string()))?;
    out.extend_from_slice(b"}}]");
    Ok(())
}
