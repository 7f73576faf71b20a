//! What the tests of several crates share: fixtures, the corpus and the binary.

pub mod dump;
pub mod fixtures;
pub mod metactl;
pub mod tree;
