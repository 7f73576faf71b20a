//! A map of a dump: where blocks of lines start, which kinds stand where, which prefixes are big.
//!
//! Its size depends on the bytes of the dump, not on its lines: one mark per [`BLOCK_BYTES`], so
//! that any line of a billion is found by reading one block.

mod blocks;
mod runs;
mod timeline;
mod tree;

pub use blocks::{BLOCK_BYTES, Blocks};
pub use runs::{MOST_RUNS, Run, Runs};
pub use timeline::{Moment, Timeline};
pub use tree::{KeyTree, MOST_CHILDREN, MOST_NODES, Node};

use serde::Serialize;

use crate::dump::frame::Line;
use crate::dump::record::{Fact, Record};
use crate::dump::scan::{LineError, ScannedLine};

/// Collects the map of a dump, line by line, in order.
///
/// ```
/// use metadump::{Line, index::Indexer, scan::scan_line};
///
/// let bytes = br#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":81}}]"#;
/// let mut indexer = Indexer::default();
/// let line = Line::new(1, 0, bytes, true);
/// indexer.line(&line, &scan_line(bytes));
/// let index = indexer.finish();
/// assert_eq!((index.blocks.lines(), index.runs.as_slice()[0].kind), (1, "Sequences"));
/// ```
#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "Index"))]
pub struct Indexer {
    /// Where blocks of lines start.
    #[serde(skip)]
    pub blocks: Blocks,
    /// Which kinds stand where.
    pub runs: Runs,
    /// Keys by their segments.
    pub keys: KeyTree,
    /// When the log entries were proposed.
    pub log: Timeline,
}

impl Indexer {
    /// Adds the next line.
    pub fn line(&mut self, line: &Line<'_>, scanned: &Result<ScannedLine<'_>, LineError>) {
        self.blocks.line(line);
        let record = scanned.as_ref().ok().map(|scanned| &scanned.record);
        self.runs.line(line, record.map_or("broken", |record| record.kind().name()));
        match record.map(Record::fact) {
            Some(Fact::Key(key, _)) => self.keys.key(key, line),
            Some(Fact::Entry(entry)) => self.log.entry(entry, line),
            _ => {}
        }
    }

    /// Makes the map complete up to the last line; reading can go on.
    pub fn catch_up(&mut self) {
        self.keys.catch_up();
    }

    /// Ends the dump.
    #[must_use]
    pub fn finish(mut self) -> Self {
        self.catch_up();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LineFramer;
    use crate::dump::scan::scan_line;

    fn index(dump: &str) -> Indexer {
        let mut indexer = Indexer::default();
        let mut framer = LineFramer::default();
        let mut add = |line: Line<'_>| -> Result<(), ()> {
            indexer.line(&line, &scan_line(line.bytes));
            Ok(())
        };
        framer.feed(dump.as_bytes(), &mut add).unwrap();
        framer.finish(&mut add).unwrap();
        indexer.finish()
    }

    fn kv(key: &str) -> String {
        format!(
            "[\"state_machine/0\",{{\"GenericKV\":{{\"key\":\"{key}\",\"value\":{{\"seq\":1,\
             \"meta\":null,\"data\":[1]}}}}}}]\n"
        )
    }

    #[test]
    fn keys_are_counted_at_every_level() {
        let dump = [kv("a/x/1"), kv("a/x/2"), kv("a/y"), kv("b"), "broken\n".into()].concat();
        let index = index(&dump);
        let root = index.keys.root();
        let len = kv("b").len() as u64;
        assert_eq!((root.keys, root.bytes), (4, dump.len() as u64 - 7));
        let a = root.child("a/").unwrap();
        assert_eq!((a.keys, a.first_line, a.last_line), (3, 1, 3));
        assert_eq!(a.child("x/").unwrap().keys, 2);
        assert_eq!(a.child("y"), None);
        assert_eq!(root.child("b"), None);
        assert_eq!(root.largest, (len + 4, 1));
        let runs: Vec<_> = index.runs.as_slice().iter().map(|run| (run.kind, run.lines)).collect();
        assert_eq!(runs, [("GenericKV", 4), ("broken", 1)]);
    }

    #[test]
    fn a_block_starts_after_its_bytes() {
        let line = format!("{}\n", "x".repeat(1023));
        let index = index(&line.repeat(70));
        assert_eq!(index.blocks.marks(), [(1, 0), (33, 32768), (65, 65536)]);
        assert_eq!((index.blocks.lines(), index.blocks.bytes()), (70, 70 * 1024));
    }

    /// The nodes below this one, each with as many keys as its children, merged or not.
    fn nodes(node: &Node) -> usize {
        let below: u64 = node.children.values().map(|child| child.keys).sum();
        assert!(below + node.merged.lines <= node.keys);
        node.children.values().map(|child| 1 + nodes(child)).sum()
    }

    #[test]
    fn a_big_prefix_behind_many_small_ones_is_reported() {
        let small = (0..60_000_u32).map(|n| {
            let (a, b, c) = (n / 10_000, n / 100 % 100, n % 100);
            kv(&format!("a/{a:03}/{b:03}/{c:03}/k"))
        });
        let big = (0..6_000).map(|n| kv(&format!("z/z/z/z/{n:06}")));
        let index = index(&small.chain(big).collect::<String>());
        let mut z = index.keys.root();
        assert_eq!(z.keys, 66_000);
        assert!(nodes(z) <= MOST_NODES);
        for _ in 0..4 {
            z = z.child("z/").unwrap();
            assert_eq!(z.keys, 6_000);
        }
        assert_eq!(index.keys.root().child("a/").unwrap().keys, 60_000);
    }

    #[test]
    fn a_very_long_segment_is_no_node() {
        let index = index(&[kv("a/b/1"), kv(&format!("a/{}/1", "x".repeat(1 << 20)))].concat());
        let a = index.keys.root().child("a/").unwrap();
        assert_eq!((a.keys, a.children.len()), (2, 1));
    }

    #[test]
    fn many_children_are_merged_but_never_lost() {
        let dump: String = (0..MOST_CHILDREN + 10).map(|n| kv(&format!("p/{n:06}/k"))).collect();
        let index = index(&dump);
        let p = index.keys.root().child("p/").unwrap();
        assert_eq!(p.keys, MOST_CHILDREN as u64 + 10);
        let shown: u64 = p.children.values().map(|child| child.keys).sum();
        assert_eq!(shown + p.merged.lines, p.keys);
        assert!(p.children.len() <= MOST_CHILDREN);
    }
}
