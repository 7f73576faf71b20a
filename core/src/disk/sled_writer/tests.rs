//! What the writer writes, byte by byte, and read back.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::image::{Image, Item, LevelKind, MOST_IMAGE_BYTES};
use super::log::{Log, segment_header};
use super::message::{CAP_PAGE, header, kind};
use super::node::OpenNode;
use super::pieces::Pieces;
use super::slot::slab_for;
use super::*;
use crate::disk::sled::{Database, DatabaseFiles, Lsn, SegmentSize, SledFile, varint};

type Trees = BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, Vec<u8>>>;

const LINK: u8 = 10;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

fn size(bytes: u64) -> SegmentSize {
    SegmentSize::new(bytes).unwrap()
}

/// The files that pieces make.
fn files(out: &mut Pieces) -> BTreeMap<String, Vec<u8>> {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    out.drain(|file, bytes| -> Result<(), ()> {
        files.entry(file.to_string()).or_default().extend_from_slice(bytes);
        Ok(())
    })
    .unwrap();
    files
}

fn item(key: &[u8], value: &[u8]) -> Item {
    Item { key: key.to_vec(), value: value.to_vec() }
}

/// The image of a leaf without bounds, its length cut off.
fn leaf(items: &[Item]) -> Vec<u8> {
    let image = Image { next: 0, lo: b"", hi: b"", level: LevelKind::Leaves, items };
    let sized = image.encode().unwrap();
    sized[usize::try_from(varint::varint_bytes(sized.len() as u64 - 1)).unwrap()..].to_vec()
}

/// The root of a tree whose only leaf is page 2.
fn root() -> Vec<u8> {
    let child = [item(b"", &2_u64.to_le_bytes())];
    Image { next: 0, lo: b"", hi: b"", level: LevelKind::Index, items: &child }.encode().unwrap()
}

/// A database as the fork writes it when it opens a new one and gets a first change.
fn first_change(link: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut out = Pieces::default();
    let mut log = Log::new(SegmentSize::DATABEND);
    let empty = Image { next: 0, lo: b"", hi: b"", level: LevelKind::Leaves, items: &[] };
    let meta = [b"\x01\x0f__sled__default".as_slice(), b"\x03"].concat();
    for (kind, page, body) in [
        (kind::META, 0, vec![0]),
        (kind::COUNTER, 1, vec![0]),
        (kind::NODE, 2, empty.encode().unwrap()),
        (kind::NODE, 3, root()),
        (kind::META, 0, meta),
        (LINK, 2, link.to_vec()),
    ] {
        log.put_page(kind, page, &body, &mut out).unwrap();
    }
    files(&mut out)
}

/// Where the fork writes what, for a database with one key: segment header, messages, images.
#[test]
fn a_database_of_one_key_has_the_bytes_that_the_fork_writes() {
    let expected = [
        "ffbac70f ffffffffffffff7f 0000000000000080",
        "093d741d 06 01 00 00 00",
        "71a2c678 05 01 00 01 00",
        "ecb56035 08 41 00 02 40",
        &"00".repeat(44),
        "01 00 00 01 00 00 000000000000 0000000000000000",
        "39c9406e 08 43 00 03 42",
        &"00".repeat(32),
        "01000000 0000 0900 0000 00 00 01 00 00 01 00 01 000000000000",
        "00 00 0200000000000000",
        "392cf971 06 12 00 00 01 0f 5f5f736c65645f5f64656661756c74 03",
        "b5184b57 0a 05 00 02 00 01 61 01 62",
    ];
    let written = first_change(b"\x00\x01a\x01b");
    assert_eq!(written, BTreeMap::from([("db".to_owned(), hex(&expected.concat()))]));
    assert_eq!(written["db"].len(), 225);
}

#[test]
fn a_big_item_goes_to_a_slot_that_its_message_names() {
    let value = vec![b'x'; 40_000];
    let link = [b"\x00\x01k\xf9\x93\x50".as_slice(), &value].concat();
    let written = first_change(&link);
    let message = "df0a190d 0b 10 00 02 0000000002000000 d400000000000000";
    assert_eq!(written["db"][0xd4..], hex(message));
    let mut slot = hex("0b d397b0b2 d400000000000000 00 01 6b f99350");
    slot.extend_from_slice(&value);
    slot.resize(65_536, 0);
    assert!(written["heap/01"] == slot);
    assert_eq!(written.len(), 2);
}

