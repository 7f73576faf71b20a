//! What the tests of several crates share: fixtures and corpus.

pub mod dump;
pub mod fixtures;
