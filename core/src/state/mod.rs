//! The state of a node: what log entries do to it, and what it can be held to.

pub mod apply;
pub mod claim;
pub mod difference;
pub mod history;
pub mod keys_layout;
pub mod moment;
pub mod node;
pub mod object_id;
pub mod objects;
pub mod state_hash;
