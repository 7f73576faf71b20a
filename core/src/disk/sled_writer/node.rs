//! The node of a level that is being filled.

use super::image::{FIXED_BYTES, Image, Item, LevelKind, MOST_IMAGE_BYTES, common_prefix};
use crate::disk::sled::varint::sized_bytes;

/// An index node gets so many children however long their keys are: with fewer a tree of long
/// keys would hardly get narrower from level to level.
const LEAST_CHILDREN: usize = 4;
/// No offset in a node of the usual size takes more.
const MOST_OFFSET_BYTES: u64 = 2;
/// Short values are padded by as much at most.
const MOST_SLACK_BYTES: u64 = 8;

/// A node that items are added to.
#[derive(Debug)]
pub(super) struct OpenNode {
    pub(super) page: u64,
    /// The least key that belongs here; empty in the first node of a level.
    pub(super) lo: Vec<u8>,
    level: LevelKind,
    items: Vec<Item>,
    item_bytes: u64,
}

impl OpenNode {
    pub(super) const fn new(page: u64, lo: Vec<u8>, level: LevelKind) -> Self {
        Self { page, lo, level, items: Vec::new(), item_bytes: 0 }
    }

    pub(super) const fn level(&self) -> LevelKind {
        self.level
    }

    pub(super) fn last_key(&self) -> Option<&[u8]> {
        self.items.last().map(|item| item.key.as_slice())
    }

    /// Whether one more item leaves the node small enough, whatever comes behind it.
    pub(super) fn admits(&self, item: &Item) -> bool {
        let least = match self.level {
            LevelKind::Leaves => 1,
            LevelKind::Index => LEAST_CHILDREN,
        };
        // The bound that ends a leaf is at most one byte longer than the key in front of it. That
        // of an index can be longer; such a node says that it is not to be split.
        let bounds = (self.lo.len() + item.key.len() + 1) as u64;
        let others = FIXED_BYTES + MOST_SLACK_BYTES + bounds;
        self.items.len() < least
            || others + self.item_bytes + upper_bound_of(item) <= MOST_IMAGE_BYTES
    }

    pub(super) fn push(&mut self, item: Item) {
        self.item_bytes += upper_bound_of(&item);
        self.items.push(item);
    }

    /// The shortest key that is greater than all in this node and not greater than `first` of the
    /// next one. For a node of an index that is `first` itself, where the node below starts.
    pub(super) fn bound_before(&self, first: &[u8]) -> Vec<u8> {
        match (self.level, self.last_key()) {
            (LevelKind::Leaves, Some(last)) => {
                let len = common_prefix(last, first) + 1;
                first.get(..len).unwrap_or(first).to_vec()
            }
            _ => first.to_vec(),
        }
    }

    /// The image with the right neighbour's page, 0 for none, and its least key.
    pub(super) fn encode(&self, next: u64, hi: &[u8]) -> Option<Vec<u8>> {
        Image { next, lo: &self.lo, hi, level: self.level, items: &self.items }.encode()
    }
}

/// What an item adds to a node at most.
fn upper_bound_of(item: &Item) -> u64 {
    let (key, value) = (item.key.len() as u64, item.value.len() as u64);
    MOST_OFFSET_BYTES + sized_bytes(key) + sized_bytes(value)
}