#[test]
fn the_configuration_is_that_of_the_servers() {
    let mut out = Pieces::default();
    DatabaseWriter::new(SegmentSize::DATABEND, &mut out).finish(&mut out).unwrap();
    let files = files(&mut out);
    let text = b"segment_size: 524288\nuse_compression: false\nversion: 0.34\n".to_vec();
    assert_eq!(files["conf"], [text, hex("761951c1")].concat());
    let empty: Vec<&str> =
        files.iter().filter(|(_, bytes)| bytes.is_empty()).map(|(name, _)| &**name).collect();
    assert_eq!(empty.len(), 1 + 32);
    assert_eq!((empty[0], empty[32]), ("DO_NOT_USE_THIS_DIRECTORY_FOR_ANYTHING", "heap/31"));
}

#[test]
fn keys_and_values_of_one_length_stand_bare() {
    let key = |i: u8| [b'k', b'0', b'0' + i];
    let value = |i: u8| [b'v', b'1' - i % 2, b'0'];
    let image = leaf(&(0..10).map(|i| item(&key(i), &value(i))).collect::<Vec<_>>());
    assert_eq!(image[32..48], hex("0a000000 0300 0400 0000 00 00 00 00 00 01"));
    let keys = (0..10).flat_map(key);
    assert_eq!(image[56..], keys.chain((0..10).flat_map(value)).collect::<Vec<_>>());
}

#[test]
fn values_of_many_lengths_are_found_by_a_table() {
    let key = |i: u8| [b'k', b'0', b'0' + i];
    let value = |i: u8| vec![b'v'; usize::from(i % 4)];
    let image = leaf(&(0..10).map(|i| item(&key(i), &value(i))).collect::<Vec<_>>());
    assert_eq!(image[32..48], hex("0a000000 0300 0000 0000 00 00 01 00 00 01"));
    let mut data = hex("0001030 60a0b0d101415");
    data.extend((0..10).flat_map(key));
    data.extend(hex("00 0176 027676 03767676 00 0176 027676 03767676 00 0176"));
    assert_eq!(image[56..], data);
}

#[test]
fn keys_of_many_lengths_are_found_by_a_table() {
    let items: Vec<Item> = (1..=10).map(|len| item(&vec![b'k'; len], b"vv")).collect();
    let image = leaf(&items);
    assert_eq!(image[32..48], hex("0a000000 0000 0300 0000 00 00 01 00 00 01"));
    assert_eq!(image[56..66], hex("000205090e141b232c36"));
    assert_eq!(image[66..71], hex("016b 026b6b"));
    assert_eq!(image[image.len() - 20..], b"vv".repeat(10));
    assert_eq!(image.len(), 66 + 65 + 20);
}

#[test]
fn a_key_stands_before_its_value_when_neither_is_of_one_length() {
    let items: Vec<Item> = (0..10).map(|i| item(&vec![b'k'; i + 1], &vec![b'v'; i])).collect();
    let image = leaf(&items);
    assert_eq!(image[32..48], hex("0a000000 0000 0000 0000 00 00 01 00 00 01"));
    assert_eq!(image[56..61], hex("0003080f18"));
    assert_eq!(image[66..74], hex("016b00 026b6b0176"));
}

#[test]
fn values_that_are_short_or_empty_leave_room_for_a_load() {
    let image = leaf(&[item(b"k", b"vv")]);
    assert_eq!(image[56..], hex("6b 000000000000 7676"));
    let image = leaf(&[item(b"k", b"")]);
    assert_eq!(image[36..40], hex("0100 0100"));
    assert_eq!(image[56..], hex("6b 0000000000000000"));
    let image = leaf(&[item(b"", b"v"), item(b"k", b"")]);
    assert_eq!(image[56..], hex("0003 000176 016b00 0000000000"));
}

