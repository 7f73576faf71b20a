//! The trees of a meta service in a sled database.

use std::collections::BTreeMap;

use anyhow::Result;
use metadump::record::Tree as Role;

use super::sled_database::SledDatabase;
use crate::failure::WithHelp;

/// A tree and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleTree {
    /// What it is for.
    pub role: Role,
    /// Its name.
    pub name: String,
}

/// The trees by what they are for. Test set-ups put a prefix before the names.
#[derive(Debug, Default)]
pub struct SledTrees(BTreeMap<Role, RoleTree>);

impl SledTrees {
    /// Finds the trees.
    ///
    /// # Errors
    ///
    /// When there are none, or two for the same.
    pub fn find(database: &SledDatabase) -> Result<Self> {
        let mut found = BTreeMap::new();
        for name in database.tree_names() {
            let Ok(name) = String::from_utf8(name) else { continue };
            let role = Role::from_name(&name);
            if role == Role::Other {
                continue;
            }
            let tree = RoleTree { role, name: name.clone() };
            if let Some(other) = found.insert(role, tree) {
                let other = other.name;
                return Err(anyhow::anyhow!(
                    "the database has a tree {other} and a tree {name}: it is of two servers"
                ))
                .help("only servers in tests share a directory; this one cannot be exported");
            }
        }
        Ok(Self(found))
    }

    /// The tree for this.
    pub fn of(&self, role: Role) -> Option<&RoleTree> {
        self.0.get(&role)
    }

    /// Whether there is neither a log nor what belongs to it.
    pub fn is_foreign(&self) -> bool {
        self.of(Role::RaftLog).or(self.of(Role::RaftState)).is_none()
    }

    /// The names of the trees of state machines.
    pub fn state_machines(&self) -> Vec<&str> {
        let trees = self.0.values().filter(|tree| matches!(tree.role, Role::StateMachine(_)));
        trees.map(|tree| tree.name.as_str()).collect()
    }
}
