//! Logs written and read back, cut in pieces, torn, damaged and hostile.

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

#[test]
fn the_bytes_of_every_record_are_those_of_a_server() {
    let id = b"\x82\xa9leader_id\x82\xa4term\x01\xa7node_id\x02\xa5index\x03";
    let log_id = LogId::new(1, 2, 3);
    let cases = [
        (
            WalRecord::SaveVote(vote(1, 2, true)),
            b"\0\0\0\0\x82\xa9leader_id\x82\xa4term\x01\xa7node_id\x02\xa9committed\xc3".to_vec(),
        ),
        (
            WalRecord::Append { log_id, payload: b"\xa5Blank" },
            [b"\0\0\0\x01", id.as_slice(), b"\xa5Blank"].concat(),
        ),
        (WalRecord::Commit(log_id), [b"\0\0\0\x02", id.as_slice()].concat()),
        (WalRecord::TruncateAfter(Some(log_id)), [b"\0\0\0\x03\x01", id.as_slice()].concat()),
        (WalRecord::TruncateAfter(None), b"\0\0\0\x03\0".to_vec()),
        (WalRecord::PurgeUpto(log_id), [b"\0\0\0\x04", id.as_slice()].concat()),
        (state(Some(log_id)), [b"\0\0\0\x05\x01\0\x01", id.as_slice(), b"\0\0\0"].concat()),
    ];
    for (record, content) in cases {
        let crc = u64::from(crc32fast::hash(&content)).to_be_bytes();
        assert_eq!(encoded(&record), [content.as_slice(), &crc].concat());
    }
}

#[test]
fn the_first_two_records_of_a_real_log() {
    assert_eq!(
        encoded(&WalRecord::State(WalState::default())),
        b"\0\0\0\x05\x01\0\0\0\0\0\0\0\0\0\x7a\xee\x94\x74"
    );
    let user_data = Some(UserData { node_id: Some(NodeId(1)) });
    assert_eq!(
        encoded(&WalRecord::State(WalState { user_data, ..WalState::default() })),
        b"\0\0\0\x05\x01\0\0\0\0\x01\x81\xa7node_id\x01\0\0\0\0\xc5\x49\xfe\xd0"
    );
}

#[test]
fn a_state_is_shown_with_all_its_parts() {
    let full = WalState {
        vote: Some(vote(3, 2, true)),
        last: Some(LogId::new(3, 2, 95)),
        committed: Some(LogId::new(3, 2, 94)),
        purged: Some(LogId::new(1, 1, 7)),
        user_data: Some(UserData { node_id: Some(NodeId(1)) }),
    };
    assert_eq!(
        full.to_string(),
        "(vote T3-N2:Q, last T3-N2.95, committed T3-N2.94, purged T1-N1.7, node id 1)"
    );
    assert_eq!(
        WalState::default().to_string(),
        "(vote none, last none, committed none, purged none, node id none)"
    );
}

fn with_crc(content: &[u8]) -> Vec<u8> {
    let crc = u64::from(crc32fast::hash(content)).to_be_bytes();
    [content, &crc].concat()
}

#[test]
fn what_is_no_record_is_told_apart() {
    let error = |bytes: &[u8]| decode_record(bytes).unwrap_err();
    assert_eq!(error(b"\0\0\0\x06"), RecordError::UnknownType { found: 6 });
    assert_eq!(error(b"\0\0\0\x05\x02"), RecordError::UnknownStateVersion { found: 2 });
    assert_eq!(
        error(b"\0\0\0\x05\x01\0\x02"),
        RecordError::BadOption { offset_bytes: 6, found: 2 }
    );
    assert_eq!(
        error(b"\0\0\0\x01\x80\x92\x01\xc1"),
        RecordError::NotMessagePack { offset_bytes: 7, found: 0xc1 }
    );
    assert!(matches!(
        error(&with_crc(b"\0\0\0\x02\x07")),
        RecordError::WrongShape { offset_bytes: 4, expected: "log id", .. }
    ));
    // The rest is missing, but this cannot become an entry.
    assert!(matches!(
        error(b"\0\0\0\x01\x82\xa9leader_id\x07\xa5index\x01\xa5Bl"),
        RecordError::WrongShape { offset_bytes: 4, expected: "log id", .. }
    ));
    let mut damaged = encoded(&WalRecord::TruncateAfter(None));
    damaged[12] ^= 1;
    assert!(matches!(error(&damaged), RecordError::Checksum { stored, computed }
        if stored ^ 1 == computed));
    damaged[12] ^= 1;
    damaged[5] ^= 0x80;
    assert!(matches!(error(&damaged), RecordError::Checksum { stored, computed }
        if stored == computed | 1 << 63));
}

