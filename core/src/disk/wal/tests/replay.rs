//! What the records of a log add up to.

use super::*;

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
