//! What can be wrong with a database, where, and what to do.

use super::file::SledFile;
use super::lsn::Lsn;
use super::page_table::PageId;
use crate::disk::read_at::ReadError;
use crate::dump::plural::plural;

/// A fault at one place of one file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, byte {offset_bytes}: {fault}")]
pub struct SledError {
    /// The file.
    pub file: SledFile,
    /// Where in the file.
    pub offset_bytes: u64,
    /// What is wrong.
    #[source]
    pub fault: SledFault,
}

/// What is wrong with a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SledFault {
    /// The bytes cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file that a database always has is not there.
    #[error("the file is missing")]
    MissingFile,
    /// The bytes do not have their checksum.
    #[error("damaged: it says its checksum is {stored:#x}, computed {computed:#x}")]
    Checksum {
        /// The checksum in the file.
        stored: u32,
        /// The one of the bytes.
        computed: u32,
    },
    /// Bytes whose checksum is right, but which do not have the shape of what belongs here.
    #[error("{what} is not readable: {problem}")]
    Malformed {
        /// What belongs here.
        what: &'static str,
        /// In what it differs.
        problem: &'static str,
    },
    /// A setting that no meta service used.
    #[error("{what} is {found:?}, expected {expected}")]
    Unsupported {
        /// The setting.
        what: &'static str,
        /// What is supported.
        expected: &'static str,
        /// What the file says.
        found: String,
    },
    /// The file ends before what belongs here does.
    #[error("{what} needs {}, the file has {found} from here on", plural(*expected, "byte", "bytes"))]
    Short {
        /// What belongs here.
        what: &'static str,
        /// How long it is.
        expected: u64,
        /// How much there is.
        found: u64,
    },
    /// There is no page at all.
    #[error(
        "the log holds no page, {segments} segments were looked at: no database was written here"
    )]
    Empty {
        /// How many segments the file has.
        segments: u64,
    },
    /// Two segments claim the same place of the log.
    #[error("the segment is of {lsn}, so is the one at byte {first_offset_bytes}")]
    DuplicateSegment {
        /// Where in the log both say that they belong.
        lsn: Lsn,
        /// The other one.
        first_offset_bytes: u64,
    },
    /// A segment's header is damaged, since a whole message follows it.
    #[error("the header of the segment is damaged, a whole message of {lsn} follows it")]
    DamagedHeader {
        /// Where in the log the segment belongs.
        lsn: Lsn,
    },
    /// The log stops in a segment although it goes on elsewhere: the file was cut.
    #[error(
        "the log goes on up to {end}, but {lsn} cannot be read: the message that starts here \
         reaches past the end of the file, or its segment was overwritten meanwhile"
    )]
    LogCut {
        /// Where in the log reading stopped.
        lsn: Lsn,
        /// Where the log ends.
        end: Lsn,
    },
    /// A message near the end of the log is damaged, a whole one follows it.
    #[error("the message of {lsn} is damaged, the log goes on right behind it")]
    DamagedMessage {
        /// Where in the log it stands.
        lsn: Lsn,
    },
    /// A segment that is still needed cannot be read to its end.
    #[error("the log is damaged here, and {page} is stored in the same segment")]
    DamagedSegment {
        /// The first page that is.
        page: PageId,
    },
    /// Nothing defines a page although there are pages with greater numbers.
    #[error("nothing in the log defines {page}, the last one is {last}")]
    MissingPage {
        /// The page.
        page: PageId,
        /// The greatest page number.
        last: PageId,
    },
    /// Two changes claim the same slot of the heap.
    #[error("{page} and {other} claim the same slot")]
    SharedSlot {
        /// One page.
        page: PageId,
        /// The other, or the same one.
        other: PageId,
    },
    /// What a page is said to be stored in is not a message of that page.
    #[error("expected a message of {page}: {problem}")]
    NotItsMessage {
        /// The page.
        page: PageId,
        /// Why it is none.
        problem: &'static str,
    },
    /// A slot of the heap holds something else than it should.
    #[error("expected the item that {page} wrote at LSN {expected}, found {found}")]
    NotItsSlot {
        /// The page.
        page: PageId,
        /// When the item was first written.
        expected: i64,
        /// The slot's own mark.
        found: i64,
    },
    /// A page that is needed is free or was never written.
    #[error("{what} is {page}, which holds nothing")]
    NoPage {
        /// Who refers to the page.
        what: &'static str,
        /// The page.
        page: PageId,
    },
    /// A page holds something else than it should.
    #[error("{page} should hold {expected}, it holds {found}")]
    WrongPage {
        /// The page.
        page: PageId,
        /// What it should hold.
        expected: &'static str,
        /// What it holds.
        found: &'static str,
    },
    /// A page whose bytes are right contradicts itself or its neighbours.
    #[error("{page}: {problem}")]
    Structure {
        /// The page.
        page: PageId,
        /// The contradiction.
        problem: &'static str,
    },
}

impl SledError {
    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self.fault {
            SledFault::Read(_) => "check the disk and the permissions, then try again",
            SledFault::MissingFile => {
                "name the directory that holds `conf`, `db` and `heap`; if the file is lost, use \
                 another replica or an older copy"
            }
            SledFault::Unsupported { .. } => {
                "the directory is not of a meta service, or `conf` was edited; nothing was changed"
            }
            SledFault::Empty { .. } => {
                "if a server did run here, `db` is damaged or of another release of sled (which \
                 has a folder `blobs`): use another copy"
            }
            SledFault::LogCut { .. } | SledFault::Short { .. } => {
                "the file was cut or is still being copied: copy the whole directory while the \
                 server is stopped, or use another replica"
            }
            _ => {
                "the directory is damaged: use another replica or an older copy, and do not start \
                 a server on this one, since it drops what it cannot read"
            }
        }
    }
}
