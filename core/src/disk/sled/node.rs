//! A node of a tree: its image with the changes of it.

use std::collections::BTreeMap;

use super::error::{SledError, SledFault};
use super::file::SledFile;
use super::items::Item;
use super::link::Link;
use super::node_image::NodeImage;
use super::page_table::PageId;

/// A node.
#[derive(Debug)]
pub(super) struct Node {
    page: PageId,
    place: (SledFile, u64),
    image: NodeImage,
    /// What became of keys since the image was written: another value, or none.
    changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    merging_child: Option<PageId>,
}

/// How far the items of a node were read.
#[derive(Debug, Default)]
pub(super) struct Position {
    /// The next item of the image.
    item: u32,
    /// The key that was read last.
    key: Option<Vec<u8>>,
}

impl Node {
    pub(super) fn new(page: PageId, place: (SledFile, u64), image: NodeImage) -> Self {
        let merging_child = image.merging_child;
        Self { page, place, image, changes: BTreeMap::new(), merging_child }
    }

    pub(super) const fn page(&self) -> PageId {
        self.page
    }

    pub(super) const fn is_index(&self) -> bool {
        self.image.is_index
    }

    /// The right neighbour.
    pub(super) const fn next(&self) -> Option<PageId> {
        self.image.next
    }

    /// The least key that may be in the node.
    pub(super) fn lo(&self) -> &[u8] {
        self.image.lo()
    }

    /// The first key that belongs to the next node; none in the last node.
    pub(super) fn hi(&self) -> Option<&[u8]> {
        self.image.hi()
    }

    /// The child that is being merged into its left neighbour, if any.
    pub(super) const fn merging_child(&self) -> Option<PageId> {
        self.merging_child
    }

    /// A contradiction in this node.
    pub(super) fn contradiction(&self, problem: &'static str) -> SledError {
        let (file, offset_bytes) = self.place.clone();
        let fault = SledFault::Structure { page: self.page, problem };
        SledError { file, offset_bytes, fault }
    }

    /// Applies a change.
    pub(super) fn apply(&mut self, link: Link<'_>) -> Result<(), &'static str> {
        let whole = |key: &[u8]| [self.image.prefix(), key].concat();
        match link {
            Link::Set { key, value } => {
                self.changes.insert(whole(key), Some(value.to_vec()));
            }
            Link::Delete { key } => {
                self.changes.insert(whole(key), None);
            }
            Link::Merge { child } => self.merging_child = Some(child),
            Link::Merged => {
                let child = self.merging_child.take();
                let child = child.ok_or("it ends a merge that never began")?;
                let key = self.key_of(child).ok_or("it ends the merge of no child")?;
                self.changes.insert(key, None);
            }
            // The left neighbour takes over what is here only by being written anew. Until then
            // the items are to be read here.
            Link::Merging => {}
        }
        Ok(())
    }

    /// The first item whose key is not read yet; items come in ascending order of their keys.
    pub(super) fn next_item(&self, position: &mut Position) -> Result<Option<Item>, SledError> {
        let item = loop {
            let stored = if position.item < self.image.items {
                let stored = self.image.item(position.item);
                Some(stored.map_err(|problem| self.contradiction(problem))?)
            } else {
                None
            };
            let after = match &position.key {
                Some(key) => (std::ops::Bound::Excluded(key.as_slice()), UNBOUNDED),
                None => (UNBOUNDED, UNBOUNDED),
            };
            let changed = self.changes.range::<[u8], _>(after).next();
            match (stored, changed) {
                (None, None) => return Ok(None),
                (Some((key, value)), changed)
                    if changed.is_none_or(|(changed, _)| key < *changed) =>
                {
                    position.item += 1;
                    break Item { key, value: value.to_vec() };
                }
                (stored, Some((key, value))) => {
                    if stored.is_some_and(|(stored, _)| stored == *key) {
                        position.item += 1;
                    }
                    match value {
                        Some(value) => break Item { key: key.clone(), value: value.clone() },
                        None => position.key = Some(key.clone()),
                    }
                }
                (Some(_), None) => return Ok(None),
            }
        };
        self.check_key(&item.key, position)?;
        position.key = Some(item.key.clone());
        Ok(Some(item))
    }

    /// The next child of an index node: its key, its page.
    pub(super) fn next_child(
        &self,
        position: &mut Position,
    ) -> Result<Option<(Vec<u8>, PageId)>, SledError> {
        let Some(Item { key, value }) = self.next_item(position)? else { return Ok(None) };
        let page = <[u8; 8]>::try_from(value.as_slice()).map(u64::from_le_bytes);
        let page = page.map_err(|_| self.contradiction("a child is not a page number"))?;
        Ok(Some((key, PageId(page))))
    }

    fn check_key(&self, key: &[u8], position: &Position) -> Result<(), SledError> {
        if key < self.lo() || self.hi().is_some_and(|hi| key >= hi) {
            return Err(self.contradiction("a key is out of its bounds"));
        }
        if position.key.as_deref().is_some_and(|before| key <= before) {
            return Err(self.contradiction("its keys do not ascend"));
        }
        Ok(())
    }

    /// The key whose value is this child.
    fn key_of(&self, child: PageId) -> Option<Vec<u8>> {
        let mut position = Position::default();
        loop {
            match self.next_child(&mut position) {
                Ok(Some((key, page))) if page == child => return Some(key),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

const UNBOUNDED: std::ops::Bound<&[u8]> = std::ops::Bound::Unbounded;
