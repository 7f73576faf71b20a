//! Files of this repository that tests read, and the corpus beside a checkout.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tempfile::TempDir;

/// The folder of the fixtures.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A file below the folder.
pub fn fixture(name: &str) -> PathBuf {
    folder().join(name)
}

/// The fixtures in a folder below it, sorted by path.
///
/// # Errors
///
/// The folder cannot be listed.
pub fn in_folder(name: &str) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder().join(name))? {
        paths.push(entry?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
    paths.sort();
    Ok(paths)
}

/// The folder of real data: `METADUMP_CORPUS`, or the one beside the repository. Only tests that are
/// ignored without it ask for it.
///
/// # Panics
///
/// When it is not there.
pub fn corpus() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let folder = std::env::var_os("METADUMP_CORPUS").map_or_else(beside, PathBuf::from);
    assert!(folder.is_dir(), "METADUMP_CORPUS: {} is not a directory", folder.display());
    folder
}

/// The paths below the corpus that could be dumps, sorted.
///
/// # Errors
///
/// A folder cannot be listed.
pub fn corpus_dumps(corpus: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["made", "upstream"].iter().map(|name| corpus.join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let below = path.strip_prefix(corpus).unwrap_or(&path).display().to_string();
            if below.ends_with(".ndjson")
                || below.ends_with(".ndjson.gz")
                || (below.starts_with("upstream/dumps/") && below.ends_with(".txt"))
            {
                files.push(below);
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// The content of a file, unpacked when its name ends in `.gz`.
///
/// # Errors
///
/// The file cannot be read or unpacked.
pub fn content(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = fs::read(path)?;
    if path.extension().is_none_or(|extension| extension != "gz") {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

/// Unpacks an archive below `tests/fixtures`; gives the first directory in it.
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
    let unpacked = || -> io::Result<(TempDir, PathBuf)> {
        let scratch = tempfile::tempdir()?;
        tar::Archive::new(MultiGzDecoder::new(File::open(archive)?)).unpack(scratch.path())?;
        let entries = fs::read_dir(scratch.path())?;
        let mut dirs: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        dirs.sort();
        let dir = dirs.into_iter().next().unwrap_or_default();
        Ok((scratch, dir))
    };
    match unpacked() {
        Ok(unpacked) => unpacked,
        Err(error) => panic!("cannot unpack {}: {error}", archive.display()),
    }
}
