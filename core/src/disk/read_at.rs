//! Random access to bytes that stand somewhere else: a file, a buffer.

use crate::dump::plural::plural;

/// Bytes that can be read at any place.
///
/// The crate does no I/O, so whoever holds the bytes brings them.
///
/// ```
/// use metadump::read_at::{ReadAt, ReadError};
///
/// let bytes = b"0123456789".as_slice();
/// let mut two = [0; 2];
/// bytes.read_at(4, &mut two)?;
/// assert_eq!(&two, b"45");
/// assert_eq!(bytes.read_at(9, &mut two).unwrap_err().to_string(),
///     "cannot read 2 bytes at byte 9: there are only 10 bytes");
/// # Ok::<(), ReadError>(())
/// ```
pub trait ReadAt {
    /// How many bytes there are.
    fn size_bytes(&self) -> u64;

    /// Fills `out` with the bytes from `offset_bytes` on.
    ///
    /// # Errors
    ///
    /// When not all of them can be read.
    fn read_at(&self, offset_bytes: u64, out: &mut [u8]) -> Result<(), ReadError>;
}

/// Bytes that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {} at byte {offset_bytes}: {reason}", plural(*len_bytes, "byte", "bytes"))]
pub struct ReadError {
    /// Where the first of them stands.
    pub offset_bytes: u64,
    /// How many were asked for.
    pub len_bytes: u64,
    /// What the system says.
    pub reason: String,
}

impl ReadAt for [u8] {
    fn size_bytes(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset_bytes: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let from = usize::try_from(offset_bytes).ok();
        let wanted = from.and_then(|from| self.get(from..from.checked_add(out.len())?));
        match wanted {
            Some(bytes) => {
                out.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(ReadError {
                offset_bytes,
                len_bytes: out.len() as u64,
                reason: format!("there are only {}", plural(self.len() as u64, "byte", "bytes")),
            }),
        }
    }
}

impl ReadAt for Vec<u8> {
    fn size_bytes(&self) -> u64 {
        self.as_slice().size_bytes()
    }

    fn read_at(&self, offset_bytes: u64, out: &mut [u8]) -> Result<(), ReadError> {
        self.as_slice().read_at(offset_bytes, out)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn size_bytes(&self) -> u64 {
        (**self).size_bytes()
    }

    fn read_at(&self, offset_bytes: u64, out: &mut [u8]) -> Result<(), ReadError> {
        (**self).read_at(offset_bytes, out)
    }
}
