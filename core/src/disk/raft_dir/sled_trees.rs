//! The trees of a meta service in a sled database.

use std::collections::BTreeMap;

use super::error::DirError;
use super::files::StoredTrees;
use crate::dump::record::Tree;

/// A tree and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedTree {
    /// What it is for.
    pub role: Tree,
    /// Its name.
    pub name: String,
}

/// The end of the prefix that a store inside an engine (up to 1.2.6xx) puts before the name of its
/// only tree, without anything between: `global-local-kvstate_machine/0`.
const OF_ENGINE: &str = "-local-kv";

/// The trees by what they are for. Test set-ups put a prefix before the names.
#[derive(Debug, Default)]
pub(super) struct SledTrees {
    by_role: BTreeMap<Tree, NamedTree>,
    others: Vec<String>,
    of_engine: bool,
}

impl SledTrees {
    /// Finds the trees.
    ///
    /// # Errors
    ///
    /// When there are none, or two for the same.
    pub(super) fn find(database: &dyn StoredTrees) -> Result<Self, DirError> {
        let mut found = Self::default();
        for name in database.names() {
            let name = match String::from_utf8(name) {
                Ok(name) => name,
                Err(error) => {
                    found.others.push(error.as_bytes().escape_ascii().to_string());
                    continue;
                }
            };
            let of_engine = role_in_engine(&name);
            let role = of_engine.unwrap_or_else(|| Tree::from_name(&name));
            if role == Tree::Other {
                found.others.push(name);
                continue;
            }
            found.of_engine |= of_engine.is_some();
            let tree = NamedTree { role, name: name.clone() };
            if let Some(other) = found.by_role.insert(role, tree) {
                let other = other.name;
                let said = format!(
                    "the database has a tree {other} and a tree {name}: it is of two servers"
                );
                let help = "only servers in tests share a directory; this one cannot be exported";
                return Err(DirError::new(said).with_help(help));
            }
        }
        Ok(found)
    }

    /// The tree for this.
    pub(super) fn of(&self, role: Tree) -> Option<&NamedTree> {
        self.by_role.get(&role)
    }

    /// Whether the database is the store inside an engine, which is a state machine without a log.
    pub(super) const fn are_of_engine(&self) -> bool {
        self.of_engine
    }

    /// Whether there is neither a log nor what belongs to it.
    pub(super) fn is_foreign(&self) -> bool {
        !self.of_engine && self.of(Tree::RaftLog).or(self.of(Tree::RaftState)).is_none()
    }

    /// The names of all trees but sled's own.
    pub(super) fn names(&self) -> Vec<&str> {
        let known = self.by_role.values().map(|tree| tree.name.as_str());
        let others = self.others.iter().map(String::as_str);
        known.chain(others.filter(|name| *name != DEFAULT_TREE)).collect()
    }

    /// The names of the trees of state machines.
    pub(super) fn state_machines(&self) -> Vec<&str> {
        let trees = self.by_role.values().filter(|tree| matches!(tree.role, Tree::StateMachine(_)));
        trees.map(|tree| tree.name.as_str()).collect()
    }
}

/// The tree that every database has.
const DEFAULT_TREE: &str = "__sled__default";

/// What a tree of the store inside an engine is for.
fn role_in_engine(name: &str) -> Option<Tree> {
    let (prefix, own_name) = name.split_at(name.find("state_machine/")?);
    let role = Tree::from_name(own_name);
    (prefix.ends_with(OF_ENGINE) && role != Tree::Other).then_some(role)
}
