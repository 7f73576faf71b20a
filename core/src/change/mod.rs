//! What is changed of a dump, or of a cluster to match one.

pub mod address;
pub mod carry;
pub mod chain;
pub mod cluster;
pub mod reconcile;
pub mod redact;
pub mod registration;
pub mod rewrite;
pub mod select;