#[test]
fn what_the_bounds_have_in_common_is_left_out_of_the_keys() {
    let items = [item(b"tables/1", b"one"), item(b"tables/2", b"two")];
    let image = Image {
        next: 9,
        lo: b"tables/1",
        hi: b"tables/5",
        level: LevelKind::Leaves,
        items: &items,
    };
    let bytes = image.encode().unwrap();
    let expected = [
        hex("52 0900000000000000 0000000000000000 0800000000000000 0800000000000000"),
        hex("02000000 0100 0400 0000 07 00 00 00 00 01 00 00 000000000000"),
        b"tables/1tables/5".to_vec(),
        b"12\0\0onetwo".to_vec(),
    ];
    assert_eq!(bytes, expected.concat());
}

#[test]
fn offsets_are_as_wide_as_their_area_needs() {
    for (value_bytes, width) in [(100, 1), (300, 2), (70_000, 3)] {
        let image = leaf(&[item(b"a", &vec![b'v'; value_bytes]), item(b"b", b"")]);
        assert_eq!(image[44], width, "{value_bytes}");
    }
}

#[test]
fn an_item_takes_the_smallest_slot_that_it_fits_in() {
    let slab = |bytes| slab_for(bytes).map(crate::disk::sled::Slab::number);
    assert_eq!(slab(32_768 - 13), Some(0));
    assert_eq!(slab(32_768 - 12), Some(1));
    assert_eq!(slab((32_768 << 31) - 13), Some(31));
    assert_eq!(slab((32_768 << 31) - 12), None);
}

#[test]
fn items_of_up_to_30688_bytes_stay_in_the_log() {
    for (bytes, in_heap) in [(30_688, false), (30_689, true)] {
        let mut out = Pieces::default();
        Log::new(SegmentSize::DATABEND).put_page(kind::NODE, 2, &vec![1; bytes], &mut out).unwrap();
        assert_eq!(files(&mut out).contains_key("heap/00"), in_heap, "{bytes}");
    }
}

/// The messages of a log, by kind and place in their segment, with where each ends.
fn messages(db: &[u8], segment: usize) -> Vec<(u8, usize, usize)> {
    let mut found = Vec::new();
    for (number, bytes) in db.chunks(segment).enumerate() {
        let base = (number * segment) as u64;
        assert_eq!(bytes[..20], segment_header(base, base.wrapping_sub(1)));
        let mut at = 20;
        while at < bytes.len() && segment - at >= 32 {
            let len = usize::from(bytes[at + 5]);
            let page = if bytes[at + 4] == kind::CAP { CAP_PAGE } else { 2 };
            // The header is as long as the numbers in it make it.
            let size_of = header(bytes[at + 4], number as u64, page, &vec![0; len]).len();
            let body = &bytes[at + size_of..at + size_of + len];
            let expected = header(bytes[at + 4], number as u64, page, body);
            assert_eq!(bytes[at..at + size_of], expected);
            found.push((bytes[at + 4], at, at + size_of + len));
            at += size_of + len;
            if page == CAP_PAGE {
                break;
            }
        }
        assert!(bytes[at.min(bytes.len())..].iter().all(|byte| *byte == 0));
    }
    found
}

/// A segment can be left with room for a cap, with less, and with nothing at all.
#[test]
fn a_message_that_does_not_fit_goes_to_the_next_segment() {
    let mut ends = BTreeSet::new();
    for bytes in 0..=204 {
        let mut out = Pieces::default();
        let mut log = Log::new(size(256));
        for body in [bytes, 100] {
            log.put_page(kind::NODE, 2, &vec![7; body], &mut out).unwrap();
        }
        let found = messages(&files(&mut out)["db"], 256);
        let end = 28 + bytes;
        // The second message takes 108 bytes.
        let expected = match 256 - end {
            left if left >= 108 => vec![(kind::NODE, 20, end), (kind::NODE, end, end + 108)],
            32.. => {
                // The number of a cap's page takes 9 bytes instead of one.
                let cap = (kind::CAP, end, end + 16 + (256 - end - 32));
                vec![(kind::NODE, 20, end), cap, (kind::NODE, 20, 128)]
            }
            _ => vec![(kind::NODE, 20, end), (kind::NODE, 20, 128)],
        };
        assert_eq!(found, expected, "{bytes}");
        ends.insert(256 - end);
    }
    assert!(ends.contains(&24) && ends.contains(&32), "no case of a red zone");
}

