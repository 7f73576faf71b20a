//! What the tests of several crates share: fixtures, corpus and the bodies of the fuzz targets.

pub mod damage;
pub mod dump;
pub mod fixtures;
pub mod fuzz;
