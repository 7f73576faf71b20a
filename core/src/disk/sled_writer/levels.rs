//! The levels of a tree, filled from below.

use super::image::{Item, LevelKind};
use super::log::Log;
use super::message::{FIRST_NODE_PAGE, kind};
use super::node::OpenNode;
use super::pieces::Pieces;
use super::writer::SledWriteError;

/// Gives out pages, and writes each of them.
///
/// **Invariant:** a page that was given out is written before the end, as the fork accepts no
/// gap.
#[derive(Debug)]
pub(super) struct Pages {
    log: Log,
    next: u64,
}

impl Pages {
    pub(super) const fn new(log: Log) -> Self {
        Self { log, next: FIRST_NODE_PAGE }
    }

    pub(super) const fn log(&mut self) -> &mut Log {
        &mut self.log
    }

    const fn reserve(&mut self) -> u64 {
        let page = self.next;
        self.next += 1;
        page
    }

    fn write(
        &mut self,
        node: &OpenNode,
        next: u64,
        hi: &[u8],
        out: &mut Pieces,
    ) -> Result<(), SledWriteError> {
        let too_many = SledWriteError::TooMany { what: "items in a node" };
        let image = node.encode(next, hi).ok_or(too_many)?;
        self.log.put_page(kind::NODE, node.page, &image, out)
    }
}

/// The open node of each level of a tree, the leaves first.
///
/// A node is written when the next item is known not to fit, since it names its right neighbour
/// and where that one starts; then the level above learns of it. So one node a level is held.
#[derive(Debug)]
pub(super) struct Levels {
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    open: OpenNode,
    written: Written,
}

/// Whether a level has nodes to the left of the open one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Nothing,
    Nodes,
}

impl Levels {
    pub(super) fn new(pages: &mut Pages) -> Self {
        Self { levels: vec![Level::first(LevelKind::Leaves, pages)] }
    }

    /// The key that was added last.
    pub(super) fn last_key(&self) -> Option<&[u8]> {
        self.levels.first()?.open.last_key()
    }

    /// Adds an item, whose key must be greater than all before.
    pub(super) fn push(
        &mut self,
        item: Item,
        pages: &mut Pages,
        out: &mut Pieces,
    ) -> Result<(), SledWriteError> {
        self.push_at(0, item, pages, out)
    }

    /// Adds an item to a level, and to each above it the node that has been completed by that.
    fn push_at(
        &mut self,
        level: usize,
        item: Item,
        pages: &mut Pages,
        out: &mut Pieces,
    ) -> Result<(), SledWriteError> {
        let mut pending = Some((level, item));
        while let Some((number, item)) = pending.take() {
            if number == self.levels.len() {
                self.levels.push(Level::first(LevelKind::Index, pages));
            }
            let Some(level) = self.levels.get_mut(number) else { break };
            if !level.open.admits(&item) {
                let completed = level.turn(&item.key, pages, out)?;
                pending = Some((number + 1, completed));
            }
            level.open.push(item);
        }
        Ok(())
    }

    /// Writes what is left; gives the page of the root, which is an index even of a single leaf.
    pub(super) fn finish(
        mut self,
        pages: &mut Pages,
        out: &mut Pieces,
    ) -> Result<u64, SledWriteError> {
        let mut number = 0;
        loop {
            let Some(Level { open, written }) = self.levels.get(number) else { return Ok(0) };
            pages.write(open, 0, b"", out)?;
            if number > 0 && *written == Written::Nothing {
                return Ok(open.page);
            }
            let child = child(open);
            number += 1;
            self.push_at(number, child, pages, out)?;
        }
    }
}

impl Level {
    const fn first(kind: LevelKind, pages: &mut Pages) -> Self {
        let open = OpenNode::new(pages.reserve(), Vec::new(), kind);
        Self { open, written: Written::Nothing }
    }

    /// Writes the open node and opens its right neighbour, whose first key is given; gives what
    /// the level above is to know of the one written.
    fn turn(
        &mut self,
        first: &[u8],
        pages: &mut Pages,
        out: &mut Pieces,
    ) -> Result<Item, SledWriteError> {
        let next = pages.reserve();
        let bound = self.open.bound_before(first);
        pages.write(&self.open, next, &bound, out)?;
        let child = child(&self.open);
        self.open = OpenNode::new(next, bound, self.open.level());
        self.written = Written::Nodes;
        Ok(child)
    }
}

/// What an index says of a node.
fn child(node: &OpenNode) -> Item {
    Item { key: node.lo.clone(), value: node.page.to_le_bytes().to_vec() }
}
