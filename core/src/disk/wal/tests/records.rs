//! The bytes of records, and what is none.

use super::*;

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
fn what_is_no_record_is_reported_apart() {
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
