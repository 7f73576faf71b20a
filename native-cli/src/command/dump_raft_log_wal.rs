//! `dump-raft-log-wal`: the records of a log as they stand in its files, in the form of the official
//! tool.
//!
//! What cannot be read is told where it stands. Nothing is guessed of what follows it in its file;
//! the next file begins with a record of its own and is read again.

use std::fmt::Display;
use std::io::{BufWriter, Write};

use anyhow::Result;
use metadump::log_text::{RecordPlace, RecordText, WrittenValue, written_values};
use metadump::objects::Names;
use metadump::raft_dir::Chunk;
use metadump::record::{LogEntry, LogId, Payload, SeqV};
use metadump::value::{KeyParts, MASKED, Scalar, Secrets, Stored};
use metadump::wal::{
    ChunkEnd, ChunkId, RecordAt, TornTail, UserData, WalError, WalRecord, WalReplay, WalState,
    decode_payload,
};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::Outcome;
use super::decoded::{Decoder, say_masked};
use crate::args::{DumpRaftLogWal, Format};
use crate::progress::Progress;
use crate::raft_dir::{DirReader, FileBytes, LogSource, RaftDir, RawLog};
use crate::report::{json_line, plural, shown};
use crate::stdout::stdout;

/// Runs the command.
pub fn run(args: &DumpRaftLogWal, progress: &Progress) -> Result<Outcome> {
    let dir = RaftDir::new(&args.raft_dir);
    let log = RawLog::open(&dir)?;
    progress.phase("reading the log");
    progress.give_way();
    let names = Names::default();
    let decoder = Decoder { names: &names, secrets: args.secrets.secrets(), format: Format::Json };
    let mut printer =
        Printer { args, decoder, out: BufWriter::new(stdout()), faults: Vec::new(), masked: 0 };
    printer.head("RaftLog:")?;
    let remarks = match &log {
        RawLog::Chunks { files, remark } => {
            let torn = printer.chunks(files)?;
            // What a server writes meanwhile would look like damage.
            RawLog::assert_stopped(&dir)?;
            remark.iter().cloned().chain(torn).collect()
        }
        RawLog::Tree(reader) => printer.tree(reader)?,
    };
    printer.out.flush()?;
    progress.finish();
    remarks.iter().for_each(|remark| progress.say(remark));
    say_masked(printer.masked, progress);
    let faults = printer.faults;
    if faults.is_empty() {
        return Ok(Outcome::Done);
    }
    faults.iter().for_each(|fault| progress.say(&format!("damaged: {fault}")));
    progress.say(
        "help:  `export --raft-dir --salvage` makes a dump of what is left; where there is another \
         node of the cluster, take one from that",
    );
    Ok(Outcome::Findings)
}

/// A record of the log, wherever it stands.
struct Shown<'a> {
    chunk: Option<ChunkId>,
    place: RecordPlace,
    record: &'a WalRecord<'a>,
    payload: Option<&'a Payload<'a>>,
}

struct Printer<'a, W: Write> {
    args: &'a DumpRaftLogWal,
    decoder: Decoder<'a>,
    out: W,
    /// What is wrong with the log.
    faults: Vec<String>,
    /// How many credentials are masked.
    masked: u64,
}