#[test]
fn a_log_id_nested_without_end_is_refused() {
    let mut content = b"\0\0\0\x02\x82\xa1x".to_vec();
    content.extend([0x91; 100_000]);
    content.extend(b"\xc0\xa5index\x01");
    assert!(matches!(
        decode_record(&with_crc(&content)),
        Err(RecordError::WrongShape { offset_bytes: 4, .. })
    ));
}

#[test]
fn a_payload_nested_too_deep_is_refused() {
    let nested = |depth: usize| {
        let mut payload = b"\x81\xa6Normal\x82\xa3new".to_vec();
        payload.extend(vec![0x91; depth]);
        payload.extend(b"\xc0\xa3cmd\x81\xaaRemoveNode\x81\xa7node_id\x01");
        payload
    };
    assert!(decode_payload(&nested(100)).is_ok());
    assert!(decode_payload(&nested(200)).is_err());
    assert!(decode_payload(&nested(100_000)).is_err());
    let mut line = Vec::new();
    assert!(log_entry_line(LogId::default(), &nested(100_000), &mut line).is_err());
    assert_eq!(line, b"");
}

#[test]
fn a_log_that_is_cut_anywhere_ends_in_a_torn_tail() {
    let records = [state(None), blank(1, 0), WalRecord::Commit(LogId::new(1, 1, 0))];
    let file = log_of(&records);
    let mut ends = vec![0];
    for record in &records {
        ends.push(ends.last().unwrap() + encoded(record).len());
    }
    for len in 0..=file.len() {
        let whole = ends.iter().rposition(|end| *end <= len).unwrap();
        let torn_bytes = (len - ends[whole]) as u64;
        let offset_bytes = ends[whole] as u64;
        assert_eq!(
            read(&file[..len]),
            Ok(ChunkEnd {
                chunk: ChunkId(0),
                records: whole as u64,
                len_bytes: offset_bytes,
                torn: (torn_bytes > 0).then_some(TornTail {
                    chunk: ChunkId(0),
                    offset_bytes,
                    len_bytes: torn_bytes
                }),
            })
        );
    }
}

#[test]
fn a_tail_of_zeros_is_torn_and_zeros_elsewhere_are_damage() {
    let file = log_of(&[state(None), blank(1, 0)]);
    let offset_bytes = file.len() as u64;
    for zeros in [1, 4, 12, 13, 14, 100, 70_000] {
        let torn = TornTail { chunk: ChunkId(0), offset_bytes, len_bytes: zeros as u64 };
        let padded = [file.as_slice(), &vec![0; zeros]].concat();
        assert_eq!(read(&padded).unwrap().torn, Some(torn));
        assert_eq!(read_pieces(padded.chunks(5)).1.unwrap().torn, Some(torn));
        if zeros >= 13 {
            // As raft-log: only zeros up to the end are a torn write.
            let more = [padded.as_slice(), &encoded(&blank(1, 1))].concat();
            let error = read(&more).unwrap_err();
            assert_eq!(error.offset_bytes, offset_bytes);
            assert_eq!(read_pieces(more.chunks(5)).1, Err(error));
        }
    }
}

#[test]
fn a_wrong_checksum_is_damage_in_the_last_record_too() {
    let mut file = log_of(&[state(None), blank(1, 0)]);
    let at = encoded(&state(None)).len() as u64;
    *file.last_mut().unwrap() ^= 1;
    for zeros in [0, 1, 100] {
        let padded = [file.as_slice(), &vec![0; zeros]].concat();
        let error = read(&padded).unwrap_err();
        assert_eq!(error.offset_bytes, at);
        assert!(matches!(error.fault, WalFault::Record(RecordError::Checksum { .. })));
    }
}

#[test]
fn a_length_that_swallows_records_is_damage() {
    let records = [state(None), blank(1, 0), blank(1, 1), blank(1, 2)];
    let mut file = log_of(&records);
    let second = encoded(&records[0]).len();
    let third = second + encoded(&records[1]).len();
    // "Blank" becomes a text of 4 GiB.
    let payload = third - 8 - 6;
    assert_eq!(file[payload], 0xa5);
    file[payload] = 0xdb;
    let error = read(&file).unwrap_err();
    assert_eq!(
        error,
        WalError {
            chunk: ChunkId(0),
            offset_bytes: second as u64,
            fault: WalFault::Overrun { whole_record_at_bytes: third as u64 }
        }
    );
    assert_eq!(
        error.to_string(),
        "r-00_000_000_000_000_000_000.wal, byte 18: the record is damaged: it seems to reach \
         past the end of the file, but a whole record stands at byte 70"
    );
}

