//! Whether the nodes of a level are those that the level above lists.

use super::chain::{Chain, LevelKind};
use super::error::SledError;
use super::node::{Node, Position};
use super::page_table::PageId;
use super::store::Store;
use crate::disk::read_at::ReadAt;

/// Compares the nodes of a level, from left to right, with what the level above lists.
///
/// A node may be unknown to its parents: a split was not recorded yet. A listed node may be absent only
/// while it is being merged into its left neighbour.
#[derive(Debug)]
pub(super) struct Family {
    parents: Chain,
    parent: Option<(Node, Position)>,
    due: Option<Child>,
}

/// What an index node lists.
#[derive(Debug)]
struct Child {
    key: Vec<u8>,
    page: PageId,
    merging: bool,
}

impl Family {
    /// The family below this level, named by its first node.
    pub(super) fn below<R: ReadAt>(store: &Store<R>, first: PageId) -> Result<Self, SledError> {
        let parents = Chain::new(LevelKind::Index, first);
        let mut family = Self { parents, parent: None, due: None };
        family.due = family.next_child(store)?;
        Ok(family)
    }

    /// The first child.
    pub(super) fn first(&self) -> Option<PageId> {
        self.due.as_ref().map(|child| child.page)
    }

    /// Meets the next node of the level.
    pub(super) fn meet<R: ReadAt>(
        &mut self,
        store: &Store<R>,
        node: &Node,
    ) -> Result<(), SledError> {
        while let Some(due) = &self.due {
            if due.key.as_slice() > node.lo() {
                break;
            }
            let is_it = due.key == node.lo() && due.page == node.page();
            if !is_it && !due.merging {
                return Err(node.contradiction("the level above lists another node in its place"));
            }
            self.due = self.next_child(store)?;
            if is_it {
                break;
            }
        }
        Ok(())
    }

    /// The level is at its end after this node.
    pub(super) fn end<R: ReadAt>(
        &mut self,
        store: &Store<R>,
        last: Option<&Node>,
    ) -> Result<(), SledError> {
        while let Some(due) = &self.due {
            if !due.merging {
                let parent = self.parent.as_ref().map(|(parent, _)| parent);
                let problem = "a node that is listed is not on the level below";
                return parent.or(last).map_or(Ok(()), |node| Err(node.contradiction(problem)));
            }
            self.due = self.next_child(store)?;
        }
        Ok(())
    }

    fn next_child<R: ReadAt>(&mut self, store: &Store<R>) -> Result<Option<Child>, SledError> {
        loop {
            if let Some((parent, position)) = &mut self.parent
                && let Some((key, page)) = parent.next_child(position)?
            {
                let merging = parent.merging_child() == Some(page);
                return Ok(Some(Child { key, page, merging }));
            }
            match self.parents.next_node(store)? {
                Some(parent) => self.parent = Some((parent, Position::default())),
                None => return Ok(None),
            }
        }
    }
}