impl<W: Write> Printer<'_, W> {
    /// Prints the records of chunk files; gives what should be known of their end.
    fn chunks(&mut self, chunks: &[Chunk<FileBytes>]) -> Result<Option<String>> {
        // None once a record contradicts those before it, or some are not known.
        let mut replay = Some(WalReplay::default());
        let (mut end, mut records) = (None, 0);
        for (left, chunk) in (0..chunks.len()).rev().zip(chunks) {
            self.head(format_args!("ChunkId({})", chunk.id()))?;
            let mut number = 0;
            let read = chunk.for_each_record(|at| {
                self.record_at(&at, number)?;
                (number, records) = (number + 1, records + 1);
                let Some(checked) = &mut replay else { return Ok(()) };
                match checked.apply(&at) {
                    Ok(()) => Ok(()),
                    Err(error) => {
                        replay = None;
                        self.fault(&error)
                    }
                }
            });
            end = match read {
                Ok(end) => {
                    match (&mut replay, torn_end(&end)) {
                        (Some(replay), _) => replay.end_chunk(&end),
                        // Nobody else compares it with the next file.
                        (None, Some(torn)) if left > 0 => self.fault(&torn)?,
                        (None, _) => {}
                    }
                    Some(end)
                }
                Err(error) => {
                    let Some(damage) = error.downcast_ref::<WalError>() else { return Err(error) };
                    replay = None;
                    self.fault(damage)?;
                    None
                }
            };
        }
        if let Some(Err(error)) = replay.map(WalReplay::finish) {
            self.fault(&error)?;
        }
        if records == 0 && self.faults.is_empty() {
            // A file begins with a record from the moment on that a server started.
            self.fault(&"the log is empty: there is no whole record in any file")?;
        }
        let torn = end.and_then(|end| torn_end(&end));
        Ok(torn.map(|torn| format!("warning: {torn}, left out as a server would do")))
    }

    fn record_at(&mut self, at: &RecordAt<'_>, number: u64) -> Result<()> {
        let end = at.offset_bytes.saturating_add(at.bytes.len() as u64);
        let payload = match at.record {
            WalRecord::Append { payload, .. } => Some(decode_payload(payload)),
            _ => None,
        };
        self.record(&Shown {
            chunk: Some(at.chunk),
            place: RecordPlace { number, bytes: Some(at.offset_bytes..end) },
            record: &at.record,
            payload: payload.as_ref().and_then(|payload| payload.as_ref().ok()),
        })?;
        match payload {
            // The record is whole: what it says is what this release does not know.
            Some(Err(error)) => self.fault(&format_args!(
                "{}, byte {}: {error}",
                at.chunk.file_name(),
                at.offset_bytes
            )),
            _ => Ok(()),
        }
    }

    /// Prints the log of a database, which has no places: what the node knows, then the entries.
    fn tree(&mut self, reader: &DirReader) -> Result<Vec<String>> {
        let known = reader.raft_state();
        let state = WalState {
            vote: known.vote,
            last: known.purged,
            committed: known.committed,
            purged: known.purged,
            user_data: known.node_id.map(|id| UserData { node_id: Some(id) }),
        };
        let mut number = 0;
        let mut record =
            |printer: &mut Self, record: &WalRecord<'_>, payload: Option<&Payload<'_>>| {
                let place = RecordPlace { number, bytes: None };
                number += 1;
                printer.record(&Shown { chunk: None, place, record, payload })
            };
        record(self, &WalRecord::State(state), None)?;
        reader.for_each_entry(&mut |LogEntry { log_id, payload }| {
            record(self, &WalRecord::Append { log_id: *log_id, payload: &[] }, Some(payload))
        })?;
        reader.assert_unchanged()?;
        for loss in reader.losses() {
            self.fault(&loss)?;
        }
        Ok(reader.remarks(reader.version()))
    }

    fn record(&mut self, shown_record: &Shown<'_>) -> Result<()> {
        let Shown { place, record, payload, .. } = shown_record;
        let secrets = self.decoder.secrets;
        let text = RecordText { record, payload: *payload, secrets };
        let as_it_is = RecordText { secrets: Secrets::Shown, ..text };
        let (text, as_it_is) = (text.to_string(), as_it_is.to_string());
        let hidden = text.matches(MASKED).count().saturating_sub(as_it_is.matches(MASKED).count());
        self.masked += hidden as u64;
        let values = match payload {
            Some(payload) if self.args.decode_values || self.args.raw => written_values(payload),
            _ => Vec::new(),
        };
        let decoded = values.iter().map(|value| {
            let seq_v = SeqV { seq: 0, meta: None, data: value.value.borrowed() };
            self.decoder.record(value.key, &seq_v)
        });
        let decoded: Vec<Stored> = decoded.collect();
        self.masked += decoded.iter().map(Stored::masked_in_value).sum::<u64>();
        let values: Vec<_> = values.iter().zip(&decoded).collect();
        match self.args.format {
            Format::Json => self.json(shown_record, &text, &values),
            Format::Text => {
                self.line(format_args!("  {place}: {text}"))?;
                if self.args.decode_values {
                    values.iter().try_for_each(|(value, record)| self.decoded(value, record))?;
                }
                if self.args.raw {
                    values.iter().try_for_each(|(value, record)| self.bytes(value, record))?;
                }
                Ok(())
            }
        }
    }

    /// What a value means.
    fn decoded(&mut self, value: &WrittenValue<'_>, record: &Stored) -> Result<()> {
        let parts = KeyParts::of(value.key);
        let meaning = match (&parts, &record.error, &record.value) {
            (None, ..) => format!("unknown-prefix({} bytes)", record.bytes),
            (Some(parts), Some(error), _) => {
                format!("decode-error({}/): {error}", parts.form.prefix)
            }
            (_, None, Some(json)) if json.get() != "null" => format!("{} {json}", record.form),
            _ => record.form.clone(),
        };
        let key = &record.key;
        match &value.operation {
            None => self.line(format_args!("    value({key}): {meaning}")),
            Some(operation) => {
                self.line(format_args!("    {operation} {key}{}:", expiry(value)))?;
                self.line(format_args!("      {meaning}"))
            }
        }
    }

    /// The bytes of a value, if none of them is a credential.
    fn bytes(&mut self, value: &WrittenValue<'_>, record: &Stored) -> Result<()> {
        let bytes = if record.masked_in_value() > 0 {
            MASKED.to_owned()
        } else {
            format!("{:?}", value.value.decode())
        };
        let key = &record.key;
        match &value.operation {
            None => self.line(format_args!("    raw({key}): {bytes}")),
            Some(operation) => {
                self.line(format_args!("    {operation} {key} raw:"))?;
                self.line(format_args!("      {bytes}"))
            }
        }
    }

    fn json(
        &mut self,
        Shown { chunk, place, record, payload }: &Shown<'_>,
        text: &str,
        values: &[(&WrittenValue<'_>, &Stored)],
    ) -> Result<()> {
        let body = payload.and_then(|payload| match payload {
            Payload::Normal(body) => Some(body),
            _ => None,
        });
        let log_id = match record {
            WalRecord::Append { log_id, .. }
            | WalRecord::Commit(log_id)
            | WalRecord::PurgeUpto(log_id) => Some(log_id),
            WalRecord::TruncateAfter(log_id) => log_id.as_ref(),
            WalRecord::SaveVote(_) | WalRecord::State(_) => None,
        };
        let is_asked = self.args.decode_values || self.args.raw;
        let line = json_line(&RecordLine {
            kind: record.name(),
            chunk: chunk.map(ChunkId::file_name),
            record: place.number,
            offset_bytes: place.bytes.as_ref().map(|bytes| bytes.start),
            end_bytes: place.bytes.as_ref().map(|bytes| bytes.end),
            log_id,
            time_ms: body.and_then(|body| body.time_ms),
            command: body.map(|body| body.cmd.name()),
            text,
            values: is_asked.then(|| {
                values
                    .iter()
                    .map(|(value, record)| ValueLine::of(value, record, self.args))
                    .collect()
            }),
        })?;
        Ok(writeln!(self.out, "{line}")?)
    }

    /// A line that is not about a record.
    fn head(&mut self, line: impl Display) -> Result<()> {
        match self.args.format {
            Format::Json => Ok(()),
            Format::Text => self.line(line),
        }
    }

    fn line(&mut self, line: impl Display) -> Result<()> {
        Ok(writeln!(self.out, "{}", shown(&line.to_string()))?)
    }

    /// Tells what is wrong, where it is met.
    fn fault(&mut self, fault: &dyn Display) -> Result<()> {
        let fault = fault.to_string();
        match self.args.format {
            Format::Text => self.line(format_args!("Error: {fault}"))?,
            Format::Json => {
                let line = json!({ "kind": "Error", "error": fault });
                writeln!(self.out, "{}", json_line(&line)?)?;
            }
        }
        self.faults.push(fault);
        Ok(())
    }
}

/// A record, as `--format json` prints it.
#[derive(Serialize)]
struct RecordLine<'a> {
    kind: &'static str,
    chunk: Option<String>,
    record: u64,
    offset_bytes: Option<u64>,
    end_bytes: Option<u64>,
    log_id: Option<&'a LogId>,
    time_ms: Option<u64>,
    command: Option<&'static str>,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<ValueLine<'a>>>,
}

