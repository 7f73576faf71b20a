//! What was written and is still to be put into the files.

use crate::disk::sled::SledFile;

/// Bytes to be appended to files, in the order in which they are written.
///
/// Every file of a database is written from its beginning to its end, so a piece always belongs
/// at the end of what its file has already.
///
/// ```
/// use metadump::sled::SegmentSize;
/// use metadump::sled_writer::{DatabaseWriter, Pieces};
///
/// let mut out = Pieces::default();
/// let writer = DatabaseWriter::new(SegmentSize::DATABEND, &mut out);
/// writer.finish(&mut out)?;
/// let mut names = Vec::new();
/// out.drain(|file, _| -> Result<(), ()> {
///     names.push(file.to_string());
///     Ok(())
/// })
/// .unwrap();
/// assert!(names.contains(&"db".to_owned()));
/// # Ok::<(), metadump::sled_writer::SledWriteError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pieces {
    pieces: Vec<(SledFile, Vec<u8>)>,
    bytes: u64,
}

impl Pieces {
    /// How many bytes wait to be drained.
    pub const fn buffered_bytes(&self) -> u64 {
        self.bytes
    }

    /// Calls `each` with every piece and the file that it belongs at the end of; a file that was
    /// not named before is a new one, which may stay empty. Stops at the first error.
    ///
    /// # Errors
    ///
    /// The error of `each`; the pieces are spent after it.
    pub fn drain<E>(
        &mut self,
        mut each: impl FnMut(&SledFile, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.bytes = 0;
        self.pieces.drain(..).try_for_each(|(file, bytes)| each(&file, &bytes))
    }

    /// Has `write` append to a file.
    pub(super) fn put<T>(&mut self, file: &SledFile, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if self.pieces.last().is_none_or(|(last, _)| last != file) {
            self.pieces.push((file.clone(), Vec::new()));
        }
        let mut bytes = self.pieces.pop().map(|(_, bytes)| bytes).unwrap_or_default();
        let before = bytes.len();
        let written = write(&mut bytes);
        self.bytes += (bytes.len() - before) as u64;
        self.pieces.push((file.clone(), bytes));
        written
    }
}
