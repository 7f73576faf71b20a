//! The dump line of a log entry, made from its record.

use super::canonical;
use super::decode::{PayloadError, check_one_value, json_of};
use crate::dump::dump_line;
use crate::dump::record::{LogEntry, LogId, Payload, Record};
use crate::dump::scan::{read_json, reason};

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
    let start = out.len();
    if canonical_line(log_id, payload, out).is_some() {
        return Ok(LineForm::Typed);
    }
    out.truncate(start);
    check_one_value(payload)?;
    let made = serde_line(log_id, payload, out);
    if made.is_err() {
        out.truncate(start);
    }
    made
}

/// The line of an entry that is in the form of servers, as [`serde_line`] makes it, but without a
/// step for each byte of a value; none for any other.
fn canonical_line(log_id: LogId, payload: &[u8], out: &mut Vec<u8>) -> Option<()> {
    start_line(log_id, out).ok()?;
    canonical::payload(payload, out)?;
    out.extend_from_slice(LINE_END);
    Some(())
}

/// The line of any entry. What is read is the JSON of its payload, value by value: a second parser
/// for all that an entry can hold would be a third of a megabyte.
fn serde_line(log_id: LogId, payload: &[u8], out: &mut Vec<u8>) -> Result<LineForm, PayloadError> {
    let failed = |error: serde_json::Error| PayloadError { message: error.to_string() };
    let json = json_of(payload).ok_or_else(|| PayloadError {
        message: "it is nested too deeply, or has a value that JSON has not".to_owned(),
    })?;
    let unknown = match read_json::<Payload<'_>>(&json) {
        Ok((payload, None)) => {
            let record = Record::LogEntry(LogEntry { log_id, payload }.into());
            dump_line::put(out, "raft_log", &record)
                .map_err(|error| PayloadError { message: error.to_string() })?;
            return Ok(LineForm::Typed);
        }
        // The path spells the step into an option or a variant as a member `?`.
        Ok((_, Some(path))) => format!("member {}", path.replace("?.", "")),
        Err(error) => reason(&error),
    };
    start_line(log_id, out).map_err(failed)?;
    out.extend_from_slice(&json);
    out.extend_from_slice(LINE_END);
    Ok(LineForm::Verbatim { unknown })
}

/// What stands before the payload.
fn start_line(log_id: LogId, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    out.extend_from_slice(br#"["raft_log",{"LogEntry":{"log_id":"#);
    serde_json::to_writer(&mut *out, &log_id)?;
    out.extend_from_slice(br#","payload":"#);
    Ok(())
}

/// What stands behind it.
const LINE_END: &[u8] = b"}}]";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::disk::wal::decode::msgpack_reader;
    use crate::dump::record::Payload;
    use crate::dump::scan::scan_line;

    /// A line of every kind and command, in every dialect.
    const LINES: &str = include_str!("../../../../tests/fixtures/lines.ndjson");

    /// The line of a payload that is read as MessagePack into its type, without JSON between.
    fn typed(payload: &[u8]) -> Result<Vec<u8>, String> {
        let mut unknown = None;
        let mut msgpack = msgpack_reader(payload);
        let mut note = |path: serde_ignored::Path<'_>| {
            unknown.get_or_insert_with(|| path.to_string());
        };
        let tracked = serde_ignored::Deserializer::new(&mut msgpack, &mut note);
        let read = Payload::deserialize(tracked).map_err(|error| error.to_string())?;
        unknown.map_or(Ok(()), Err)?;
        let record =
            Record::LogEntry(LogEntry { log_id: LogId::new(1, 2, 3), payload: read }.into());
        serde_json::to_vec(&("raft_log", record)).map_err(|error| error.to_string())
    }

    fn serde(payload: &[u8]) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        let form = serde_line(LogId::new(1, 2, 3), payload, &mut line);
        (form == Ok(LineForm::Typed)).then_some(line)
    }

    fn canonical(payload: &[u8]) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        canonical_line(LogId::new(1, 2, 3), payload, &mut line).map(|()| line)
    }

    /// The payloads of all entries in `LINES` that a server of today knows.
    fn payloads() -> Vec<Vec<u8>> {
        let packed = |line: &str| {
            let payload: Payload<'_> = match scan_line(line.as_bytes()).ok()?.record {
                Record::LogEntry(entry) => entry.payload,
                Record::Logs(entry) => entry.value.payload,
                _ => return None,
            };
            let mut packed = Vec::new();
            rmp_serde::encode::write_named(&mut packed, &payload).ok().map(|()| packed)
        };
        LINES.lines().filter_map(packed).collect()
    }

    #[test]
    fn what_is_canonical_is_as_serde_makes_it() {
        let payloads = payloads();
        let mut known = 0;
        for payload in &payloads {
            if let Some(line) = canonical(payload) {
                assert_eq!(Ok(line), typed(payload));
                assert_eq!(serde(payload), typed(payload).ok());
                known += 1;
            }
        }
        assert!(known >= 10, "{known} of {}", payloads.len());
    }

    #[test]
    fn members_that_releases_leave_out_are_as_serde_has_them() {
        let check = |payload: &[u8]| {
            let line = canonical(payload);
            assert!(line.is_some(), "{}", String::from_utf8_lossy(payload));
            assert_eq!(line, typed(payload).ok());
        };
        let normal = |cmd: &[u8]| {
            [b"\x81\xa6Normal\x82\xa7time_ms\xcf\0\0\x01\x9f\0\0\0\x01\xa3cmd\x81", cmd].concat()
        };
        let transaction = |requests: &[u8]| {
            let before = b"\xabTransaction\x83\xa9condition\x90\xa7if_then";
            normal(&[before, requests, b"\xa9else_then\x90"].concat())
        };
        check(b"\xa5Blank");
        check(b"\x81\xa6Normal\x83\xa4txid\xc0\xa7time_ms\x01\xa3cmd\x81\xa8UpsertKV\x84\xa3key\xa3a\"\n\xa3seq\xa3Any\xa5value\xa6Delete\xaavalue_meta\xc0");
        check(&transaction(b"\x91\x81\xa7request\x81\xa6Delete\x81\xa3key\xa1k"));
        check(&transaction(b"\x91\x81\xa7request\x81\xa6Delete\x83\xa3key\xa1k\xaaprev_value\xc3\xa9match_seq\xcd\x01\0"));
        check(&transaction(b"\x91\x81\xa7request\x81\xa3Put\x83\xa3key\xa1k\xa5value\x93\x7f\xcc\x80\xcc\x05\xa9expire_at\xc0"));
        check(&transaction(b"\x91\x81\xa7request\x81\xb0FetchIncreaseU64\x83\xa3key\xd9\x01k\xa5delta\x01\xa9max_value\0"));
        check(&transaction(b"\xdc\0\x01\x81\xa7request\x81\xa3Get\x81\xa3key\xa0"));
    }

    proptest! {
        #[test]
        fn what_is_changed_anywhere_is_as_serde_makes_it_or_not_known(
            which in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let payloads = payloads();
            let mut payload = which.get(&payloads).clone();
            for (at, byte) in changes {
                let at = at.index(payload.len());
                payload[at] = byte;
            }
            payload.truncate(cut.map_or(payload.len(), |cut| cut.index(payload.len() + 1)));
            if check_one_value(&payload).is_ok()
                && let Some(line) = serde(&payload)
            {
                prop_assert_eq!(Ok(line), typed(&payload));
            }
            if let Some(line) = canonical(&payload) {
                prop_assert!(check_one_value(&payload).is_ok());
                prop_assert_eq!(Ok(line), typed(&payload));
            }
        }
    }
}
