//! Keys by their segments, with counts and bytes: the answer to "what is big?".

use std::collections::BTreeMap;

use serde::Serialize;

use crate::check::Tally;
use crate::frame::Line;

/// How many children of a node are told apart; the small ones are merged when there are more.
pub const MOST_CHILDREN: usize = 2000;

/// How many segments deep the tree goes.
const MOST_DEPTH: usize = 4;

/// How many nodes there are at most; deeper keys are then only counted further up.
const MOST_NODES: usize = 100_000;

/// The keys that start with the same segments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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
    /// Children that were too many to be told apart.
    pub merged: Tally,
}

impl Node {
    /// The child of this segment, which ends in `/`.
    pub fn child(&self, segment: &str) -> Option<&Self> {
        self.children.get(segment)
    }

    fn add(&mut self, line: &Line<'_>, bytes: u64) {
        if self.keys == 0 {
            self.first_line = line.number;
        }
        self.last_line = line.number;
        self.keys += 1;
        self.bytes += bytes;
        if bytes > self.largest.0 {
            self.largest = (bytes, line.number);
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

    /// How many nodes this one and those below it are; at most four deep.
    fn size(&self) -> usize {
        1 + self.children.values().map(Self::size).sum::<usize>()
    }
}

/// The tree of all keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KeyTree {
    root: Node,
    #[serde(skip)]
    nodes: usize,
}

impl KeyTree {
    pub(super) fn key(&mut self, key: &str, line: &Line<'_>) {
        let bytes = line.bytes.len() as u64 + u64::from(line.terminated);
        let mut node = &mut self.root;
        node.add(line, bytes);
        for segment in key.split_inclusive('/').take(MOST_DEPTH) {
            if !segment.ends_with('/') {
                break;
            }
            if !node.children.contains_key(segment) {
                if node.children.len() >= MOST_CHILDREN {
                    self.nodes = self.nodes.saturating_sub(node.merge_small(segment));
                }
                if self.nodes >= MOST_NODES {
                    break;
                }
                self.nodes += 1;
                node.children.insert(segment.to_owned(), Node::default());
            }
            let Some(child) = node.children.get_mut(segment) else { break };
            child.add(line, bytes);
            node = child;
        }
    }

    pub(super) fn close(&mut self) {
        self.nodes = 0;
    }

    /// The node of all keys.
    pub const fn root(&self) -> &Node {
        &self.root
    }
}
