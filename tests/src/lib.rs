//! What the tests of several crates share: fixtures, the corpus, made-up dumps and the binary.

pub mod dump;
pub mod fixtures;
pub mod generate;
pub mod metactl;
pub mod tree;
