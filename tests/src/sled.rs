//! Directories of the sled fork, in memory so that tests can damage them.

use std::path::Path;

use metadump::sled::{Database, DatabaseFiles, SledError};

use crate::tree::contents;

/// The files of a directory: path, content.
pub type Files = Vec<(String, Vec<u8>)>;

/// Reads the files of a directory.
///
/// # Panics
///
/// When a file cannot be read.
pub fn files(directory: &Path) -> Files {
    let files = contents(directory).into_iter();
    files.map(|(path, content)| (path.to_string_lossy().into_owned(), content)).collect()
}

/// Lends the files to the reader.
pub fn lend(files: &Files) -> DatabaseFiles<&[u8]> {
    let mut lent = DatabaseFiles::default();
    for (path, content) in files {
        lent.insert(path, content.as_slice());
    }
    lent
}

/// All of a database as the corpus shows it: a line for each tree, followed by one for each item.
///
/// # Errors
///
/// The first fault.
pub fn listing(files: &Files) -> Result<String, SledError> {
    let (listed, faults) = list(&Database::open(lend(files))?);
    faults.into_iter().next().map_or(Ok(listed), Err)
}

/// What is left of a database, and all faults.
///
/// # Errors
///
/// Nothing can be read at all.
pub fn salvaged_listing(files: &Files) -> Result<(String, Vec<SledError>), SledError> {
    let database = Database::salvage(lend(files))?;
    let (listed, mut faults) = list(&database);
    faults.splice(..0, database.damage().iter().cloned());
    Ok((listed, faults))
}

fn list(database: &Database<&[u8]>) -> (String, Vec<SledError>) {
    let (mut listed, mut faults) = (String::new(), Vec::new());
    for tree in database.trees() {
        let name = hex(tree.name());
        listed += &format!("{{\"tree\":\"{name}\"}}\n");
        for item in database.items(tree) {
            match item {
                Ok(item) => {
                    let (key, value) = (hex(&item.key), hex(&item.value));
                    listed += &format!("{{\"t\":\"{name}\",\"k\":\"{key}\",\"v\":\"{value}\"}}\n");
                }
                Err(fault) => faults.push(fault),
            }
        }
    }
    (listed, faults)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit =
        |nibble: u8| DIGITS.get(usize::from(nibble)).map_or('?', |digit| char::from(*digit));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The content of the file whose path starts with this, to damage it.
///
/// # Panics
///
/// When there is no such file.
pub fn content_mut<'a>(files: &'a mut Files, path: &str) -> &'a mut Vec<u8> {
    let found = files.iter_mut().find(|(name, _)| name.starts_with(path));
    match found {
        Some((_, content)) => content,
        None => panic!("no file {path}"),
    }
}

/// The log with the checksums of every header and message made right, as far as one leads to the
/// next; segments of 4096 bytes.
pub fn sealed(log: &[u8]) -> Vec<u8> {
    let mut log = log.to_vec();
    for segment in log.chunks_mut(4096) {
        seal_segment(segment);
    }
    log
}

fn seal_segment(segment: &mut [u8]) {
    let Some((header, mut rest)) = segment.split_at_mut_checked(20) else { return };
    let checksum = header.get(4..).map(|covered| !crc32fast::hash(covered));
    put(header, checksum.unwrap_or_default());
    while let Some(size) = seal_message(rest) {
        let Some((_, next)) = rest.split_at_mut_checked(size) else { return };
        rest = next;
    }
}

/// Seals a message whose numbers all take one byte; gives its size.
fn seal_message(message: &mut [u8]) -> Option<usize> {
    let len = usize::from(*message.get(5)?);
    let size = len + 8;
    let (header, body) = message.get(..size)?.split_at_checked(8)?;
    if header.get(5..)?.iter().any(|byte| *byte > 240) {
        return None;
    }
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(body);
    hasher.update(header.get(4..)?);
    let checksum = !hasher.finalize();
    put(message, checksum);
    Some(size)
}

fn put(bytes: &mut [u8], checksum: u32) {
    if let Some(place) = bytes.get_mut(..4) {
        place.copy_from_slice(&checksum.to_le_bytes());
    }
}