/// A value that an entry writes.
#[derive(Serialize)]
struct ValueLine<'a> {
    operation: Option<&'a str>,
    key: &'a str,
    expire_at: Option<u64>,
    ttl_ms: Option<u64>,
    bytes: u64,
    #[serde(flatten)]
    decoded: Option<DecodedLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<Scalar<'a>>,
}

/// What a value means.
#[derive(Serialize)]
struct DecodedLine<'a> {
    form: &'a str,
    error: Option<&'a str>,
    value: Option<&'a RawValue>,
}

impl<'a> ValueLine<'a> {
    fn of(value: &'a WrittenValue<'_>, record: &'a Stored, args: &DumpRaftLogWal) -> Self {
        Self {
            operation: value.operation.as_deref(),
            key: &record.key,
            expire_at: value.expire_at,
            ttl_ms: value.ttl_ms,
            bytes: record.bytes,
            decoded: args.decode_values.then(|| DecodedLine {
                form: &record.form,
                error: record.error.as_deref(),
                value: record.value.as_deref(),
            }),
            raw: args.raw.then(|| match record.masked_in_value() {
                0 => Scalar::Bytes(value.value.decode()),
                _ => Scalar::Text(MASKED.into()),
            }),
        }
    }
}

/// ` (expire_at=1732337920693, ttl_ms=60000)`
fn expiry(value: &WrittenValue<'_>) -> String {
    let at = value.expire_at.map(|at| format!("expire_at={at}"));
    let ttl = value.ttl_ms.map(|ttl| format!("ttl_ms={ttl}"));
    let parts: Vec<String> = at.into_iter().chain(ttl).collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

/// That a file ends in a record that is not whole.
fn torn_end(end: &ChunkEnd) -> Option<String> {
    let TornTail { chunk, offset_bytes, len_bytes } = end.torn?;
    Some(format!(
        "the last record of {} is torn: {} from byte {offset_bytes} on",
        chunk.file_name(),
        plural(len_bytes, "byte")
    ))
}
