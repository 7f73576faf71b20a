//! A dump that can be shared: credentials are replaced, all else stays byte for byte.
//!
//! The dump is read twice. On the first reading [`Redactor::default`] finds what is a credential, and
//! [`Survey`] keeps what the second one needs. A [`Redactor`] of the survey then makes the lines, and a
//! [`Proof`] looks whether something that was replaced is left in them.
//!
//! What a credential is, [`crate::value`] says: the same that is hidden wherever values are shown.
//!
//! **Invariant:** the order of keys stays, and so do all numbers.

mod copies;
mod line;
mod needles;
mod proof;
mod survey;
mod tally;
mod tokens;
mod walk;

pub use copies::{Copies, CopyAt};
pub use line::{FoundAt, RedactedLine, Redactor};
pub use proof::{Left, Proof, SHORTEST_BYTES};
pub use survey::{Secrets, Survey};
pub use tally::Tally;
pub use tokens::Tokens;
