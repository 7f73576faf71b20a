//! What the tests of several crates share: fixtures and corpus.
