//! The items of a tree, page by page.

use super::database::Mode;
use super::error::SledError;
use super::faults::Faults;
use super::level::{Children, Level};
use super::node::{Node, Position};
use super::page_set::PageSet;
use super::page_table::PageId;
use super::remains::Remains;
use super::store::Store;
use crate::read_at::ReadAt;

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The key.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

/// The items of a tree in the order of their keys.
#[derive(Debug)]
pub struct Items<'a, R> {
    store: &'a Store<R>,
    mode: Mode,
    state: State,
    /// Faults that a salvage met beside the items that it goes on with.
    met: std::vec::IntoIter<SledError>,
}

#[derive(Debug)]
enum State {
    Start(Option<PageId>),
    Strict(Box<Walk>),
    Salvage(Box<Remains>),
    End,
}

impl<'a, R: ReadAt> Items<'a, R> {
    pub(super) const fn new(store: &'a Store<R>, root: Option<PageId>, mode: Mode) -> Self {
        let met = Vec::new();
        Self { store, mode, state: State::Start(root), met: met.into_iter() }
    }
}
