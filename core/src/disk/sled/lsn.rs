//! A place in the endless log.

use std::fmt;

/// A log sequence number: how many bytes of log come before. It has nothing to do with the place
/// in the file, except that both have the same place within their segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl Lsn {
    /// The place so many bytes later; at most the end of the log.
    pub(super) const fn plus(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LSN {}", self.0)
    }
}
