//! Decrypts what is read.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::iter::once;

use age::stream::StreamReader;
use age::{DecryptError, Decryptor, scrypt};

use super::keys::{Keys, keys};
use crate::store::StoreFailure;

/// How much is read at a time.
const READ_BYTES: usize = 1 << 20;

/// A header has a line or two per recipient: it is read whole before anything of it is looked at.
const LONGEST_HEADER_BYTES: u64 = 64 << 10;

/// How the last line of a header begins.
const HEADER_END: &[u8] = b"\n--- ";

/// More work for a passphrase than this takes a GiB of memory.
const MOST_WORK: u8 = 20;

/// Why an encrypted stream cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OpeningError {
    /// Nothing was named to read it with.
    #[error("it is encrypted with age, and no identity is named")]
    NoIdentity,
    /// It is encrypted with a passphrase.
    #[error("it is encrypted with age and a passphrase, and none is named")]
    NoPassphrase,
    /// What was named is not what it is encrypted for.
    #[error("it is encrypted with age for others: none of the identities that are named reads it")]
    OtherRecipients,
    /// The passphrase is another.
    #[error("it is encrypted with age and another passphrase")]
    OtherPassphrase,
    /// To try the passphrase would take too much memory and time.
    #[error(
        "it is encrypted with age: a passphrase would take the work of 2^{0} steps, more than 2^{MOST_WORK}"
    )]
    Work(u8),
    /// Encrypted, and then written as text.
    #[error("it is encrypted with age, and then written as text")]
    Armored,
    /// A later version of age.
    #[error("it is encrypted by a version of age that is not known here")]
    UnknownFormat,
    /// The beginning is cut or changed.
    #[error("it is encrypted with age, and its beginning is damaged")]
    Header,
    /// The rest is changed.
    #[error(
        "it is encrypted with age, and damaged {0} bytes of its content on: nothing behind that can be read"
    )]
    Damaged(u64),
    /// The rest is cut.
    #[error("it is encrypted with age, and cut behind {0} bytes of its content")]
    Cut(u64),
}

impl OpeningError {
    /// What to do.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::NoIdentity => {
                "name the file of an identity with --identity, or set METACTL_IDENTITY"
            }
            Self::NoPassphrase | Self::OtherPassphrase => {
                "name the file that holds the passphrase with --passphrase-file"
            }
            Self::OtherRecipients => {
                "name the identity of one of its recipients with --identity; the manifest has their \
                 fingerprints: `age-keygen -y IDENTITY-FILE | tr -d '\\n' | sha256sum`"
            }
            Self::Work(_) => "decrypt it first: `age --decrypt FILE`",
            Self::Armored => "decrypt it first: `age --decrypt --identity IDENTITY-FILE FILE`",
            Self::UnknownFormat => "decrypt it first, with the program that encrypted it",
            Self::Header | Self::Damaged(_) | Self::Cut(_) => {
                "the file is cut or damaged: fetch it again"
            }
        }
    }

    fn into_io(self) -> io::Error {
        let kind = match self {
            Self::Cut(_) => io::ErrorKind::UnexpectedEof,
            Self::Header | Self::Damaged(_) => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, self)
    }
}

/// What an encrypted stream holds, with the keys of the command line.
///
/// # Errors
///
/// An [`OpeningError`] when they do not read it; when the stream cannot be read.
pub fn opened(encrypted: impl Read + Send + 'static) -> io::Result<impl Read + Send + 'static> {
    decrypted(encrypted, keys())
}

fn decrypted(
    encrypted: impl Read + Send + 'static,
    keys: &Keys,
) -> io::Result<impl Read + Send + 'static> {
    let mut encrypted = BufReader::with_capacity(READ_BYTES, encrypted);
    let mut beginning = Vec::new();
    encrypted.by_ref().take(LONGEST_HEADER_BYTES).read_to_end(&mut beginning)?;
    if beginning.starts_with(b"-") {
        return Err(OpeningError::Armored.into_io());
    }
    if !beginning.windows(HEADER_END.len()).any(|window| window == HEADER_END) {
        return Err(OpeningError::Header.into_io());
    }
    let stream = open(Cursor::new(beginning).chain(encrypted), keys)?;
    Ok(Decrypted { stream, bytes: 0 })
}

fn open<R: BufRead>(encrypted: R, keys: &Keys) -> io::Result<StreamReader<R>> {
    let failed = |error| match error {
        DecryptError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => error,
        DecryptError::UnknownFormat => OpeningError::UnknownFormat.into_io(),
        DecryptError::ExcessiveWork { required, .. } => OpeningError::Work(required).into_io(),
        _ => OpeningError::Header.into_io(),
    };
    let decryptor = Decryptor::new_buffered(encrypted).map_err(failed)?;
    if decryptor.is_scrypt() {
        let Some(passphrase) = keys.passphrase() else {
            return Err(OpeningError::NoPassphrase.into_io());
        };
        let mut identity = scrypt::Identity::new(passphrase.clone());
        identity.set_max_work_factor(MOST_WORK);
        let identity: &dyn age::Identity = &identity;
        return decryptor.decrypt(once(identity)).map_err(|error| match error {
            DecryptError::NoMatchingKeys
            | DecryptError::KeyDecryptionFailed
            | DecryptError::DecryptionFailed => OpeningError::OtherPassphrase.into_io(),
            other => failed(other),
        });
    }
    let identities = keys.identities();
    if identities.is_empty() {
        return Err(OpeningError::NoIdentity.into_io());
    }
    let identities = identities.iter().map(|identity| -> &dyn age::Identity { identity });
    decryptor.decrypt(identities).map_err(|error| match error {
        DecryptError::NoMatchingKeys => OpeningError::OtherRecipients.into_io(),
        other => failed(other),
    })
}

/// What is decrypted, until it turns out to be damaged.
struct Decrypted<R> {
    stream: StreamReader<R>,
    bytes: u64,
}

impl<R: Read> Read for Decrypted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer).map_err(|error| {
            // What is read from has errors of its own.
            if error.raw_os_error().is_some() || StoreFailure::in_io(&error).is_some() {
                return error;
            }
            match error.kind() {
                io::ErrorKind::UnexpectedEof => OpeningError::Cut(self.bytes).into_io(),
                io::ErrorKind::InvalidData => OpeningError::Damaged(self.bytes).into_io(),
                _ => error,
            }
        })?;
        self.bytes += read as u64;
        Ok(read)
    }
}