#[test]
fn a_segment_that_is_exactly_full_is_followed_by_the_next() {
    let mut out = Pieces::default();
    let mut log = Log::new(size(256));
    // 20 + 3 * 52 + 80 = 256
    for bytes in [44, 44, 44, 72, 44] {
        log.put_page(kind::NODE, 2, &vec![7; bytes], &mut out).unwrap();
    }
    let node = kind::NODE;
    let expected =
        [(node, 20, 72), (node, 72, 124), (node, 124, 176), (node, 176, 256), (node, 20, 72)];
    assert_eq!(messages(&files(&mut out)["db"], 256), expected);
}

fn write(trees: &Trees, segment: SegmentSize) -> BTreeMap<String, Vec<u8>> {
    let mut out = Pieces::default();
    let mut writer = DatabaseWriter::new(segment, &mut out);
    // One item of each tree in turn: none waits for another.
    let mut open: Vec<_> =
        trees.iter().map(|(name, items)| (writer.tree(name), items.iter())).collect();
    while !open.is_empty() {
        open.retain_mut(|(tree, items)| match items.next() {
            Some((key, value)) => writer.push(*tree, key, value, &mut out).is_ok(),
            None => false,
        });
    }
    writer.finish(&mut out).unwrap();
    files(&mut out)
}

