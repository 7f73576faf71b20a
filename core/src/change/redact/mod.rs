//! A dump that can be shared: credentials are replaced, all else stays byte for byte.
//!
//! The dump is read twice. On the first reading [`Redactor::default`] finds what is a credential, and
//! [`Survey`] keeps what the second one needs. The [`SecondReading`] then makes the lines, and a [`Proof`]
//! looks whether something that was replaced is left in them.
//!
//! What a credential is, [`crate::value`] says: the same that is hidden wherever values are shown.
//!
//! With pseudonyms in the place of names, keys are in another order: [`Run`] and [`Merge`] sort them.
//!
//! **Invariant:** the order of keys stays where names do, and so do all numbers.

mod copies;
mod kept;
mod line;
mod needles;
mod order;
mod proof;
mod survey;
mod tally;
mod tokens;
mod walk;

pub use copies::{Copies, CopyAt};
pub use line::{FoundAt, RedactedLine, Redactor};
pub use order::{BrokenRun, Merge, Run};
pub use proof::{Left, Proof, SHORTEST_BYTES};
pub use survey::{SecondReading, Secrets, Survey};
pub use tally::Tally;
pub use tokens::Tokens;

use crate::dump::plural::plural;

/// What is said of what was lost of the data before, when names are replaced: it may name keys and files.
pub fn lost_without_names(lost: Vec<String>) -> Vec<String> {
    match lost.len() as u64 {
        0 => lost,
        notes => {
            let notes = plural(notes, "note", "notes");
            vec![format!("what was lost of the data is not named here ({notes})")]
        }
    }
}
