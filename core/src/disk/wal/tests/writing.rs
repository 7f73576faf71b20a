//! What a writer writes, and the lines of entries.

use super::*;

fn entry(index: u64) -> LogEntry<'static> {
    LogEntry { log_id: LogId::new(1, 1, index), payload: Payload::Blank }
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
