//! The smallest database: one tree, one key, 225 bytes of log.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // every function here is a test's

use proptest::prelude::*;

use super::*;

/// What the fork writes for one insertion of `b` under `a` into the default tree, up to the bytes
/// of zeros that images of nodes begin with.
fn log() -> Vec<u8> {
    let mut log = Vec::new();
    let mut put = |hex: &str| {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let text = |pair: &[u8]| String::from_utf8(pair.to_vec()).unwrap();
        log.extend(digits.chunks(2).map(|pair| u8::from_str_radix(&text(pair), 16).unwrap()));
    };
    put("ffbac70f ffffffffffffff7f 0000000000000080");
    put("093d741d 06 01 00 00  00");
    put("71a2c678 05 01 00 01  00");
    put("ecb56035 08 41 00 02  40");
    put(&"00".repeat(44));
    put("01 00 00 01 00 00 000000000000 0000000000000000");
    put("39c9406e 08 43 00 03  42");
    put(&"00".repeat(32));
    put("01000000 0000 0900 0000 00 00 01 00 00 01 00 01 000000000000");
    put("00 00 0200000000000000");
    put("392cf971 06 12 00 00  01 0f 5f5f736c65645f5f64656661756c74 03");
    put("b5184b57 0a 05 00 02  00 01 61 01 62");
    log
}

const CONF: &[u8] =
    b"segment_size: 524288\nuse_compression: false\nversion: 0.34\n\x76\x19\x51\xc1";

fn open(log: &[u8]) -> Result<Vec<Item>, SledError> {
    let mut files = DatabaseFiles::default();
    files.insert("conf", CONF);
    files.insert("db", log);
    let database = Database::open(files)?;
    let tree = database.tree(b"__sled__default").unwrap();
    assert_eq!(database.trees().len(), 1);
    database.items(tree).collect()
}

fn one_item() -> Vec<Item> {
    vec![Item { key: b"a".to_vec(), value: b"b".to_vec() }]
}

#[test]
fn a_whole_database_in_225_bytes() {
    assert_eq!(log().len(), 225);
    assert_eq!(open(&log()), Ok(one_item()));
}

#[test]
fn a_snapshot_goes_before_the_log() {
    let mut snapshot = b"\0\xe2\0\0\0\0\0\0\0\x01\x04".to_vec();
    snapshot.extend(b"\x01\xba\0\0\0\0\0\0\0\0\xba");
    snapshot.extend(b"\x01\x1d\0\0\0\0\0\0\0\0\x1d");
    snapshot.extend(b"\x02\x26\0\0\0\0\0\0\0\0\x26\xd4\0\0\0\0\0\0\0\0\xd4");
    snapshot.extend(b"\x01\x6f\0\0\0\0\0\0\0\0\x6f");
    snapshot.extend(b"\x41\0\0\0\0\0\0\0\x30\xc9\x43\x60");
    let log = log();
    let mut files = DatabaseFiles::default();
    files.insert("conf", CONF);
    files.insert("db", log.as_slice());
    files.insert("snap.00000000000000E1", snapshot.as_slice());
    let database = Database::open(files).unwrap();
    let expected = Recovery {
        snapshot: Some("snap.00000000000000E1".to_owned()),
        end: Lsn(225),
        unread_segments: 0,
        torn_batch: None,
        message_behind_end: None,
        cut_message: None,
    };
    assert_eq!(database.recovery(), &expected);
    assert_eq!(database.items(&database.trees()[0]).count(), 1);
}

#[test]
fn no_byte_changes_unnoticed_but_in_the_last_message() {
    // The header of the segment, and each message but the last: 212 is where that starts.
    for at in 0..212 {
        let mut log = log();
        log[at] ^= 0x40;
        let mut files = DatabaseFiles::default();
        files.insert("conf", CONF);
        files.insert("db", log.as_slice());
        let reported = Database::open(files).map_or(true, |read| !read.recovery().is_clean());
        assert!(reported || open(&log).is_err(), "byte {at}");
    }
}

#[test]
fn a_log_that_ends_early_is_an_earlier_state_or_none() {
    for len in 0..log().len() {
        let read = open(&log()[..len]);
        match len {
            // The list of trees and the counter.
            0..37 => assert!(read.is_err(), "{len} bytes: {read:?}"),
            _ => assert_eq!(read, Ok(Vec::new()), "{len} bytes"),
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(edits in prop::collection::vec((0usize..225, any::<u8>()), 0..9)) {
        let mut log = log();
        for (at, byte) in edits {
            log[at] = byte;
        }
        let mut files = DatabaseFiles::default();
        files.insert("db", log.as_slice());
        let database = Database::salvage(files).unwrap();
        prop_assert_eq!(database.damage().first().map(|fault| &fault.file), Some(&SledFile::Conf));
        for tree in database.trees() {
            let items: Vec<Item> = database.items(tree).filter_map(Result::ok).collect();
            prop_assert!(items.is_sorted_by(|one, other| one.key < other.key));
        }
    }
}
