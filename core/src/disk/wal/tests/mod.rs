//! Logs written and read back, cut in pieces, torn, damaged and hostile.

mod damage;
mod properties;
mod records;
mod replay;
mod writing;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::dump::record::{
    AddNode, Bytes, Cmd, Endpoint, LeaderId, LogEntry, LogEntryBody, LogId, MatchSeq, Membership,
    MetaSpec, Node, NodeId, Operation, Payload, Text, UpsertKV, Vote,
};

fn vote(term: u64, node: u64, committed: bool) -> Vote {
    let leader_id = LeaderId { term, node_id: NodeId(node) };
    Vote { leader_id, committed }
}

fn encoded(record: &WalRecord<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    encode_record(record, &mut out).unwrap();
    out
}

fn blank(term: u64, index: u64) -> WalRecord<'static> {
    WalRecord::Append { log_id: LogId::new(term, 1, index), payload: b"\xa5Blank" }
}

fn state(last: Option<LogId>) -> WalRecord<'static> {
    WalRecord::State(WalState { last, ..WalState::default() })
}

/// A record with its place, independent of the pieces.
type Seen = (u64, Vec<u8>, String);

fn read_pieces<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Seen>, Result<ChunkEnd, WalError>) {
    let mut seen = Vec::new();
    let mut keep = |at: RecordAt<'_>| -> Result<(), WalError> {
        seen.push((at.offset_bytes, at.bytes.to_vec(), format!("{:?}", at.record)));
        Ok(())
    };
    let mut reader = ChunkReader::new(ChunkId(0));
    for piece in pieces {
        if let Err(error) = reader.feed(piece, &mut keep) {
            return (seen, Err(error));
        }
    }
    let end = reader.finish(&mut keep);
    (seen, end)
}

fn read(file: &[u8]) -> Result<ChunkEnd, WalError> {
    read_pieces([file]).1
}

fn replay_chunks(chunks: &[(ChunkId, &[u8])]) -> Result<Replayed, WalError> {
    let mut replay = WalReplay::default();
    for (chunk, file) in chunks {
        let mut reader = ChunkReader::new(*chunk);
        reader.feed(file, |at| replay.apply(&at))?;
        let end = reader.finish(|at| replay.apply(&at))?;
        replay.end_chunk(&end);
    }
    replay.finish()
}

fn log_of(records: &[WalRecord<'_>]) -> Vec<u8> {
    records.iter().flat_map(encoded).collect()
}

fn replay(records: &[WalRecord<'_>]) -> Result<Replayed, WalError> {
    replay_chunks(&[(ChunkId(0), &log_of(records))])
}

/// The fault of the last record; the ones before are fine.
fn fault(records: &[WalRecord<'_>]) -> WalFault {
    let at = log_of(&records[..records.len() - 1]).len() as u64;
    let error = replay(records).unwrap_err();
    assert_eq!((error.chunk, error.offset_bytes), (ChunkId(0), at));
    error.fault
}

/// The live entries of a log, as (term, index), from a second pass.
fn live(records: &[WalRecord<'_>]) -> Vec<(u64, u64)> {
    let file = log_of(records);
    let replayed = replay(records).unwrap();
    let mut entries: Vec<(u64, u64)> = Vec::new();
    let mut reader = ChunkReader::new(ChunkId(0));
    reader
        .feed(&file, |at| -> Result<(), WalError> {
            entries.extend(replayed.live.entry(&at).map(|(id, _)| (id.leader_id.term, id.index)));
            Ok(())
        })
        .unwrap();
    assert_eq!(replayed.live.len(), entries.len() as u64);
    assert_eq!(replayed.live.is_empty(), entries.is_empty());
    assert_eq!(replayed.live.first_index(), entries.first().map(|(_, index)| *index));
    assert_eq!(replayed.live.last_index(), entries.last().map(|(_, index)| *index));
    entries
}

/// What a writer has written so far, by chunk.
fn drained(writer: &mut WalWriter) -> Vec<(ChunkId, Vec<u8>)> {
    let mut chunks: Vec<(ChunkId, Vec<u8>)> = Vec::new();
    writer
        .drain(|chunk, bytes| -> Result<(), ()> {
            chunks.push((chunk, bytes.to_vec()));
            Ok(())
        })
        .unwrap();
    assert_eq!(writer.buffered_bytes(), 0);
    chunks
}
