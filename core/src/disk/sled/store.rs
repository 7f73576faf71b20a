//! The store of pages: finds the parts of a page and reads them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::conf::SegmentSize;
use super::error::{SledError, SledFault};
use super::faults::Faults;
use super::file::{Slab, SledFile};
use super::heap::read_slot;
use super::link::Link;
use super::message::{Kind, Message};
use super::node::Node;
use super::node_image::NodeImage;
use super::page_table::{Fragment, Page, PageId, PageTable, Place};
use super::recovery::{in_log, read_message_at};
use crate::disk::read_at::ReadAt;

/// The pages of a database, and the files that they are in.
#[derive(Debug)]
pub(super) struct Store<R> {
    db: R,
    heap: BTreeMap<Slab, R>,
    size: SegmentSize,
    pages: PageTable,
}

/// An item as it was read: what of a page is in one place.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) kind: Kind,
    /// In the heap, zeros follow what belongs to the item.
    pub(super) bytes: Vec<u8>,
    /// Where it was read from.
    pub(super) place: (SledFile, u64),
}

impl Stored {
    pub(super) fn error(&self, fault: SledFault) -> SledError {
        let (file, offset_bytes) = self.place.clone();
        SledError { file, offset_bytes, fault }
    }
}

/// In the heap, what follows an item fills up its slot.
const fn check_end(kind: Kind, following_bytes: usize) -> Result<(), &'static str> {
    if kind.is_in_heap() || following_bytes == 0 { Ok(()) } else { Err("something follows it") }
}

impl<R: ReadAt> Store<R> {
    pub(super) const fn new(
        db: R,
        heap: BTreeMap<Slab, R>,
        size: SegmentSize,
        pages: PageTable,
    ) -> Self {
        Self { db, heap, size, pages }
    }

    /// The state of every page.
    pub(super) const fn pages(&self) -> &PageTable {
        &self.pages
    }

    /// Reads the only part of a page that has no changes: the list of trees, the counter.
    pub(super) fn whole_page(&self, page: PageId, what: &'static str) -> Result<Stored, SledError> {
        let (base, links) = self.fragments(page, what)?;
        let item = self.item(page, base)?;
        if !links.is_empty() {
            let problem = "changes follow it, it is only ever replaced";
            return Err(item.error(SledFault::Structure { page, problem }));
        }
        Ok(item)
    }

    /// Reads a node with the changes of it. A change that cannot be read is a fault that is met,
    /// the node is then one without it.
    pub(super) fn node(
        &self,
        page: PageId,
        what: &'static str,
        faults: &mut Faults,
    ) -> Result<Node, SledError> {
        let (base, links) = self.fragments(page, what)?;
        let Stored { kind, bytes, place } = self.item(page, base)?;
        let error = |fault| SledError { file: place.0.clone(), offset_bytes: place.1, fault };
        let Kind::Node(_) = kind else {
            let (expected, found) = ("a node", kind.name());
            return Err(error(SledFault::WrongPage { page, expected, found }));
        };
        let malformed = |problem| error(SledFault::Malformed { what: "the node", problem });
        let (image, following_bytes) = NodeImage::decode(bytes).map_err(malformed)?;
        check_end(kind, following_bytes).map_err(malformed)?;
        let mut node = Node::new(page, place.clone(), image);
        for link in links {
            let changed = self.item(page, *link).and_then(|item| {
                let Kind::Link(_) = item.kind else {
                    let (expected, found) = ("a change of a node", item.kind.name());
                    return Err(item.error(SledFault::WrongPage { page, expected, found }));
                };
                let change = Link::decode(&item.bytes).and_then(|(link, following_bytes)| {
                    check_end(item.kind, following_bytes)?;
                    node.apply(link)
                });
                change.map_err(|problem| {
                    item.error(SledFault::Malformed { what: "the change", problem })
                })
            });
            faults.unless(changed)?;
        }
        Ok(node)
    }

    fn fragments(
        &self,
        page: PageId,
        what: &'static str,
    ) -> Result<(Fragment, &[Fragment]), SledError> {
        match self.pages.page(page) {
            Some(Page::Present { base, links }) => Ok((*base, links)),
            Some(Page::Free) | None => Err(in_log(0, SledFault::NoPage { what, page })),
        }
    }

    /// Reads one part of a page.
    fn item(&self, page: PageId, Fragment { lsn, place }: Fragment) -> Result<Stored, SledError> {
        match place {
            Place::Heap { id, .. } => {
                let (kind, bytes) = read_slot(self.heap.get(&id.slab), id, page)?;
                Ok(Stored { kind, bytes, place: (SledFile::Heap(id.slab), id.offset_bytes()) })
            }
            Place::Inline { offset_bytes } => {
                let problem = match read_message_at(&self.db, self.size, offset_bytes)
                    .map_err(|fault| in_log(offset_bytes, fault.into()))?
                {
                    None => "what stands here is damaged",
                    Some(message) if message.segment_number != self.size.number(lsn) => {
                        "what stands here was written at another time"
                    }
                    Some(message) if message.page != page => "it is of another page",
                    Some(message) if message.kind.is_in_heap() => "it is in the heap",
                    Some(Message { kind, body, .. }) => {
                        let bytes = Cow::into_owned(body);
                        return Ok(Stored { kind, bytes, place: (SledFile::Db, offset_bytes) });
                    }
                };
                Err(in_log(offset_bytes, SledFault::NotItsMessage { page, problem }))
            }
        }
    }
}
