//! The items of a tree, in the order of their keys.

use super::database::Mode;
use super::error::SledError;
use super::page_table::PageId;
use super::remains::Remains;
use super::store::Store;
use super::walk::Walk;
use crate::disk::read_at::ReadAt;

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The key.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

/// The items of a tree in the order of their keys, see [`Database::items`](super::Database::items).
#[derive(Debug)]
pub struct Items<'a, R> {
    store: &'a Store<R>,
    mode: Mode,
    state: State,
    /// Faults that a salvage met and that are still to be reported.
    met: std::vec::IntoIter<SledError>,
}

#[derive(Debug)]
enum State {
    Start(PageId),
    Walk(Box<Walk>),
    Remains(Box<Remains>),
    End,
}

impl<'a, R: ReadAt> Items<'a, R> {
    pub(super) fn new(store: &'a Store<R>, root: Option<PageId>, mode: Mode) -> Self {
        let state = root.map_or(State::End, State::Start);
        Self { store, mode, state, met: Vec::new().into_iter() }
    }

    fn begin(&mut self, root: PageId) -> Result<(), SledError> {
        self.state = State::End;
        self.state = match self.mode {
            Mode::Strict => State::Walk(Box::new(Walk::begin(self.store, root)?)),
            Mode::Salvage => {
                let (remains, met) = Remains::find(self.store, root);
                self.met = met.into_iter();
                State::Remains(Box::new(remains))
            }
        };
        Ok(())
    }
}

impl<R: ReadAt> Iterator for Items<'_, R> {
    type Item = Result<Item, SledError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let State::Start(root) = self.state
            && let Err(fault) = self.begin(root)
        {
            return Some(Err(fault));
        }
        if let Some(fault) = self.met.next() {
            return Some(Err(fault));
        }
        let item = match &mut self.state {
            State::Walk(walk) => walk.next_item(self.store),
            State::Remains(remains) => return remains.next_item(self.store).transpose(),
            State::Start(_) | State::End => return None,
        };
        if !matches!(item, Ok(Some(_))) {
            self.state = State::End;
        }
        item.transpose()
    }
}
