//! Dumps that are encrypted with age.
//!
//! Who reads them is said once for the whole command, however many dumps it reads and writes: it is
//! no property of one of them.

mod keys;
mod opening;
mod sealing;

pub use self::keys::{choose, is_asked_for_by, keys};
pub use self::opening::{OpeningError, opened};
pub use self::sealing::{Sealing, Sink};
