//! Where the fixtures and the corpus are.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The folder of the fixtures.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
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
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "ndjson")
    });
    paths.sort();
    Ok(paths)
}

/// The folder of real data beside the repository; without it a line says what is skipped.
pub fn corpus() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: corpus not found");
    None
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
    flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}
