//! Files of this repository that tests read, and the corpus beside a checkout.

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A file below `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

/// The corpus of real dumps and directories, when the checkout has it beside it.
pub fn corpus() -> Option<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    if corpus.is_dir() {
        return Some(corpus);
    }
    println!("skipped: corpus not found");
    None
}

/// Unpacks an archive below `tests/fixtures`; gives the one directory in it.
///
/// # Panics
///
/// When the archive cannot be unpacked.
pub fn unpack(name: &str) -> (TempDir, PathBuf) {
    unpack_archive(&fixture(name))
}

/// Unpacks a `.tar.gz`; gives the first directory in it.
///
/// # Panics
///
/// When the archive cannot be unpacked.
pub fn unpack_archive(archive: &Path) -> (TempDir, PathBuf) {
    let unpacked = || -> std::io::Result<(TempDir, PathBuf)> {
        let scratch = tempfile::tempdir()?;
        let gzip = flate2::read::GzDecoder::new(File::open(archive)?);
        tar::Archive::new(gzip).unpack(scratch.path())?;
        let mut dirs: Vec<PathBuf> = std::fs::read_dir(scratch.path())?
            .flatten()
            .map(|entry| entry.path())
            .collect();
        dirs.sort();
        let dir = dirs.into_iter().next().unwrap_or_default();
        Ok((scratch, dir))
    };
    match unpacked() {
        Ok(unpacked) => unpacked,
        Err(error) => panic!("cannot unpack {}: {error}", archive.display()),
    }
}