fn open(
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<Database<&[u8]>, crate::disk::sled::SledError> {
    let mut lent = DatabaseFiles::default();
    for (path, bytes) in files {
        assert_eq!(lent.insert(path, bytes.as_slice()), None);
    }
    Database::open(lent)
}

fn check_reads_back(trees: &Trees, segment: SegmentSize) {
    let files = write(trees, segment);
    let database = open(&files).unwrap();
    assert!(database.recovery().is_clean());
    assert_eq!(database.recovery().end, Lsn(files["db"].len() as u64));
    let mut expected = trees.clone();
    expected.entry(b"__sled__default".to_vec()).or_default();
    let read: Trees = database
        .trees()
        .iter()
        .map(|tree| {
            let items = database.items(tree).map(|item| item.unwrap());
            (tree.name().to_vec(), items.map(|item| (item.key, item.value)).collect())
        })
        .collect();
    assert!(read == expected, "reads as something else");
}

#[test]
fn trees_of_extreme_shapes_read_back() {
    let number = |i: u32| i.to_be_bytes().to_vec();
    let long = |i: u32| [vec![b'p'; 1000], i.to_be_bytes().to_vec()].concat();
    let trees: Trees = BTreeMap::from([
        (b"".to_vec(), BTreeMap::from([(Vec::new(), Vec::new())])),
        (b"empty".to_vec(), BTreeMap::new()),
        (b"many".to_vec(), (0..20_000).map(|i| (number(i), i.to_le_bytes().to_vec())).collect()),
        (b"long keys".to_vec(), (0..300).map(|i| (long(i), number(i))).collect()),
        (
            b"huge keys".to_vec(),
            (0..9).map(|i| ([number(i), vec![b'k'; 70_000]].concat(), number(i))).collect(),
        ),
        (
            b"huge values".to_vec(),
            [0, 1, 30_000, 31_000, 65_534, 65_535, 65_536, 1_000_000, 5_000_000]
                .into_iter()
                .map(|len| (format!("{len:9}").into_bytes(), vec![b'v'; len]))
                .collect(),
        ),
    ]);
    check_reads_back(&trees, SegmentSize::DATABEND);
    check_reads_back(&trees, size(4096));
}

#[test]
fn hundreds_of_trees_read_back() {
    let trees: Trees = (0..400_u32)
        .map(|i| (format!("tree/{i}").into_bytes(), BTreeMap::from([(vec![1], vec![2])])))
        .collect();
    check_reads_back(&trees, SegmentSize::DATABEND);
    check_reads_back(&trees, size(512));
}

#[test]
fn a_log_that_is_cut_is_no_database() {
    let trees = (0..9_u8).map(|i| (vec![i], BTreeMap::from([(vec![i], vec![i; 100])]))).collect();
    let whole = write(&trees, size(1024));
    for cut in 0..whole["db"].len() {
        let mut files = whole.clone();
        files.insert("db".to_owned(), whole["db"][..cut].to_vec());
        if let Ok(database) = open(&files) {
            // Nothing was written yet: a database that is new.
            assert!(database.trees().is_empty(), "cut at {cut}");
            assert!(cut < 200, "cut at {cut}");
        }
    }
}

#[test]
fn keys_must_ascend() {
    let mut out = Pieces::default();
    let mut writer = DatabaseWriter::new(SegmentSize::DATABEND, &mut out);
    let tree = writer.tree(b"tree");
    writer.push(tree, b"b", b"", &mut out).unwrap();
    for key in [b"b", b"a"] {
        let error = SledWriteError::NotAscending {
            tree: b"tree".to_vec(),
            previous: b"b".to_vec(),
            found: key.to_vec(),
        };
        assert_eq!(writer.push(tree, key, b"", &mut out), Err(error));
    }
    // Each tree has an order of its own.
    let other = writer.tree(b"other");
    assert_eq!(writer.push(other, b"a", b"", &mut out), Ok(()));
    assert_eq!(writer.tree(b"tree"), tree);
}

#[test]
fn what_waits_grows_with_the_biggest_item_only() {
    let mut out = Pieces::default();
    let mut writer = DatabaseWriter::new(SegmentSize::DATABEND, &mut out);
    let tree = writer.tree(b"tree");
    let mut most = 0;
    for i in 0..50_000_u32 {
        writer.push(tree, &i.to_be_bytes(), &[7; 100], &mut out).unwrap();
        most = most.max(out.buffered_bytes());
        out.drain(|_: &SledFile, _| -> Result<(), ()> { Ok(()) }).unwrap();
    }
    // A few nodes of a few levels, or the rest of a segment.
    assert!(most < 40_000, "{most}");
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..12),
        4 => prop::collection::vec(0_u8..3, 0..6).prop_map(|tail| [b"directory/".to_vec(), tail].concat()),
        1 => (any::<[u8; 2]>(), 200_usize..1500).prop_map(|(tail, len)| [vec![b'l'; len], tail.to_vec()].concat()),
        1 => prop::collection::vec(any::<u8>(), 900..1100),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => prop::collection::vec(any::<u8>(), 0..20),
        3 => prop::collection::vec(any::<u8>(), 8..=8),
        1 => (any::<u8>(), 0_usize..1200).prop_map(|(byte, len)| vec![byte; len]),
        1 => (any::<u8>(), 29_000_usize..70_000).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_trees_read_back(
        trees in prop::collection::btree_map(
            prop::collection::vec(any::<u8>(), 0..10),
            prop::collection::btree_map(key(), value(), 0..120),
            0..5,
        ),
        segment in prop::sample::select(vec![256_u64, 512, 4096, 65_536, 524_288]),
    ) {
        check_reads_back(&trees, size(segment));
    }

    /// Sled splits what is bigger when it is read, unless it is asked not to.
    #[test]
    fn a_node_is_small_or_says_that_it_is_not_to_be_split(
        keys in prop::collection::btree_set(key(), 2..200),
        value in value(),
        index in any::<bool>(),
    ) {
        let level = if index { LevelKind::Index } else { LevelKind::Leaves };
        let value = if index { vec![0; 8] } else { value };
        let mut node = OpenNode::new(2, Vec::new(), level);
        let mut items = 0_u32;
        for key in keys {
            let item = item(&key, &value);
            if !node.admits(&item) {
                let bound = node.bound_before(&key);
                let image = node.encode(3, &bound).unwrap();
                let len = image.len() as u64 - varint::varint_bytes(image.len() as u64 - 3);
                let at = usize::try_from(image.len() as u64 - len).unwrap();
                let probation = image[at + 43];
                if items > 1 {
                    prop_assert_eq!(probation == 255, len > MOST_IMAGE_BYTES);
                    prop_assert!(index || len <= MOST_IMAGE_BYTES);
                }
                prop_assert!(!index || items >= 4);
                node = OpenNode::new(3, bound, level);
                items = 0;
            }
            node.push(item);
            items += 1;
        }
    }
}
