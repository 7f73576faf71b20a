//! What is left of a damaged tree.

use std::collections::BTreeSet;

use super::error::SledError;
use super::faults::Faults;
use super::items::Item;
use super::node::{Node, Position};
use super::page_table::PageId;
use super::store::Store;
use crate::disk::read_at::ReadAt;

/// The leaves of a tree that can be reached in any way, from the index or from a left neighbour.
#[derive(Debug, Default)]
pub(super) struct Remains {
    /// The leaves with the least key that each may hold; read from the greatest key down by
    /// taking them off the end.
    leaves: Vec<(Vec<u8>, PageId)>,
    leaf: Option<(Node, Position)>,
    /// The key that was given out last: pages that damage brought together can overlap.
    last: Option<Vec<u8>>,
}

impl Remains {
    /// Looks for the leaves; the faults that it meets are reported beside it.
    pub(super) fn find<R: ReadAt>(store: &Store<R>, root: PageId) -> (Self, Vec<SledError>) {
        let mut faults = Faults::Salvage(Vec::new());
        let mut leaves = BTreeSet::new();
        let mut seen = BTreeSet::from([root]);
        let mut waiting = vec![root];
        while let Some(page) = waiting.pop() {
            let node = store.node(page, "a node of a tree", &mut faults);
            let Ok(Some(node)) = faults.unless(node) else { continue };
            waiting.extend(node.next().filter(|next| seen.insert(*next)));
            if !node.is_index() {
                leaves.insert((node.lo().to_vec(), page));
                continue;
            }
            let mut position = Position::default();
            while let Ok(Some(Some((_, child)))) = faults.unless(node.next_child(&mut position)) {
                // One that is being merged may be gone already, which is no fault.
                let is_gone = || {
                    let mut untold = Faults::Salvage(Vec::new());
                    store.node(child, "a node that is merged", &mut untold).is_err()
                };
                if (node.merging_child() != Some(child) || !is_gone()) && seen.insert(child) {
                    waiting.push(child);
                }
            }
        }
        let leaves = leaves.into_iter().rev().collect();
        (Self { leaves, ..Self::default() }, faults.into_met())
    }

    /// The next item. A leaf whose items cannot be read on is left, and the error reported.
    pub(super) fn next_item<R: ReadAt>(
        &mut self,
        store: &Store<R>,
    ) -> Result<Option<Item>, SledError> {
        loop {
            if let Some((leaf, position)) = &mut self.leaf {
                match leaf.next_item(position) {
                    Ok(Some(item)) => {
                        if self.last.as_ref().is_none_or(|last| *last < item.key) {
                            self.last = Some(item.key.clone());
                            return Ok(Some(item));
                        }
                        continue;
                    }
                    Ok(None) => self.leaf = None,
                    Err(fault) => {
                        self.leaf = None;
                        return Err(fault);
                    }
                }
            }
            let Some((_, page)) = self.leaves.pop() else { return Ok(None) };
            // What is wrong with the node was reported when it was found.
            let mut told = Faults::Salvage(Vec::new());
            if let Ok(leaf) = store.node(page, "a leaf", &mut told) {
                self.leaf = Some((leaf, Position::default()));
            }
        }
    }
}
