//! How a dump is packed or encrypted, which its first bytes tell.

/// How a stream is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all, or in a way that is not known here.
    Plain,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

impl Packing {
    /// How many bytes tell it.
    pub const MAGIC_BYTES: usize = 4;

    /// The packing of a stream that starts with these bytes.
    ///
    /// ```
    /// use metadump::packing::Packing;
    ///
    /// assert_eq!(Packing::of(b"\x28\xb5\x2f\xfd"), Packing::Zstd);
    /// assert_eq!(Packing::of(b"[\"header\""), Packing::Plain);
    /// ```
    pub fn of(first_bytes: &[u8]) -> Self {
        match first_bytes {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // `pzstd` puts a frame in front that says how long the next one is.
            _ if is_skippable_frame(first_bytes) => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// Whether a zstd frame without content starts here.
pub(crate) const fn is_skippable_frame(bytes: &[u8]) -> bool {
    matches!(bytes, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// How many bytes tell whether a stream is encrypted.
pub const AGE_BYTES: usize = 34;

/// How a stream begins that is encrypted with age, and how one that is text then.
pub(crate) const AGE: [&[u8]; 2] = [b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----"];

/// Whether a stream that starts with these bytes is encrypted with age.
///
/// ```
/// assert!(metadump::packing::is_age(b"age-encryption.org/v1\n"));
/// assert!(!metadump::packing::is_age(b"age"));
/// ```
pub fn is_age(first_bytes: &[u8]) -> bool {
    AGE.iter().any(|beginning| first_bytes.starts_with(beginning))
}
