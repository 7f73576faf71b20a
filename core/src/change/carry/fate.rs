//! What becomes of each object.

use super::there::{Place, There};
use crate::state::objects::{Object, parent_kind};
use crate::value::ObjectKind;

/// An object of the dump, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The object as the dump has it.
    pub object: Object,
    /// Whether it was named itself.
    pub is_named: bool,
    /// Whether it was named, or is in what was named; else it is only needed.
    pub is_chosen: bool,
    /// The new name.
    pub new_name: Option<String>,
    /// What it is called in the cluster, as people write it, if that is another name: `shop2.orders`.
    pub called: Option<String>,
    /// The id, in the cluster, of the database that the new name is in.
    pub(super) into: Option<u64>,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is made. What has an id keeps it.
    Made {
        /// Whether the cluster has keys of that id already, whose object is gone.
        has_remains: bool,
    },
    /// It is made under a new id: another object of the cluster has that of the dump.
    Renumbered,
    /// The cluster has the object as dropped, under the same id: the drop is undone.
    Undropped,
    /// The cluster has its name. It is to have all its content, too.
    Taken {
        /// The id there, of what has one.
        id: Option<u64>,
        /// Whether it is the same object, which may have changed since.
        is_same_object: bool,
    },
    /// It is needed, and the cluster has one of the name.
    There {
        /// The id there, of what has one.
        id: Option<u64>,
    },
    /// It is needed, not brought, and the cluster does not have it.
    Lacking,
    /// It was dropped before.
    Dropped,
    /// It is an index of a table that gets a new id, and its name, which is the only one in the
    /// tenant, is taken.
    LeftOut,
    /// Nothing that is brought needs it any more.
    Unneeded,
}

impl Item {
    /// Whether keys of it may be written.
    pub const fn is_brought(&self) -> bool {
        matches!(
            self.fate,
            Fate::Made { .. } | Fate::Renumbered | Fate::Undropped | Fate::Taken { .. }
        )
    }

    /// The name that it gets.
    pub(super) fn name(&self) -> Option<&str> {
        self.new_name.as_deref().or(self.object.name.as_deref())
    }

    /// The object in words, by its name in the dump.
    pub fn described(&self) -> String {
        crate::change::select::described(&self.object)
    }

    /// The id in the cluster, of what keeps or has one there.
    pub(super) fn known_id(&self) -> Option<u64> {
        match self.fate {
            Fate::Taken { id, .. } | Fate::There { id } => id,
            Fate::Renumbered => None,
            _ => self.object.id,
        }
    }

    /// The place of its name in the cluster; none in what has no id there yet.
    pub(super) fn place(&self, parent: Option<&Self>) -> Option<Place> {
        match (self.into, Place::of(&self.object), parent) {
            (Some(database), ..) => Some(Place::In(database)),
            (None, Place::In(_), Some(parent)) => parent.known_id().map(Place::In),
            (None, place, _) => Some(place),
        }
    }
}

/// The order in which objects are brought: what others are in, or need, comes first.
pub(super) fn rank(kind: ObjectKind) -> u8 {
    match (kind, parent_kind(kind)) {
        (ObjectKind::Database, _) => 0,
        (ObjectKind::User, _) => 5,
        (ObjectKind::Role, _) => 4,
        (ObjectKind::Table, _) => 2,
        (_, Some(_)) => 3,
        (_, None) => 1,
    }
}

/// What becomes of an object, of whose parent that is known.
pub(super) fn fate(item: &Item, parent: Option<&Item>, there: &There) -> Fate {
    let Item { object, is_chosen, .. } = item;
    let kind = object.kind;
    if object.dropped_on.is_some() {
        return Fate::Dropped;
    }
    let (Some(name), place) = (item.name(), item.place(parent)) else { return Fate::Dropped };
    let Some(id) = object.id else {
        let is_there = place.is_some_and(|place| there.has_named(kind, &place, name));
        return match (is_there, is_chosen) {
            (true, true) => Fate::Taken { id: None, is_same_object: false },
            (true, false) => Fate::There { id: None },
            (false, true) => Fate::Made { has_remains: false },
            (false, false) => Fate::Lacking,
        };
    };
    let found = there.object(kind, id);
    let is_same = found.is_some_and(|found| is_same(object, found, parent));
    if let Some(of_name) = place.and_then(|place| there.live(kind, &place, name)) {
        let is_same_object = is_same && of_name == id;
        let own_table = parent.and_then(Item::known_id);
        let is_of_copy = parent.is_some() && own_table != object.parent_id;
        let is_of_other =
            there.object(kind, of_name).is_some_and(|found| found.parent_id != own_table);
        if kind == ObjectKind::Index && is_of_copy && is_of_other && !item.is_named {
            return Fate::LeftOut;
        }
        return if *is_chosen {
            Fate::Taken { id: Some(of_name), is_same_object }
        } else {
            Fate::There { id: Some(of_name) }
        };
    }
    let is_moved = item.new_name.is_some() || item.into.is_some();
    match found {
        None => Fate::Made { has_remains: false },
        Some(found) if there.is_left_over(found) => Fate::Made { has_remains: true },
        Some(found) if found.dropped_on.is_some() && is_same && !is_moved => Fate::Undropped,
        Some(_) => Fate::Renumbered,
    }
}

/// Whether what the cluster has under the id is the object of the dump.
fn is_same(object: &Object, found: &Object, parent: Option<&Item>) -> bool {
    let parent_id = match parent {
        Some(parent) => parent.known_id(),
        None => object.parent_id,
    };
    object.created_on == found.created_on
        && object.name == found.name
        && (parent_kind(object.kind).is_none() || parent_id == found.parent_id)
        && object.tenant == found.tenant
}
