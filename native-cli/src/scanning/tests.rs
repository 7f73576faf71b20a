//! Lines come as a single thread would show them, however many there are.

use std::io::Write;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;

use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::*;
use crate::progress::Quiet;

type Seen = (u64, u64, Vec<u8>, bool, bool);

fn file(content: &[u8]) -> (NamedTempFile, Source) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    let source = Source::open(Some(&file.path().to_owned().into())).unwrap();
    (file, source)
}

fn for_each_scanned(
    source: &Source,
    threads: usize,
    mut each: impl FnMut(&Line<'_>, &Scanned<'_>) -> Result<()> + Send,
) -> Result<()> {
    let threads = Threads::from(NonZeroUsize::new(threads).unwrap());
    let progress = Progress::new(Quiet::Yes);
    for_each_prepared(source, threads, &progress, |_| (), |line, scanned, ()| each(line, scanned))
}

fn scan(source: &Source, threads: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    for_each_scanned(source, threads, |line, scanned| {
        let Line { number, offset_bytes, bytes, terminated, .. } = *line;
        seen.push((number, offset_bytes, bytes.to_vec(), terminated, scanned.is_ok()));
        Ok(())
    })
    .unwrap();
    seen
}

/// What is seen beside the lines, in one piece.
fn seen_beside(source: &Source, threads: usize) -> Vec<u8> {
    let mut seen = Vec::new();
    let threads = Threads::from(NonZeroUsize::new(threads).unwrap());
    let beside = |bytes: &[u8]| seen.extend_from_slice(bytes);
    let progress = Progress::new(Quiet::Yes);
    for_each_beside(source, threads, &progress, |_, _| (), |_, _, ()| Ok(()), beside).unwrap();
    seen
}

fn framed(source: &Source) -> Vec<Seen> {
    let mut seen = Vec::new();
    source
        .for_each_line(&Progress::new(Quiet::Yes), |line| {
            let is_record = scan_line(line.bytes).is_ok();
            let Line { number, offset_bytes, bytes, terminated, .. } = line;
            seen.push((number, offset_bytes, bytes.to_vec(), terminated, is_record));
            Ok(())
        })
        .unwrap();
    seen
}

const RECORD: &[u8] = br#"["raft_log",{"NodeId":1}]"#;

#[test]
fn lines_of_many_pieces_come_in_order() {
    let mut content = Vec::new();
    for number in 0..60_000_u64 {
        if number.is_multiple_of(7) {
            content.extend(RECORD);
        }
        content.extend(vec![b'x'; (number % 211) as usize]);
        content.push(b'\n');
    }
    // A line that is longer than several pieces, and a last one without an end.
    content.extend(vec![b'y'; 3 << 20]);
    content.extend(b"\nend");
    let (_file, source) = file(&content);
    let expected = framed(&source);
    assert_eq!(expected.len(), 60_002);
    for threads in [1, 2, 3, 8] {
        assert!(scan(&source, threads) == expected, "{threads} threads");
        assert!(seen_beside(&source, threads) == content, "{threads} threads");
    }
}

