//! The write-ahead log of data version V004: chunk files of checksummed records.
//!
//! ```text
//! r-00_000_000_000_000_000_000.wal   State{} · State{node id} · SaveVote · Append … · Commit
//! r-00_000_000_000_026_843_545.wal   State{accumulated} · Append …
//! ```
//!
//! The number in a chunk's name is its offset in the whole log, so the chunks must join without
//! a gap; each begins with the state that the ones before it add up to. docs/format.md has the
//! bytes.

mod chunk_name;
mod entry_line;
mod msgpack;
mod reader;
mod record;
mod replay;
mod writer;

pub use chunk_name::{chunk_file_name, chunk_offset};
pub use entry_line::{EntryLine, entry_line};
pub use reader::{ChunkReader, ReadRecordError, Tail};
pub use record::{
    Decoded, EncodeError, RecordError, UserData, WalRecord, WalState, decode_payload,
    decode_record, encode_append, encode_record,
};
pub use replay::{ReplayError, WalReplay};
pub use writer::{ChunkLimits, WalWriteError, WalWriter};
