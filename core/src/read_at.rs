//! Reading bytes at a place, whatever holds them: a file, a blob, memory.

/// Bytes that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {len_bytes} bytes at {offset_bytes}: {message}")]
pub struct ReadError {
    /// Where.
    pub offset_bytes: u64,
    /// How many.
    pub len_bytes: u64,
    /// Why not, in the words of whoever holds the bytes.
    pub message: String,
}

/// Bytes that can be read at any place.
pub trait ReadAt {
    /// How many bytes there are.
    fn size_bytes(&self) -> u64;

    /// Fills `out` with the bytes from `offset_bytes` on.
    ///
    /// # Errors
    ///
    /// When there are fewer, or they cannot be read.
    fn read_at(&self, offset_bytes: u64, out: &mut [u8]) -> Result<(), ReadError>;
}

impl ReadAt for [u8] {
    fn size_bytes(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset_bytes: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let from = usize::try_from(offset_bytes).ok();
        let found = from
            .and_then(|from| Some(from..from.checked_add(out.len())?))
            .and_then(|range| self.get(range));
        match found {
            Some(bytes) => {
                out.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(ReadError {
                offset_bytes,
                len_bytes: out.len() as u64,
                message: format!("there are {} bytes", self.len()),
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
