//! Logs that are cut, torn and damaged.

use super::*;

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