#[test]
fn long_lines_are_framed_as_by_one_thread() {
    let value = [&br#"["raft_log",["#[..], &b"1,".repeat(9 << 20), b"1]]"].concat();
    let garbage = vec![b'x'; 20 << 20];
    let content = [RECORD, &value, b"", &garbage, RECORD, &value[..6 << 20], &garbage].join(&b'\n');
    let (_file, source) = file(&content);
    let expected = framed(&source);
    // Of the garbage only the beginning is handed on.
    let lens: Vec<usize> = expected.iter().map(|(_, _, bytes, ..)| bytes.len()).collect();
    let held = 16 << 20;
    assert_eq!(lens, [25, value.len(), 0, held, 25, 6 << 20, held]);
    let held: Vec<u8> = expected
        .iter()
        .flat_map(|(_, _, bytes, terminated, _)| {
            [bytes.as_slice(), &b"\n"[..usize::from(*terminated)]]
        })
        .flatten()
        .copied()
        .collect();
    for threads in [1, 2, 8, 64] {
        assert!(scan(&source, threads) == expected, "{threads} threads");
        assert!(seen_beside(&source, threads) == held, "{threads} threads");
    }
}

#[test]
fn nothing_follows_a_line_that_is_too_long() {
    let (file, _) = file(b"one\ntwo\n");
    // The rest is a hole.
    file.as_file().set_len(8 + (513 << 20)).unwrap();
    file.as_file().write_all_at(b"\nmore\n", 7 + (513 << 20)).unwrap();
    let source = Source::open(Some(&file.path().to_owned().into())).unwrap();
    let expected =
        [(1, 0, 3, 4, true), (2, 4, 3, 4, true), (3, 8, 16 << 20, (512 << 20) + 1, false)];
    for threads in [1, 4] {
        let mut seen = Vec::new();
        for_each_scanned(&source, threads, |line, _| {
            let Line { number, offset_bytes, bytes, terminated, .. } = *line;
            seen.push((number, offset_bytes, bytes.len(), line.len_bytes(), terminated));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, expected);
    }
}

#[test]
fn the_first_error_ends_it() {
    let mut content = b"a line\n".repeat(1 << 20);
    content.extend(vec![b'x'; 18 << 20]);
    content.push(b'\n');
    content.extend(b"a line\n".repeat(1 << 20));
    let (_file, source) = file(&content);
    for (threads, end) in [(1, 300_000), (2, 300_000), (8, 300_000), (4, (1 << 20) + 1)] {
        let mut taken = 0;
        let ended = for_each_scanned(&source, threads, |line, _| {
            taken += 1;
            anyhow::ensure!(line.number < end, "line {}", line.number);
            Ok(())
        });
        assert_eq!(ended.unwrap_err().to_string(), format!("line {end}"));
        assert_eq!(taken, end);
    }
}

#[test]
fn a_short_input_starts_no_thread() {
    let whole = |content: &'static [u8]| Pieces::measured(Box::new(content), 8).unwrap();
    assert!(whole(b"").1);
    assert!(whole(b"a\nb\nc\nd").1);
    assert!(!whole(b"a\nb\nc\nd\n").1);
    let (mut pieces, _) = whole(b"a\nb\nc\nd\nefgh");
    let mut piece = Piece::default();
    assert!(matches!(pieces.next(&mut piece), Ok(Next::Lines)));
    assert_eq!(piece.bytes(), b"a\nb\nc\nd\n");
    assert!(matches!(pieces.next(&mut piece), Ok(Next::Lines)));
    assert_eq!(piece.bytes(), b"efgh");
    assert!(matches!(pieces.next(&mut piece), Ok(Next::End)));
}

#[test]
#[should_panic(expected = "a scoped thread panicked")]
fn a_panic_of_a_thread_is_not_waited_for() {
    let content = b"a line\n".repeat(1 << 20);
    let (_file, source) = file(&content);
    let own = std::thread::current().id();
    let _ = for_each_scanned(&source, 4, |_, _| {
        assert_eq!(std::thread::current().id(), own);
        Ok(())
    });
}

#[test]
#[should_panic(expected = "a scoped thread panicked")]
fn a_panic_beside_is_not_waited_for() {
    let (_file, source) = file(&b"a line\n".repeat(1 << 20));
    let own = std::thread::current().id();
    let threads = Threads::from(NonZeroUsize::new(4).unwrap());
    let beside = |_: &[u8]| assert_eq!(std::thread::current().id(), own);
    let progress = Progress::new(Quiet::Yes);
    let _ = for_each_beside(&source, threads, &progress, |_, _| (), |_, _, ()| Ok(()), beside);
}

proptest! {
    #[test]
    fn small_inputs_are_framed_as_by_one_thread(
        content in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'a')], 0..40),
        threads in 1..4_usize,
    ) {
        let (_file, source) = file(&content);
        prop_assert_eq!(scan(&source, threads), framed(&source));
        prop_assert_eq!(seen_beside(&source, threads), content);
    }
}
