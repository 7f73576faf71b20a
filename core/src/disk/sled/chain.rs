//! A level of a tree: its nodes from left to right.

use super::error::SledError;
use super::faults::Faults;
use super::node::Node;
use super::page_table::PageId;
use super::store::Store;
use crate::disk::read_at::ReadAt;

/// The kind of nodes that a level consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LevelKind {
    /// Nodes that list nodes of the level below.
    Index,
    /// Nodes that hold items.
    Leaves,
}

/// Walks the nodes of a level.
///
/// **Invariant:** the nodes that were given out cover the keys without a gap, each from where the
/// one before ends. A node starts before it ends, so no walk comes to the same node twice.
#[derive(Debug)]
pub(super) struct Chain {
    kind: LevelKind,
    next: Option<PageId>,
    /// The least key of the next node.
    lo: Vec<u8>,
}

impl Chain {
    pub(super) const fn new(kind: LevelKind, first: PageId) -> Self {
        Self { kind, next: Some(first), lo: Vec::new() }
    }

    /// The next node to the right.
    pub(super) fn next_node<R: ReadAt>(
        &mut self,
        store: &Store<R>,
    ) -> Result<Option<Node>, SledError> {
        let Some(page) = self.next.take() else { return Ok(None) };
        let node = store.node(page, "the next node of a tree", &mut Faults::Strict)?;
        if node.is_index() != (self.kind == LevelKind::Index) {
            return Err(node.contradiction("it is of another level than its left neighbour"));
        }
        if node.lo() != self.lo {
            return Err(node.contradiction("it does not start where its left neighbour ends"));
        }
        match (node.hi(), node.next()) {
            (Some(hi), Some(_)) if hi <= node.lo() => {
                return Err(node.contradiction("it ends before it starts"));
            }
            (Some(hi), Some(next)) => {
                self.lo = hi.to_vec();
                self.next = Some(next);
            }
            (None, None) => {}
            (Some(_), None) => {
                return Err(node.contradiction("it has an end, but no right neighbour"));
            }
            (None, Some(_)) => {
                return Err(node.contradiction("it has a right neighbour, but no end"));
            }
        }
        Ok(Some(node))
    }
}
