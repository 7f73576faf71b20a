//! A walk over an undamaged tree.

use super::chain::{Chain, LevelKind};
use super::error::SledError;
use super::family::Family;
use super::faults::Faults;
use super::items::Item;
use super::node::{Node, Position};
use super::page_table::PageId;
use super::store::Store;
use crate::disk::read_at::ReadAt;

/// Reads the items of a tree leaf by leaf, and refuses a tree that contradicts itself.
#[derive(Debug)]
pub(super) struct Walk {
    leaves: Chain,
    family: Family,
    leaf: Option<(Node, Position)>,
}

impl Walk {
    /// Checks the levels of the index, and stands before the first leaf. A tree can be thousands
    /// of levels deep.
    pub(super) fn begin<R: ReadAt>(store: &Store<R>, root: PageId) -> Result<Self, SledError> {
        let mut top = root;
        let mut depth = 0;
        loop {
            let mut family = Family::below(store, top)?;
            let node = store.node(top, "the first node of a level", &mut Faults::Strict)?;
            let Some(first) = family.first() else {
                return Err(node.contradiction("it lists no node of the level below"));
            };
            if depth > store.pages().len() {
                return Err(node.contradiction("it is above itself"));
            }
            if !store.node(first, "the first node of a level", &mut Faults::Strict)?.is_index() {
                let leaves = Chain::new(LevelKind::Leaves, first);
                return Ok(Self { leaves, family, leaf: None });
            }
            let mut level = Chain::new(LevelKind::Index, first);
            let mut last = node;
            while let Some(node) = level.next_node(store)? {
                family.meet(store, &node)?;
                last = node;
            }
            family.end(store, Some(&last))?;
            top = first;
            depth += 1;
        }
    }

    pub(super) fn next_item<R: ReadAt>(
        &mut self,
        store: &Store<R>,
    ) -> Result<Option<Item>, SledError> {
        loop {
            if let Some((leaf, position)) = &mut self.leaf
                && let Some(item) = leaf.next_item(position)?
            {
                return Ok(Some(item));
            }
            let Some(leaf) = self.leaves.next_node(store)? else {
                self.family.end(store, self.leaf.as_ref().map(|(leaf, _)| leaf))?;
                return Ok(None);
            };
            self.family.meet(store, &leaf)?;
            self.leaf = Some((leaf, Position::default()));
        }
    }
}
