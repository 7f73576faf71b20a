//! What the tests of several crates share: fixtures, the corpus, made-up dumps, the binary, and
//! the bodies of the fuzz targets.

pub mod breaking;
pub mod damage;
pub mod dump;
pub mod fixtures;
pub mod fuzz;
pub mod generate;
#[cfg(feature = "service")]
pub mod meta_client;
pub mod metactl;
pub mod power_cut;
pub mod served;
pub mod sled;
pub mod small;
pub mod strace;
pub mod tree;

/// How long a test waits for what has to come, in seconds: longer than anything takes on whatever machine.
pub const PATIENCE_S: u64 = 300;
