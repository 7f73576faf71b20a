//! Encrypted backups where nobody can read them: on the machine that makes them there may be no
//! identity. Their manifests say what the files are.

use std::io::{self, Read};

use anyhow::{Result, anyhow};
use metadump::manifest::{ByteMeasure, Encrypted, ManifestBuilder};

use super::shelf::Piece;
use crate::encryption::{OpeningError, keys};
use crate::input::Source;
use crate::progress::Progress;
use crate::unpacking::read_some;

/// How much is read at a time.
const READ_BYTES: usize = 1 << 20;

/// Whether pieces are encrypted, and nothing is named that could read them.
pub fn are_sealed(pieces: &[&Piece]) -> bool {
    let is_encrypted =
        |piece: &&Piece| piece.manifest.as_ref().is_some_and(|m| m.encrypted.is_some());
    !keys().can_read() && pieces.iter().any(is_encrypted)
}

/// Whether one of several pieces is encrypted for others than those that are named.
pub fn are_for_others(pieces: &[&Piece], progress: &Progress) -> bool {
    pieces.iter().any(|piece| {
        let opened = Source::open_piece(&piece.name);
        let opened = opened.and_then(|source| source.read(progress).map(drop));
        opened.is_err_and(|error| is_for_others(&error))
    })
}

fn is_for_others(error: &anyhow::Error) -> bool {
    let failures = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    let mut inner = failures.filter_map(|error| error.get_ref()?.downcast_ref::<OpeningError>());
    inner.any(|error| {
        matches!(
            error,
            OpeningError::NoIdentity
                | OpeningError::NoPassphrase
                | OpeningError::OtherRecipients
                | OpeningError::OtherPassphrase
        )
    })
}

/// Holds each against the hash that its manifest has: of the file where that is encrypted, of the
/// text else.
///
/// # Errors
///
/// When one is another, or cannot be read.
pub fn assert_intact(pieces: &[&Piece], progress: &Progress) -> Result<()> {
    for piece in pieces {
        let Some(manifest) = &piece.manifest else { continue };
        let source = Source::open_piece(&piece.name)?;
        let (stream, expected) = match &manifest.encrypted {
            Some(Encrypted { sha256, .. }) => (source.stored(progress)?, sha256),
            None => (source.read(progress)?, &manifest.sha256),
        };
        let found = sha256(stream).map_err(|error| source.unread(error))?;
        if found != *expected {
            let file = &piece.file;
            return Err(anyhow!(
                "{file} is another than its manifest is of: its SHA-256 is {found}, not {expected}"
            ));
        }
    }
    Ok(())
}

fn sha256(mut stream: impl Read) -> io::Result<String> {
    let (mut bytes, mut piece) = (ByteMeasure::default(), vec![0; READ_BYTES]);
    loop {
        match read_some(&mut stream, &mut piece)? {
            0 => break,
            read => bytes.add(piece.get(..read).unwrap_or_default()),
        }
    }
    Ok(ManifestBuilder { bytes, ..ManifestBuilder::default() }.measured().sha256)
}
