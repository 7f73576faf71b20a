//! The notes of the database: what is small and has one value.

use anyhow::{Context, Result};
use metadump::apply::SystemState;
use metadump::record::{LeaderId, LogId, Node, NodeId, StoredMembership};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::database::Database;
use super::dump_file::Seal;

/// What is known of the dump that was loaded.
pub const LOADED: &str = "loaded";
/// The small part of the state.
pub const SYSTEM: &str = "system";
/// Who leads since the first write.
pub const LEADER: &str = "leader";
/// The last snapshot.
pub const SNAPSHOT: &str = "snapshot";

/// All of them.
pub const NAMES: [&str; 4] = [LOADED, SYSTEM, LEADER, SNAPSHOT];

/// A snapshot that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The name of its file.
    pub file: String,
    /// The last entry that it holds.
    pub last_applied: Option<LogId>,
    /// How many keys it holds.
    pub keys: u64,
    /// What its file holds; none in 0.1.0.
    pub seal: Option<Seal>,
}

/// Who leads since the first write, and where its part of the log begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leadership {
    /// The leader.
    pub leader_id: LeaderId,
    /// The index of its first entry.
    pub first_index: u64,
}

/// A value as a note.
pub trait Note: Sized {
    /// Its text.
    fn to_note(&self) -> Result<Vec<u8>>;
    /// Reads it.
    fn from_note(bytes: &[u8]) -> Result<Self>;
}

macro_rules! json_notes {
    ($($type:ty),*) => {$(
        impl Note for $type {
            fn to_note(&self) -> Result<Vec<u8>> {
                Ok(serde_json::to_vec(self)?)
            }
            fn from_note(bytes: &[u8]) -> Result<Self> {
                from_json(bytes)
            }
        }
    )*};
}

json_notes!(super::loaded::Loaded, Snapshot, Leadership);

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    Ok(serde_json::from_slice(bytes)?)
}

/// The small part of the state in JSON.
#[derive(Serialize, Deserialize)]
struct System {
    sequence: u64,
    last_applied: Option<LogId>,
    last_membership: StoredMembership,
    nodes: Vec<(NodeId, Node)>,
    features: Vec<String>,
}

impl Note for SystemState {
    fn to_note(&self) -> Result<Vec<u8>> {
        let system = System {
            sequence: self.sequence,
            last_applied: self.last_applied,
            last_membership: self.last_membership.clone(),
            nodes: self.nodes.iter().map(|(id, node)| (*id, node.clone())).collect(),
            features: self.features.iter().cloned().collect(),
        };
        Ok(serde_json::to_vec(&system)?)
    }

    fn from_note(bytes: &[u8]) -> Result<Self> {
        let System { sequence, last_applied, last_membership, nodes, features } = from_json(bytes)?;
        Ok(Self {
            sequence,
            last_applied,
            last_membership,
            nodes: nodes.into_iter().collect(),
            features: features.into_iter().collect(),
        })
    }
}

/// The text of a note.
pub fn put<N: Note>(note: &N) -> Result<Vec<u8>> {
    note.to_note().context("cannot write a note of the database")
}

/// Reads a note.
pub fn read<N: Note>(database: &Database, name: &str) -> Result<Option<N>> {
    let bytes = database.newest().note(name)?;
    bytes
        .map(|bytes| N::from_note(&bytes))
        .transpose()
        .with_context(|| format!("the note {name:?} of the database cannot be read"))
}
