//! What files are written for.

use std::fs::File;
use std::io;

/// What files are for, and with it whether they have to be on disk when they are complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// They stay: what they replace goes.
    ToStay,
    /// The command reads them, and they are removed when it ends: a power cut may take them.
    ForTheCommand,
}

impl Purpose {
    /// Puts a complete file on disk if it stays.
    ///
    /// # Errors
    ///
    /// When that fails.
    pub fn settle(self, file: &File) -> io::Result<()> {
        match self {
            Self::ToStay => file.sync_all(),
            Self::ForTheCommand => Ok(()),
        }
    }
}
