//! What is checked and indexed of abridged lines, against the lines themselves.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::fs;

use metadump::check::References;
use metadump::index::Indexer;
use metadump::record::Tree;
use metadump::scan::scan_line;
use metadump::state_hash::StateHash;
use metadump::workers::Part;
use metadump::workers::{Abridged, Abridger};
use metadump::{Checker, Line, LineFramer};
use metadump_tests::fixtures::{content, corpus, corpus_dumps, fixture, in_folder};
use proptest::prelude::*;

/// Report and index as JSON, and the marks of the blocks.
type Seen = (String, String, Vec<(u64, u64)>);

#[derive(Default)]
struct Reader {
    checker: Checker,
    indexer: Indexer,
}

impl Reader {
    fn line(&mut self, line: &Line<'_>) {
        self.line_with(line, References::of(&scan_line(line.bytes)));
    }

    fn line_with(&mut self, line: &Line<'_>, references: Option<References>) {
        let scanned = scan_line(line.bytes);
        self.checker.prepared(line, &scanned, references);
        self.indexer.line(line, &scanned);
    }

    fn finish(self) -> Seen {
        let index = self.indexer.finish();
        let json = |value: serde_json::Result<String>| value.unwrap();
        (
            json(serde_json::to_string(&self.checker.finish())),
            json(serde_json::to_string(&index)),
            index.blocks.marks().to_vec(),
        )
    }
}

fn whole(dump: &[u8]) -> Seen {
    let mut reader = Reader::default();
    let mut framer = LineFramer::default();
    let mut each = |line: Line<'_>| -> Result<(), ()> {
        reader.line(&line);
        if let Ok(scanned) = scan_line(line.bytes)
            && let Tree::StateMachine(machine) = scanned.tree()
            && let Some(hash) = StateHash::of(&scanned.record)
        {
            reader.checker.state_hash(machine, hash);
        }
        Ok(())
    };
    framer.feed(dump, &mut each).unwrap();
    framer.finish(&mut each).unwrap();
    reader.finish()
}

/// Reads parts of `part_bytes` as several workers would, and what they pack as one; gives also
/// how many bytes were packed.
fn abridged(dump: &[u8], part_bytes: usize) -> (Seen, usize) {
    let mut reader = Reader::default();
    let mut abridged = Abridged::default();
    let mut packed_bytes = 0;
    for from in (0..dump.len()).step_by(part_bytes) {
        let mut part = Part::new(from as u64, (from + part_bytes).min(dump.len()) as u64);
        let mut abridger = Abridger::default();
        part.feed(&dump[part.reads_from() as usize..], |line| abridger.line(&line));
        part.finish(|line| abridger.line(&line));
        let packed = abridger.take();
        packed_bytes += packed.len();
        abridged.feed(&packed, |line, references| reader.line_with(line, references));
        for (machine, hash) in Abridged::hashes(&abridger.take_hashes()) {
            reader.checker.state_hash(machine, hash);
        }
    }
    (reader.finish(), packed_bytes)
}

#[track_caller]
fn check(name: &str, dump: &[u8], part_bytes: usize) {
    let expected = whole(dump);
    assert!(abridged(dump, part_bytes).0 == expected, "{name} in parts of {part_bytes}");
}

#[test]
fn fixtures_abridged_are_the_same() {
    let mut paths = in_folder("findings").unwrap();
    paths.extend(in_folder("valid").unwrap());
    paths.extend(in_folder("apply").unwrap());
    assert!(paths.len() > 80, "{}", paths.len());
    for path in paths {
        let dump = fs::read(&path).unwrap();
        for part_bytes in [7, 1000, 1 << 20] {
            check(&path.display().to_string(), &dump, part_bytes);
        }
    }
}

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn real_dumps_abridged_are_the_same() {
    let corpus = corpus();
    for name in corpus_dumps(&corpus).unwrap() {
        check(&name, &content(&corpus.join(&name)).unwrap(), 100_000);
    }
}

#[test]
fn most_of_a_dump_is_left_out() {
    let dump = fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let (_, packed_bytes) = abridged(&dump, 10_000);
    assert!(packed_bytes * 5 < dump.len() * 3, "{packed_bytes} of {}", dump.len());
}

proptest! {
    #[test]
    fn a_damaged_dump_abridged_is_the_same(
        at in any::<prop::sample::Index>(),
        by in prop_oneof![Just(b'"'), Just(b'\n'), Just(b'['), Just(b'\r'), any::<u8>()],
        cut in any::<prop::sample::Index>(),
        part_bytes in 100_usize..5000,
    ) {
        let mut dump = fs::read(fixture("valid/v004.ndjson")).unwrap();
        let at = at.index(dump.len());
        dump[at] = by;
        dump.truncate(dump.len() / 2 + cut.index(dump.len()));
        prop_assert!(abridged(&dump, part_bytes).0 == whole(&dump));
    }
}