#[test]
fn the_rules_of_the_log_hold() {
    let start = || vec![state(None)];
    let with = |records: &[WalRecord<'static>]| [start(), records.to_vec()].concat();
    let first = LogId::new(2, 1, 5);

    // The first entry of an empty log may have any index.
    assert_eq!(live(&with(&[blank(2, 5), blank(2, 6)])), [(2, 5), (2, 6)]);
    for found in [LogId::new(2, 1, 7), LogId::new(2, 1, 5), LogId::new(1, 1, 6)] {
        let append = WalRecord::Append { log_id: found, payload: b"\xa5Blank" };
        assert_eq!(
            fault(&with(&[blank(2, 5), append])),
            WalFault::NotConsecutive { last: first, found }
        );
    }

    let votes = [vote(2, 1, false), vote(2, 1, true), vote(2, 1, true), vote(3, 1, false)];
    replay(&with(&votes.map(WalRecord::SaveVote))).unwrap();
    for found in [vote(2, 1, false), vote(1, 9, true), vote(2, 0, true)] {
        assert_eq!(
            fault(&with(&[WalRecord::SaveVote(vote(2, 1, true)), WalRecord::SaveVote(found)])),
            WalFault::VoteBack { current: vote(2, 1, true), found }
        );
    }

    // A commit beyond the last entry is tolerated, as official imports write it.
    let beyond = replay(&with(&[WalRecord::Commit(first)])).unwrap();
    assert_eq!((beyond.state.committed, beyond.state.last), (Some(first), None));
    let back = LogId::new(2, 1, 4);
    assert_eq!(
        fault(&with(&[WalRecord::Commit(first), WalRecord::Commit(back)])),
        WalFault::CommitBack { current: first, found: back }
    );

    // A purge beyond the last entry moves it.
    let purged = replay(&with(&[blank(2, 5), WalRecord::PurgeUpto(LogId::new(3, 1, 9))])).unwrap();
    assert_eq!(purged.state.last, Some(LogId::new(3, 1, 9)));
    assert_eq!(purged.state.purged, Some(LogId::new(3, 1, 9)));
    assert!(purged.live.is_empty());

    for (upto, purged) in [(Some(LogId::new(1, 1, 7)), None), (None, Some(LogId::new(1, 1, 1)))] {
        let purge = purged.map(WalRecord::PurgeUpto);
        let records: Vec<WalRecord<'_>> =
            purge.into_iter().chain([blank(2, 2), WalRecord::TruncateAfter(upto)]).collect();
        assert_eq!(
            fault(&with(&records)),
            WalFault::TruncateOutside { purged, last: LogId::new(2, 1, 2), found: upto }
        );
    }
}

#[test]
fn a_state_inside_a_chunk_sets_id_and_commit_only() {
    let log_id = LogId::new(1, 1, 0);
    let mut set = WalState {
        last: Some(log_id),
        committed: Some(log_id),
        user_data: Some(UserData { node_id: Some(NodeId(3)) }),
        ..WalState::default()
    };
    let replayed = replay(&[state(None), blank(1, 0), WalRecord::State(set)]).unwrap();
    assert_eq!(replayed.state, set);

    set.last = Some(LogId::new(1, 1, 1));
    let accumulated = WalState { last: Some(log_id), ..WalState::default() };
    let fault = fault(&[state(None), blank(1, 0), WalRecord::State(set)]);
    assert_eq!(
        fault.to_string(),
        "the state record says (vote none, last T1-N1.1, committed T1-N1.0, purged none, \
         node id 3), but the records before it amount to (vote none, last T1-N1.0, \
         committed none, purged none, node id none)"
    );
    assert_eq!(
        fault,
        WalFault::StateMismatch { accumulated: Box::new(accumulated), stored: Box::new(set) }
    );
}

#[test]
fn only_what_is_neither_purged_nor_cut_is_live() {
    let cut = |index| WalRecord::TruncateAfter(Some(LogId::new(1, 1, index)));
    let purge = |index| WalRecord::PurgeUpto(LogId::new(1, 1, index));
    let log = |records: &[WalRecord<'static>]| live(&[&[state(None)], records].concat());

    assert_eq!(log(&[]), []);
    assert_eq!(log(&[blank(1, 0), blank(1, 1), cut(0)]), [(1, 0)]);
    // What was cut is written again, twice.
    assert_eq!(
        log(&[
            blank(1, 0),
            blank(1, 1),
            blank(1, 2),
            cut(0),
            blank(2, 1),
            blank(2, 2),
            blank(2, 3),
            WalRecord::TruncateAfter(Some(LogId::new(2, 1, 1))),
            blank(3, 2),
        ]),
        [(1, 0), (2, 1), (3, 2)]
    );
    assert_eq!(
        log(&[blank(1, 0), WalRecord::TruncateAfter(None), blank(2, 0), blank(2, 1)]),
        [(2, 0), (2, 1)]
    );
    // A cut after the last entry changes nothing.
    assert_eq!(log(&[blank(1, 0), cut(0), cut(5), blank(1, 1)]), [(1, 0), (1, 1)]);
    assert_eq!(log(&[blank(1, 0), blank(1, 1), purge(0), blank(1, 2)]), [(1, 1), (1, 2)]);
    assert_eq!(log(&[blank(1, 0), blank(1, 1), purge(1), blank(1, 2)]), [(1, 2)]);
    assert_eq!(log(&[blank(1, 0), purge(0), purge(0), cut(0)]), []);
    assert_eq!(
        log(&[blank(1, 0), blank(1, 1), cut(0), blank(2, 1), purge(0), blank(2, 2)]),
        [(2, 1), (2, 2)]
    );
}

#[test]
fn chunks_must_be_adjacent_and_agree() {
    let first = log_of(&[state(None), blank(1, 0)]);
    let next = ChunkId(first.len() as u64);
    let carried = state(Some(LogId::new(1, 1, 0)));
    let second = log_of(&[carried, blank(1, 1)]);

    let replayed = replay_chunks(&[(ChunkId(0), &first), (next, &second)]).unwrap();
    assert_eq!(replayed.state.last, Some(LogId::new(1, 1, 1)));
    assert_eq!(replayed.records, 4);
    assert_eq!(replayed.end_bytes, (first.len() + second.len()) as u64);
    assert_eq!(replayed.live.len(), 2);

    for found in [ChunkId(next.0 - 1), ChunkId(next.0 + 1)] {
        assert_eq!(
            replay_chunks(&[(ChunkId(0), &first), (found, &second)]),
            Err(WalError {
                chunk: found,
                offset_bytes: 0,
                fault: WalFault::NotAdjacent { expected: next }
            })
        );
    }
    let headless = log_of(&[blank(1, 1)]);
    assert_eq!(
        replay_chunks(&[(ChunkId(0), &headless)]).unwrap_err().to_string(),
        "r-00_000_000_000_000_000_000.wal, byte 0: \
         the file begins with a Append record, expected State"
    );
    // Even a part that only a state record can set must agree at the start of a chunk.
    let other = WalState { user_data: Some(UserData::default()), ..WalState::default() };
    let other = WalState { last: Some(LogId::new(1, 1, 0)), ..other };
    let other_id = log_of(&[WalRecord::State(other)]);
    assert!(matches!(
        replay_chunks(&[(ChunkId(0), &first), (next, &other_id)]).unwrap_err().fault,
        WalFault::StateMismatch { .. }
    ));
}

#[test]
fn only_the_last_chunk_may_be_torn() {
    let first = log_of(&[state(None), blank(1, 0)]);
    let torn_first = &first[..first.len() - 1];
    let torn = TornTail { chunk: ChunkId(0), offset_bytes: 18, len_bytes: first.len() as u64 - 19 };
    let second = log_of(&[state(None)]);
    assert_eq!(
        replay_chunks(&[(ChunkId(0), torn_first), (ChunkId(18), &second)]).unwrap_err(),
        WalError { chunk: ChunkId(18), offset_bytes: 0, fault: WalFault::AfterTornTail { torn } }
    );
    // A crash while a new file is begun leaves it without a record.
    for begun in [b"".as_slice(), &second[..10], &[0; 18]] {
        let replayed = replay_chunks(&[(ChunkId(0), torn_first), (ChunkId(99), begun)]).unwrap();
        assert_eq!((replayed.torn, replayed.records), (Some(torn), 1));
    }
    let chunk = ChunkId(first.len() as u64);
    let replayed = replay_chunks(&[(ChunkId(0), &first), (chunk, b"")]).unwrap();
    assert_eq!(replayed.torn, Some(TornTail { chunk, offset_bytes: 0, len_bytes: 0 }));
}

#[test]
fn entries_of_a_lost_file_are_missed() {
    let last = LogId::new(1, 1, 9);
    let start = WalRecord::State(WalState {
        last: Some(last),
        purged: Some(LogId::new(1, 1, 4)),
        ..WalState::default()
    });
    let chunk = ChunkId(700);
    let chunk_with = |records: &[WalRecord<'_>]| replay_chunks(&[(chunk, &log_of(records))]);
    let missing = |last_missing| {
        Err(WalError { chunk, offset_bytes: 0, fault: WalFault::MissingEntries { last_missing } })
    };
    assert_eq!(chunk_with(&[start, blank(1, 10)]), missing(last));
    let purge = |index| WalRecord::PurgeUpto(LogId::new(1, 1, index));
    assert_eq!(chunk_with(&[start, blank(1, 10), purge(8)]), missing(last));
    assert!(chunk_with(&[start, blank(1, 10), purge(9)]).is_ok());
    let cut = LogId::new(1, 1, 6);
    assert_eq!(chunk_with(&[start, WalRecord::TruncateAfter(Some(cut))]), missing(cut));
    let cut_all = WalRecord::TruncateAfter(Some(LogId::new(1, 1, 4)));
    assert!(chunk_with(&[start, cut_all, blank(2, 5)]).is_ok());
}

fn entry(index: u64) -> LogEntry<'static> {
    LogEntry { log_id: LogId::new(1, 1, index), payload: Payload::Blank }
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

#[test]
fn a_writer_repeats_what_an_official_import_writes_and_commits_last() {
    let committed = LogId::new(1, 1, 8);
    let mut writer = WalWriter::new(ChunkLimits::default()).unwrap();
    writer.save_node_id(Some(NodeId(1))).unwrap();
    writer.save_vote(vote(1, 1, true)).unwrap();
    writer.announce_committed(Some(committed));
    writer.purge(LogId::new(1, 1, 6)).unwrap();
    // Official imports pass over what is purged already.
    writer.purge(LogId::new(1, 1, 5)).unwrap();
    writer.append(&entry(7)).unwrap();
    writer.append(&entry(8)).unwrap();
    writer.append(&entry(9)).unwrap();
    writer.save_node_id(Some(NodeId(3))).unwrap();
    writer.commit(committed).unwrap();

    let user_data = |id| Some(UserData { node_id: Some(NodeId(id)) });
    let last = WalState {
        vote: Some(vote(1, 1, true)),
        last: Some(LogId::new(1, 1, 9)),
        committed: Some(committed),
        purged: Some(LogId::new(1, 1, 6)),
        user_data: user_data(3),
    };
    assert_eq!(writer.state(), &last);
    let expected = log_of(&[
        state(None),
        WalRecord::State(WalState { user_data: user_data(1), ..WalState::default() }),
        WalRecord::SaveVote(vote(1, 1, true)),
        WalRecord::PurgeUpto(LogId::new(1, 1, 6)),
        blank(1, 7),
        blank(1, 8),
        blank(1, 9),
        WalRecord::State(last),
        WalRecord::Commit(committed),
    ]);
    assert_eq!(drained(&mut writer), [(ChunkId(0), expected.clone())]);
    assert_eq!(drained(&mut writer), []);
    assert_eq!(replay_chunks(&[(ChunkId(0), &expected)]).unwrap().state, last);
}

#[test]
fn an_announced_pointer_that_the_log_does_not_reach_is_not_shown() {
    let mut writer = WalWriter::new(ChunkLimits::default()).unwrap();
    writer.announce_committed(Some(LogId::new(1, 1, 0)));
    writer.save_node_id(None).unwrap();
    assert_eq!(writer.state().committed, None);
    writer.append(&entry(0)).unwrap();
    assert_eq!(writer.state().committed, None);
    writer.save_node_id(None).unwrap();
    assert_eq!(writer.state().committed, Some(LogId::new(1, 1, 0)));
}

#[test]
fn a_writer_refuses_what_a_reader_would() {
    let mut writer = WalWriter::new(ChunkLimits::default()).unwrap();
    let found = LogId::new(1, 1, 5);
    assert_eq!(
        writer.commit(found).unwrap_err().to_string(),
        "the committed pointer T1-N1.5 is beyond the log, whose last entry is none"
    );
    writer.append(&entry(5)).unwrap();
    assert_eq!(
        writer.append(&entry(7)),
        Err(WalWriteError::NotConsecutive { last: found, found: LogId::new(1, 1, 7) })
    );
    assert_eq!(writer.append(&entry(5)), Err(WalWriteError::NotConsecutive { last: found, found }));
    writer.commit(found).unwrap();
    let back = LogId::new(1, 1, 4);
    assert_eq!(writer.commit(back), Err(WalWriteError::CommitBack { current: found, found: back }));
    writer.save_vote(vote(2, 1, true)).unwrap();
    assert_eq!(
        writer.save_vote(vote(2, 1, false)),
        Err(WalWriteError::VoteBack { current: vote(2, 1, true), found: vote(2, 1, false) })
    );
    let mut retired = entry(6);
    retired.payload = Payload::Normal(LogEntryBody {
        txid: None,
        time_ms: None,
        cmd: Cmd::CreateTable(crate::dump::record::Retired),
    });
    let before = writer.buffered_bytes();
    assert_eq!(
        writer.append(&retired).unwrap_err().to_string(),
        "the record cannot be written: a retired command cannot be written"
    );
    assert_eq!(writer.buffered_bytes(), before);
    writer.append(&entry(6)).unwrap();
}

#[test]
fn a_chunk_ends_with_the_record_that_fills_it() {
    let limits = ChunkLimits { records: 3, bytes: u64::MAX };
    let mut writer = WalWriter::new(limits).unwrap();
    for index in 0..4 {
        writer.append(&entry(index)).unwrap();
    }
    let chunks = drained(&mut writer);
    let first = log_of(&[state(None), blank(1, 0), blank(1, 1)]);
    let second = log_of(&[state(Some(LogId::new(1, 1, 1))), blank(1, 2), blank(1, 3)]);
    let third = log_of(&[state(Some(LogId::new(1, 1, 3)))]);
    let second_id = ChunkId(first.len() as u64);
    let third_id = ChunkId((first.len() + second.len()) as u64);
    assert_eq!(chunks, [(ChunkId(0), first.clone()), (second_id, second), (third_id, third)]);

    let limits = ChunkLimits { records: u64::MAX, bytes: first.len() as u64 };
    let mut writer = WalWriter::new(limits).unwrap();
    writer.append(&entry(0)).unwrap();
    assert_eq!(drained(&mut writer).len(), 1);
    writer.append(&entry(1)).unwrap();
    let chunks = drained(&mut writer);
    assert_eq!(chunks[1].0, second_id);
    assert_eq!(chunks.len(), 2);
}

#[test]
fn a_line_keeps_what_the_records_do_not_know() {
    let line = |payload: &[u8]| {
        let mut line = b"before ".to_vec();
        let form = log_entry_line(LogId::new(1, 2, 3), payload, &mut line);
        (form, String::from_utf8(line).unwrap())
    };
    let around = |payload: &str| {
        format!(
            "before [\"raft_log\",{{\"LogEntry\":{{\"log_id\":{{\"leader_id\":{{\"term\":1,\
             \"node_id\":2}},\"index\":3}},\"payload\":{payload}}}}}]"
        )
    };
    let membership = b"\x81\xaaMembership\x82\xa7configs\x91\x93\x01\x02\x03\xa5nodes\x83\x01\x80\x02\x80\x03\x80";
    assert_eq!(
        line(membership),
        (
            Ok(LineForm::Typed),
            around(r#"{"Membership":{"configs":[[1,2,3]],"nodes":{"1":{},"2":{},"3":{}}}}"#)
        )
    );
    // A member of a node that a newer server could add, under an integer key.
    assert_eq!(
        line(b"\x81\xaaMembership\x82\xa7configs\x91\x91\x01\xa5nodes\x81\x01\x81\xa4zone\xa1\""),
        (
            Ok(LineForm::Verbatim { unknown: "member nodes.1.zone".to_owned() }),
            around(r#"{"Membership":{"configs":[[1]],"nodes":{"1":{"zone":"\""}}}}"#)
        )
    );
    // A command that a newer server could add, with every kind of value.
    assert_eq!(
        line(b"\x81\xa6Normal\x81\xa3cmd\x81\xa3New\x97\xc0\xc3\xff\xcd\x01\x00\xc4\x02\x00\xff\xcb\x3f\xf8\0\0\0\0\0\0\x80"),
        (
            Ok(LineForm::Verbatim {
                unknown: "`New` is not known; known: `AddNode`, `RemoveNode`, \
                    `UpsertKV`, `Transaction`, `SetFeature`, `KvTransaction`, `IncrSeq`, \
                    `AddMetaSrvAddr`, `RemoveMetaSrvAddr`, `CreateDatabase`, `DropDatabase`, \
                    `CreateTable`, `DropTable`, `RenameTable`, `UpsertTableOptions`, \
                    `CreateShare`, `DropShare`"
                    .to_owned()
            }),
            around(r#"{"Normal":{"cmd":{"New":[null,true,-1,256,[0,255],1.5,{}]}}}"#)
        )
    );
    for broken in [b"".as_slice(), b"\xa5Blan", b"\xa5Blank\xc0", b"\xc1"] {
        let (form, text) = line(broken);
        assert_eq!((form.is_err(), text.as_str()), (true, "before "), "{broken:?}");
    }
}

fn any_log_id() -> impl Strategy<Value = LogId> {
    any::<(u64, u64, u64)>().prop_map(|(term, node, index)| LogId::new(term, node, index))
}

fn any_vote() -> impl Strategy<Value = Vote> {
    any::<(u64, u64, bool)>().prop_map(|(term, node, committed)| vote(term, node, committed))
}

fn any_payload() -> impl Strategy<Value = Payload<'static>> {
    let membership = prop::collection::vec(prop::collection::btree_set(any::<u64>(), 0..4), 0..3);
    let node = (any::<u64>(), ".{0,8}", any::<u16>(), any::<Option<u8>>());
    let data = prop::collection::vec(any::<u8>(), 0..300);
    let command = prop_oneof![
        (node, any::<bool>()).prop_map(|((id, addr, port, grpc), overriding)| Cmd::AddNode(
            AddNode {
                node_id: NodeId(id),
                node: Node {
                    name: id.to_string(),
                    endpoint: Endpoint { addr, port },
                    grpc_api_addr: None,
                    grpc_api_advertise_address: grpc.map(|port| format!("h:{port}")),
                    raft_tls_advertise_address: None,
                },
                overriding,
            }
        )),
        any::<u64>().prop_map(|id| Cmd::RemoveNode { node_id: NodeId(id) }),
        (".{0,12}", data, any::<Option<u64>>(), any::<u64>()).prop_map(
            |(key, data, expire_at, seq)| Cmd::UpsertKV(UpsertKV {
                key: Text::from(key),
                seq: MatchSeq::GE(seq),
                value: Operation::Update(Bytes::from(data)),
                value_meta: expire_at.map(|at| MetaSpec { expire_at: Some(at), ttl: None }),
            })
        ),
        (".{0,12}", any::<bool>())
            .prop_map(|(feature, enable)| Cmd::SetFeature { feature, enable }),
    ];
    prop_oneof![
        Just(Payload::Blank),
        membership.prop_map(|configs| {
            let configs: Vec<BTreeSet<NodeId>> = configs
                .into_iter()
                .map(|config| config.into_iter().map(NodeId).collect())
                .collect();
            let all = configs.iter().flatten().copied().collect::<BTreeSet<_>>();
            Payload::Membership(Membership { configs, ..Membership::uniform(all) })
        }),
        (any::<Option<u64>>(), command).prop_map(|(time_ms, cmd)| {
            Payload::Normal(LogEntryBody { txid: None, time_ms, cmd })
        }),
    ]
}

/// The bytes of any record; an entry's payload is that of any command.
fn any_record_bytes() -> impl Strategy<Value = Vec<u8>> {
    let state = (
        prop::option::of(any_vote()),
        prop::option::of(any_log_id()),
        prop::option::of(any_log_id()),
        prop::option::of(any_log_id()),
        any::<Option<Option<u64>>>(),
    );
    prop_oneof![
        any_vote().prop_map(|vote| encoded(&WalRecord::SaveVote(vote))),
        any_log_id().prop_map(|id| encoded(&WalRecord::Commit(id))),
        any_log_id().prop_map(|id| encoded(&WalRecord::PurgeUpto(id))),
        prop::option::of(any_log_id()).prop_map(|id| encoded(&WalRecord::TruncateAfter(id))),
        state.prop_map(|(vote, last, committed, purged, user_data)| {
            let user_data = user_data.map(|id| UserData { node_id: id.map(NodeId) });
            encoded(&WalRecord::State(WalState { vote, last, committed, purged, user_data }))
        }),
        (any_log_id(), any_payload()).prop_map(|(log_id, payload)| {
            let mut out = Vec::new();
            encode_append(&LogEntry { log_id, payload }, &mut out).unwrap();
            out
        }),
    ]
}

fn any_log() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(any_record_bytes(), 1..12)
}

proptest! {
    #[test]
    fn a_record_reads_back_and_every_start_of_it_is_incomplete(bytes in any_record_bytes()) {
        let Ok(Decoded::Whole { record, len_bytes }) = decode_record(&bytes) else {
            panic!("{bytes:?}");
        };
        prop_assert_eq!(len_bytes, bytes.len());
        prop_assert_eq!(&encoded(&record), &bytes);
        for len in 0..bytes.len() {
            prop_assert_eq!(decode_record(&bytes[..len]), Ok(Decoded::Incomplete));
        }
    }

    #[test]
    fn an_entry_reads_back(log_id in any_log_id(), payload in any_payload()) {
        let entry = LogEntry { log_id, payload };
        let mut bytes = Vec::new();
        encode_append(&entry, &mut bytes).unwrap();
        let Ok(Decoded::Whole { record: WalRecord::Append { log_id, payload }, .. }) =
            decode_record(&bytes)
        else {
            panic!("{bytes:?}");
        };
        let payload = decode_payload(payload).unwrap();
        prop_assert_eq!(LogEntry { log_id, payload }, entry);
    }

    #[test]
    fn a_line_is_the_json_of_the_entry(log_id in any_log_id(), payload in any_payload()) {
        let entry = LogEntry { log_id, payload };
        let mut bytes = Vec::new();
        rmp_serde::encode::write_named(&mut bytes, &entry.payload).unwrap();
        let mut line = Vec::new();
        prop_assert_eq!(log_entry_line(log_id, &bytes, &mut line), Ok(LineForm::Typed));
        let scanned = crate::dump::scan::scan_line(&line).unwrap();
        prop_assert_eq!(scanned.record, crate::dump::record::Record::LogEntry(entry));
    }

    #[test]
    fn pieces_of_any_size_give_the_same_records(
        log in any_log(),
        torn in prop::collection::vec(any::<u8>(), 0..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let file = [log.concat(), torn].concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(file.len() + 1)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&file[from..cut]);
            from = cut;
        }
        pieces.push(&file[from..]);
        let whole = read_pieces([file.as_slice()]);
        prop_assert_eq!(&read_pieces(pieces), &whole);
        prop_assert_eq!(&read_pieces(file.chunks(1)), &whole);
        prop_assert!(whole.0.len() >= log.len());
    }

    #[test]
    fn a_flipped_bit_before_the_last_record_is_damage(
        log in any_log(), at in any::<prop::sample::Index>(), bit in 0..8_u32,
    ) {
        let mut file = log.concat();
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        let last = file.len() - log.last().unwrap().len();
        match read(&file) {
            Err(error) => {
                let mut ends = log.iter().scan(0, |end, record| {
                    let start = *end;
                    *end += record.len();
                    Some((start, *end))
                });
                let (start, _) = ends.find(|(_, end)| at < *end).unwrap();
                prop_assert_eq!(error.offset_bytes, start as u64);
            }
            Ok(end) => {
                prop_assert!(at >= last, "not reported: {:?}", end);
                let torn = end.torn.unwrap();
                prop_assert_eq!(torn.offset_bytes, last as u64);
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>) {
        let _ = decode_record(&bytes);
        let _ = decode_payload(&bytes);
        let _ = log_entry_line(LogId::default(), &bytes, &mut Vec::new());
        let _ = replay_chunks(&[(ChunkId(7), &bytes)]);
        prop_assert_eq!(read_pieces(bytes.chunks(1)), read_pieces([bytes.as_slice()]));
    }

    #[test]
    fn what_a_writer_writes_replays(
        payloads in prop::collection::vec(any_payload(), 0..30),
        records in 1..9_u64,
        bytes in 1..2000_u64,
        purge_at in 0..30_u64,
    ) {
        let mut writer = WalWriter::new(ChunkLimits { records, bytes }).unwrap();
        writer.save_node_id(Some(NodeId(7))).unwrap();
        let mut chunks = std::collections::BTreeMap::<ChunkId, Vec<u8>>::new();
        let mut expected = Vec::new();
        for (index, payload) in payloads.into_iter().enumerate() {
            let entry = LogEntry { log_id: LogId::new(1, 1, index as u64), payload };
            writer.append(&entry).unwrap();
            if index as u64 == purge_at {
                writer.purge(entry.log_id).unwrap();
                expected.clear();
            } else {
                expected.push(entry);
            }
            for (chunk, bytes) in drained(&mut writer) {
                chunks.entry(chunk).or_default().extend(bytes);
            }
        }
        let files: Vec<(ChunkId, &[u8])> =
            chunks.iter().map(|(id, file)| (*id, file.as_slice())).collect();
        let replayed = replay_chunks(&files).unwrap();
        if !files.is_empty() {
            prop_assert_eq!(&replayed.state, writer.state());
        }
        prop_assert_eq!(replayed.torn, None);
        let mut live = Vec::new();
        for (chunk, file) in files {
            let mut reader = ChunkReader::new(chunk);
            reader.feed(file, |at| -> Result<(), WalError> {
                if let Some((log_id, payload)) = replayed.live.entry(&at) {
                    let mut copy = Vec::new();
                    encode_record(&WalRecord::Append { log_id, payload }, &mut copy).unwrap();
                    live.push(copy);
                }
                Ok(())
            }).unwrap();
        }
        let expected: Vec<Vec<u8>> = expected.iter().map(|entry| {
            let mut out = Vec::new();
            encode_append(entry, &mut out).unwrap();
            out
        }).collect();
        prop_assert_eq!(live, expected);
    }
}
