//! The page table: where the parts of every page are.

use std::collections::BTreeMap;
use std::fmt;

use super::heap::HeapId;
use super::lsn::Lsn;

/// The number of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId(pub u64);

impl PageId {
    /// The page that lists the trees.
    pub(super) const META: Self = Self(0);
    /// The page of the counter from which sled draws ids.
    pub(super) const COUNTER: Self = Self(1);
}

impl fmt::Display for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {}", self.0)
    }
}

/// A part of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fragment {
    pub(super) lsn: Lsn,
    pub(super) place: Place,
}

/// Where a part of a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the message at this offset of the log file.
    Inline { offset_bytes: u64 },
    /// In the heap. The message that says so may be gone, then only a snapshot knows.
    Heap { message_offset_bytes: Option<u64>, id: HeapId },
}

impl Place {
    /// Where its message is in the log file, when there is one.
    pub(super) const fn message_offset_bytes(self) -> Option<u64> {
        match self {
            Self::Inline { offset_bytes } => Some(offset_bytes),
            Self::Heap { message_offset_bytes, .. } => message_offset_bytes,
        }
    }
}

/// The state of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page {
    /// Not in use.
    Free,
    /// A base, and changes of it in the order of the log.
    Present { base: Fragment, links: Vec<Fragment> },
}

impl Page {
    /// All parts of the page.
    pub(super) fn fragments(&self) -> impl Iterator<Item = &Fragment> {
        let (base, links) = match self {
            Self::Free => (None, &[][..]),
            Self::Present { base, links } => (Some(base), links.as_slice()),
        };
        base.into_iter().chain(links)
    }
}

/// The state of every page.
///
/// Page numbers come from outside, so this is a map: a great number alone takes no memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PageTable {
    pages: BTreeMap<PageId, Page>,
}

impl PageTable {
    pub(super) fn page(&self, id: PageId) -> Option<&Page> {
        self.pages.get(&id)
    }

    pub(super) fn set(&mut self, id: PageId, page: Page) {
        self.pages.insert(id, page);
    }

    /// Replaces the whole page.
    pub(super) fn replace(&mut self, id: PageId, base: Fragment) {
        self.set(id, Page::Present { base, links: Vec::new() });
    }

    /// Adds a change, unless the page is free or has it already: a snapshot that was taken while
    /// the database ran can be ahead of the log that is replayed over it.
    pub(super) fn link(&mut self, id: PageId, link: Fragment) {
        if let Some(Page::Present { base, links }) = self.pages.get_mut(&id)
            && links.last().unwrap_or(base).lsn < link.lsn
        {
            links.push(link);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// How many pages there are.
    pub(super) fn len(&self) -> u64 {
        self.pages.len() as u64
    }

    /// Every part of every page.
    pub(super) fn fragments(&self) -> impl Iterator<Item = (PageId, &Fragment)> {
        self.pages
            .iter()
            .flat_map(|(id, page)| page.fragments().map(move |fragment| (*id, fragment)))
    }

    /// The first number that no page has although a greater one has, and the greatest.
    pub(super) fn first_missing(&self) -> Option<(PageId, PageId)> {
        let (last, _) = self.pages.last_key_value()?;
        let missing = (0..).map(PageId).zip(self.pages.keys()).find(|(due, id)| due != *id)?.0;
        Some((missing, *last))
    }
}
