//! Keys by their segments, with counts and bytes: the answer to "what is big?".

use std::collections::BTreeMap;

use memchr::memchr_iter;
use serde::Serialize;

use crate::check::Tally;
use crate::dump::frame::Line;

/// How many children of a node are distinguished; the small ones are merged when there are more.
pub const MOST_CHILDREN: usize = 2000;

/// How many segments deep the tree goes.
const MOST_DEPTH: usize = 4;

/// How many nodes there are at most: the small ones are merged when there are more.
pub const MOST_NODES: usize = 20_000;

/// A longer segment is no node of its own; its keys are counted further up.
const MOST_SEGMENT_BYTES: usize = 1000;

/// The keys that start with the same segments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "KeyNode"))]
pub struct Node {
    /// How many keys.
    pub keys: u64,
    /// How many bytes of the dump they take.
    pub bytes: u64,
    /// The first of their lines.
    pub first_line: u64,
    /// The last of their lines; others stand between when the dump is not sorted.
    pub last_line: u64,
    /// Bytes and line of the largest.
    pub largest: (u64, u64),
    /// The next segments, each with its `/`; a last segment is no child.
    pub children: BTreeMap<String, Self>,
    /// Children that were too many to be distinguished.
    pub merged: Tally,
}

impl Node {
    /// The child of this segment, which ends in `/`.
    pub fn child(&self, segment: &str) -> Option<&Self> {
        self.children.get(segment)
    }

    fn add(&mut self, run: &KeyRun) {
        if self.keys == 0 {
            self.first_line = run.first_line;
        }
        self.last_line = run.last_line;
        self.keys += run.keys;
        self.bytes += run.bytes;
        if run.largest.0 > self.largest.0 {
            self.largest = run.largest;
        }
    }

    /// Merges the smaller half of the children, except `current`; gives how many nodes went.
    fn merge_small(&mut self, current: &str) -> usize {
        let mut sizes: Vec<u64> = self.children.values().map(|child| child.bytes).collect();
        sizes.sort_unstable();
        let median = sizes.get(sizes.len() / 2).copied().unwrap_or_default();
        let mut removed = 0;
        let merged = &mut self.merged;
        let mut left = sizes.len() / 2;
        self.children.retain(|name, child| {
            let stays = name == current || left == 0 || child.bytes > median;
            if !stays {
                left -= 1;
                merged.lines += child.keys;
                merged.bytes += child.bytes;
                removed += child.size();
            }
            stays
        });
        removed
    }

    /// Merges small children of each node that has more than `fewest`, except along `path`; gives
    /// how many nodes went. At most four deep.
    fn prune(&mut self, path: &str, fewest: usize) -> usize {
        let mut segments = path.split_inclusive('/');
        let current = segments.next().unwrap_or_default();
        let below = path.get(current.len()..).unwrap_or_default();
        let mut removed = 0;
        for (name, child) in &mut self.children {
            removed += child.prune(if name == current { below } else { "" }, fewest);
        }
        if self.children.len() > fewest {
            removed += self.merge_small(current);
        }
        removed
    }

    /// How many nodes this one and those below it are; at most four deep.
    fn size(&self) -> usize {
        1 + self.children.values().map(Self::size).sum::<usize>()
    }
}

/// Keys of one directory that follow each other: keys come sorted, so that the tree is walked once
/// for many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct KeyRun {
    /// The segments that the tree distinguishes.
    directory: String,
    keys: u64,
    bytes: u64,
    first_line: u64,
    last_line: u64,
    largest: (u64, u64),
}

impl KeyRun {
    /// Whether a key belongs to the run: its directory is that of the run.
    fn holds(&self, key: &str) -> bool {
        self.keys > 0
            && key.starts_with(&self.directory)
            && directory(key).len() == self.directory.len()
    }

    fn start(&mut self, key: &str, line: &Line<'_>) {
        directory(key).clone_into(&mut self.directory);
        self.first_line = line.number;
        (self.keys, self.bytes, self.largest) = (0, 0, (0, 0));
    }

    fn add(&mut self, line: &Line<'_>) {
        let bytes = line.len_bytes();
        self.last_line = line.number;
        self.keys += 1;
        self.bytes += bytes;
        if bytes > self.largest.0 {
            self.largest = (bytes, line.number);
        }
    }
}

/// The segments of a key that the tree distinguishes; a last one without `/` is none of them.
fn directory(key: &str) -> &str {
    let mut len = 0;
    for at in memchr_iter(b'/', key.as_bytes()).take(MOST_DEPTH) {
        if at - len > MOST_SEGMENT_BYTES {
            break;
        }
        len = at + 1;
    }
    key.get(..len).unwrap_or_default()
}

/// The tree of all keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct KeyTree {
    root: Node,
    #[serde(skip)]
    nodes: usize,
    /// What the tree does not hold yet.
    #[serde(skip)]
    run: KeyRun,
}

impl KeyTree {
    pub(super) fn key(&mut self, key: &str, line: &Line<'_>) {
        if !self.run.holds(key) {
            self.close_run();
            self.run.start(key, line);
        }
        self.run.add(line);
    }

    /// Adds the run to the tree.
    fn close_run(&mut self) {
        if self.run.keys == 0 {
            return;
        }
        self.make_room();
        let run = &self.run;
        let mut node = &mut self.root;
        node.add(run);
        for segment in run.directory.split_inclusive('/') {
            if !node.children.contains_key(segment) {
                if node.children.len() >= MOST_CHILDREN {
                    self.nodes = self.nodes.saturating_sub(node.merge_small(segment));
                }
                self.nodes += 1;
                node.children.insert(segment.to_owned(), Node::default());
            }
            let Some(child) = node.children.get_mut(segment) else { break };
            child.add(run);
            node = child;
        }
        self.run.keys = 0;
    }

    /// Merges small nodes until half of the room is free, so that it is seldom done.
    fn make_room(&mut self) {
        if self.nodes + MOST_DEPTH <= MOST_NODES {
            return;
        }
        for fewest in [MOST_CHILDREN / 4, MOST_CHILDREN / 40, 4, 1] {
            let removed = self.root.prune(&self.run.directory, fewest);
            self.nodes = self.nodes.saturating_sub(removed);
            if self.nodes <= MOST_NODES / 2 {
                return;
            }
        }
    }

    /// Adds what the tree does not hold yet.
    pub(super) fn catch_up(&mut self) {
        self.close_run();
    }

    /// The node of all keys.
    pub const fn root(&self) -> &Node {
        &self.root
    }
}
