//! The files of a database.

use std::collections::BTreeMap;
use std::fmt;

/// A file of a database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SledFile {
    /// How the log is cut into segments.
    Conf,
    /// The log: everything but big items.
    Db,
    /// The big items of one size.
    Heap(Slab),
    /// Where the pages were at one moment; the name goes by the moment.
    Snapshot(String),
    /// An empty file that tells people to keep away.
    Marker,
}

/// A file of the heap, numbered from 0 to 31; each holds slots twice the size of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slab(u8);

impl Slab {
    /// How many there are.
    pub(super) const COUNT: u8 = 32;

    /// The slab of this number; none above 31.
    pub const fn new(number: u8) -> Option<Self> {
        if number < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The size of its slots.
    pub(crate) const fn slot_bytes(self) -> u64 {
        (32 * 1024) << self.0
    }
}

const MARKER: &str = "DO_NOT_USE_THIS_DIRECTORY_FOR_ANYTHING";
const SNAPSHOT: &str = "snap.";
const UNFINISHED: &str = ".generating";

impl SledFile {
    /// The file that a path below the directory names, with `/` between folder and file; none
    /// when the path is not of a database or of a file that was never finished.
    ///
    /// ```
    /// use metadump::sled::SledFile;
    ///
    /// let file = SledFile::from_path("heap/07").unwrap();
    /// assert_eq!(file.to_string(), "heap/07");
    /// assert_eq!(SledFile::from_path("df_meta/VERSION"), None);
    /// assert_eq!(SledFile::from_path("snap.00000000000000E1.generating"), None);
    /// ```
    pub fn from_path(path: &str) -> Option<Self> {
        match path {
            "conf" => Some(Self::Conf),
            "db" => Some(Self::Db),
            MARKER => Some(Self::Marker),
            _ if path.starts_with(SNAPSHOT) => {
                let finished = !path.ends_with(UNFINISHED) && !path.contains('/');
                finished.then(|| Self::Snapshot(path.to_owned()))
            }
            _ => {
                let number = path.strip_prefix("heap/").filter(|number| {
                    number.len() == 2 && number.bytes().all(|digit| digit.is_ascii_digit())
                })?;
                number.parse().ok().and_then(Slab::new).map(Self::Heap)
            }
        }
    }
}

impl fmt::Display for SledFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conf => f.write_str("conf"),
            Self::Db => f.write_str("db"),
            Self::Heap(slab) => write!(f, "heap/{:02}", slab.0),
            Self::Snapshot(name) => f.write_str(name),
            Self::Marker => f.write_str(MARKER),
        }
    }
}

/// The files of a directory from which a database is read.
///
/// Whoever brings them should hold a shared lock (`flock`) on `db` meanwhile: a server that runs
/// holds an exclusive one.
#[derive(Debug)]
pub struct DatabaseFiles<R> {
    pub(super) conf: Option<R>,
    pub(super) db: Option<R>,
    pub(super) heap: BTreeMap<Slab, R>,
    pub(super) snapshots: BTreeMap<String, R>,
}

impl<R> Default for DatabaseFiles<R> {
    fn default() -> Self {
        Self { conf: None, db: None, heap: BTreeMap::new(), snapshots: BTreeMap::new() }
    }
}

impl<R> DatabaseFiles<R> {
    /// Adds a file by its path below the directory, see [`SledFile::from_path`]. Gives back what
    /// is not of a database, since other programs keep files in the same directory.
    pub fn insert(&mut self, path: &str, source: R) -> Option<R> {
        match SledFile::from_path(path) {
            Some(SledFile::Conf) => self.conf = Some(source),
            Some(SledFile::Db) => self.db = Some(source),
            Some(SledFile::Heap(slab)) => drop(self.heap.insert(slab, source)),
            Some(SledFile::Snapshot(name)) => drop(self.snapshots.insert(name, source)),
            Some(SledFile::Marker) => {}
            None => return Some(source),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_of_a_database_are_its_files() {
        let slab = |number| Slab::new(number).map(SledFile::Heap);
        for (path, file) in [
            ("conf", Some(SledFile::Conf)),
            ("db", Some(SledFile::Db)),
            ("heap/00", slab(0)),
            ("heap/31", slab(31)),
            ("heap/32", None),
            ("heap/1", None),
            ("heap/001", None),
            ("heap/+1", None),
            ("conf.tmp", None),
            ("blobs/123", None),
            ("snap.00000000000000E1", Some(SledFile::Snapshot("snap.00000000000000E1".to_owned()))),
            ("snap.00000000000000E1.generating", None),
            ("snap.d/db", None),
            (MARKER, Some(SledFile::Marker)),
        ] {
            assert_eq!(SledFile::from_path(path), file, "{path}");
            if let Some(file) = file {
                assert_eq!(file.to_string(), path);
            }
        }
    }

    #[test]
    fn foreign_files_are_given_back() {
        let mut files = DatabaseFiles::default();
        assert_eq!(files.insert("db", 1), None);
        assert_eq!(files.insert("df_meta/VERSION", 2), Some(2));
        assert_eq!(files.db, Some(1));
    }
}
