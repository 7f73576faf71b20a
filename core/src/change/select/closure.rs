//! What brings what: objects as numbers, and the relations between them.

use std::collections::HashMap;

use crate::ordered;
use crate::state::objects::Owner;

/// Numbers for objects that are named before they are known.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    of: HashMap<Owner, u32>,
}

impl Numbers {
    /// The number of an object; none when there are more than have numbers.
    pub(super) fn number(&mut self, object: &Owner) -> Option<u32> {
        if let Some(number) = self.of.get(object) {
            return Some(*number);
        }
        let number = u32::try_from(self.of.len()).ok()?;
        self.of.insert(object.clone(), number);
        Some(number)
    }

    /// The objects by their numbers.
    pub(super) fn into_objects(self) -> Vec<Owner> {
        let mut objects: Vec<(u32, Owner)> =
            self.of.into_iter().map(|(object, number)| (number, object)).collect();
        ordered::sort_by_key(&mut objects, |(number, _)| *number);
        objects.into_iter().map(|(_, object)| object).collect()
    }
}

/// Pairs by their first number.
#[derive(Debug, Default)]
pub(super) struct Edges(Vec<(u32, u32)>);

impl Edges {
    pub(super) fn of(mut pairs: Vec<(u32, u32)>) -> Self {
        ordered::sort_by_key(&mut pairs, |pair| *pair);
        pairs.dedup();
        Self(pairs)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().copied()
    }

    fn from(&self, of: u32) -> impl Iterator<Item = u32> {
        let start = self.0.partition_point(|(from, _)| *from < of);
        let rest = self.0.get(start..).unwrap_or_default();
        rest.iter().take_while(move |(from, _)| *from == of).map(|(_, to)| *to)
    }
}

/// A set of objects that grows by what they bring.
#[derive(Debug)]
pub(super) struct Set {
    has: Vec<bool>,
    /// Whose relations were not followed yet.
    open: Vec<u32>,
}

impl Set {
    pub(super) fn of(objects: usize) -> Self {
        Self { has: vec![false; objects], open: Vec::new() }
    }

    pub(super) fn insert(&mut self, object: u32) {
        if let Some(has @ false) = self.has.get_mut(object as usize) {
            *has = true;
            self.open.push(object);
        }
    }

    pub(super) fn has(&self, object: u32) -> bool {
        self.has.get(object as usize).copied().unwrap_or(false)
    }

    /// Adds all that relations lead to, from what was added since.
    pub(super) fn close(&mut self, relations: &[&Edges]) {
        while let Some(object) = self.open.pop() {
            for edges in relations {
                for to in edges.from(object) {
                    self.insert(to);
                }
            }
        }
    }

    /// Has the relations of all that is in it followed again.
    pub(super) fn reopen(&mut self) {
        let objects = self.has.iter().zip(0..).filter(|(has, _)| **has);
        self.open = objects.map(|(_, object)| object).collect();
    }

    pub(super) fn to_vec(&self) -> Vec<bool> {
        self.has.clone()
    }

    pub(super) fn into_vec(self) -> Vec<bool> {
        self.has
    }
}
